//! Which processes used a device, from the library's samples.
//!
//! A sample says what share of the time since the sample before a process used. Each is weighted by that time, so
//! that the result is the mean over the interval: neither the newest sample nor the largest.

use super::library::UtilisationSample;
use crate::device::{DeviceUser, holders};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Samples may arrive late, and the library drops those up to the moment that it is asked from.
const LATENESS: Duration = Duration::from_secs(2);

/// Where nothing is known of a process before a sample, the sample is of this time at most.
const LONGEST_SAMPLE: Duration = Duration::from_secs(1);

/// The samples of one device.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// When it was asked last, in microseconds of the wall clock.
    asked: Option<u64>,
    /// The newest sample of each process.
    newest: HashMap<u32, u64>,
}

impl Usage {
    /// From when on samples are asked for.
    pub(super) fn since(&self, now: u64) -> u64 {
        self.asked.unwrap_or(now).min(now).saturating_sub(microseconds(LATENESS))
    }

    /// Adds the seconds that each process used the device since the call before to `users`; nothing at the first call. All that was seen
    /// before is left out, and so is what cannot be: drivers hand out entries that were never filled (nvtop issue 110).
    pub(super) fn add(&mut self, samples: &mut [UtilisationSample], now: u64, users: &mut Vec<DeviceUser>) {
        let Some(asked) = self.asked.replace(now).filter(|asked| *asked <= now) else {
            // The first call, or the clock was set back.
            self.newest.clear();
            let valid = samples.iter().filter(|sample| is_valid(sample, now));
            self.newest.extend(valid.map(|sample| (sample.pid, sample.time_stamp)));
            return;
        };
        samples.sort_unstable_by_key(|sample| sample.time_stamp);
        for sample in samples.iter().filter(|sample| is_valid(sample, now)) {
            let before = self.newest.get(&sample.pid).copied();
            let from = match before {
                Some(before) if before >= sample.time_stamp => continue,
                Some(before) if sample.time_stamp - before <= microseconds(LATENESS) => before,
                _ => asked.max(sample.time_stamp.saturating_sub(microseconds(LONGEST_SAMPLE))),
            };
            self.newest.insert(sample.pid, sample.time_stamp);
            let seconds = Duration::from_micros(sample.time_stamp.saturating_sub(from)).as_secs_f64();
            // The engines work side by side: the busiest tells how much of the time the process used.
            let percent = sample.multiprocessors.max(sample.encoder).max(sample.decoder);
            add(users, sample.pid, f64::from(percent) / 100.0 * seconds);
        }
        let oldest = now.saturating_sub(microseconds(LATENESS) * 2);
        self.newest.retain(|_, time| *time >= oldest);
    }
}

fn is_valid(sample: &UtilisationSample, now: u64) -> bool {
    let percents = [sample.multiprocessors, sample.memory, sample.encoder, sample.decoder];
    sample.pid != 0
        && percents.into_iter().all(|percent| percent <= 100)
        && sample.time_stamp.abs_diff(now) < microseconds(Duration::from_secs(60))
}

fn microseconds(duration: Duration) -> u64 {
    duration.as_micros() as u64
}

/// Adds to a user's share, or a user.
pub(super) fn add(users: &mut Vec<DeviceUser>, pid: u32, busy: f64) {
    match users.iter_mut().find(|user| user.pid == pid) {
        Some(user) => user.busy += busy,
        None => users.push(DeviceUser::new(pid, busy)),
    }
}

/// Tells processes of this procfs from those of other PID namespaces that have the same number.
#[derive(Debug)]
pub(super) struct Identities {
    procfs: PathBuf,
    /// Processes that hold a descriptor of a device, with the inode of their entry.
    known: HashMap<u32, u64>,
}

/// Device files of NVIDIA's driver; WSL has another.
const DEVICE_FILES: [&str; 2] = ["/dev/nvidia", "/dev/dxg"];

impl Identities {
    pub(super) fn new(procfs: &Path) -> Self {
        Identities { procfs: procfs.to_owned(), known: HashMap::new() }
    }

