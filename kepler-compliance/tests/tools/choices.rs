//! What pods, namespaces and nodes choose for themselves.

use super::fixture::{Row, World, near, settings};
use kepler_compliance::choices::{ChoiceOrigin, ChoiceSource, Choices, EnergyUnit, WorkloadChoice};
use kepler_compliance::standards::{Basis, Status};
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{
    AssessRequest, AssessResponse, Context, EnergyRequest, HotspotsRequest, ImpactRequest, ListRequest,
    PowerNowRequest, SummaryRequest, ToolRequest, TrendRequest,
};
use kepler_compliance::view::WorkloadKind;
use kepler_core::workload::EnergyAnnotation;

/// What is written, said of `small` (`uid-0`), `large` (`uid-1`), their namespace and `node-1`.
struct Written(Choices);

impl ChoiceSource for Written {
    fn choices(&self) -> Choices {
        self.0.clone()
    }
}

fn annotations(all: &[(&str, &str)]) -> Vec<EnergyAnnotation> {
    all.iter().map(|(name, value)| EnergyAnnotation::new(*name, *value, false)).collect()
}

fn written(pods: &[(&str, &[(&str, &str)])], namespace: &[(&str, &str)]) -> Written {
    let mut choices = Choices::default();
    choices.pods = pods.iter().map(|(uid, all)| ((*uid).into(), annotations(all))).collect();
    if !namespace.is_empty() {
        choices.namespaces.insert("default".into(), annotations(namespace));
    }
    Written(choices)
}

fn assess(context: &Context<'_>, name: &str) -> AssessResponse {
    AssessRequest::new(name).answer(context).unwrap()
}

/// Name, value, origin and place of each choice.
fn shown(choices: &[WorkloadChoice]) -> Vec<String> {
    choices.iter().map(|own| format!("{}={} {} {}", own.name, own.value, own.origin.name(), own.place)).collect()
}

#[test]
fn a_pod_chooses_standard_budget_pue_language_and_unit_and_the_answer_says_where() {
    let world = World::new();
    let choices = [("standard", "team-budget"), ("pue", "1.5"), ("language", "ko"), ("energy-unit", "Wh")];
    let source = written(&[("uid-0", &choices), ("uid-1", &[("budget", "20 g/h")])], &[]);
    let context = world.context().choosing(&source);
    let small = assess(&context, "small");
    assert_eq!((small.standard.as_str(), small.pue), ("TEAM_BUDGET", Some(1.5)));
    assert!(near(small.emissions_per_hour, 2.866 * 1.5, 0.005), "{:?}", small.emissions_per_hour);
    let pue = small.inputs.iter().find(|input| input.name == "pue").unwrap();
    assert_eq!((pue.basis, pue.source.as_str()), (Basis::Assumed, "default/small의 파드 애너테이션"));
    assert!(small.recommendation.contains("충족하지 못합니다"), "{}", small.recommendation);
    let energy = small.energy.unwrap();
    assert!(energy.unit == EnergyUnit::Wh && near(Some(energy.value), 33.8 / 3600.0, 1e-9), "{energy:?}");
    assert_eq!(
        shown(&small.choices),
        [
            "energy-unit=Wh pod annotation default/small",
            "language=ko pod annotation default/small",
            "pue=1.5 pod annotation default/small",
            "standard=team-budget pod annotation default/small",
        ]
    );
    let large = assess(&context, "large");
    assert_eq!((large.standard.as_str(), large.statuses.carbon_status), ("KR_CARBON_2050", Status::NonCompliant));
    let budget = large.verdicts.iter().find(|verdict| verdict.code == "WORKLOAD_BUDGET").unwrap();
    assert!(budget.status == Status::NonCompliant && near(budget.value, 37.26, 0.005), "{budget:?}");
    // What a request says comes first.
    let asked = AssessRequest::new("small").with(|asked| {
        (asked.standard, asked.scope.lang) = (Some("KR_CARBON_2050".into()), Some(Lang::En));
    });
    let asked = asked.answer(&context).unwrap();
    assert_eq!((asked.standard.as_str(), shown(&asked.choices).len()), ("KR_CARBON_2050", 3));
    assert!(asked.inputs.iter().any(|input| input.source == "pod annotation of default/small"), "{:?}", asked.inputs);
    // Nor does the own PUE hold elsewhere.
    let elsewhere = AssessRequest::new("small").with(|asked| asked.scope.region = Some("SE".into()));
    let elsewhere = elsewhere.answer(&context).unwrap();
    assert!(elsewhere.pue != Some(1.5) && !shown(&elsewhere.choices).iter().any(|own| own.starts_with("pue")));
}

