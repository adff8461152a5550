//! Prometheus answers to range queries, for training.

use kepler_core::model::FeatureGroup;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Components whose energy exporters tell, as they name them.
pub(super) const COMPONENTS: [&str; 5] = ["package", "core", "uncore", "dram", "platform"];

/// Seconds since 1970 in some three thousand years: no time of a recording.
const LATEST: f64 = 1e11;

/// The query of a component's energy, in joules.
pub(super) fn energy_query(component: &str) -> String {
    format!("kepler_node_{component}_joules_total")
}

/// The query of a feature, a counter for each container.
pub(super) fn feature_query(feature: &str) -> String {
    format!("kepler_container_{feature}_total")
}

/// By the name of the query. Queries that nothing is learned from are left out unread.
#[derive(Debug, Default)]
pub(super) struct Queries(pub(super) BTreeMap<String, Vec<Series>>);

/// One counter over time.
#[derive(Debug)]
pub(super) struct Series {
    /// The exporter that reported it.
    pub(super) instance: String,
    /// What the energy was measured with; empty for other counters.
    pub(super) source: String,
    /// Milliseconds and values, in order, each time once.
    pub(super) samples: Vec<(i64, f64)>,
}

fn is_of_use(query: &str) -> bool {
    let part = |prefix: &str, suffix: &str| Some(query.strip_prefix(prefix)?.strip_suffix(suffix)?.to_owned());
    let component = part("kepler_node_", "_joules_total");
    let feature = part("kepler_container_", "_total");
    component.is_some_and(|component| COMPONENTS.contains(&component.as_str()))
        || feature.is_some_and(|feature| FeatureGroup::ALL.iter().any(|group| group.features().contains(&&*feature)))
}

impl<'de> Deserialize<'de> for Queries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Queries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of range queries by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Queries, A::Error> {
                let mut queries = Queries::default();
                while let Some(query) = map.next_key::<String>()? {
                    if !is_of_use(&query) {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    let Response(series) =
                        map.next_value().map_err(|error| de::Error::custom(format_args!("{query}: {error}")))?;
                    queries.0.insert(query, series);
                }
                Ok(queries)
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// A list of series, alone as the reference's client sends it, or in the whole answer of Prometheus.
struct Response(Vec<Series>);

impl<'de> Deserialize<'de> for Response {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrMap;
        impl<'de> Visitor<'de> for ListOrMap {
            type Value = Response;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of series, or the whole answer of Prometheus to a range query")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Response, A::Error> {
                let mut series = Vec::new();
                while let Some(raw) = seq.next_element::<RawSeries>()? {
                    // What has no samples would only take memory.
                    series.extend(raw.series::<A::Error>()?);
                }
                Ok(Response(series))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Response, A::Error> {
                let mut response = Response(Vec::new());
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "data" | "result" => response = map.next_value()?,
                        _ => _ = map.next_value::<IgnoredAny>()?,
                    }
                }
                Ok(response)
            }
        }
        deserializer.deserialize_any(ListOrMap)
    }
}

#[derive(Deserialize)]
struct RawSeries {
    #[serde(default)]
    metric: Labels,
    #[serde(default)]
    values: Vec<Sample>,
    /// What an instant query answers.
    value: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
struct Labels {
    #[serde(default)]
    instance: String,
    #[serde(default)]
    source: String,
}

impl RawSeries {
    fn series<E: de::Error>(self) -> Result<Option<Series>, E> {
        if self.value.is_some() {
            return Err(E::custom("the answer of an instant query; ask /api/v1/query_range"));
        }
        // A value or a time that is none is a sample that is not there.
        let sound = |Sample(seconds, Number(value)): Sample| {
            let is_sound = (0.0..LATEST).contains(&seconds) && value.is_finite();
            is_sound.then(|| ((seconds * 1000.0).round() as i64, value))
        };
        let mut samples: Vec<(i64, f64)> = self.values.into_iter().filter_map(sound).collect();
        samples.sort_by_key(|(time, _)| *time);
        samples.dedup_by_key(|(time, _)| *time);
        samples.shrink_to_fit();
        let Labels { instance, source } = self.metric;
        Ok((!samples.is_empty()).then_some(Series { instance, source, samples }))
    }
}

/// Seconds and value.
#[derive(Deserialize)]
struct Sample(f64, Number);

/// A number, in quotes as Prometheus writes it or without.
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, in quotes or not")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
                text.parse().map(Number).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                Ok(Number(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Queries, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_of_series_and_the_whole_answer_read_the_same() {
        let list = r#"[{"metric": {"instance": "a", "source": "rapl-sysfs", "mode": "idle"},
            "values": [[1700000015, "7.5"], [1700000000.5, "5"], [1700000030, "NaN"], [1700000015, 9], [1e308, "1"], [-1e308, "1"]]}, {"values": []}]"#;
        let whole =
            format!(r#"{{"status": "success", "data": {{"resultType": "matrix", "result": {list}}}, "warnings": []}}"#);
        for answer in [list.to_owned(), whole] {
            let queries = read(&format!(
                r#"{{"kepler_node_package_joules_total": {answer}, "up": {{"a": 1}}, "kepler_container_joules_total": 5}}"#
            ))
            .unwrap();
            assert_eq!(queries.0.len(), 1, "others are not even looked at");
            let series = &queries.0["kepler_node_package_joules_total"];
            assert_eq!(series.len(), 1);
            assert_eq!((series[0].instance.as_str(), series[0].source.as_str()), ("a", "rapl-sysfs"));
            assert_eq!(series[0].samples, [(1_700_000_000_500, 5.0), (1_700_000_015_000, 7.5)]);
        }
    }

    #[test]
    fn what_is_wrong_is_reported_with_the_query_and_the_place() {
        for (answer, expected) in [
            (r#"[{"value": [1, "2"]}]"#, "instant query"),
            (r#"[{"values": [[1, "two"]]}]"#, "\"two\""),
            (r#"[{"values": [[1]]}]"#, "invalid length 1"),
            ("5", "a list of series"),
        ] {
            let error = read(&format!(r#"{{"kepler_container_cpu_cycles_total": {answer}}}"#)).unwrap_err();
            assert!(error.contains("kepler_container_cpu_cycles_total: "), "{error}");
            assert!(error.contains(expected) && error.contains("line 1"), "{error}");
        }
    }
}
