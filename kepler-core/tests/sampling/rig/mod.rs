//! A machine of two sockets whose counters can be lost, and the whole chain of meters on it.

use crate::machine::{PACKAGE, SECOND};
use kepler_core::host::{Host, Timestamp};
use kepler_core::meter::chain::{ChainOptions, Source};
use kepler_core::sampler::{Sampler, SamplerOptions};
use kepler_core::sim::{PowercapTree, ProcessTree};
use kepler_core::snapshot::Snapshot;
use kepler_core::units::Energy;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct Rig {
    pub(crate) root: tempfile::TempDir,
    pub(crate) tree: PowercapTree,
    pub(crate) processes: ProcessTree,
    pub(crate) at: Timestamp,
    /// What the sockets draw.
    pub(crate) watts: [f64; 2],
    /// Whether their counters show something else than numbers.
    pub(crate) is_lost: [bool; 2],
    /// Whether they stand still.
    pub(crate) is_stuck: [bool; 2],
    /// Ticks of 10 ms a second in which the two processors work.
    pub(crate) busy: u64,
    /// What the sockets have drawn.
    pub(crate) drawn: f64,
    sockets: usize,
}

pub(crate) const ZONES: [&str; 2] = [PACKAGE, SECOND];

impl Rig {
    pub(crate) fn new(sockets: usize) -> Self {
        let root = tempfile::tempdir().unwrap();
        let tree = PowercapTree::create(root.path()).unwrap();
        let processes = ProcessTree::create(root.path(), 2).unwrap();
        let mut rig = Rig {
            root,
            tree,
            processes,
            at: Timestamp::now(),
            watts: [50.0, 30.0],
            is_lost: [false; 2],
            is_stuck: [false; 2],
            busy: 100,
            drawn: 0.0,
            sockets: 0,
        };
        (0..sockets).for_each(|_| rig.add_socket());
        rig
    }

    /// One more socket comes online, with its zone.
    pub(crate) fn add_socket(&mut self) {
        let number = self.sockets;
        self.tree.add_zone(ZONES[number], &format!("package-{number}"), Energy::from_joules(1000.0)).unwrap();
        self.sockets += 1;
        self.show_sockets(self.sockets);
    }

    /// Sets the number of sockets that are online.
    pub(crate) fn show_sockets(&self, sockets: usize) {
        let packages: &[u32] = if sockets == 1 { &[0, 0] } else { &[0, 1] };
        self.processes.set_packages(packages).unwrap();
        let list = self.tree.sysfs().join("devices/system/cpu/online");
        fs::create_dir_all(list.parent().unwrap()).unwrap();
        fs::write(list, format!("0-{sockets}\n")).unwrap();
    }

    pub(crate) fn host(&self) -> Host {
        self.processes.host(self.tree.sysfs()).with_msr(self.root.path().join("msr"))
    }

    pub(crate) fn sampler(&self, sources: &[Source]) -> Sampler {
        let chain = ChainOptions::default().with_sources(sources.to_vec());
        Sampler::new(&self.host(), SamplerOptions::default().with(|options| options.chain = chain)).unwrap()
    }

    pub(crate) fn counter(&self, socket: usize) -> PathBuf {
        self.tree.zone(ZONES[socket]).unwrap().join("energy_uj")
    }

    /// A second goes by.
    pub(crate) fn tick(&mut self, sampler: &mut Sampler) -> Arc<Snapshot> {
        for (socket, zone) in ZONES.into_iter().enumerate().take(self.sockets) {
            if !self.is_stuck[socket] {
                self.tree.draw(zone, Energy::from_joules(self.watts[socket])).unwrap();
                self.drawn += self.watts[socket];
            }
            if self.is_lost[socket] {
                fs::write(self.counter(socket), "garbage\n").unwrap();
            }
        }
        self.processes.work_unseen(self.busy, None).unwrap();
        self.processes.rest(200 - self.busy).unwrap();
        self.at = self.at.advanced(Duration::from_secs(1));
        sampler.tick_at(self.at)
    }

    /// Several of them; the last one.
    pub(crate) fn ticks(&mut self, sampler: &mut Sampler, count: usize) -> Arc<Snapshot> {
        (0..count).map(|_| self.tick(sampler)).last().unwrap()
    }
}

/// How often a source failed for a reason.
pub(crate) fn faults(snapshot: &Snapshot, source: &str, reason: &str) -> u64 {
    let faults = snapshot.faults.iter().filter(|fault| fault.source == source && fault.reason == reason);
    faults.map(|fault| fault.count).sum()
}
