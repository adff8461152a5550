use super::reader::tests::Stat;
use super::*;
use proptest::prelude::*;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// The busy seconds in each second between these texts of `/proc/stat`, and how many fields have fallen.
fn follow(texts: &[&str]) -> (Vec<f64>, u64) {
    let (mut stat, mut busy, start) = (Stat::of(texts[0]), BusyTime::default(), Timestamp::now());
    let windows = texts.iter().zip(0u32..).filter_map(|(text, second)| {
        let times = stat.read(text);
        let window = busy.advance(times, start.advanced(Duration::from_secs(second.into())))?;
        Some(window.busy.as_secs_f64())
    });
    (windows.collect(), stat.decreases())
}

#[test]
fn steal_is_neither_busy_nor_idle() {
    let (busy, decreases) = follow(&[
        "cpu  0 0 0 0\ncpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\n",
        "cpu  0 0 0 0\ncpu0 30 0 0 20 0 0 0 50\ncpu1 20 0 0 30 0 0 0 50\n",
    ]);
    assert_eq!((busy, decreases), (vec![0.5], 0));
}

#[test]
fn a_thousand_processors_up_for_years_are_still_told_idle_from_busy() {
    let years = Duration::from_secs(1024 * 3 * 365 * 86_400);
    let earlier = CpuTimes { processors: 1024, idle: years, ..CpuTimes::default() };
    let later = CpuTimes { idle: years + Duration::from_secs(1000), ..earlier };
    let (mut busy, at) = (BusyTime::default(), Timestamp::now());
    busy.advance(earlier, at);
    let window = busy.advance(later, at.advanced(Duration::from_secs(1))).unwrap();
    assert_eq!(window.busy, Duration::from_secs(24));
}

#[test]
fn an_idle_machine_read_every_millisecond_is_idle() {
    let (mut busy, at) = (BusyTime::default(), Timestamp::now());
    let mut sum = Duration::ZERO;
    for millisecond in 0..=1000 {
        let idle = Duration::from_millis(2 * millisecond / 10 * 10);
        let times = CpuTimes { processors: 2, idle, ..CpuTimes::default() };
        let window = busy.advance(times, at.advanced(Duration::from_millis(millisecond)));
        sum += window.map_or(Duration::ZERO, |window| window.busy);
    }
    assert!(sum <= Duration::from_millis(20), "{sum:?}");
}

#[test]
fn work_shorter_than_a_tick_is_known_by_the_idle_time_that_is_missing() {
    let (busy, _) = follow(&["cpu  0 0 0 0\ncpu0 0 0 0 0\n", "cpu  0 0 0 0\ncpu0 2 0 0 88\n"]);
    assert_eq!(busy, [0.12]);
}

/// Processor 1 goes off line and comes back: its idle time is the tick-based count while it is away, and starts at zero
/// afterwards (before Linux 6.8). The node's own line, which holds processors that are off line, falls with it.
#[test]
fn a_processor_that_goes_and_comes_back_adds_no_busy_time() {
    let (busy, decreases) = follow(&[
        "cpu  100 0 0 1900000\ncpu0 50 0 0 950000\ncpu1 50 0 0 950000\n",
        "cpu  120 0 0 1900180\ncpu0 60 0 0 950090\ncpu1 60 0 0 950090\n",
        "cpu  130 0 0 1040000\ncpu0 70 0 0 950180\n",
        "cpu  140 0 0 1040090\ncpu0 80 0 0 950270\n",
        "cpu  160 0 0 950370\ncpu0 90 0 0 950360\ncpu1 70 0 0 10\n",
        "cpu  180 0 0 950550\ncpu0 100 0 0 950450\ncpu1 80 0 0 100\n",
    ]);
    assert_eq!((busy, decreases), (vec![0.2, 0.1, 0.1, 0.2, 0.2], 1));
}

