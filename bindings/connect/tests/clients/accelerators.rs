//! Accelerators of exporters: each of a node, and what workloads used of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use crate::support::{Reply, Server};
use jiff::{Timestamp, ToSpan};
use kepler_compliance::units::{Energy, ZoneKind};
use kepler_compliance::view::{EnergyView, Inventory, TimeRange};
use kepler_connect::kepler::{KeplerOptions, KeplerView};
use std::sync::{Arc, Mutex};

fn at(seconds: i64) -> Timestamp {
    "2026-05-01T00:00:00Z".parse::<Timestamp>().unwrap() + seconds.seconds()
}

/// Polls every ten seconds what is shown then, and answers for all of that.
fn polled(shown: &[String]) -> Inventory {
    let reply = Arc::new(Mutex::new(Reply::status(503)));
    let server = Server::start({
        let reply = Arc::clone(&reply);
        move |_| reply.lock().unwrap().clone()
    });
    let view = KeplerView::new(&[server.url()], KeplerOptions::default()).unwrap();
    for (n, text) in (0..).zip(shown) {
        *reply.lock().unwrap() = Reply::ok(text);
        assert_eq!(view.poll(at(10 * n)), [], "{text}");
    }
    let end = 10 * (shown.len() as i64 - 1);
    (*view.inventory(TimeRange { start: at(0), end: at(end) }).unwrap()).clone()
}

