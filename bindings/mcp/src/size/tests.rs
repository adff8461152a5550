use super::*;
use jiff::Timestamp;
use kepler_compliance::intensity::IntensityTable;
use kepler_compliance::series::Series;
use kepler_compliance::standards::Standards;
use kepler_compliance::tools::{Toolbox, registry};
use kepler_compliance::units::{Energy, ZoneKind};
use kepler_compliance::view::{
    Containment, EnergySeries, EnergySplit, EnergyView, Inventory, NewestReading, NodeEnergy, NodeZoneEnergy, Skipped,
    StepUsage, Subject, TimeRange, ViewError, WorkloadEnergy, WorkloadId, WorkloadKind,
};
use kepler_compliance::zones::Zones;
use kepler_core::meter::Method;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A cluster of 200 nodes in which `each` pods, containers and processes run, with names as long as names can be.
struct Crowd {
    each: usize,
    nodes: usize,
    /// Characters of each name.
    length: usize,
    /// What was answered, by range: names of this length take long to make.
    known: Mutex<Vec<Arc<Inventory>>>,
}

const LONGEST: usize = 253;

fn named(name: &str, index: usize, length: usize) -> String {
    format!("{name}-{index}-{}", "x\"".repeat(200)).chars().take(length).collect()
}

fn long(name: &str, index: usize) -> String {
    named(name, index, LONGEST)
}

fn namespace(index: usize, length: usize) -> String {
    if index == 0 { "default".to_owned() } else { named("namespace", index, length) }
}

fn split(joules: f64) -> EnergySplit {
    let mut split = EnergySplit::default();
    split.zones[ZoneKind::Package] = Some(Energy::from_joules(joules));
    split
}

impl Crowd {
    fn inventory_of(&self, range: TimeRange) -> Inventory {
        let method = Method::Estimated { error_ratio: 0.3 };
        let node = |index: usize| {
            let mut zone = NodeZoneEnergy::new(Energy::from_joules(40_000.0), method, "model");
            zone.active = Some(Energy::from_joules(30_000.0));
            zone.idle = Some(Energy::from_joules(10_000.0));
            zone.unattributed = Some(Energy::from_joules(10.0));
            let mut node = NodeEnergy::new(named("node", index, self.length), range);
            node.zones[ZoneKind::Package] = Some(zone);
            node.processors = Some(8);
            node
        };
        let kinds = [WorkloadKind::Pod, WorkloadKind::Container, WorkloadKind::Process];
        let row = |index: usize| {
            let kind = kinds[index % kinds.len()];
            let name = named("workload", index, self.length);
            let node = named("node", index % self.nodes, self.length);
            let mut id = WorkloadId::new(kind, name, format!("uid-{index}"), node);
            id.namespace = (kind == WorkloadKind::Pod).then(|| namespace(index % 300, self.length).into());
            let mut workload = WorkloadEnergy::new(id, split(100.0 + index as f64 / 7.0), method);
            workload.cpu_time = Some(Duration::from_secs(1));
            workload.containment = Containment::Outermost;
            workload
        };
        let skipped = |index: usize| Skipped::new(long("http://node", index), long("refused", index));
        let mut inventory = Inventory::new("7", range, range, 0.5);
        inventory.nodes = (0..self.nodes).map(node).collect();
        inventory.workloads = (0..3 * self.each).map(row).collect();
        inventory.skipped = (1..self.nodes).map(skipped).collect();
        inventory
    }
}

impl EnergyView for Crowd {
    fn name(&self) -> &str {
        "crowd"
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        let mut known = self.known.lock().unwrap();
        let of_range = known.iter().find(|inventory| inventory.asked == range).cloned();
        Ok(of_range.unwrap_or_else(|| {
            let inventory = Arc::new(self.inventory_of(range));
            known.push(Arc::clone(&inventory));
            inventory
        }))
    }

    fn series(&self, _: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        let count = (range.length().as_secs_f64() / step.as_secs_f64()) as usize;
        // Spikes, so that there are anomalies too.
        let joules = |index: usize| if index.is_multiple_of(9) { 9_000.0 } else { 100.0 + index as f64 / 7.0 };
        let usage = (0..count).map(|index| StepUsage::new(split(joules(index)), None));
        Ok(EnergySeries::new(Series::regular(range.start, step, usage).unwrap(), Method::Measured, "7"))
    }

    fn newest(&self) -> Option<NewestReading> {
        None
    }
}

