//! What the server that this replaces got wrong.

use super::fixture::{Row, World, near, settings};
use kepler_compliance::standards::Status;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{
    AssessRequest, HotspotsRequest, ImpactRequest, ListRequest, OptimizationKind, RegionalRequest, ScheduleRequest,
    Settings, StatusFilter, SummaryRequest, ToolError, ToolRequest, TrendRequest, analyze_workload_power_trend,
    assess_workload_compliance, calculate_optimal_schedule, compare_optimization_impact, get_cluster_carbon_summary,
    get_power_hotspots, get_regional_comparison, list_workloads_by_compliance,
};
use kepler_compliance::view::WorkloadKind;

fn request(name: &str) -> AssessRequest {
    AssessRequest::new(name)
}

#[test]
fn a_missing_pod_is_an_error_that_names_the_nearest_and_never_0_watts() {
    let world = World::new();
    let error = assess_workload_compliance(&world.context(), &request("smal")).unwrap_err();
    let ToolError::UnknownWorkload { nearest, .. } = &error else { panic!("{error}") };
    assert_eq!(nearest[0], "pod default/small");
    assert!(error.to_string().contains("smal"), "{error}");
}

#[test]
fn a_pod_is_found_without_its_namespace_where_one_alone_has_it() {
    let mut world = World::new();
    world.view.rows.push(Row::pod("cart", 1.0, 1.0).within("shop"));
    let within = |namespace: &str| request("cart").with(|asked| asked.qualifiers.namespace = Some(namespace.into()));
    let found = |world: &World, request| {
        let answer = assess_workload_compliance(&world.context(), &request);
        answer.map(|answer| answer.namespace).map_err(|error| error.to_string())
    };
    assert_eq!(found(&world, request("cart")).unwrap().as_deref(), Some("shop"));
    let error = found(&world, within("default")).unwrap_err();
    assert!(error.contains("it exists in namespace shop"), "one that is stated is meant: {error}");
    world.view.rows.push(Row::pod("cart", 1.0, 1.0).within("test"));
    let error = found(&world, request("cart")).unwrap_err();
    assert!(error.contains("it exists in namespace shop, test"), "{error}");
    assert_eq!(found(&world, within("test")).unwrap().as_deref(), Some("test"));
    world.view.rows.push(Row::pod("cart", 1.0, 1.0).within("default"));
    assert_eq!(found(&world, request("cart")).unwrap().as_deref(), Some("default"));
}

#[test]
fn unknown_regions_and_standards_are_errors_that_list_valid_ones_in_every_tool() {
    let world = World::new();
    let context = world.context();
    let region = || Some("ap-northeast-22".to_owned());
    let standard = || "KR_CARBON_2055".to_owned();
    let errors = [
        assess_workload_compliance(&context, &request("small").with(|asked| asked.scope.region = region())).err(),
        list_workloads_by_compliance(&context, &ListRequest::default().with(|asked| asked.scope.region = region()))
            .err(),
        get_power_hotspots(&context, &HotspotsRequest::default().with(|asked| asked.scope.region = region())).err(),
        get_cluster_carbon_summary(&context, &SummaryRequest::default().with(|asked| asked.scope.region = region()))
            .err(),
        get_regional_comparison(&context, &RegionalRequest::default().with(|asked| asked.scope.region = region()))
            .err(),
        get_regional_comparison(
            &context,
            &RegionalRequest::default().with(|asked| asked.regions = vec!["ap-northeast-22".into()]),
        )
        .err(),
        analyze_workload_power_trend(&context, &TrendRequest::default().with(|asked| asked.region = region())).err(),
        compare_optimization_impact(&context, &ImpactRequest::new("small").with(|asked| asked.scope.region = region()))
            .err(),
        calculate_optimal_schedule(
            &context,
            &ScheduleRequest::new("4h".parse().unwrap()).with(|asked| asked.scope.region = region()),
        )
        .err(),
    ];
    for error in errors {
        assert!(error.unwrap().to_string().contains("ap-northeast-2,"), "the nearest is named");
    }
    let errors = [
        assess_workload_compliance(&context, &request("small").with(|asked| asked.standard = Some(standard()))).err(),
        list_workloads_by_compliance(&context, &ListRequest::default().with(|asked| asked.standard = Some(standard())))
            .err(),
        get_cluster_carbon_summary(
            &context,
            &SummaryRequest::default().with(|asked| asked.standard = Some(standard())),
        )
        .err(),
        compare_optimization_impact(
            &context,
            &ImpactRequest::new("small").with(|asked| asked.standard = Some(standard())),
        )
        .err(),
    ];
    for error in errors {
        let error = error.unwrap().to_string();
        assert!(error.contains("KR_CARBON_2050") && error.contains("KR_PUE_GREEN_DC"), "{error}");
    }
}

