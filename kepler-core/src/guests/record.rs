//! What a guest is shown at a moment, as text.
//!
//! ```text
//! kepler-guest 1
//! vm 6f1c1f1e-9d7c-4f5e-a7b4-0c9d1f4c9a01
//! epoch 9b1f0c6a5d2e4f33
//! sequence 42
//! time 1767610800.250
//! age 0.120
//! interval 5.000
//! zone package 123456000 measured
//! zone dram 2000000 estimated 0.3
//! end
//! ```
//!
//! Energy is in microjoules, in whole thousands. A line that is not known is passed over, so that later versions may say more.

use crate::meter::Method;
use crate::units::{Energy, ZoneKind};
use std::fmt::Write as _;
use std::time::Duration;

/// No record is longer.
const LONGEST: usize = 4096;
const FIRST: &str = "kepler-guest 1";
const LAST: &str = "end";

/// What a guest is shown at a moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GuestRecord {
    /// Which machine it is of.
    pub vm: String,
    /// Changes whenever the counters begin again: the host's program was started again, or the machine came from another host.
    pub epoch: u64,
    /// Rises by one with each record of an epoch.
    pub sequence: u64,
    /// When it was made, by the host's wall clock, since 1970.
    pub time: Duration,
    /// How old the host's reading was then.
    pub age: Duration,
    /// The time between two records, as far as is known.
    pub interval: Duration,
    /// What was charged to the machine since the epoch began.
    pub zones: Vec<GuestZone>,
}

/// A zone of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct GuestZone {
    /// Which zone of the host.
    pub kind: ZoneKind,
    /// What was charged, in whole millijoules.
    pub energy: Energy,
    /// How the host knows.
    pub method: Method,
}

impl GuestZone {
    /// Energy of a zone.
    #[must_use]
    pub const fn new(kind: ZoneKind, energy: Energy, method: Method) -> Self {
        GuestZone { kind, energy, method }
    }
}

/// Why a text is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It ends too early: perhaps the rest is still to come.
    #[error("the record is not complete")]
    Incomplete,
    /// It is something else.
    #[error("line {line} is not of a record: {what}")]
    Foreign {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl GuestRecord {
    /// A record without zones.
    #[must_use]
    pub fn new(vm: impl Into<String>, epoch: u64) -> Self {
        let (time, age, interval) = Default::default();
        GuestRecord { vm: vm.into(), epoch, sequence: 0, time, age, interval, zones: Vec::new() }
    }

    /// The record as text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = format!(
            "{FIRST}\nvm {}\nepoch {:016x}\nsequence {}\ntime {:.3}\nage {:.3}\ninterval {:.3}\n",
            self.vm,
            self.epoch,
            self.sequence,
            self.time.as_secs_f64(),
            self.age.as_secs_f64(),
            self.interval.as_secs_f64()
        );
        for zone in &self.zones {
            let error = zone.method.error_ratio().map(|error| format!(" {error}")).unwrap_or_default();
            // Writing to a text cannot fail.
            let _ = writeln!(text, "zone {} {} {}{error}", zone.kind, zone.energy.microjoules(), zone.method.name());
        }
        text.push_str(LAST);
        text.push('\n');
        text
    }

    /// Reads a record.
    ///
    /// # Errors
    /// When the text is none, or not all of one.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        if text.len() > LONGEST {
            return Err(RecordError::Foreign { line: 1, what: "it is longer than any record" });
        }
        let mut lines = text.lines().enumerate();
        match lines.next() {
            None => return Err(RecordError::Incomplete),
            Some((_, FIRST)) => {}
            Some(_) => return Err(RecordError::Foreign { line: 1, what: "it does not begin with `kepler-guest 1`" }),
        }
        let mut record = GuestRecord::new("", 0);
        let (mut is_complete, mut has_epoch) = (false, false);
        for (index, line) in lines {
            let foreign = |what| RecordError::Foreign { line: index + 1, what };
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            match key {
                LAST => {
                    is_complete = true;
                    break;
                }
                "vm" => value.clone_into(&mut record.vm),
                "epoch" => {
                    record.epoch = u64::from_str_radix(value, 16).map_err(|_| foreign("an epoch has 16 digits"))?;
                    has_epoch = true;
                }
                "sequence" => record.sequence = value.parse().map_err(|_| foreign("the sequence is no number"))?,
                "time" => record.time = seconds(value).ok_or_else(|| foreign("the time is no number"))?,
                "age" => record.age = seconds(value).ok_or_else(|| foreign("the age is no number"))?,
                "interval" => record.interval = seconds(value).ok_or_else(|| foreign("the interval is no number"))?,
                "zone" => record.zones.extend(zone(value).ok_or_else(|| foreign("it is no zone"))?),
                _ => {}
            }
        }
        if !is_complete || !has_epoch { Err(RecordError::Incomplete) } else { Ok(record) }
    }

    /// The last whole record in a text of several, and where what follows it begins; what stands before is passed over.
    #[must_use]
    pub(crate) fn last_in(text: &str) -> (Option<Self>, usize) {
        let (mut found, mut end) = (None, 0);
        while let Some(length) = text.get(end..).and_then(|rest| rest.find("\nend\n")).map(|at| at + "\nend\n".len()) {
            let piece = text.get(end..end + length).unwrap_or_default();
            // The reader may have come in the middle of one.
            let start = piece.rfind(FIRST).unwrap_or(0);
            if let Ok(record) = GuestRecord::parse(piece.get(start..).unwrap_or_default()) {
                found = Some(record);
            }
            end += length;
        }
        (found, end)
    }
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

