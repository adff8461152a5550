//! Processes that worked in the last few ticks.

/// Ticks that are kept: longer than a snapshot waits to be written over.
const TICKS: usize = 3;

/// Numbers of processes that worked, by tick, the latest first.
#[derive(Debug, Default)]
pub(super) struct Recall {
    ticks: [Vec<u32>; TICKS],
}

impl Recall {
    /// Drops the oldest tick for a new one, with room for `room` processes.
    pub(super) fn begin(&mut self, room: usize) -> &mut Vec<u32> {
        self.ticks.rotate_right(1);
        let [worked, ..] = &mut self.ticks;
        worked.clear();
        worked.reserve(room);
        worked
    }

    /// Who worked in the last `ticks` ticks, some of them several times. `None` if that is longer than what is kept.
    pub(super) fn last(&self, ticks: u64) -> Option<impl Iterator<Item = u32>> {
        let kept = self.ticks.get(..usize::try_from(ticks).ok()?)?;
        Some(kept.iter().flatten().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_three_ticks_are_kept() {
        let mut recall = Recall::default();
        for tick in 1..=5 {
            recall.begin(2).extend([tick * 10, tick * 10 + 1]);
        }
        let last = |ticks| recall.last(ticks).map(Iterator::collect::<Vec<u32>>);
        assert_eq!(last(0), Some(vec![]));
        assert_eq!(last(1), Some(vec![50, 51]));
        assert_eq!(last(3), Some(vec![50, 51, 40, 41, 30, 31]));
        assert_eq!(last(4), None);
        assert_eq!(last(u64::MAX), None);
    }
}