#[test]
fn no_data_is_insufficient_data_and_no_zero() {
    let mut world = World::new();
    world.view.nodes.clear();
    let answer = assess_workload_compliance(&world.context(), &request("small")).unwrap();
    assert_eq!(
        (answer.statuses.status, answer.statuses.carbon_status),
        (Status::InsufficientData, Status::InsufficientData)
    );
    assert_eq!((answer.power_watts.total, answer.emissions_per_hour), (None, None));
    assert_eq!((answer.projected_monthly, answer.kind), (None, None));
    assert!(answer.evidence.caveats[0].contains("nothing was measured"), "{:?}", answer.evidence.caveats);
    let listed = list_workloads_by_compliance(&world.context(), &ListRequest::default()).unwrap();
    assert_eq!((listed.total, listed.evidence.coverage), (0, None));
    let summary = get_cluster_carbon_summary(&world.context(), &SummaryRequest::default()).unwrap();
    assert_eq!((summary.it_energy_kwh, summary.emissions_kg, summary.power_watts), (None, None, None));
}

#[test]
fn a_source_that_cannot_be_asked_is_an_error_and_no_verdict() {
    let mut world = World::new();
    world.view.down = true;
    let error = assess_workload_compliance(&world.context(), &request("small")).unwrap_err();
    assert!(matches!(error, ToolError::View(_)) && error.to_string().contains("connection refused"));
}

#[test]
fn the_verdict_depends_on_the_workload_where_the_standard_speaks_of_it() {
    let world = World::new();
    let judge = |name: &str| {
        let asked = request(name).with(|asked| asked.standard = Some("TEAM_BUDGET".into()));
        assess_workload_compliance(&world.context(), &asked).unwrap()
    };
    assert_ne!(judge("small").statuses.status, judge("large").statuses.status);
    let answer = assess_workload_compliance(&world.context(), &request("small")).unwrap();
    assert!(
        answer.evidence.caveats.iter().any(|caveat| caveat.contains("does not depend on how much the workload uses"))
    );
}

#[test]
fn the_pue_is_the_facilitys_and_not_made_up_from_the_workloads_power() {
    for (grid, pue) in [(424.0, 1.1), (424.0, 1.77)] {
        let world = World { settings: settings(grid, pue), ..World::new() };
        for name in ["small", "large"] {
            let answer = assess_workload_compliance(&world.context(), &request(name)).unwrap();
            assert_eq!(answer.pue, Some(pue));
            let input = answer.inputs.iter().find(|input| input.name == "pue").unwrap();
            assert_eq!(input.source, "stated in the settings");
        }
    }
    let unknown =
        World { settings: Settings::default().with(|settings| settings.region = Some("KR".into())), ..World::new() };
    let answer = assess_workload_compliance(&unknown.context(), &request("small")).unwrap();
    assert_eq!((answer.pue, answer.statuses.pue_status), (None, Status::InsufficientData));
    assert_eq!((answer.current_carbon_intensity, answer.emissions_per_hour), (None, None));
    assert!(
        answer.evidence.caveats.iter().any(|caveat| caveat.contains("facility.pue")),
        "{:?}",
        answer.evidence.caveats
    );
}

