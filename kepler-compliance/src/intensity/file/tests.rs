use super::*;
use crate::intensity::{Boundary, Kind, Method};

fn parse(text: &str) -> Result<FileSource, FileError> {
    let provenance = Provenance {
        zone: String::new(),
        method: Method::Direct,
        boundary: Boundary::Consumption,
        kind: Kind::Average,
        source: "our meter".into(),
    };
    FileSource::parse(Path::new("grid"), text, provenance, SeriesBasis::Forecast)
}

fn steps(source: &FileSource, zone: &str) -> Vec<(String, String, f64)> {
    let series = source.history(zone, Timestamp::MIN, Timestamp::MAX).unwrap();
    let text = |step: &Step<CarbonIntensity>| {
        (step.start.to_string(), step.end.to_string(), step.value.grams_per_kilowatt_hour())
    };
    series.values.steps().iter().map(text).collect()
}

#[test]
fn the_three_forms_say_the_same() {
    let csv =
        "zone,start,end,g_per_kwh\nKR,2026-01-01T09:00+09:00,,400\nKR,2026-01-01T00:30Z,2026-01-01T01:30Z,300.5\n";
    let json = r#"[{"zone": "KR", "start": "2026-01-01T00:00Z", "g_per_kwh": 400},
        {"zone": "KR", "start": "2026-01-01T00:30Z", "end": "2026-01-01T01:30Z", "g_per_kwh": 300.5}]"#;
    let sdk = r#"{"Emissions": [
        {"Location": "KR", "Time": "2026-01-01T00:00:00", "Rating": 400, "Duration": "00:30:00"},
        {"Location": "KR", "Time": "2026-01-01T00:30:00+00:00", "Rating": 300.5, "Duration": "01:00:00"}]}"#;
    let wanted = [
        ("2026-01-01T00:00:00Z".to_owned(), "2026-01-01T00:30:00Z".to_owned(), 400.0),
        ("2026-01-01T00:30:00Z".to_owned(), "2026-01-01T01:30:00Z".to_owned(), 300.5),
    ];
    for text in [csv, json, sdk] {
        assert_eq!(steps(&parse(text).unwrap(), "KR"), wanted, "{text}");
    }
}

#[test]
fn a_hole_in_the_file_stays_a_hole_and_the_last_row_lasts_like_the_one_before() {
    let source = parse(
        "zone,start,end,g_per_kwh\nA,2026-01-01T00:00Z,2026-01-01T00:05Z,1\nA,2026-01-01T01:00Z,2026-01-01T01:05Z,2\nA,2026-01-01T01:05Z,,3\n",
    )
    .unwrap();
    let steps = steps(&source, "A");
    assert_eq!((steps.len(), steps[2].1.as_str()), (3, "2026-01-01T01:10:00Z"));
    let now = source.current("A", "2026-01-01T00:30:00Z".parse().unwrap()).unwrap();
    assert_eq!((now.figure.value.grams_per_kilowatt_hour(), now.age.as_secs()), (1.0, 25 * 60));
    assert!(source.current("A", "2025-01-01T00:00:00Z".parse().unwrap()).is_err());
    assert!(matches!(source.current("B", Timestamp::MAX), Err(IntensityError::UnknownZone { .. })));
}

#[test]
fn errors_name_the_file_the_row_and_the_field() {
    let error = |text: &str| parse(text).unwrap_err().to_string();
    assert!(error("zone,start,g_per_kwh\nA,2026-01-01T00:00Z,-4\n").starts_with("grid: row 1: g_per_kwh"));
    assert!(error("zone,start,g_per_kwh\nA,yesterday,4\n").starts_with("grid: row 1: start"));
    assert!(error("a,b\n1,2\n").contains("expected CSV"));
    assert!(error(r#"{"Emissions": 3}"#).contains("line 1"));
    let twice =
        "zone,start,end,g_per_kwh\nA,2026-01-01T00:00Z,2026-01-01T02:00Z,1\nA,2026-01-01T01:00Z,2026-01-01T03:00Z,2\n";
    assert!(error(twice).contains("overlap"));
}

#[test]
fn durations_of_days_are_read_as_dotnet_writes_them() {
    assert_eq!(clock_duration("1.02:00:30"), Some(Duration::from_secs(93_630)));
    assert_eq!(clock_duration("00:05:00.0000000"), Some(Duration::from_secs(300)));
    assert_eq!(clock_duration("5 min"), None);
}
