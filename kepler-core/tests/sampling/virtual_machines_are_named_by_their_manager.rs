//! What libvirt writes of a machine after it was started is found, once.
#![cfg(feature = "names")]
#![allow(clippy::unwrap_used, reason = "a machine that cannot be simulated fails the test")]

use kepler_core::host::Timestamp;
use kepler_core::meter::chain::Source;
use kepler_core::sampler::{Sampler, SamplerOptions};
use kepler_core::sim::{PowercapTree, ProcessTree};
use kepler_core::snapshot::Snapshot;
use kepler_core::units::Energy;
use std::fs;
use std::time::Duration;

const UUID: &str = "30ad89ac-5906-49ca-8d52-3c6343c598f6";
const QEMU: &[u8] = b"qemu-system-x86_64";

/// (name, manager, domain, project, flavor) of the only machine.
fn named(snapshot: &Snapshot) -> [String; 5] {
    let [row] = snapshot.vms.as_slice() else { panic!("{:?}", snapshot.vms) };
    let info = &row.info;
    [&info.name, info.manager, &info.domain, &info.project, &info.flavor].map(str::to_owned)
}

#[test]
fn a_machine_whose_file_is_written_later_and_first_by_half_gets_its_names_and_loses_no_energy() {
    let root = tempfile::tempdir().unwrap();
    let mut tree = PowercapTree::create(root.path()).unwrap();
    tree.add_zone("intel-rapl:0", "package-0", Energy::from_joules(1000.0)).unwrap();
    let mut processes = ProcessTree::create(root.path(), 1).unwrap();
    let directory = processes.procfs().join("1/root/run/libvirt/qemu");
    fs::create_dir_all(&directory).unwrap();
    let mut options = SamplerOptions::default();
    options.chain.sources = vec![Source::Powercap];
    let mut sampler = Sampler::new(&processes.host(tree.sysfs()), options).unwrap();
    let mut at = Timestamp::now();
    let mut tick = |processes: &mut ProcessTree| {
        if processes.procfs().join("20").exists() {
            processes.work(20, 50, None).unwrap();
        }
        processes.rest(50).unwrap();
        tree.draw("intel-rapl:0", Energy::from_joules(10.0)).unwrap();
        at = at.advanced(Duration::from_secs(1));
        sampler.tick_at(at)
    };
    tick(&mut processes);
    processes.spawn(20, 100, QEMU, "/").unwrap();
    let line = format!("/usr/bin/qemu-system-x86_64\0-name\0guest=instance-00000042,debug-threads=on\0-uuid\0{UUID}\0");
    fs::write(processes.procfs().join("20/cmdline"), line).unwrap();
    let first = tick(&mut processes);
    assert_eq!(named(&first), ["instance-00000042", "", "instance-00000042", "", ""]);
    let whole = format!(
        "<domstatus state='running' pid='20'>\n  <domain type='kvm'>\n    <name>instance-00000042</name>\n    <uuid>{UUID}</uuid>\n    <metadata>\
         <nova:instance xmlns:nova=\"http://openstack.org/xmlns/libvirt/nova/1.1\"><nova:name>web &amp; shop</nova:name>\
         <nova:flavor name=\"m1.small\"/><nova:owner><nova:project uuid=\"995b\">demo</nova:project></nova:owner></nova:instance>\
         </metadata>\n  </domain>\n</domstatus>\n"
    );
    let file = directory.join("instance-00000042.xml");
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let second = tick(&mut processes);
    assert_eq!(named(&second)[1], "");
    fs::write(&file, whole).unwrap();
    let mut last = second;
    for _ in 0..45 {
        last = tick(&mut processes);
    }
    assert_eq!(named(&last), ["web & shop", "openstack", "instance-00000042", "demo", "m1.small"]);
    let vm = &last.vms[0];
    let process = last.processes.iter().find(|row| row.info.pid == 20).unwrap();
    assert_eq!(process.info.vm.as_ref().map(|vm| &*vm.name), Some("web & shop"));
    assert_eq!(vm.energy, process.energy, "it is the same row as before");
}
