//! Schemas in the form that MCP clients accept.
//!
//! Many clients turn a schema into a form or into another language's by looking at `type` alone: references, and
//! arguments that may be `null`, fail there. And the whole list of tools goes into a model's context at each
//! conversation, so that an answer's schema says here what it holds and not all of what that holds; the whole is at
//! `/tools` and `/openapi.json`.

use serde_json::{Map, Value, json};

/// Where a root schema keeps its parts, and how they are referred to.
const PARTS: &str = "$defs";
const REFERENCE: &str = "#/$defs/";
/// How deep parts are put into each other; what is deeper may be anything.
const DEEPEST: usize = 8;

/// The schema of arguments: parts in the place of references, and no `null` where leaving out says the same.
pub(crate) fn input(schema: &Map<String, Value>) -> Map<String, Value> {
    let parts = schema.get(PARTS).and_then(Value::as_object).cloned().unwrap_or_default();
    let mut whole = schema.clone();
    whole.remove(PARTS);
    // The tool has it beside its schema.
    whole.remove("description");
    match inline(Value::Object(whole), &parts, 0) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// What arguments that many tools share are called in the list: a model reads it at each conversation. What they mean in
/// full is at `/tools` and in the documentation.
const SHARED: [(&str, Option<&str>); 11] = [
    ("facts", Some("Facts of the site, as {\"connection_kw\": 450}")),
    ("kind", Some("pod, deployment, container, unit, vm, process, ...")),
    ("lang", None),
    ("limit", None),
    ("namespace", None),
    ("node", None),
    ("offset", None),
    ("region", Some("Cloud region, country, grid zone or city")),
    ("standard", Some("Code of a standard")),
    ("window", Some("How far back: 5m, 24h, 7d")),
    ("workload", Some("Exact name of a pod, deployment, container, unit, VM or process")),
];

/// The same in as few words as a model needs.
pub(crate) fn brief(mut schema: Map<String, Value>) -> Map<String, Value> {
    // A misspelt argument is an error that lists the right ones, whatever is said here.
    schema.remove("additionalProperties");
    let Some(Value::Object(arguments)) = schema.get_mut("properties") else { return schema };
    for (name, argument) in arguments.iter_mut() {
        let Value::Object(argument) = argument else { continue };
        argument.remove("examples");
        let shared = SHARED.iter().find(|(shared, _)| shared == name);
        let description = match shared {
            Some((_, description)) => {
                for bound in ["minimum", "maximum"] {
                    argument.remove(bound);
                }
                description.map(str::to_owned)
            }
            None => argument.get("description").and_then(Value::as_str).map(first_sentence),
        };
        argument.remove("description");
        argument.extend(description.map(|text| ("description".to_owned(), Value::String(text))));
        if name == "kind" {
            argument.remove("enum");
        }
        if argument.get("default").is_some_and(|default| *default == json!([]) || *default == json!({})) {
            argument.remove("default");
        }
        if let Some(Value::Object(items)) = argument.get_mut("items") {
            items.remove("description");
        }
    }
    schema
}

/// The first sentence, or the first part of it, in one line.
fn first_sentence(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = [". ", "; "].iter().filter_map(|end| line.find(end)).min().unwrap_or(line.len());
    line.get(..end).unwrap_or(&line).trim_end_matches('.').to_owned()
}

/// The schema of an answer: its fields and their types.
pub(crate) fn output(schema: &Map<String, Value>) -> Map<String, Value> {
    let parts = schema.get(PARTS).and_then(Value::as_object).cloned().unwrap_or_default();
    let mut outline = Map::from_iter([("type".to_owned(), json!("object"))]);
    if let Some(Value::Object(fields)) = schema.get("properties") {
        let fields = fields.iter().map(|(name, field)| (name.clone(), json!(outline_of(field, &parts, 0))));
        outline.insert("properties".to_owned(), Value::Object(fields.collect()));
    }
    outline
}

/// The part that a schema refers to, if it does.
fn referred<'a>(schema: &Value, parts: &'a Map<String, Value>) -> Option<&'a Value> {
    parts.get(schema.get("$ref")?.as_str()?.strip_prefix(REFERENCE)?)
}

