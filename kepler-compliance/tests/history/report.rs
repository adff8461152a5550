//! A report over a recorded hour whose figures can be reckoned by hand.

use crate::TempHistory;
use crate::answers::{hour, range, time};
use kepler_compliance::carbon::{Contract, ContractVolume};
use kepler_compliance::intensity::IntensityTable;
use kepler_compliance::standards::{Basis, Standards};
use kepler_compliance::tariff::EnergyPrice;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{
    Context, Price, Report, ReportBy, ReportError, ReportRequest, Settings, StatedPue, report,
};
use kepler_compliance::units::{CarbonIntensity, Pue};
use kepler_compliance::view::{TimeRange, WorkloadKind};
use kepler_compliance::zones::Zones;

fn grams(per_kwh: f64) -> CarbonIntensity {
    CarbonIntensity::from_grams_per_kilowatt_hour(per_kwh)
}

/// At a PUE of 1.5, 400 g and 100 KRW a kilowatt-hour.
fn reported(range: TimeRange, change: impl FnOnce(&mut ReportRequest)) -> Result<Report, ReportError> {
    let temp = TempHistory::new();
    let history = hour(&temp);
    let (zones, standards) = (Zones::embedded().unwrap(), Standards::embedded().unwrap());
    let settings = Settings::default().with(|settings| {
        settings.region = Some("KR".to_owned());
        settings.pue = Some(StatedPue::new(Pue::new(1.5).unwrap(), Basis::Measured));
        settings.grid_intensity = Some(grams(400.0));
        settings.price = Some(Price::new(EnergyPrice::per_kilowatt_hour(100.0), "KRW"));
    });
    let intensity = IntensityTable::from_zones(&zones);
    let context = Context::new(&history, &standards, &zones, &intensity, &settings, time(7200));
    report(&context, &ReportRequest::new(range).with(change))
}

fn near(value: Option<f64>, expected: f64) {
    let value = value.unwrap();
    assert!((value - expected).abs() <= 1e-6 * expected, "{value} is not {expected}");
}

#[test]
fn the_sums_of_an_hour_are_those_of_its_powers() {
    let report = reported(range(0, 3600), |_| {}).unwrap();
    // 20 W of package and 4 W of memory; a quarter idle, an eighth unattributed.
    near(report.total.energy_joules, 86_400.0);
    near(report.idle.energy_joules, 21_600.0);
    near(report.unattributed.energy_joules, 10_800.0);
    near(report.total.facility_energy_kwh, 0.036);
    near(report.total.emissions_location, 14.4);
    near(report.total.emissions_market, 14.4);
    near(report.total.cost, 3.6);
    assert_eq!((report.method, report.error_ratio, report.currency.as_deref()), ("measured", None, Some("KRW")));
    assert!(report.gaps.is_empty() && report.coverage > 0.999, "{:?}", report.gaps);
    assert!(report.caveats.iter().any(|caveat| caveat.contains("No contract and no residual mix")));
    let rows: Vec<(&str, f64)> =
        report.rows.iter().map(|row| (row.name.as_str(), row.amounts.energy_joules.unwrap())).collect();
    // The pod's container and the processes are parts of them.
    assert_eq!(rows, [("web", 36_000.0), ("job.service", 3_600.0), ("sshd.service", 3_600.0)]);
    let web = &report.rows[0];
    assert_eq!((web.kind, web.namespace.as_deref(), web.method), (Some(WorkloadKind::Pod), Some("shop"), "measured"));
    near(web.share, 36_000.0 / 86_400.0);
    near(web.amounts.emissions_location, 6.0);
    near(web.amounts.cost, 1.5);
    assert!(report.steps.iter().all(|step| (step.power_watts.unwrap() - 24.0).abs() < 1e-6), "{:?}", report.steps);
    assert!(report.steps.iter().all(|step| (step.idle_watts.unwrap() - 6.0).abs() < 1e-6));
}

#[test]
fn contracts_and_the_residual_mix_make_the_market_based_figure() {
    let wind = Contract { name: "wind".to_owned(), volume: ContractVolume::Share(0.5), intensity: grams(0.0) };
    let report = reported(range(0, 3600), |request| {
        (request.contracts, request.residual) = (vec![wind.clone()], Some(grams(500.0)));
    })
    .unwrap();
    near(report.total.emissions_location, 14.4);
    near(report.total.emissions_market, 9.0);
    near(report.contracted_kwh, 0.018);
    near(report.rows[0].amounts.emissions_market, 3.75);
    let twice = reported(range(0, 3600), |request| request.contracts = vec![wind.clone(), wind.clone(), wind.clone()]);
    assert!(matches!(twice, Err(ReportError::Contract(_))), "{twice:?}");
}

#[test]
fn namespaces_nodes_and_kinds_are_added_up() {
    let by = |by| reported(range(0, 3600), |request| request.by = by).unwrap();
    let joules = |report: &Report, name: &str| {
        report.rows.iter().find(|row| row.name == name).and_then(|row| row.amounts.energy_joules)
    };
    let namespaces = by(ReportBy::Namespace);
    assert_eq!((joules(&namespaces, "shop"), joules(&namespaces, "")), (Some(36_000.0), Some(7_200.0)));
    assert_eq!(joules(&by(ReportBy::Node), "node-1"), Some(86_400.0));
    let units = by(ReportBy::Kind(WorkloadKind::Unit));
    assert_eq!(units.rows.len(), 2);
}

#[test]
fn missing_time_is_named_and_nothing_is_made_up_for_it() {
    let before = TimeRange { start: time(0) - jiff::SignedDuration::from_mins(30), end: time(3600) };
    let report = reported(before, |request| request.lang = Lang::Ko).unwrap();
    near(report.total.energy_joules, 86_400.0);
    assert!((report.coverage - 2.0 / 3.0).abs() < 0.01, "{}", report.coverage);
    assert_eq!(report.gaps.len(), 1);
    assert_eq!((report.gaps[0].from, report.gaps[0].to), (before.start, time(0)));
    let never = TimeRange { start: time(7200), end: time(9000) };
    assert!(reported(never, |_| {}).is_err(), "no data is no report, not one of zeros");
}
