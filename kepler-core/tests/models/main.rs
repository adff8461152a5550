//! Power models from files: published ones, our own format, hostile ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what tests share fails as tests do, and a skipped one says why"
)]

mod hostile_model_files_are_refused;
mod our_own_format_is_read_and_checked;
mod published_models_predict_as_their_reference;
