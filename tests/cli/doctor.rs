//! `kepler doctor`, and what it says of a host that the exporter says as well.

use crate::program::{Server, run, text};
use crate::{get, powercap_tree, sysfs};
use std::fs;

#[test]
fn doctor_finds_a_usable_meter_and_ends_with_0() {
    let tree = powercap_tree();
    let output = run(&["doctor", &sysfs(&tree)]);
    let page = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{page}");
    assert!(page.contains("powercap  usable (measured)"), "{page}");
    assert!(
        page.contains("`kepler serve` would use: package (measured by powercap), dram (measured by powercap)"),
        "{page}"
    );
}

/// A pipe without a writer stands for a driver that hangs.
#[test]
fn a_zone_that_does_not_answer_is_named_and_holds_nothing_up() {
    let tree = powercap_tree();
    let folder = tree.path().join("class/powercap/intel-rapl:1");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("name"), "package-1\n").unwrap();
    fs::write(folder.join("max_energy_range_uj"), "262143328850\n").unwrap();
    let pipe = folder.join("energy_uj");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let started = std::time::Instant::now();
    let page = text(&run(&["doctor", &sysfs(&tree)]).stdout);
    assert!(page.contains("powercap  usable (partial"), "{page}");
    assert!(page.contains("zone intel-rapl:1 is not used") && page.contains("does not answer"), "{page}");
    let server = Server::start(&[&sysfs(&tree), "--metrics=node"]);
    assert!(server.log.iter().any(|line| line.contains("does not answer")), "{:?}", server.log);
    // Two readings, so that there is something to estimate it from.
    let health = (0..1000).map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        get(&server, "/healthz")
    });
    let fault = r#""zone":"package","source":"powercap","method":"partial","fault":"timeout""#;
    let named = health.into_iter().find(|answer| answer.contains(fault));
    assert!(named.is_some_and(|answer| answer.starts_with("HTTP/1.1 200")), "{}", get(&server, "/healthz"));
    let metrics = get(&server, "/metrics");
    assert!(metrics.contains(r#"method="partial""#), "{metrics}");
    assert!(started.elapsed() < std::time::Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn doctor_without_a_meter_gives_reasons_and_remedies_and_ends_with_1() {
    let empty = tempfile::tempdir().unwrap();
    let output = run(&["doctor", "--json", &sysfs(&empty), "--host.procfs=/proc"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["measured"], false);
    let sources = report["sources"].as_array().unwrap();
    let names: Vec<_> = sources.iter().map(|source| source["source"].as_str().unwrap()).collect();
    assert_eq!(names, ["powercap", "msr", "perf", "hwmon", "model"]);
    let powercap = &sources[0];
    assert_eq!(powercap["status"], "unavailable");
    assert!(!powercap["reason"].as_str().unwrap().is_empty() && !powercap["remedy"].as_str().unwrap().is_empty());
    assert_eq!(sources[4]["method"], "estimated");
    assert!(report["verdict"].as_str().unwrap().contains("estimated by model"));
}

#[test]
fn doctor_counts_no_artificial_figures_as_measured() {
    let empty = tempfile::tempdir().unwrap();
    let output = run(&["doctor", "--meter=fake", &sysfs(&empty)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("made up by fake"));
}

#[test]
fn doctor_says_when_serving_would_not_start() {
    let empty = tempfile::tempdir().unwrap();
    let output = run(&["doctor", "--meter=hwmon", &sysfs(&empty)]);
    assert_eq!(output.status.code(), Some(1));
    let page = text(&output.stdout);
    assert!(page.contains("`kepler serve` would not start: cannot measure with hwmon"), "{page}");
}

#[test]
fn doctor_on_this_machine_ends_as_its_findings_say() {
    let output = run(&["doctor", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(if report["measured"] == true { 0 } else { 1 }));
    assert_eq!(report["permissions"].as_array().unwrap().len(), 5);
}

#[test]
fn doctor_does_not_call_a_missing_platform_estimated() {
    let tree = powercap_tree();
    let platform = tree.path().join("class/powercap/intel-rapl:1");
    fs::create_dir_all(&platform).unwrap();
    for (file, content) in [("name", "psys\n"), ("max_energy_range_uj", "262143328850\n"), ("energy_uj", "no number\n")]
    {
        fs::write(platform.join(file), content).unwrap();
    }
    let page = text(&run(&["doctor", &sysfs(&tree)]).stdout);
    assert!(page.contains("powercap  usable (measured)"), "the package is whole: {page}");
    assert!(page.contains("            missing: ") && !page.contains("estimated from the others"), "{page}");
    // A platform that never counted is none.
    fs::write(platform.join("energy_uj"), "0\n").unwrap();
    let page = text(&run(&["doctor", &sysfs(&tree)]).stdout);
    assert!(page.contains("(psys) stands at zero: it was not seen to count"), "{page}");
    assert!(!page.contains("psys (measured by powercap)"), "{page}");
}