fn toolbox(each: usize, nodes: usize, length: usize) -> Toolbox {
    let zones = Zones::embedded().unwrap();
    let intensity = Arc::new(IntensityTable::from_zones(&zones));
    let view = Crowd { each, nodes, length, known: Mutex::default() };
    let mut toolbox = Toolbox::new(Arc::new(view), Standards::embedded().unwrap(), zones, intensity);
    toolbox.settings.region = Some("ap-northeast-2".into());
    toolbox
}

/// What each required argument is in a call; a new tool's new one has to be added here.
fn required(tool: &Tool, workload: &str) -> Map<String, Value> {
    let names = tool.input_schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let value = |name: &Value| match name.as_str().unwrap() {
        "workload" => json!(workload),
        "duration" => json!("4h"),
        other => panic!("{}: what is a valid `{other}`?", tool.name),
    };
    names.iter().map(|name| (name.as_str().unwrap().to_owned(), value(name))).collect()
}

fn ask(toolbox: &Toolbox, tool: &Tool, more: Value) -> (usize, Value) {
    let mut arguments = required(tool, &long("workload", 0));
    arguments.extend(more.as_object().unwrap().clone());
    let context = toolbox.context(Timestamp::from_second(1_790_000_000).unwrap());
    let answer = Wish::new(arguments).unwrap().answer(tool, &context);
    let result = answer.unwrap_or_else(|error| panic!("{}: {error}", tool.name));
    let sent = serde_json::to_string(&result).unwrap().len();
    (sent, result.structured_content.unwrap())
}

#[test]
fn no_tool_answers_with_more_than_its_bound_however_many_workloads_there_are_and_in_both_languages() {
    let toolbox = toolbox(1_334, 200, LONGEST);
    for tool in registry::tools() {
        for lang in ["en", "ko"] {
            let (sent, answer) = ask(&toolbox, tool, json!({ "lang": lang }));
            assert!(sent <= DEFAULT, "{} in {lang}: {sent} bytes", tool.name);
            println!("{} {lang}: {sent} bytes {}", tool.name, answer[MORE]);
        }
        let ((whole, _), (sent, _)) = (ask(&toolbox, tool, json!({ ARGUMENT: MOST })), ask(&toolbox, tool, json!({})));
        println!("{} in whole: {whole} bytes", tool.name);
        assert!(whole <= DEFAULT || sent * 2 > DEFAULT, "{}: {sent} of {whole} is cut too far", tool.name);
        let properties = tool.input_schema["properties"].as_object().unwrap();
        if properties.contains_key("workload") {
            let (sent, _) = ask(&toolbox, tool, json!({ "workload": long("workload", 0) }));
            assert!(sent <= DEFAULT, "{} of a workload: {sent} bytes", tool.name);
        }
        // Mistakes name what would be valid, and are bounded as well.
        let context = toolbox.context(Timestamp::from_second(1_790_000_000).unwrap());
        for name in properties.keys().filter(|name| *name != "lang") {
            let mut arguments = required(tool, &long("workload", 0));
            arguments.insert(name.clone(), json!(long("work", 9)));
            if let Err(error) = Wish::new(arguments).unwrap().answer(tool, &context) {
                assert!(error.to_string().len() <= DEFAULT, "{} {name}: {} bytes", tool.name, error.to_string().len());
            }
        }
    }
}

#[test]
fn an_ordinary_host_is_answered_in_whole() {
    let toolbox = toolbox(5, 1, 24);
    for tool in registry::tools() {
        let named = required(tool, &named("workload", 0, 24));
        let (sent, answer) = ask(&toolbox, tool, Value::Object(named));
        println!("{}: {sent} bytes {}", tool.name, answer[MORE]);
        // A day in a hundred steps is the one long list: the newest are there, and figures are of all of them.
        let left_out = answer.get(MORE).map(|left_out| left_out["lists"].as_object().unwrap().keys().collect());
        let left_out: Vec<&String> = left_out.unwrap_or_default();
        assert!(left_out.is_empty() || left_out == ["series"], "{}: {left_out:?}", tool.name);
    }
}

#[test]
fn pages_of_a_list_that_was_shortened_follow_each_other() {
    let toolbox = toolbox(1_334, 1, 40);
    let tool = registry::find("list_workloads_by_compliance").unwrap();
    let (_, first) = ask(&toolbox, tool, json!({}));
    let shown = first["workloads"].as_array().unwrap().len();
    assert!(shown > 0 && first["total"] == 4_002 && first["next_offset"] == shown, "{first}");
    let (_, second) = ask(&toolbox, tool, json!({ "offset": first["next_offset"] }));
    assert_eq!(second["offset"], shown);
    assert!(
        first["workloads"][shown - 1]["energy_joules"].as_f64() >= second["workloads"][0]["energy_joules"].as_f64()
    );
}