    /// The process with this number if it is one of this procfs that has a device open; 0 if not, or if that cannot be seen.
    pub(super) fn pid(&mut self, pid: u32) -> u32 {
        let Some(identity) = holders::identity(&self.procfs, pid) else {
            self.known.remove(&pid);
            return 0;
        };
        if self.known.get(&pid) == Some(&identity) {
            return pid;
        }
        let holds = holders::descriptors(&self.procfs, pid, &DEVICE_FILES).is_ok_and(|found| !found.is_empty());
        if !holds {
            self.known.remove(&pid);
            return 0;
        }
        self.known.insert(pid, identity);
        pid
    }

    /// Forgets processes that have ended.
    pub(super) fn forget_ended(&mut self) {
        let procfs = &self.procfs;
        self.known.retain(|pid, identity| holders::identity(procfs, *pid) == Some(*identity));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const NOW: u64 = 1_700_000_000 * SECOND;

    fn sample(pid: u32, at: u64, percent: u32) -> UtilisationSample {
        UtilisationSample { pid, time_stamp: at, multiprocessors: percent, ..UtilisationSample::default() }
    }

    fn busy(usage: &mut Usage, now: u64, samples: &[UtilisationSample]) -> Vec<(u32, f64)> {
        let mut users = Vec::new();
        usage.add(&mut samples.to_vec(), now, &mut users);
        users.sort_unstable_by_key(|user| user.pid);
        users.iter().map(|user| (user.pid, (user.busy * 1000.0).round() / 1000.0)).collect()
    }

    #[test]
    fn the_mean_over_time_counts_and_not_the_newest_nor_the_largest_sample() {
        let mut usage = Usage::default();
        assert_eq!(busy(&mut usage, NOW, &[sample(7, NOW, 90)]), [], "what time the first covers is unknown");
        let samples = [sample(7, NOW + SECOND / 4, 100), sample(7, NOW + SECOND, 20)];
        assert_eq!(busy(&mut usage, NOW + SECOND, &samples), [(7, 0.25 + 0.15)]);
        // The same again, as the library repeats them.
        assert_eq!(busy(&mut usage, NOW + SECOND * 2, &samples), []);
    }

    #[test]
    fn a_sample_that_arrives_late_is_counted_for_its_own_time() {
        let mut usage = Usage::default();
        busy(&mut usage, NOW, &[sample(1, NOW, 0), sample(2, NOW, 0)]);
        assert_eq!(busy(&mut usage, NOW + SECOND, &[sample(1, NOW + SECOND, 60)]), [(1, 0.6)]);
        let samples = [sample(1, NOW + 2 * SECOND, 60), sample(2, NOW + 2 * SECOND - SECOND / 2, 30)];
        assert_eq!(busy(&mut usage, NOW + 2 * SECOND, &samples), [(1, 0.6), (2, 0.45)]);
    }

    #[test]
    fn entries_that_were_never_filled_are_left_out() {
        let mut usage = Usage::default();
        busy(&mut usage, NOW, &[]);
        let garbage = [sample(0, NOW + 1, 5), sample(9, 0, 7), sample(9, NOW + 1, 4_294_967), sample(9, NOW * 2, 50)];
        assert_eq!(busy(&mut usage, NOW + SECOND, &garbage), []);
    }

    #[test]
    fn an_encoder_counts_as_use() {
        let mut usage = Usage::default();
        busy(&mut usage, NOW, &[]);
        let transcoding = UtilisationSample { encoder: 80, ..sample(3, NOW + SECOND, 2) };
        assert_eq!(busy(&mut usage, NOW + SECOND, &[transcoding]), [(3, 0.8)]);
    }

    #[test]
    fn a_clock_that_was_set_back_loses_an_interval_and_no_more() {
        let mut usage = Usage::default();
        busy(&mut usage, NOW, &[sample(1, NOW, 10)]);
        let earlier = NOW - 3600 * SECOND;
        assert_eq!(busy(&mut usage, earlier, &[sample(1, earlier, 50)]), []);
        assert_eq!(busy(&mut usage, earlier + SECOND, &[sample(1, earlier + SECOND, 50)]), [(1, 0.5)]);
    }
}
