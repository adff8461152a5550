//! What is stated of the site: facts that rules ask for, and prices by the hour.

use super::fixture::{World, near};
use kepler_compliance::tariff::Tariff;
use kepler_compliance::tools::{AssessRequest, ListRequest, ToolRequest, registry};
use serde_json::{Value, json};
use std::path::Path;

fn ask(world: &World, tool: &str, arguments: Value) -> Value {
    registry::find(tool).unwrap().call(&world.context(), arguments).unwrap()
}

fn world() -> World {
    let mut world = World::new();
    world.view.rows = vec![super::fixture::Row::pod("web", 100.0, 0.0)];
    world.settings.region = Some("DE".to_owned());
    world
}

#[test]
fn a_verdict_names_the_facts_it_lacks_and_takes_them_from_the_request_or_the_settings() {
    let mut world = world();
    world.settings.pue = serde_json::from_value(json!({ "value": 1.4, "basis": "measured" })).unwrap();
    let assess = |world: &World, facts: Value| {
        let arguments = json!({ "workload": "web", "standard": "DE_ENEFG_RENEWABLE", "facts": facts });
        let answer = ask(world, AssessRequest::NAME, arguments);
        (answer["status"].clone(), answer["recommendation"].to_string(), answer["caveats"].to_string())
    };
    let (status, why, _) = assess(&world, json!({}));
    assert_eq!(status, "INSUFFICIENT_DATA");
    assert!(why.contains("connection power is at least 300 kW (connection_kw)"), "{why}");
    let (status, why, _) = assess(&world, json!({ "connection_kw": 300 }));
    assert!(status == "INSUFFICIENT_DATA" && why.contains("(renewable_percent)"), "{why}");
    assert_eq!(assess(&world, json!({ "connection_kw": 299 })).0, "NOT_APPLICABLE");
    world.settings.facts = serde_json::from_value(json!({ "connection_kw": 500, "renewable_percent": 40 })).unwrap();
    assert_eq!(assess(&world, json!({})).0, "NON_COMPLIANT");
    let (status, _, caveats) = assess(&world, json!({ "renewable_percent": 100 }));
    assert_eq!(status, "COMPLIANT", "what a request states takes the place of what the settings state");
    assert!(caveats.contains("The connection power is stated for the site, not measured."), "{caveats}");
}

#[test]
fn facts_of_the_settings_are_those_of_the_configured_site_only() {
    let mut world = world();
    world.settings.facts = serde_json::from_value(json!({ "installed_it_kw": 900 })).unwrap();
    let arguments = json!({ "workload": "web", "standard": "EU_EED_DC_REPORT", "region": "FR" });
    let answer = ask(&world, AssessRequest::NAME, arguments.clone());
    let judged = answer["verdicts"][0]["reason"].to_string();
    assert!(judged.contains("installed_it_kw"), "{judged}");
}

#[test]
fn a_fact_that_cannot_be_is_an_error_that_names_it() {
    for (facts, named) in
        [(json!({ "cool_climate": "perhaps" }), "cool_climate"), (json!({ "climate": 1 }), "water_stress")]
    {
        let tool = registry::find(ListRequest::NAME).unwrap();
        let error = tool.call(&world().context(), json!({ "facts": facts })).unwrap_err().to_string();
        assert!(error.contains("facts") && error.contains(named), "{error}");
    }
}

#[test]
fn a_list_says_which_fact_the_rule_lacks() {
    let answer = ask(&world(), ListRequest::NAME, json!({ "standard": "DE_ENEFG_RENEWABLE" }));
    assert!(answer["caveats"].to_string().contains("connection_kw"), "{answer}");
}

#[test]
fn a_month_costs_the_mean_of_its_hours_and_says_what_is_assumed() {
    let mut world = world();
    world.settings.pue = serde_json::from_value(json!({ "value": 1.0, "basis": "measured" })).unwrap();
    world.settings.tariff = Some(Tariff::named("KEPCO_INDUSTRIAL_A2_HVA_1", Path::new("-")).unwrap());
    let month = |world: &World| {
        let answer = ask(world, AssessRequest::NAME, json!({ "workload": "web" }));
        (answer["projected_monthly"].clone(), answer["caveats"].to_string())
    };
    world.now = "2025-06-30T15:00:00Z".parse().unwrap();
    let (cost, caveats) = month(&world);
    let price = cost["cost"].as_f64().unwrap() / cost["energy_kwh"].as_f64().unwrap();
    // A weekday of July: ten hours light, nine mid, five peak or as the calendar has it, between the two extremes.
    assert!((95.7..155.0).contains(&price), "{price}");
    assert_eq!(cost["currency"], "KRW");
    assert!(caveats.contains("KEPCO_INDUSTRIAL_A2_HVA_1") && caveats.contains("evenly"), "{caveats}");
    world.now = "2026-11-29T00:00:00Z".parse().unwrap();
    let (cost, caveats) = month(&world);
    assert_eq!((&cost["cost"], &cost["currency"]), (&Value::Null, &Value::Null), "no source states winter hours");
    assert!(caveats.contains("No monthly cost"), "{caveats}");
    assert!(near(cost["energy_kwh"].as_f64(), cost["energy_kwh"].as_f64().unwrap(), 1e-9));
}
