//! The trace file: see docs/traces.md.

use kepler_core::host::Host;
use kepler_core::meter::Method;
use kepler_core::model::{Machine, Quantity};
use kepler_core::snapshot::Snapshot;
use kepler_core::units::ZoneKind;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The format this writes.
const VERSION: u32 = 1;

/// A trace being written.
#[derive(Debug)]
pub(super) struct Trace {
    path: PathBuf,
    file: File,
    zones: Vec<(ZoneKind, &'static str)>,
    /// Those counted here, known with the first row.
    features: Option<Vec<Quantity>>,
    about: String,
    rows: u64,
    warned: bool,
}

impl Trace {
    /// Creates the file, which must not exist: a recording of hours is not to be overwritten by a slip.
    pub(super) fn create(
        path: &Path,
        interval: Duration,
        host: &Host,
        zones: Vec<(ZoneKind, &'static str)>,
    ) -> Result<Self, String> {
        if path.extension().is_none_or(|extension| extension != "csv") {
            return Err(format!("{}: name a file that ends in .csv", path.display()));
        }
        let file = File::create_new(path)
            .map_err(|error| format!("cannot write {}: {error}; choose a new name", path.display()))?;
        let about = about(interval, host, &zones);
        Ok(Trace { path: path.to_owned(), file, zones, features: None, about, rows: 0, warned: false })
    }

    /// Writes what a snapshot says of its interval; how many rows there are then.
    pub(super) fn write(&mut self, snapshot: &Snapshot) -> Result<u64, String> {
        let activity = &snapshot.node.activity;
        let mut text = String::new();
        let features = self.features.get_or_insert_with(|| {
            let counted = Quantity::OF_ACTIVITY.into_iter().filter(|quantity| quantity.rate(activity).is_some());
            let counted: Vec<Quantity> = counted.collect();
            text.push_str(&self.about);
            text.push_str(&header(&counted, &self.zones));
            counted
        });
        let seconds = snapshot.at.wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        // Writing to a string cannot fail.
        let _ = write!(text, "{seconds:.3},{},{}", snapshot.interval.as_secs_f64(), snapshot.node.processors);
        for feature in features {
            cell(&mut text, feature.rate(activity));
        }
        for (kind, _) in &self.zones {
            let zone = snapshot.node.zones[*kind].as_ref().filter(|zone| zone.method == Method::Measured);
            if zone.is_none() && !self.warned {
                self.warned = true;
                tracing::warn!("{kind} is not measured any more; its cells stay empty");
            }
            cell(&mut text, zone.and_then(|zone| zone.power).map(|power| power.total.watts()));
        }
        text.push('\n');
        // One write a row: whatever ends the program, the file ends with a whole row.
        self.file
            .write_all(text.as_bytes())
            .map_err(|error| format!("cannot write {}: {error}", self.path.display()))?;
        self.rows += 1;
        Ok(self.rows)
    }

    /// Makes sure that all is on disk; how many rows there are.
    pub(super) fn finish(self) -> Result<u64, String> {
        self.file.sync_all().map_err(|error| format!("cannot write {}: {error}", self.path.display()))?;
        Ok(self.rows)
    }
}

/// An empty cell is not known, which is not zero.
fn cell(text: &mut String, value: Option<f64>) {
    text.push(',');
    if let Some(value) = value {
        let _ = write!(text, "{value}");
    }
}

fn header(features: &[Quantity], zones: &[(ZoneKind, &str)]) -> String {
    let mut names = vec!["time_unix_seconds".to_owned(), "interval_seconds".to_owned(), "threads".to_owned()];
    names.extend(features.iter().map(|feature| feature.feature().to_owned()));
    names.extend(zones.iter().map(|(kind, _)| format!("{}_power", component(*kind))));
    let mut units = String::from("# units: time_unix_seconds s; interval_seconds s; threads logical CPUs");
    for feature in features {
        let _ = write!(units, "; {} {feature}", feature.feature());
    }
    for (kind, _) in zones {
        let _ = write!(units, "; {}_power W", component(*kind));
    }
    format!("{units}\n{}\n", names.join(","))
}

/// The component's name in model files.
fn component(zone: ZoneKind) -> &'static str {
    if zone == ZoneKind::Psys { "platform" } else { zone.name() }
}

/// Where, when and with what it was recorded.
fn about(interval: Duration, host: &Host, zones: &[(ZoneKind, &str)]) -> String {
    let machine = Machine::of(host);
    let kernel = rustix::system::uname();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let started = jiff::Timestamp::from_second(i64::try_from(now).unwrap_or_default()).unwrap_or_default();
    let count = |number: Option<u32>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let power: Vec<String> = zones.iter().map(|(kind, source)| format!("{}={source}", component(*kind))).collect();
    format!(
        "# kepler-trace: {VERSION}\n# semantics: as-named\n# started: {started}\n# interval_seconds: {}\n\
         # machine: {}; threads {}; sockets {}; memory GiB {}\n# kernel: {} {}\n# power: {}\n",
        interval.as_secs_f64(),
        if machine.processor.is_empty() { "unknown" } else { &machine.processor },
        count(machine.threads),
        count(machine.chips),
        machine.memory_gib.map_or_else(|| "?".to_owned(), |gib| format!("{gib:.1}")),
        kernel.sysname().to_string_lossy(),
        kernel.release().to_string_lossy(),
        if power.is_empty() { "none".to_owned() } else { power.join(", ") },
    )
}
