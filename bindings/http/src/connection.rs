//! Connections under load: their number, their memory, and which one is closed when there are too many.
//!
//! A client may open connections and send nothing, send headers or a body one byte at a time, or take an
//! answer one byte at a time. Everything it can hold has a limit in time, a limit in number or bytes over all
//! connections, and a way for newcomers past it:
//! - [`slots`]: places for connections. Who waits for its client the longest gives way to a newcomer.
//! - [`shares`]: requests under way. Probes and scrapes have shares that nothing else can take.
//! - [`body`]: bodies of requests. Each has a time limit, and all together a limit in bytes.
//! - [`stream`]: answers. What is buffered must be taken in time, and so must an answer as a whole.

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod descriptors;
pub(crate) mod shares;
pub(crate) mod slots;
pub(crate) mod stream;
