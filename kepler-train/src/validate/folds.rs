//! Folds: rows that are held out together.

use crate::Dataset;

/// Rows that are held out together, by number. Each fold is trained on all others.
pub type Fold = Vec<usize>;

/// `count` blocks of consecutive rows, as equal as can be, the first ones longer.
///
/// Rows a few seconds apart resemble each other; held out one by one they would be guessed from their neighbours.
#[must_use]
pub fn blocks(rows: usize, count: usize) -> Vec<Fold> {
    let count = count.clamp(1, rows.max(1));
    let (each, longer) = (rows / count, rows % count);
    let start = |block: usize| block * each + block.min(longer);
    (0..count).map(|block| (start(block)..start(block + 1)).collect()).collect()
}

/// One fold for each group: leave one machine, or one workload, out.
#[must_use]
pub fn by_group(groups: &[usize]) -> Vec<Fold> {
    let count = groups.iter().max().map_or(0, |most| most + 1);
    let rows_of = |group| (0..groups.len()).filter(|&row| groups.get(row) == Some(&group)).collect();
    (0..count).map(rows_of).filter(|fold: &Fold| !fold.is_empty()).collect()
}

/// The most kinds of work that rows are divided into by what they count.
const KINDS: usize = 5;
/// A machine rests below this share of the most that it did.
const REST: f64 = 0.05;
/// How often rows change between kinds.
const ROUNDS: usize = 25;

/// Groups of rows, one number a row, that do alike: kinds of work, where the rows do not name them.
///
/// Clusters (k-means, begun with rows far from each other) of the logarithms of what is counted and of its quotients:
/// utilisation, instructions per cycle, misses per instruction. Held out whole they are what a model has not seen. Rest is no
/// kind of work: what is recorded of it is divided among all.
#[must_use]
pub fn behaviour(data: &Dataset) -> Vec<usize> {
    let rest = rest(data);
    let rows = |resting: bool| (0..data.len()).filter(|&row| rest.get(row) == Some(&resting)).collect::<Vec<_>>();
    let (working, resting) = (rows(false), rows(true));
    let mut kinds = vec![0; data.len()];
    if working.is_empty() {
        return kinds;
    }
    let clusters = clusters(&points(&data.subset(&working)));
    for (&row, kind) in working.iter().zip(&clusters) {
        if let Some(slot) = kinds.get_mut(row) {
            *slot = *kind;
        }
    }
    let count = clusters.iter().max().map_or(1, |most| most + 1);
    for (place, &row) in resting.iter().enumerate() {
        if let Some(slot) = kinds.get_mut(row) {
            *slot = place * count / resting.len();
        }
    }
    kinds
}

/// Which rows have next to no CPU time, or cycles.
fn rest(data: &Dataset) -> Vec<bool> {
    let index = |name: &str| data.features().iter().position(|feature| feature == name);
    let Some(column) = index("bpf_cpu_time_ms").or_else(|| index("cpu_cycles")) else { return vec![false; data.len()] };
    let of_rows = || data.rows().iter().skip(column).step_by(data.width().max(1));
    // What nearly all stay below: one absurd row must not put all others to rest.
    let most = crate::trees::quantile(&mut of_rows().copied().collect::<Vec<f64>>(), 0.95);
    of_rows().map(|value| *value < REST * most).collect()
}

fn clusters(points: &[Vec<f64>]) -> Vec<usize> {
    let width = points.first().map_or(0, Vec::len);
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let mut centres: Vec<Vec<f64>> = vec![vec![0.0; width]];
    let nearest = |point: &[f64], centres: &[Vec<f64>]| {
        let each = centres.iter().enumerate().map(|(number, centre)| (number, distance(point, centre)));
        each.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
    };
    // Far, but not the farthest: one odd row is no kind of work.
    while centres.len() < KINDS {
        let mut far: Vec<(f64, usize)> =
            points.iter().enumerate().map(|(row, point)| (nearest(point, &centres).1, row)).collect();
        far.sort_by(|a, b| a.0.total_cmp(&b.0));
        let Some((away, row)) = far.get(far.len() * 9 / 10).copied() else { break };
        if away <= 1e-9 {
            break;
        }
        centres.extend(points.get(row).cloned());
    }
    let mut kinds: Vec<usize> = Vec::new();
    for _ in 0..ROUNDS {
        let next: Vec<usize> = points.iter().map(|point| nearest(point, &centres).0).collect();
        if next == kinds {
            break;
        }
        kinds = next;
        for (number, centre) in centres.iter_mut().enumerate() {
            let members = || kinds.iter().zip(points).filter(|(kind, _)| **kind == number).map(|(_, point)| point);
            let count = members().count();
            if count > 0 {
                *centre = (0..width)
                    .map(|axis| members().filter_map(|point| point.get(axis)).sum::<f64>() / count as f64)
                    .collect();
            }
        }
    }
    // A handful of rows is no kind of its own.
    let sizes: Vec<usize> =
        (0..centres.len()).map(|kind| kinds.iter().filter(|&&other| other == kind).count()).collect();
    if sizes.iter().all(|&size| size < crate::MIN_ROWS) {
        return vec![0; points.len()];
    }
    let large: Vec<usize> = (0..centres.len()).filter(|&kind| sizes.get(kind) >= Some(&crate::MIN_ROWS)).collect();
    let kept: Vec<Vec<f64>> = large.iter().filter_map(|&kind| centres.get(kind).cloned()).collect();
    points.iter().map(|point| nearest(point, &kept).0).collect()
}

