//! The tools on a cluster whose figures are known.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot set up its cluster fails")]

mod choices;
mod devices;
mod first_questions;
mod fixture;
mod golden;
mod kinds;
mod moment;
mod not_again;
mod properties;
mod regions;
mod series;
mod site;
