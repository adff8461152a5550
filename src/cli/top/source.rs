//! Where figures come from: a running `kepler serve`, or a measurement here.

mod answers;
pub(super) mod local;
mod past;
pub(super) mod remote;
mod whole;

use super::model::arrange::Sort;
use super::model::past::Interval;
use kepler_core::workload::WorkloadKind;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// What the view would have from the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) sort: Sort,
    pub(super) filter: String,
    /// Every workload, to count energy from here on.
    pub(super) full: bool,
    /// How many workloads of a kind are looked at.
    pub(super) rows: usize,
    /// The workloads of this time that has passed.
    pub(super) past: Option<Interval>,
    /// Power over time of this one.
    pub(super) series: Option<Subject>,
}

/// A workload as the history knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) id: u64,
    pub(super) kind: WorkloadKind,
    pub(super) name: String,
    pub(super) namespace: String,
}

/// A request that changes, and a thread that waits for that.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish(Arc<(Mutex<Wanted>, Condvar)>);

impl Wish {
    pub(super) fn get(&self) -> Wanted {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, wanted: Wanted) {
        let mut held = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *held != wanted {
            *held = wanted;
            self.0.1.notify_all();
        }
    }

    /// Waits so long, or until the wish is another one than `known`.
    fn wait(&self, known: &Wanted, time: Duration) {
        let held = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *held == *known {
            let _woken = self.0.1.wait_timeout(held, time);
        }
    }
}
