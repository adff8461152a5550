use super::*;

const TERMS: Terms = Terms { counted: 0, runners_are_told: true };

fn work(time_ns: u64) -> RawWork {
    RawWork { time_ns, ..RawWork::default() }
}

fn piece(kind: Kind, pid: u32, start: u64, place: u16, time_ns: u64) -> Piece {
    let mut comm = Comm::default();
    comm[0] = b'a' + u8::try_from(start % 26).unwrap();
    Piece { pid, kind, start, place, work: work(time_ns), cgroup: 7, comm, flags: 0 }
}

fn close(book: &mut Book, pieces: &[Piece]) -> Usage {
    close_with(book, pieces, None, TERMS)
}

fn close_with(book: &mut Book, pieces: &[Piece], listed: Option<&[TaskUsage]>, terms: Terms) -> Usage {
    let mut usage = Usage::default();
    book.close(&mut pieces.to_vec(), listed, terms, &mut usage);
    assert_eq!(usage.tasks.len(), usage.told.len());
    assert!(usage.tasks.is_sorted_by_key(|task| task.pid) && usage.placed.is_sorted_by_key(|placed| placed.pid));
    usage
}

/// Number, used, total and end of each.
fn told(usage: &Usage) -> Vec<(u32, u64, u64, bool)> {
    let pairs = usage.tasks.iter().zip(&usage.told);
    pairs.map(|(task, told)| (task.pid, told.used_ns, task.cpu_time_ns, told.has_ended)).collect()
}

fn passed(usage: &Usage) -> Vec<(u16, u64, u64)> {
    usage.passed.iter().map(|passed| (passed.place, passed.work.time_ns, passed.processes)).collect()
}

#[test]
fn a_slice_that_still_runs_is_counted_once() {
    let mut book = Book::default();
    let usage = close(&mut book, &[piece(Kind::Alive, 5, 1, 0, 100), Piece::open(5, 0, work(30))]);
    assert_eq!(told(&usage), [(5, 130, 130, false)]);
    // The slice goes on.
    let usage = close(&mut book, &[Piece::open(5, 0, work(80))]);
    assert_eq!(told(&usage), [(5, 50, 180, false)]);
    // It is over, and comes in whole.
    let usage = close(&mut book, &[piece(Kind::Alive, 5, 1, 0, 90)]);
    assert_eq!(told(&usage), [(5, 10, 190, false)]);
    let usage = close(&mut book, &[piece(Kind::Ended, 5, 1, 0, 4)]);
    assert_eq!(told(&usage), [(5, 4, 194, true)]);
}

#[test]
fn a_slice_that_ends_its_process_is_counted_once() {
    let mut book = Book::default();
    close(&mut book, &[piece(Kind::Alive, 5, 1, 0, 100), Piece::open(5, 1, work(30))]);
    let usage = close(&mut book, &[piece(Kind::Ended, 5, 1, 1, 45), piece(Kind::Ended, 5, 1, 0, 2)]);
    assert_eq!(told(&usage), [(5, 17, 147, true)]);
    let places: Vec<_> = usage.placed.iter().map(|placed| (placed.place, placed.work.time_ns)).collect();
    assert_eq!(places, [(0, 2), (1, 15)]);
}

#[test]
fn who_came_and_went_unseen_is_told_by_name_and_counted_as_one() {
    let mut book = Book::default();
    let usage = close(&mut book, &[piece(Kind::Ended, 9, 3, 0, 10), piece(Kind::Ended, 9, 3, 1, 20)]);
    assert!(usage.tasks.is_empty() && usage.placed.is_empty());
    assert_eq!(passed(&usage), [(0, 10, 1), (1, 20, 0)]);
}

#[test]
fn a_last_slice_after_the_end_belongs_to_it() {
    let mut book = Book::default();
    close(&mut book, &[piece(Kind::Alive, 5, 1, 0, 100)]);
    let usage = close(&mut book, &[piece(Kind::Ended, 5, 1, 0, 10), piece(Kind::Alive, 5, 1, 0, 3)]);
    assert_eq!(told(&usage), [(5, 13, 113, true)]);
}

#[test]
fn a_number_that_passed_on_is_told_as_two_processes() {
    let mut book = Book::default();
    let first = close(&mut book, &[piece(Kind::Alive, 5, 1, 0, 100)]).tasks[0].tag;
    let usage = close(&mut book, &[piece(Kind::Ended, 5, 1, 0, 10), piece(Kind::Alive, 5, 2, 0, 7)]);
    assert_eq!(told(&usage), [(5, 0, 100, true), (5, 7, 7, false)]);
    assert_eq!(passed(&usage), [(0, 10, 0)]);
    assert!(usage.tasks[0].tag == first && usage.tasks[1].tag != first);
    assert_eq!(usage.placed.len(), 1);
}

#[test]
fn a_number_that_passed_on_untold_is_told_under_another_tag() {
    let mut book = Book::default();
    let first = close(&mut book, &[piece(Kind::Alive, 5, 1, 0, 100)]).tasks[0].tag;
    let usage = close(&mut book, &[piece(Kind::Alive, 5, 2, 0, 7)]);
    assert_eq!(told(&usage), [(5, 7, 7, false)]);
    assert_ne!(usage.tasks[0].tag, first);
}

