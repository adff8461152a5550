//! The commands that judge, as an operator meets them: the real binary, a busy process, its exit status.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy exempts test functions, but not what they share"
)]

mod program;

use jiff::Timestamp;
use program::{Running, Server, run, text};
use serde_json::Value;
use std::process::{Command, Output, Stdio};

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// One that keeps a processor busy, under the name `yes`.
fn busy() -> Running {
    Running(Command::new("yes").stdout(Stdio::null()).spawn().unwrap())
}

/// A clean facility in Korea.
const CLEAN: [&str; 3] = ["--region=ap-northeast-2", "--pue=1.2", "--grid-intensity=300"];

/// Figures from a meter that is there on any machine, for a short time.
const HERE: [&str; 2] = ["--meter=fake", "--window=1s"];

fn assess(more: &[&str]) -> Output {
    run(&[&["assess"], more, &HERE[..]].concat())
}

#[test]
fn the_exit_status_says_the_judgement() {
    let _busy = busy();
    assert_eq!(code(&assess(&[&["yes"], &CLEAN[..]].concat())), 0);
    assert_eq!(code(&assess(&["yes", "--region=ap-northeast-2", "--pue=1.2", "--grid-intensity=424"])), 10);
    // Nobody publishes a PUE for a country, so the effective intensity is not known.
    let unknown = assess(&["yes", "--region=KR", "--grid-intensity=300", "--json"]);
    assert_eq!(code(&unknown), 11);
    assert_eq!(json(&unknown)["emissions_gCO2eq_per_hour"], Value::Null);
}

#[test]
fn json_is_the_tools_answer_with_its_own_field_names() {
    let _busy = busy();
    let answer = json(&assess(&[&["yes", "--json", "--price=120"], &CLEAN[..]].concat()));
    for field in [
        "workload",
        "namespace",
        "standard",
        "region",
        "status",
        "carbon_status",
        "pue_status",
        "current_carbon_intensity_gCO2eq_kWh",
        "target_carbon_intensity_gCO2eq_kWh",
        "gap_percent",
        "pue",
        "target_pue",
        "pue_gap_percent",
        "power_watts",
        "emissions_gCO2eq_per_hour",
        "projected_monthly",
        "recommendation",
        "optimizations",
        "inputs",
        "caveats",
    ] {
        assert!(answer.get(field).is_some(), "{field} is missing");
    }
    assert_eq!((&answer["kind"], &answer["namespace"]), (&"process".into(), &Value::Null));
    assert!(answer["power_watts"]["total"].as_f64().unwrap() > 0.0);
    let month = &answer["projected_monthly"];
    let price = month["cost"].as_f64().unwrap() / month["energy_kwh"].as_f64().unwrap();
    assert!((price - 120.0 * 1.2).abs() < 1e-6, "the facility pays for its own share too");
    assert_eq!(month["currency"], "KRW");
    assert!(answer["caveats"][0].as_str().unwrap().contains("Measured on this host for 1s"));
}

#[test]
fn pages_come_in_english_and_korean() {
    let _busy = busy();
    let english = text(&assess(&[&["yes"], &CLEAN[..]].concat()).stdout);
    assert!(english.contains("status            COMPLIANT") && english.contains("gCO2e/h"), "{english}");
    let korean = text(&assess(&[&["yes", "--lang=ko"], &CLEAN[..]].concat()).stdout);
    assert!(korean.contains("판정") && korean.contains("이 호스트에서 1s 동안 측정했습니다"), "{korean}");
    assert!(korean.contains("실행 중 ") && korean.contains("한도 "), "{korean}");
    for (arguments, english, korean) in [
        (&["regions", "eu-north-1"][..], "RANK", "순위"),
        (&["standards"], "IN FORCE", "시행"),
        (&["standards", "show", "KR_CARBON_2050"], "in force", "구속력"),
        (&["compliance", "list", "--kind=process", "--meter=fake", "--window=1s"], "STATUS", "판정"),
    ] {
        assert!(text(&run(arguments).stdout).contains(english), "{arguments:?}");
        let page = text(&run(&[arguments, &["--lang=ko"]].concat()).stdout);
        assert!(page.contains(korean) && !page.contains(english) && !page.contains("Note:"), "{arguments:?}: {page}");
    }
}

