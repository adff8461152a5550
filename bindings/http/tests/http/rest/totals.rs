//! What the node's totals are made of, and what they say of that.

use super::node::{Node, later};
use crate::support::{accelerated, inhabited, zone};
use kepler_core::device::{DeviceAllocation, SharesBy};
use kepler_core::snapshot::Snapshot;
use kepler_core::units::{Energy, Power, ZoneKind};
use kepler_http::RestOptions;
use serde_json::{Value, json};

#[tokio::test]
async fn totals_are_of_a_platform_that_is_measured_where_the_package_is_estimated() {
    let mut snapshot = inhabited();
    let estimated = kepler_core::meter::Method::Estimated { error_ratio: 0.3 };
    snapshot.node.zones[ZoneKind::Package].as_mut().unwrap().method = estimated;
    snapshot.node.zones[ZoneKind::Psys] = Some(zone(300.0, Some(60.0)));
    snapshot.processes[0].energy[ZoneKind::Psys] = Energy::from_joules(4.0);
    snapshot.processes[0].power[ZoneKind::Psys] = Power::from_watts(1.5);
    let api = Node::new(RestOptions::default());
    api.publish(snapshot);
    let total = api.get("/api/v1/node").await.ok()["total"].clone();
    assert_eq!(
        (&total["zones"], &total["method"], &total["energy_joules"], &total["power_watts"]["total"]),
        (&json!(["psys"]), &json!("measured"), &json!(300.0), &json!(60.0)),
        "{total}"
    );
    let processes = api.get("/api/v1/processes?search=systemd").await.ok();
    let row = &processes["items"][0];
    assert_eq!(
        (&row["energy_joules"]["total"], &row["power_watts"]["total"]),
        (&json!(4.0), &json!(1.5)),
        "{processes}"
    );
}

#[tokio::test]
async fn a_series_of_a_sum_with_a_part_missing_is_partial() {
    let partial = |mut snapshot: Snapshot| {
        let method = kepler_core::meter::Method::Partial { error_ratio: 0.2 };
        for kind in [ZoneKind::Package, ZoneKind::Dram] {
            snapshot.node.zones[kind].as_mut().unwrap().method = method;
        }
        snapshot
    };
    let node = Node::new(RestOptions::default());
    node.publish(partial(inhabited()));
    node.get("/api/v1/history").await;
    node.publish(partial(later(inhabited(), 1)));
    let history = node.get("/api/v1/history").await.ok();
    assert_eq!((&history["method"], &history["error_ratio"]), (&json!("partial"), &json!(0.2)), "{history}");
    assert!(history["steps"][0]["interval_watts"].is_object(), "{history}");
    let total = node.get("/api/v1/node").await.ok()["total"].clone();
    assert_eq!((&total["method"], &total["error_ratio"]), (&json!("partial"), &json!(0.2)), "{total}");
}

#[tokio::test]
async fn accelerators_are_shown_with_the_node_and_counted_in_its_sum() {
    let node = Node::new(RestOptions::default());
    node.publish(accelerated());
    let answer = node.get("/api/v1/node").await.ok();
    let [used, unknown] = answer["devices"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert_eq!(
        (&used["uuid"], &used["source"], &used["idle_policy"]),
        (&json!("GPU-4f1c"), &json!("nvml"), &json!("baseline"))
    );
    assert_eq!(used["power_watts"], json!({ "total": 300.0, "active": 250.0, "idle": 50.0 }));
    assert_eq!((&used["age_seconds"], &used["fault"]), (&json!(0.25), &Value::Null));
    assert_eq!(unknown["power_watts"], json!({ "total": 70.0, "active": null, "idle": null }));
    assert_eq!((&unknown["idle_policy"], &unknown["unsplit_energy_joules"]), (&Value::Null, &json!(70.0)));
    let zones = answer["total"]["zones"].as_array().unwrap();
    assert!(zones.contains(&json!("gpu")) && zones.contains(&json!("package")), "{zones:?}");
    // What is not known to be idle is called neither, in every sum.
    let zone = answer["zones"].as_array().unwrap().iter().find(|zone| zone["zone"] == "gpu").unwrap();
    for sum in [zone, &answer["total"]] {
        assert_eq!(sum["unsplit_energy_joules"], json!(70.0), "{sum}");
    }
    assert_eq!(zone["power_watts"]["unsplit"], json!(70.0), "{zone}");
    let processes = node.get("/api/v1/processes").await.ok();
    assert!(processes.to_string().contains(r#""gpu":200.0"#), "{processes}");
}

#[tokio::test]
async fn a_workload_shows_each_accelerator_that_it_used_and_how_that_is_known() {
    let node = Node::new(RestOptions::default());
    let mut snapshot = accelerated();
    snapshot.pods[0].devices[1].idle_energy = Energy::from_joules(9.0);
    snapshot.pods[0].devices[1].shares_by = Some(SharesBy::Allocation);
    let given = DeviceAllocation::new("GPU-77aa", "shop", "web-0", "worker");
    snapshot.devices[1].allocations = [given].into();
    snapshot.devices[1].power = None;
    node.publish(snapshot);
    let pods = node.get("/api/v1/pods").await.ok();
    let used = &pods["items"][0]["devices"];
    let first = json!({
        "gpu": 0, "uuid": "GPU-4f1c", "energy_joules": 200.0, "power_watts": 200.0, "idle_energy_joules": 0.0,
        "shares_by": null, "method": "measured", "error_ratio": null,
    });
    let second = json!({
        "gpu": 1, "uuid": "GPU-77aa", "energy_joules": 3.0, "power_watts": null, "idle_energy_joules": 9.0,
        "shares_by": "allocation", "method": "measured", "error_ratio": null,
    });
    assert_eq!(used, &json!([first, second]), "{pods}");
    let devices = node.get("/api/v1/node").await.ok()["devices"].clone();
    let expected = json!([{ "id": "GPU-77aa", "namespace": "shop", "pod": "web-0", "container": "worker" }]);
    assert_eq!((&devices[1]["allocations"], &devices[0]["allocations"]), (&expected, &json!([])));
    let processes = node.get("/api/v1/processes?search=systemd").await.ok();
    assert_eq!(processes["items"][0].get("devices"), None, "it used none: {processes}");
}

#[tokio::test]
async fn a_name_of_any_length_costs_no_more_than_a_name() {
    let node = Node::measured().await;
    let long = "x".repeat(30_000);
    for (path, status, kind) in [
        (format!("api/v1/history?workload={long}"), 400, "bad-parameter"),
        (format!("api/v1/processes?pod={long}"), 400, "bad-parameter"),
        (format!("api/v1/processes?{long}=1"), 400, "bad-parameter"),
        (format!("tools/{long}"), 405, "method-not-allowed"),
        (format!("api/v1/{long}"), 404, "not-found"),
    ] {
        let detail = node.get(&format!("/{path}")).await.problem(status, kind);
        assert!(detail.len() < 2500, "{} bytes: a name of any length costs no more than a name", detail.len());
    }
    let detail = node.call(&long, &json!({})).await.problem(404, "unknown-tool");
    assert!(detail.len() < 2500 && detail.contains("find_workloads"), "{detail}");
}
