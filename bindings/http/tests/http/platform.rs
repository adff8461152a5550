//! Meters of the whole machine in `/metrics`: Kepler's labels, no zone, nothing shown that is not known.

use crate::support::{Sample, exporter, options, parse, text, values};
use kepler_core::host::Timestamp;
use kepler_core::meter::Method;
use kepler_core::platform::PlatformMeter;
use kepler_core::snapshot::{PlatformResidual, PlatformRow, Snapshot};
use kepler_core::units::{Energy, Power};
use kepler_http::Format;
use std::sync::Arc;
use std::time::Duration;

fn samples() -> Vec<Sample> {
    let meter = |chassis: &str| {
        PlatformMeter::new("redfish", "bmc-1", chassis).with(|meter| {
            meter.source_id = "0".into();
            meter.source_name = "System \"Power\" Control".into();
            meter.source_type = "PowerControl".into();
        })
    };
    let mut snapshot = Snapshot::empty(Timestamp::now());
    let mut known = PlatformRow::new(meter("1"));
    known.energy = Energy::from_joules(2500.0);
    known.covered = Duration::from_secs(10);
    known.power = Some(Power::from_watts(250.0));
    known.age = Some(Duration::from_millis(4500));
    let mut unknown = PlatformRow::new(meter("2"));
    unknown.fault = Some("stale");
    unknown.meter = Arc::new(meter("2").with(|meter| meter.method = Method::Estimated { error_ratio: 0.2 }));
    let mut rest = PlatformResidual::new(meter("1"), Method::Estimated { error_ratio: 1.5 });
    (rest.energy, rest.watts) = (Energy::from_joules(12.5), Some(-3.5));
    snapshot.platform = vec![known, unknown];
    snapshot.platform_residual = Some(rest);
    parse(&text(&exporter(Some(snapshot), options()), Format::Text), Format::Text)
}

#[test]
fn a_meter_of_the_whole_machine_has_keplers_labels_and_a_counter_beside_its_watts() {
    let samples = samples();
    let labels = [
        ("source", "redfish"),
        ("bmc_id", "bmc-1"),
        ("chassis_id", "1"),
        ("source_id", "0"),
        ("source_name", "System \"Power\" Control"),
        ("source_type", "PowerControl"),
    ];
    for (name, value) in [
        ("kepler_platform_watts", "250"),
        ("kepler_platform_joules_total", "2500"),
        ("kepler_platform_covered_seconds_total", "10"),
        ("kepler_platform_info", "1"),
        ("kepler_platform_reading_age_seconds", "4.5"),
        ("kepler_platform_residual_joules_total", "12.5"),
        ("kepler_platform_residual_watts", "-3.5"),
        ("kepler_platform_residual_error_ratio", "1.5"),
    ] {
        assert_eq!(values(&samples, name, &labels), [value], "{name}");
    }
}

#[test]
fn what_a_meter_does_not_show_is_absent_and_no_zone_has_its_energy() {
    let samples = samples();
    let second = [("chassis_id", "2")];
    assert!(values(&samples, "kepler_platform_watts", &second).is_empty());
    assert!(values(&samples, "kepler_platform_reading_age_seconds", &second).is_empty());
    assert_eq!(values(&samples, "kepler_platform_joules_total", &second), ["0"]);
    assert!(values(&samples, "kepler_node_cpu_joules_total", &[]).is_empty());
    let stale = [("chassis_id", "2"), ("reason", "stale")];
    assert_eq!(values(&samples, "kepler_platform_fault", &stale), ["1"]);
    assert_eq!(values(&samples, "kepler_platform_error_ratio", &second), ["0.2"]);
    for name in ["kepler_platform_fault", "kepler_platform_error_ratio"] {
        assert!(values(&samples, name, &[("chassis_id", "1")]).is_empty(), "{name} of what is measured and fine");
    }
}