#[test]
fn a_caller_gets_as_much_as_it_asks_for() {
    let toolbox = toolbox(100, 1, 40);
    let tool = registry::find("list_workloads_by_compliance").unwrap();
    let (sent, answer) = ask(&toolbox, tool, json!({ "limit": 60 }));
    assert!(sent > DEFAULT && answer["workloads"].as_array().unwrap().len() == 60 && answer.get(MORE).is_none());
    let (sent, _) = ask(&toolbox, tool, json!({ ARGUMENT: 20_000 }));
    assert!((DEFAULT..=20_000).contains(&sent), "{sent}");
    for wrong in [json!(0), json!(-1), json!("8000"), json!(MOST + 1), json!(1.5)] {
        let error = Wish::new(Map::from_iter([(ARGUMENT.to_owned(), wrong)])).unwrap_err();
        assert!(error.contains("2000 to 1000000"), "{error}");
    }
}

#[test]
fn steps_in_time_lose_their_oldest_and_other_lists_their_last() {
    let step = |index: usize| json!({ "start": format!("2026-11-21T00:00:{index:02}Z"), "text": "t".repeat(300) });
    let steps: Vec<Value> = (0..60).map(step).collect();
    let names: Vec<Value> = (0..60).map(|index| json!(format!("{index}-{}", "n".repeat(300)))).collect();
    let result = fit(json!({ "series": steps, "names": names }), DEFAULT, &[]);
    let answer = result.structured_content.clone().unwrap();
    assert!(serde_json::to_string(&result).unwrap().len() <= DEFAULT);
    assert_eq!(answer["series"].as_array().unwrap().last().unwrap()["start"], "2026-11-21T00:00:59Z");
    assert!(answer["names"][0].as_str().unwrap().starts_with("0-"));
    assert_eq!(answer[MORE]["lists"]["series"]["total"], 60);
}

#[test]
fn an_answer_of_long_texts_alone_is_cut_too() {
    let result = fit(json!({ "a": "한".repeat(9_000), "b": { "c": "y".repeat(9_000) } }), DEFAULT, &[]);
    assert!(serde_json::to_string(&result).unwrap().len() <= DEFAULT);
    assert_eq!(result.structured_content.unwrap()[MORE]["texts_cut_at_bytes"], LONG_TEXT);
}

#[test]
fn names_that_act_on_a_terminal_are_escaped_in_the_text_and_whole_in_the_structure() {
    let hostile = "\u{1b}]0;x\u{7}\u{9b}31m\u{202e}gpj.exe";
    let result = fit(json!({ "hotspots": [{ "workload": hostile }] }), DEFAULT, &[]);
    let text = serde_json::to_value(&result.content).unwrap()[0]["text"].as_str().unwrap().to_owned();
    assert!(!text.chars().any(printable::acts), "{text:?}");
    let structure = result.structured_content.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), structure);
    assert_eq!(structure["hotspots"][0]["workload"], hostile);
}

#[cfg(feature = "charts")]
#[test]
fn a_chart_is_a_picture_beside_the_answer_and_only_of_tools_that_can_be_drawn() {
    let toolbox = toolbox(5, 1, 24);
    let context = toolbox.context(Timestamp::from_second(1_790_000_000).unwrap());
    for tool in registry::tools() {
        let mut arguments = required(tool, &named("workload", 0, 24));
        arguments.insert(chart::ARGUMENT.to_owned(), json!(chart::CHART));
        let answer = Wish::new(arguments).unwrap().answer(tool, &context);
        if !chart::TOOLS.contains(&tool.name) {
            let error = answer.unwrap_err().to_string();
            assert!(error.contains("get_energy, analyze_workload_power_trend"), "{}: {error}", tool.name);
            continue;
        }
        let content = serde_json::to_value(answer.unwrap().content).unwrap();
        assert_eq!((&content[0]["type"], &content[1]["type"]), (&json!("text"), &json!("image")), "{}", tool.name);
        assert!(content[0]["text"].as_str().unwrap().len() < DEFAULT, "{}", tool.name);
    }
    let wrong = Map::from_iter([(chart::ARGUMENT.to_owned(), json!("svg"))]);
    assert_eq!(Wish::new(wrong).unwrap_err(), "format: give chart, or leave it out");
}