#[test]
fn a_pod_comes_before_its_namespace_an_annotation_before_a_label_and_both_before_the_settings() {
    let world = World::new();
    let mut source = written(&[("uid-0", &[("pue", "1.2")])], &[("pue", "1.4"), ("budget", "5 kg/month")]);
    source.0.pods.get_mut("uid-0").unwrap().push(EnergyAnnotation::new("pue", "1.9", true));
    source.0.namespaces.get_mut("default").unwrap().push(EnergyAnnotation::new("language", "en", true));
    let context = world.context().choosing(&source);
    let (small, large) = (assess(&context, "small"), assess(&context, "large"));
    assert_eq!((small.pue, large.pue), (Some(1.2), Some(1.4)));
    let origin = |answer: &AssessResponse, name| answer.choices.iter().find(|own| own.name == name).unwrap().origin;
    assert_eq!(origin(&small, "pue"), ChoiceOrigin::PodAnnotation);
    assert_eq!(origin(&large, "pue"), ChoiceOrigin::NamespaceAnnotation);
    assert_eq!(origin(&small, "language"), ChoiceOrigin::NamespaceLabel);
    assert_eq!(assess(&world.context(), "large").pue, Some(1.0), "nothing is chosen, so the settings count");
    let summary = SummaryRequest::default().answer(&context).unwrap();
    assert_eq!(summary.pue, Some(1.0));
    let whole = assess(&world.context(), "small").emissions_per_hour.unwrap();
    assert!(near(small.emissions_per_hour, whole * 1.2, 1e-9));
}

#[test]
fn every_tool_judges_and_reckons_with_what_a_workload_chooses() {
    let mut world = World::new();
    world.view.steps = vec![kepler_compliance::view::StepUsage::default(); 1];
    let source = written(&[("uid-1", &[("budget", "20 g/h"), ("pue", "1.5")])], &[("standard", "TEAM_BUDGET")]);
    let context = world.context().choosing(&source);
    let expected = assess(&context, "large");
    let listed = ListRequest::default().answer(&context).unwrap();
    let row = listed.workloads.iter().find(|row| row.workload == "large").unwrap();
    assert_eq!((row.statuses, row.emissions_per_hour), (expected.statuses, expected.emissions_per_hour));
    assert_eq!(shown(&row.choices), shown(&expected.choices));
    let now = PowerNowRequest::default().answer(&context).unwrap();
    let consumer = now.consumers.iter().find(|row| row.workload == "large").unwrap();
    assert_eq!((consumer.status, consumer.emissions_per_hour), (expected.statuses.status, expected.emissions_per_hour));
    let impact = ImpactRequest::new("large").answer(&context).unwrap();
    assert_eq!((impact.before.statuses, impact.before.pue), (expected.statuses, Some(1.5)));
    assert!(impact.after.verdicts.iter().any(|verdict| verdict.code == "WORKLOAD_BUDGET"));
    let hot = HotspotsRequest::default().answer(&context).unwrap();
    assert_eq!(hot.hotspots[0].emissions_per_hour, expected.emissions_per_hour);
    let energy = EnergyRequest::default().with(|asked| asked.workload = Some("large".into()));
    let energy = energy.answer(&context).unwrap();
    assert!(near(energy.emissions, 439.4 / 3.6e6 * 424.0 * 1.5, 1e-6), "{:?}", energy.emissions);
    let trend = TrendRequest::default().with(|asked| asked.workload = Some("large".into()));
    assert!(shown(&trend.answer(&context).unwrap().choices).contains(&"pue=1.5 pod annotation default/large".into()));
    let counts = SummaryRequest::default().answer(&context).unwrap().counts;
    assert_eq!((counts.compliant, counts.non_compliant), (listed.counts.compliant, listed.counts.non_compliant));
}

