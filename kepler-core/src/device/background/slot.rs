//! What a thread has read of one device and the sampler has not taken yet.

use crate::device::{Device, DeviceReading, DeviceUser, SharesBy};
use crate::host::Timestamp;
use crate::meter::{ReadError, ReadFault, Reading};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What was read longer ago than this is not joined to what is read now.
const LONGEST_SPAN: Duration = Duration::from_secs(60);

/// The most users of a device that are distinguished between two ticks.
const MOST_USERS: usize = 4096;

/// The newest reading of a device, and who used it since the last one was taken.
#[derive(Debug, Default)]
pub(super) struct Slot {
    newest: Option<Result<(Timestamp, Reading), ReadError>>,
    /// When it was read last, whatever came of it.
    read_at: Option<Timestamp>,
    taken_at: Option<Timestamp>,
    /// The seconds that are summed up, and those of them of which the use of the device is known.
    seconds: f64,
    known_seconds: f64,
    busy_seconds: f64,
    /// With `busy` in seconds.
    users: Vec<DeviceUser>,
    /// How their shares were found; the weakest way.
    shares_by: Option<SharesBy>,
}

impl Slot {
    /// Adds what was read at about `at`.
    pub(super) fn add(&mut self, at: Timestamp, outcome: Result<DeviceReading, ReadError>) {
        let before = self.read_at.replace(at);
        let reading = match outcome {
            Ok(reading) => reading,
            Err(error) => return self.fail(error),
        };
        self.newest = Some(Ok((reading.at, reading.energy)));
        let span = before.filter(|before| !at.suspended_since(before)).map(|before| at.since(&before));
        let Some(seconds) = span.filter(|span| *span <= LONGEST_SPAN).map(|span| span.as_secs_f64()) else { return };
        self.seconds += seconds;
        if let Some(utilisation) = reading.utilisation {
            self.known_seconds += seconds;
            self.busy_seconds += utilisation * seconds;
        }
        if !reading.users.is_empty() {
            let weaker = self.shares_by.map(|before| before.weaker(reading.shares_by));
            self.shares_by = Some(weaker.unwrap_or(reading.shares_by));
        }
        for user in reading.users {
            let has_room = self.users.len() < MOST_USERS;
            let is_same = |other: &&mut DeviceUser| (other.pid, other.instance) == (user.pid, user.instance);
            match self.users.iter_mut().find(is_same) {
                Some(other) => other.busy += user.busy * seconds,
                None if has_room => self.users.push(DeviceUser { busy: user.busy * seconds, ..user }),
                None => {}
            }
        }
    }

    /// The device cannot be read.
    pub(super) fn fail(&mut self, error: ReadError) {
        self.newest = Some(Err(error));
    }

    /// The newest reading, and who used the device since the one that was taken before. `users` is memory to use.
    pub(super) fn take(&mut self, device: &Device, mut users: Vec<DeviceUser>) -> Result<DeviceReading, ReadError> {
        users.clear();
        let (at, energy) = match &self.newest {
            Some(Ok(newest)) => *newest,
            Some(Err(error)) => return Err(again(error)),
            None => return Err(ReadError::new(Arc::clone(&device.path), ReadFault::NoAnswer)),
        };
        if self.taken_at.replace(at) == Some(at) {
            return Ok(DeviceReading::new(at, energy).with_users(users));
        }
        let utilisation = (self.known_seconds > 0.0).then(|| (self.busy_seconds / self.known_seconds).clamp(0.0, 1.0));
        let seconds = self.seconds;
        let share = |user: DeviceUser| DeviceUser { busy: (user.busy / seconds.max(1e-9)).clamp(0.0, 1.0), ..user };
        users.extend(self.users.drain(..).map(share));
        (self.seconds, self.known_seconds, self.busy_seconds) = (0.0, 0.0, 0.0);
        let shares_by = self.shares_by.take().unwrap_or(SharesBy::Utilisation);
        let reading = DeviceReading::new(at, energy).with_utilisation(utilisation).with_users(users);
        Ok(reading.with_shares_by(shares_by))
    }
}

