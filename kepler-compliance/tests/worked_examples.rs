//! The worked examples of the specification, as far as they need no process table, and the mistakes
//! of the server this library replaces.

use jiff::civil::date;
use kepler_compliance::carbon;
use kepler_compliance::standards::{
    Basis, Metric, MetricValue, RuleSubject, Standards, Status, VerdictInputs, overall,
};
use kepler_compliance::units::{CarbonIntensity, Energy, Power, Pue};
use kepler_compliance::zones::Zones;
use std::time::Duration;

const GRID: CarbonIntensity = CarbonIntensity::from_grams_per_kilowatt_hour(424.0);

#[test]
fn example_1_two_intervals_are_676_joules_and_135_2_watts() {
    let counters = [(1234567.89, 1234793.89), (1234500.12, 1234726.12), (567890.45, 568002.45), (567850.23, 567962.23)];
    let deltas = counters.map(|(before, after)| Energy::from_joules(after) - Energy::from_joules(before));
    let total = carbon::it_energy(deltas);
    assert_eq!(total, Energy::from_joules(676.0));
    let five = Duration::from_secs(5);
    assert!((total.over(five).watts() - 135.2).abs() < 1e-9);
    let cpu = carbon::it_energy(deltas.into_iter().take(2)).over(five);
    let dram = carbon::it_energy(deltas.into_iter().skip(2)).over(five);
    assert!((cpu.watts() - 90.4).abs() < 1e-9 && (dram.watts() - 44.8).abs() < 1e-9);
    for (share, watts, joules) in [(0.05, 6.76, 33.8), (0.65, 87.88, 439.4)] {
        let pod = (cpu + dram) * share;
        assert!((pod.watts() - watts).abs() < 1e-9);
        assert!(((pod * five).joules() - joules).abs() < 1e-6);
    }
}

#[test]
fn example_2_two_pods_emit_2_87_and_37_26_grams_an_hour() {
    for (watts, grams) in [(6.76, 2.87), (87.88, 37.26)] {
        let rate = carbon::rate(Power::from_watts(watts), Pue::ONE, GRID);
        assert!((rate.grams_per_hour() - grams).abs() < 0.005, "{rate}");
    }
}

#[test]
fn example_3_a_clean_site_on_a_dirty_grid_fails_as_a_whole() {
    let pue = Pue::new(1.203).unwrap();
    let effective = carbon::effective_intensity(GRID, pue).grams_per_kilowatt_hour();
    assert!((effective - 510.1).abs() < 0.05);
    let mut inputs = VerdictInputs::new(RuleSubject::Workload, date(2026, 11, 21));
    inputs.set(Metric::CarbonIntensity, MetricValue::new(effective, Basis::Measured, "grid x PUE"));
    inputs.set(Metric::Pue, MetricValue::new(pue.ratio(), Basis::Published, "operator"));
    let standards = Standards::embedded().unwrap();
    let verdicts = ["KR_CARBON_2050", "KR_PUE_GREEN_DC"].map(|code| standards.assess(code, &inputs).unwrap());
    assert_eq!(verdicts.each_ref().map(|verdict| verdict.status), [Status::NonCompliant, Status::Compliant]);
    assert!((verdicts[0].gap_percent.unwrap() - 20.3).abs() < 1e-6);
    assert_eq!(overall(&verdicts), Status::NonCompliant);
}

#[test]
fn example_5_57_5_watts_for_an_hour_are_24_38_grams_and_never_510_g_per_kwh() {
    let hour = Duration::from_secs(3600);
    let mass = carbon::emissions(Power::from_watts(57.5) * hour, Pue::ONE, GRID);
    assert!((mass.grams() - 24.38).abs() < 1e-6, "{mass}");
}

#[test]
fn a_saving_in_grams_is_a_thousandth_of_it_in_kilograms() {
    let mass = carbon::emissions(Energy::from_kilowatt_hours(1000.0), Pue::ONE, GRID);
    assert_eq!((mass.grams(), mass.kilograms(), mass.tonnes()), (424_000.0, 424.0, 0.424));
}

#[test]
fn reductions_on_power_intensity_and_pue_multiply_and_do_not_add() {
    let before = carbon::rate(Power::from_watts(100.0), Pue::new(1.5).unwrap(), GRID);
    let cleaner = CarbonIntensity::from_grams_per_kilowatt_hour(424.0 * 0.5);
    let after = carbon::rate(Power::from_watts(100.0) * 0.5, Pue::new(1.5).unwrap(), cleaner);
    assert!((after.grams_per_hour() / before.grams_per_hour() - 0.25).abs() < 1e-12);
}

#[test]
fn unknown_regions_and_standards_are_refused_not_judged() {
    let inputs = VerdictInputs::new(RuleSubject::Workload, date(2026, 11, 21));
    assert!(Standards::embedded().unwrap().assess("KR_CARBON_2055", &inputs).is_err());
    assert!(Zones::embedded().unwrap().find("mars-north-1").is_err());
}

#[test]
fn a_missing_pod_is_no_zero_watts_and_not_compliant() {
    let inputs = VerdictInputs::new(RuleSubject::Workload, date(2026, 11, 21));
    for code in ["KR_CARBON_2050", "KR_PUE_GREEN_DC"] {
        let verdict = Standards::embedded().unwrap().assess(code, &inputs).unwrap();
        assert_eq!((verdict.status, verdict.value), (Status::InsufficientData, None));
    }
}