#[test]
fn a_processor_that_is_added_brings_nothing_of_its_past() {
    let (busy, decreases) = follow(&[
        "cpu  0 0 0 0\ncpu0 0 0 0 0\n",
        "cpu  0 0 0 0\ncpu0 10 0 0 90\ncpu1 4000 0 0 90000\n",
        "cpu  0 0 0 0\ncpu0 20 0 0 180\ncpu1 4010 0 0 90090\n",
    ]);
    assert_eq!((busy, decreases), (vec![0.1, 0.2], 0));
}

#[test]
fn idle_time_that_jumps_ahead_makes_a_busy_machine_no_idle_one() {
    let (busy, decreases) = follow(&[
        "cpu  0 0 0 0\ncpu0 0 0 0 0\ncpu1 0 0 0 0\n",
        "cpu  0 0 0 0\ncpu0 100 0 0 0\ncpu1 60 0 0 8000000\n",
        "cpu  0 0 0 0\ncpu0 200 0 0 0\ncpu1 120 0 0 8000040\n",
    ]);
    assert_eq!((busy, decreases), (vec![1.6, 1.6], 0));
}

/// As a guest of Xen showed after a migration, and Ubuntu's 4.4 kernel at any time (node_exporter issue 742).
#[test]
fn steal_that_falls_at_every_reading_adds_no_busy_time() {
    let (busy, decreases) = follow(&[
        "cpu  0 0 0 0\ncpu0 0 0 0 0 0 0 0 194028\n",
        "cpu  0 0 0 0\ncpu0 30 0 0 70 0 0 0 1844674406123\n",
        "cpu  0 0 0 0\ncpu0 60 0 0 140 0 0 0 1844273952411\n",
        "cpu  0 0 0 0\ncpu0 90 0 0 210 0 0 0 1843873498699\n",
        "cpu  0 0 0 0\ncpu0 120 0 0 280 0 0 0 58059\n",
    ]);
    assert_eq!((busy, decreases), (vec![0.3; 4], 3));
}

#[test]
fn iowait_that_goes_up_and_down_takes_no_busy_time() {
    let (busy, decreases) = follow(&[
        "cpu  0 0 0 0\ncpu0 0 0 0 0 5482\n",
        "cpu  0 0 0 0\ncpu0 20 0 0 80 5481\n",
        "cpu  0 0 0 0\ncpu0 40 0 0 160 5482\n",
        "cpu  0 0 0 0\ncpu0 60 0 0 240 5481\n",
        "cpu  0 0 0 0\ncpu0 80 0 0 310 5492\n",
    ]);
    assert_eq!((busy, decreases), (vec![0.2; 4], 2));
}

/// Guest time is within user and nice time, whatever the kernel shows of it apart.
#[test]
fn guest_time_changes_nothing() {
    let (busy, decreases) = follow(&[
        "cpu  0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 500 400\n",
        "cpu  0 0 0 0\ncpu0 40 10 0 50 0 0 0 0 90 0\n",
        "cpu  0 0 0 0\ncpu0 80 20 0 100 0 0 0 0 9000000 18446744073709551615\n",
    ]);
    assert_eq!((busy, decreases), (vec![0.5; 2], 0));
}

#[test]
fn busy_fields_that_fall_have_not_advanced() {
    let (busy, decreases) = follow(&[
        "cpu  0 0 0 0\ncpu0 5000 0 5000 90000\n",
        "cpu  0 0 0 0\ncpu0 5010 0 40 90080\n",
        "cpu  0 0 0 0\ncpu0 5020 0 50 90160\n",
    ]);
    assert_eq!((busy, decreases), (vec![0.1, 0.2], 1));
}

