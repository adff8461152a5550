//! The tools that look over time.

use super::fixture::{World, near, settings, split};
use jiff::tz::TimeZone;
use kepler_compliance::intensity::{
    AccountingMethod, Boundary, FileOptions, FileSource, HourlyProfile, IntensityError, IntensityKind, Provenance,
};
use kepler_compliance::standards::Status;
use kepler_compliance::tariff::Tariff;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{
    AssessRequest, Length, OptimizationKind, RegionalRequest, RegionalResponse, ScheduleRequest, ToolError,
    ToolRequest, TrendRequest, analyze_workload_power_trend, assess_workload_compliance, calculate_optimal_schedule,
    get_regional_comparison, site,
};
use kepler_compliance::units::CarbonIntensity;
use kepler_compliance::view::StepUsage;
use std::path::Path;
use std::time::Duration;

/// Korea's grid with a clean noon: 400 g, but 200 g from 11 to 14 o'clock local time.
fn sunny() -> World {
    let mut day = [CarbonIntensity::from_grams_per_kilowatt_hour(400.0); 24];
    day[11..14].fill(CarbonIntensity::from_grams_per_kilowatt_hour(200.0));
    let (method, boundary) = (AccountingMethod::Direct, Boundary::Consumption);
    let provenance = Provenance::new("KR", method, boundary, IntensityKind::Average, "a made-up day");
    let zone = TimeZone::get("Asia/Seoul").unwrap();
    let profile = HourlyProfile::new("profile", provenance, zone, vec![day]).unwrap();
    let settings = settings(0.0, 1.25).with(|settings| settings.grid_intensity = None);
    World { intensity: Box::new(profile), settings, ..World::new() }
}

fn hours(text: &str) -> Length {
    text.parse().unwrap()
}

#[test]
fn a_job_is_placed_at_the_clean_noon_of_its_region() {
    let world = sunny();
    let request = ScheduleRequest::new(hours("2h")).with(|asked| asked.power_watts = Some(1000.0));
    let plan = calculate_optimal_schedule(&world.context(), &request).unwrap();
    assert_eq!(plan.best.local_start, "2026-11-22T11:00:00+09:00", "now is 21:00 in Seoul");
    assert!(plan.distinguishes_hours);
    assert!(near(plan.saving_percent, 50.0, 1e-9) && near(plan.saving_kg, 0.5, 1e-9), "{plan:?}");
    assert!(near(plan.best.cost, 250.0, 1e-9), "2 kWh at PUE 1.25 and 100 won");
    let early = request.clone().with(|asked| asked.deadline = Some("2026-11-22T11:30".into()));
    let early = calculate_optimal_schedule(&world.context(), &early).unwrap();
    assert_eq!(early.best.local_start, "2026-11-22T09:30:00+09:00");
    let long = request.with(|asked| (asked.interruptible, asked.duration) = (true, hours("4h")));
    let long = calculate_optimal_schedule(&world.context(), &long).unwrap();
    assert_eq!(long.best.slots.iter().map(|slot| slot.end.duration_since(slot.start).as_secs()).sum::<i64>(), 4 * 3600);
    assert!(long.best.mean_intensity < 260.0);
}

#[test]
fn a_schedule_depends_on_duration_and_region_and_refuses_a_horizon_that_is_too_short() {
    let world = sunny();
    let short = ScheduleRequest::new(hours("4h")).with(|asked| asked.deadline = Some("3h".into()));
    let error = calculate_optimal_schedule(&world.context(), &short).unwrap_err();
    assert!(matches!(error, ToolError::Schedule(_)) && error.to_string().contains("move the deadline"), "{error}");
    let wrong = ScheduleRequest::new(hours("4h")).with(|asked| asked.deadline = Some("tomorrow".into()));
    assert!(calculate_optimal_schedule(&world.context(), &wrong).unwrap_err().to_string().contains("deadline"));
}

#[test]
fn a_yearly_average_says_that_it_cannot_tell_hours_apart() {
    let world = World::new();
    let request = ScheduleRequest::new(hours("2h")).with(|asked| asked.power_watts = Some(0.0));
    let plan = calculate_optimal_schedule(&world.context(), &request).unwrap();
    assert!(!plan.distinguishes_hours && near(plan.saving_percent, 0.0, 1e-12));
    assert_eq!(plan.best.start, world.now, "any time is as good: now");
    assert!(near(plan.saving_kg, 0.0, 1e-12), "0 W divides nothing by zero");
    assert!(plan.caveats.iter().any(|caveat| caveat.contains("yearly average")));
}

