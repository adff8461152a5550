use super::*;
use crate::series::Step;

fn parse_with(text: &str, options: &FileOptions) -> Result<FileSource, IntensityFileError> {
    FileSource::parse(Path::new("grid"), text, &Zones::embedded().unwrap(), options)
}

fn parse(text: &str) -> Result<FileSource, IntensityFileError> {
    parse_with(text, &FileOptions::default())
}

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn steps(source: &FileSource, zone: &str) -> Vec<(String, String, f64)> {
    let series = source.history(zone, Timestamp::MIN, Timestamp::MAX).unwrap();
    let text = |step: &Step<CarbonIntensity>| {
        (step.start.to_string(), step.end.to_string(), step.value.grams_per_kilowatt_hour())
    };
    series.values.steps().iter().map(text).collect()
}

fn half_hour_and_hour() -> Vec<(String, String, f64)> {
    vec![
        ("2026-01-01T00:00:00Z".to_owned(), "2026-01-01T00:30:00Z".to_owned(), 400.0),
        ("2026-01-01T00:30:00Z".to_owned(), "2026-01-01T01:30:00Z".to_owned(), 300.5),
    ]
}

#[test]
fn csv_json_and_the_carbon_aware_sdk_say_the_same() {
    let csv =
        "zone,start,end,g_per_kwh\nKR,2026-01-01T09:00+09:00,,400\nKR,2026-01-01T00:30Z,2026-01-01T01:30Z,300.5\n";
    let json = r#"[{"zone": "KR", "start": "2026-01-01T00:00Z", "g_per_kwh": 400},
        {"zone": "KR", "start": "2026-01-01T00:30Z", "end": "2026-01-01T01:30Z", "g_per_kwh": 300.5}]"#;
    let sdk = r#"{"Emissions": [
        {"Location": "koreacentral", "Time": "2026-01-01T00:00:00", "Rating": "400", "Duration": "00:30:00"},
        {"Location": "koreacentral", "Time": "2026-01-01T00:30:00+00:00", "Rating": 300.5, "Duration": "01:00"}]}"#;
    let answer = r#"[{"location": "koreacentral", "time": "2026-01-01T00:00:00+00:00", "rating": 400, "duration": "00:30:00"},
        {"location": "koreacentral", "time": "2026-01-01T00:30:00+00:00", "rating": 300.5, "duration": "01:00:00"}]"#;
    let forecast = r#"[{"generatedAt": "2026-01-01T00:00:00+00:00", "location": "koreacentral", "windowSize": 30,
        "optimalDataPoints": [], "forecastData": [
        {"location": "koreacentral", "timestamp": "2026-01-01T00:00:00+00:00", "duration": 30, "value": 400},
        {"location": "koreacentral", "timestamp": "2026-01-01T00:30:00+00:00", "duration": 60, "value": 300.5}]}]"#;
    let marked = format!("\u{feff}{csv}");
    for text in [csv, json, sdk, answer, forecast, &marked] {
        assert_eq!(steps(&parse(text).unwrap(), "KR"), half_hour_and_hour(), "{text}");
    }
}

#[test]
fn exports_of_electricity_maps_give_the_column_of_the_method_asked_for() {
    for header in [
        "Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO₂eq/kWh (direct),Carbon intensity gCO₂eq/kWh (Life cycle),Carbon-free energy percentage (CFE%),Renewable energy percentage (RE%),Data source,Data estimated,Data estimation method",
        "Datetime (UTC),Country,Zone Name,Zone Id,Carbon Intensity gCO₂eq/kWh (direct),Carbon Intensity gCO₂eq/kWh (LCA),Low Carbon Percentage,Renewable Percentage,Data Source,Data Estimated,Data Estimation Method",
    ] {
        let text = format!(
            "{header}\n2026-01-01 00:00:00,Sweden,South Central Sweden,SE-SE3,3.1,21.4,99,70,ENTSOE,false,\n\
             2026-01-01 01:00:00,Sweden,South Central Sweden,SE-SE3,,22.4,99,70,ENTSOE,true,TIME_SLICER\n"
        );
        let direct = parse(&text).unwrap();
        assert_eq!(steps(&direct, "SE-SE3").len(), 1, "an empty cell is a gap");
        let lifecycle = FileOptions { method: Some(AccountingMethod::Lifecycle), ..FileOptions::default() };
        let lifecycle = parse_with(&text, &lifecycle).unwrap();
        assert_eq!(steps(&lifecycle, "SE-SE3")[1].2, 22.4);
        let figure = lifecycle.current("SE-SE3", at("2026-01-01T01:10:00Z")).unwrap().figure;
        assert_eq!(figure.provenance.method, AccountingMethod::Lifecycle);
        assert!(figure.provenance.source.starts_with("Electricity Maps"));
    }
}

