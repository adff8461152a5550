//! Workloads of several kinds on one host: each counts once, and what is not listed has a name.

use super::fixture::{Row, World, near};
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{
    HotspotsRequest, ListRequest, SummaryRequest, ToolRequest, get_cluster_carbon_summary, get_power_hotspots,
    list_workloads_by_compliance, registry,
};
use kepler_compliance::view::{Containment, WorkloadKind};
use serde_json::json;

/// The uid that the fixture gives the row at a position.
fn within(kind: WorkloadKind, position: usize) -> Containment {
    Containment::Within { kind, uid: format!("uid-{position}").into() }
}

fn row(kind: WorkloadKind, name: &str, watts: f64, containment: Containment) -> Row {
    Row { containment, ..Row::new(kind, name, watts * 5.0, 0.0) }
}

/// A host of 100 active watts: a container of 20, a host process of 60 in no unit, a unit of 15, 5 that nothing explains.
pub(super) fn host() -> World {
    use WorkloadKind::{Container, Process, Unit, Vm};
    let mut world = World::new();
    world.view.nodes = vec![("node-1", 500.0, 0.0, 0.0)];
    world.view.unattributed = 25.0;
    world.view.rows = vec![
        row(Container, "web", 20.0, Containment::Outermost),
        row(Process, "nginx", 20.0, within(Container, 0)),
        row(Process, "stress", 60.0, Containment::Outermost),
        row(Unit, "machine.scope", 15.0, Containment::Outermost),
        row(Vm, "guest", 15.0, within(Unit, 3)),
        row(Process, "qemu", 15.0, within(Unit, 3)),
    ];
    world
}

fn hotspots(world: &World, change: impl FnOnce(&mut HotspotsRequest)) -> kepler_compliance::tools::HotspotsResponse {
    get_power_hotspots(&world.context(), &HotspotsRequest::default().with(change)).unwrap()
}

#[test]
fn the_biggest_user_is_listed_whatever_kind_it_is_and_nothing_counts_twice() {
    let answer = hotspots(&host(), |_| {});
    let listed: Vec<(&str, WorkloadKind)> =
        answer.hotspots.iter().map(|own| (own.workload.as_str(), own.kind)).collect();
    use WorkloadKind::{Container, Process, Unit};
    assert_eq!(listed, [("stress", Process), ("web", Container), ("machine.scope", Unit)]);
    assert!(near(answer.all_workloads_watts, 95.0, 1e-9), "100 W active, 5 of them unattributed");
    assert!((answer.hotspots[0].share_percent - 60.0 / 0.95).abs() < 1e-9);
    assert_eq!(answer.kind, None, "several kinds");
    let remainder = answer.remainder.unwrap();
    assert_eq!((remainder.other_workloads, remainder.unlisted_watts), (0, Some(0.0)));
    assert!(near(remainder.unattributed_watts, 5.0, 1e-9));
    assert!(answer.evidence.caveats[0].contains("active power that nothing explains 5 W"), "{:?}", answer.evidence);
}

#[test]
fn what_is_beyond_the_limit_is_counted_in_the_remainder() {
    let answer = hotspots(&host(), |asked| asked.limit = 1);
    let remainder = answer.remainder.unwrap();
    assert_eq!((answer.total, answer.hotspots.len(), remainder.other_workloads), (3, 1, 2));
    assert!((remainder.other_workloads_watts - 35.0).abs() < 1e-9);
    let korean = hotspots(&host(), |asked| (asked.limit, asked.scope.lang) = (1, Some(Lang::Ko)));
    assert!(korean.evidence.caveats[0].contains("다른 워크로드 2개 35 W"), "{:?}", korean.evidence);
}

#[test]
fn an_answer_that_is_shortened_is_the_answer_to_that_limit() {
    let world = host();
    for tool in registry::tools().iter().filter(|tool| tool.input_schema["properties"].get("limit").is_some()) {
        for lang in ["en", "ko"] {
            let whole = tool.answer(&world.context(), json!({ "lang": lang })).unwrap();
            for limit in 1..=4 {
                let asked = tool.call(&world.context(), json!({ "lang": lang, "limit": limit })).unwrap();
                assert_eq!(whole.shortened(limit).unwrap(), asked, "{} {limit}", tool.name);
            }
        }
    }
    let one = registry::find(HotspotsRequest::NAME).unwrap().answer(&world.context(), json!({})).unwrap();
    assert_ne!(one.shortened(1).unwrap(), *one.json(), "something is left out");
}

#[test]
fn one_kind_alone_leaves_the_rest_in_the_remainder() {
    let answer = hotspots(&host(), |asked| asked.kind = Some(WorkloadKind::Container));
    assert_eq!((answer.kind, answer.hotspots.len()), (Some(WorkloadKind::Container), 1));
    assert!(near(answer.remainder.unwrap().unlisted_watts, 75.0, 1e-9), "stress and the unit");
    assert!((answer.hotspots[0].share_percent - 20.0 / 0.95).abs() < 1e-9, "of all workloads, not of its kind");
}

#[test]
fn processes_of_a_source_that_does_not_know_their_containers_are_not_added() {
    let mut world = host();
    for row in world.view.rows.iter_mut().filter(|row| matches!(row.kind, WorkloadKind::Process | WorkloadKind::Vm)) {
        row.containment = Containment::Unknown;
    }
    let answer = hotspots(&world, |_| {});
    let names: Vec<&str> = answer.hotspots.iter().map(|own| own.workload.as_str()).collect();
    assert_eq!(names, ["web", "machine.scope"]);
    assert!(near(answer.remainder.unwrap().unlisted_watts, 60.0, 1e-9), "the host process is in there");
    world.view.rows.retain(|row| row.kind == WorkloadKind::Process);
    assert_eq!(hotspots(&world, |_| {}).hotspots.len(), 3, "without anything that may contain them, they are the rows");
}

#[test]
fn containers_whose_pod_is_no_row_count_themselves() {
    let mut world = World::new();
    let pod = |uid: &str| Containment::Within { kind: WorkloadKind::Pod, uid: uid.into() };
    world.view.rows = vec![
        Row::pod("api", 100.0, 0.0),
        row(WorkloadKind::Container, "api", 20.0, pod("uid-0")),
        row(WorkloadKind::Container, "orphan", 10.0, pod("gone")),
    ];
    let names: Vec<String> = hotspots(&world, |_| {}).hotspots.into_iter().map(|own| own.workload).collect();
    assert_eq!(names, ["api", "orphan"]);
}

#[test]
fn lists_and_summaries_count_each_workload_once_too() {
    let world = host();
    let listed = list_workloads_by_compliance(&world.context(), &ListRequest::default()).unwrap();
    let names: Vec<&str> = listed.workloads.iter().map(|row| row.workload.as_str()).collect();
    assert_eq!((names, listed.kind), (vec!["stress", "web", "machine.scope"], None));
    let joules: f64 = listed.workloads.iter().filter_map(|row| row.energy_joules).sum();
    assert!((joules - 475.0).abs() < 1e-9, "all that is attributed, once");
    let summary = get_cluster_carbon_summary(&world.context(), &SummaryRequest::default()).unwrap();
    assert_eq!(summary.counts, listed.counts);
}
