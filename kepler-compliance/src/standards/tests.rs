use super::*;
use crate::messages::Message;
use crate::text::Lang;
use jiff::civil::date;
use proptest::prelude::*;
use serde_json::json;

fn standards() -> Standards {
    Standards::embedded().unwrap()
}

fn today() -> Date {
    date(2026, 11, 21)
}

fn inputs(facts: &[(Metric, f64)]) -> VerdictInputs {
    let mut inputs = VerdictInputs::new(RuleSubject::Workload, today());
    for &(metric, value) in facts {
        inputs.set(metric, MetricValue::new(value, Basis::Measured, "test"));
    }
    inputs
}

fn load(text: &str) -> Result<Standards, LoadError> {
    let mut standards = standards();
    standards.add(Path::new("user.json"), text)?;
    Ok(standards)
}

/// A budget of 20 g/h, as a user would write it.
const BUDGET: &str = r#"{"rules": [
  {
    "code": "TEAM_BUDGET",
    "kind": "emission_budget",
    "name": "Team budget",
    "text": {"en": "20 g/h", "ko": "시간당 20 g"},
    "jurisdiction": "user",
    "force": "internal",
    "subject": "workload",
    "metric": "emissions_per_hour",
    "limit": {"at_most": 20},
    "source": "team wiki"
  }
]}"#;

#[test]
fn example_2_a_budget_of_20_g_per_hour_parts_two_pods() {
    let standards = load(BUDGET).unwrap();
    let judge = |rate| standards.assess("TEAM_BUDGET", &inputs(&[(Metric::EmissionsPerHour, rate)])).unwrap();
    assert_eq!((judge(2.87).status, judge(37.26).status), (Status::Compliant, Status::NonCompliant));
    let mut node = inputs(&[(Metric::EmissionsPerHour, 2.87)]);
    node.subject = RuleSubject::Node;
    assert_eq!(standards.assess("TEAM_BUDGET", &node).unwrap().status, Status::NotApplicable);
}

#[test]
fn example_3_intensity_fails_and_pue_passes_so_the_whole_fails() {
    let known = inputs(&[(Metric::CarbonIntensity, 424.0 * 1.203), (Metric::Pue, 1.203)]);
    let carbon = standards().assess(DEFAULT_STANDARD, &known).unwrap();
    let pue = standards().assess("KR_PUE_GREEN_DC", &known).unwrap();
    assert!((carbon.value.unwrap() - 510.1).abs() < 0.05);
    assert!((carbon.gap_percent.unwrap() - 20.3).abs() < 1e-9);
    assert_eq!(carbon.limit, Some(Limit::AtMost(424.0)));
    assert_eq!((carbon.status, pue.status), (Status::NonCompliant, Status::Compliant));
    assert_eq!(overall([&carbon, &pue]), Status::NonCompliant);
}

#[test]
fn example_4_a_pue_of_1_6_misses_1_4_by_14_3_per_cent() {
    let verdict = standards().assess("KR_PUE_GREEN_DC", &inputs(&[(Metric::Pue, 1.6)])).unwrap();
    assert_eq!(verdict.status, Status::NonCompliant);
    assert!((verdict.gap_percent.unwrap() - 14.3).abs() < 0.02);
    assert_eq!(
        Message::from(verdict.reason.clone()).render(Lang::En),
        "The annual PUE of 1.6 does not meet the limit of at most 1.4."
    );
    assert_eq!(
        Message::from(verdict.reason.clone()).render(Lang::Ko),
        "연간 PUE 1.6, 기준 1.4 이하를 충족하지 못합니다."
    );
}

#[test]
fn the_verdict_follows_the_workload() {
    let judge = |value| standards().assess(DEFAULT_STANDARD, &inputs(&[(Metric::CarbonIntensity, value)])).unwrap();
    assert_eq!((judge(423.9).status, judge(424.1).status), (Status::Compliant, Status::NonCompliant));
}

#[test]
fn no_data_is_insufficient_and_never_compliant() {
    let verdict = standards().assess(DEFAULT_STANDARD, &inputs(&[])).unwrap();
    assert_eq!((verdict.status, verdict.value, verdict.gap_percent), (Status::InsufficientData, None, None));
    assert_eq!(overall([&verdict]), Status::InsufficientData);
}

