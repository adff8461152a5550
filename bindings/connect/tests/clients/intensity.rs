//! Providers of carbon intensity, against stand-ins that answer in the providers' shapes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use crate::support::{Reply, Request, Server};
use jiff::Timestamp;
use kepler_compliance::intensity::{AccountingMethod, IntensityError, IntensityKind, IntensitySource, SeriesBasis};
use kepler_connect::http::Secret;
use kepler_connect::intensity::{ElectricityMaps, ProviderOptions, UkCarbonIntensity, WattTime};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn options(server: &Server) -> ProviderOptions {
    let mut options = ProviderOptions::default();
    options.base_url = Some(server.url());
    options.http.timeout = Duration::from_millis(400);
    options
}

fn maps(server: &Server) -> ElectricityMaps {
    ElectricityMaps::new(Secret::new("em-secret"), options(server)).unwrap()
}

fn watttime(server: &Server) -> WattTime {
    WattTime::new("ada", Secret::new("wt-secret"), options(server)).unwrap()
}

fn uk(server: &Server) -> UkCarbonIntensity {
    UkCarbonIntensity::new(options(server)).unwrap()
}

/// Replies one after another; the last one for ever.
fn script(replies: Vec<Reply>) -> impl Fn(&Request) -> Reply + Send + Sync {
    let next = AtomicUsize::new(0);
    move |_| replies[next.fetch_add(1, Ordering::Relaxed).min(replies.len() - 1)].clone()
}

const LATEST: &str = r#"{"zone":"KR","carbonIntensity":423,"datetime":"2026-05-01T10:00:00.000Z",
    "updatedAt":"2026-05-01T10:42:00.000Z","emissionFactorType":"lifecycle","isEstimated":true,
    "estimationMethod":"TIME_SLICER_AVERAGE"}"#;

#[test]
fn electricity_maps_gives_the_current_figure_with_its_provenance() {
    let server = Server::start(|_| Reply::ok(LATEST));
    let now = maps(&server).current("KR", time("2026-05-01T10:50:00Z")).unwrap();
    assert_eq!(now.figure.value.grams_per_kilowatt_hour(), 423.0);
    assert_eq!(
        (now.figure.provenance.kind, now.figure.provenance.method),
        (IntensityKind::Average, AccountingMethod::Lifecycle)
    );
    assert!(now.figure.provenance.source.contains("estimated"));
    assert_eq!(now.age, Duration::ZERO, "the hour still lasts");
    let asked = &server.asked()[0];
    assert_eq!(asked.target, "/v3/carbon-intensity/latest?zone=KR&emissionFactorType=lifecycle");
    assert_eq!(asked.header("auth-token"), Some("em-secret"));
}

#[test]
fn electricity_maps_history_keeps_nulls_and_missing_hours_as_gaps() {
    let server = Server::start(|_| {
        Reply::ok(
            r#"{"zone":"KR","history":[
            {"zone":"KR","carbonIntensity":400,"datetime":"2026-05-01T00:00:00.000Z","isEstimated":false},
            {"zone":"KR","carbonIntensity":null,"datetime":"2026-05-01T01:00:00.000Z"},
            {"zone":"KR","carbonIntensity":420,"datetime":"2026-05-01T02:00:00.000Z"},
            {"zone":"KR","carbonIntensity":440,"datetime":"2026-05-01T04:00:00.000Z"}]}"#,
        )
    });
    let (from, to) = (time("2026-05-01T00:30:00Z"), time("2026-05-01T05:00:00Z"));
    let series = maps(&server).history("KR", from, to).unwrap();
    let steps: Vec<_> =
        series.values.steps().iter().map(|s| (s.start.to_string(), s.value.grams_per_kilowatt_hour())).collect();
    let hour = |text: &str| format!("2026-05-01T{text}:00Z");
    assert_eq!(steps, [(hour("00:30"), 400.0), (hour("02:00"), 420.0), (hour("04:00"), 440.0)]);
    assert_eq!(series.values.at(time("2026-05-01T03:30:00Z")), None);
    assert_eq!(series.basis, SeriesBasis::Observed);
}