#[test]
fn what_does_not_exist_is_an_error_on_standard_error_that_names_what_does() {
    let workload = assess(&["no-such-workload"]);
    assert_eq!((code(&workload), workload.stdout.len()), (1, 0));
    assert!(text(&workload.stderr).contains("nearest: process "), "{}", text(&workload.stderr));
    let standard = assess(&["yes", "--standard=KR_CARBON_2055"]);
    assert_eq!(code(&standard), 2);
    assert!(text(&standard.stderr).contains("KR_CARBON_2050"), "{}", text(&standard.stderr));
    let region = assess(&["yes", "--region=ap-northeast-22"]);
    assert_eq!(code(&region), 2);
    assert!(text(&region.stderr).contains("ap-northeast-2"), "{}", text(&region.stderr));
    let source = assess(&["yes", "--source=somewhere"]);
    assert_eq!(code(&source), 2);
    let nobody = run(&["assess", "yes", "--source=prometheus=http://127.0.0.1:9"]);
    assert_eq!((code(&nobody), nobody.stdout.len()), (1, 0), "no answer is no verdict");
}

#[test]
fn all_workloads_are_listed_and_the_worst_decides() {
    let _busy = busy();
    let list = |more: &[&str]| run(&[&["compliance", "list", "--kind=process", "--json"], more, &HERE[..]].concat());
    let clean = list(&CLEAN);
    assert_eq!(code(&clean), 0);
    let answer = json(&clean);
    assert!(answer["counts"]["compliant"].as_u64().unwrap() > 1, "{answer}");
    assert!(answer["workloads"].as_array().unwrap().iter().any(|row| row["workload"] == "yes"));
    assert_eq!(code(&list(&["--grid-intensity=800", "--pue=1.5"])), 10);
    assert_eq!(json(&list(&["--status=non-compliant", "--pue=1.2", "--grid-intensity=300"]))["total"], 0);
}

#[test]
fn a_running_exporter_is_asked_for_its_node() {
    let server = Server::start(&["--meter=fake"]);
    let url = format!("http://{}", server.address);
    let _busy = busy();
    let source = format!("--source=kepler={url}");
    let arguments = [&["assess", "yes", "--window=2s", "--json", &source], &CLEAN[..]].concat();
    let output = run(&arguments);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let answer = json(&output);
    assert!(answer["power_watts"]["total"].as_f64().unwrap() > 0.0);
    assert!(answer["inputs"][0]["source"].as_str().unwrap().contains(&url));
}

#[test]
fn a_schedule_follows_a_file_of_intensities() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grid.csv");
    let hour = |hours: i64| Timestamp::from_second(Timestamp::now().as_second() / 3600 * 3600 + hours * 3600).unwrap();
    let hours: Vec<Timestamp> = (0..=12).map(hour).collect();
    let grams = |index: usize| if index == 5 { 100 } else { 400 };
    let row = |index: usize| format!("KR,{},{},{}\n", hours[index], hours[index + 1], grams(index));
    let rows: String = (0..12).map(row).collect();
    std::fs::write(&path, format!("zone,start,end,g_per_kwh\n{rows}")).unwrap();
    let file = format!("--intensity-file={}", path.display());
    let output = run(&["schedule", "--duration=1h", "--deadline=10h", "--power=1000", "--pue=1", "--json", &file]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let answer = json(&output);
    assert_eq!(answer["best"]["mean_intensity_gCO2eq_kWh"].as_f64(), Some(100.0));
    assert_eq!(answer["best"]["start"].as_str().unwrap(), hours[5].to_string());
    let late = run(&["schedule", "--duration=4h", "--deadline=2h", &file]);
    assert_eq!(code(&late), 1);
    assert!(text(&late.stderr).contains("move the deadline"));
}

#[test]
fn standards_are_listed_and_shown_with_where_they_come_from() {
    let all = text(&run(&["standards"]).stdout);
    assert!(all.contains("KR_CARBON_2050") && all.contains("EU_EED_DC_REPORT"));
    let one = text(&run(&["standards", "show", "kr-carbon-2050", "--lang=ko"]).stdout);
    assert!(one.contains("internal") && one.contains("법적 기준이 아닌"), "{one}");
    assert_eq!(code(&run(&["standards", "show", "NO_SUCH"])), 2);
}

#[test]
fn regions_are_ranked_against_the_current_one() {
    let output = run(&["regions", "eu-north-1", "ap-northeast-1", "--region=ap-northeast-2", "--json"]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let answer = json(&output);
    let named: Vec<_> = answer["regions"].as_array().unwrap().iter().map(|row| row["region"].clone()).collect();
    assert_eq!(named.first().unwrap(), "eu-north-1");
    assert_eq!(answer["advice"]["migrate"], true);
}
