//! Meters outside of the machine, as their makers document their answers.

use crate::support::{Reply, Request, Server};
use kepler_connect::external::{ExternalMeter, ExternalPlace, ExternalSource};
use kepler_connect::http::{Auth, Secret};
use kepler_core::meter::Method;
use kepler_core::platform::{PlatformBoard, PlatformError, PlatformMeter, PlatformReading, PlatformSource as _};
use kepler_core::units::Power;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A Shelly Plus Plug S: `Switch.GetStatus` (Gen2+ API of Shelly, 2024).
fn shelly() -> Value {
    json!({
        "id": 0, "source": "WS_in", "output": true, "apower": 87.3, "voltage": 230.1, "current": 0.412,
        "aenergy": {"total": 11.679, "by_minute": [0.0, 0.0, 0.0], "minute_ts": 1_654_511_972},
        "temperature": {"tC": 53.3, "tF": 127.9},
    })
}

/// A plug with Tasmota: `Status 8` (14.x).
fn tasmota() -> Value {
    json!({"StatusSNS": {
        "Time": "2026-01-05T11:02:21",
        "ENERGY": {
            "TotalStartTime": "2023-04-11T08:15:42", "Total": 512.013, "Yesterday": 1.892, "Today": 0.823, "Power": 82,
            "ApparentPower": 101, "ReactivePower": 58, "Factor": 0.82, "Voltage": 231, "Current": 0.436,
        },
    }})
}

fn json_meter(server: &Server, path: &str, field: &str) -> ExternalMeter {
    ExternalMeter::new("plug", ExternalPlace::json(format!("{}{path}", server.url()), field))
}

fn read(meter: ExternalMeter) -> Result<(PlatformMeter, PlatformReading), PlatformError> {
    ExternalSource::new(meter).unwrap().read().map(|mut readings| readings.remove(0))
}

#[test]
fn a_number_is_found_in_the_answers_of_real_plugs() {
    let server = Server::start(|request: &Request| match request.target.as_str() {
        path if path.starts_with("/rpc/Switch.GetStatus") => Reply::ok(shelly().to_string()),
        path if path.starts_with("/cm") => Reply::ok(tasmota().to_string()),
        _ => Reply::status(404),
    });
    let (meter, reading) = read(json_meter(&server, "/rpc/Switch.GetStatus?id=0", "/apower")).unwrap();
    assert_eq!((meter.source, &*meter.bmc_id, &*meter.source_id), ("http", "plug", "/apower"));
    assert!((reading.power.watts() - 87.3).abs() < 1e-9 && reading.age < Duration::from_secs(60));
    assert!(!meter.path.contains('?'), "{}", meter.path);
    let (_, reading) = read(json_meter(&server, "/cm?cmnd=Status%208", "/StatusSNS/ENERGY/Power")).unwrap();
    assert!((reading.power.watts() - 82.0).abs() < 1e-9);
    // The time of the minute that Shelly tells is years ago: the board does not believe it.
    let mut old = json_meter(&server, "/rpc/Switch.GetStatus?id=0", "/apower");
    if let ExternalPlace::Json { time_field, .. } = &mut old.place {
        *time_field = Some("/aenergy/minute_ts".to_owned());
    }
    let (meter, reading) = read(old).unwrap();
    let board = PlatformBoard::default();
    board.report(&meter, reading);
    assert_eq!(board.fault(&meter), Some("stale"));
}