#[test]
fn a_long_history_is_asked_in_parts_and_a_too_long_one_is_refused() {
    let server = Server::start(|_| {
        Reply::ok(r#"{"zone":"KR","data":[{"carbonIntensity":400,"datetime":"2026-05-01T00:00:00Z"}]}"#)
    });
    let source = maps(&server);
    source.history("KR", time("2026-05-01T00:00:00Z"), time("2026-05-26T00:00:00Z")).unwrap();
    assert_eq!(server.asked().len(), 3);
    assert!(server.asked()[1].target.contains("start=2026-05-11T00%3A00%3A00Z&end=2026-05-21T00%3A00%3A00Z"));
    let error = source.history("KR", time("2020-01-01T00:00:00Z"), time("2026-01-01T00:00:00Z")).unwrap_err();
    assert!(error.to_string().contains("400 days at most"), "{error}");
    assert!(source.history("KR", time("2026-05-02T00:00:00Z"), time("2026-05-01T00:00:00Z")).is_err());
}

#[test]
fn a_forecast_is_kept_and_clipped_to_what_is_asked() {
    let server = Server::start(|_| {
        Reply::ok(
            r#"{"zone":"KR","forecast":[{"carbonIntensity":400,"datetime":"2026-05-01T00:00:00Z"},
            {"carbonIntensity":300,"datetime":"2026-05-01T01:00:00Z"}],"updatedAt":"2026-04-30T23:00:00Z"}"#,
        )
    });
    let source = maps(&server);
    let series = source.forecast("KR", time("2026-05-01T00:30:00Z"), time("2026-05-01T09:00:00Z")).unwrap();
    assert_eq!((series.values.steps().len(), series.basis), (2, SeriesBasis::Forecast));
    assert!(!series.values.covers(time("2026-05-01T00:30:00Z"), time("2026-05-01T09:00:00Z")), "it ends earlier");
    source.forecast("KR", time("2026-05-01T01:00:00Z"), time("2026-05-01T02:00:00Z")).unwrap();
    assert_eq!(server.asked().len(), 1);
    let error = source.forecast("KR", time("2026-06-01T00:00:00Z"), time("2026-06-02T00:00:00Z")).unwrap_err();
    assert!(matches!(error, IntensityError::NoData { .. }), "{error}");
}

#[test]
fn a_figure_of_another_zone_or_method_is_not_taken() {
    let server = Server::start(|_| Reply::ok(LATEST));
    let now = time("2026-05-01T10:50:00Z");
    let error = maps(&server).current("FR", now).unwrap_err().to_string();
    assert!(error.contains("zone `KR`"), "{error}");
    let error = maps(&server).with_method(AccountingMethod::Direct).current("KR", now).unwrap_err().to_string();
    assert!(error.contains("`lifecycle` where `direct`"), "{error}");
}

#[test]
fn the_last_good_figure_serves_with_its_age_while_the_provider_fails() {
    let server = Server::start(script(vec![Reply::ok(LATEST), Reply::status(500)]));
    let mut options = options(&server);
    options.fresh_for = Duration::ZERO;
    let source = ElectricityMaps::new(Secret::new("em-secret"), options).unwrap();
    source.current("KR", time("2026-05-01T10:50:00Z")).unwrap();
    for _ in 0..3 {
        let late = source.current("KR", time("2026-05-01T12:30:00Z")).unwrap();
        assert_eq!(late.age, Duration::from_secs(5400));
    }
    let error = source.current("KR", time("2026-05-01T14:00:00Z")).unwrap_err();
    assert!(matches!(error, IntensityError::Stale { .. }), "it is valid for two hours: {error}");
    assert_eq!(server.asked().len(), 2, "after a fault the provider is left alone");
}

#[test]
fn a_last_figure_that_is_too_old_does_not_serve() {
    let server = Server::start(script(vec![Reply::ok(LATEST), Reply::status(503)]));
    let mut options = options(&server);
    (options.fresh_for, options.keep_last) = (Duration::ZERO, Duration::ZERO);
    let source = ElectricityMaps::new(Secret::new("em-secret"), options).unwrap();
    source.current("KR", time("2026-05-01T10:50:00Z")).unwrap();
    assert!(source.current("KR", time("2026-05-01T10:51:00Z")).is_err());
}

