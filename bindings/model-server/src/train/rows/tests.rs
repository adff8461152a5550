use super::*;

fn series(instance: &str, source: &str, samples: &[(i64, f64)]) -> Series {
    let samples = samples.iter().map(|&(second, value)| (second * 1000, value)).collect();
    Series { instance: instance.to_owned(), source: source.to_owned(), samples }
}

/// A counter that rises by `rate` a second, every 15 s from `from` on.
fn steady(rate: f64, from: i64, count: i64) -> Vec<(i64, f64)> {
    (0..count).map(|n| (from + 15 * n, rate * (15 * n) as f64)).collect()
}

fn queries(package: Vec<Series>, time: Vec<Series>) -> Queries {
    let zeros = vec![series("a", "", &steady(0.0, 0, 40))];
    Queries(BTreeMap::from([
        (energy_query("package"), package),
        (feature_query("bpf_cpu_time_ms"), time),
        (feature_query("bpf_page_cache_hit"), zeros),
    ]))
}

fn read(queries: &Queries) -> Result<Recorded, String> {
    rows(queries, FeatureGroup::BpfOnly, EnergySource::RaplSysfs, Semantics::AsNamed)
}

fn measured(samples: &[(i64, f64)]) -> Vec<Series> {
    vec![series("a", "rapl-sysfs", samples)]
}

#[test]
fn energy_of_all_modes_and_packages_and_time_of_all_containers_add_up() {
    let package = vec![
        series("a", "rapl-sysfs", &steady(30.0, 0, 40)),
        series("a", "rapl-sysfs", &steady(12.0, 0, 40)),
        series("a", "trained_power_model", &steady(999.0, 0, 40)),
    ];
    let time = vec![series("a", "", &steady(500.0, 0, 40)), series("a", "", &steady(250.0, 0, 40))];
    let recorded = read(&queries(package, time)).unwrap();
    assert_eq!((recorded.data.len(), recorded.left_out), (39, 0));
    assert_eq!(recorded.data.targets(), [(ZoneKind::Package, vec![42.0; 39])]);
    assert!(recorded.data.rows().chunks(2).all(|row| row == [750.0, 0.0]));
}

#[test]
fn a_value_that_prometheus_repeats_is_no_interval_of_its_own() {
    // Scraped every 15 s, asked every 5 s.
    let repeated = |rate: f64| -> Vec<(i64, f64)> { (0..120).map(|n| (5 * n, rate * (n / 3 * 15) as f64)).collect() };
    let mut all = queries(measured(&repeated(40.0)), vec![series("a", "", &repeated(700.0))]);
    all.0.insert(feature_query("bpf_page_cache_hit"), vec![series("a", "", &repeated(0.0))]);
    let recorded = read(&all).unwrap();
    assert_eq!((recorded.data.len(), recorded.left_out), (39, 0));
    assert!(recorded.data.targets()[0].1.iter().all(|&watts| watts == 40.0));
}

#[test]
fn intervals_in_which_a_counter_goes_back_or_is_missing_are_left_out_and_nothing_is_filled_in() {
    let restarted = |samples: &mut [(i64, f64)]| {
        let before = samples[0].1 - 1.0;
        samples.iter_mut().for_each(|(_, value)| *value -= before);
    };
    let (mut energy, mut time) = (steady(40.0, 0, 40), steady(700.0, 0, 40));
    energy.remove(10);
    restarted(&mut energy[20..]);
    restarted(&mut time[30..]);
    let recorded = read(&queries(measured(&energy), vec![series("a", "", &time)])).unwrap();
    assert_eq!((recorded.data.len(), recorded.left_out), (36, 2), "one interval is of 30 s");
    assert!(recorded.data.targets()[0].1.iter().all(|&watts| watts == 40.0));
    assert!(recorded.data.rows().chunks(2).all(|row| row == [700.0, 0.0]));
}

#[test]
fn a_container_that_comes_counts_from_zero_and_one_that_goes_takes_nothing_with_it() {
    let long = series("a", "", &steady(100.0, 0, 40));
    let come = series("a", "", &[(150, 300.0), (165, 1800.0)]);
    let recorded = read(&queries(measured(&steady(40.0, 0, 40)), vec![long, come])).unwrap();
    let time: Vec<f64> = recorded.data.rows().iter().step_by(2).copied().collect();
    assert_eq!(time[8..13], [100.0, 120.0, 200.0, 100.0, 100.0]);
}

#[test]
fn nodes_are_kept_apart() {
    let package = vec![series("a", "intel_rapl", &steady(40.0, 0, 40)), series("b", "rapl", &steady(90.0, 7, 40))];
    let time = vec![series("a", "", &steady(100.0, 0, 40)), series("b", "", &steady(900.0, 7, 40))];
    let mut all = queries(package, time);
    let hits = all.0.get_mut(&feature_query("bpf_page_cache_hit")).unwrap();
    hits.push(series("b", "", &steady(1.0, 7, 40)));
    let recorded = read(&all).unwrap();
    assert_eq!(recorded.data.len(), 78);
    assert_eq!(recorded.data.rows()[..2], [100.0, 0.0]);
    assert_eq!(recorded.data.rows()[80..82], [900.0, 1.0]);
}

#[test]
fn estimates_are_not_trained_from() {
    let estimated = vec![series("a", "trained_power_model", &steady(40.0, 0, 40))];
    let error = read(&queries(estimated, vec![series("a", "", &steady(1.0, 0, 40))])).unwrap_err();
    assert!(error.contains("has the source rapl-sysfs, there is `trained_power_model`"), "{error}");
}

#[test]
fn too_little_and_too_much_is_refused_with_the_limit() {
    let few = queries(measured(&steady(40.0, 0, 20)), vec![series("a", "", &steady(1.0, 0, 20))]);
    assert!(read(&few).unwrap_err().contains("BPFOnly: 19 intervals"));
    let none = queries(measured(&steady(0.0, 0, 40)), Vec::new());
    assert!(read(&none).unwrap_err().contains("at least 20"));
    let many = i64::try_from(MOST_ROWS).unwrap() + 2;
    let many = queries(measured(&steady(40.0, 0, many)), vec![series("a", "", &steady(1.0, 0, many))]);
    assert!(read(&many).unwrap_err().contains("more than 20000 intervals"));
}
