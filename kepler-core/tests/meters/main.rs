//! Meters on trees and registers laid out as real kernels lay them out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what tests share fails as tests do, and a skipped one says why"
)]

mod msr;
mod powercap;
mod replay;
