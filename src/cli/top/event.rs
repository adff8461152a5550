//! What the program reacts to.

use super::model::frame::Frame;
use super::model::item::Row;
use super::model::past::{Interval, Moment};
use super::model::rates::{Rates, Today};
use crossterm::event::KeyEvent;
use jiff::Timestamp;

/// Something happened.
#[derive(Debug)]
pub(crate) enum Event {
    Key(KeyEvent),
    Resize,
    /// Figures of a new moment.
    Frame(Box<Frame>),
    /// The source gives no figures, and why.
    Problem(String),
    Rates(Rates),
    Today(Today),
    /// What the source remembers of the time before.
    History(Vec<Moment>),
    /// The workloads of a time that has passed, as far as the source remembers them.
    Past(Interval, Option<Vec<Row>>),
    /// Power of one workload over time, which the source remembers.
    Series(u64, Vec<(Timestamp, f64)>),
    /// Asked to stop for a while, as by Ctrl-Z.
    Suspend,
    /// Asked to end.
    End,
    /// A thread has panicked; the message is on the terminal.
    Fault,
}