/// The same error again, for the next who asks.
fn again(error: &ReadError) -> ReadError {
    let source = match &error.source {
        ReadFault::Io(error) => match error.raw_os_error() {
            Some(number) => io::Error::from_raw_os_error(number),
            None => io::Error::new(error.kind(), error.to_string()),
        }
        .into(),
        ReadFault::NoAnswer => ReadFault::NoAnswer,
        ReadFault::Invalid(what) => ReadFault::Invalid(what),
        ReadFault::NotBelieved(distrust) => ReadFault::NotBelieved(*distrust),
        ReadFault::NotShown(fault) => ReadFault::NotShown(fault),
    };
    ReadError::new(Arc::clone(&error.path), source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Energy;
    use proptest::prelude::*;

    /// What happens to a device in one period.
    #[derive(Clone, Debug)]
    enum Event {
        Read { milliseconds: u64, users: Vec<(u32, Option<u32>, f64)>, by: SharesBy },
        Fail { milliseconds: u64 },
        Take,
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let by =
            prop::sample::select(vec![SharesBy::Utilisation, SharesBy::InstanceActivity, SharesBy::InstanceSlices]);
        let user = (0u32..4, prop::option::of(0u32..3), 0.0f64..=0.16);
        let read = (1u64..3000, prop::collection::vec(user, 0..6), by)
            .prop_map(|(milliseconds, users, by)| Event::Read { milliseconds, users, by });
        let fail = (1u64..90_000).prop_map(|milliseconds| Event::Fail { milliseconds });
        let event = prop_oneof![6 => read, 1 => fail, 3 => Just(Event::Take)];
        prop::collection::vec(event, 1..40)
    }

    proptest! {
        /// Whatever is read, lost and taken in whatever order: the time that each user kept the device busy is handed out once, all
        /// of it, and the counter is the newest one.
        #[test]
        fn the_time_of_every_user_is_handed_out_once(events in events()) {
            let device = Device::new("GPU-a", "nvidia", "H200");
            let (mut slot, mut at, mut counter) = (Slot::default(), Timestamp::now(), 0);
            let mut read_at: Option<Timestamp> = None;
            let (mut busy, mut seconds, mut weakest, mut taken_at) = (0.0, 0.0, None::<SharesBy>, None);
            for event in events.into_iter().chain([Event::Take]) {
                match event {
                    Event::Read { milliseconds, users, by } => {
                        at = at.advanced(Duration::from_millis(milliseconds));
                        counter += milliseconds;
                        let span = read_at.replace(at).map(|before| at.since(&before));
                        if let Some(span) = span.filter(|span| *span <= LONGEST_SPAN) {
                            seconds += span.as_secs_f64();
                            busy += users.iter().map(|(.., busy)| busy * span.as_secs_f64()).sum::<f64>();
                            if !users.is_empty() {
                                weakest = Some(weakest.map_or(by, |before| before.weaker(by)));
                            }
                        }
                        let of = |&(pid, instance, busy): &(u32, Option<u32>, f64)| {
                            DeviceUser { instance, ..DeviceUser::new(pid, busy) }
                        };
                        let reading = DeviceReading::new(at, Reading::Counter(Energy::from_microjoules(counter)));
                        slot.add(at, Ok(reading.with_users(users.iter().map(of).collect()).with_shares_by(by)));
                    }
                    Event::Fail { milliseconds } => {
                        at = at.advanced(Duration::from_millis(milliseconds));
                        read_at = Some(at);
                        slot.add(at, Err(ReadError::new("GPU-a", ReadFault::NoAnswer)));
                    }
                    Event::Take => {
                        let Ok(reading) = slot.take(&device, Vec::new()) else { continue };
                        prop_assert_eq!(reading.energy, Reading::Counter(Energy::from_microjoules(counter)));
                        if !reading.users.is_empty() {
                            prop_assert_eq!(Some(reading.shares_by), weakest);
                        }
                        let handed: f64 = reading.users.iter().map(|user| user.busy * seconds).sum();
                        if taken_at.replace(reading.at) == Some(reading.at) {
                            prop_assert!(reading.users.is_empty(), "the same reading again");
                        } else {
                            prop_assert!((handed - busy).abs() < 1e-6, "{handed} of {busy}");
                            (busy, seconds, weakest) = (0.0, 0.0, None);
                        }
                    }
                }
            }
        }
    }
}
