//! The trace file: see docs/traces.md.

use kepler_core::host::Host;
use kepler_core::meter::Method;
use kepler_core::model::{Machine, Quantity, component_name};
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
    /// The CSV that is written.
    path: PathBuf,
    /// What it becomes at the end.
    #[cfg(feature = "parquet")]
    parquet: Option<PathBuf>,
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
        let parquet = match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => None,
            Some("parquet") if cfg!(feature = "parquet") => Some(path.to_owned()),
            _ if cfg!(feature = "parquet") => {
                return Err(format!("{}: name a file that ends in .csv or .parquet", path.display()));
            }
            _ => return Err(format!("{}: name a file that ends in .csv", path.display())),
        };
        // Parquet can be read only once its end is written. Until then rows are kept as CSV, which any end leaves readable.
        let mut journal = path.as_os_str().to_owned();
        if parquet.is_some() {
            journal.push(".part");
        }
        let journal = PathBuf::from(journal);
        let taken = |error: &dyn std::fmt::Display, path: &Path| {
            format!("cannot write {}: {error}; choose a new name", path.display())
        };
        if parquet.is_some() && path.exists() {
            return Err(taken(&"it exists", path));
        }
        let file = File::create_new(&journal).map_err(|error| taken(&error, &journal))?;
        let about = about(interval, host, &zones);
        Ok(Trace {
            path: journal,
            #[cfg(feature = "parquet")]
            parquet,
            file,
            zones,
            features: None,
            about,
            rows: 0,
            warned: false,
        })
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
        #[cfg(feature = "parquet")]
        if let Some(parquet) = &self.parquet {
            self.convert(parquet).map_err(|error| format!("{error}; the rows are in {}", self.path.display()))?;
        }
        Ok(self.rows)
    }
}

#[cfg(feature = "parquet")]
impl Trace {
    /// Writes the Parquet file, and removes the CSV.
    fn convert(&self, parquet: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(&self.path).map_err(|error| error.to_string())?;
        let comments = text.lines().map_while(|line| line.strip_prefix('#'));
        let about: Vec<(String, String)> = comments
            .filter_map(|comment| comment.split_once(':'))
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
            .collect();
        let table = kepler_train::Table::from_csv(&self.path.display().to_string(), text.as_bytes());
        table.and_then(|table| table.write_parquet(parquet, &about)).map_err(|error| error.to_string())?;
        std::fs::remove_file(&self.path).map_err(|error| error.to_string())
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
    names.extend(zones.iter().map(|(kind, _)| format!("{}_power", component_name(*kind))));
    let mut units = String::from("# units: time_unix_seconds s; interval_seconds s; threads logical CPUs");
    for feature in features {
        let _ = write!(units, "; {} {feature}", feature.feature());
    }
    for (kind, _) in zones {
        let _ = write!(units, "; {}_power W", component_name(*kind));
    }
    format!("{units}\n{}\n", names.join(","))
}

/// Where, when and with what it was recorded.
fn about(interval: Duration, host: &Host, zones: &[(ZoneKind, &str)]) -> String {
    let machine = Machine::of(host);
    let kernel = rustix::system::uname();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let started = jiff::Timestamp::from_second(i64::try_from(now).unwrap_or_default()).unwrap_or_default();
    let count = |number: Option<u32>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let power: Vec<String> = zones.iter().map(|(kind, source)| format!("{}={source}", component_name(*kind))).collect();
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