#[test]
fn too_many_requests_are_followed_by_the_pause_that_the_provider_asks_for() {
    let wait = vec![("retry-after", "77".to_string())];
    let server = Server::start(move |_| Reply::Full(429, wait.clone(), Vec::new()));
    let source = maps(&server);
    for zone in ["KR", "FR", "DE"] {
        match source.current(zone, time("2026-05-01T10:50:00Z")).unwrap_err() {
            IntensityError::Unavailable { reason, retry_after: Some(wait), .. } => {
                assert!((75..=77).contains(&wait.as_secs()), "{wait:?}");
                assert!(reason.contains("status 429"), "{reason}");
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_plan_without_forecasts_still_gives_current_figures() {
    let server = Server::start(|request| match request.path() {
        "/v3/carbon-intensity/forecast" => Reply::status(403),
        _ => Reply::ok(LATEST),
    });
    let source = maps(&server);
    let (from, to) = (time("2026-05-01T10:00:00Z"), time("2026-05-01T12:00:00Z"));
    for _ in 0..2 {
        let error = source.forecast("KR", from, to).unwrap_err().to_string();
        assert!(error.contains("rights or plan"), "{error}");
    }
    assert!(source.current("KR", from).is_ok());
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn errors_name_provider_address_and_remedy_but_no_secret() {
    for (reply, expected) in [
        (Reply::status(401), "check the token"),
        (Reply::status(403), "check its rights or plan"),
        (Reply::status(404), "check the path"),
        (Reply::status(500), "the server has a fault"),
        (
            Reply::Full(302, vec![("location", "http://elsewhere/?t=em-secret".into())], vec![]),
            "redirect to http://elsewhere/",
        ),
        (Reply::ok("<html>em-secret</html>"), "not what Electricity Maps documents"),
        (Reply::ok("{}"), "neither a figure nor a series"),
        (
            Reply::ok(r#"{"zone":"KR","history":[{"carbonIntensity":"high","datetime":"2026-05-01T00:00:00Z"}]}"#),
            "not what",
        ),
        (Reply::Truncated(LATEST.into()), "is broken"),
        (Reply::Raw(b"220 mail.example ESMTP\r\n"), "is broken"),
        (Reply::Silent(Duration::from_secs(60)), "within 0.4 s"),
        (Reply::Slow(LATEST.into(), Duration::from_millis(100)), "within 0.4 s"),
    ] {
        let server = Server::start(move |_| reply.clone());
        let begun = Instant::now();
        let error = maps(&server).current("KR", time("2026-05-01T10:50:00Z")).unwrap_err().to_string();
        assert!(begun.elapsed() < Duration::from_secs(20), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("Electricity Maps") && error.contains(&server.url()), "{error}");
        assert!(!error.contains("em-secret"), "{error}");
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    // A port that was free a moment ago.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut options = ProviderOptions::default();
    options.base_url = Some(format!("http://{gone}"));
    let source = UkCarbonIntensity::new(options).unwrap();
    let error = source.current("GB", time("2026-05-01T00:00:00Z")).unwrap_err().to_string();
    assert!(error.contains("cannot be reached") && error.contains(&gone.to_string()), "{error}");
}

#[test]
fn an_answer_longer_than_allowed_is_refused() {
    let server = Server::start(|_| Reply::ok(" ".repeat(5000) + LATEST));
    let mut options = options(&server);
    options.http.max_body_bytes = 4096;
    let source = ElectricityMaps::new(Secret::new("t"), options).unwrap();
    let error = source.current("KR", time("2026-05-01T10:50:00Z")).unwrap_err().to_string();
    assert!(error.contains("longer than 4096 bytes"), "{error}");
}

#[test]
fn a_clock_that_is_hours_behind_is_noticed() {
    let server = Server::start(|_| Reply::ok(LATEST));
    let source = maps(&server);
    let error = source.current("KR", time("2026-05-01T04:00:00Z")).unwrap_err().to_string();
    assert!(error.contains("set this host's clock"), "{error}");
    let nearly = source.current("KR", time("2026-05-01T09:58:00Z")).unwrap();
    assert_eq!(nearly.age, Duration::ZERO, "two minutes are no fault");
}

#[test]
fn many_callers_make_one_request() {
    let server = Server::start(|_| {
        thread::sleep(Duration::from_millis(100));
        Reply::ok(LATEST)
    });
    let source = Arc::new(maps(&server));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let source = source.clone();
            thread::spawn(move || source.current("KR", time("2026-05-01T10:50:00Z")).unwrap())
        })
        .collect();
    callers.into_iter().for_each(|caller| drop(caller.join().unwrap()));
    assert_eq!(server.asked().len(), 1);
}

const MOER: &str = r#"{"data":[{"point_time":"2026-05-01T10:00:00+00:00","value":1000.0,"last_updated":"x"},
    {"point_time":"2026-05-01T10:05:00+00:00","value":null},
    {"point_time":"2026-05-01T10:10:00+00:00","value":800.0}],
    "meta":{"data_point_period_seconds":300,"region":"CAISO_NORTH","signal_type":"co2_moer",
    "units":"lbs_co2_per_mwh","model":{"date":"2023-03-01"},"warnings":[]}}"#;

#[test]
fn watttime_logs_in_once_and_converts_pounds() {
    let server = Server::start(|request| match request.path() {
        "/login" => Reply::ok(r#"{"token":"tok-1"}"#),
        _ => Reply::ok(MOER),
    });
    let source = watttime(&server);
    let now = source.current("US-CAL-CISO", time("2026-05-01T10:03:00Z")).unwrap();
    assert!((now.figure.value.grams_per_kilowatt_hour() - 453.592_37).abs() < 1e-9);
    assert_eq!(now.figure.provenance.kind, IntensityKind::Marginal);
    let series = source.forecast("US-CAL-CISO", time("2026-05-01T10:00:00Z"), time("2026-05-01T11:00:00Z")).unwrap();
    assert_eq!(series.values.steps().len(), 2);
    assert_eq!(series.values.at(time("2026-05-01T10:07:00Z")), None, "a null is a gap");
    let asked = server.asked();
    assert_eq!(asked.len(), 3, "one login, two questions");
    assert_eq!(asked[0].header("authorization"), Some("Basic YWRhOnd0LXNlY3JldA=="));
    assert_eq!(asked[1].header("authorization"), Some("Bearer tok-1"));
    assert!(asked[1].target.starts_with("/v3/historical?region=CAISO_NORTH&signal_type=co2_moer&start=2026-05-01T08"));
}

#[test]
fn watttime_logs_in_again_when_the_token_has_run_out() {
    let logins = AtomicUsize::new(0);
    let server = Server::start(move |request| match request.path() {
        "/login" => Reply::ok(format!(r#"{{"token":"tok-{}"}}"#, logins.fetch_add(1, Ordering::Relaxed))),
        _ if request.header("authorization") == Some("Bearer tok-0") => Reply::status(401),
        _ => Reply::ok(MOER),
    });
    watttime(&server).current("US-CAL-CISO", time("2026-05-01T10:03:00Z")).unwrap();
    assert_eq!(server.asked().len(), 4);
}

#[test]
fn watttime_takes_the_forecast_for_an_account_that_may_not_ask_for_what_was_observed() {
    for status in [403, 404] {
        let server = Server::start(move |request| match request.path() {
            "/login" => Reply::ok(r#"{"token":"t"}"#),
            "/v3/forecast" => Reply::ok(MOER),
            _ => Reply::status(status),
        });
        let source = watttime(&server);
        let now = source.current("US-CAL-CISO", time("2026-05-01T10:03:00Z")).unwrap();
        assert_eq!(now.figure.provenance.source, "WattTime v3 co2_moer (forecast)");
        source.current("US-CAL-CISO", time("2026-05-01T10:03:00Z")).unwrap();
        assert_eq!(server.asked().len(), 3, "kept like any answer");
    }
    let server = Server::start(|request| match request.path() {
        "/login" => Reply::ok(r#"{"token":"t"}"#),
        _ => Reply::status(403),
    });
    let error = watttime(&server).current("US-CAL-CISO", time("2026-05-01T10:03:00Z")).unwrap_err().to_string();
    assert!(error.contains("/v3/historical") && error.contains("rights or plan"), "{error}");
}

#[test]
fn electricity_maps_is_asked_by_its_own_keys_and_a_zone_it_does_not_have_is_named() {
    let server = Server::start(|request| {
        let (_, rest) = request.target.split_once("zone=").unwrap();
        let key = rest.split('&').next().unwrap();
        match key {
            "AS" => Reply::Full(404, Vec::new(), b"{\"error\":\"Zone 'AS' does not exist.\"}".to_vec()),
            key => Reply::ok(LATEST.replace("\"KR\"", &format!("\"{key}\""))),
        }
    });
    let source = maps(&server).zone("US-CA", "US-CAL-CISO");
    let now = time("2026-05-01T10:50:00Z");
    for (zone, key) in
        [("ID-JW", "ID"), ("MX-QRO", "MX"), ("CN-GD", "CN"), ("US-CA", "US-CAL-CISO"), ("US-SW-AZPS", "US-SW-AZPS")]
    {
        let current = source.current(zone, now).unwrap();
        assert_eq!(current.figure.provenance.zone, zone);
        assert!(server.asked().last().unwrap().target.contains(&format!("zone={key}&")), "{zone}");
        assert_eq!(current.figure.provenance.source.contains(&format!("zone {key}")), zone != key, "{zone}");
    }
    let error = source.current("US-TX", now).unwrap_err();
    assert!(matches!(&error, IntensityError::UnknownZone { zone, .. } if zone == "US-TX"), "{error}");
    let error = source.current("AS", now).unwrap_err().to_string();
    assert!(error.contains("no zone `AS`"), "{error}");
    assert!(source.current("KR", now).is_ok(), "one zone that is not there stops no other");
}

#[test]
fn a_base_url_may_end_in_the_version() {
    let server = Server::start(|_| Reply::ok(LATEST));
    let mut options = options(&server);
    options.base_url = Some(format!("{}/proxy/v3/", server.url()));
    let source = ElectricityMaps::new(Secret::new("t"), options).unwrap();
    source.current("KR", time("2026-05-01T10:50:00Z")).unwrap();
    assert_eq!(server.asked()[0].path(), "/proxy/v3/carbon-intensity/latest");
}

#[test]
fn watttime_refuses_a_wrong_login_another_unit_and_zones_without_region() {
    let server = Server::start(|_| Reply::status(401));
    let error = watttime(&server).current("US-CAL-CISO", time("2026-05-01T10:03:00Z")).unwrap_err().to_string();
    assert!(error.contains("/login") && error.contains("user and password") && !error.contains("wt-secret"), "{error}");
    assert_eq!(server.asked().len(), 1);
    let server = Server::start(|request| match request.path() {
        "/login" => Reply::ok(r#"{"token":"t"}"#),
        "/v3/region-from-loc" => Reply::ok(r#"{"region":"KOR","region_full_name":"x","signal_type":"co2_moer"}"#),
        _ => Reply::ok(MOER.replace("lbs_co2_per_mwh", "percentile")),
    });
    let source = watttime(&server);
    let error = source.current("US-CAL-CISO", time("2026-05-01T10:03:00Z")).unwrap_err().to_string();
    assert!(error.contains("`percentile`"), "{error}");
    let error = source.current("KR", time("2026-05-01T10:03:00Z")).unwrap_err();
    assert!(matches!(error, IntensityError::UnknownZone { .. }), "{error}");
    assert_eq!(source.region_from_location(37.57, 126.98).unwrap(), "KOR");
}

const HALF_HOURS: &str = r#"{"data":[
    {"from":"2026-05-01T09:30Z","to":"2026-05-01T10:00Z","intensity":{"forecast":150,"actual":160,"index":"moderate"}},
    {"from":"2026-05-01T10:00Z","to":"2026-05-01T10:30Z","intensity":{"forecast":170,"actual":null,"index":"moderate"}},
    {"from":"2026-05-01T10:30Z","to":"2026-05-01T11:00Z","intensity":{"forecast":null,"actual":null,"index":"low"}}]}"#;

#[test]
fn great_britain_gives_actual_figures_and_says_where_it_is_a_forecast() {
    let server = Server::start(|_| Reply::ok(HALF_HOURS));
    let source = uk(&server);
    let (from, to) = (time("2026-05-01T10:00:00Z"), time("2026-05-01T11:00:00Z"));
    let now = source.current("GB", time("2026-05-01T10:10:00Z")).unwrap();
    assert_eq!(now.figure.value.grams_per_kilowatt_hour(), 170.0);
    assert!(now.figure.provenance.source.contains("forecast"));
    assert!(matches!(source.history("GB", from, to), Err(IntensityError::NoData { .. })), "none is metered yet");
    let before = source.history("GB", time("2026-05-01T09:30:00Z"), to).unwrap();
    assert_eq!(before.values.steps().len(), 1);
    let forecast = source.forecast("GB", from, to).unwrap();
    assert_eq!(forecast.values.steps().len(), 1, "the interval before the asked one is not part of the answer");
    let targets: Vec<_> = server.asked().into_iter().map(|request| request.target).collect();
    assert_eq!(targets[0], "/intensity");
    assert_eq!(targets[1], "/intensity/2026-05-01T10:00Z/2026-05-01T11:00Z");
    assert_eq!(targets[3], "/intensity/2026-05-01T10:00Z/fw48h");
    assert!(matches!(source.current("FR", from), Err(IntensityError::UnknownZone { .. })));
}

#[test]
fn a_base_url_that_is_none_is_refused_at_once() {
    let mut options = ProviderOptions::default();
    options.base_url = Some("localhost:8080".into());
    let error = UkCarbonIntensity::new(options).unwrap_err().to_string();
    assert!(error.contains("http://HOST"), "{error}");
}