#[test]
fn one_workload_has_one_status_in_every_tool() {
    for standard in ["KR_CARBON_2050", "TEAM_BUDGET", "KR_PUE_GREEN_DC"] {
        for (grid, pue) in [(400.0, 1.0), (424.0, 1.203), (300.0, 1.6)] {
            let world = World { settings: settings(grid, pue), ..World::new() };
            let listed = ListRequest::default().with(|asked| asked.standard = Some(standard.into()));
            let listed = list_workloads_by_compliance(&world.context(), &listed).unwrap();
            for row in &listed.workloads {
                let asked = request(&row.workload).with(|asked| asked.standard = Some(standard.into()));
                let answer = assess_workload_compliance(&world.context(), &asked).unwrap();
                assert_eq!(row.statuses, answer.statuses, "{standard}");
                assert_eq!(
                    (row.power_watts, row.emissions_per_hour),
                    (answer.power_watts.total, answer.emissions_per_hour)
                );
                let asked =
                    ImpactRequest::new(row.workload.as_str()).with(|asked| asked.standard = Some(standard.into()));
                let impact = compare_optimization_impact(&world.context(), &asked).unwrap();
                assert_eq!(impact.before.statuses.status, answer.statuses.status);
                assert_eq!(impact.evidence.moment, listed.evidence.moment);
            }
            let summary = SummaryRequest::default().with(|asked| asked.standard = Some(standard.into()));
            let summary = get_cluster_carbon_summary(&world.context(), &summary).unwrap();
            assert_eq!(summary.counts, listed.counts);
        }
    }
}

#[test]
fn terminated_instances_add_energy_and_no_power() {
    let mut world = World::new();
    world.view.rows = vec![Row::pod("app", 10.0, 0.0), Row::pod("app", 90.0, 0.0).ended()];
    let answer = assess_workload_compliance(&world.context(), &request("app")).unwrap();
    assert!(near(answer.energy_joules, 100.0, 1e-9) && near(answer.power_watts.total, 2.0, 1e-9));
    assert_eq!((answer.instances.running, answer.instances.terminated), (1, 1));
    world.view.rows = vec![Row::pod("app", 90.0, 0.0).ended()];
    let budget = request("app").with(|asked| asked.standard = Some("TEAM_BUDGET".into()));
    let answer = assess_workload_compliance(&world.context(), &budget).unwrap();
    assert_eq!((answer.power_watts.total, answer.statuses.carbon_status), (None, Status::InsufficientData));
}

#[test]
fn every_node_counts_and_one_that_fails_is_reported() {
    let mut world = World::new();
    world.view.nodes = vec![("node-1", 100.0, 0.0, 0.0), ("node-2", 300.0, 0.0, 0.0)];
    world.view.skipped = vec![("node-3", "connection refused")];
    world.view.coverage = 2.0 / 3.0;
    let summary = get_cluster_carbon_summary(&world.context(), &SummaryRequest::default()).unwrap();
    assert!(near(summary.power_watts, 80.0, 1e-9), "the sum of the nodes");
    assert_eq!((summary.nodes.len(), summary.skipped[0].what.as_str()), (2, "node-3"));
    assert!(summary.evidence.caveats.iter().any(|caveat| caveat.contains("67 %")), "{:?}", summary.evidence.caveats);
}

