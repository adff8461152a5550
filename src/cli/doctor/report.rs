//! The findings, as data and as a page.

use super::super::config::Config;
use super::super::exit::Failure;
use super::super::permissions::{self, Permission};
use super::super::sampling;
use super::environment::{self, Environment};
use kepler_core::meter::chain::{self, ChainOptions, Probe, Source};
use kepler_core::meter::{Method, Refusal, Zone};
use serde::Serialize;
use std::fmt;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// Whether `kepler serve` would measure the processors' energy, not only estimate it.
    pub(super) measured: bool,
    /// What `kepler serve` would do, in a sentence.
    verdict: String,
    /// Every source of energy figures, in the order in which they are tried.
    sources: Vec<Finding>,
    /// Where processes' CPU time comes from; `None` if serving cannot start.
    usage_source: Option<&'static str>,
    /// Why a better source of CPU time is not in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_refusal: Option<UsageRefusal>,
    /// Why cycles, instructions and cache misses are not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    counter_refusal: Option<UsageRefusal>,
    /// Capabilities.
    permissions: Vec<Permission>,
    /// Where this runs.
    environment: Environment,
}

/// Why a source of CPU time or of counts is not in use.
#[derive(Clone, Debug, Serialize)]
struct UsageRefusal {
    source: &'static str,
    reason: String,
    remedy: String,
}

/// What trying one source came to.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    source: &'static str,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Outcome {
    Usable {
        /// `measured` or `estimated`.
        method: &'static str,
        /// Expected relative error of an estimate, one standard deviation.
        #[serde(skip_serializing_if = "Option::is_none")]
        error_ratio: Option<f64>,
        zones: Vec<FoundZone>,
    },
    Refused {
        reason: String,
        remedy: String,
    },
}

#[derive(Clone, Debug, Serialize)]
struct FoundZone {
    zone: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<u32>,
    path: String,
}

impl Report {
    /// Tries everything. Reads only: nothing on the host is changed.
    pub(super) fn make(config: &Config) -> Self {
        let host = config.host();
        let mut options = sampling::chain(config);
        let configured = std::mem::replace(&mut options.sources, Source::auto());
        // What is configured comes as well, where it is not among the automatic ones (fake, replay).
        for source in configured {
            if !options.sources.contains(&source) {
                options.sources.insert(0, source);
            }
        }
        let Verdict { measured, sentence, usage_source, usage_refusal, counter_refusal } = verdict(config);
        Report {
            measured,
            verdict: sentence,
            sources: findings(&host, &options),
            usage_source,
            usage_refusal,
            counter_refusal,
            permissions: permissions::read(&host),
            environment: environment::read(&host),
        }
    }
}

fn findings(host: &kepler_core::host::Host, options: &ChainOptions) -> Vec<Finding> {
    let found = |Probe { source, outcome }: Probe| Finding {
        source,
        outcome: match outcome {
            Ok((method, zones)) => Outcome::Usable {
                method: method.name(),
                error_ratio: match method {
                    Method::Measured => None,
                    Method::Estimated { error_ratio } => Some(error_ratio),
                },
                zones: zones.into_iter().map(found_zone).collect(),
            },
            Err(Refusal { reason, remedy, .. }) => Outcome::Refused { reason, remedy },
        },
    };
    chain::probe(host, options).into_iter().map(found).collect()
}

fn found_zone(zone: Zone) -> FoundZone {
    FoundZone { zone: zone.kind.name(), package: zone.package, path: zone.path }
}

/// What serving would do.
struct Verdict {
    /// Whether anything would be measured.
    measured: bool,
    sentence: String,
    usage_source: Option<&'static str>,
    usage_refusal: Option<UsageRefusal>,
    counter_refusal: Option<UsageRefusal>,
}

