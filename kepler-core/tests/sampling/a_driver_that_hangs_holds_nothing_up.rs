//! A read that does not return, at the start and later: the rest goes on, and the zone comes back. Needs the feature `sim`.

use crate::driver::Driver;
use crate::lines::Lines;
use crate::machine::{PACKAGE, SECOND, near, package};
use kepler_core::host::{Host, Timestamp};
use kepler_core::meter::chain::{self, ChainOptions, Source};
use kepler_core::sampler::{Sampler, SamplerOptions};
use kepler_core::sim::{PowercapTree, ProcessTree};
use kepler_core::snapshot::Snapshot;
use kepler_core::units::{Energy, ZoneKind};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Two sockets, the counter of the second behind a driver.
struct Machine {
    root: tempfile::TempDir,
    tree: PowercapTree,
    processes: ProcessTree,
    driver: Driver,
    at: Timestamp,
}

impl Machine {
    fn new() -> Option<Self> {
        let root = tempfile::tempdir().unwrap();
        let driver = Driver::mount(&root.path().join("driver"), "7000000\n")?;
        let mut tree = PowercapTree::create(root.path()).unwrap();
        tree.add_zone(PACKAGE, "package-0", Energy::from_joules(100.0)).unwrap();
        tree.add_zone(SECOND, "package-1", Energy::from_joules(7.0)).unwrap();
        let counter = tree.zone(SECOND).unwrap().join("energy_uj");
        fs::remove_file(&counter).unwrap();
        std::os::unix::fs::symlink(driver.attribute(), &counter).unwrap();
        let processes = ProcessTree::create(root.path(), 2).unwrap();
        processes.set_packages(&[0, 1]).unwrap();
        Some(Machine { root, tree, processes, driver, at: Timestamp::now() })
    }

    fn host(&self) -> Host {
        self.processes.host(self.tree.sysfs()).with_msr(self.root.path())
    }

    fn sampler(&self) -> Sampler {
        let chain = ChainOptions::default().with_sources(vec![Source::Powercap, Source::Model]);
        Sampler::new(&self.host(), SamplerOptions::default().with(|options| options.chain = chain)).unwrap()
    }

    /// A second in which the first socket draws 50 J. What is seen then, and how long that took.
    fn tick(&mut self, sampler: &mut Sampler) -> (Arc<Snapshot>, Duration) {
        self.tree.draw(PACKAGE, Energy::from_joules(50.0)).unwrap();
        self.processes.work_unseen(200, None).unwrap();
        self.at = self.at.advanced(Duration::from_secs(1));
        let begun = Instant::now();
        let snapshot = sampler.tick_at(self.at);
        (snapshot, begun.elapsed())
    }
}

fn timeouts(snapshot: &Snapshot) -> u64 {
    let faults = snapshot.faults.iter().filter(|fault| (fault.source, fault.reason) == ("powercap", "timeout"));
    faults.map(|fault| fault.count).sum()
}

#[test]
fn a_zone_that_hangs_at_the_start_is_estimated_until_it_answers() {
    let Some(mut machine) = Machine::new() else { return };
    machine.driver.hang();
    let begun = Instant::now();
    let lines = Lines::default();
    let mut sampler = lines.during(|| machine.sampler());
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(lines.containing("does not answer"), 1, "{lines:?}");

    let found = chain::probe(&machine.host(), &ChainOptions::default().with_sources(vec![Source::Powercap]));
    let found = found[0].outcome.clone().unwrap();
    assert_eq!((found.method.name(), found.zones.len()), ("partial", 1));
    let skipped = &found.skipped[0];
    assert_eq!((skipped.kind, skipped.package, skipped.is_missing), (Some(ZoneKind::Package), Some(1), true));
    assert!(skipped.unavailable.reason.contains("does not answer"), "{}", skipped.unavailable);

    let (mut last, mut shortest) = (None, Duration::MAX);
    for _ in 0..5 {
        let (snapshot, elapsed) = machine.tick(&mut sampler);
        shortest = shortest.min(elapsed);
        assert_eq!((package(&snapshot).method.name(), package(&snapshot).fault), ("partial", Some("timeout")));
        assert_eq!(timeouts(&snapshot), 1, "opening it failed once");
        last = package(&snapshot).power;
    }
    assert!(shortest < Duration::from_millis(500), "it is waited for again and again: {shortest:?}");
    assert!(near(last.unwrap().total.watts(), 100.0), "the second socket as the first: {last:?}");
    assert!(machine.driver.waiting() <= 2, "it is not asked again and again");

    machine.driver.answer("9000000\n");
    let back = (0..80).any(|_| package(&machine.tick(&mut sampler).0).method.name() == "measured");
    assert!(back, "it is found when it answers");
    assert_eq!(package(&machine.tick(&mut sampler).0).fault, None);
}