#[test]
fn without_a_power_there_is_a_time_and_no_made_up_mass() {
    let plan = calculate_optimal_schedule(&sunny().context(), &ScheduleRequest::new(hours("1h"))).unwrap();
    assert_eq!((plan.power_watts, plan.best.emissions_kg, plan.best.cost), (None, None, None));
    assert!(near(plan.saving_percent, 50.0, 1e-9));
    let of = ScheduleRequest::new(hours("1h")).with(|asked| asked.workload = Some("large".into()));
    let plan = calculate_optimal_schedule(&sunny().context(), &of).unwrap();
    assert!(near(plan.power_watts, 87.88, 1e-9));
}

#[test]
fn a_shift_is_advised_from_the_series_for_work_as_long_as_the_window() {
    let answer = assess_workload_compliance(&sunny().context(), &AssessRequest::new("large")).unwrap();
    let shift = answer.optimizations.iter().find(|own| own.kind == OptimizationKind::TemporalShift).unwrap();
    assert!((shift.estimated_reduction_percent - 50.0).abs() < 1e-9);
    assert_eq!(shift.reduction_range_percent[0], 0.0);
    assert!(shift.basis.contains("a made-up day"));
    assert_eq!(shift.estimated_savings.cost, Some(0.0), "one price for all hours: carbon only");
}

/// Steps of a minute at these watts.
fn trend(watts: &[f64]) -> World {
    let mut world = World::new();
    world.view.steps = watts.iter().map(|watts| StepUsage::new(split(watts * 60.0, 0.0), None)).collect();
    world
}

fn request() -> TrendRequest {
    TrendRequest::default().with(|asked| (asked.window, asked.step) = (hours("1h"), Some(hours("1m"))))
}

#[test]
fn a_rising_load_has_its_slope_and_a_steady_one_has_none() {
    let rising: Vec<f64> =
        (0..60).map(|minute| 10.0 + f64::from(minute) / 60.0 + f64::from(minute % 3) * 0.01).collect();
    let answer = analyze_workload_power_trend(&trend(&rising).context(), &request()).unwrap();
    let slope = answer.slope.unwrap();
    assert!((slope.watts_per_hour - 1.0).abs() < 0.01 && slope.significant, "{slope:?}");
    assert!(slope.confidence_95[0] < 1.0 && slope.confidence_95[1] > 1.0 && slope.r_squared > 0.99);
    let noisy: Vec<f64> = (0..60).map(|minute| 10.0 + f64::from(minute % 2)).collect();
    let answer = analyze_workload_power_trend(&trend(&noisy).context(), &request()).unwrap();
    assert!(!answer.slope.unwrap().significant);
    assert!(near(answer.mean_watts, 10.5, 1e-9) && near(answer.baseline_watts, 10.0, 1e-9));
    assert!(near(answer.projected_monthly_energy_kwh, 7.665, 1e-9));
    assert!(near(answer.emissions_kg, 10.5 / 1e3 * 0.424, 1e-9), "an hour of 10.5 W at 424 g");
}

#[test]
fn a_spike_is_an_anomaly_and_the_peak() {
    let mut watts: Vec<f64> = (0..60).map(|minute| 10.0 + f64::from(minute % 5) * 0.1).collect();
    watts[30] = 50.0;
    let world = trend(&watts);
    let answer = analyze_workload_power_trend(&world.context(), &request()).unwrap();
    assert_eq!((answer.anomalies.len(), answer.peak_watts), (1, Some(50.0)));
    assert_eq!(answer.peak_at.unwrap(), world.now - Duration::from_secs(30 * 60));
    assert!(answer.summary.contains("; 1 step far"), "{}", answer.summary);
}

#[test]
fn a_trend_without_data_is_null_and_too_many_steps_are_refused() {
    let answer = analyze_workload_power_trend(&World::new().context(), &TrendRequest::default()).unwrap();
    assert_eq!((answer.mean_watts, answer.energy_kwh, answer.slope), (None, None, None));
    let fine = TrendRequest::default().with(|asked| asked.step = Some(hours("1ms")));
    assert!(analyze_workload_power_trend(&World::new().context(), &fine).is_err());
}

/// A Korean site whose chosen series holds one value, long ago or now.
fn with_file(text: &str) -> World {
    by_method(text, None)
}