fn verdict(config: &Config) -> Verdict {
    let sampler = match sampling::open(config) {
        Ok(sampler) => sampler,
        Err(failure) => {
            let usage_refusal = match &failure {
                Failure::Usage(refusal) => Some(usage_refusal(refusal)),
                _ => None,
            };
            let sentence = format!("`kepler serve` would not start: {failure}");
            return Verdict { measured: false, sentence, usage_source: None, usage_refusal, counter_refusal: None };
        }
    };
    let mut measured = false;
    let mut parts: Vec<String> = Vec::new();
    for zone in sampler.zones() {
        let by = match zone.method {
            // Neither measures this machine, whatever the meter says of itself.
            _ if zone.source == "fake" => "made up by fake".to_owned(),
            _ if zone.source == "replay" => "replayed from a recording".to_owned(),
            Method::Measured => {
                measured = true;
                format!("measured by {}", zone.source)
            }
            Method::Estimated { error_ratio } => format!("estimated by {}, ±{:.0} %", zone.source, error_ratio * 100.0),
        };
        let part = format!("{} ({by})", zone.zone.kind);
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    Verdict {
        measured,
        sentence: format!("`kepler serve` would use: {}", parts.join(", ")),
        usage_source: Some(sampler.usage_source()),
        usage_refusal: sampler.usage_refusal().map(usage_refusal),
        counter_refusal: sampler.counter_refusal().map(usage_refusal),
    }
}

fn usage_refusal(refusal: &Refusal) -> UsageRefusal {
    let Refusal { source_name, reason, remedy } = refusal.clone();
    UsageRefusal { source: source_name, reason, remedy }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Sources of energy figures, in the order in which they are tried")?;
        for Finding { source, outcome } in &self.sources {
            match outcome {
                Outcome::Usable { method, error_ratio, zones } => {
                    let error = error_ratio.map(|ratio| format!(", ±{:.0} %", ratio * 100.0)).unwrap_or_default();
                    writeln!(f, "  {source:<9} usable ({method}{error})")?;
                    for FoundZone { zone, package, path } in zones {
                        let package = package.map(|number| format!(" of socket {number}")).unwrap_or_default();
                        writeln!(f, "            {zone}{package}: {path}")?;
                    }
                }
                Outcome::Refused { reason, remedy } => {
                    writeln!(f, "  {source:<9} not usable: {reason}")?;
                    indented(f, "            remedy: ", remedy)?;
                }
            }
        }
        writeln!(f, "\nProcesses")?;
        let means = match self.usage_source {
            Some("ebpf") => "ebpf (told by the scheduler; short-lived processes by name)",
            Some("clock") => "clock (processes' CPU clocks; short-lived processes by container or unit only)",
            Some("procfs") => "procfs (stat files, in steps of 10 ms; short-lived processes by container or unit only)",
            other => other.unwrap_or("none"),
        };
        writeln!(f, "  CPU time  {means}")?;
        if let Some(UsageRefusal { source, reason, remedy }) = &self.usage_refusal {
            writeln!(f, "            {source} not usable: {reason}")?;
            indented(f, "            remedy: ", remedy)?;
        }
        match &self.counter_refusal {
            Some(UsageRefusal { reason, remedy, .. }) => {
                writeln!(f, "  counters  not usable, energy is divided by CPU time: {reason}")?;
                indented(f, "            remedy: ", remedy)?;
            }
            None if self.usage_source.is_some() => writeln!(f, "  counters  of cycles, instructions, cache misses")?,
            None => {}
        }
        writeln!(
            f,
            "  seen      {}",
            match self.environment.sees_host_processes {
                Some(true) => "all of this host",
                Some(false) =>
                    "those of this pid namespace only; share the host's (hostPID: true, --pid=host), \
                         or mount its procfs and give --host.procfs",
                None => "unknown: the pid namespace cannot be read",
            }
        )?;
        writeln!(f, "  cgroups   {}", self.environment.cgroup.describe())?;
        writeln!(f, "\nPermissions")?;
        for Permission { capability, held, lost } in &self.permissions {
            match held {
                Some(true) => writeln!(f, "  {capability:<20} held")?,
                Some(false) => writeln!(f, "  {capability:<20} missing; lost without it: {lost}")?,
                None => writeln!(f, "  {capability:<20} unknown: /proc/self/status cannot be read")?,
            }
        }
        writeln!(f, "\nMachine")?;
        writeln!(f, "  kernel    {}", self.environment.kernel.as_deref().unwrap_or("unknown"))?;
        match &self.environment.guest_of {
            Some(name) => writeln!(f, "  virtual   yes, on {name}; guests seldom see energy counters")?,
            None => writeln!(f, "  virtual   no sign of it")?,
        }
        indented(f, "\n", &self.verdict)
    }
}

/// `text` after `head`, its further lines under the first.
fn indented(f: &mut fmt::Formatter<'_>, head: &str, text: &str) -> fmt::Result {
    let margin = " ".repeat(head.trim_start_matches('\n').len());
    writeln!(f, "{head}{}", text.replace('\n', &format!("\n{margin}")))
}
