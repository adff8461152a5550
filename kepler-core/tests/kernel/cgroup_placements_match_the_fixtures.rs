//! Every runtime, cgroup version and driver: see `fixtures/cgroup/README.md`.

use kepler_core::workload::ContainerInfo;
use kepler_core::workload::cgroup::{CgroupMembership, classify};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

/// The placement in the notation of the `.expected` files.
fn describe(placement: &CgroupMembership) -> String {
    let container = |kind: &str, c: &ContainerInfo| format!("{kind} {} {} {}\n", c.runtime, c.id, c.cgroup);
    let mut text = String::new();
    let inner = placement.container.as_ref();
    if let Some(inner) = inner {
        text += &container("container", inner);
        assert!(inner.name.is_empty(), "names are not found in cgroup paths");
    }
    if let Some(pod) = placement.pod.as_ref().or(inner.and_then(|inner| inner.pod.as_deref())) {
        text += format!("pod {} {}", pod.id, pod.cgroup).trim_end();
        text += "\n";
    }
    text.extend(placement.outer.iter().map(|outer| container("outer", outer)));
    if let Some(job) = &placement.job {
        text += &format!("job {} {} {}\n", job.scheduler, job.id, job.cgroup);
    }
    if let Some(unit) = &placement.unit {
        text += &format!("unit {} {}\n", unit.name, unit.cgroup);
    }
    text
}

#[test]
fn every_fixture_is_placed_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cgroup");
    let mut cases = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "txt") {
            let found = describe(&classify(&fs::read(&file).unwrap()));
            let expected = fs::read_to_string(file.with_extension("expected")).unwrap();
            assert_eq!(found, expected, "{}", file.display());
            cases += 1;
        }
    }
    assert!(cases > 50, "only {cases} fixtures found");
}

#[test]
fn a_monitor_in_a_pod_has_the_pod_but_no_container() {
    let text = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/cgroup/crio-conmon.txt")).unwrap();
    let placement = classify(&text);
    assert!(placement.container.is_none() && placement.pod.is_some() && placement.unit.is_some());
}

#[test]
fn a_path_as_long_as_the_kernel_allows_is_classified() {
    let deep = "0::".to_owned() + &"/docker-".repeat(500) + &"/a.service".repeat(400) + "\n";
    assert!(classify(deep.repeat(12).as_bytes()).unit.is_some());
}

/// Text from the words that matter, so that a random path goes deep into the rules.
fn path() -> impl Strategy<Value = String> {
    let id = "[0-9a-f]{64}";
    let word = prop_oneof![
        "(docker|crio|libpod|cri-containerd|nerdctl|crio-conmon)-[0-9a-f]{64}(\\.scope)?",
        "(docker|default|ecs|lxc|nomad|nomad.slice|kubepods|libpod_parent|payload|\\.\\.|)",
        "(kubepods-burstable-)?pod[0-9a-f]{32}(\\.slice)?(:cri-containerd:[0-9a-f]{64})?",
        "(machine-|lxc.payload.|systemd-nspawn@)[a-z\\\\]{0,4}(\\.scope|\\.service)?",
        "[a-z]{1,3}\\.(service|scope|slice)",
        "(slurm|slurm_n|slurmstepd.scope|n_slurmstepd.scope|htcondor|pbspro|pbs_jobs.service|jobid|torque|lsf|oar|oar-u1.slice)",
        "(job_[0-9]{1,3}|step_[a-z]{0,2}|s[0-9A-HJKMNP-TV-Z]{13}|x_slot[0-9]_?[0-9]?|[0-9][.a]h|job\\.[0-9]{0,2}\\.1|oar-u1-j[0-9]{1,2})",
        "(kata_|kata_overhead|garden|good|mesos|libvirt|isulad|balena|machine-lxc-[0-9]?-?[a-z]?\\.scope|[a-z]?\\.libvirt-lxc)",
        id,
    ];
    prop::collection::vec(word, 0..8).prop_map(|words| "/".to_owned() + &words.join("/"))
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(text: Vec<u8>) {
        let _ = classify(&text);
    }

    #[test]
    fn cgroups_are_front_parts_of_the_path_and_nest(path in path()) {
        let placement = classify(format!("0::{path}\n").as_bytes());
        let containers = placement.outer.iter().chain(&placement.container);
        let mut shorter = String::new();
        for container in containers {
            prop_assert!(path.contains(&container.cgroup), "{} in {path}", container.cgroup);
            prop_assert!(container.cgroup.starts_with(&shorter) && container.cgroup.len() > shorter.len());
            prop_assert!(!container.id.is_empty());
            shorter.clone_from(&container.cgroup);
            if let Some(pod) = &container.pod {
                prop_assert!(container.cgroup.starts_with(&pod.cgroup));
            }
        }
        if let Some(job) = &placement.job {
            prop_assert!(path.contains(&job.cgroup) && !job.id.is_empty() && placement.unit.is_none());
        }
        prop_assert!(placement.container.is_none() || placement.unit.is_none());
        prop_assert!(placement.container.is_some() || placement.outer.is_empty());
    }
}
