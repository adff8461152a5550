//! The findings, as data and as a page.

use super::super::config::Config;
use super::super::exit::Failure;
use super::super::permissions::{self, Permission};
use super::super::remedies;
use super::super::sampling::{self, Known};
use super::accelerators::Accelerators;
use super::environment::{self, Environment};
use super::kubernetes::Kubernetes;
use super::platform::Platform;
use super::reason::{Reason, indented};
use kepler_core::availability::{Remedy, Unavailable};
use kepler_core::host::{HidePid, ProcessVisibility};
use kepler_core::meter::chain::{self, ChainOptions, Probe, Source};
use kepler_core::meter::{Method, SkippedZone, Zone};
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
    /// What was learned of this machine, when, by which meter and on which machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<String>,
    /// Where processes' CPU time comes from; `None` if serving cannot start.
    usage_source: Option<&'static str>,
    /// Why a better source of CPU time is not in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_unavailable: Option<Reason>,
    /// Why cycles, instructions and cache misses are not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    counters_unavailable: Option<Reason>,
    /// GPUs and other accelerators.
    #[serde(flatten)]
    accelerators: Accelerators,
    /// What shows the power of the whole machine, if that is to be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    platform: Vec<Platform>,
    /// Whether workloads are charged what is left of it beside the machine's parts, where that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    platform_attribute: Option<&'static str>,
    /// Capabilities.
    permissions: Vec<Permission>,
    /// Where this runs.
    environment: Environment,
    /// Who names pods, if Kubernetes is to be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes: Option<Kubernetes>,
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
        /// What is there and not read, each with the reason.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        skipped: Vec<UnreadZone>,
    },
    Unavailable {
        reason: String,
        remedy: String,
        action: Remedy,
    },
}

#[derive(Clone, Debug, Serialize)]
struct FoundZone {
    zone: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<u32>,
    path: String,
}

/// A zone that was found, or has to be there, and is not read.
#[derive(Clone, Debug, Serialize)]
struct UnreadZone {
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<u32>,
    /// Whether an estimate stands in for it, from the others of its kind.
    estimated: bool,
    /// Whether it should be there, and cannot be read.
    missing: bool,
    reason: String,
    /// What to do, in words; empty if nothing.
    remedy: String,
    /// The same as data.
    action: Remedy,
}

impl UnreadZone {
    fn of(skipped: &SkippedZone, zones: &[Zone]) -> Self {
        let Unavailable { reason, remedy, .. } = &skipped.unavailable;
        UnreadZone {
            zone: skipped.kind.map(|kind| kind.name()),
            package: skipped.package,
            estimated: skipped.is_estimated_beside(zones),
            missing: skipped.is_missing,
            reason: reason.clone(),
            remedy: if remedy.is_none() { String::new() } else { remedies::text(remedy) },
            action: remedy.clone(),
        }
    }
}

impl Report {
    /// Tries everything. Reads only: nothing on the host is changed.
    pub(super) fn make(config: &Config) -> Self {
        let host = config.host();
        let known = Known::start_zones(config);
        let mut options = sampling::chain(config, known.platform());
        let configured = std::mem::replace(&mut options.sources, Source::auto());
        // What is configured comes as well, where it is not among the automatic ones (fake, replay).
        for source in configured {
            if !options.sources.contains(&source) {
                options.sources.insert(0, source);
            }
        }
        let verdict = verdict(config, &known);
        Report {
            measured: verdict.measured,
            verdict: verdict.sentence,
            calibration: options.calibration.as_ref().map(|calibration| calibration.describe()),
            sources: findings(&host, &options),
            usage_source: verdict.usage_source,
            usage_unavailable: verdict.usage_unavailable,
            counters_unavailable: verdict.counters_unavailable,
            accelerators: verdict.accelerators,
            platform: Platform::ask_all(config),
            platform_attribute: config.platform.charges(),
            permissions: permissions::read(&host),
            environment: environment::read(&host),
            kubernetes: Kubernetes::ask(config),
        }
    }
}

fn findings(host: &kepler_core::host::Host, options: &ChainOptions) -> Vec<Finding> {
    let found = |Probe { source, outcome, .. }: Probe| Finding {
        source,
        outcome: match outcome {
            Ok(found) => Outcome::Usable {
                method: found.method.name(),
                error_ratio: found.method.error_ratio(),
                skipped: found.skipped.iter().map(|skipped| UnreadZone::of(skipped, &found.zones)).collect(),
                zones: found.zones.into_iter().map(found_zone).collect(),
            },
            Err(unavailable) => {
                let Reason { reason, remedy, action, .. } = Reason::of(&unavailable);
                Outcome::Unavailable { reason, remedy, action }
            }
        },
    };
    chain::probe(host, options).into_iter().map(found).collect()
}

fn found_zone(zone: Zone) -> FoundZone {
    FoundZone { zone: zone.kind.name(), package: zone.package, path: zone.path.to_string() }
}

/// What serving would do.
struct Verdict {
    /// Whether anything would be measured.
    measured: bool,
    sentence: String,
    usage_source: Option<&'static str>,
    usage_unavailable: Option<Reason>,
    counters_unavailable: Option<Reason>,
    accelerators: Accelerators,
}