#[test]
fn savings_are_kilograms_and_come_from_figures_not_constants() {
    let mut world = World::new();
    world.view.nodes = vec![("node-1", 4000.0, 0.0, 400.0)];
    world.view.rows = vec![Row::pod("app", 500.0, 0.0).requesting(4.0)];
    let use_of = |cores: f64| {
        let cpu_time = std::time::Duration::from_secs_f64(5.0 * cores);
        kepler_compliance::view::StepUsage::new(super::fixture::split(8.0, 0.0), Some(cpu_time))
    };
    world.view.steps = (0..60).map(|step| use_of(if step == 0 { 2.0 } else { 1.0 })).collect();
    let answer = assess_workload_compliance(&world.context(), &request("app")).unwrap();
    let sizing = answer.optimizations.iter().find(|own| own.kind == OptimizationKind::ResourceRightsizing).unwrap();
    // 100 W emit 42.4 g/h, 30.952 kg a month. The node idles at 80 W on 8 cores; 2 of 4 requested cores are free.
    assert!((sizing.estimated_reduction_percent - 20.0).abs() < 1e-6, "{sizing:?}");
    assert!(near(sizing.estimated_savings.kg_co2eq, 30.952 * 0.2, 1e-6));
    assert!(near(sizing.estimated_savings.cost, 7300.0 * 0.2, 1e-6));
    assert!(sizing.basis.contains("80 W") && sizing.description.contains("2.00 instead of 4.00"));
    world.view.rows = vec![Row::pod("app", 500.0, 0.0)];
    let answer = assess_workload_compliance(&world.context(), &request("app")).unwrap();
    assert!(answer.optimizations.iter().all(|own| own.kind != OptimizationKind::ResourceRightsizing), "no requests");
    assert!(answer.optimizations.iter().all(|own| own.kind != OptimizationKind::TemporalShift), "a flat series");
}

#[test]
fn reductions_multiply_and_every_rule_is_judged_again() {
    let world = World { settings: settings(424.0, 1.6), ..World::new() };
    let asked = ImpactRequest::new("large").with(|asked| {
        asked.optimizations = vec![OptimizationKind::PueImprovement, OptimizationKind::RegionalMigration];
        asked.target_region = Some("eu-west-3".into());
        asked.target_pue = Some(1.05);
    });
    let impact = compare_optimization_impact(&world.context(), &asked).unwrap();
    assert_eq!(impact.steps.len(), 2, "{:?}", impact.skipped);
    let left: f64 = impact.steps.iter().map(|step| 1.0 - step.reduction_of_remainder_percent / 100.0).product();
    assert!((impact.total_reduction_percent - (1.0 - left) * 100.0).abs() < 1e-9);
    let ratio = impact.after.effective_intensity.unwrap() / impact.before.effective_intensity.unwrap();
    assert!((impact.total_reduction_percent - (1.0 - ratio) * 100.0).abs() < 1e-9);
    assert_eq!(
        (impact.before.statuses.status, impact.after.statuses.status),
        (Status::NonCompliant, Status::Compliant)
    );
    assert_eq!((impact.after.pue, impact.before.pue), (Some(1.05), Some(1.6)));
    let (before, after) = (impact.before.projected_monthly.unwrap(), impact.after.projected_monthly.unwrap());
    let saved = before.emissions_kg.unwrap() - after.emissions_kg.unwrap();
    assert!(near(impact.total_savings_kg, saved, 1e-9));
}

#[test]
fn an_estimate_says_so_with_its_error() {
    let mut world = World::new();
    world.view.rows = vec![Row::pod("app", 10.0, 0.0).estimated(0.4)];
    let answer = assess_workload_compliance(&world.context(), &request("app")).unwrap();
    assert!(answer.evidence.caveats.iter().any(|caveat| caveat.contains("±40 %")), "{:?}", answer.evidence.caveats);
    assert_eq!(answer.inputs[0].basis, kepler_compliance::standards::Basis::Estimated);
}