fn inline(schema: Value, parts: &Map<String, Value>, depth: usize) -> Value {
    if depth > DEEPEST {
        return json!({});
    }
    let part = referred(&schema, parts).cloned();
    let mut map = match schema {
        Value::Object(map) => map,
        Value::Array(all) => return all.into_iter().map(|one| inline(one, parts, depth)).collect(),
        other => return other,
    };
    if let Some(Value::Object(part)) = part {
        map.remove("$ref");
        // What stands beside a reference says more than the part itself.
        for (key, value) in part {
            map.entry(key).or_insert(value);
        }
        return inline(Value::Object(map), parts, depth + 1);
    }
    for said_by_rust in ["$schema", "title", "format"] {
        if map.get(said_by_rust).is_some_and(Value::is_string) {
            map.remove(said_by_rust);
        }
    }
    let mut map: Map<String, Value> = map
        .into_iter()
        .map(|(key, value)| match (key.as_str(), value) {
            // The names of properties are no keywords.
            ("properties", Value::Object(properties)) => {
                let inlined = properties.into_iter().map(|(name, one)| (name, inline(one, parts, depth + 1)));
                (key, Value::Object(inlined.collect()))
            }
            // Values, not schemas.
            ("default" | "enum" | "const" | "examples" | "required", value) => (key, value),
            (_, value) => (key, inline(value, parts, depth + 1)),
        })
        .collect();
    drop_null(&mut map);
    list_names(&mut map);
    Value::Object(map)
}

/// A choice among names as one type with its values: the same to who validates, readable to who looks at `type`, and a
/// fifth as long. What each name means is said by itself, and at `/tools`.
fn list_names(map: &mut Map<String, Value>) {
    let names: Option<Vec<Value>> = map.get("oneOf").and_then(Value::as_array).and_then(|choices| {
        choices.iter().map(|choice| choice.get("const").filter(|name| name.is_string()).cloned()).collect()
    });
    if let Some(names) = names {
        map.remove("oneOf");
        map.insert("type".to_owned(), json!("string"));
        map.insert("enum".to_owned(), Value::Array(names));
    }
}

/// Takes away that a value may be `null`.
fn drop_null(map: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            map.insert("type".to_owned(), one);
        }
    }
    if map.get("default").is_some_and(Value::is_null) {
        map.remove("default");
    }
    if let Some(Value::Array(values)) = map.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    for key in ["anyOf", "oneOf"] {
        let Some(Value::Array(choices)) = map.get_mut(key) else { continue };
        choices.retain(|one| one.get("type").is_none_or(|one| one != "null"));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            map.remove(key);
            for (key, value) in only {
                map.entry(key).or_insert(value);
            }
        }
    }
}

/// The types of a schema, and its values where it lists them.
fn outline_of(schema: &Value, parts: &Map<String, Value>, depth: usize) -> Map<String, Value> {
    if depth > DEEPEST {
        return Map::new();
    }
    if let Some(part) = referred(schema, parts) {
        return outline_of(part, parts, depth + 1);
    }
    let mut outline = Map::new();
    for key in ["type", "enum"] {
        if let Some(value) = schema.get(key) {
            outline.insert(key.to_owned(), value.clone());
        }
    }
    // One type or another, mostly `null`: all of them, if each says which it is.
    let choices = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(key)?.as_array());
    if let Some(choices) = choices {
        let types: Option<Vec<Value>> =
            choices.iter().map(|one| outline_of(one, parts, depth + 1).remove("type")).collect();
        let mut all: Vec<Value> = Vec::new();
        for one in types.unwrap_or_default() {
            let several = if let Value::Array(several) = one { several } else { vec![one] };
            for one in several {
                if !all.contains(&one) {
                    all.push(one);
                }
            }
        }
        match all.as_slice() {
            [] => {}
            [one] => drop(outline.insert("type".to_owned(), one.clone())),
            _ => drop(outline.insert("type".to_owned(), Value::Array(all))),
        }
    }
    outline
}

#[cfg(test)]
mod tests {
    use super::*;
    use kepler_compliance::tools::registry;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn references_and_null_are_gone_from_arguments_and_what_was_said_beside_them_stays() {
        let schema = map(json!({
            "$schema": "x", "title": "T", "type": "object",
            "properties": {
                "title": { "type": ["string", "null"], "default": null },
                "kind": { "description": "which", "anyOf": [{ "$ref": "#/$defs/Kind" }, { "type": "null" }] },
                "list": { "type": ["array", "null"], "items": { "$ref": "#/$defs/Kind" } },
            },
            "required": ["kind"],
            "$defs": { "Kind": { "type": "string", "enum": ["a", "b"], "description": "a kind" } },
        }));
        let expected = json!({
            "type": "object",
            "properties": {
                "title": { "type": "string" },
                "kind": { "description": "which", "type": "string", "enum": ["a", "b"] },
                "list": { "type": "array", "items": { "type": "string", "enum": ["a", "b"], "description": "a kind" } },
            },
            "required": ["kind"],
        });
        assert_eq!(Value::Object(input(&schema)), expected);
    }

