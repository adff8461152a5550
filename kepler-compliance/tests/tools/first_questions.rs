//! The first questions of users: what uses power now, how much energy something used, what is there.

use super::fixture::{Row, World, near, split};
use super::kinds::host;
use kepler_compliance::choices::{ChoiceSource, Choices};
use kepler_compliance::standards::{Basis, Status};
use kepler_compliance::tools::{
    EnergyBy, EnergyRequest, EnergyResponse, FindRequest, FindResponse, PowerNowRequest, PowerNowResponse, ToolError,
    ToolRequest, find_workloads, get_energy, get_power_now,
};
use kepler_compliance::view::{StepUsage, WorkloadKind};
use std::time::Duration;

fn now(world: &World, change: impl FnOnce(&mut PowerNowRequest)) -> PowerNowResponse {
    get_power_now(&world.context(), &PowerNowRequest::default().with(change)).unwrap()
}

fn energy(world: &World, change: impl FnOnce(&mut EnergyRequest)) -> EnergyResponse {
    get_energy(&world.context(), &EnergyRequest::default().with(change)).unwrap()
}

fn find(world: &World, change: impl FnOnce(&mut FindRequest)) -> FindResponse {
    find_workloads(&world.context(), &FindRequest::default().with(change)).unwrap()
}

/// Two nodes, of which each has every second row.
fn cluster() -> World {
    let mut world = World::new();
    world.view.nodes = vec![("node-1", 500.0, 0.0, 100.0), ("node-2", 300.0, 0.0, 100.0)];
    world.view.rows = vec![
        Row::pod("web-7d4b9c6f5-x2x9z", 200.0, 0.0).within("shop"),
        Row::pod("web-7d4b9c6f5-b5b5b", 100.0, 0.0).within("shop"),
        Row::pod("Redis-0", 50.0, 0.0).within("cache"),
        Row::new(WorkloadKind::Unit, "nginx.service", 25.0, 0.0).estimated(0.2),
    ];
    world
}

#[test]
fn power_now_names_the_biggest_user_and_everything_adds_up() {
    let answer = now(&host(), |asked| asked.limit = 2);
    let listed: Vec<(&str, f64)> = answer.consumers.iter().map(|own| (&*own.workload, own.power_watts)).collect();
    assert_eq!(listed, [("stress", 60.0), ("web", 20.0)]);
    let remainder = answer.remainder.unwrap();
    let parts = [
        answer.idle_watts,
        remainder.unattributed_watts,
        remainder.unlisted_watts,
        Some(remainder.other_workloads_watts),
        Some(80.0),
    ];
    let sum: f64 = parts.into_iter().flatten().sum();
    assert!(near(answer.power_watts.total, sum, 1e-9), "{answer:?}");
    assert!(near(answer.consumers[0].share_percent, 60.0, 1e-9), "of all 100 W");
    assert!(near(answer.workloads_watts, 95.0, 1e-9));
}

#[test]
fn power_now_says_what_an_hour_emits_and_costs() {
    let mut world = host();
    world.settings = super::fixture::settings(400.0, 1.5);
    let answer = now(&world, |_| {});
    assert!(near(answer.emissions_per_hour, 60.0, 1e-9), "100 W at PUE 1.5 and 400 g/kWh");
    assert!(near(answer.cost_per_hour, 15.0, 1e-6), "150 Wh at 100 won");
    assert!(
        near(answer.consumers[0].emissions_per_hour, 36.0, 1e-9) && near(answer.consumers[0].cost_per_hour, 9.0, 1e-6)
    );
    assert_eq!((answer.currency.as_deref(), answer.basis), (Some("KRW"), Some(Basis::Measured)));
    assert_ne!(answer.consumers[0].status, Status::InsufficientData);
}

