//! Workloads with equal label sets: they share one series.
//!
//! Labels say less than an identity. A process number comes back with another start time, a unit is
//! restarted, two virtual machines are started with one UUID. Two samples with the same labels
//! would make the scrape invalid.

use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap, RandomState};
use std::hash::{BuildHasher, Hash};

/// Rows with the same labels. Almost always empty.
#[derive(Debug, Default)]
pub(crate) struct DuplicateSeries {
    /// Rows whose figures are added to those of the key.
    added: HashMap<usize, Vec<usize>>,
    /// Rows that write nothing themselves.
    hidden: HashSet<usize>,
}

impl DuplicateSeries {
    /// Among rows `0..count`, the first of each label set stands for all: their figures are summed.
    pub(crate) fn summed<K: Hash + Eq>(count: usize, key: impl Fn(usize) -> K) -> Self {
        let mut duplicates = DuplicateSeries::default();
        for_each_clash(count, key, |kept, row| {
            duplicates.added.entry(*kept).or_default().push(row);
            duplicates.hidden.insert(row);
        });
        duplicates
    }

    /// Among rows `0..count`, the one with the greatest `rank` stands for its label set, alone.
    pub(crate) fn newest<K: Hash + Eq, R: Ord>(
        count: usize,
        key: impl Fn(usize) -> K,
        rank: impl Fn(usize) -> R,
    ) -> Self {
        let mut duplicates = DuplicateSeries::default();
        for_each_clash(count, key, |kept, row| {
            let loser = if rank(row) > rank(*kept) { std::mem::replace(kept, row) } else { row };
            duplicates.hidden.insert(loser);
        });
        duplicates
    }

    /// Whether `row` writes nothing.
    pub(crate) fn hides(&self, row: usize) -> bool {
        self.hidden.contains(&row)
    }

    /// The rows whose figures `row` has to add to its own.
    pub(crate) fn added_to(&self, row: usize) -> &[usize] {
        self.added.get(&row).map_or(&[], Vec::as_slice)
    }
}

/// Calls `clash` for each row whose key was seen before, with the row kept for it.
///
/// Holds 64-bit hashes and not the keys, 64 KiB for 4,000 rows; equal hashes are confirmed by
/// comparing the keys.
fn for_each_clash<K: Hash + Eq>(count: usize, key: impl Fn(usize) -> K, mut clash: impl FnMut(&mut usize, usize)) {
    let hasher = RandomState::new();
    let mut kept: HashMap<u64, usize> = HashMap::with_capacity(count);
    for row in 0..count {
        match kept.entry(hasher.hash_one(key(row))) {
            Entry::Vacant(entry) => {
                entry.insert(row);
            }
            Entry::Occupied(mut entry) => {
                if key(*entry.get()) == key(row) {
                    clash(entry.get_mut(), row);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_rows_stands_for_their_sum() {
        let rows = ["a", "b", "a", "a"];
        let duplicates = DuplicateSeries::summed(rows.len(), |row| rows[row]);
        assert_eq!(duplicates.added_to(0), [2, 3]);
        assert!(duplicates.added_to(1).is_empty());
        assert!(!duplicates.hides(0) && !duplicates.hides(1) && duplicates.hides(2) && duplicates.hides(3));
    }

    #[test]
    fn the_newest_of_equal_rows_stands_alone() {
        let rows = [("a", 1), ("a", 5), ("b", 2), ("a", 3)];
        let duplicates = DuplicateSeries::newest(rows.len(), |row| rows[row].0, |row| rows[row].1);
        assert!(duplicates.hides(0) && !duplicates.hides(1) && !duplicates.hides(2) && duplicates.hides(3));
        assert!(duplicates.added_to(1).is_empty());
    }
}
