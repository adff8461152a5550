//! The inputs of terms: features, their products and quotients.

use crate::trees::Direction;
use crate::{Dataset, TrainError};
use kepler_core::model::{MAX_INPUTS, format};

/// Which inputs are made of the features.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Inputs {
    /// The features themselves.
    #[default]
    Plain,
    /// The features and all quotients of two of them: instructions per cycle, cycles per CPU second (the frequency).
    Quotients,
    /// All products of up to this many features: squares, interactions, …
    Polynomial(u32),
    /// Products of features, by index, to whole powers.
    Products(Vec<Vec<(usize, i32)>>),
}

/// Factors of each input.
pub(crate) type Factors = Vec<Vec<(usize, i32)>>;

impl Inputs {
    /// The factors of all inputs of `width` features; those of a model that is per a feature are divided by it,
    /// and it is no input itself.
    pub(crate) fn factors(&self, width: usize, per: Option<usize>) -> Result<Factors, TrainError> {
        let plain: Vec<usize> = (0..width).filter(|&feature| per != Some(feature)).collect();
        let mut factors: Factors = plain.iter().map(|&feature| vec![(feature, 1)]).collect();
        match self {
            Inputs::Plain => {}
            Inputs::Products(products) => factors.clone_from(products),
            Inputs::Quotients => {
                for (index, &above) in plain.iter().enumerate() {
                    factors.extend(plain.iter().take(index).map(|&below| vec![(above, 1), (below, -1)]));
                }
            }
            &Inputs::Polynomial(degree) => {
                if !(1..=4).contains(&degree) {
                    let remedy = "give 1 to 4";
                    return Err(TrainError::Setting {
                        what: "degree of the polynomial",
                        value: degree.to_string(),
                        remedy,
                    });
                }
                factors = products(&plain, degree);
            }
        }
        if let Some(per) = per {
            for factors in &mut factors {
                let degree: i32 = factors.iter().map(|(_, power)| power).sum();
                if degree > 0 {
                    factors.push((per, -degree));
                }
            }
        }
        if factors.len() > MAX_INPUTS {
            return Err(TrainError::TooMany { what: "inputs of the model", found: factors.len(), limit: MAX_INPUTS });
        }
        Ok(factors)
    }
}

/// All products of one to `degree` of the features, lower degrees first.
fn products(features: &[usize], degree: u32) -> Factors {
    let mut all: Vec<Vec<usize>> = Vec::new();
    let mut last: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..degree {
        let longer = |product: &Vec<usize>| {
            let least = product.last().copied().unwrap_or_default();
            let more = features.iter().filter(move |&&feature| feature >= least);
            more.map(|&feature| [product.as_slice(), &[feature]].concat()).collect::<Vec<_>>()
        };
        last = last.iter().flat_map(longer).collect();
        all.extend(last.iter().cloned());
    }
    let powers = |product: Vec<usize>| {
        product.into_iter().fold(Vec::new(), |mut factors: Vec<(usize, i32)>, feature| {
            match factors.last_mut() {
                Some((known, power)) if *known == feature => *power += 1,
                _ => factors.push((feature, 1)),
            }
            factors
        })
    };
    all.into_iter().map(powers).collect()
}

/// The inputs of all rows, flat.
pub(crate) fn design(data: &Dataset, factors: &Factors) -> Vec<f64> {
    let rows = data.rows().chunks_exact(data.width().max(1));
    rows.flat_map(|row| factors.iter().map(|factors| format::input(factors, row))).collect()
}

/// Standard deviation of each input; 0 for a constant.
pub(crate) fn deviations(design: &[f64], width: usize) -> Vec<f64> {
    let count = (design.len() / width.max(1)).max(1) as f64;
    let column = |input| design.iter().skip(input).step_by(width.max(1));
    let of = |input| {
        let mean = column(input).sum::<f64>() / count;
        let deviation = (column(input).map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        if deviation > 1e-12 * mean.abs() && deviation.is_finite() { deviation } else { 0.0 }
    };
    (0..width).map(of).collect()
}

/// The directions of inputs that are one of the named features (perhaps per something): power rises with them.
pub(crate) fn directions(factors: &Factors, data: &Dataset, rising: &[String]) -> Vec<Direction> {
    let is_rising = |factors: &Vec<(usize, i32)>| match factors.split_first() {
        Some((&(feature, 1), rest)) if rest.iter().all(|(_, power)| *power == -1) && rest.len() <= 1 => {
            data.features().get(feature).is_some_and(|name| rising.contains(name))
        }
        _ => false,
    };
    factors.iter().map(|factors| if is_rising(factors) { Direction::Rising } else { Direction::Any }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_have_every_product_once() {
        let factors = Inputs::Polynomial(2).factors(2, None).unwrap();
        assert_eq!(factors, [vec![(0, 1)], vec![(1, 1)], vec![(0, 2)], vec![(0, 1), (1, 1)], vec![(1, 2)]]);
        assert_eq!(Inputs::Polynomial(2).factors(5, None).unwrap().len(), 20);
        assert!(Inputs::Polynomial(4).factors(8, None).is_err(), "494 products");
    }

    #[test]
    fn what_is_per_thread_is_divided_by_threads_and_quotients_are_not() {
        let factors = Inputs::Quotients.factors(3, Some(2)).unwrap();
        assert_eq!(factors, [vec![(0, 1), (2, -1)], vec![(1, 1), (2, -1)], vec![(1, 1), (0, -1)]]);
    }
}