#[test]
fn saved_answers_of_providers_are_read_as_they_are() {
    let maps = r#"{"zone": "KR", "temporalGranularity": "hourly", "history": [
        {"zone": "KR", "carbonIntensity": 400, "datetime": "2026-01-01T00:00:00.000Z", "emissionFactorType": "lifecycle", "isEstimated": true}]}"#;
    let figure = parse(maps).unwrap().current("KR", at("2026-01-01T00:10:00Z")).unwrap().figure;
    assert_eq!(figure.provenance.method, AccountingMethod::Lifecycle);
    assert!(figure.provenance.source.contains("estimated in part"));
    let latest = r#"{"zone": "DE", "carbonIntensity": 302, "datetime": "2026-01-01T00:00:00.000Z", "emissionFactorType": "direct"}"#;
    assert_eq!(steps(&parse(latest).unwrap(), "DE")[0].2, 302.0);
    let watttime = r#"{"data": [{"point_time": "2026-01-01T00:00:00+00:00", "value": 1000.0}],
        "meta": {"data_point_period_seconds": 300, "region": "CAISO_NORTH", "units": "lbs_co2_per_mwh", "signal_type": "co2_moer"}}"#;
    let source = parse(watttime).unwrap();
    assert!((steps(&source, "US-CAL-CISO")[0].2 - 453.592_37).abs() < 1e-9);
    let figure = source.current("US-CAL-CISO", at("2026-01-01T00:04:00Z")).unwrap().figure;
    assert_eq!(figure.provenance.kind, IntensityKind::Marginal);
    let britain = r#"{"data": [{"from": "2026-01-01T00:00Z", "to": "2026-01-01T00:30Z",
        "intensity": {"forecast": 180, "actual": null, "index": "moderate"}}]}"#;
    assert_eq!(steps(&parse(britain).unwrap(), "GB")[0].2, 180.0);
    assert!(error(&watttime.replace("lbs_co2_per_mwh", "usd_per_mwh")).contains("unit"));
}

#[test]
fn a_region_of_a_provider_that_is_no_known_name_is_the_zone_that_the_caller_says() {
    let text = r#"{"data": [{"point_time": "2026-01-01T00:00:00Z", "value": 900.0}],
        "meta": {"region": "PJM_DC", "units": "lbs_co2_per_mwh"}}"#;
    assert!(error(text).contains("no known zone"));
    let options = FileOptions { zone: Some("us-east-1".to_owned()), ..FileOptions::default() };
    assert_eq!(parse_with(text, &options).unwrap().zones(), ["US-MIDA-PJM"]);
}

#[test]
fn every_name_of_a_zone_names_it() {
    for name in ["KR", "kr", "ap-northeast-2", "Seoul", "서울", "ap-northeast-2a", "South Korea"] {
        let source = parse(&format!("zone,start,g_per_kwh\n{name},2026-01-01T00:00Z,400\n")).unwrap();
        assert_eq!(source.zones(), ["KR"], "{name}");
    }
}

#[test]
fn an_unknown_name_is_left_out_with_its_reason_and_never_the_whole_file() {
    let source = parse("zone,start,g_per_kwh\nKR,2026-01-01T00:00Z,400\nAtlantis,2026-01-01T00:00Z,1\n").unwrap();
    assert_eq!(source.zones(), ["KR"]);
    assert!(source.skipped()[0].contains("Atlantis"));
    assert!(source.current("JP", at("2026-01-01T00:00:00Z")).unwrap_err().to_string().contains("Atlantis"));
    assert!(error("zone,start,g_per_kwh\nAtlantis,2026-01-01T00:00Z,1\n").contains("no known zone"));
}

#[test]
fn two_names_of_one_zone_may_agree_and_the_second_is_left_out_where_they_do_not() {
    let file = |second: &str| {
        format!("zone,start,g_per_kwh\neastus,2026-01-01T00:00Z,400\neastus2,2026-01-01T00:00Z,{second}\n")
    };
    assert!(parse(&file("400")).unwrap().skipped().is_empty());
    let source = parse(&file("380")).unwrap();
    assert_eq!(steps(&source, "US-MIDA-PJM")[0].2, 400.0);
    assert!(source.skipped()[0].contains("eastus2"));
}