fn verdict(config: &Config, known: &Known) -> Verdict {
    let sampler = match sampling::open_named(config, known) {
        Ok(sampler) => sampler,
        Err(failure) => {
            let usage_unavailable = match &failure {
                Failure::Usage(unavailable) => Some(Reason::of(unavailable)),
                _ => None,
            };
            let sentence = format!("`kepler serve` would not start: {failure}");
            return Verdict {
                measured: false,
                sentence,
                usage_source: None,
                usage_unavailable,
                counters_unavailable: None,
                accelerators: Accelerators::default(),
            };
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
            Method::Partial { .. } => {
                measured = true;
                format!("measured in part by {}, the rest estimated", zone.source)
            }
            method => {
                let error_ratio = method.error_ratio().unwrap_or(1.0);
                format!("estimated by {}, ±{:.0} %", zone.source, error_ratio * 100.0)
            }
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
        usage_unavailable: sampler.usage_unavailable().map(Reason::of),
        counters_unavailable: sampler.counters_unavailable().map(Reason::of),
        accelerators: Accelerators::of(&sampler, config),
    }
}

impl Report {
    /// What shows the power of the whole machine, and whether workloads are charged by it.
    fn write_platform(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.platform.is_empty() || self.platform_attribute.is_some() {
            writeln!(f, "\nPlatform power")?;
        }
        for platform in &self.platform {
            write!(f, "{platform}")?;
        }
        match self.platform_attribute {
            Some(charges) => indented(f, "  attribute ", charges),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Sources of energy figures, in the order in which they are tried")?;
        for Finding { source, outcome } in &self.sources {
            match outcome {
                Outcome::Usable { method, error_ratio, zones, skipped } => {
                    let error = error_ratio.map(|ratio| format!(", ±{:.0} %", ratio * 100.0)).unwrap_or_default();
                    writeln!(f, "  {source:<9} usable ({method}{error})")?;
                    for FoundZone { zone, package, path } in zones {
                        let package = package.map(|number| format!(" of socket {number}")).unwrap_or_default();
                        writeln!(f, "            {zone}{package}: {path}")?;
                    }
                    for UnreadZone { missing, estimated, reason, remedy, .. } in skipped {
                        let state = match (*estimated, *missing) {
                            (true, _) => "missing, estimated from the others",
                            (false, true) => "missing",
                            (false, false) => "not used",
                        };
                        writeln!(f, "            {state}: {reason}")?;
                        if !remedy.is_empty() && *missing {
                            indented(f, "              remedy: ", remedy)?;
                        }
                    }
                }
                Outcome::Unavailable { reason, remedy, .. } => {
                    writeln!(f, "  {source:<9} not usable: {reason}")?;
                    indented(f, "            remedy: ", remedy)?;
                }
            }
        }
        write!(f, "{}", self.accelerators)?;
        self.write_platform(f)?;
        writeln!(f, "\nProcesses")?;
        let means = match self.usage_source {
            Some("ebpf") => "ebpf (from the scheduler; short-lived processes by name)",
            Some("clock") => "clock (processes' CPU clocks; short-lived processes by container or unit only)",
            Some("procfs") => "procfs (stat files, in steps of 10 ms; short-lived processes by container or unit only)",
            other => other.unwrap_or("none"),
        };
        writeln!(f, "  CPU time  {means}")?;
        if let Some(Reason { source, reason, remedy, .. }) = &self.usage_unavailable {
            writeln!(f, "            {source} not usable: {reason}")?;
            indented(f, "            remedy: ", remedy)?;
        }
        match &self.counters_unavailable {
            Some(Reason { reason, remedy, .. }) => {
                writeln!(f, "  counters  not usable, energy is divided by CPU time: {reason}")?;
                indented(f, "            remedy: ", remedy)?;
            }
            None if self.usage_source.is_some() => writeln!(f, "  counters  of cycles, instructions, cache misses")?,
            None => {}
        }
        writeln!(f, "  seen      {}", seen(&self.environment.processes))?;
        remedied(f, &self.environment.processes.remedy())?;
        writeln!(f, "  cgroups   {}", self.environment.cgroup.describe())?;
        remedied(f, &self.environment.cgroup.remedy())?;
        writeln!(f, "\nPermissions")?;
        for Permission { capability, held, lost } in &self.permissions {
            match held {
                Some(true) => writeln!(f, "  {capability:<20} held")?,
                Some(false) => writeln!(f, "  {capability:<20} missing; lost without it: {lost}")?,
                None => writeln!(f, "  {capability:<20} unknown: /proc/self/status cannot be read")?,
            }
        }
        if let Some(kubernetes) = &self.kubernetes {
            write!(f, "{kubernetes}")?;
        }
        writeln!(f, "\nMachine")?;
        if let Some(calibration) = &self.calibration {
            writeln!(f, "  learned   {calibration}")?;
        }
        writeln!(f, "  kernel    {}", self.environment.kernel.as_deref().unwrap_or("unknown"))?;
        match &self.environment.guest_of {
            Some(name) => writeln!(f, "  virtual   yes, on {name}; guests seldom see energy counters")?,
            None => writeln!(f, "  virtual   not detected")?,
        }
        indented(f, "\n", &self.verdict)
    }
}

fn remedied(f: &mut fmt::Formatter<'_>, remedy: &Remedy) -> fmt::Result {
    match remedy {
        Remedy::None => Ok(()),
        remedy => indented(f, "            remedy: ", &remedies::text(remedy)),
    }
}

/// Which of the host's processes are seen.
fn seen(processes: &ProcessVisibility) -> String {
    match processes {
        ProcessVisibility::All => "all of this host".to_owned(),
        ProcessVisibility::Namespace => "those of this PID namespace only".to_owned(),
        ProcessVisibility::Hidden(hiding) if hiding.mode == HidePid::NoAccess => {
            "all of this host, but those of other users cannot be read (procfs is mounted with hidepid=noaccess)"
                .to_owned()
        }
        ProcessVisibility::Hidden(hiding) => {
            format!("this user's only (procfs is mounted with hidepid={})", hiding.mode.name())
        }
        _ => "unknown: neither the PID namespace nor the mount of procfs can be read".to_owned(),
    }
}
