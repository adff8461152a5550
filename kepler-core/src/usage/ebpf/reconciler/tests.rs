use super::*;

const CONTEXT: SliceContext = SliceContext { counted: 0, exits_are_reported: true };

fn work(time_ns: u64) -> RawWork {
    RawWork { time_ns, ..RawWork::default() }
}

fn slice(kind: Kind, pid: u32, start: u64, domain: u16, time_ns: u64) -> Slice {
    let mut comm = Comm::default();
    comm[0] = b'a' + u8::try_from(start % 26).unwrap();
    Slice { pid, kind, start, domain, work: work(time_ns), cgroup: 7, comm, flags: 0 }
}

fn close(reconciler: &mut SliceReconciler, slices: &[Slice]) -> Usage {
    close_with(reconciler, slices, None, CONTEXT)
}

fn close_with(
    reconciler: &mut SliceReconciler,
    slices: &[Slice],
    listed: Option<&[TaskUsage]>,
    context: SliceContext,
) -> Usage {
    let mut usage = Usage::default();
    reconciler.close(&mut slices.to_vec(), listed, context, &mut usage);
    assert_eq!(usage.tasks.len(), usage.reports.len());
    assert!(usage.tasks.is_sorted_by_key(|task| task.pid) && usage.by_domain.is_sorted_by_key(|work| work.pid));
    usage
}

/// Number, used, total and end of each.
fn reports(usage: &Usage) -> Vec<(u32, u64, u64, bool)> {
    let pairs = usage.tasks.iter().zip(&usage.reports);
    pairs.map(|(task, report)| (task.pid, report.used_ns, task.cpu_time_ns, report.has_ended)).collect()
}

fn short_lived(usage: &Usage) -> Vec<(u16, u64, u64)> {
    usage.short_lived.iter().map(|work| (work.domain, work.work.time_ns, work.processes)).collect()
}

#[test]
fn a_slice_that_still_runs_is_counted_once() {
    let mut reconciler = SliceReconciler::default();
    let usage = close(&mut reconciler, &[slice(Kind::Alive, 5, 1, 0, 100), Slice::open(5, 0, work(30))]);
    assert_eq!(reports(&usage), [(5, 130, 130, false)]);
    // The slice goes on.
    let usage = close(&mut reconciler, &[Slice::open(5, 0, work(80))]);
    assert_eq!(reports(&usage), [(5, 50, 180, false)]);
    // It is over, and comes in whole.
    let usage = close(&mut reconciler, &[slice(Kind::Alive, 5, 1, 0, 90)]);
    assert_eq!(reports(&usage), [(5, 10, 190, false)]);
    let usage = close(&mut reconciler, &[slice(Kind::Ended, 5, 1, 0, 4)]);
    assert_eq!(reports(&usage), [(5, 4, 194, true)]);
}

#[test]
fn a_slice_that_ends_its_process_is_counted_once() {
    let mut reconciler = SliceReconciler::default();
    close(&mut reconciler, &[slice(Kind::Alive, 5, 1, 0, 100), Slice::open(5, 1, work(30))]);
    let usage = close(&mut reconciler, &[slice(Kind::Ended, 5, 1, 1, 45), slice(Kind::Ended, 5, 1, 0, 2)]);
    assert_eq!(reports(&usage), [(5, 17, 147, true)]);
    let domains: Vec<_> = usage.by_domain.iter().map(|work| (work.domain, work.work.time_ns)).collect();
    assert_eq!(domains, [(0, 2), (1, 15)]);
}

#[test]
fn a_process_that_started_and_exited_unseen_is_reported_by_name_and_counted_as_one() {
    let mut reconciler = SliceReconciler::default();
    let usage = close(&mut reconciler, &[slice(Kind::Ended, 9, 3, 0, 10), slice(Kind::Ended, 9, 3, 1, 20)]);
    assert!(usage.tasks.is_empty() && usage.by_domain.is_empty());
    assert_eq!(short_lived(&usage), [(0, 10, 1), (1, 20, 0)]);
}

#[test]
fn a_last_slice_after_the_end_belongs_to_it() {
    let mut reconciler = SliceReconciler::default();
    close(&mut reconciler, &[slice(Kind::Alive, 5, 1, 0, 100)]);
    let usage = close(&mut reconciler, &[slice(Kind::Ended, 5, 1, 0, 10), slice(Kind::Alive, 5, 1, 0, 3)]);
    assert_eq!(reports(&usage), [(5, 13, 113, true)]);
}

#[test]
fn a_number_that_was_reused_is_reported_as_two_processes() {
    let mut reconciler = SliceReconciler::default();
    let first = close(&mut reconciler, &[slice(Kind::Alive, 5, 1, 0, 100)]).tasks[0].tag;
    let usage = close(&mut reconciler, &[slice(Kind::Ended, 5, 1, 0, 10), slice(Kind::Alive, 5, 2, 0, 7)]);
    assert_eq!(reports(&usage), [(5, 0, 100, true), (5, 7, 7, false)]);
    assert_eq!(short_lived(&usage), [(0, 10, 0)]);
    assert!(usage.tasks[0].tag == first && usage.tasks[1].tag != first);
    assert_eq!(usage.by_domain.len(), 1);
}

