//! One reading of `/proc/stat` a moment, for all who ask.

use super::{CpuTimes, CpuTimesError, CpuTimesReader};
use crate::host::Timestamp;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The CPU times of a host. Sampler, estimates and the checks of counters all ask at the moment of a tick; the file, which
/// is long on large machines, is read by the first of them. Clones share the reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedCpuTimes(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    reader: Option<CpuTimesReader>,
    /// What was read last, and for which moment.
    last: Option<(Timestamp, CpuTimes)>,
    readings: u64,
}

impl SharedCpuTimes {
    /// The times at this moment: read now, unless they were read for this very moment.
    pub(in crate::host) fn at(&self, procfs: &Path, at: Timestamp) -> Result<SharedReading<'_>, CpuTimesError> {
        self.read(procfs, Some(at))
    }

    /// The times now, whether or not they were asked for before.
    pub(in crate::host) fn now(&self, procfs: &Path) -> Result<SharedReading<'_>, CpuTimesError> {
        self.read(procfs, None)
    }

    fn read(&self, procfs: &Path, at: Option<Timestamp>) -> Result<SharedReading<'_>, CpuTimesError> {
        // A panic elsewhere leaves a reader that reads everything again.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = state.last.filter(|(moment, _)| Some(*moment) == at);
        if let Some((_, times)) = known {
            return Ok(SharedReading { state, times });
        }
        state.last = None;
        state.readings += 1;
        let reader = match &mut state.reader {
            Some(reader) => reader,
            none => none.insert(CpuTimesReader::open_below(procfs)?),
        };
        let times = reader.read()?;
        state.last = at.map(|at| (at, times));
        Ok(SharedReading { state, times })
    }

    /// How often the file was read.
    #[cfg(test)]
    pub(crate) fn readings(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).readings
    }
}

/// What was read, and the reader that knows more of it. There is no other read while it is held.
#[derive(Debug)]
pub(crate) struct SharedReading<'a> {
    state: MutexGuard<'a, State>,
    /// Of the whole node.
    pub(crate) times: CpuTimes,
}

impl SharedReading<'_> {
    /// The reader, as it stands after this reading.
    pub(crate) fn reader(&self) -> Option<&CpuTimesReader> {
        self.state.deref().reader.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;
    use std::time::Duration;

    fn moment(second: u64) -> Timestamp {
        let mut at = Timestamp::now();
        at.monotonic = Duration::from_secs(second);
        at
    }

    #[test]
    fn one_moment_is_read_once_for_all_clones_and_each_other_moment_again() {
        let root = tempfile::tempdir().unwrap();
        let show = |ticks: u32| std::fs::write(root.path().join("stat"), format!("cpu  {ticks} 0 0 1\n")).unwrap();
        show(1);
        let host = Host::default().with_procfs(root.path());
        let other = host.clone();
        let (first, second) = (moment(1), moment(2));
        let busy = |host: &Host, at: Timestamp| host.cpu_times(at).unwrap().times.busy;
        assert_eq!(busy(&host, first), Duration::from_millis(10));
        show(5);
        assert_eq!(busy(&other, first), Duration::from_millis(10), "as it was then");
        assert_eq!(host.cpu_time_readings(), 1);
        assert_eq!(busy(&other, second), Duration::from_millis(50));
        assert_eq!((busy(&host, second), host.cpu_time_readings()), (Duration::from_millis(50), 2));
        assert_eq!(host.cpu_times_now().unwrap().times.busy, Duration::from_millis(50));
        assert_eq!(host.cpu_time_readings(), 3, "now is now");
    }

    #[test]
    fn another_procfs_is_another_reading_and_a_failed_one_is_tried_again() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::default();
        assert!(host.cpu_times_now().is_ok());
        let elsewhere = host.clone().with_procfs(root.path());
        assert!(elsewhere.cpu_times(moment(1)).is_err());
        std::fs::write(root.path().join("stat"), "cpu  7 0 0 1\n").unwrap();
        assert_eq!(elsewhere.cpu_times(moment(1)).unwrap().times.busy, Duration::from_millis(70));
        assert_ne!(host, elsewhere);
        assert_eq!(host, host.clone().with_procfs("/proc"), "what was read does not tell hosts apart");
    }
}
