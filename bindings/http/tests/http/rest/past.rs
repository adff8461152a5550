//! Workloads of a time that has passed.

use super::node::Node;
use serde_json::{Value, json};

#[tokio::test]
async fn history_tells_who_used_how_much_in_a_time_and_when() {
    let node = Node::measured().await;
    let answer = node.get("/api/v1/history/workloads?range=5m&kind=process").await.ok();
    let items = answer["items"].as_array().unwrap();
    let one = items.iter().find(|item| item["name"] == "qemu").unwrap();
    assert_eq!(
        (&one["energy_joules"]["total"], &one["cpu_seconds"], &one["kind"]),
        (&json!(2.0), &json!(1.0), &json!("process"))
    );
    assert_eq!((&one["method"], &one["error_ratio"]), (&json!("estimated"), &json!(0.15)), "{one}");
    assert_eq!(one["within"]["kind"], "vm", "{one}");
    assert!(one.get("steps").is_none());
    let covered = |name: &str| answer[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let seconds = covered("covered_to").duration_since(covered("covered_from")).as_secs_f64();
    let watts = one["power_watts"]["total"].as_f64().unwrap();
    assert!((watts * seconds - 2.0).abs() < 1e-3, "{watts} W over {seconds} s");
    let energies: Vec<f64> = items.iter().map(|item| item["energy_joules"]["total"].as_f64().unwrap()).collect();
    assert!(energies.is_sorted_by(|a, b| a >= b), "{energies:?}");
    let cut = node.get("/api/v1/history/workloads?range=5m&search=QEM&limit=1&step=1s").await.ok();
    assert_eq!((&cut["matched"], &cut["items"][0]["uid"]), (&json!(1), &one["uid"]), "{cut}");
    let steps = cut["items"][0]["steps"].as_array().unwrap();
    let length = |step: &Value, name: &str| step[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let joules = |step: &Value| {
        step["watts"].as_f64().unwrap() * length(step, "end").duration_since(length(step, "start")).as_secs_f64()
    };
    assert!((steps.iter().map(joules).sum::<f64>() - 2.0).abs() < 1e-3, "{cut}");
    node.get("/api/v1/history/workloads?to=2001-01-01T00:00:00Z").await.problem(404, "no-data");
}
