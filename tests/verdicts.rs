//! The compliance commands, as an operator meets them: the real binary, a busy process, its exit status.
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
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn answered(output: &Output) -> Value {
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
    // No PUE is published for a country, so the effective intensity is not known.
    let unknown = assess(&["yes", "--region=KR", "--grid-intensity=300", "--json"]);
    assert_eq!(code(&unknown), 11);
    assert_eq!(answered(&unknown)["emissions_gCO2eq_per_hour"], Value::Null);
}

#[test]
fn json_is_the_tools_answer_with_its_own_field_names() {
    let _busy = busy();
    let answer = answered(&assess(&[&["yes", "--json", "--price=120"], &CLEAN[..]].concat()));
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
    assert!(korean.contains("판정") && korean.contains("이 호스트에서 1초 동안 측정했습니다"), "{korean}");
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
    let unreachable = run(&["assess", "yes", "--source=prometheus=http://127.0.0.1:9"]);
    assert_eq!((code(&unreachable), unreachable.stdout.len()), (1, 0), "no answer is no verdict");
}

#[test]
fn all_workloads_are_listed_and_the_worst_decides() {
    let _busy = busy();
    let list = |more: &[&str]| run(&[&["compliance", "list", "--kind=process", "--json"], more, &HERE[..]].concat());
    let clean = list(&CLEAN);
    assert_eq!(code(&clean), 0);
    let answer = answered(&clean);
    assert!(answer["counts"]["compliant"].as_u64().unwrap() > 1, "{answer}");
    assert!(answer["workloads"].as_array().unwrap().iter().any(|row| row["workload"] == "yes"));
    assert_eq!(code(&list(&["--grid-intensity=800", "--pue=1.5"])), 10);
    assert_eq!(answered(&list(&["--status=non-compliant", "--pue=1.2", "--grid-intensity=300"]))["total"], 0);
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
    let answer = answered(&output);
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
    let file = format!("--intensity={}", path.display());
    let output = run(&["schedule", "--duration=1h", "--deadline=10h", "--power=1000", "--pue=1", "--json", &file]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let answer = answered(&output);
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
    let answer = answered(&output);
    let named: Vec<_> = answer["regions"].as_array().unwrap().iter().map(|row| row["region"].clone()).collect();
    assert_eq!(named.first().unwrap(), "eu-north-1");
    assert_eq!(answer["advice"]["migrate"], true);
}

/// An HTTP request with a JSON body: the headers and the body of the answer.
fn post(server: &Server, path: &str, session: Option<&str>, body: &Value) -> (String, String) {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let (body, host) = (body.to_string(), &server.address);
    let session = session.map_or_else(String::new, |id| format!("Mcp-Session-Id: {id}\r\n"));
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{session}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (headers, body) = answer.split_once("\r\n\r\n").unwrap();
    (headers.to_lowercase(), body.to_owned())
}

/// The JSON object within a body, whether it is chunked or not.
fn object(body: &str) -> Value {
    let (start, end) = (body.find('{').unwrap(), body.rfind('}').unwrap());
    let chunks: String = body[start..=end].split("\r\n").step_by(2).collect();
    serde_json::from_str(&chunks).or_else(|_| serde_json::from_str(&body[start..=end])).unwrap()
}

/// Opens a session of the Model Context Protocol.
fn open_session(server: &Server) -> String {
    let client = json!({ "name": "test", "version": "1" });
    let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    let initialize = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
    let (headers, _) = post(server, "/mcp", None, &initialize);
    let id = headers.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap().to_owned();
    post(server, "/mcp", Some(&id), &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    id
}

/// Whether a short answer has nothing that the whole one has not, but for digits.
fn says_no_other(short: &Value, whole: &Value) -> bool {
    match (short, whole) {
        (Value::Object(short), Value::Object(whole)) => {
            short.iter().all(|(name, value)| whole.get(name).is_some_and(|other| says_no_other(value, other)))
        }
        (Value::Array(short), Value::Array(whole)) => {
            short.len() == whole.len() && short.iter().zip(whole).all(|(short, whole)| says_no_other(short, whole))
        }
        (Value::Number(short), Value::Number(whole)) => {
            let (short, whole) = (short.as_f64().unwrap(), whole.as_f64().unwrap());
            (short - whole).abs() <= whole.abs() * 6e-4
        }
        // A moment without parts of a second.
        (Value::String(short), Value::String(whole)) => {
            short == whole || short.strip_suffix('Z').is_some_and(|seconds| whole.starts_with(&format!("{seconds}.")))
        }
        (short, whole) => short == whole,
    }
}

#[test]
fn rest_and_mcp_give_one_answer_about_one_moment() {
    let server = Server::start_every("2s", &["--meter=fake"]);
    let _busy = busy();
    let session = open_session(&server);
    // A limit of the caller's own: without one an answer by MCP is cut to 8 kB.
    let arguments = json!({ "window": "2s", "limit": 5 });
    let rest = || object(&post(&server, "/tools/get_power_hotspots", None, &arguments).1);
    let params = json!({ "name": "get_power_hotspots", "arguments": arguments });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let mcp = || object(&post(&server, "/mcp", Some(&session), &call).1)["result"]["structuredContent"].clone();
    let (mut compared, mut coverage, started) = (0, 0.0, Instant::now());
    while (compared < 8 || coverage < 0.9) && started.elapsed() < Duration::from_secs(60) {
        let (first, between, last) = (rest(), mcp(), rest());
        // A reading may come in between; before the second one there is no moment.
        if first["moment"].is_string() && first["moment"] == last["moment"] {
            assert!(says_no_other(&between, &first), "{between}\n{first}");
            compared += 1;
            coverage = first["coverage"].as_f64().unwrap();
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    assert!(compared >= 8, "{compared}");
    // The second reading comes sooner than the interval says; then windows are full.
    assert!(coverage > 0.9, "{coverage}");
}

#[test]
fn a_budgets_page_shows_the_limit_that_was_judged() {
    let folder = tempfile::tempdir().unwrap();
    let rule = r#"{"rules": [{
        "code": "TEAM_BUDGET", "kind": "emission_budget", "name": "Team budget",
        "text": {"en": "20 g/h", "ko": "시간당 20 g"}, "jurisdiction": "user", "force": "internal",
        "subject": "workload", "metric": "emissions_per_hour", "limit": {"at_most": 20}, "source": "team wiki"
    }]}"#;
    std::fs::write(folder.path().join("budget.json"), rule).unwrap();
    let _busy = busy();
    let directory = format!("--standards-dir={}", folder.path().display());
    let page = text(&assess(&[&["yes", "--standard=TEAM_BUDGET", &directory], &CLEAN[..]].concat()).stdout);
    let carbon = page.lines().find(|line| line.starts_with("carbon ")).unwrap();
    assert!(carbon.contains("gCO2e/h  (limit 20 gCO2e/h"), "{page}");
    assert!(!page.contains("424"), "{page}");
}

#[test]
fn korean_pages_are_korean_throughout() {
    let _busy = busy();
    let assessed = text(&assess(&[&["yes", "--lang=ko"], &CLEAN[..]].concat()).stdout);
    let regions = text(&run(&["regions", "--region=KR", "--grid-intensity=424", "--lang=ko"]).stdout);
    let listed = text(&run(&[&["compliance", "list", "--lang=ko"], &CLEAN[..], &HERE[..]].concat()).stdout);
    let planned = text(&run(&["schedule", "--duration=1h", "--region=KR", "--lang=ko"]).stdout);
    for page in [assessed, regions, listed, planned] {
        for word in [
            "Note",
            "(limit",
            "unknown",
            "running",
            "stated in",
            "STATUS",
            "RANK",
            "KIND",
            " of ",
            "compliant,",
            "Korea",
            "Sweden",
        ] {
            assert!(!page.contains(word), "`{word}`: {page}");
        }
        // A sentence stands in a list; it has a Korean word, whatever names it holds.
        for line in page.lines().filter_map(|line| line.strip_prefix("  - ")) {
            assert!(line.chars().any(|c| ('가'..='힣').contains(&c)), "{line}");
        }
    }
}