#[test]
fn a_stale_series_speaks_for_nothing_and_says_its_age() {
    let source = parse("zone,start,end,g_per_kwh\nKR,2025-11-28T00:00Z,2025-11-28T01:00Z,10\n").unwrap();
    assert_eq!(source.current("KR", at("2025-11-28T00:59:00Z")).unwrap().age.as_secs(), 0);
    assert_eq!(source.current("KR", at("2025-11-28T01:50:00Z")).unwrap().age.as_secs(), 50 * 60);
    let late = source.current("KR", at("2026-11-28T01:00:00Z")).unwrap_err();
    assert!(matches!(&late, IntensityError::Stale { age, .. } if age.as_secs() == 365 * 86_400), "{late}");
    assert!(late.to_string().contains("365 d ago"), "{late}");
    let forecast = source.forecast("KR", at("2026-11-28T01:00:00Z"), at("2026-11-29T01:00:00Z"));
    assert!(matches!(forecast, Err(IntensityError::Ended { .. })));
}

#[test]
fn a_last_row_without_an_end_is_valid_for_two_hours_at_most_however_far_apart_the_rows_are() {
    let yearly = "zone,start,g_per_kwh\nKR,2024-11-28T00:00Z,10\nKR,2025-11-28T00:00Z,10\n";
    let source = parse(yearly).unwrap();
    assert!(source.current("KR", at("2025-11-28T01:59:00Z")).is_ok());
    assert!(source.current("KR", at("2025-11-28T02:01:00Z")).is_err());
    let alone = parse("zone,start,g_per_kwh\nKR,2025-11-28T00:00Z,10\n").unwrap();
    assert!(alone.current("KR", at("2025-11-28T01:59:00Z")).is_ok());
    assert!(alone.current("KR", at("2025-11-28T02:01:00Z")).is_err());
}

#[test]
fn the_caller_may_say_how_long_a_series_is_valid() {
    let options = FileOptions { validity: Some(Duration::from_secs(86_400)), ..FileOptions::default() };
    let text = "zone,start,end,g_per_kwh\nKR,2025-11-28T00:00Z,2025-11-28T01:00Z,10\n";
    let source = parse_with(text, &options).unwrap();
    assert!(source.current("KR", at("2025-11-29T00:59:00Z")).is_ok());
    assert!(source.current("KR", at("2025-11-29T01:01:00Z")).is_err());
}