#[test]
fn those_there_before_us_go_on_from_what_they_had_used() {
    let mut book = Book::default();
    let mut listed = [TaskUsage { pid: 5, tag: 99, cpu_time_ns: 1000 }];
    // It runs while it is listed: what its clock shows of the slice under way is in its total.
    book.begin(&mut listed, &mut vec![piece(Kind::Alive, 5, 1, 0, 400), Piece::open(5, 0, work(30))]);
    let usage = close(&mut book, &[piece(Kind::Alive, 5, 1, 0, 50)]);
    assert_eq!(told(&usage), [(5, 20, 1020, false)]);
    assert_eq!(usage.tasks[0].tag, listed[0].tag);
}

#[test]
fn a_list_finds_who_ended_or_began_untold() {
    let mut book = Book::default();
    close(&mut book, &[piece(Kind::Alive, 5, 1, 0, 100), piece(Kind::Alive, 6, 1, 0, 100)]);
    let listed = [TaskUsage { pid: 6, tag: 0, cpu_time_ns: 100 }, TaskUsage { pid: 8, tag: 0, cpu_time_ns: 77 }];
    let usage = close_with(&mut book, &[piece(Kind::Alive, 6, 1, 0, 1)], Some(&listed), TERMS);
    assert_eq!(told(&usage), [(5, 0, 100, true), (6, 1, 101, false), (8, 0, 77, false)]);
}

#[test]
fn who_is_known_only_for_running_now_is_told_only_if_its_end_will_be() {
    let mut book = Book::default();
    let terms = Terms { runners_are_told: false, ..TERMS };
    let usage = close_with(&mut book, &[Piece::open(5, 0, work(30))], None, terms);
    assert!(usage.tasks.is_empty());
    let usage = close_with(&mut book, &[piece(Kind::Ended, 5, 1, 0, 40)], None, terms);
    assert_eq!(passed(&usage), [(0, 40, 1)]);
    let usage = close(&mut book, &[Piece::open(6, 0, work(30))]);
    assert_eq!(told(&usage), [(6, 30, 30, false)]);
}

#[test]
fn another_program_and_another_cgroup_are_changes() {
    let mut book = Book::default();
    close(&mut book, &[piece(Kind::Alive, 5, 1, 0, 100)]);
    let has_changed = |book: &mut Book, piece: Piece| close(book, &[piece]).told[0].has_changed;
    assert!(!has_changed(&mut book, piece(Kind::Alive, 5, 1, 0, 1)));
    assert!(has_changed(&mut book, Piece { flags: EXECUTED, ..piece(Kind::Alive, 5, 1, 0, 1) }));
    assert!(has_changed(&mut book, Piece { cgroup: 8, ..piece(Kind::Alive, 5, 1, 0, 1) }));
    assert!(!has_changed(&mut book, Piece { cgroup: 8, ..piece(Kind::Alive, 5, 1, 0, 1) }));
    // Running says nothing of the cgroup.
    let usage = close(&mut book, &[Piece::open(5, 0, work(3))]);
    assert_eq!((usage.told[0].has_changed, usage.told[0].cgroup), (false, CgroupId(8)));
}

proptest::proptest! {
    /// However slices are cut by collections, their sum is told, no more and no less.
    #[test]
    fn time_is_neither_lost_nor_counted_twice(
        steps in proptest::collection::vec((0u8..4, 1u64..1000, 0u16..3), 1..60)
    ) {
        let mut book = Book::default();
        let (mut truth, mut sum, mut open) = (0, 0, None::<(u16, u64)>);
        let mut pieces = vec![piece(Kind::Alive, 5, 1, 0, 1)];
        truth += 1;
        for (what, time, place) in steps {
            match (what, open) {
                // A slice begins, goes on, or ends.
                (0, None) => open = Some((place, 0)),
                (0 | 1, Some((place, so_far))) => open = Some((place, so_far + time)),
                (2, Some((place, so_far))) => {
                    pieces.push(piece(Kind::Alive, 5, 1, place, so_far));
                    truth += so_far;
                    open = None;
                }
                (1, None) => {
                    pieces.push(piece(Kind::Alive, 5, 1, place, time));
                    truth += time;
                }
                _ => {
                    pieces.extend(open.map(|(place, so_far)| Piece::open(5, place, work(so_far))));
                    let usage = close(&mut book, &pieces);
                    pieces.clear();
                    sum += usage.told.iter().map(|told| told.used_ns).sum::<u64>();
                    let placed: u64 = usage.placed.iter().map(|placed| placed.work.time_ns).sum();
                    let told: u64 = usage.told.iter().map(|told| told.used_ns).sum();
                    proptest::prop_assert_eq!(placed, told);
                    proptest::prop_assert_eq!(sum, truth + open.map_or(0, |(_, so_far)| so_far));
                }
            }
        }
    }
}
