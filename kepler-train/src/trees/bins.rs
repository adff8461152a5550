//! Inputs by bin.

/// The most bins of an input.
pub(super) const MAX_BINS: usize = 256;

/// Every input of every row as a small number, and the thresholds between the numbers.
#[derive(Clone, Debug)]
pub(super) struct Bins {
    /// By input, then by row.
    codes: Vec<u8>,
    rows: usize,
    /// By input: a value is in the bin whose number is that of thresholds not above it. In 32 bits, as models compare.
    pub(super) thresholds: Vec<Vec<f32>>,
}

impl Bins {
    /// Of the first `used` inputs of flat rows.
    pub(super) fn of(inputs: &[f64], width: usize, used: usize) -> Self {
        let rows = inputs.len() / width.max(1);
        let mut codes = Vec::with_capacity(rows * used);
        let mut thresholds = Vec::with_capacity(used);
        for input in 0..used {
            let column: Vec<f32> = inputs.iter().skip(input).step_by(width.max(1)).map(|value| *value as f32).collect();
            let between = cuts(&column);
            codes.extend(column.iter().map(|value| between.partition_point(|cut| value >= cut) as u8));
            thresholds.push(between);
        }
        Bins { codes, rows, thresholds }
    }

    /// The bins of an input, by row.
    pub(super) fn column(&self, input: usize) -> &[u8] {
        self.codes.get(input * self.rows..(input + 1) * self.rows).unwrap_or_default()
    }

    pub(super) fn inputs(&self) -> usize {
        self.thresholds.len()
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }
}

/// Thresholds between the values: between all of them if they are few, else so that bins hold equally many rows.
fn cuts(column: &[f32]) -> Vec<f32> {
    let mut sorted: Vec<f32> = column.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let mut distinct = sorted.clone();
    distinct.dedup();
    if distinct.len() <= MAX_BINS {
        return distinct.windows(2).filter_map(|pair| Some(between(*pair.first()?, *pair.last()?))).collect();
    }
    let mut cuts: Vec<f32> = (1..MAX_BINS)
        .filter_map(|number| {
            let index = number * sorted.len() / MAX_BINS;
            let at = *sorted.get(index)?;
            let before = distinct.partition_point(|value| *value < at).checked_sub(1)?;
            Some(between(*distinct.get(before)?, at))
        })
        .collect();
    cuts.dedup();
    cuts
}

/// A threshold that `below` is less than and `above` is not.
fn between(below: f32, above: f32) -> f32 {
    let middle = below + (above - below) / 2.0;
    if middle > below && middle <= above { middle } else { above }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_a_bin_each_and_many_share_evenly() {
        let bins = Bins::of(&[3.0, 1.0, 3.0, 2.0], 1, 1);
        assert_eq!(bins.column(0), [2, 0, 2, 1]);
        assert_eq!(bins.thresholds[0], [1.5, 2.5]);
        let many: Vec<f64> = (0..10_000).map(f64::from).collect();
        let bins = Bins::of(&many, 1, 1);
        assert_eq!(bins.thresholds[0].len(), MAX_BINS - 1);
        let mut counts = [0_u32; MAX_BINS];
        for code in bins.column(0) {
            counts[usize::from(*code)] += 1;
        }
        assert!(counts.iter().all(|&count| (39..=40).contains(&count)), "{counts:?}");
    }

    #[test]
    fn neighbouring_floats_are_distinguished() {
        let (a, b) = (1.0_f32, 1.0_f32.next_up());
        assert!(a < between(a, b) && b >= between(a, b));
        assert_eq!(Bins::of(&[f64::from(a), f64::from(b)], 1, 1).column(0), [0, 1]);
    }
}