#[test]
fn power_of_one_node_is_its_own() {
    let answer = now(&cluster(), |asked| asked.node = Some("node-2".to_owned()));
    assert!(near(answer.power_watts.total, 60.0, 1e-9) && near(answer.idle_watts, 20.0, 1e-9), "{answer:?}");
    let names: Vec<&str> = answer.consumers.iter().map(|own| &*own.workload).collect();
    assert_eq!((answer.nodes, names), (1, vec!["web-7d4b9c6f5-b5b5b", "nginx.service"]));
    assert_eq!(answer.consumers[1].basis, Basis::Estimated);
}

#[test]
fn without_figures_power_now_is_unknown_and_not_zero() {
    let mut world = World::new();
    world.view.nodes.clear();
    let answer = now(&world, |_| {});
    assert_eq!((answer.power_watts.total, answer.idle_watts, answer.basis), (None, None, None));
    assert!(answer.remainder.is_none() && !answer.evidence.caveats.is_empty());
}

#[test]
fn energy_of_a_node_is_idle_and_active_and_that_of_a_workload_active_only() {
    let node = energy(&cluster(), |asked| asked.node = Some("node-1".to_owned()));
    assert_eq!(node.subject, "node node-1");
    assert!(near(node.energy_joules, 500.0, 1e-9) && near(node.idle_joules, 100.0, 1e-9));
    assert!(near(node.mean_power_watts, 100.0, 1e-9));
    let all = energy(&cluster(), |_| {});
    assert_eq!(all.subject, "cluster");
    assert!(near(all.energy_joules, 800.0, 1e-9));
    let own = energy(&cluster(), |asked| asked.workload = Some("nginx".to_owned()));
    assert_eq!(
        (own.subject.as_str(), own.idle_joules, own.basis),
        ("unit nginx.service", None, Some(Basis::Estimated))
    );
    assert!(near(own.error_ratio, 0.2, 1e-9) && node.error_ratio.is_none());
    assert!(near(own.energy_joules, 25.0, 1e-9));
}

#[test]
fn a_workload_is_found_in_the_only_namespace_that_has_it() {
    let own = energy(&cluster(), |asked| asked.workload = Some("web".to_owned()));
    assert_eq!(own.subject, "deployment shop/web");
    assert!(near(own.energy_joules, 300.0, 1e-9), "both of its pods");
    assert!(near(own.cpu_seconds, 2.0, 1e-9), "a second of each");
    let groups = energy(&cluster(), |asked| asked.by = Some(EnergyBy::Namespace)).groups;
    let cpu: Vec<_> = groups.iter().map(|group| (group.name.as_deref(), group.cpu_seconds)).collect();
    assert_eq!(cpu[0], (Some("shop"), Some(2.0)), "{cpu:?}");
    let mut world = cluster();
    world.view.rows.push(Row::pod("web-7d4b9c6f5-x2x9z", 1.0, 0.0).within("other"));
    let asked = EnergyRequest::default().with(|asked| asked.workload = Some("web".to_owned()));
    let error = get_energy(&world.context(), &asked).unwrap_err();
    assert!(
        matches!(error, ToolError::UnknownWorkload { elsewhere, .. } if elsewhere.len() == 2),
        "which is meant is asked"
    );
}