/// A device as this program shows it.
fn device(gpu: u32, energy: f64, active: f64, idle: f64) -> String {
    let labels = format!(r#"node_name="n",gpu="{gpu}",gpu_uuid="GPU-{gpu}",gpu_name="H200",vendor="nvidia""#);
    format!(
        "kepler_node_gpu_joules_total{{{labels}}} {energy}\nkepler_node_gpu_active_joules_total{{{labels}}} {active}\n\
         kepler_node_gpu_idle_joules_total{{{labels}}} {idle}\nkepler_node_gpu_unattributed_joules_total{{{labels}}} 0\n\
         kepler_node_gpu_watts{{{labels}}} 300\n"
    )
}

fn pod(name: &str, gpu: Option<u32>, joules: f64) -> String {
    let of = gpu.map(|gpu| format!(r#",gpu="{gpu}",gpu_uuid="GPU-{gpu}""#)).unwrap_or_default();
    format!(
        "kepler_pod_gpu_joules_total{{node_name=\"n\",pod_id=\"{name}\",pod_name=\"{name}\",pod_namespace=\"ml\",state=\"running\"{of}}} {joules}\n"
    )
}

const SOURCE: &str = "kepler_power_source_info{node_name=\"n\",zone=\"gpu\",source=\"nvml\",method=\"measured\"} 1\n";

/// Readings are stamped as answers come, some milliseconds after they were asked for.
fn whole(energy: Energy) -> f64 {
    energy.joules().round()
}

fn used(inventory: &Inventory, name: &str) -> Vec<(String, f64)> {
    let row = inventory.workloads.iter().find(|row| &*row.id.name == name).unwrap();
    row.devices.iter().map(|used| (used.uuid.to_string(), whole(used.energy))).collect()
}

fn joules(inventory: &Inventory) -> Vec<f64> {
    inventory.nodes[0].devices.iter().map(|device| whole(device.energy)).collect()
}

fn zone(inventory: &Inventory) -> f64 {
    whole(inventory.nodes[0].zones[ZoneKind::Gpu].as_ref().unwrap().energy)
}

#[test]
fn each_device_of_an_exporter_and_what_pods_used_of_it() {
    let shown: Vec<String> = (0..4)
        .map(|step| {
            let step = f64::from(step);
            [
                SOURCE.to_owned(),
                device(0, 1000.0 + 30.0 * step, 250.0 * step / 10.0, 5.0 * step),
                device(1, 50.0 + 2.0 * step, 0.0, 0.0),
                pod("train", Some(0), 7.0 + 20.0 * step),
                pod("train", Some(1), 0.0),
                pod("infer", Some(0), 3.0 + 5.0 * step),
            ]
            .concat()
        })
        .collect();
    let all = polled(&shown);
    assert_eq!((joules(&all), zone(&all)), (vec![90.0, 6.0], 96.0));
    let first = &all.nodes[0].devices[0];
    assert_eq!((whole(first.active), whole(first.idle), whole(first.unsplit)), (75.0, 15.0, 0.0));
    assert_eq!((&*first.source, &*first.device.name, first.device.vendor), ("nvml", "H200", "nvidia"));
    assert_eq!((first.device.index, first.power.unwrap().watts()), (0, 300.0));
    assert_eq!(whole(all.nodes[0].devices[1].unsplit), 6.0, "its idle power is not known");
    assert_eq!(used(&all, "train"), [("GPU-0".to_owned(), 60.0)]);
    assert_eq!(used(&all, "infer"), [("GPU-0".to_owned(), 15.0)]);
}

#[test]
fn a_series_that_names_no_device_is_of_the_only_one_and_of_none_of_several() {
    let shown = |devices: u32| -> Vec<String> {
        let devices =
            |step: f64| (0..devices).map(|gpu| device(gpu, 9.0 * step, 6.0 * step, 3.0 * step)).collect::<String>();
        (0..3).map(f64::from).map(|step| devices(step) + &pod("train", None, 6.0 * step)).collect()
    };
    assert_eq!(used(&polled(&shown(1)), "train"), [("GPU-0".to_owned(), 12.0)]);
    let summed = polled(&shown(2));
    assert_eq!(used(&summed, "train"), []);
    assert_eq!((joules(&summed), zone(&summed)), (vec![18.0, 18.0], 36.0));
    assert_eq!(whole(summed.workloads[0].energy.gpu().unwrap()), 12.0);
}

#[test]
fn a_device_that_goes_or_begins_again_does_not_make_the_others_count_twice() {
    let shown = [
        device(0, 1000.0, 0.0, 0.0) + &device(1, 500_000.0, 0.0, 0.0) + &pod("train", Some(0), 0.0),
        device(0, 1005.0, 0.0, 0.0) + &device(1, 500_010.0, 0.0, 0.0) + &pod("train", Some(0), 4.0),
        // The second has fallen off the bus, and Go Kepler shows it no more.
        device(0, 1010.0, 0.0, 0.0) + &pod("train", Some(0), 8.0),
        // Its driver was loaded again.
        device(0, 1015.0, 0.0, 0.0)
            + &device(1, 3.0, 0.0, 0.0)
            + &pod("train", Some(0), 8.0)
            + &pod("train", Some(1), 2.0),
    ];
    let all = polled(&shown);
    assert_eq!((joules(&all), zone(&all)), (vec![15.0, 13.0], 28.0));
    assert_eq!(used(&all, "train"), [("GPU-0".to_owned(), 8.0), ("GPU-1".to_owned(), 2.0)]);
}

#[test]
fn a_second_device_that_comes_does_not_make_the_first_count_again() {
    let shown = [
        device(0, 0.0, 0.0, 0.0) + &pod("train", None, 1000.0),
        device(0, 10.0, 10.0, 0.0) + &pod("train", None, 1010.0),
        device(0, 20.0, 20.0, 0.0)
            + &device(1, 900.0, 0.0, 0.0)
            + &pod("train", Some(0), 1020.0)
            + &pod("train", Some(1), 1.0),
        device(0, 30.0, 30.0, 0.0)
            + &device(1, 905.0, 5.0, 0.0)
            + &pod("train", Some(0), 1030.0)
            + &pod("train", Some(1), 4.0),
    ];
    let all = polled(&shown);
    assert_eq!(joules(&all), [30.0, 5.0]);
    assert_eq!(used(&all, "train"), [("GPU-0".to_owned(), 10.0), ("GPU-1".to_owned(), 3.0)]);
    assert_eq!(whole(all.workloads[0].energy.gpu().unwrap()), 23.0);
}

#[test]
fn an_exporter_that_shows_no_end_of_devices_is_refused() {
    let text: String = (0..257).map(|gpu| device(gpu, 1.0, 1.0, 0.0)).collect();
    let server = Server::start(move |_| Reply::ok(&text));
    let view = KeplerView::new(&[server.url()], KeplerOptions::default()).unwrap();
    let refused = view.poll(at(0));
    assert!(refused[0].reason.contains("more than 256 accelerators"), "{refused:?}");
}
