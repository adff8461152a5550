//! What is shown: figures of one moment, those before it, and what they are reckoned with.

pub(super) mod arrange;
pub(super) mod device;
pub(super) mod frame;
pub(super) mod item;
pub(super) mod past;
pub(super) mod rates;
mod trust;
pub(super) mod whole;