#[test]
fn a_number_that_was_reused_unreported_comes_under_another_tag() {
    let mut reconciler = SliceReconciler::default();
    let first = close(&mut reconciler, &[slice(Kind::Alive, 5, 1, 0, 100)]).tasks[0].tag;
    let usage = close(&mut reconciler, &[slice(Kind::Alive, 5, 2, 0, 7)]);
    assert_eq!(reports(&usage), [(5, 7, 7, false)]);
    assert_ne!(usage.tasks[0].tag, first);
}

#[test]
fn those_there_before_us_go_on_from_what_they_had_used() {
    let mut reconciler = SliceReconciler::default();
    let mut listed = [TaskUsage { pid: 5, tag: 99, cpu_time_ns: 1000 }];
    // It runs while it is listed: what its clock shows of the slice under way is in its total.
    reconciler.begin(&mut listed, &mut vec![slice(Kind::Alive, 5, 1, 0, 400), Slice::open(5, 0, work(30))]);
    let usage = close(&mut reconciler, &[slice(Kind::Alive, 5, 1, 0, 50)]);
    assert_eq!(reports(&usage), [(5, 20, 1020, false)]);
    assert_eq!(usage.tasks[0].tag, listed[0].tag);
}

#[test]
fn a_list_finds_processes_that_exited_or_started_unreported() {
    let mut reconciler = SliceReconciler::default();
    close(&mut reconciler, &[slice(Kind::Alive, 5, 1, 0, 100), slice(Kind::Alive, 6, 1, 0, 100)]);
    let listed = [TaskUsage { pid: 6, tag: 0, cpu_time_ns: 100 }, TaskUsage { pid: 8, tag: 0, cpu_time_ns: 77 }];
    let usage = close_with(&mut reconciler, &[slice(Kind::Alive, 6, 1, 0, 1)], Some(&listed), CONTEXT);
    assert_eq!(reports(&usage), [(5, 0, 100, true), (6, 1, 101, false), (8, 0, 77, false)]);
}

#[test]
fn a_process_known_only_because_it_runs_now_is_reported_only_if_its_exit_will_be() {
    let mut reconciler = SliceReconciler::default();
    let context = SliceContext { exits_are_reported: false, ..CONTEXT };
    let usage = close_with(&mut reconciler, &[Slice::open(5, 0, work(30))], None, context);
    assert!(usage.tasks.is_empty());
    let usage = close_with(&mut reconciler, &[slice(Kind::Ended, 5, 1, 0, 40)], None, context);
    assert_eq!(short_lived(&usage), [(0, 40, 1)]);
    let usage = close(&mut reconciler, &[Slice::open(6, 0, work(30))]);
    assert_eq!(reports(&usage), [(6, 30, 30, false)]);
}

#[test]
fn another_program_and_another_cgroup_are_changes() {
    let mut reconciler = SliceReconciler::default();
    close(&mut reconciler, &[slice(Kind::Alive, 5, 1, 0, 100)]);
    let has_changed =
        |reconciler: &mut SliceReconciler, slice: Slice| close(reconciler, &[slice]).reports[0].has_changed;
    assert!(!has_changed(&mut reconciler, slice(Kind::Alive, 5, 1, 0, 1)));
    assert!(has_changed(&mut reconciler, Slice { flags: EXECUTED, ..slice(Kind::Alive, 5, 1, 0, 1) }));
    assert!(has_changed(&mut reconciler, Slice { cgroup: 8, ..slice(Kind::Alive, 5, 1, 0, 1) }));
    assert!(!has_changed(&mut reconciler, Slice { cgroup: 8, ..slice(Kind::Alive, 5, 1, 0, 1) }));
    // Running says nothing of the cgroup.
    let usage = close(&mut reconciler, &[Slice::open(5, 0, work(3))]);
    assert_eq!((usage.reports[0].has_changed, usage.reports[0].cgroup), (false, CgroupId(8)));
}

proptest::proptest! {
    /// However slices are cut by collections, their sum is reported, no more and no less.
    #[test]
    fn time_is_neither_lost_nor_counted_twice(
        steps in proptest::collection::vec((0u8..4, 1u64..1000, 0u16..3), 1..60)
    ) {
        let mut reconciler = SliceReconciler::default();
        let (mut truth, mut sum, mut open) = (0, 0, None::<(u16, u64)>);
        let mut slices = vec![slice(Kind::Alive, 5, 1, 0, 1)];
        truth += 1;
        for (what, time, domain) in steps {
            match (what, open) {
                // A slice begins, goes on, or ends.
                (0, None) => open = Some((domain, 0)),
                (0 | 1, Some((domain, so_far))) => open = Some((domain, so_far + time)),
                (2, Some((domain, so_far))) => {
                    slices.push(slice(Kind::Alive, 5, 1, domain, so_far));
                    truth += so_far;
                    open = None;
                }
                (1, None) => {
                    slices.push(slice(Kind::Alive, 5, 1, domain, time));
                    truth += time;
                }
                _ => {
                    slices.extend(open.map(|(domain, so_far)| Slice::open(5, domain, work(so_far))));
                    let usage = close(&mut reconciler, &slices);
                    slices.clear();
                    sum += usage.reports.iter().map(|report| report.used_ns).sum::<u64>();
                    let by_domain: u64 = usage.by_domain.iter().map(|work| work.work.time_ns).sum();
                    let reported: u64 = usage.reports.iter().map(|report| report.used_ns).sum();
                    proptest::prop_assert_eq!(by_domain, reported);
                    proptest::prop_assert_eq!(sum, truth + open.map_or(0, |(_, so_far)| so_far));
                }
            }
        }
    }
}