    #[test]
    fn a_choice_among_names_is_a_list_of_values() {
        let choice =
            json!([{ "const": "a", "description": "A.", "type": "string" }, { "const": "b", "type": "string" }]);
        let schema =
            map(json!({ "type": "object", "properties": { "kind": { "oneOf": choice, "description": "which" } } }));
        let kind = Value::Object(input(&schema))["properties"]["kind"].clone();
        assert_eq!(kind, json!({ "type": "string", "enum": ["a", "b"], "description": "which" }));
    }

    #[test]
    fn a_brief_schema_keeps_names_types_and_defaults() {
        for tool in registry::tools() {
            let (whole, brief) = (input(&tool.input_schema), brief(input(&tool.input_schema)));
            assert_eq!(whole.get("required"), brief.get("required"));
            let (whole, brief) = (&whole["properties"], &brief["properties"]);
            for (name, argument) in whole.as_object().unwrap() {
                assert_eq!(argument["type"], brief[name]["type"], "{}: {name}", tool.name);
                let text = brief[name]["description"].as_str().unwrap_or_default();
                assert!(!text.contains('\n') && text.len() <= 160, "{}: {name}: {text}", tool.name);
            }
        }
        assert_eq!(first_sentence("One thing; or\nanother. More."), "One thing");
        assert_eq!(first_sentence("A price of 1.5 an hour."), "A price of 1.5 an hour");
    }

    #[test]
    fn a_part_that_holds_itself_ends() {
        let schema = map(json!({
            "type": "object", "properties": { "a": { "$ref": "#/$defs/A" } },
            "$defs": { "A": { "type": "object", "properties": { "a": { "$ref": "#/$defs/A" } } } },
        }));
        assert!(!Value::Object(input(&schema)).to_string().contains("$ref"));
    }

    /// What clients stumble over that look at `type` alone: references, choices among schemas, several types, none at all.
    fn stumbling_blocks(schema: &Value, place: &str, found: &mut Vec<String>) {
        let Value::Object(map) = schema else { return found.push(format!("{place} is no schema")) };
        for keyword in ["$ref", "$defs", "definitions", "anyOf", "oneOf", "allOf", "not", "if"] {
            if map.contains_key(keyword) {
                found.push(format!("{place} has {keyword}"));
            }
        }
        if map.get("type").and_then(Value::as_str).is_none_or(|one| one == "null") {
            found.push(format!("{place} has not one type: {schema}"));
        }
        for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
            stumbling_blocks(property, &format!("{place}.{name}"), found);
        }
        for inner in ["items", "additionalProperties"] {
            if let Some(schema) = map.get(inner).filter(|schema| !schema.is_boolean()) {
                stumbling_blocks(schema, &format!("{place}.{inner}"), found);
            }
        }
    }

    #[test]
    fn every_tool_has_arguments_of_one_type_each_and_no_reference() {
        let mut found = Vec::new();
        for tool in registry::tools() {
            let schema = input(&tool.input_schema);
            assert_eq!(schema.get("required"), tool.input_schema.get("required"), "{}", tool.name);
            stumbling_blocks(&Value::Object(schema.clone()), tool.name, &mut found);
            stumbling_blocks(&Value::Object(brief(schema)), tool.name, &mut found);
        }
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn what_clients_stumble_over_is_noticed_at_any_depth() {
        for block in [
            json!({ "anyOf": [{ "type": "string" }, { "type": "number" }] }),
            json!({ "type": ["string", "null"] }),
            json!({ "$ref": "#/$defs/Kind" }),
            json!({ "description": "anything" }),
            json!({ "type": "array", "items": { "oneOf": [] } }),
            json!({ "type": "object", "additionalProperties": { "type": ["number", "string"] } }),
            json!({ "type": "object", "properties": { "a": { "allOf": [] } } }),
        ] {
            let mut found = Vec::new();
            stumbling_blocks(&json!({ "type": "object", "properties": { "a": block } }), "tool", &mut found);
            assert!(!found.is_empty(), "{block}");
        }
    }

    #[test]
    fn an_answers_schema_names_its_fields_and_their_types() {
        for tool in registry::tools() {
            let outline = Value::Object(output(&tool.output_schema));
            assert_eq!(outline["type"], "object");
            let fields = outline["properties"].as_object().unwrap();
            assert_eq!(fields.len(), tool.output_schema["properties"].as_object().unwrap().len(), "{}", tool.name);
            assert!(!outline.to_string().contains("$ref"), "{}", tool.name);
        }
    }
}
