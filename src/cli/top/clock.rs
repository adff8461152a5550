//! The clock on this machine's wall.

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use kepler_core::host::file::{self, FileLimits};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Larger than any file of a time zone.
const MAX_BYTES: u64 = 1 << 20;

/// The zone of `TZ`, else of the system; UTC where neither can be read.
static ZONE: LazyLock<TimeZone> = LazyLock::new(|| {
    let named = std::env::var("TZ").ok().filter(|name| !name.is_empty());
    let path = match named.as_deref().map(|name| name.trim_start_matches(':')) {
        Some(name) if Path::new(name).is_absolute() => PathBuf::from(name),
        Some(name) if !name.contains("..") => Path::new("/usr/share/zoneinfo").join(name),
        _ => PathBuf::from("/etc/localtime"),
    };
    let data = file::read(&path, FileLimits::bytes(MAX_BYTES)).ok();
    data.and_then(|data| TimeZone::tzif("local", &data).ok()).unwrap_or(TimeZone::UTC)
});

/// The zone that times are shown in.
pub(super) fn zone() -> TimeZone {
    ZONE.clone()
}

/// `14:05:09`.
pub(super) fn time(zone: &TimeZone, at: Timestamp) -> String {
    let time = zone.to_datetime(at).time();
    format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
}

/// When today began.
pub(super) fn midnight() -> Timestamp {
    let now = Timestamp::now();
    let day = ZONE.to_datetime(now).date();
    let start = ZONE.to_timestamp(day.to_datetime(civil::Time::midnight()));
    // Where clocks jump over midnight.
    start.unwrap_or_else(|_| now.checked_sub(jiff::SignedDuration::from_hours(24)).unwrap_or(now))
}

/// The same of seconds that another program told.
pub(super) fn seconds(seconds: f64) -> String {
    length(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// `7 s`, `3 min`, `2 h`.
pub(super) fn length(time: std::time::Duration) -> String {
    match time.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