#[test]
fn a_shared_name_is_the_pods_unless_the_kind_is_given() {
    let mut world = World::new();
    world.view.rows = vec![
        Row::new(WorkloadKind::Process, "web", 1.0, 0.0),
        Row::new(WorkloadKind::Process, "web", 2.0, 0.0),
        Row::new(WorkloadKind::Unit, "web.service", 4.0, 0.0),
        Row::pod("web", 8.0, 0.0),
        Row::pod("api-7d4b9c6f5-x2x9z", 16.0, 0.0),
        Row::pod("api-7d4b9c6f5-bcd4f", 32.0, 0.0),
    ];
    let assess = |name: &str, kind| {
        let asked = request(name).with(|asked| asked.qualifiers.kind = kind);
        assess_workload_compliance(&world.context(), &asked).unwrap()
    };
    let pod = assess("web", None);
    assert_eq!((pod.kind, pod.namespace.as_deref()), (Some(WorkloadKind::Pod), Some("default")));
    let unit = assess("web", Some(WorkloadKind::Unit));
    assert_eq!((unit.workload.as_str(), unit.namespace), ("web.service", None));
    let process = assess("web", Some(WorkloadKind::Process));
    assert!(near(process.energy_joules, 3.0, 1e-9), "all processes of the name");
    let deployment = assess("api", None);
    assert_eq!(deployment.kind, Some(WorkloadKind::Deployment));
    assert!(near(deployment.energy_joules, 48.0, 1e-9));
    assert!(deployment.evidence.caveats.iter().any(|caveat| caveat.contains("inferred")));
}

#[test]
fn pages_of_the_list_are_disjoint_complete_and_filtered() {
    let mut world = World::new();
    world.view.rows = (0..25).map(|index| Row::pod(&format!("pod-{index:02}"), f64::from(index) * 10.0, 0.0)).collect();
    let mut asked = ListRequest::default().with(|asked| {
        asked.limit = 10;
        asked.standard = Some("TEAM_BUDGET".into());
    });
    let mut names = Vec::new();
    loop {
        let page = list_workloads_by_compliance(&world.context(), &asked).unwrap();
        assert_eq!(page.total, 25);
        names.extend(page.workloads.iter().map(|row| row.workload.clone()));
        let Some(next) = page.next_offset else { break };
        asked.offset = next;
    }
    assert_eq!((names.len(), names[0].as_str()), (25, "pod-24"));
    let mut sorted = names.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), 25);
    asked.status_filter = StatusFilter::NonCompliant;
    asked.limit = 1000;
    asked.offset = 0;
    let failing = list_workloads_by_compliance(&world.context(), &asked).unwrap();
    assert_eq!(failing.total, failing.counts.non_compliant);
    assert!(failing.workloads.iter().all(|row| row.emissions_per_hour.unwrap() > 20.0));
    assert!(
        list_workloads_by_compliance(&world.context(), &ListRequest::default().with(|asked| asked.limit = 0)).is_err()
    );
    let elsewhere = ListRequest::default().with(|asked| asked.namespace = Some("shop".into()));
    let error = list_workloads_by_compliance(&world.context(), &elsewhere).unwrap_err().to_string();
    assert!(error.contains("default"), "an unknown namespace is an error: {error}");
}

#[test]
fn answers_are_korean_when_asked_for_korean() {
    let world = World { settings: settings(424.0, 1.6), ..World::new() };
    let hangul = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
    let asked = request("large").with(|asked| asked.scope.lang = Some(Lang::Ko));
    let answer = assess_workload_compliance(&world.context(), &asked).unwrap();
    assert!(hangul(&answer.recommendation), "{}", answer.recommendation);
    assert!(
        answer.evidence.caveats.iter().chain(answer.verdicts.iter().map(|own| &own.reason)).all(|text| hangul(text)),
        "{:?}",
        answer.evidence.caveats
    );
    assert!(answer.optimizations.iter().all(|own| hangul(&own.description) && hangul(&own.basis)));
    let hot = get_power_hotspots(
        &world.context(),
        &HotspotsRequest::default().with(|asked| asked.scope.lang = Some(Lang::Ko)),
    )
    .unwrap();
    assert!(hot.hotspots.iter().all(|own| hangul(&own.reason) && hangul(&own.recommendation)));
    let regions = RegionalRequest::default().with(|asked| asked.scope.lang = Some(Lang::Ko));
    assert!(hangul(&get_regional_comparison(&world.context(), &regions).unwrap().advice.text));
}

