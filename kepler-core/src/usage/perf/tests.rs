use super::*;
use perf_event::events::Software;
use proptest::prelude::*;
use std::hint::black_box;

fn at(count: u64, time_enabled: u64, time_running: u64) -> CountAndTime {
    CountAndTime { count, time_enabled, time_running }
}

#[test]
fn a_counter_that_ran_all_the_time_is_taken_as_it_is() {
    assert_eq!(scaled(&at(100, 50, 40), &at(350, 150, 140)), Some(250));
}

#[test]
fn a_counter_that_ran_half_of_this_interval_is_doubled_whatever_it_did_before() {
    assert_eq!(scaled(&at(1_000, 1_000, 1), &at(1_250, 1_100, 51)), Some(500));
}

#[test]
fn a_counter_that_did_not_run_is_unknown_and_not_zero() {
    assert_eq!(scaled(&at(100, 50, 50), &at(100, 150, 50)), None);
}

#[test]
fn a_processor_that_was_off_counted_nothing() {
    assert_eq!(scaled(&at(100, 50, 50), &at(100, 50, 50)), Some(0));
}

#[test]
fn a_counter_that_went_back_is_unknown() {
    assert_eq!(scaled(&at(100, 50, 50), &at(99, 60, 60)), None);
}

proptest! {
    #[test]
    fn scaling_takes_nothing_away_and_makes_no_panic(before in any::<(u64, u64, u64)>(), more in any::<(u32, u32, u32)>()) {
        let before = at(before.0 / 2, before.1 / 2, before.2 / 2);
        let (count, enabled, running) = (u64::from(more.0), u64::from(more.1), u64::from(more.2));
        let now = at(before.count + count, before.time_enabled + enabled, before.time_running + running);
        prop_assert!(scaled(&before, &now).is_none_or(|scaled| scaled >= count));
    }
}

#[test]
fn this_machine_counts_or_says_why_not() {
    match NodeCounters::open(&Host::default(), &CpuDomains::read(&Host::default())) {
        Ok(mut counters) => {
            assert!(counters.read().iter().all(|domain| domain.cycles.is_none()), "nothing is known of the first");
            black_box((0..10_000_000u64).fold(0, |sum, n| black_box(sum ^ n)));
            let sums = counters.read();
            let instructions: u64 = sums.iter().filter_map(|domain| domain.instructions).sum();
            assert!(instructions > 10_000_000, "{sums:?}");
        }
        Err(unavailable) => {
            println!("skipped: {unavailable}");
            assert!(unavailable.reason.contains("processor 0") && !unavailable.remedy.is_none(), "{unavailable}");
        }
    }
}

#[test]
fn a_host_without_processors_is_refused_with_a_remedy() {
    let unavailable = NodeCounters::open(&Host::default(), &CpuDomains::default()).unwrap_err();
    assert!(unavailable.remedy == Remedy::MountRoot { root: Root::Procfs }, "{unavailable}");
}

/// No PMU is needed for this: the same system call, the same reading, an event of the kernel's.
#[test]
fn an_event_of_every_processor_is_counted_by_its_place() {
    let domains = CpuDomains::read(&Host::default());
    let open = |processor: u32| {
        let mut builder = Builder::new(Software::CONTEXT_SWITCHES);
        builder.any_pid().one_cpu(processor as usize).include_kernel();
        Scaled::open(builder)
    };
    let mut processors = Vec::new();
    for (domain, index) in domains.iter().zip(0u16..) {
        for &number in &domain.processors {
            let cycles = match open(number) {
                Ok(counter) => Some(counter),
                Err(error) => return println!("skipped: perf events are refused here: {error}"),
            };
            processors.push(Processor { domain: index, cycles, instructions: None, cache_misses: None });
        }
    }
    let mut counters = NodeCounters { processors, sums: vec![Work::default(); domains.len()] };
    counters.read();
    for _ in 0..20 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let sums = counters.read();
    let switches: u64 = sums.iter().filter_map(|domain| domain.cycles).sum();
    assert!(switches >= 20, "{sums:?}");
    assert!(sums.iter().all(|domain| domain.instructions.is_none() && domain.time_ns == 0), "{sums:?}");
}