#[test]
fn an_impossible_value_decides_nothing() {
    for value in [0.9, f64::NAN, f64::INFINITY, -1.0] {
        let verdict = standards().assess("KR_PUE_GREEN_DC", &inputs(&[(Metric::Pue, value)])).unwrap();
        assert_eq!(verdict.status, Status::InsufficientData, "{value}");
        assert!(verdict.caveats.iter().any(|caveat| matches!(caveat, VerdictMessage::Impossible { .. })));
    }
}

#[test]
fn an_unknown_standard_is_an_error_that_lists_the_valid_ones() {
    let error = standards().assess("KR_CARBON_2051", &inputs(&[])).unwrap_err();
    assert!(error.to_string().contains("KR_CARBON_2050") && error.valid.len() > 20, "{error}");
    assert!(standards().versions("kr-carbon-2050").is_ok());
}

#[test]
fn the_date_picks_the_version_in_force() {
    let judge = |year, month| {
        let mut site = inputs(&[(Metric::Pue, 1.4), (Metric::ConnectionKw, 1000.0)]);
        site.date = date(year, month, 1);
        site.operation_start = Some(date(2020, 1, 1));
        standards().assess("DE_ENEFG_EXISTING", &site).unwrap().status
    };
    assert_eq!(judge(2026, 11), Status::NotApplicable, "not in force yet");
    assert_eq!(judge(2028, 1), Status::Compliant, "1.5 from July 2027");
    assert_eq!(judge(2030, 7), Status::NonCompliant, "1.3 from July 2030");
}

#[test]
fn a_new_german_site_has_two_years_and_a_small_one_is_exempt() {
    let judge = |kw: f64, on: Date| {
        let mut site = inputs(&[(Metric::Pue, 1.3), (Metric::ConnectionKw, kw)]);
        site.date = on;
        site.operation_start = Some(date(2026, 8, 1));
        standards().assess("DE_ENEFG_NEW", &site).unwrap().status
    };
    assert_eq!(judge(500.0, date(2027, 1, 1)), Status::NotApplicable);
    assert_eq!(judge(500.0, date(2028, 8, 1)), Status::NonCompliant);
    assert_eq!(judge(200.0, date(2028, 8, 1)), Status::NotApplicable);
    let unknown = VerdictInputs { date: date(2028, 8, 1), ..inputs(&[(Metric::Pue, 1.1)]) };
    assert_eq!(standards().assess("DE_ENEFG_NEW", &unknown).unwrap().status, Status::InsufficientData);
}

#[test]
fn laws_hold_in_their_territory_and_yardsticks_wherever_they_are_chosen() {
    let mut known = inputs(&[(Metric::CarbonIntensity, 100.0), (Metric::ContractPowerMw, 20.0)]);
    known.country = Some("DE".into());
    assert_eq!(standards().assess("KR_GRID_IMPACT_10MW", &known).unwrap().status, Status::NotApplicable);
    assert_eq!(standards().assess(DEFAULT_STANDARD, &known).unwrap().status, Status::Compliant);
}

#[test]
fn a_duty_applies_from_its_threshold_and_is_met_only_by_declaration() {
    let judge = |mw: f64, done: bool| {
        let mut site = inputs(&[(Metric::ContractPowerMw, mw)]);
        site.fulfilled.extend(done.then(|| "KR_GRID_IMPACT_10MW".to_owned()));
        standards().assess("KR_GRID_IMPACT_10MW", &site).unwrap().status
    };
    assert_eq!(judge(9.9, false), Status::NotApplicable);
    assert_eq!(judge(10.0, false), Status::InsufficientData);
    assert_eq!(judge(10.0, true), Status::Compliant);
}

#[test]
fn a_report_needs_every_figure() {
    let site = [(Metric::InstalledItKw, 800.0), (Metric::Pue, 1.3), (Metric::WueLitresPerKwh, 0.2)];
    let code = "EU_EED_DC_REPORT";
    assert_eq!(standards().assess(code, &inputs(&site)).unwrap().status, Status::InsufficientData);
    let rest = [(Metric::ErfPercent, 12.0), (Metric::RefPercent, 80.0)];
    assert_eq!(standards().assess(code, &inputs(&[&site[..], &rest].concat())).unwrap().status, Status::Compliant);
}

