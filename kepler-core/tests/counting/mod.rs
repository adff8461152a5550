//! The system's allocator, counting what each thread allocates, for the tests beside this folder.
#![allow(dead_code, reason = "each test uses part of it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    // Of this thread only: the test harness allocates on others.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    // What is freed here may come from elsewhere, so it can be less than nothing.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system allocator unchanged. The counters are constant-initialised
// thread-locals without a destructor, so that counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        let live = LIVE.get().saturating_add_unsigned(layout.size());
        LIVE.set(live);
        MOST.set(MOST.get().max(live));
        // SAFETY: the caller's promises are those that the system allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get().saturating_sub_unsigned(layout.size()));
        // SAFETY: `pointer` came from `alloc` above, that is, from the system allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this thread has allocated so far.
pub(crate) fn allocations() -> usize {
    ALLOCATIONS.get()
}

/// How often some work allocates, and how many bytes more are allocated at a time than before it.
pub(crate) fn cost(work: impl FnOnce()) -> (usize, usize) {
    let (count, live) = (ALLOCATIONS.get(), LIVE.get());
    MOST.set(live);
    work();
    (ALLOCATIONS.get() - count, MOST.get().saturating_sub(live).unsigned_abs())
}
