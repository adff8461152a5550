//! Who worked in the last few ticks.

/// So many ticks are remembered: longer than a snapshot waits to be written anew.
const TICKS: usize = 3;

/// Numbers of processes that worked, by tick, the latest first.
#[derive(Debug, Default)]
pub(super) struct Recall {
    ticks: [Vec<u32>; TICKS],
}

impl Recall {
    /// Forgets the oldest tick for one in which nobody has worked yet; there is room for so many.
    pub(super) fn begin(&mut self, room: usize) -> &mut Vec<u32> {
        self.ticks.rotate_right(1);
        let [worked, ..] = &mut self.ticks;
        worked.clear();
        worked.reserve(room);
        worked
    }

    /// Who worked in the last `ticks` ticks, some of them several times. `None` if that is not remembered any more.
    pub(super) fn last(&self, ticks: u64) -> Option<impl Iterator<Item = u32>> {
        let remembered = self.ticks.get(..usize::try_from(ticks).ok()?)?;
        Some(remembered.iter().flatten().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_three_ticks_are_remembered() {
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
