//! Providers of grid intensities end to end: the real program, and a stand-in that speaks as they do.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy exempts test functions, but not what they share"
)]

mod program;

use jiff::{SignedDuration, Timestamp};
use program::{Server, kepler, text};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A request: path with query, and the headers in lower case.
type Asked = (String, String);
/// What is written back, byte for byte, after a wait.
type Answer = (Duration, Vec<u8>);

/// What a page says of a fault, and the fault.
type Fault = (&'static str, fn() -> Answer);

/// A provider on a port of its own, until the test ends.
struct Provider {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Provider {
    fn start(answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let provider = Provider { url: format!("http://{}", listener.local_addr().unwrap()), asked: Arc::default() };
        let (asked, answer) = (provider.asked.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (asked, answer) = (asked.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, &asked, &*answer));
            }
        });
        provider
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, asked: &Mutex<Vec<Asked>>, answer: &impl Fn(&str, &str) -> Answer) {
    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let headers = headers.join("\n").to_lowercase();
    asked.lock().unwrap().push((path.clone(), headers.clone()));
    let (wait, bytes) = answer(&path, &headers);
    std::thread::sleep(wait);
    // A client that has given up is what some tests are about.
    let _gone = (&stream).write_all(&bytes);
}

fn reply(status: u16, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let text = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}");
    (Duration::ZERO, text.into_bytes())
}

/// Electricity Maps' answer of `latest`, for a time before now.
fn latest(zone: &str, grams: u32, age: SignedDuration) -> String {
    let at = Timestamp::now() - age;
    json!({
        "zone": zone, "carbonIntensity": grams, "datetime": at.to_string(), "updatedAt": at.to_string(),
        "emissionFactorType": "lifecycle", "isEstimated": false, "estimationMethod": null, "temporalGranularity": "hourly",
    })
    .to_string()
}

/// Assesses a busy workload in Korea against a provider.
fn assess(name: &str, url: &str, secrets: &[(&str, &str)], more: &[&str]) -> Output {
    let (source, url) = (format!("--intensity={name}"), format!("--intensity.url={url}"));
    let fixed = ["assess", "kepler", "--kind=process", "--meter=fake", "--window=1s", "--pue=1.2", &source, &url];
    kepler(&[&fixed[..], more].concat()).envs(secrets.iter().copied()).output().unwrap()
}

const TOKEN: [(&str, &str); 1] = [("ELECTRICITY_MAPS_TOKEN", "em-secret")];
const KOREA: &str = "--region=ap-northeast-2";

