//! Power models from files: published ones, our own format, hostile ones.

mod hostile_model_files_are_refused;
mod our_own_format_is_read_and_checked;
mod published_models_predict_as_their_reference;