#[test]
fn a_zone_that_hangs_later_is_counted_and_made_up_for_when_its_read_returns() {
    let Some(mut machine) = Machine::new() else { return };
    let lines = Lines::default();
    let mut sampler = machine.sampler();
    machine.tick(&mut sampler);
    machine.driver.answer("37000000\n");
    assert!(near(package(&machine.tick(&mut sampler).0).power.unwrap().total.watts(), 80.0));

    machine.driver.hang();
    lines.during(|| {
        let (snapshot, elapsed) = machine.tick(&mut sampler);
        assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
        assert_eq!(timeouts(&snapshot), 1);
        assert!(package(&snapshot).power.is_none(), "half of it is not the power");
        let (before, mut shortest) = (package(&snapshot).energy, Duration::MAX);
        for _ in 0..5 {
            let (snapshot, elapsed) = machine.tick(&mut sampler);
            shortest = shortest.min(elapsed);
            assert!(package(&snapshot).energy > before, "the other socket goes on");
        }
        assert!(shortest < Duration::from_millis(500), "it is waited for again and again: {shortest:?}");
        assert_eq!(machine.driver.waiting(), 1, "one thread hangs");
        machine.driver.answer("217000000\n");
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(20));
            machine.tick(&mut sampler);
        }
    });
    let (snapshot, _) = machine.tick(&mut sampler);
    // 14 seconds at 50 W since the first tick, and what the counter of the second socket shows.
    assert!(near(package(&snapshot).energy.joules(), 13.0 * 50.0 + 210.0), "{}", package(&snapshot).energy);
    assert_eq!(lines.containing("stopped giving numbers"), 1, "{lines:?}");
    assert_eq!(lines.containing("gives numbers again"), 1, "{lines:?}");
}

#[test]
fn a_meter_of_the_platform_that_hangs_leaves_the_others() {
    let root = tempfile::tempdir().unwrap();
    let Some(driver) = Driver::mount(&root.path().join("driver"), "300000000\n") else { return };
    let chip = |number: u32, name: &str| {
        let directory = root.path().join(format!("sys/class/hwmon/hwmon{number}"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("name"), name).unwrap();
        directory
    };
    std::os::unix::fs::symlink(driver.attribute(), chip(0, "power_meter\n").join("power1_average")).unwrap();
    let processor = chip(1, "fam15h_power\n");
    fs::write(processor.join("power1_input"), "40000000\n").unwrap();
    let host = Host::default().with_sysfs(root.path().join("sys")).with_msr(root.path());
    let options = ChainOptions::default().with_sources(vec![Source::Hwmon]);
    driver.hang();
    let mut sampler = Sampler::new(&host, SamplerOptions::default().with(|all| all.chain = options.clone())).unwrap();
    let kinds: Vec<ZoneKind> = sampler.zones().map(|active| active.zone.kind).collect();
    assert_eq!(kinds, [ZoneKind::Package]);
    assert!(sampler.tick().node.zones[ZoneKind::Package].is_some());
    let found = chain::probe(&host, &options)[0].outcome.clone().unwrap();
    assert!(found.skipped.iter().any(|one| one.unavailable.reason.contains("does not answer")), "{:?}", found.skipped);
}

#[test]
fn a_named_pipe_in_the_place_of_a_counter_holds_nothing_up() {
    for has_writer in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let mut tree = PowercapTree::create(root.path()).unwrap();
        tree.add_zone(PACKAGE, "package-0", Energy::from_joules(100.0)).unwrap();
        tree.add_zone(SECOND, "package-1", Energy::from_joules(7.0)).unwrap();
        let counter = tree.zone(SECOND).unwrap().join("energy_uj");
        let pipe = |path: &Path| {
            fs::remove_file(path).ok();
            assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
            has_writer.then(|| File::options().read(true).write(true).open(path).unwrap())
        };
        let _writer = pipe(&counter);
        let meter = tree.sysfs().join("class/hwmon/hwmon0");
        fs::create_dir_all(&meter).unwrap();
        fs::write(meter.join("name"), "power_meter\n").unwrap();
        let _other = pipe(&meter.join("power1_average"));
        let begun = Instant::now();
        let chain = ChainOptions::default().with_sources(vec![Source::Powercap, Source::Hwmon, Source::Model]);
        let host = tree.host();
        let found = chain::probe(&host, &chain);
        let mut sampler = Sampler::new(&host, SamplerOptions::default().with(|options| options.chain = chain)).unwrap();
        sampler.tick();
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        let skipped = &found[0].outcome.as_ref().unwrap().skipped;
        assert!(skipped.iter().any(|one| one.unavailable.reason.contains("does not answer")), "{skipped:?}");
        assert!(found[1].outcome.as_ref().unwrap_err().reason.contains("does not answer"), "{:?}", found[1]);
    }
}
