//! Redfish resources, as far as they are read. BMCs leave out what they do not know, write `null` or 0 for it, and some write
//! numbers as texts; so everything may be missing, and what is not understood is.

use serde_json::Value;

/// `@odata.id` of a link.
fn link(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.get("@odata.id")?.as_str().filter(|path| !path.is_empty()).map(str::to_owned)
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A number, also where it is written as a text.
fn number(value: &Value, name: &str) -> Option<f64> {
    match value.get(name)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The members of a collection, and where it goes on.
pub(super) fn members(value: &Value) -> Option<(Vec<String>, Option<String>)> {
    let list = value.get("Members")?.as_array()?;
    let path = |entry: &Value| entry.get("@odata.id")?.as_str().map(str::to_owned);
    Some((list.iter().filter_map(path).collect(), text(value, "Members@odata.nextLink")))
}

/// The service root.
pub(super) struct Root {
    pub(super) chassis: Option<String>,
    pub(super) sessions: Option<String>,
}

impl Root {
    pub(super) fn of(value: &Value) -> Self {
        let sessions = value.get("Links").and_then(|links| link(links, "Sessions"));
        Root { chassis: link(value, "Chassis"), sessions }
    }
}

/// A chassis.
#[derive(Clone, Debug)]
pub(super) struct ChassisResource {
    pub(super) id: String,
    pub(super) environment: Option<String>,
    pub(super) subsystem: Option<String>,
    pub(super) power: Option<String>,
    pub(super) systems: Vec<String>,
}

impl ChassisResource {
    pub(super) fn of(value: &Value, path: &str) -> Self {
        let last = || path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        let id = text(value, "Id").unwrap_or_else(last);
        let systems = value.get("Links").and_then(|links| links.get("ComputerSystems")?.as_array());
        let path = |entry: &Value| entry.get("@odata.id")?.as_str().map(str::to_owned);
        ChassisResource {
            id,
            environment: link(value, "EnvironmentMetrics"),
            subsystem: link(value, "PowerSubsystem"),
            power: link(value, "Power"),
            systems: systems.map(|systems| systems.iter().filter_map(path).collect()).unwrap_or_default(),
        }
    }
}

/// A computer system.
#[derive(Clone, Debug, Default)]
pub(super) struct System {
    pub(super) uuid: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) host_name: Option<String>,
}

impl System {
    pub(super) fn of(value: &Value) -> Self {
        System { uuid: text(value, "UUID"), serial: text(value, "SerialNumber"), host_name: text(value, "HostName") }
    }
}

/// A sensor, or the excerpt of one in another resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sensor {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) reading: Option<f64>,
    /// As it is written.
    pub(super) time: Option<String>,
    /// Where the whole sensor is.
    pub(super) path: Option<String>,
}

impl Sensor {
    /// A sensor by itself.
    pub(super) fn of(value: &Value) -> Self {
        Sensor {
            id: text(value, "Id"),
            name: text(value, "Name"),
            reading: number(value, "Reading"),
            time: text(value, "ReadingTime"),
            path: text(value, "DataSourceUri"),
        }
    }

    /// The excerpt `name` of a resource.
    pub(super) fn excerpt(value: &Value, name: &str) -> Option<Self> {
        value.get(name).filter(|excerpt| excerpt.is_object()).map(Sensor::of)
    }
}

/// A power supply.
pub(super) struct Supply {
    pub(super) id: String,
    pub(super) metrics: Option<String>,
    /// Whether its bay is empty.
    pub(super) is_absent: bool,
}

impl Supply {
    pub(super) fn of(value: &Value, path: &str) -> Self {
        let last = || path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        let state = value.get("Status").and_then(|status| text(status, "State"));
        Supply {
            id: text(value, "Id").unwrap_or_else(last),
            metrics: link(value, "Metrics"),
            is_absent: state.is_some_and(|state| state.eq_ignore_ascii_case("Absent")),
        }
    }
}

/// An entry of `PowerControl` in the older resource `Power`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Control {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) watts: f64,
}

/// The server's entry. Others are parts of it (Lenovo: processors and memory by themselves), and are never added.
pub(super) fn control(value: &Value) -> Option<Control> {
    let entries = value.get("PowerControl")?.as_array()?;
    let found = entries.iter().enumerate().find_map(|(index, entry)| {
        let watts = number(entry, "PowerConsumedWatts").filter(|watts| *watts != 0.0)?;
        let context = text(entry, "PhysicalContext").unwrap_or_default().to_ascii_lowercase();
        let name = text(entry, "Name").unwrap_or_else(|| "Power Control".to_owned());
        let words = name.to_ascii_lowercase();
        let is_part = ["cpu", "memory", "gpu", "accelerator", "fan", "storage", "powersupply", "voltageregulator"]
            .iter()
            .any(|part| context == *part)
            || ["cpu", "processor", "memory", "dimm", "gpu", "fan", "pcie", "storage", "drive"].iter().any(|part| {
                words.split(|c: char| !c.is_alphanumeric()).any(|word| word.trim_end_matches('s') == *part)
            });
        // By `MemberId`, which a few leave out.
        let id = text(entry, "MemberId").unwrap_or_else(|| index.to_string());
        (!is_part).then_some(Control { id, name, watts })
    })?;
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn of_several_power_controls_the_servers_is_taken_and_parts_are_not() {
        // As Lenovo's XCC lists them, 2023.
        let lenovo = json!({"PowerControl": [
            {"MemberId": "0", "Name": "Server Power Control", "PowerConsumedWatts": 242},
            {"MemberId": "1", "Name": "CPU Sub-system Power", "PowerConsumedWatts": 87, "PhysicalContext": "CPU"},
            {"MemberId": "2", "Name": "Memory Sub-system Power", "PowerConsumedWatts": 21},
        ]});
        assert_eq!(control(&lenovo).unwrap().watts, 242.0);
        let mut reversed = lenovo;
        reversed["PowerControl"].as_array_mut().unwrap().reverse();
        assert_eq!(
            control(&reversed).unwrap(),
            Control { id: "0".into(), name: "Server Power Control".into(), watts: 242.0 }
        );
        // iDRAC 9 has no status and no number; older firmware writes 0 or null where it does not know.
        let dell = json!({"PowerControl": [{"MemberId": "PowerControl", "Name": "System Power Control", "PowerConsumedWatts": "464"}]});
        assert_eq!(
            control(&dell).unwrap(),
            Control { id: "PowerControl".into(), name: "System Power Control".into(), watts: 464.0 }
        );
        for unknown in [json!(0), json!(null), json!("n/a"), json!({})] {
            assert_eq!(control(&json!({"PowerControl": [{"PowerConsumedWatts": unknown}]})), None);
        }
        assert_eq!(control(&json!({"PowerControl": "none"})), None);
    }

    #[test]
    fn an_excerpt_that_is_a_number_or_missing_is_none() {
        let metrics =
            json!({"PowerWatts": {"Reading": 187.5, "DataSourceUri": "/redfish/v1/Chassis/1/Sensors/TotalPower"}});
        let sensor = Sensor::excerpt(&metrics, "PowerWatts").unwrap();
        assert_eq!(
            (sensor.reading, sensor.path.as_deref()),
            (Some(187.5), Some("/redfish/v1/Chassis/1/Sensors/TotalPower"))
        );
        assert_eq!(Sensor::excerpt(&json!({"PowerWatts": 3}), "PowerWatts"), None);
        assert_eq!(Sensor::excerpt(&json!({"PowerWatts": {"Reading": null}}), "PowerWatts").unwrap().reading, None);
    }
}
