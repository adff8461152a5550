//! Predicting one vector allocates nothing, whatever the model's form.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its fixture fails")]

use kepler_core::model::Model;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

/// The system's allocator, counting the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches a thread-local without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn one_vector_is_predicted_without_allocating() {
    let group =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/rack-0.7.11/rapl-sysfs/AbsPower/BPFOnly");
    for name in ["SGDRegressorTrainer_0.json", "LogarithmicRegressionTrainer_0.json", "XgboostFitTrainer_0"] {
        let model = Model::load(group.join(name)).unwrap();
        let before = ALLOCATIONS.with(Cell::get);
        for step in 0..100 {
            let prediction = model.predict(&[f64::from(step) * 80.0, 50.0]).unwrap();
            assert_eq!(prediction.clipped(), 0);
        }
        assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0, "{name}");
    }
}
