//! Accelerators while something is measured, and the part of them that is its.

use super::own_cgroup;
use crate::cli::config::Config;
use crate::cli::sampling;
use kepler_core::device::DeviceMeters;
use kepler_core::host::Host;
use kepler_core::meter::Method;
use kepler_core::stopwatch::{Descent, DeviceMark, DeviceSpent, DeviceStopwatch, Whose};
use kepler_core::units::Energy;
use serde::Serialize;
use std::fs;
use std::path::Path;

/// Whose use of accelerators counts.
pub(super) enum Users {
    /// The command's that this program will start.
    Command,
    /// A process's, with its descendants.
    Process(u32),
    /// That of all processes in a cgroup.
    Cgroup(String),
}

/// The meters of accelerators, where there are some.
pub(super) struct Accelerators(Option<DeviceStopwatch>);

impl Accelerators {
    /// Opens them.
    pub(super) fn open(config: &Config, users: Users) -> Self {
        let host = config.host();
        let meters = DeviceMeters::open(&host, &sampling::devices(config)).meters;
        if meters.is_empty() {
            return Accelerators(None);
        }
        Accelerators(Some(DeviceStopwatch::new(meters, whose(&host, users))))
    }

    pub(super) fn mark(&mut self) -> Option<DeviceMark> {
        self.0.as_mut().map(DeviceStopwatch::mark)
    }

    pub(super) fn keep_up(&mut self) {
        if let Some(devices) = &mut self.0 {
            devices.keep_up();
        }
    }
}

/// Whose a process is that uses an accelerator.
fn whose(host: &Host, users: Users) -> Box<dyn FnMut(u32) -> Whose + Send> {
    let procfs = host.procfs().to_owned();
    match users {
        Users::Process(pid) => Box::new(Descent::of(host, pid)),
        Users::Cgroup(cgroup) => Box::new(move |pid| match is_within(&procfs, pid, &cgroup) {
            true => Whose::Descendant,
            false => Whose::Other,
        }),
        Users::Command => {
            // What outlives the one that started it stays in the command's cgroup, if it has one.
            let mut descends = Descent::of_this_process(host);
            Box::new(move |pid| match descends(pid) {
                Whose::Other if own_cgroup::holds(&procfs, pid) => Whose::Descendant,
                whose => whose,
            })
        }
    }
}

/// Whether a process is in a cgroup or one below it, in any hierarchy.
fn is_within(procfs: &Path, pid: u32, cgroup: &str) -> bool {
    let text = fs::read_to_string(procfs.join(format!("{pid}/cgroup"))).unwrap_or_default();
    let mut paths = text.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths.any(|path| own_cgroup::is_within(path, cgroup.trim_end_matches('/')))
}

/// An accelerator, and the part of it that was measured for.
#[derive(Debug, Serialize)]
pub(super) struct AcceleratorFigures {
    /// Its number on this machine.
    gpu: u32,
    uuid: String,
    name: String,
    method: &'static str,
    source: &'static str,
    /// All that it drew; `null` where it was read less than twice meanwhile.
    machine_joules: Option<f64>,
    /// The part that it draws without work, too.
    idle_joules: Option<f64>,
    /// The part that was measured for.
    energy_joules: Option<f64>,
    /// How long the time was of which it was read.
    covered_seconds: f64,
    is_uncertain: bool,
}

impl AcceleratorFigures {
    pub(super) fn of(spent: &DeviceSpent) -> Self {
        let joules = |energy: Option<Energy>| energy.map(Energy::joules);
        let idle = spent.energy.zip(spent.active).map(|(all, active)| all.saturating_sub(active));
        AcceleratorFigures {
            gpu: spent.device.index,
            uuid: spent.device.uuid.to_string(),
            name: spent.device.name.to_string(),
            method: Method::name(spent.method),
            source: spent.source,
            machine_joules: joules(spent.energy),
            idle_joules: joules(idle),
            energy_joules: joules(spent.tree),
            covered_seconds: spent.covered.as_secs_f64(),
            is_uncertain: spent.is_uncertain,
        }
    }

    /// Whether it may have drawn less or more.
    pub(super) const fn is_uncertain(&self) -> bool {
        self.is_uncertain
    }

    /// Its name, for people.
    pub(super) fn title(&self) -> String {
        format!("gpu{} {}", self.gpu, self.name)
    }

    /// The part, all, and how they are known.
    pub(super) fn energies(&self) -> (Option<f64>, Option<f64>, &'static str, &'static str) {
        (self.energy_joules, self.machine_joules, self.method, self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_in_a_cgroup_or_below_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("7")).unwrap();
        let lines = "12:cpu,cpuacct:/docker/abc\n0::/system.slice/ssh.service/child\n";
        fs::write(folder.path().join("7/cgroup"), lines).unwrap();
        for (cgroup, expected) in [
            ("/docker/abc", true),
            ("/system.slice/ssh.service", true),
            ("/system.slice/ssh", false),
            ("/system.slice/ssh.service/child/", true),
            ("/docker", true),
            ("/dock", false),
        ] {
            assert_eq!(is_within(folder.path(), 7, cgroup), expected, "{cgroup}");
        }
        assert!(!is_within(folder.path(), 8, "/docker"));
    }
}
