//! Which HTTP requests may pass: a `Host` that is ours, no foreign `Origin`, the bearer token.
//!
//! A browser lets any page send a request to a server on this machine, so a page could use the server in the
//! name of whoever opened it: by its address from another origin, or by a name of its own that it lets point
//! here (DNS rebinding). One policy for REST and MCP; each answers a [`Refusal`] in its own form.
#![forbid(unsafe_code)]

#[cfg(feature = "http")]
mod policy;
mod token;

#[cfg(feature = "http")]
pub use policy::{Policy, Refusal};
pub use token::Token;