#[test]
fn a_series_of_the_future_says_when_it_begins() {
    let source = parse("zone,start,g_per_kwh\nKR,2030-01-01T00:00Z,10\n").unwrap();
    let early = source.current("KR", at("2026-01-01T00:00:00Z")).unwrap_err();
    assert!(matches!(early, IntensityError::NotYet { .. }) && early.to_string().contains("2030-01-01"), "{early}");
    assert!(source.forecast("KR", at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z")).is_err());
}

#[test]
fn missing_rows_are_a_gap_that_is_stale_like_an_end() {
    let hours = "zone,start,g_per_kwh\nKR,2026-01-01T06:00Z,4\nKR,2026-01-01T00:00Z,1\nKR,2026-01-01T01:00Z,2\nKR,2026-01-01T02:00Z,3\n";
    let source = parse(hours).unwrap();
    let seen = steps(&source, "KR");
    assert_eq!(seen[2].1, "2026-01-01T03:00:00Z", "not until 06:00");
    assert!(source.current("KR", at("2026-01-01T03:30:00Z")).is_ok());
    assert!(source.current("KR", at("2026-01-01T05:00:00Z")).is_err());
}

#[test]
fn months_of_unequal_length_are_no_gaps() {
    let months: String = (1..=12).map(|month| format!("KR,2025-{month:02}-01,4{month:02}\n")).collect();
    let source = parse(&format!("zone,start,g_per_kwh\n{months}")).unwrap();
    let series = source.history("KR", Timestamp::MIN, Timestamp::MAX).unwrap();
    assert!(series.values.covers(at("2025-01-01T00:00:00Z"), at("2025-12-01T00:00:00Z")));
}

#[test]
fn equal_rows_count_once_and_rows_that_contradict_are_named() {
    let row = "KR,2026-01-01T00:00Z,2026-01-01T01:00Z";
    let twice = |other: &str| format!("zone,start,end,g_per_kwh\n{row},400\n{row},{other}\n");
    assert_eq!(steps(&parse(&twice("400")).unwrap(), "KR").len(), 1);
    let text = error(&twice("401"));
    assert!(text.contains("rows 1 and 2") && text.contains("2026-01-01T00:00:00Z"), "{text}");
    let overlap = "zone,start,end,g_per_kwh\nKR,2026-01-01T01:00Z,2026-01-01T03:00Z,1\nKR,2026-01-01T00:00Z,2026-01-01T02:00Z,1\n";
    assert!(error(overlap).contains("rows 2 and 1"));
}

#[test]
fn a_file_without_values_is_an_error() {
    for text in [
        "",
        "\u{feff}",
        "  \n",
        "zone,start,end,g_per_kwh\n",
        "[]",
        r#"{"Emissions": []}"#,
        "{\"zone\":\"KR\",\"history\":[]}",
    ] {
        assert!(matches!(parse(text), Err(IntensityFileError::Empty { .. })), "{text:?}");
    }
}

#[test]
fn impossible_figures_and_units_are_refused_by_row() {
    for value in ["-4", "NaN", "inf", "1e308", "99999"] {
        let text = error(&format!("zone,start,g_per_kwh\nKR,2026-01-01T00:00Z,{value}\n"));
        assert!(text.starts_with("grid: row 1: `g_per_kwh`"), "{text}");
    }
    let kilograms = "zone,start,g_per_kwh\nKR,2026-01-01T00:00Z,0.4173\nKR,2026-01-01T01:00Z,0.4\n";
    assert!(error(kilograms).contains("kg_per_kwh"));
    let named = parse(&kilograms.replace("g_per_kwh", "kg_per_kwh")).unwrap();
    assert!((steps(&named, "KR")[0].2 - 417.3).abs() < 1e-9);
    let stated = parse("zone,start,g_per_kwh,unit\nNO2,2026-01-01T00:00Z,0.4,g/kWh\n").unwrap();
    assert_eq!(steps(&stated, "NO-NO2")[0].2, 0.4);
    let pounds = parse("zone,start,lb_per_mwh\nKR,2026-01-01T00:00Z,1000\n").unwrap();
    assert!((steps(&pounds, "KR")[0].2 - 453.592_37).abs() < 1e-9);
    assert!(error("zone,start,g_per_kwh,unit\nKR,2026-01-01T00:00Z,4,EUR/MWh\n").contains("`unit`"));
    assert!(parse("zone,start,g_per_kwh\nKR,2026-01-01T00:00Z,0\n").is_ok(), "a grid without emissions");
}

#[test]
fn errors_name_the_file_the_row_and_the_field_and_repeat_nothing_of_a_file_that_is_no_series() {
    assert!(error("zone,start,g_per_kwh\nKR,yesterday,4\n").starts_with("grid: row 1: `start`"));
    assert!(error("zone,start,end,g_per_kwh\nKR,2026-01-02,2026-01-01,4\n").starts_with("grid: row 1: `end`"));
    assert!(error(r#"[{"start": "2026-01-01", "g_per_kwh": 4}]"#).contains("`zone`"));
    for secret in ["root:$y$j9T$secret:19000::::::\n", r#"{"secret": "secret"}"#, "secret: true\n", "[\"secret\"]"] {
        let text = error(secret);
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn a_file_that_changes_is_read_again_and_a_broken_one_leaves_the_last_until_it_is_stale() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("grid.csv");
    let row = |hour: u32, grams: u32| format!("KR,2026-01-01T{hour:02}:00Z,2026-01-01T{:02}:00Z,{grams}\n", hour + 1);
    std::fs::write(&path, format!("zone,start,end,g_per_kwh\n{}", row(0, 400))).unwrap();
    let source = FileSource::open(&path, &Zones::embedded().unwrap(), &FileOptions::default()).unwrap();
    let grams = |time: &str| source.current("KR", at(time)).map(|now| now.figure.value.grams_per_kilowatt_hour());
    assert_eq!(grams("2026-01-01T00:30:00Z").unwrap(), 400.0);
    std::fs::write(&path, format!("zone,start,end,g_per_kwh\n{}{}", row(0, 400), row(1, 300))).unwrap();
    assert_eq!(grams("2026-01-01T01:30:00Z").unwrap(), 300.0);
    std::fs::write(&path, "half a").unwrap();
    assert_eq!(grams("2026-01-01T01:30:00Z").unwrap(), 300.0);
    let stale = grams("2026-01-02T00:00:00Z").unwrap_err().to_string();
    assert!(stale.contains("not read again"), "{stale}");
}