/// A zone; `Some(None)` of one of a kind that is not known here.
fn zone(text: &str) -> Option<Option<GuestZone>> {
    let mut words = text.split(' ');
    let (kind, energy, method) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
    let mut error =
        || words.next().and_then(|word| word.parse::<f64>().ok()).filter(|error| error.is_finite() && *error >= 0.0);
    let method = match method {
        "measured" => Method::Measured,
        "partial" => Method::Partial { error_ratio: error()? },
        "estimated" => Method::Estimated { error_ratio: error()? },
        _ => return None,
    };
    Some(kind.parse().ok().map(|kind| GuestZone::new(kind, Energy::from_microjoules(energy), method)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record() -> GuestRecord {
        let mut record = GuestRecord::new("6f1c1f1e-9d7c-4f5e-a7b4-0c9d1f4c9a01", 0x9b1f_0c6a_5d2e_4f33);
        record.sequence = 42;
        record.time = Duration::from_millis(1_767_610_800_250);
        record.age = Duration::from_millis(120);
        record.interval = Duration::from_secs(5);
        let of = |kind, energy, method| GuestZone::new(kind, Energy::from_microjoules(energy), method);
        record.zones = vec![
            of(ZoneKind::Package, 123_456_000, Method::Measured),
            of(ZoneKind::Dram, 2_000_000, Method::Estimated { error_ratio: 0.3 }),
        ];
        record
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let text = record().render();
        assert_eq!(GuestRecord::parse(&text), Ok(record()));
        assert!(
            text.contains("epoch 9b1f0c6a5d2e4f33\n") && text.contains("zone package 123456000 measured\n"),
            "{text}"
        );
        assert!(text.len() < LONGEST);
    }

    #[test]
    fn a_part_of_a_record_is_none_and_what_is_new_in_it_is_passed_over() {
        let text = record().render();
        for end in 0..text.len() - 1 {
            assert_eq!(GuestRecord::parse(&text[..end]).ok().filter(|_| end < text.len() - 4), None, "{end}");
        }
        let newer = text.replace("\nage ", "\ncolour blue\nzone fans 5000 measured\nage ");
        assert_eq!(GuestRecord::parse(&newer), Ok(record()));
        assert!(matches!(GuestRecord::parse("RTA 5"), Err(RecordError::Foreign { line: 1, .. })));
        let wrong = text.replace("123456000", "-5");
        assert!(matches!(GuestRecord::parse(&wrong), Err(RecordError::Foreign { line: 8, .. })));
    }

    #[test]
    fn of_a_stream_the_last_whole_record_counts() {
        let (first, mut later) = (record(), record());
        later.sequence = 43;
        let stream = format!("{}{}{}", &first.render()[40..], first.render(), later.render());
        let cut = &stream[..stream.len() - 10];
        let (found, end) = GuestRecord::last_in(cut);
        assert_eq!(found.map(|record| record.sequence), Some(42));
        assert!(later.render().starts_with(&cut[end..]));
        assert_eq!(GuestRecord::last_in(&stream), (Some(later), stream.len()));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}", tail in "(zone|epoch|time|age) .{0,20}") {
            let _ = GuestRecord::parse(&text);
            let _ = GuestRecord::parse(&format!("kepler-guest 1\n{tail}\nend\n"));
            let _ = GuestRecord::last_in(&format!("{text}\nend\n{text}"));
        }
    }
}