#[test]
fn what_cannot_be_used_is_said_with_place_value_and_remedy_and_the_next_counts() {
    let world = World::new();
    let bad = [("pue", "0.9"), ("standard", "KR_NOTHING"), ("budget", "a lot"), ("language", "fr"), ("colour", "red")];
    let source = written(&[("uid-0", &bad), ("uid-1", &[("energy-unit", "BTU")])], &[("pue", "1.3")]);
    let context = world.context().choosing(&source);
    let small = assess(&context, "small");
    assert_eq!((small.pue, small.standard.as_str()), (Some(1.3), "KR_CARBON_2050"));
    for said in [
        "pod annotation kepler.energy/pue of default/small is `0.9`, which cannot be used and is ignored: give a number",
        "kepler.energy/standard of default/small is `KR_NOTHING`",
        "kepler.energy/budget of default/small is `a lot`",
        "kepler.energy/language of default/small is `fr`",
        "kepler.energy/colour of default/small is not known",
    ] {
        assert!(small.evidence.caveats.iter().any(|caveat| caveat.contains(said)), "{said}: {:#?}", small.evidence);
    }
    let listed = ListRequest::default().answer(&context).unwrap();
    assert!(listed.evidence.caveats.iter().any(|caveat| caveat.starts_with("1 more")), "{:#?}", listed.evidence);
}

#[test]
fn pods_of_a_controller_that_differ_choose_nothing_and_one_that_says_nothing_objects_to_nothing() {
    let mut world = World::new();
    world.view.rows = ["db-0", "db-1", "db-2"].iter().map(|name| Row::pod(name, 10.0, 0.0)).collect();
    let source = written(
        &[("uid-0", &[("pue", "1.2"), ("budget", "20")]), ("uid-1", &[("pue", "1.3"), ("budget", "20 g/h")])],
        &[],
    );
    let context = world.context().choosing(&source);
    let request = AssessRequest::new("db").with(|asked| asked.qualifiers.kind = Some(WorkloadKind::StatefulSet));
    let answer = request.answer(&context).unwrap();
    assert_eq!(answer.pue, Some(1.0));
    assert!(answer.evidence.caveats.iter().any(|caveat| caveat.contains("differ in 1.2, 1.3 (pod annotation")));
    assert_eq!(shown(&answer.choices), ["budget=20 pod annotation default/db-0"]);
}

#[test]
fn where_no_region_is_set_the_labels_of_nodes_tell_it() {
    let mut world = World::new();
    world.settings = settings(424.0, 1.0).with(|own| (own.region, own.pue, own.grid_intensity) = (None, None, None));
    world.view.nodes.push(("node-2", 100.0, 0.0, 0.0));
    let mut source = written(&[], &[]);
    let region = |name: &str, source: &Written| assess(&world.context().choosing(source), name).region;
    assert_eq!(region("small", &source), "ap-northeast-2", "it is assumed");
    source.0.regions.insert("node-1".into(), "eu-north-1".into());
    assert_eq!(region("small", &source), "eu-north-1");
    let summary = SummaryRequest::default().answer(&world.context().choosing(&source)).unwrap();
    assert_eq!(summary.region, "eu-north-1");
    assert!(summary.evidence.caveats.iter().any(|caveat| caveat.contains("topology.kubernetes.io/region")));
    source.0.regions.insert("node-2".into(), "us-east-1".into());
    assert_eq!((region("small", &source), region("large", &source)), ("eu-north-1".into(), "us-east-1".into()));
    let both = SummaryRequest::default().answer(&world.context().choosing(&source)).unwrap();
    assert_eq!(both.region, "ap-northeast-2", "there is no one region of all");
    source.0.regions.insert("node-1".into(), "atlantis-1".into());
    let small = assess(&world.context().choosing(&source), "small");
    assert!(small.evidence.caveats.iter().any(|caveat| caveat.contains("region of node-1 is `atlantis-1`")));
    let asked = AssessRequest::new("large").with(|asked| asked.scope.region = Some("FR".into()));
    let asked = asked.answer(&world.context().choosing(&source)).unwrap();
    assert_eq!((asked.region.as_str(), asked.choices.len()), ("FR", 0));
}