#[test]
fn hotspots_are_ranked_above_the_threshold_with_their_share() {
    let world = World::new();
    let all = get_power_hotspots(&world.context(), &HotspotsRequest::default()).unwrap();
    let names: Vec<&str> = all.hotspots.iter().map(|own| own.workload.as_str()).collect();
    assert_eq!(names, ["large", "small"]);
    assert!((all.hotspots[0].share_percent - 65.0).abs() < 1e-9);
    let hot = HotspotsRequest::default().with(|asked| asked.threshold_watts = 10.0);
    let hot = get_power_hotspots(&world.context(), &hot).unwrap();
    assert_eq!((hot.total, hot.hotspots.len()), (1, 1));
    let wrong = HotspotsRequest::default().with(|asked| asked.threshold_watts = f64::NAN);
    assert!(matches!(get_power_hotspots(&world.context(), &wrong), Err(ToolError::InvalidArgument { .. })));
}

#[test]
fn an_argument_that_does_not_exist_is_refused() {
    let text = r#"{"workload": "a", "regoin": "KR"}"#;
    assert!(serde_json::from_str::<AssessRequest>(text).unwrap_err().to_string().contains("regoin"));
    let text = r#"{"workload": "a", "window": "soon"}"#;
    assert!(serde_json::from_str::<AssessRequest>(text).unwrap_err().to_string().contains("1h30m"));
    let defaults: AssessRequest = serde_json::from_str(r#"{"workload": "a"}"#).unwrap();
    assert_eq!(defaults, AssessRequest::new("a"));
    assert_eq!(serde_json::from_str::<ListRequest>("{}").unwrap(), ListRequest::default());
}

/// Every property of an object schema, however deep, has a description.
fn undescribed(name: &str, schema: &serde_json::Value, found: &mut Vec<String>) {
    let properties = schema.get("properties").and_then(serde_json::Value::as_object);
    for (property, inner) in properties.into_iter().flatten() {
        if inner.get("description").is_none() {
            found.push(format!("{name}.{property}"));
        }
    }
    for (definition, inner) in schema.get("$defs").and_then(serde_json::Value::as_object).into_iter().flatten() {
        undescribed(&format!("{name}/{definition}"), inner, found);
    }
}

#[test]
fn every_argument_and_every_field_of_an_answer_is_described() {
    use kepler_compliance::tools as t;
    let schemas = [
        ("assess", schemars::schema_for!(t::AssessRequest), schemars::schema_for!(t::AssessResponse)),
        ("list", schemars::schema_for!(t::ListRequest), schemars::schema_for!(t::ListResponse)),
        ("impact", schemars::schema_for!(t::ImpactRequest), schemars::schema_for!(t::ImpactResponse)),
        ("regions", schemars::schema_for!(t::RegionalRequest), schemars::schema_for!(t::RegionalResponse)),
        ("schedule", schemars::schema_for!(t::ScheduleRequest), schemars::schema_for!(t::ScheduleResponse)),
        ("hotspots", schemars::schema_for!(t::HotspotsRequest), schemars::schema_for!(t::HotspotsResponse)),
        ("trend", schemars::schema_for!(t::TrendRequest), schemars::schema_for!(t::TrendResponse)),
        ("summary", schemars::schema_for!(t::SummaryRequest), schemars::schema_for!(t::SummaryResponse)),
    ];
    let mut found = Vec::new();
    for (name, request, response) in &schemas {
        for schema in [request, response] {
            assert!(schema.get("description").is_some(), "{name} has no description");
            undescribed(name, schema.as_value(), &mut found);
        }
    }
    assert_eq!(found, Vec::<String>::new());
}
