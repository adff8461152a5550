//! Where meters of the whole machine leave their readings, and a tick finds them.

use super::followed::{Followed, Segment};
use super::{PlatformMeter, PlatformReading};
use crate::host::Timestamp;
use crate::snapshot::PlatformRow;
use crate::units::{Energy, Power};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Meters at most: an enclosure of blades has dozens of chassis.
const MOST: usize = 256;

/// What those who ask slow meters report, and a sampler takes over at each tick. Clones are the same board.
///
/// The lock is held for as long as a reading is added or the figures are copied; no meter is read while it is held.
#[derive(Clone, Debug, Default)]
pub struct PlatformBoard(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    followed: Vec<Followed>,
    /// Failures since they were last taken over.
    failures: Vec<(&'static str, &'static str, u64)>,
    successes: Vec<(&'static str, Timestamp)>,
}

/// What a tick sees of a meter.
#[derive(Clone, Debug)]
pub(crate) struct BoardRow {
    pub(crate) meter: Arc<PlatformMeter>,
    pub(crate) energy: Energy,
    pub(crate) covered: Duration,
    pub(crate) newest: Option<(Timestamp, Power)>,
    pub(crate) fault: Option<&'static str>,
}

impl BoardRow {
    /// The meter as it is shown at a moment: not with a figure that is old or not believed.
    pub(crate) fn shown(&self, at: &Timestamp) -> PlatformRow {
        let age = self.newest.map(|(newest, _)| at.since(&newest));
        let is_stale = age.is_some_and(|age| age > self.meter.max_age);
        let fault = self.fault.or(is_stale.then_some("stale"));
        // A meter that fails once shows its last figure as long as that is not old.
        let is_shown = !is_stale && !matches!(fault, Some("stale" | "implausible" | "frozen" | "replaced"));
        PlatformRow {
            meter: Arc::clone(&self.meter),
            energy: self.energy,
            covered: self.covered,
            power: self.newest.filter(|_| is_shown).map(|(_, power)| power),
            age,
            fault,
        }
    }
}

impl PlatformBoard {
    /// Takes a reading. One that is too old, absurd or frozen is counted as a failure and adds no energy.
    pub fn report(&self, meter: &PlatformMeter, reading: PlatformReading) {
        let mut state = self.lock();
        let Some(followed) = state.follow(meter) else { return };
        match followed.take(&reading) {
            Ok(()) => state.succeeded(meter.source, reading.received),
            Err(reason) => state.failed(meter.source, reason),
        }
    }

    /// A meter cannot be read, for a reason in a fixed word: `timeout`, `refused`, …
    pub fn fail(&self, meter: &PlatformMeter, reason: &'static str) {
        let mut state = self.lock();
        if let Some(followed) = state.followed.iter_mut().find(|followed| followed.meter.is_same(meter)) {
            followed.fail(reason);
        }
        state.failed(meter.source, reason);
    }

    /// A source cannot be asked at all. Its meters, where any are known, cannot be read for that reason.
    pub fn fail_all(&self, source: &'static str, bmc_id: &str, reason: &'static str) {
        let mut state = self.lock();
        let of_source = |followed: &&mut Followed| followed.meter.source == source && *followed.meter.bmc_id == *bmc_id;
        state.followed.iter_mut().filter(of_source).for_each(|followed| followed.fail(reason));
        state.failed(source, reason);
    }

    /// Another figure is read in place of this meter's. What it has counted stays.
    pub fn withdraw(&self, meter: &PlatformMeter) {
        if let Some(followed) = self.lock().followed.iter_mut().find(|followed| followed.meter.is_same(meter)) {
            followed.fail("replaced");
        }
    }

    /// All meters as they are at a moment, for callers that have no sampler.
    #[must_use]
    pub fn rows(&self, at: &Timestamp) -> Vec<PlatformRow> {
        self.lock().followed.iter().map(|followed| followed.row().shown(at)).collect()
    }

    /// What a meter has measured since its first reading; `None` of one that has not reported.
    #[must_use]
    pub fn energy(&self, meter: &PlatformMeter) -> Option<Energy> {
        let state = self.lock();
        let followed = state.followed.iter().find(|followed| followed.meter.is_same(meter));
        followed.map(|followed| followed.energy)
    }

    /// What a meter shows at a moment; else why not, in a fixed word: `not_read` of one that has not reported.
    pub(crate) fn power(&self, meter: &PlatformMeter, at: &Timestamp) -> Result<Power, &'static str> {
        let state = self.lock();
        let followed = state.followed.iter().find(|followed| followed.meter.is_same(meter)).ok_or("not_read")?;
        let row = followed.row().shown(at);
        row.power.ok_or(row.fault.unwrap_or("not_read"))
    }

    /// Whether both are the same board.
    pub(crate) fn is_same(&self, other: &PlatformBoard) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Why a meter's latest reading is not believed or could not be had, in a fixed word.
    #[must_use]
    pub fn fault(&self, meter: &PlatformMeter) -> Option<&'static str> {
        let state = self.lock();
        state.followed.iter().find(|followed| followed.meter.is_same(meter)).and_then(|followed| followed.fault)
    }

    /// Shows each meter, with what was drawn since the call before, and each failure and success since then.
    pub(crate) fn take(
        &self,
        load: f64,
        mut row: impl FnMut(BoardRow, &[Segment]),
        mut failed: impl FnMut(&'static str, &'static str, u64),
        mut succeeded: impl FnMut(&'static str, Timestamp),
    ) {
        let mut state = self.lock();
        for followed in &mut state.followed {
            followed.see_load(load);
            row(followed.row(), &followed.segments);
            followed.segments.clear();
        }
        state.failures.drain(..).for_each(|(source, reason, count)| failed(source, reason, count));
        state.successes.drain(..).for_each(|(source, at)| succeeded(source, at));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Followed {
    fn row(&self) -> BoardRow {
        BoardRow {
            meter: Arc::clone(&self.meter),
            energy: self.energy,
            covered: self.covered,
            newest: self.newest,
            fault: self.fault,
        }
    }
}

impl State {
    /// What is known of a meter, which may be new.
    fn follow(&mut self, meter: &PlatformMeter) -> Option<&mut Followed> {
        let found = self.followed.iter().position(|followed| followed.meter.is_same(meter));
        let index = match found {
            Some(index) => index,
            None if self.followed.len() >= MOST => return None,
            None => {
                self.followed.push(Followed::new(meter));
                self.followed.len() - 1
            }
        };
        let followed = self.followed.get_mut(index)?;
        if *followed.meter != *meter {
            followed.meter = Arc::new(meter.clone());
        }
        Some(followed)
    }

    fn failed(&mut self, source: &'static str, reason: &'static str) {
        match self.failures.iter_mut().find(|(known, why, _)| *known == source && *why == reason) {
            Some((_, _, count)) => *count += 1,
            None => self.failures.push((source, reason, 1)),
        }
    }

    fn succeeded(&mut self, source: &'static str, at: Timestamp) {
        match self.successes.iter_mut().find(|(known, _)| *known == source) {
            Some((_, last)) => *last = at,
            None => self.successes.push((source, at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_has_room_for_so_many_meters_and_ignores_the_others() {
        let board = PlatformBoard::default();
        for index in 0..=MOST {
            let meter = PlatformMeter::new("redfish", "bmc", index.to_string());
            board.report(&meter, PlatformReading::new(Power::from_watts(100.0), Timestamp::now()));
        }
        let mut rows = 0;
        board.take(0.0, |_, _| rows += 1, |_, _, _| {}, |_, _| {});
        assert_eq!(rows, MOST);
    }

    #[test]
    fn failures_are_handed_over_once_and_a_fault_stays_until_the_next_reading() {
        let (board, start) = (PlatformBoard::default(), Timestamp::now());
        let meter = PlatformMeter::new("redfish", "bmc", "1");
        board.report(&meter, PlatformReading::new(Power::from_watts(100.0), start));
        board.fail(&meter, "timeout");
        board.fail_all("redfish", "bmc", "timeout");
        board.fail_all("redfish", "another", "unreachable");
        let counted = |board: &PlatformBoard| {
            let mut failures = Vec::new();
            board.take(0.0, |_, _| {}, |_, reason, count| failures.push((reason, count)), |_, _| {});
            failures
        };
        assert_eq!(counted(&board), [("timeout", 2), ("unreachable", 1)]);
        assert_eq!(counted(&board), []);
        assert_eq!(board.fault(&meter), Some("timeout"));
        let later = start.advanced(Duration::from_secs(10));
        board.report(&meter, PlatformReading::new(Power::from_watts(100.0), later));
        assert_eq!((board.fault(&meter), board.energy(&meter)), (None, Some(Energy::from_joules(1000.0))));
    }
}
