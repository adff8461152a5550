//! JSON Schemas of tools and structs as the components of an OpenAPI document.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// Schemas by name.
#[derive(Default)]
pub(super) struct Components(Map<String, Value>);

/// Where a root schema keeps its parts.
const PARTS: &str = "$defs";

impl Components {
    /// Takes a root schema with its parts in; a reference to it.
    pub(super) fn root(&mut self, schema: &Map<String, Value>) -> Value {
        let mut root = schema.clone();
        root.remove("$schema");
        let names = self.parts(&mut root);
        let name = root.get("title").and_then(Value::as_str).unwrap_or("Schema").to_owned();
        let name = self.free(&name, &Value::Object(root.clone()));
        self.insert(&name, Value::Object(root), &names);
        reference(&name)
    }

    /// Takes the schema of a struct that is answered with in; a reference to it.
    pub(super) fn answer<T: JsonSchema>(&mut self) -> Value {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        match settings.into_generator().into_root_schema_for::<T>().to_value() {
            Value::Object(schema) => self.root(&schema),
            other => other,
        }
    }

    /// The same of a struct to which properties are added that depend on more than its type, under another name.
    pub(super) fn extended<T: JsonSchema>(&mut self, name: String, more: Map<String, Value>) -> Value {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
        let Some(root) = schema.as_object_mut() else { return schema };
        root.insert("title".into(), name.into());
        if let Some(properties) = root.entry("properties").or_insert_with(|| json!({})).as_object_mut() {
            properties.extend(more);
        }
        self.root(root)
    }

    /// The query parameters that a struct reads, but those `without`.
    pub(super) fn parameters<T: JsonSchema>(&mut self, without: &[&str]) -> Vec<Value> {
        let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
        let Value::Object(mut root) = schema else { return Vec::new() };
        let names = self.parts(&mut root);
        let Some(Value::Object(properties)) = root.remove("properties") else { return Vec::new() };
        let shown = properties.into_iter().filter(|(name, _)| !without.contains(&name.as_str()));
        shown
            .map(|(name, mut schema)| {
                relocate(&mut schema, &names);
                tidy(&mut schema);
                let description = match schema.as_object_mut() {
                    Some(schema) => schema.remove("description"),
                    None => None,
                };
                // A parameter is there or not; it cannot be null.
                json!({
                    "name": name, "in": "query", "required": false,
                    "description": description, "schema": not_null(schema),
                })
            })
            .collect()
    }

    pub(super) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// Takes the parts of a root schema in; their names there and here.
    fn parts(&mut self, root: &mut Map<String, Value>) -> Vec<(String, String)> {
        let Some(Value::Object(parts)) = root.remove(PARTS) else { return Vec::new() };
        let names: Vec<_> = parts.iter().map(|(name, part)| (name.clone(), self.free(name, part))).collect();
        for ((_, name), part) in names.iter().zip(parts.values()) {
            self.insert(name, part.clone(), &names);
        }
        names
    }

    /// The name itself, unless another schema has it: two contracts of one type may differ.
    fn free(&self, name: &str, schema: &Value) -> String {
        let mut tidied = schema.clone();
        relocate(&mut tidied, &[]);
        tidy(&mut tidied);
        let mut candidate = name.to_owned();
        let mut number = 2;
        while self.0.get(&candidate).is_some_and(|taken| *taken != tidied) {
            candidate = format!("{name}{number}");
            number += 1;
        }
        candidate
    }

    fn insert(&mut self, name: &str, mut schema: Value, names: &[(String, String)]) {
        relocate(&mut schema, names);
        tidy(&mut schema);
        self.0.insert(name.to_owned(), schema);
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Points references to parts at the components.
fn relocate(schema: &mut Value, names: &[(String, String)]) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get_mut("$ref")
                && let Some(old) = target.strip_prefix("#/$defs/")
            {
                let new = names.iter().find(|(name, _)| name == old).map_or(old, |(_, new)| new);
                *target = format!("#/components/schemas/{new}");
            }
            map.values_mut().for_each(|value| relocate(value, names));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| relocate(value, names)),
        _ => {}
    }
}

/// Takes away what only Rust knows: formats such as `uint64`.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            let own = |format: &str| format.starts_with("uint") || format.starts_with("int");
            if map.get("format").and_then(Value::as_str).is_some_and(own) {
                map.remove("format");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(values) => values.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// The schema of an optional value without `null` and its default.
fn not_null(mut schema: Value) -> Value {
    let Some(map) = schema.as_object_mut() else { return schema };
    if map.get("default").is_some_and(Value::is_null) {
        map.remove("default");
    }
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            map.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
        if let [one] = choices.as_slice() {
            return one.clone();
        }
    }
    schema
}