#[test]
fn groups_add_up_to_the_whole_whatever_they_are_made_by() {
    let by = |by: EnergyBy, change: fn(&mut EnergyRequest)| {
        energy(&cluster(), |asked| {
            (asked.by, asked.limit) = (Some(by), 100);
            change(asked);
        })
    };
    for (answer, expected) in [
        (by(EnergyBy::Node, |_| {}), 800.0),
        (by(EnergyBy::Namespace, |_| {}), 375.0),
        (by(EnergyBy::Workload, |_| {}), 375.0),
        (by(EnergyBy::Kind, |_| {}), 375.0),
        (by(EnergyBy::Node, |asked| asked.namespace = Some("shop".to_owned())), 300.0),
        (by(EnergyBy::Workload, |asked| asked.workload = Some("web".to_owned())), 300.0),
    ] {
        let sum: f64 = answer.groups.iter().filter_map(|group| group.energy_joules).sum();
        assert!((sum - expected).abs() < 1e-9, "{answer:?}");
        assert_eq!(answer.groups_total, answer.groups.len());
    }
    let namespaces = by(EnergyBy::Namespace, |_| {});
    let names: Vec<Option<&str>> = namespaces.groups.iter().map(|group| group.name.as_deref()).collect();
    assert_eq!(names, [Some("shop"), Some("cache"), None], "what is in no namespace has no name");
    assert!(near(namespaces.groups[0].share_percent, 37.5, 1e-9), "of the cluster's 800 J");
    let two = energy(&cluster(), |asked| (asked.by, asked.limit) = (Some(EnergyBy::Workload), 1));
    assert!(near(two.other_groups_joules, 175.0, 1e-9) && two.groups_total == 4 && two.groups.len() == 1);
}

#[test]
fn a_series_has_the_steps_that_are_known_and_only_where_asked_for() {
    let mut world = cluster();
    world.view.steps = (1..=60).map(|watts| StepUsage::new(split(f64::from(watts) * 60.0, 0.0), None)).collect();
    let answer = energy(&world, |asked| asked.step = Some("1m".parse().unwrap()));
    assert_eq!(answer.series.len(), 60);
    assert!(
        (answer.series[9].power_watts - 10.0).abs() < 1e-9 && (answer.series[9].energy_joules - 600.0).abs() < 1e-9
    );
    assert_eq!((answer.series[9].idle_watts, answer.series[9].cpu_seconds), (None, None), "absent is not zero");
    assert!(energy(&world, |_| {}).series.is_empty());
    let fine = EnergyRequest::default().with(|asked| asked.step = Some("1ms".parse().unwrap()));
    assert!(get_energy(&world.context(), &fine).is_err());
}

#[test]
fn steps_of_nodes_tell_idle_and_unattributed_and_those_of_workloads_cpu_time() {
    let mut world = cluster();
    let used = StepUsage::new(split(600.0, 0.0), Some(Duration::from_secs(90)));
    world.view.steps = vec![used.with_parts(split(240.0, 0.0), split(60.0, 0.0)); 60];
    let answer = energy(&world, |asked| asked.step = Some("1m".parse().unwrap()));
    let step = &answer.series[0];
    assert!(near(step.idle_watts, 4.0, 1e-9) && near(step.unattributed_watts, 1.0, 1e-9), "{step:?}");
    assert_eq!(step.cpu_seconds, Some(90.0));
}

#[test]
fn energy_of_a_past_window_ends_where_it_was_asked_to() {
    let world = cluster();
    let end = "2026-11-20T00:00:00Z".parse().unwrap();
    let answer = energy(&world, |asked| (asked.end, asked.window) = (Some(end), "24h".parse().unwrap()));
    assert_eq!((answer.start, answer.end), ("2026-11-19T00:00:00Z".parse().unwrap(), end));
    let ahead = "2027-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(energy(&world, |asked| asked.end = Some(ahead)).end, world.now, "nothing is known of the future");
}

#[test]
fn cost_and_emissions_of_energy_are_those_of_the_facility() {
    let mut world = cluster();
    world.settings = super::fixture::settings(400.0, 1.5);
    let answer = energy(&world, |_| {});
    assert!(near(answer.emissions, 800.0 * 1.5 / 3.6e6 * 400.0, 1e-9), "{answer:?}");
    assert!(near(answer.cost, 800.0 * 1.5 / 3.6e6 * 100.0, 1e-9));
    assert!(near(answer.facility_energy_kwh, 800.0 * 1.5 / 3.6e6, 1e-12));
    let inputs: Vec<(&str, f64)> = answer.inputs.iter().map(|input| (&*input.name, input.value)).collect();
    assert_eq!(inputs, [("grid_intensity", 400.0), ("pue", 1.5)]);
}

