//! Folds: rows that are held out together.

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
}