#[test]
fn a_verdict_follows_electricity_maps_and_says_so() {
    for (grams, status) in [(300, 0), (424, 10)] {
        let provider = Provider::start(move |_, _| reply(200, "", &latest("KR", grams, SignedDuration::from_mins(20))));
        let output = assess("electricity-maps", &provider.url, &TOKEN, &[KOREA, "--json"]);
        assert_eq!(output.status.code(), Some(status), "{}", text(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let grid = answer["inputs"].as_array().unwrap().iter().find(|input| input["name"] == "grid_intensity").unwrap();
        assert_eq!((&grid["value"], &grid["source"]), (&json!(f64::from(grams)), &json!("Electricity Maps v3")));
        let asked = provider.asked();
        assert!(asked[0].0.starts_with("/v3/carbon-intensity/latest?zone=KR"), "{asked:?}");
        assert!(asked[0].1.contains("auth-token: em-secret"), "{asked:?}");
    }
}

#[test]
fn whatever_a_provider_does_wrong_the_verdict_is_insufficient_data_with_the_reason() {
    let cases: [Fault; 8] = [
        ("401", || reply(401, "", "{}")),
        ("429", || reply(429, "retry-after: 90\r\n", "{}")),
        ("500", || reply(500, "", "oops")),
        ("503", || reply(503, "", "")),
        ("not what Electricity Maps documents", || reply(200, "", "<html>\u{1b}[31m</html>")),
        ("longer than", || reply(200, "", &" ".repeat(9 << 20))),
        ("is stale", || reply(200, "", &latest("KR", 300, SignedDuration::from_hours(30)))),
        ("is broken", || (Duration::ZERO, b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{\"zone\":".to_vec())),
    ];
    for (reason, answer) in cases {
        let provider = Provider::start(move |_, _| answer());
        let output = assess("electricity-maps", &provider.url, &TOKEN, &[KOREA]);
        let page = text(&output.stdout);
        assert_eq!(output.status.code(), Some(11), "{reason}: {page}{}", text(&output.stderr));
        assert!(page.contains(reason), "{reason}: {page}");
        assert!(!page.contains("em-secret") && !page.contains('\u{1b}'), "{page}");
    }
}

#[test]
fn a_provider_that_never_answers_holds_an_answer_up_for_its_time_limit_only() {
    let provider = Provider::start(|_, _| (Duration::from_secs(60), Vec::new()));
    let started = Instant::now();
    let output = assess("electricity-maps", &provider.url, &TOKEN, &[KOREA]);
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    let page = text(&output.stdout);
    assert_eq!(output.status.code(), Some(11), "{page}");
    assert!(page.contains("not answered completely within"), "{page}");
}

#[test]
fn watttime_is_asked_with_a_login_and_by_forecast_where_the_plan_has_no_history() {
    let provider = Provider::start(|path, headers| match path.split('?').next() {
        Some("/login") if headers.contains("authorization: basic ywrhond0lxnly3jlda==") => {
            reply(200, "", r#"{"token":"tok"}"#)
        }
        Some("/v3/forecast") if headers.contains("authorization: bearer tok") => {
            let at = (Timestamp::now() - SignedDuration::from_mins(1)).to_string();
            let meta = json!({ "data_point_period_seconds": 300, "region": "PJM_DC", "units": "lbs_co2_per_mwh" });
            reply(200, "", &json!({ "data": [{ "point_time": at, "value": 1000.0 }], "meta": meta }).to_string())
        }
        Some("/v3/historical") => reply(403, "", "{}"),
        _ => reply(401, "", "{}"),
    });
    let secrets = [("WATTTIME_USER", "ada"), ("WATTTIME_PASSWORD", "wt-secret")];
    let more = ["--region=us-east-1", "--intensity.region=us-east-1=PJM_DC", "--json"];
    let output = assess("watttime", &provider.url, &secrets, &more);
    let page = text(&output.stdout);
    assert!(
        page.contains("WattTime v3 co2_moer (forecast)") && page.contains("453.59"),
        "{page}{}",
        text(&output.stderr)
    );
}

#[test]
fn the_carbon_intensity_api_answers_for_great_britain() {
    let provider = Provider::start(|_, _| {
        let half_hour = |minutes: i64| {
            let seconds = (Timestamp::now().as_second() / 1800) * 1800 + minutes * 60;
            Timestamp::from_second(seconds).unwrap().strftime("%Y-%m-%dT%H:%MZ").to_string()
        };
        let intensity = json!({ "forecast": 151, "actual": 149, "index": "moderate" });
        reply(
            200,
            "",
            &json!({ "data": [{ "from": half_hour(0), "to": half_hour(30), "intensity": intensity }] }).to_string(),
        )
    });
    let output = assess("uk", &provider.url, &[], &["--region=GB", "--json"]);
    assert!(text(&output.stdout).contains("149.0"), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn a_server_keeps_the_last_figure_with_its_age_while_the_provider_fails() {
    let calls = Mutex::new(0);
    let provider = Provider::start(move |_, _| {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        match *calls {
            1 => reply(200, "", &latest("KR", 250, SignedDuration::from_mins(90))),
            _ => reply(500, "", ""),
        }
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "em-secret\n").unwrap();
    let (url, token) =
        (format!("--intensity.url={}", provider.url), format!("--intensity.token-file={}", file.path().display()));
    let server = Server::start(&["--meter=fake", "--intensity=electricity-maps", &url, &token, KOREA, "--pue=1.2"]);
    let grid = || {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let body = r#"{"window":"1s"}"#;
        let (host, length) = (&server.address, body.len());
        write!(
            stream,
            "POST /tools/get_cluster_carbon_summary HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    let answer = loop {
        let answer = grid();
        if answer.contains("\"current_carbon_intensity_gCO2eq_kWh\":300.0") || Instant::now() > deadline {
            break answer;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(answer.contains("\"current_carbon_intensity_gCO2eq_kWh\":300.0"), "{answer}");
    assert!(grid().contains("\"current_carbon_intensity_gCO2eq_kWh\":300.0"));
    assert_eq!(provider.asked().len(), 1, "an answer is taken as new for minutes");
}
