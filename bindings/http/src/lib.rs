//! HTTP frontend.
