//! What is reported: all measurements, what they rest on, and what weakens them.

mod csv;
mod notes;
mod text;

use super::figures::{Place, Run, State};
use super::meter::Meter;
use super::statistics::{Difference, Summary};
use kepler_compliance::numbers::to_json_pretty;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::Site;
use kepler_core::printable;
use serde::Serialize;
use std::io;

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// An object; `docs/measure.md` has its fields.
    Json,
    /// A row a run.
    Csv,
}

/// Who used it.
#[derive(Debug, Serialize)]
pub(super) struct Subject {
    /// `command`, `process`, `container` or `unit`.
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// The command's words.
    pub(super) arguments: Option<Vec<String>>,
}

/// One command, or one workload.
#[derive(Debug, Serialize)]
pub(super) struct Measurement {
    #[serde(flatten)]
    pub(super) subject: Subject,
    pub(super) runs: Vec<Run>,
    pub(super) summary: Summaries,
}

/// Figures over all runs; `null` where no run knows them.
#[derive(Debug, Serialize)]
pub(super) struct Summaries {
    pub(super) energy_joules: Option<Summary>,
    pub(super) above_baseline_joules: Option<Summary>,
    pub(super) power_watts: Option<Summary>,
    pub(super) duration_seconds: Option<Summary>,
    pub(super) cpu_seconds: Option<Summary>,
    pub(super) machine_energy_joules: Option<Summary>,
    #[serde(rename = "emissions_gCO2eq")]
    pub(super) emissions: Option<Summary>,
    pub(super) cost: Option<Summary>,
}

impl Measurement {
    pub(super) fn new(subject: Subject, runs: Vec<Run>) -> Self {
        let of = |figure: fn(&Run) -> Option<f64>| Summary::of(&values(&runs, figure));
        let summary = Summaries {
            energy_joules: of(|run| run.energy_joules),
            above_baseline_joules: of(|run| run.above_baseline_joules),
            power_watts: of(|run| run.power_watts),
            duration_seconds: of(|run| Some(run.duration_seconds)),
            cpu_seconds: of(|run| Some(run.cpu_seconds)),
            machine_energy_joules: of(|run| run.machine.energy_joules),
            emissions: of(|run| run.emissions),
            cost: of(|run| run.cost),
        };
        Measurement { subject, runs, summary }
    }
}

fn values(runs: &[Run], figure: fn(&Run) -> Option<f64>) -> Vec<f64> {
    runs.iter().filter_map(figure).collect()
}

/// The second command beside the first.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    /// `less`, `more`, `no_difference` (not at the 5 % level), or `unknown`.
    pub(super) verdict: &'static str,
    /// The figure that the verdict is about: `above_baseline_joules` with a baseline, else `energy_joules`.
    pub(super) figure: &'static str,
    pub(super) energy_joules: Option<Difference>,
    pub(super) above_baseline_joules: Option<Difference>,
    pub(super) power_watts: Option<Difference>,
    pub(super) duration_seconds: Option<Difference>,
    pub(super) machine_energy_joules: Option<Difference>,
}

/// A difference that chance makes less often than this is one.
const SIGNIFICANT: f64 = 0.05;

impl Comparison {
    fn of(first: &Measurement, second: &Measurement, has_baseline: bool) -> Self {
        let of = |figure| Difference::between(&values(&first.runs, figure), &values(&second.runs, figure));
        let (energy, above) = (of(|run| run.energy_joules), of(|run| run.above_baseline_joules));
        let (figure, judged) = if has_baseline { ("above_baseline_joules", above) } else { ("energy_joules", energy) };
        let verdict = match judged.and_then(|judged| Some((judged.mean, judged.p_value?))) {
            None => "unknown",
            Some((_, p)) if p >= SIGNIFICANT => "no_difference",
            Some((mean, _)) if mean < 0.0 => "less",
            Some(_) => "more",
        };
        Comparison {
            verdict,
            figure,
            energy_joules: energy,
            above_baseline_joules: above,
            power_watts: of(|run| run.power_watts),
            duration_seconds: of(|run| Some(run.duration_seconds)),
            machine_energy_joules: of(|run| run.machine.energy_joules),
        }
    }

    fn judged(&self) -> Option<&Difference> {
        match self.figure {
            "above_baseline_joules" => self.above_baseline_joules.as_ref(),
            _ => self.energy_joules.as_ref(),
        }
    }
}

/// The machine as it was before.
#[derive(Debug, Serialize)]
pub(super) struct Baseline {
    pub(super) duration_seconds: f64,
    pub(super) power_watts: Option<f64>,
    /// Processors busy on the mean.
    pub(super) busy_processors: Option<f64>,
}

/// Everything.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    version: u32,
    /// `cgroup`, `process_clocks`, or `process_clock` and `cgroup` of what ran already.
    followed_by: &'static str,
    counters_refresh_seconds: f64,
    baseline: Option<Baseline>,
    site: Site,
    currency: Option<String>,
    measurements: Vec<Measurement>,
    comparison: Option<Comparison>,
    caveats: Vec<String>,
    #[serde(skip)]
    lang: Lang,
}

impl Report {
    /// Puts together what was measured. `why_not` says why the better way to follow processes was not taken.
    pub(super) fn new(
        measurements: Vec<Measurement>,
        meter: &Meter,
        place: Place,
        followed_by: &'static str,
        caveats: Vec<kepler_compliance::text::Text>,
        lang: Lang,
    ) -> Self {
        let baseline = meter.rest.as_ref().map(|rest| Baseline {
            duration_seconds: rest.machine.elapsed.as_secs_f64(),
            power_watts: rest.watts(),
            busy_processors: rest
                .machine
                .busy
                .map(|busy| busy.as_secs_f64() / rest.machine.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)),
        });
        let comparison = match measurements.as_slice() {
            [first, second] => Some(Comparison::of(first, second, baseline.is_some())),
            _ => None,
        };
        let mut report = Report {
            version: 1,
            followed_by,
            counters_refresh_seconds: meter.refresh.as_secs_f64(),
            baseline,
            currency: place.settings.currency().map(str::to_owned),
            site: place.site,
            measurements,
            comparison,
            caveats: caveats.iter().map(|caveat| caveat.lang(lang).to_owned()).collect(),
            lang,
        };
        let own = notes::of(&report).into_iter().map(|note| note.lang(lang).to_owned());
        report.caveats.extend(own);
        let of_site = std::mem::take(&mut report.site.caveats);
        report.caveats.extend(of_site.iter().cloned());
        report.site.caveats = of_site;
        report
    }

    /// As text of a format, safe to show on a terminal.
    ///
    /// # Errors
    /// A figure that JSON cannot hold.
    pub(super) fn render(&self, format: Format) -> io::Result<String> {
        Ok(match format {
            Format::Text => printable::page(&text::text(self)).into_owned(),
            Format::Json => printable::json(&to_json_pretty(self)?).into_owned() + "\n",
            Format::Csv => csv::csv(self),
        })
    }

    fn runs(&self) -> impl Iterator<Item = &Run> {
        self.measurements.iter().flat_map(|measurement| &measurement.runs)
    }

    fn any(&self, state: State) -> bool {
        self.runs().any(|run| run.state == state)
    }
}
