//! `kepler report`: what was used, emitted and paid in a time, and by whom, as a page, a table or data.

mod chart;
mod csv;
mod escape;
mod html;
mod markdown;
mod words;

use super::carbon;
use super::config::ViewSource;
use super::exit::Failure;
use super::progress;
use super::tool_session::{Facility, language};
use clap::Args;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use kepler_compliance::carbon::{Contract, ContractVolume};
use kepler_compliance::history::HistoryReader;
use kepler_compliance::numbers::to_json_pretty;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{Context, Length, ReportBy, ReportError, ReportRequest, report};
use kepler_compliance::units::{CarbonIntensity, Energy};
use kepler_compliance::view::{EnergyView, TimeRange, WorkloadKind};
use kepler_core::printable;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:\n  kepler report --history.path=/var/lib/kepler/history.db --from=7d --by=unit -o week.html\n  \
     kepler report --source=prometheus=http://prometheus:9090 --from=2026-11-01 --to=2026-12-01 --by=namespace --format=csv\n\n\
     Figures come from a history file (--history.path), or from Prometheus (--source). The facility is stated by the flags above or in \
     the configuration file.\n\
     Exit status: 0 done; 1 the source has no figures of that time, or cannot answer; 2 bad flag or configuration.";

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One page that needs nothing else, with charts; for browsers and paper.
    Html,
    /// Markdown.
    Md,
    /// A row each, with its state.
    Csv,
    /// All figures.
    Json,
}

/// What to report.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReportArguments {
    /// Start: a length before the end (7d, 24h), a day (2026-11-01) or a time (2026-11-01T08:00, in UTC)
    #[arg(long, default_value = "24h")]
    from: String,
    /// End, likewise; a length is one before now [default: now]
    #[arg(long)]
    to: Option<String>,
    /// By what: workload, namespace, node, or a kind: pod, deployment, statefulset, daemonset, job, controller, container, unit, vm, process
    #[arg(long, default_value = "workload", value_parser = by)]
    by: ReportBy,
    /// Format [default: by the name of the file, else md]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write it to this file instead of standard output
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A contract for energy, for market-based emissions: its share of all consumption or kWh, and gCO2e/kWh; may be repeated
    #[arg(long, value_name = "NAME=SHARE|KWHkWh@G", value_parser = contract)]
    contract: Vec<Contract>,
    /// Intensity of what no contract covers, gCO2e/kWh: the published residual mix
    #[arg(long, value_name = "G")]
    residual_mix: Option<f64>,
    /// Language: en, ko
    #[arg(long, default_value = "en", value_parser = language)]
    lang: Lang,
    #[command(flatten)]
    facility: Facility,
}

fn by(text: &str) -> Result<ReportBy, String> {
    match text {
        "workload" => Ok(ReportBy::Workload),
        "namespace" => Ok(ReportBy::Namespace),
        "node" => Ok(ReportBy::Node),
        _ => {
            let kind = WorkloadKind::ALL.into_iter().find(|kind| kind.name() == text);
            let names = || WorkloadKind::ALL.map(WorkloadKind::name).join(", ");
            kind.map(ReportBy::Kind).ok_or_else(|| format!("it is workload, namespace, node, or one of {}", names()))
        }
    }
}

/// `wind=0.4@0` or `wind=1200kWh@12`.
fn contract(text: &str) -> Result<Contract, String> {
    let wrong = || format!("`{}`: write NAME=SHARE@G, such as wind=0.4@0, or NAME=1200kWh@G", printable::line(text));
    let (name, rest) = text.split_once('=').ok_or_else(wrong)?;
    let (volume, intensity) = rest.split_once('@').ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    let volume = match volume.strip_suffix("kWh") {
        Some(energy) => ContractVolume::Energy(Energy::from_kilowatt_hours(number(energy).ok_or_else(wrong)?)),
        None => ContractVolume::Share(number(volume).ok_or_else(wrong)?),
    };
    let intensity = CarbonIntensity::from_grams_per_kilowatt_hour(number(intensity).ok_or_else(wrong)?);
    Ok(Contract { name: name.to_owned(), volume, intensity })
}

