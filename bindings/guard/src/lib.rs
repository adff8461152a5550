//! Which HTTP requests may pass: a `Host` that is ours, no foreign `Origin`, the bearer token; and how much work
//! may be done for them at a time.
//!
//! A browser lets any page send a request to a server on this machine, so a page could use the server in the
//! name of the user who opened it: by its address from another origin, or by a name of its own that it lets point
//! here (DNS rebinding). One [`Policy`] in one [`GuardLayer`] serves REST, MCP and `/metrics`; each answers a
//! [`Rejection`] in its own form. One [`WorkLimit`] is shared by all frontends of the same tools.
//!
//! ```
//! # #[cfg(feature = "http")] {
//! use http::Request;
//! use kepler_guard::{Policy, Rejection, Token};
//!
//! let policy = Policy::new(&["node-1".to_owned()], &[], Token::new("s3cret"));
//! let ask = |host: &str| Request::get("/tools").header("host", host).body(()).unwrap();
//! assert!(matches!(policy.admit(&ask("evil.example")), Err(Rejection::Host(_))));
//! assert_eq!(policy.admit(&ask("node-1:28282")), Err(Rejection::Token));
//! # }
//! ```
//!
//! # Features
//! - `http`: the checks. Without it [`Token`] is here, for clients.
//! - `work`: the limit of work.
#![forbid(unsafe_code)]

#[cfg(feature = "http")]
mod layer;
#[cfg(feature = "http")]
mod log;
#[cfg(feature = "http")]
mod policy;
mod token;
#[cfg(feature = "work")]
mod work;

#[cfg(feature = "http")]
pub use layer::{GuardLayer, Guarded};
#[cfg(feature = "http")]
pub use log::{LogLimit, shortened};
#[cfg(feature = "http")]
pub use policy::{Policy, Rejected, Rejection, SettingNames};
pub use token::Token;
#[cfg(feature = "work")]
pub use work::{WorkError, WorkLimit};
