//! One moment for all who ask: whatever a frontend's clock shows, a context ends its windows at the newest reading.

use super::fixture::{World, split};
use jiff::{SignedDuration, Timestamp};
use kepler_compliance::tools::{Context, HotspotsRequest, ToolRequest, TrendRequest, registry};
use kepler_compliance::view::{
    EnergySeries, EnergyView, Inventory, NewestReading, StepUsage, Subject, TimeRange, ViewError,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Figures of one watt up to a newest reading, none after it.
struct Until {
    world: World,
    newest: NewestReading,
}

impl Until {
    fn new(interval: u64) -> Self {
        let mut world = World::new();
        world.view.window = Duration::from_secs(10);
        world.view.steps = vec![StepUsage::new(split(1.0, 0.0), None); 10];
        let newest = NewestReading::new(world.now, Duration::from_secs(interval));
        Until { world, newest }
    }

    /// The context of a frontend with a clock `later` milliseconds after the newest reading.
    fn asked(&self, later: i64) -> Context<'_> {
        let World { standards, zones, intensity, settings, .. } = &self.world;
        Context::new(self, standards, zones, &**intensity, settings, clock(self.newest.at, later))
    }
}

fn clock(at: Timestamp, later: i64) -> Timestamp {
    at + SignedDuration::from_millis(later)
}

impl EnergyView for Until {
    fn name(&self) -> &str {
        "until"
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        let mut inventory = Arc::unwrap_or_clone(self.world.view.inventory(range)?);
        let known = TimeRange { start: range.start, end: range.end.min(self.newest.at) };
        inventory.coverage = known.length().as_secs_f64() / range.length().as_secs_f64();
        Ok(Arc::new(inventory))
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        self.world.view.series(subject, range, step)
    }

    fn newest(&self) -> Option<NewestReading> {
        Some(self.newest)
    }
}

/// A view around another one, as a protocol that watches or cancels has it.
struct Around<'a>(&'a dyn EnergyView);

impl EnergyView for Around<'_> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        self.0.inventory(range)
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        self.0.series(subject, range, step)
    }

    fn newest(&self) -> Option<NewestReading> {
        self.0.newest()
    }
}

fn hotspots(context: &Context<'_>) -> Value {
    registry::find(HotspotsRequest::NAME).unwrap().call(context, json!({ "window": "10s" })).unwrap()
}

#[test]
fn all_who_ask_between_two_readings_get_the_same_answer_whatever_they_ask_through() {
    let until = Until::new(10);
    let first = hotspots(&until.asked(0));
    assert_eq!(first["coverage"], json!(1.0));
    for later in [1, 2_400, 7_600, 9_100, 29_000] {
        let context = until.asked(later);
        assert_eq!(hotspots(&context), first, "{later} ms after the reading");
        let around = Around(context.view);
        assert_eq!(hotspots(&context.through(&around, context.intensity)), first, "{later} ms, through another view");
    }
    let trend = |context: &Context<'_>| TrendRequest::default().answer(context).unwrap();
    assert_eq!(trend(&until.asked(0)), trend(&until.asked(9_999)));
}

#[test]
fn a_reading_that_comes_in_while_the_clock_is_read_is_the_moment_too() {
    let until = Until::new(10);
    assert_eq!(until.asked(-3).now, until.newest.at);
}

#[test]
fn readings_that_are_rare_are_fresh_for_three_of_their_intervals() {
    let until = Until::new(120);
    assert_eq!(until.asked(110_000).now, until.newest.at);
    assert_eq!(until.asked(350_000).stale, None);
    assert_eq!(until.asked(400_000).now, clock(until.newest.at, 400_000));
}

#[test]
fn readings_that_have_stopped_show_in_coverage_caveats_and_the_age_of_inputs() {
    let until = Until::new(3);
    let context = until.asked(65_000);
    assert_eq!(context.stale, Some(Duration::from_secs(65)));
    let arguments = json!({ "workload": "small", "window": "130s" });
    let answer = registry::find("assess_workload_compliance").unwrap().call(&context, arguments).unwrap();
    assert_eq!(answer["coverage"], json!(0.5));
    let caveats = answer["caveats"].as_array().unwrap();
    assert!(
        caveats.iter().any(|caveat| caveat.as_str().unwrap().contains("newest reading is 1 min 5 s old")),
        "{caveats:?}"
    );
    assert_eq!(answer["inputs"][0]["age_seconds"], json!(65));
}

#[test]
fn a_moment_that_is_asked_for_is_kept() {
    let until = Until::new(10);
    let wanted = clock(until.newest.at, -3_600_000);
    assert_eq!(until.asked(0).at(wanted).now, wanted);
}