#[test]
fn what_is_no_reading_says_where_and_why() {
    let server = Server::start(|request: &Request| match request.target.as_str() {
        "/text" => Reply::ok("<html>"),
        "/null" => Reply::ok(r#"{"apower": null, "text": "n/a", "exponent": 1e999}"#),
        "/null2" => Reply::ok(r#"{"apower": null, "text": "n/a"}"#),
        _ => Reply::status(401),
    });
    for (path, field, fault, said) in [
        ("/text", "/apower", "malformed", "is no JSON"),
        ("/null2", "/apower", "malformed", "`/apower`"),
        ("/null2", "/text", "malformed", "is no number"),
        ("/null2", "/power", "no_data", "has no `/power`"),
        ("/else?password=secret", "/apower", "refused", "401"),
    ] {
        let error = read(json_meter(&server, path, field)).unwrap_err();
        assert!(error.fault == fault && error.to_string().contains(said), "{path} {field}: {} {error}", error.fault);
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert_eq!(read(json_meter(&server, "/null", "/apower")).unwrap_err().fault, "malformed");
    let unreachable = ExternalMeter::new("plug", ExternalPlace::json("http://127.0.0.1:9/x", "/apower"));
    assert_eq!(read(unreachable).unwrap_err().fault, "unreachable");
}

/// The answer of Prometheus to an instant query.
fn vector(values: &[f64], at: f64) -> Reply {
    let row = |value: &f64| json!({"metric": {"outlet": "7"}, "value": [at, value.to_string()]});
    let rows: Vec<Value> = values.iter().map(row).collect();
    Reply::ok(json!({"status": "success", "data": {"resultType": "vector", "result": rows}}).to_string())
}

const NOW: f64 = 1_700_000_000.0;

/// Prometheus with an SNMP exporter's outlet, which it scraped `age` seconds ago.
fn prometheus(age: f64, values: &'static [f64]) -> Server {
    Server::start(move |request: &Request| {
        let form = &request.body;
        assert!(!form.contains("time="), "the server's own clock counts: {form}");
        if form.contains("query=timestamp") { vector(&[NOW - age], NOW) } else { vector(values, NOW) }
    })
}

fn query(server: &Server) -> ExternalMeter {
    let query = r#"rPDU2OutletMeteredStatusPower{instance="pdu-3",index="7"}"#;
    ExternalMeter::new("pdu", ExternalPlace::prometheus(server.url(), query))
}

#[test]
fn a_query_of_prometheus_is_read_in_its_unit_with_the_age_of_its_sample() {
    let server = prometheus(45.0, &[0.251]);
    let mut meter = query(&server);
    (meter.unit_watts, meter.error_ratio) = (1000.0, Some(0.05));
    let (meter, reading) = read(meter).unwrap();
    assert_eq!((meter.source, &*meter.source_type), ("prometheus", "Query"));
    assert_eq!(meter.method, Method::Estimated { error_ratio: 0.05 });
    assert!((reading.power.watts() - 251.0).abs() < 1e-9);
    assert!((45.0..75.0).contains(&reading.age.as_secs_f64()), "{:?}", reading.age);
    assert_eq!(meter.max_power, Power::from_watts(30_000.0));
}

#[test]
fn of_no_series_and_of_several_none_is_taken() {
    assert_eq!(read(query(&prometheus(0.0, &[]))).unwrap_err().fault, "no_data");
    let error = read(query(&prometheus(0.0, &[1.0, 2.0]))).unwrap_err();
    assert!(error.fault == "ambiguous" && error.to_string().contains("brings 2 series"), "{error}");
    let refusing = Server::start(|_: &Request| {
        let body = json!({"status": "error", "errorType": "bad_data", "error": "parse error: unexpected end of input"});
        Reply::Full(400, Vec::new(), body.to_string().into_bytes())
    });
    let error = read(query(&refusing)).unwrap_err();
    assert!(error.fault == "refused" && error.to_string().contains("parse error"), "{error}");
}

/// A plug with a password, as Shelly documents it: a client that does not answer its challenge gets 401 with a new one. It tells what it
/// was sent, and forgets its nonce after `lasts` answers.
fn with_password(challenge: &'static str, lasts: usize, sent: Arc<Mutex<Vec<String>>>) -> Server {
    let taken = Mutex::new((0usize, 0usize));
    Server::start(move |request: &Request| {
        let authorization = request.header("authorization").unwrap_or_default().to_owned();
        sent.lock().unwrap().push(authorization.clone());
        let mut state = taken.lock().unwrap();
        let (nonce, used) = *state;
        let is_answer = authorization.contains(&format!("nonce=\"nonce{nonce}\""))
            && authorization.contains(&format!("nc={:08x}", used + 1))
            && authorization.contains("username=\"admin\"")
            && authorization.contains("uri=\"/rpc/Switch.GetStatus?id=0\"");
        if is_answer && used < lasts {
            state.1 += 1;
            return Reply::ok(shelly().to_string());
        }
        *state = (nonce + 1, 0);
        let challenge = challenge.replace("NONCE", &format!("nonce{}", nonce + 1));
        Reply::Full(401, vec![("www-authenticate", challenge)], Vec::new())
    })
}

const SHELLY: &str = r#"Digest qop="auth", realm="shellyplusplugs-a8032ab1", nonce="NONCE", algorithm=SHA-256"#;

#[test]
fn a_plug_with_a_password_is_answered_by_a_digest_and_asked_again_when_its_nonce_is_old() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let server = with_password(SHELLY, 2, Arc::clone(&sent));
    let mut meter = json_meter(&server, "/rpc/Switch.GetStatus?id=0", "/apower");
    meter.auth = Auth::Digest { user: "admin".into(), password: Secret::new("secret") };
    let mut source = ExternalSource::new(meter).unwrap();
    for _ in 0..5 {
        assert!((source.read().unwrap()[0].1.power.watts() - 87.3).abs() < 1e-9);
    }
    let sent = sent.lock().unwrap();
    // Five answers, the first request without any, and two that came with an old nonce.
    assert_eq!(sent.len(), 8, "{sent:?}");
    assert!(sent.iter().all(|header| !header.contains("secret") && !header.contains("Basic")), "{sent:?}");
}

#[test]
fn a_wrong_password_is_asked_twice_at_most_and_what_is_not_spoken_is_named() {
    for (challenge, asked, said) in [
        (SHELLY, 2, "401"),
        (r#"Digest qop="auth", realm="fritz", nonce="NONCE", algorithm=MD5"#, 1, "asks for Digest by MD5"),
        (r#"Basic realm="tasmota""#, 1, "asks for Basic"),
    ] {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let server = with_password(challenge, 0, Arc::clone(&sent));
        let mut meter = json_meter(&server, "/rpc/Switch.GetStatus?id=0", "/apower");
        meter.auth = Auth::Digest { user: "admin".into(), password: Secret::new("wrong") };
        let error = read(meter).unwrap_err();
        assert!(error.fault == "refused" && error.to_string().contains(said), "{error}");
        assert_eq!(sent.lock().unwrap().len(), asked, "{challenge}");
    }
}