/// Asks the source and writes the report.
///
/// # Errors
/// A bad time or region; no figures; nothing to ask; the report cannot be written.
pub(super) fn run(asked: ReportArguments) -> Result<(), Failure> {
    let format = asked.format();
    let ReportArguments { from, to, by, output, contract, residual_mix, lang, facility, .. } = asked;
    let config = facility.configure()?;
    let now = Timestamp::now();
    let end = to.map_or(Ok(now), |to| moment("--to", &to, now))?;
    let start = moment("--from", &from, end)?;
    if start >= end {
        return Err(Failure::Data(format!("--from is {start:.0}, which is not before --to, {end:.0}")));
    }
    let range = TimeRange { start, end };
    let (zones, standards) = (carbon::zones()?, carbon::standards(&config)?);
    let intensity = carbon::intensity(&config, &zones)?;
    let view: Box<dyn EnergyView> = match (&config.source, &config.history.path) {
        (ViewSource::Prometheus(_), _) => config.source.past(&config)?,
        (_, Some(path)) => Box::new(HistoryReader::open(path).map_err(|error| Failure::Data(error.to_string()))?),
        _ => {
            let sources =
                "give --history.path=FILE, which `kepler serve --history.path=FILE` writes, or --source=prometheus=URL";
            return Err(Failure::Data(format!("nothing remembers what was used: {sources}")));
        }
    };
    let request = ReportRequest::new(range).with(|request| {
        (request.by, request.contracts, request.lang) = (by, contract, lang);
        request.residual = residual_mix.map(CarbonIntensity::from_grams_per_kilowatt_hour);
    });
    let context = Context::new(&*view, &standards, &zones, &*intensity, &config.facility, now);
    let found = progress::during("asking for energy", |_| report(&context, &request)).map_err(|error| match error {
        ReportError::Tool(error) => Failure::Tool(error),
        other => Failure::Data(other.to_string()),
    })?;
    let text = match format {
        Format::Html => html::page(&found, lang),
        Format::Md => printable::page(&markdown::page(&found, lang)).into_owned(),
        Format::Csv => csv::table(&found),
        Format::Json => {
            let text = to_json_pretty(&found).map_err(io::Error::from).map_err(Failure::to("write the report"))?;
            printable::json(&text).into_owned() + "\n"
        }
    };
    let written = match &output {
        Some(file) => fs::write(file, text),
        None => io::stdout().lock().write_all(text.as_bytes()),
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Failure::to("write the report")),
    }
}

impl ReportArguments {
    fn format(&self) -> Format {
        let extension = self.output.as_ref().and_then(|path| path.extension()?.to_str());
        self.format.unwrap_or(match extension {
            Some("html" | "htm") => Format::Html,
            Some("csv") => Format::Csv,
            Some("json") => Format::Json,
            _ => Format::Md,
        })
    }
}

/// A length before `end`, a time, a local time or a day in UTC.
fn moment(flag: &str, text: &str, end: Timestamp) -> Result<Timestamp, Failure> {
    let utc = |time: DateTime| time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let before = || Some(TimeRange::ending(end, text.parse::<Length>().ok()?.duration()).start);
    let found = (text.parse().ok())
        .or_else(|| text.parse::<DateTime>().ok().and_then(utc))
        .or_else(|| text.parse::<Date>().ok().and_then(|day| utc(day.to_datetime(jiff::civil::Time::midnight()))))
        .or_else(before);
    found.ok_or_else(|| {
        let shown = printable::line(text);
        Failure::Data(format!("{flag}: `{shown}` is no time; write 7d, 24h, 2026-11-01 or 2026-11-01T08:00:00Z"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_moments_and_lengths_before_the_end() {
        let end: Timestamp = "2026-11-29T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("24h", "2026-11-28T12:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T08:00", "2026-11-01T08:00:00Z"),
            ("2026-11-01T08:00:00+09:00", "2026-10-31T23:00:00Z"),
        ] {
            assert_eq!(moment("--from", text, end).unwrap(), expected.parse().unwrap(), "{text}");
        }
        assert!(moment("--from", "yesterday", end).unwrap_err().to_string().contains("write 7d"));
    }

    #[test]
    fn contracts_cover_a_share_or_an_amount() {
        let wind = contract("wind=0.4@0").unwrap();
        assert_eq!((wind.name.as_str(), wind.volume), ("wind", ContractVolume::Share(0.4)));
        let hydro = contract("hydro=12kWh@5").unwrap();
        assert_eq!(hydro.volume, ContractVolume::Energy(Energy::from_kilowatt_hours(12.0)));
        for wrong in ["wind", "wind=0.4", "wind=x@0", "wind=-1@0", "wind=0.4@NaN"] {
            assert!(contract(wrong).is_err(), "{wrong}");
        }
    }
}
