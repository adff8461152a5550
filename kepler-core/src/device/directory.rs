//! What the network knows of devices: an immutable directory that others write, and meters and the sampler read.
//!
//! How busy each instance of a device is (MIG), NVIDIA's DCGM knows; which container a device was given to, the kubelet. Clients
//! of both put their answers here. Nothing waits for them: what is not there is not known, and what is old is left out.
//!
//! ```
//! use kepler_core::device::{DeviceAllocation, DeviceDirectory, InstanceActivity};
//! use kepler_core::host::Timestamp;
//!
//! let directory = DeviceDirectory::new();
//! let now = Timestamp::now();
//! directory.publish_activity(now, vec![InstanceActivity::new("GPU-4f1c", 7, 0.25)]);
//! directory.publish_allocations(now, vec![DeviceAllocation::new("GPU-4f1c", "ml", "train-0", "worker")]);
//! assert_eq!(directory.activity_of("GPU-4f1c", 7, now), Some(0.25));
//! assert_eq!(directory.activity_of("GPU-4f1c", 8, now), None);
//! ```

use super::DeviceAllocation;
use crate::availability::Unavailable;
use crate::host::Timestamp;
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What was said longer ago does not count any more.
const STALE: Duration = Duration::from_secs(60);

/// What of an instance's time is busy by a little rounding more than all.
const MOST: f64 = 1.01;

/// Where the newest answers are found. Clones are the same directory.
#[derive(Clone, Default)]
pub struct DeviceDirectory(Arc<Shared>);

#[derive(Default)]
struct Shared {
    activity: ArcSwap<Answer<InstanceActivity>>,
    allocations: ArcSwap<Answer<DeviceAllocation>>,
    unavailable: Mutex<Vec<Unavailable>>,
    is_wanted: AtomicBool,
}

/// What was answered, and when.
struct Answer<T> {
    at: Option<Timestamp>,
    entries: Arc<[T]>,
}

impl<T> Default for Answer<T> {
    fn default() -> Self {
        Answer { at: None, entries: Arc::from([]) }
    }
}

impl<T> Answer<T> {
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.at.is_some_and(|at| now.since(&at) <= STALE)
    }
}

/// How busy one instance of a device is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct InstanceActivity {
    /// The UUID of the device.
    pub device: Arc<str>,
    /// The number of the instance.
    pub instance: u32,
    /// The share of time in which it is busy, 0 … 1.
    pub busy: f64,
}

impl InstanceActivity {
    /// The activity of one instance.
    #[must_use]
    pub fn new(device: impl Into<Arc<str>>, instance: u32, busy: f64) -> Self {
        InstanceActivity { device: device.into(), instance, busy }
    }
}

impl DeviceDirectory {
    /// An empty directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces what is known of instances' activity. What is no share of time is left out.
    pub fn publish_activity(&self, at: Timestamp, entries: Vec<InstanceActivity>) {
        let valid = entries.into_iter().filter(|entry| (0.0..=MOST).contains(&entry.busy));
        self.0.activity.store(Arc::new(Answer { at: Some(at), entries: valid.collect() }));
    }

    /// Replaces what is known of allocations.
    pub fn publish_allocations(&self, at: Timestamp, entries: Vec<DeviceAllocation>) {
        self.0.allocations.store(Arc::new(Answer { at: Some(at), entries: entries.into() }));
    }

    /// How busy an instance is, if that was said within the last minute.
    #[must_use]
    pub fn activity_of(&self, device: &str, instance: u32, now: Timestamp) -> Option<f64> {
        let activity = self.0.activity.load();
        let is_it = |entry: &&InstanceActivity| *entry.device == *device && entry.instance == instance;
        let found = if activity.is_fresh(now) { activity.entries.iter().find(is_it) } else { None };
        found.map(|entry| entry.busy.min(1.0))
    }

    /// Which containers have which devices, if that was said within the last minute.
    #[must_use]
    pub fn allocations(&self, now: Timestamp) -> Option<Arc<[DeviceAllocation]>> {
        let allocations = self.0.allocations.load();
        allocations.is_fresh(now).then(|| Arc::clone(&allocations.entries))
    }

    /// Whether there are devices of which something is to be known.
    pub fn set_wanted(&self, is_wanted: bool) {
        self.0.is_wanted.store(is_wanted, Ordering::Relaxed);
    }

    /// Whether there are devices of which something is to be known: the sampler says so.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.0.is_wanted.load(Ordering::Relaxed)
    }

    /// Says why a source does not answer, or that it does.
    pub fn set_unavailable(&self, source: &'static str, unavailable: Option<Unavailable>) {
        let mut all = self.0.unavailable.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.source_name != source);
        all.extend(unavailable);
    }

    /// Which sources do not answer, and why.
    #[must_use]
    pub fn unavailable(&self) -> Vec<Unavailable> {
        self.0.unavailable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for DeviceDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceDirectory")
            .field("activity", &self.0.activity.load().entries.len())
            .field("allocations", &self.0.allocations.load().entries.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_or_no_share_of_time_is_not_known() {
        let (directory, now) = (DeviceDirectory::new(), Timestamp::now());
        let entries = [0.5, f64::NAN, -0.1, 9.2e18, 1.001].map(|busy| busy);
        let entries = entries.iter().zip(0..).map(|(busy, id)| InstanceActivity::new("GPU-a", id, *busy)).collect();
        directory.publish_activity(now, entries);
        directory.publish_allocations(now, vec![DeviceAllocation::new("GPU-a", "ml", "train-0", "worker")]);
        let at = |time| (0..5).map(|id| directory.activity_of("GPU-a", id, time)).collect::<Vec<_>>();
        assert_eq!(at(now), [Some(0.5), None, None, None, Some(1.0)]);
        assert_eq!(directory.activity_of("GPU-b", 0, now), None);
        assert_eq!(directory.allocations(now).map(|list| list.len()), Some(1));
        let later = now.advanced(STALE + Duration::from_secs(1));
        assert_eq!((at(later), directory.allocations(later)), (vec![None; 5], None));
    }
}
