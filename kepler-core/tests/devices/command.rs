//! The meter of vendors' tools, with shell scripts in their place.

use kepler_core::device::DeviceMeter;
use kepler_core::device::background::Background;
use kepler_core::device::command::{self, CommandOptions};
use kepler_core::host::Timestamp;
use kepler_core::meter::Reading;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

const REBELLIONS: &str = r#"{"KMD_version":"1.2.92","devices":[
    {"npu":0,"name":"RBLN-CA22","sid":"S1","uuid":"npu-a","pci":{"bus_id":"0000:51:00.0"},"card_power":"48.2W","util":"50.0"},
    {"npu":1,"name":"RBLN-CA22","sid":"S1","uuid":"npu-b","pci":{"bus_id":"0000:52:00.0"},"card_power":"48.2W","util":"0.0"},
    {"npu":2,"name":"RBLN-CA12","sid":"S2","uuid":"npu-c","pci":{"bus_id":"0000:61:00.0"},"card_power":"31W","util":"N/A"}],
    "contexts":[]}"#;
const FURIOSA: &str =
    r#"[{"arch":"rngd","dev_name":"npu0","device_uuid":"F-1","power":"53.00 W","pci_bdf":"0000:17:00.0"}]"#;

/// A tool that a test writes.
fn tool(script: &str) -> (TempDir, CommandOptions) {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("tool");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let options = CommandOptions::rebellions().with(|options| {
        options.program = program;
        options.period = Duration::from_millis(20);
    });
    (directory, options)
}

fn open(options: &CommandOptions) -> Result<Background, String> {
    // A process that another test starts may have the script open for writing for a moment, which is then refused.
    for _ in 0..50 {
        match command::open(options).map_err(|error| error.to_string()) {
            Err(error) if error.contains("cannot be run") => sleep(Duration::from_millis(20)),
            result => return result,
        }
    }
    panic!("it can never be run");
}

fn joules(meter: &mut Background, index: usize) -> Option<(f64, Timestamp)> {
    let mut readings = Vec::new();
    meter.read(Timestamp::now(), &mut readings);
    match readings.get(index)?.as_ref().ok()? {
        reading if reading.users.is_empty() => match reading.energy {
            Reading::Counter(energy) => Some((energy.joules(), reading.at)),
            Reading::Power(_) => None,
        },
        _ => None,
    }
}

#[test]
fn dies_of_one_card_count_once_and_power_is_integrated() {
    let (_directory, options) = tool(&format!("cat <<'END'\n{REBELLIONS}\nEND"));
    let mut meter = open(&options).unwrap();
    let uuids: Vec<&str> = meter.devices().iter().map(|device| &*device.uuid).collect();
    assert_eq!(uuids, ["npu-a", "npu-c"]);
    let device = &meter.devices()[0];
    assert_eq!(
        (device.vendor, &*device.name, device.pci_address.as_deref()),
        ("rebellions", "RBLN-CA22", Some("0000:51:00.0"))
    );
    let mut seen = Vec::new();
    for _ in 0..500 {
        seen.extend(joules(&mut meter, 0));
        if seen.last().is_some_and(|(joules, _)| *joules > 5.0) {
            break;
        }
        sleep(Duration::from_millis(20));
    }
    let ((from, then), (to, now)) = (seen[0], seen[seen.len() - 1]);
    let watts = (to - from) / now.since(&then).as_secs_f64();
    assert!((watts - 48.2).abs() < 0.01, "{watts} W");
}

#[test]
fn the_answer_may_be_the_list_itself() {
    let (_directory, options) = tool(&format!("cat <<'END'\n{FURIOSA}\nEND"));
    let furiosa = CommandOptions::furiosa().with(|furiosa| furiosa.program.clone_from(&options.program));
    let meter = open(&furiosa).unwrap();
    assert_eq!((&*meter.devices()[0].uuid, &*meter.devices()[0].name), ("F-1", "rngd"));
}

#[test]
fn a_tool_that_fails_says_how() {
    for (script, words) in [
        ("exit 3", "it ended with an error"),
        ("echo no", "not JSON"),
        ("echo '{}'", "no list of devices"),
        ("echo '{\"devices\":[]}'", "it names no device"),
        ("echo '{\"devices\":[{}]}'", "nothing that identifies it"),
        ("echo '{\"devices\":[{\"uuid\":\"a\"},{\"uuid\":\"a\"}]}'", "the same identifier"),
        ("sleep 60", "it does not answer in time"),
        ("yes", "larger than 4 MiB"),
    ] {
        let (_directory, options) = tool(script);
        let timeout = if script.starts_with("sleep") { Duration::from_millis(300) } else { Duration::from_secs(20) };
        let error = open(&options.with(|options| options.timeout = timeout));
        // A script that is too slow on a busy machine is opened without an error: then there is no device.
        match error {
            Err(error) => assert!(error.contains(words), "{script}: {error}"),
            Ok(meter) => assert!(meter.devices().is_empty(), "{script}"),
        }
    }
    let none = CommandOptions::rebellions().with(|options| options.program = "/nonexistent/rbln-stat".into());
    assert!(command::open(&none).unwrap_err().to_string().contains("there is no such program"));
}
