use super::super::{complete, draw, picture};
use super::*;
use serde_json::json;

fn energy(basis: &str) -> Value {
    let step = |minute: u32, watts: f64| json!({ "start": format!("2026-11-30T11:{minute:02}:00Z"), "end": format!("2026-11-30T11:{:02}:00Z", minute + 1), "energy_joules": watts * 60.0, "power_watts": watts, "idle_watts": 40.0 });
    let steps: Vec<Value> = (0..50)
        .filter(|minute| !(20..25).contains(minute))
        .map(|minute| step(minute, 60.0 + f64::from(minute)))
        .collect();
    json!({ "subject": "node node-1", "basis": basis, "error_ratio": 0.34, "coverage": 0.9, "groups": [], "series": steps })
}

fn groups() -> Value {
    json!({ "subject": "cluster", "basis": "partial", "coverage": 1.0, "start": "2026-11-30T11:00:00Z", "end": "2026-11-30T12:00:00Z", "series": [], "groups": [
        { "name": "web", "kind": "deployment", "namespace": "shop", "energy_joules": 54_000.0, "basis": "measured" },
        { "name": "한글 이름을 가진 아주 긴 프로세스 이름", "kind": "process", "namespace": null, "energy_joules": 12_000.0, "basis": "estimated" },
        { "name": null, "kind": null, "namespace": null, "energy_joules": null, "basis": "measured" }] })
}

/// Pictures that tests leave for people to look at.
fn look(name: &str, plot: &Plot) {
    let png = draw::png(plot).unwrap();
    assert!(png.starts_with(b"\x89PNG") && png.len() < 60_000, "{name}: {} bytes", png.len());
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/charts");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(name), png).unwrap();
}

#[test]
fn steps_have_title_units_states_and_gaps() {
    let plot = plot(EnergyRequest::NAME, &energy("estimated"), Lang::En).unwrap();
    assert_eq!((&*plot.title, &*plot.unit, plot.is_estimated), ("Power: node node-1", "Power (W)", true));
    assert_eq!(plot.notes, ["Estimated, ± 34 %", "covers 90 % of the time"]);
    let Data::Steps { time, parts, steps } = &plot.data else { panic!("{plot:?}") };
    assert_eq!((&**time, steps.len()), ("Time (UTC), 2026-11-30", 45));
    assert_eq!(parts.as_ref().map(|parts| &*parts[1]), Some("idle"));
    look("chart-steps.png", &plot);
    let korean = super::plot(EnergyRequest::NAME, &energy("measured"), Lang::Ko).unwrap();
    assert_eq!((&*korean.title, korean.is_estimated), ("node node-1: 전력", false));
    look("chart-steps-ko.png", &korean);
}

#[test]
fn groups_are_bars_in_a_unit_that_suits_them_and_what_is_unknown_has_none() {
    let plot = plot(EnergyRequest::NAME, &groups(), Lang::Ko).unwrap();
    assert_eq!((&*plot.title, &*plot.unit), ("cluster: 에너지", "에너지 (kJ)"));
    let Data::Bars(bars) = &plot.data else { panic!("{plot:?}") };
    assert_eq!(bars.len(), 2);
    assert_eq!(plot.notes, ["일부 측정, 나머지는 추정", "2026-11-30 11:00 – 2026-11-30 12:00 UTC"]);
    assert_eq!((&*bars[0].name, bars[0].value, bars[0].is_estimated), ("deployment shop/web", 54.0, false));
    assert!(bars[1].is_estimated);
    look("chart-groups.png", &plot);
}

#[test]
fn power_now_trends_and_schedules_are_drawn_from_their_own_fields() {
    let now = json!({ "basis": "measured", "consumers": [{ "workload": "web", "kind": "pod", "namespace": "shop", "power_watts": 20.5, "basis": "measured" }] });
    let watts = json!({ "total": 20.0, "cpu": 20.0, "memory": null, "gpu": null });
    let trend = json!({ "workload": "web", "basis": "measured", "series": [{ "start": "2026-11-30T11:00:00Z", "end": "2026-11-30T12:00:00Z", "power_watts": watts }] });
    let schedule = json!({ "region": "SE", "basis": "profile", "ranking": [{ "local_start": "2026-11-30T03:00+01:00", "mean_intensity_gCO2eq_kWh": 21.0 }] });
    for (tool, answer, title) in [
        (PowerNowRequest::NAME, now, "Power now"),
        (TrendRequest::NAME, trend, "Power: web"),
        (ScheduleRequest::NAME, schedule, "Best times to run: SE"),
    ] {
        let plot = plot(tool, &answer, Lang::En).unwrap();
        assert_eq!(plot.title, title);
        assert!(draw::png(&plot).unwrap().len() > 1000);
    }
}

#[test]
fn an_answer_without_figures_has_a_sentence_instead_of_a_picture() {
    for (tool, answer) in [
        (EnergyRequest::NAME, json!({ "subject": "cluster", "series": [], "groups": [] })),
        (
            EnergyRequest::NAME,
            json!({ "subject": "cluster", "series": [{ "start": "soon", "power_watts": 1 }], "groups": [] }),
        ),
        (PowerNowRequest::NAME, json!({ "consumers": [] })),
        ("find_workloads", json!({})),
    ] {
        let block = serde_json::to_value(picture(tool, &answer, Lang::En)).unwrap();
        assert_eq!(block, json!({ "type": "text", "text": "There are no figures to draw." }));
    }
    let block = serde_json::to_value(picture(EnergyRequest::NAME, &energy("measured"), Lang::En)).unwrap();
    assert_eq!((&block["type"], &block["mimeType"]), (&json!("image"), &json!("image/png")));
}

#[test]
fn what_cannot_be_drawn_to_scale_does_not_break_the_picture() {
    for value in [0.0, -5.0, 1e300, 1e-300, f64::NAN] {
        let bars = vec![Bar { name: "\u{202e}evil\u{1b}[2J 😀".repeat(9), value, is_estimated: true }; 40];
        let steps = vec![Step { start: i64::MIN / 4, end: i64::MAX / 4, value, part: Some(value * 2.0) }];
        for data in [Data::Bars(bars), Data::Steps { time: String::new(), parts: None, steps }, Data::Bars(Vec::new())]
        {
            let plot =
                Plot { title: "x".repeat(500), notes: Vec::new(), unit: String::new(), is_estimated: true, data };
            assert!(draw::png(&plot).is_ok(), "{value}");
        }
    }
}

#[test]
fn without_groups_or_steps_energy_is_drawn_over_time() {
    let completed = |arguments: Value| {
        let mut arguments = arguments.as_object().unwrap().clone();
        complete(EnergyRequest::NAME, &mut arguments);
        arguments.get("step").cloned()
    };
    assert_eq!(completed(json!({ "window": "24h" })), Some(json!("1440s")));
    assert_eq!(completed(json!({})), Some(json!("60s")));
    assert_eq!(completed(json!({ "window": "30s" })), Some(json!("1s")));
    assert_eq!(completed(json!({ "by": "workload" })), None);
    assert_eq!(completed(json!({ "step": "5m" })), Some(json!("5m")));
}
