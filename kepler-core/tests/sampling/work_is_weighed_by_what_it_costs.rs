//! Two programs of the same CPU time that draw different power, told apart by what they do. Needs the feature `sim`.
#![allow(clippy::unwrap_used, reason = "a machine that cannot be simulated fails the test")]

use crate::machine::{DRAM, PACKAGE, Setup, process, seconds};
use crate::seen::Seen;
use kepler_core::attribution::{IdlePolicy, Weight, Weights};
use kepler_core::snapshot::{Snapshot, State};
use kepler_core::units::ZoneKind;
use kepler_core::usage::Work;
use std::sync::Arc;

/// What a second of a program is: instructions and cache misses, and what it draws in package and memory, J. Both run at 3 GHz.
struct Program {
    pid: u32,
    instructions: u64,
    misses: u64,
    package: f64,
    dram: f64,
}

const ARITHMETIC: Program = Program { pid: 10, instructions: 7_500_000_000, misses: 200_000, package: 18.0, dram: 0.2 };
const POINTERS: Program =
    Program { pid: 11, instructions: 1_200_000_000, misses: 14_000_000, package: 10.0, dram: 5.0 };
const PROGRAMS: [Program; 2] = [ARITHMETIC, POINTERS];

/// A value from −1 to 1 that cannot be predicted from the step, the same every time.
fn random(step: u64) -> f64 {
    let mixed = (step + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 40) as f64 / f64::from(1 << 23) - 1.0
}

/// How long a step is, s.
const STEP: u64 = 4;

/// A step in which the programs are busy for these ticks of 10 ms in each second; the noise of power is 2 %.
fn step(seen: &mut Seen, number: u64, busy: [u64; 2]) -> Arc<Snapshot> {
    let noise = |place: u64| 1.0 + 0.02 * random(2 * number + place + 55_555);
    let (mut package, mut dram) = (40.0 * STEP as f64, 4.0 * STEP as f64);
    for ((program, ticks), processor) in PROGRAMS.iter().zip(busy).zip(0u16..) {
        let ticks = ticks * STEP;
        package += program.package * seconds(ticks);
        dram += program.dram * seconds(ticks);
        seen.work(program.pid, processor, ticks, None, |work: &mut Work| {
            let of = |count: u64| Some(count / 100 * ticks);
            (work.cycles, work.instructions, work.cache_misses) =
                (of(3_000_000_000), of(program.instructions), of(program.misses));
        });
        // Both processors are of one package and one kind.
        seen.script.lock().unwrap().by_domain.last_mut().unwrap().domain = 0;
        seen.idle(processor.into(), 100 * STEP - ticks);
    }
    seen.draw(&[(PACKAGE, package * noise(0)), (DRAM, dram * noise(1))]);
    seen.machine.tick(STEP as f64)
}

/// Twenty minutes in which both are busy now and then, then two in which both are always: what each is charged of a second of these, J, in a
/// zone.
fn charged(weights: Weights) -> (Arc<Snapshot>, impl Fn(ZoneKind) -> [f64; 2]) {
    let mut seen = Seen::new(Setup { policy: IdlePolicy::Baseline, weights, ..Setup::default() });
    PROGRAMS.iter().for_each(|program| seen.spawn(program.pid, "/"));
    seen.tick();
    for number in 0..1200 / STEP {
        let busy = |program: u64| (50.0 + 50.0 * random(2 * (number / 8) + program)) as u64;
        // Now and then the machine rests.
        let busy = if number / 8 % 10 == 0 { [0, 0] } else { [busy(0), busy(1)] };
        step(&mut seen, number, busy);
    }
    let before = seen.machine.tick(0.0);
    for number in 1200 / STEP..1320 / STEP {
        step(&mut seen, number, [100, 100]);
    }
    let after = seen.machine.tick(0.0);
    let energy = |snapshot: &Snapshot, pid, zone| process(snapshot, pid, State::Running).unwrap().energy[zone].joules();
    let last = Arc::clone(&after);
    let of = move |zone| {
        PROGRAMS.map(|program| (energy(&after, program.pid, zone) - energy(&before, program.pid, zone)) / 120.0)
    };
    (last, of)
}

fn off(charged: [f64; 2], truth: [f64; 2]) -> [f64; 2] {
    [charged[0] / truth[0] - 1.0, charged[1] / truth[1] - 1.0]
}

#[test]
fn two_programs_of_equal_time_are_charged_within_a_tenth_where_time_is_two_fifths_off() {
    let package = PROGRAMS.map(|program| program.package);
    let mut by_time = Weights::default();
    by_time[ZoneKind::Package] = Some(Weight::Time);
    let (asked, of) = charged(by_time);
    let time = off(of(ZoneKind::Package), package);
    assert_eq!(asked.node.weights[ZoneKind::Package], Some(Weight::Time), "what is asked for is used");
    assert_eq!(asked.node.learned_costs[ZoneKind::Package], None);

    let (snapshot, of) = charged(Weights::default());
    let learned = off(of(ZoneKind::Package), package);
    println!("package, by time {:+.1} % and {:+.1} %", time[0] * 100.0, time[1] * 100.0);
    println!("package, by costs {:+.1} % and {:+.1} %", learned[0] * 100.0, learned[1] * 100.0);
    assert!(time[1] > 0.35, "{time:?}");
    assert!(learned.iter().all(|off| off.abs() < 0.1), "{learned:?}");
    let costs = snapshot.node.learned_costs[ZoneKind::Package].unwrap();
    assert!(costs.is_better && costs.error < costs.fixed_error && costs.fixed == Weight::Cycles, "{costs:?}");
    assert_eq!(snapshot.node.weights[ZoneKind::Package], Some(Weight::Learned));
    // Memory goes by its misses already.
    let dram = off(of(ZoneKind::Dram), PROGRAMS.map(|program| program.dram));
    println!(
        "dram, by {:?}: {:+.1} % and {:+.1} %",
        snapshot.node.weights[ZoneKind::Dram],
        dram[0] * 100.0,
        dram[1] * 100.0
    );
    assert!(dram[1].abs() < 0.1, "{dram:?}");
}