#[test]
fn country_targets_and_drafts_apply_to_no_site() {
    for code in ["KR_NDC_2030", "CN_AVG_2025", "EU_DC_LABEL", "JP_NEW_DC_2029"] {
        let known = inputs(&[(Metric::Pue, 9.0), (Metric::WueLitresPerKwh, 9.0)]);
        assert_eq!(standards().assess(code, &known).unwrap().status, Status::NotApplicable, "{code}");
    }
}

#[test]
fn the_default_standard_says_honestly_what_it_is() {
    let standards = standards();
    let rule = standards.version_for(DEFAULT_STANDARD, today()).unwrap();
    assert_eq!(rule.force, Force::Internal);
    assert!(rule.note.as_ref().unwrap().en.contains("sets no limit per kWh"));
    assert_eq!(standards.version_for("KR_PUE_GREEN_DC", today()).unwrap().force, Force::Voluntary);
}

#[test]
fn every_rule_has_both_languages_and_a_source() {
    for rule in standards().iter() {
        assert!(rule.source.starts_with("http"), "{}", rule.code);
        assert!(rule.text.ko.chars().any(|c| ('가'..='힣').contains(&c)), "{}", rule.code);
        assert!(rule.text.en.is_ascii() && rule.text.en.ends_with('.'), "{}: {}", rule.code, rule.text.en);
    }
}

#[test]
fn a_directory_of_the_user_adds_and_overrides() {
    let directory = tempfile::tempdir().unwrap();
    let own = BUDGET.replace("TEAM_BUDGET", "KR_CARBON_2050");
    std::fs::write(directory.path().join("a.json"), BUDGET).unwrap();
    std::fs::write(directory.path().join("b.json"), own).unwrap();
    std::fs::write(directory.path().join("notes.txt"), "not a rule").unwrap();
    let standards = standards().with_directory(directory.path()).unwrap();
    assert!(standards.versions("TEAM_BUDGET").is_ok());
    assert_eq!(standards.versions("KR_CARBON_2050").unwrap()[0].check.kind(), RuleKind::EmissionBudget);
}