/// The same where the settings state a method.
fn by_method(text: &str, method: Option<AccountingMethod>) -> World {
    let zones = kepler_compliance::zones::Zones::embedded().unwrap();
    let mut options = FileOptions::default();
    options.method = method;
    let source = FileSource::parse(Path::new("grid.csv"), text, &zones, &options).unwrap();
    let settings = settings(0.0, 1.25).with(|settings| {
        settings.grid_intensity = None;
        settings.intensity_method = method;
    });
    World { intensity: Box::new(source), settings, ..World::new() }
}

#[test]
fn a_stale_series_makes_no_verdict_and_no_schedule() {
    let world = with_file("zone,start,end,g_per_kwh\nSeoul,2025-11-21T11:00Z,2025-11-21T12:00Z,10\n");
    let answer = assess_workload_compliance(&world.context(), &AssessRequest::new("large")).unwrap();
    assert_eq!(answer.statuses.carbon_status, Status::InsufficientData, "{answer:?}");
    let texts = serde_json::to_string(&answer).unwrap();
    assert!(texts.contains("365 d") && texts.contains("grid.csv"), "{texts}");
    let error = calculate_optimal_schedule(&world.context(), &ScheduleRequest::new(hours("2h"))).unwrap_err();
    assert!(matches!(error, ToolError::Intensity(IntensityError::Ended { .. })), "{error}");
}

#[test]
fn a_fresh_series_decides_whatever_name_its_zone_goes_by() {
    let world = with_file("zone,start,end,g_per_kwh\nkoreacentral,2026-11-21T11:00Z,2026-11-22T13:00Z,10\n");
    let answer = assess_workload_compliance(&world.context(), &AssessRequest::new("large")).unwrap();
    assert_eq!(answer.statuses.carbon_status, Status::Compliant, "{answer:?}");
    let plan = calculate_optimal_schedule(&world.context(), &ScheduleRequest::new(hours("2h"))).unwrap();
    assert_eq!(plan.method, None, "the file does not say it");
}

#[test]
fn a_series_without_the_sites_own_zone_is_no_reason_for_an_average() {
    let world = with_file("zone,start,end,g_per_kwh\nFR,2026-11-21T11:00Z,2026-11-22T13:00Z,10\n");
    let answer = assess_workload_compliance(&world.context(), &AssessRequest::new("large")).unwrap();
    assert_eq!(answer.statuses.carbon_status, Status::InsufficientData);
}

#[test]
fn a_figure_without_a_method_is_compared_as_direct_and_says_so_unless_one_is_stated() {
    let file = "zone,start,end,g_per_kwh\nKR,2026-11-21T11:00Z,2026-11-22T13:00Z,400\n";
    let request = RegionalRequest::default().with(|asked| asked.regions = vec!["FR".into(), "eu-north-1".into()]);
    let stated = |method| {
        let settings = settings(400.0, 1.25).with(|settings| settings.intensity_method = method);
        World { settings, ..World::new() }
    };
    let lifecycle = Some(AccountingMethod::Lifecycle);
    for (none, named) in [(with_file(file), by_method(file, lifecycle)), (stated(None), stated(lifecycle))] {
        let says =
            |answer: &RegionalResponse| answer.caveats.iter().any(|caveat| caveat.contains("taken for a direct"));
        let answer = get_regional_comparison(&none.context(), &request).unwrap();
        assert!(answer.method == Some(AccountingMethod::Direct) && says(&answer), "{answer:?}");
        let inputs = site(&none.context(), None, Lang::En).unwrap();
        assert_eq!(inputs.grid_intensity.unwrap().method, None);
        let answer = get_regional_comparison(&named.context(), &request).unwrap();
        assert!(answer.method == lifecycle && !says(&answer), "{answer:?}");
        let inputs = site(&named.context(), None, Lang::En).unwrap();
        assert_eq!(inputs.grid_intensity.unwrap().method, lifecycle);
    }
}

#[test]
fn a_schedule_is_priced_by_the_tariff_of_its_hours() {
    let world = sunny();
    let tariff = |code: &str| Tariff::named(code, Path::new(code)).unwrap();
    let mut own = tariff("KEPCO_INDUSTRIAL_B");
    own.rates = tariff("KEPCO_INDUSTRIAL_A2_HVA_1").rates;
    let settings = world.settings.clone().with(|settings| settings.tariff = Some(own));
    let world = World { settings, ..world };
    let request = ScheduleRequest::new(hours("2h")).with(|asked| asked.power_watts = Some(1000.0));
    let plan = calculate_optimal_schedule(&world.context(), &request).unwrap();
    assert_eq!(plan.best.cost, None, "no source states the classes of a Sunday");
    assert!(!plan.caveats.iter().any(|caveat| caveat.contains("One price")));
}
