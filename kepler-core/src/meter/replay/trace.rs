//! The text of a trace, read and checked.

use crate::host::file::{self, FileLimits};
use crate::meter::{Method, Zone};
use crate::units::{Energy, Power, ZoneKind};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The format this code writes and reads.
pub(super) const VERSION: &str = "1";

/// A trace cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The file cannot be read.
    #[error("cannot read the trace {}: {source}; check its path and that it is text", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The text is not what the format asks for.
    #[error("{}: line {line}, column {column}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The cell within the line, from 1.
        column: usize,
        /// What is there and what should be.
        problem: String,
    },
}

/// A whole trace.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    pub(super) source: String,
    pub(super) method: Method,
    pub(super) zones: Vec<Zone>,
    /// At least one, by rising time.
    pub(super) lines: Vec<Line>,
}

/// The counters at one moment, one for each zone.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) at: Duration,
    pub(super) counters: Vec<Option<Energy>>,
}

/// A day of ten readings a second is a tenth of it.
const MAX_BYTES: u64 = 1 << 30;

/// What is wrong in which cell of which line.
struct Fault {
    line: usize,
    column: usize,
    problem: String,
}

impl Trace {
    pub(super) fn load(path: &Path) -> Result<Self, TraceError> {
        let text = file::read_text(path, FileLimits::bytes(MAX_BYTES))
            .map_err(|error| TraceError::Read { path: path.to_owned(), source: error.into_io() })?;
        parse(&text, &path.to_string_lossy()).map_err(|Fault { line, column, problem }| TraceError::Invalid {
            path: path.to_owned(),
            line,
            column,
            problem,
        })
    }
}

fn parse(text: &str, path: &str) -> Result<Trace, Fault> {
    let mut rows = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| Row { number, cells: line.split(',').map(str::trim).collect() });
    let end = text.lines().count() + 1;
    let mut header = |keyword: &str| {
        let row = rows.next().ok_or_else(|| fault(end, 1, format!("the trace ends before its `{keyword}` line")))?;
        match row.cell(1)? {
            found if found == keyword => Ok(row),
            // What stands there instead is not repeated: the file may be anything.
            _ => Err(fault(row.number, 1, format!("the `{keyword}` line should be here"))),
        }
    };

    let head = header("trace")?;
    if head.cell(2)? != VERSION {
        return Err(fault(head.number, 2, format!("version `{}`; this program reads {VERSION}", head.cell(2)?)));
    }
    let source = head.cell(3)?.to_owned();
    let method = method(&head)?;

    let mut zones = header("seconds")?.parse_rest("a zone, such as `package:0`", |cell| zone(cell, path))?;
    let moduli = header("modulus")?.of_zones(&zones)?.parse_rest("microjoules above zero, or nothing", |cell| {
        if cell.is_empty() { Some(None) } else { cell.parse().ok().filter(|&modulus| modulus > 0).map(Some) }
    })?;
    let limits = header("max_watts")?.of_zones(&zones)?.parse_rest("watts above zero", |cell| {
        cell.parse().ok().filter(|watts: &f64| watts.is_finite() && *watts > 0.0)
    })?;
    for (zone, (modulus, watts)) in zones.iter_mut().zip(moduli.into_iter().zip(limits)) {
        zone.modulus = modulus.map(Energy::from_microjoules);
        zone.max_power = Power::from_watts(watts);
    }

    let mut lines: Vec<Line> = Vec::new();
    for row in rows {
        let line = row.of_zones(&zones)?.reading(&zones)?;
        if lines.last().is_some_and(|last| last.at >= line.at) {
            return Err(fault(row.number, 1, "time does not rise from the line before".into()));
        }
        lines.push(line);
    }
    if lines.is_empty() {
        return Err(fault(end, 1, "the trace ends before its first reading".into()));
    }
    Ok(Trace { source, method, zones, lines })
}

/// One line that is not a comment.
struct Row<'a> {
    number: usize,
    cells: Vec<&'a str>,
}

impl Row<'_> {
    fn cell(&self, column: usize) -> Result<&str, Fault> {
        let cell = self.cells.get(column.saturating_sub(1));
        cell.copied().ok_or_else(|| fault(self.number, column, "the line ends before this cell".into()))
    }

    /// Checks that there is one cell a zone after the first.
    fn of_zones(&self, zones: &[Zone]) -> Result<&Self, Fault> {
        let expected = zones.len() + 1;
        if self.cells.len() == expected {
            return Ok(self);
        }
        let problem = format!("{} cells where the zones ask for {expected}", self.cells.len());
        Err(fault(self.number, self.cells.len().min(expected) + 1, problem))
    }

    /// Each cell after the first, by `parse`.
    fn parse_rest<T>(&self, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Fault> {
        let rest = self.cells.iter().enumerate().skip(1);
        rest.map(|(index, cell)| {
            parse(cell).ok_or_else(|| fault(self.number, index + 1, format!("`{cell}` is not {expected}")))
        })
        .collect()
    }

    fn reading(&self, zones: &[Zone]) -> Result<Line, Fault> {
        let cell = self.cell(1)?;
        let seconds = cell.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let at = seconds.ok_or_else(|| fault(self.number, 1, format!("`{cell}` is not a number of seconds")))?;
        let counters: Vec<Option<Energy>> = self.parse_rest("whole microjoules, or nothing", |cell| {
            if cell.is_empty() { Some(None) } else { cell.parse().ok().map(|uj| Some(Energy::from_microjoules(uj))) }
        })?;
        let beyond = |(zone, counter): (&Zone, &Option<Energy>)| {
            zone.modulus.zip(*counter).is_some_and(|(modulus, counter)| counter >= modulus)
        };
        match zones.iter().zip(&counters).position(beyond) {
            Some(index) => Err(fault(self.number, index + 2, "the counter is not below its modulus".into())),
            None => Ok(Line { at, counters }),
        }
    }
}

fn method(head: &Row<'_>) -> Result<Method, Fault> {
    let cell = head.cell(4)?;
    let error_ratio = |ratio: &str| ratio.parse().ok().filter(|ratio: &f64| ratio.is_finite() && *ratio >= 0.0);
    match cell.split_once(':').map(|(name, ratio)| (name, error_ratio(ratio))) {
        None if cell == "measured" => Ok(Method::Measured),
        Some(("partial", Some(error_ratio))) => Ok(Method::Partial { error_ratio }),
        Some(("estimated", Some(error_ratio))) => Ok(Method::Estimated { error_ratio }),
        _ => Err(fault(head.number, 4, format!("`{cell}` is neither `measured` nor such as `estimated:0.3`"))),
    }
}

fn zone(cell: &str, path: &str) -> Option<Zone> {
    let (kind, package) = match cell.split_once(':') {
        Some((kind, package)) => (kind, Some(package.parse().ok()?)),
        None => (cell, None),
    };
    let kind = kind.parse().ok().filter(|kind| ZoneKind::METERED.contains(kind))?;
    Some(Zone { package, ..Zone::new(kind, format!("{path} {cell}")) })
}

fn fault(line: usize, column: usize, problem: String) -> Fault {
    Fault { line, column, problem }
}