#[test]
fn where_only_the_nodes_own_line_moves_it_counts() {
    let (busy, decreases) = follow(&[
        "cpu  0 0 0 500000\ncpu0 0 0 0 0\ncpu1 0 0 0 0\n",
        "cpu  50 0 0 500150\ncpu0 0 0 0 0\ncpu1 0 0 0 0\n",
        "cpu  100 0 0 90000\ncpu0 0 0 0 0\ncpu1 0 0 0 0\n",
        "cpu  150 0 0 90150\ncpu0 0 0 0 0\ncpu1 0 0 0 0\n",
    ]);
    assert_eq!((busy, decreases), (vec![0.5; 3], 1));
    let (busy, decreases) = follow(&["cpu  0 0 0 9000\n", "cpu  30 0 0 70\n", "cpu  60 0 0 140\n"]);
    assert_eq!((busy, decreases), (vec![0.3; 2], 1));
}

/// As a sandbox shows its guest.
#[test]
fn a_kernel_that_counts_nothing_is_not_busy() {
    let zeros = "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n";
    assert_eq!(follow(&[zeros, zeros, zeros]), (vec![0.0, 0.0], 0));
}

/// A second of one processor: whether it is on line, its true busy ticks, and whatever the other fields show.
type Step = (bool, [u64; 3], [u64; 3]);

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let wild = prop_oneof![0u64..500, 0u64..10_000_000, Just(u64::MAX)];
    let step = (prop::bool::weighted(0.9), [0u64..20, 0u64..10, 0u64..5], [wild.clone(), wild.clone(), wild]);
    prop::collection::vec(prop::collection::vec(step, 2), 2..12)
}

proptest! {
    /// Idle, iowait and steal fall in every window here, whatever else they do: then busy time is what was counted.
    #[test]
    fn whatever_idle_iowait_and_steal_show_busy_time_is_what_was_counted(steps in steps()) {
        let mut texts = Vec::new();
        let mut user = [[0u64; 3]; 2];
        for (step, second) in steps.iter().zip(0u64..) {
            let mut text = "cpu  0 0 0 0\n".to_owned();
            for (processor, ((is_online, worked, others), total)) in step.iter().zip(&mut user).enumerate() {
                // The first processor never goes, and its idle field falls each time.
                if !is_online && processor > 0 {
                    continue;
                }
                for (total, worked) in total.iter_mut().zip(worked) {
                    *total += worked;
                }
                let idle = if processor == 0 { 5_000_000 - 1000 * second } else { others[0] };
                let [user, nice, system] = total;
                text += &format!("cpu{processor} {user} {nice} {system} {idle} {} 0 0 {}\n", others[1], others[2]);
            }
            texts.push(text);
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (busy, decreases) = follow(&texts);
        prop_assert!(decreases >= texts.len() as u64 - 1);
        let mut is_known = [true, steps[0][1].0];
        for (second, busy) in busy.iter().enumerate() {
            // What a processor did before it was seen for the first time is not known.
            let step = &steps[second + 1];
            let was_known = is_known;
            is_known[1] |= step[1].0;
            let worked = |processor: usize| if was_known[processor] && (processor == 0 || step[processor].0) { step[processor].1.iter().sum::<u64>() } else { 0 };
            let truth = (worked(0) + worked(1)) as f64 / 100.0;
            prop_assert!((busy - truth).abs() < 1e-9, "{second}: {busy} {truth}");
        }
    }

    #[test]
    fn busy_time_stays_within_the_window(
        readings in prop::collection::vec((1u32..5, [0u64..1 << 40, 0u64..1 << 40, 0u64..1 << 40, 0u64..1 << 40], 0u64..3), 2..20),
        step in 0.0f64..3.0,
    ) {
        let (mut busy, mut at) = (BusyTime::default(), Timestamp::now());
        for (processors, fields, interruptions) in readings {
            let [work, idle, iowait, steal] = fields.map(Duration::from_micros);
            let times = CpuTimes { processors, busy: work, idle, iowait, steal, interruptions };
            at = at.advanced(seconds(step));
            if let Some(window) = busy.advance(times, at) {
                prop_assert!(window.busy <= window.elapsed * processors);
            }
        }
    }
}