#[test]
fn workloads_are_found_by_part_of_a_name_in_any_case() {
    let world = cluster();
    let names = |query: &str| -> Vec<String> {
        find(&world, |asked| asked.query = Some(query.to_owned()))
            .workloads
            .into_iter()
            .map(|own| own.workload)
            .collect()
    };
    assert_eq!(names("redis"), ["Redis-0"]);
    assert_eq!(names("shop/web")[0], "web-7d4b9c6f5-x2x9z", "as other answers write it");
    assert_eq!(names("NODE-2").len(), 2, "what runs there");
    assert_eq!(find(&world, |_| {}).total, 4);
    let first = find(&world, |asked| asked.limit = 3);
    assert_eq!((first.workloads.len(), first.next_offset), (3, Some(3)));
    let rest = find(&world, |asked| (asked.offset, asked.limit) = (3, 3));
    assert_eq!((rest.workloads.len(), rest.next_offset), (1, None));
}

#[test]
fn a_name_that_nothing_has_suggests_those_like_it() {
    let answer = find(&cluster(), |asked| asked.query = Some("rediss".to_owned()));
    assert_eq!((answer.total, answer.nearest[0].as_str()), (0, "pod cache/Redis-0"));
    let unknown = |asked: FindRequest| find_workloads(&cluster().context(), &asked).unwrap_err().to_string();
    let error = unknown(FindRequest::default().with(|asked| asked.node = Some("node-3".to_owned())));
    assert!(error.contains("node-1, node-2"), "{error}");
    let error = unknown(FindRequest::default().with(|asked| asked.namespace = Some("shopp".to_owned())));
    assert!(error.contains("shop"), "{error}");
}

/// Labels as an exporter shows them, of the rows of `cluster` by their UID.
struct Labelled(&'static [(&'static str, &'static [(&'static str, &'static str)])]);

impl ChoiceSource for Labelled {
    fn choices(&self) -> Choices {
        let mut choices = Choices::default();
        for (uid, labels) in self.0 {
            let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            choices.labels.insert((*uid).into(), labels.collect());
        }
        choices
    }
}

#[test]
fn workloads_are_found_by_the_labels_of_their_pods() {
    let world = cluster();
    let labels = Labelled(&[
        ("uid-0", &[("app_kubernetes_io_name", "shop-front"), ("track", "stable")]),
        ("uid-1", &[("app_kubernetes_io_name", "shop-front"), ("track", "canary")]),
        ("uid-2", &[("app_kubernetes_io_name", "store")]),
    ]);
    let context = world.context().choosing(&labels);
    let find =
        |change: &dyn Fn(&mut FindRequest)| find_workloads(&context, &FindRequest::default().with(change)).unwrap();
    let names = |answer: &FindResponse| answer.workloads.iter().map(|row| row.workload.clone()).collect::<Vec<_>>();
    let by_label = |label: &str| find(&|asked: &mut FindRequest| asked.label = Some(label.to_owned()));
    let front = by_label("app.kubernetes.io/name=shop-front");
    assert_eq!(names(&front), ["web-7d4b9c6f5-x2x9z", "web-7d4b9c6f5-b5b5b"]);
    assert_eq!(front.workloads[0].labels["track"], "stable");
    assert_eq!(names(&by_label("track=canary")), ["web-7d4b9c6f5-b5b5b"]);
    assert_eq!(by_label("track").total, 2);
    let (none, any) = (by_label("track=beta"), find(&|asked: &mut FindRequest| asked.query = Some("STORE".to_owned())));
    assert!(none.total == 0 && none.evidence.caveats.is_empty(), "{none:?}");
    assert_eq!(names(&any), ["Redis-0"], "a label has the word");
    let unlabelled =
        find_workloads(&world.context(), &FindRequest::default().with(|asked| asked.label = Some("app=web".into())));
    assert!(unlabelled.unwrap().evidence.caveats[0].contains("No labels of pods are known"), "unknown is not none");
}
