//! Kepler's Model Server and its estimator, answered from a directory of power models.
//!
//! Exporters of Kepler 0.7 to 0.9 ask a Model Server for the weights of a power model that suits their node, or an
//! estimator, over a Unix socket, for the power itself. This crate speaks both wire formats, so that those exporters can
//! go on unchanged, and adds one of its own, `POST /predict`.
//!
//! | what | where | answers |
//! |---|---|---|
//! | `POST /model` | [`router`] | the weights of a model (JSON), or the model as a zip; 400 and a text if there is none |
//! | `GET /best-models` | [`router`] | the names of the models that would be chosen |
//! | `POST /predict` | [`router`] | watts, as the estimator |
//! | `POST /train` | `train_router` (feature `train`) | a zip of a pipeline of models, which are served from then on |
//! | a Unix socket | [`serve_socket`] | watts, for one JSON request without framing |
//!
//! What is chosen: of the models whose features the caller has, the one of the most similar machine; then the one with most
//! features; then by trainer. Published errors are not compared with one another, since each was measured on other rows;
//! they only serve the caller's own filter.
//!
//! Models are trusted with nothing, see [`kepler_core::model`]; neither are callers: see [`MAX_REQUEST_BYTES`],
//! [`SocketOptions`].
//!
//! ```
//! use kepler_model_server::{Store, router};
//! use std::sync::Arc;
//!
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! // One directory a pipeline below `directory`, as `kepler-model-db` has them.
//! match Store::open(directory) {
//!     Ok(store) => {
//!         let routes: axum::Router = router(Arc::new(store));
//!         # drop(routes);
//!     }
//!     Err(error) => println!("{error}"),
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
#![forbid(unsafe_code)]

mod choice;
mod estimate;
mod filter;
mod listed;
mod package;
mod request;
mod routes;
mod scanner;
mod socket;
mod store;
#[cfg(feature = "train")]
mod train;

pub use choice::NoChoice;
pub use routes::router;
pub use socket::{SocketError, SocketOptions, serve_socket};
pub use store::{Store, StoreError};
#[cfg(feature = "train")]
pub use train::{MAX_TRAIN_BYTES, TRAIN_BODY_TIMEOUT, train_router};

/// The largest request that is read, 8 MiB: some 100,000 rows of five features.
pub const MAX_REQUEST_BYTES: usize = 8 << 20;