#[test]
fn an_error_names_file_line_and_field() {
    let cases = [
        (BUDGET.replace(r#"{"at_most": 20}"#, r#"{"at_most": "20"}"#), 11, "limit.at_most"),
        (BUDGET.replace(r#""force": "internal""#, r#""force": "strong""#), 8, "force"),
        (BUDGET.replace(r#"    "source": "team wiki""#, r#"    "sources": "team wiki""#), 12, "sources"),
        (BUDGET.replace(r#""team wiki""#, r#"" ""#), 12, "source"),
        (BUDGET.replace("emissions_per_hour", "pue"), 10, "metric"),
        (BUDGET.replace("TEAM_BUDGET", "team"), 3, "code"),
        (BUDGET.replace("\"at_most\": 20", "\"at_most\": -5"), 11, "limit"),
        // A text that names a field, and a field of that name deeper in, are not the field.
        (
            BUDGET.replace("\"20 g/h\"", "\"\\\"limit\\\": 20\"").replace("\"at_most\": 20", "\"at_most\": -5"),
            11,
            "limit",
        ),
        (BUDGET.replace(r#""en": "20 g/h", "#, ""), 6, "text.en"),
        (BUDGET.replace(r#""subject": "workload""#, r#""subject": 5"#), 9, "subject"),
        (BUDGET.replace(r#"{"at_most": 20}"#, r#"{"at_most": 20, "at_least": 5}"#), 11, "limit"),
        (
            BUDGET.replace(r#""metric": "#, r#""applies": {"conditions": {"cool_climat": true}}, "metric": "#),
            10,
            "applies.conditions.cool_climat",
        ),
        (
            BUDGET.replace(
                r#""metric": "emissions_per_hour","#,
                r#""applies": {"metrics": [{"metric": "pue", "at_least": 1}]},
    "metric": "pue","#,
            ),
            11,
            "metric",
        ),
    ];
    for (text, line, field) in cases {
        let error = load(&text).unwrap_err();
        let LoadError::Invalid { line: found, field: Some(name), .. } = &error else { panic!("{error}") };
        assert_eq!((*found, name.as_str()), (line, field), "{error}");
        assert!(error.to_string().starts_with(&format!("user.json:{line}: `{field}`")), "{error}");
    }
}

#[test]
fn an_error_names_all_that_would_be_right() {
    let unknown = load(&BUDGET.replace("emissions_per_hour", "emission_per_hour")).unwrap_err().to_string();
    let other = load(&BUDGET.replace("emissions_per_hour", "pue")).unwrap_err().to_string();
    for named in ["emissions_per_hour", "emissions_per_month"] {
        assert!(unknown.contains(named) && other.contains(named), "{unknown} {other}");
    }
    let list = load(&BUDGET.replacen("{\"rules\": [", "[", 1).replace("]}", "]")).unwrap_err().to_string();
    assert_eq!(list, r#"user.json:1: a file of standards is a JSON object: {"rules": [...]}"#);
}

#[test]
fn text_that_is_no_json_blames_no_field() {
    let error = load(&BUDGET.replace("\"user\",", "\"user\"")).unwrap_err();
    assert!(matches!(&error, LoadError::Invalid { field: None, line: 8, .. }), "{error}");
}

#[test]
fn a_byte_order_mark_changes_nothing() {
    let mut standards = standards();
    standards.add(Path::new("user.json"), &format!("\u{feff}{BUDGET}")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.json"), format!("\u{feff}{BUDGET}")).unwrap();
    assert!(standards.with_directory(directory.path()).unwrap().versions("TEAM_BUDGET").is_ok());
}

#[test]
fn a_draft_is_not_applied_and_a_passed_rule_is_from_its_first_day_on() {
    let judge = |fields: &str, on: Date| {
        let text = BUDGET.replace(r#""subject": "workload","#, &format!(r#""subject": "workload", {fields}"#));
        let mut known = inputs(&[(Metric::EmissionsPerHour, 50.0)]);
        known.date = on;
        load(&text).unwrap().assess("TEAM_BUDGET", &known).unwrap()
    };
    let (before, after) = (date(2026, 11, 21), date(2027, 2, 1));
    let draft = r#""status": "draft", "valid_from": "2026-01-01","#;
    assert_eq!(judge(draft, after).status, Status::NotApplicable);
    let passed = r#""status": "passed", "valid_from": "2027-02-01","#;
    let early = judge(passed, before);
    assert_eq!(early.status, Status::NotApplicable);
    let reason = crate::messages::Message::from(early.reason).to_string();
    assert!(reason.contains("2027-02-01"), "{reason}");
    assert_eq!(judge(passed, after).status, Status::NonCompliant);
    assert_eq!(judge(r#""status": "passed","#, after).status, Status::NotApplicable);
}

fn site(facts: serde_json::Value) -> VerdictInputs {
    let mut inputs = inputs(&[]);
    inputs.state(&serde_json::from_value(facts).unwrap());
    inputs
}

fn judged(code: &str, facts: serde_json::Value) -> (Status, String) {
    let verdict = standards().assess(code, &site(facts)).unwrap();
    (verdict.status, Message::from(verdict.reason).to_string())
}

#[test]
fn a_rule_whose_conditions_are_not_stated_names_each_fact_that_is_missing() {
    let (status, reason) = judged("CNDCP_WUE", json!({"wue_litres_per_kwh": 0.9}));
    assert_eq!(status, Status::InsufficientData);
    for name in ["operation_start", "installed_it_kw", "cool_climate", "water_stress", "potable_water"] {
        assert!(reason.contains(name), "{name}: {reason}");
    }
    let stated = json!({"wue_litres_per_kwh": 0.9, "operation_start": "2026-01-01", "installed_it_kw": 500, "cool_climate": true,
        "water_stress": true});
    let (status, reason) = judged("CNDCP_WUE", stated);
    assert_eq!(status, Status::InsufficientData);
    assert!(reason.contains("potable_water") && !reason.contains("cool_climate"), "{reason}");
}

#[test]
fn a_fact_that_rules_a_site_out_decides_whatever_else_is_not_known() {
    for (code, facts) in [
        ("CNDCP_WUE", json!({"potable_water": false})),
        ("CNDCP_WUE", json!({"operation_start": "2020-01-01"})),
        ("CNDCP_WUE", json!({"installed_it_kw": 50})),
        ("CNDCP_WUE", json!({"not_applicable": ["CNDCP_WUE"]})),
        ("CNDCP_PUE_COOL", json!({"cool_climate": "no"})),
        ("CNDCP_PUE_WARM", json!({"cool_climate": "yes"})),
        ("DE_ENEFG_ERF_2026", json!({"connection_kw": 299.9})),
        ("CN_NEW_LARGE", json!({"large_data_centre": true, "operation_start": "2022-06-28"})),
        ("CN_NEW_LARGE", json!({"large_data_centre": false})),
    ] {
        assert_eq!(judged(code, facts.clone()).0, Status::NotApplicable, "{code} {facts}");
    }
}

#[test]
fn a_rule_whose_conditions_are_stated_is_judged_and_says_that_they_are_stated() {
    let facts = |water: f64| {
        json!({"wue_litres_per_kwh": water, "operation_start": "2026-01-01", "installed_it_kw": 500, "cool_climate": true,
            "water_stress": true, "potable_water": true})
    };
    assert_eq!(judged("CNDCP_WUE", facts(0.9)).0, Status::NonCompliant);
    let verdict = standards().assess("CNDCP_WUE", &site(facts(0.3))).unwrap();
    assert_eq!(verdict.status, Status::Compliant);
    let caveats: Vec<String> = verdict.caveats.into_iter().map(|caveat| Message::from(caveat).to_string()).collect();
    assert!(caveats.iter().any(|caveat| caveat.contains("Stated for the site, not measured")), "{caveats:?}");
    let declared = json!({"wue_litres_per_kwh": 0.9, "operation_start": "2026-01-01", "installed_it_kw": 500,
        "applicable": "CNDCP_WUE"});
    assert_eq!(judged("CNDCP_WUE", declared).0, Status::NonCompliant, "declared as a whole");
}

#[test]
fn a_duty_is_open_until_it_is_stated_to_be_fulfilled() {
    assert_eq!(judged("KR_ETS_COMPANY", json!({"annual_tco2e": 124_999})).0, Status::NotApplicable);
    assert_eq!(judged("KR_ETS_COMPANY", json!({"annual_tco2e": 125_000})).0, Status::InsufficientData);
    let fulfilled = json!({"annual_tco2e": 125_000, "fulfilled": ["KR_ETS_COMPANY"]});
    assert_eq!(judged("KR_ETS_COMPANY", fulfilled).0, Status::Compliant);
}

#[test]
fn the_rules_of_later_years_are_there_with_their_status() {
    let standards = standards();
    let status = |code: &str| standards.version_for(code, today()).unwrap().status;
    assert_eq!(status("KR_AI_DC_ACT"), RuleStatus::Passed);
    assert_eq!(status("EU_DC_LABEL"), RuleStatus::Draft);
    assert_eq!(status("KR_ETS_SITE"), RuleStatus::InForce);
    let site = inputs(&[(Metric::ContractPowerMw, 40.0)]);
    assert_eq!(standards.assess("KR_AI_DC_ACT", &site).unwrap().status, Status::NotApplicable, "from February 2027");
}

#[test]
fn two_versions_in_force_at_once_are_refused() {
    let rule = BUDGET.trim_start_matches(r#"{"rules": ["#).trim_end_matches("]}");
    let error = load(&format!(r#"{{"rules": [{rule}, {rule}]}}"#)).unwrap_err();
    assert!(error.to_string().contains("in force at once"), "{error}");
}

/// `UPDATE_SCHEMA=1 cargo test -p kepler-compliance schema` rewrites the file.
#[test]
fn the_committed_schema_is_the_one_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/standards.schema.json");
    let schema = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), schema, "run with UPDATE_SCHEMA=1");
}

proptest! {
    #[test]
    fn a_larger_value_never_turns_a_breach_into_compliance(a in 1.0..3.0f64, b in 1.0..3.0f64) {
        let judge = |pue| standards().assess("KR_PUE_GREEN_DC", &inputs(&[(Metric::Pue, pue)])).unwrap();
        let (low, high) = (judge(a.min(b)), judge(a.max(b)));
        prop_assert!(low.gap_percent <= high.gap_percent);
        prop_assert!(!(low.status == Status::NonCompliant && high.status == Status::Compliant));
    }

    #[test]
    fn the_sign_of_the_gap_tells_the_verdict(ci in 1.0..1500.0f64) {
        let verdict = standards().assess(DEFAULT_STANDARD, &inputs(&[(Metric::CarbonIntensity, ci)])).unwrap();
        prop_assert_eq!(verdict.status == Status::Compliant, verdict.gap_percent.unwrap() <= 1e-7);
    }
}
