//! Jobs of batch schedulers in containers, and containers in jobs. Needs the feature `sim`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use crate::machine::{Machine, PACKAGE, near, package};
use kepler_core::snapshot::{Row, Snapshot};
use kepler_core::units::{Energy, ZoneKind};
use std::sync::Arc;

const ID: &str = "3f8a1c9e5b7d2046813fa5c7e9b1d3052746f8ac0e1b3d5f79182a4c6e8091b3";

/// A second in which these processes work for 50 ticks each.
fn second(machine: &mut Machine, working: &[(u32, &str)]) -> Arc<Snapshot> {
    for (pid, cgroup) in working {
        machine.processes.work(*pid, 50, Some(cgroup)).unwrap();
    }
    machine.tree.draw(PACKAGE, Energy::from_joules(100.0)).unwrap();
    machine.processes.rest(200 - 50 * working.len() as u64).unwrap();
    machine.tick(1.0)
}

fn share<Info>(snapshot: &Snapshot, row: Option<&Row<Info>>) -> f64 {
    row.unwrap().energy[ZoneKind::Package].joules() / package(snapshot).active_energy.joules()
}

#[test]
fn two_jobs_in_a_container_each_have_their_own_energy_and_the_container_has_all() {
    let mut machine = Machine::new();
    let root = format!("/docker/{ID}");
    let scope = format!("{root}/system.slice/slurmstepd.scope");
    let (first, second_job) = (format!("{scope}/job_1/step_0/user/task_0"), format!("{scope}/job_2/step_batch"));
    for cgroup in [&root, &format!("{scope}/job_1"), &format!("{scope}/job_2")] {
        machine.spawn(100 + cgroup.len() as u32, b"holder", cgroup);
    }
    machine.spawn(7, b"solver", &first);
    machine.spawn(8, b"solver", &second_job);
    machine.spawn(9, b"slurmd", &root);
    let snapshot = second(&mut machine, &[]);
    assert_eq!(snapshot.jobs.len(), 2);
    let snapshot = second(&mut machine, &[(7, &first), (8, &second_job), (9, &root)]);
    let job = |id: &str| snapshot.jobs.iter().find(|row| row.info.id == id);
    assert!(near(share(&snapshot, job("1")), 1.0 / 3.0), "{:?}", job("1"));
    assert!(near(share(&snapshot, job("2")), 1.0 / 3.0));
    assert!(near(share(&snapshot, snapshot.containers.first()), 1.0));
    assert!(snapshot.jobs.iter().all(|row| row.info.container.as_ref().is_some_and(|container| container.id == ID)));
    let solver = snapshot.processes.iter().find(|row| row.info.pid == 7).unwrap();
    assert!(solver.info.container.is_some() && solver.info.job.is_some());
    let top = snapshot.top(9).unwrap();
    let names: Vec<&str> = top.users.iter().map(|user| user.row.name()).collect();
    assert_eq!(names.len(), 1, "the container has the energy of its jobs, once: {names:?}");
}

#[test]
fn a_job_under_two_daemons_of_one_host_is_a_workload_for_each() {
    let mut machine = Machine::new();
    let part = |node: &str| format!("/system.slice/{node}_slurmstepd.scope/job_7/step_0/user/task_0");
    let (first, second_part) = (part("n1"), part("n2"));
    machine.spawn(7, b"solver", &first);
    machine.spawn(8, b"solver", &second_part);
    second(&mut machine, &[]);
    let snapshot = second(&mut machine, &[(7, &first), (8, &second_part)]);
    let parts: Vec<_> = snapshot.jobs.iter().map(|row| (row.info.id.as_str(), row.info.cgroup.as_str())).collect();
    assert_eq!(parts.len(), 2, "{parts:?}");
    assert!(parts[0].0 == "7" && parts[1].0 == "7" && parts[0].1 != parts[1].1, "{parts:?}");
    let labels = |row: &Row<kepler_core::workload::JobInfo>| {
        use kepler_core::workload::Workload;
        row.info.attributes().labels().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>()
    };
    assert_ne!(labels(&snapshot.jobs[0]), labels(&snapshot.jobs[1]), "series are as distinct as rows");
}

#[test]
fn a_container_in_a_job_counts_for_the_job() {
    let mut machine = Machine::new();
    let job = "/slurm/uid_1000/job_42".to_owned();
    let inside = format!("{job}/step_0/docker/{ID}");
    machine.spawn(7, b"script", &job);
    machine.spawn(8, b"solver", &inside);
    second(&mut machine, &[]);
    let snapshot = second(&mut machine, &[(7, &job), (8, &inside)]);
    assert!(near(share(&snapshot, snapshot.jobs.first()), 1.0));
    assert!(near(share(&snapshot, snapshot.containers.first()), 0.5));
    assert_eq!((snapshot.jobs.len(), snapshot.jobs[0].info.id.as_str()), (1, "42"));
}