/// Standardised logarithms of features, and of quotients of those that are counted.
fn points(data: &Dataset) -> Vec<Vec<f64>> {
    let index = |name: &str| data.features().iter().position(|feature| feature == name);
    let quotients = [("cpu_instructions", "cpu_cycles"), ("cache_miss", "cpu_instructions")];
    let quotients: Vec<(usize, usize)> =
        quotients.into_iter().filter_map(|(above, below)| Some((index(above)?, index(below)?))).collect();
    let width = data.width().max(1);
    let greatest = |column: usize| {
        data.rows().iter().skip(column).step_by(width).map(|value| value.abs()).fold(f64::MIN_POSITIVE, f64::max)
    };
    let scales: Vec<f64> = (0..width).map(greatest).collect();
    let of_row = |row: &[f64]| -> Vec<f64> {
        let at = |column: usize| row.get(column).copied().unwrap_or_default();
        let plain = row.iter().zip(&scales).map(|(value, scale)| (value.abs() / scale + 0.02).ln());
        let quotient = |&(above, below): &(usize, usize)| {
            if at(below) > 0.0 { (at(above) / at(below)).max(0.0).ln_1p() } else { 0.0 }
        };
        plain.chain(quotients.iter().map(quotient)).collect()
    };
    let mut points: Vec<Vec<f64>> = data.rows().chunks_exact(width).map(of_row).collect();
    let flat: Vec<f64> = points.iter().flatten().copied().collect();
    let axes = points.first().map_or(0, Vec::len);
    let deviations = crate::inputs::deviations(&flat, axes);
    let count = points.len().max(1) as f64;
    let means: Vec<f64> =
        (0..axes).map(|axis| flat.iter().skip(axis).step_by(axes.max(1)).sum::<f64>() / count).collect();
    for value in &mut points {
        for ((value, mean), deviation) in value.iter_mut().zip(&means).zip(&deviations) {
            *value = if *deviation > 0.0 { (*value - mean) / deviation } else { 0.0 };
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_consecutive_and_as_equal_as_can_be() {
        let folds = blocks(2202, 10);
        let ranges: Vec<(usize, usize)> = folds.iter().map(|fold| (fold[0], fold[fold.len() - 1])).collect();
        assert_eq!(&ranges[..3], [(0, 220), (221, 441), (442, 661)]);
        assert_eq!(ranges[9], (1982, 2201));
        assert_eq!(blocks(2, 5).len(), 2);
    }

    #[test]
    fn every_group_is_a_fold() {
        assert_eq!(by_group(&[1, 0, 1, 3]), [vec![1], vec![0, 2], vec![3]]);
    }

    #[test]
    fn rows_that_do_alike_are_one_kind_and_a_few_odd_ones_are_none() {
        let row = |n: usize| match n {
            200.. => [1e9, 1.0],
            n if n % 2 == 0 => [1000.0 + (n % 5) as f64, 1e6],
            n => [3000.0 + (n % 5) as f64, 2e9],
        };
        let rows: Vec<f64> = (0..203).flat_map(row).collect();
        let names = vec!["bpf_cpu_time_ms".to_owned(), "cpu_cycles".to_owned()];
        let target = vec![1.0; 203];
        let semantics = kepler_core::model::Semantics::AsNamed;
        let data = Dataset::new(names, rows, vec![(kepler_core::units::ZoneKind::Package, target)], semantics).unwrap();
        let kinds = behaviour(&data);
        assert!((2..200).all(|row| kinds[row] == kinds[row - 2]), "{kinds:?}");
        assert_ne!(kinds[0], kinds[1]);
        assert!(by_group(&kinds).iter().all(|fold| fold.len() >= crate::MIN_ROWS), "{kinds:?}");
    }
}
