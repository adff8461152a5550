//! The instance type of this machine, from its cloud's metadata service.
//!
//! | requires | a virtual machine in AWS, Google Cloud or Azure; its service at a link-local address, without a proxy |
//! |---|---|
//! | limits | the whole of it ends within the time given, [`PATIENCE`] usually; an answer has 4 KiB at most |
//! | cost | one request, in AWS two (version 2 of its service: a token first), asked once |
//!
//! Only the type is asked for: no credentials, no user data. Nothing is sent but what the services require.
//!
//! ```no_run
//! use kepler_connect::instance::{METADATA_SERVICE, PATIENCE, instance_type};
//! use kepler_core::host::Host;
//! use kepler_core::meter::estimate::Cloud;
//!
//! if let Some(cloud) = Cloud::of(&Host::default()) {
//!     println!("{}", instance_type(cloud, METADATA_SERVICE, PATIENCE)?);
//! }
//! # Ok::<(), kepler_connect::instance::InstanceError>(())
//! ```

use crate::http::{ClientOptions, Http, HttpError};
use kepler_core::meter::estimate::{Cloud, InstanceType};
use reqwest::{Method, Url};
use std::time::{Duration, Instant};

/// The address of all three services.
pub const METADATA_SERVICE: &str = "http://169.254.169.254";
/// A service on this machine's own host answers in milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// A type or a token is far shorter.
const LONGEST: u64 = 4096;

/// Why the type is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstanceError {
    /// No answer, or one that says no.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// An answer that is no type's name; it may be another service's.
    #[error("the metadata service at {url} answers, but not with the name of an instance type")]
    Foreign {
        /// Where.
        url: String,
    },
}

/// Asks the metadata service of a cloud.
///
/// # Errors
/// When nothing that is a type's name comes within `patience`.
pub fn instance_type(cloud: Cloud, service: &str, patience: Duration) -> Result<InstanceType, InstanceError> {
    let base = crate::http::base_url(service)?;
    let url = |path: &str| base.join(path).map_err(|error| HttpError::Address { reason: error.to_string() });
    let end = Instant::now() + patience;
    let ask = |method: Method, url: &Url, header: (&str, &str)| {
        let timeout = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let limits =
            ClientOptions { timeout, connect_timeout: timeout, max_body_bytes: LONGEST, ..ClientOptions::default() };
        let (body, headers) = Http::direct(limits, false)?.ask(method, url, header)?;
        Ok::<_, HttpError>((String::from_utf8_lossy(&body).trim().to_owned(), headers))
    };
    let (url, name) = match cloud {
        Cloud::Aws => {
            let (token, _) =
                ask(Method::PUT, &url("latest/api/token")?, ("x-aws-ec2-metadata-token-ttl-seconds", "60"))?;
            let url = url("latest/meta-data/instance-type")?;
            let (name, _) = ask(Method::GET, &url, ("x-aws-ec2-metadata-token", &token))?;
            (url, name)
        }
        Cloud::Gcp => {
            let url = url("computeMetadata/v1/instance/machine-type")?;
            let (name, headers) = ask(Method::GET, &url, ("metadata-flavor", "Google"))?;
            // The service says so of itself, so that no other is taken for it.
            let is_google = headers.get("metadata-flavor").is_some_and(|flavor| flavor == "Google");
            (url, if is_google { name } else { String::new() })
        }
        Cloud::Azure => {
            let url = url("metadata/instance/compute/vmSize?api-version=2021-02-01&format=text")?;
            let (name, _) = ask(Method::GET, &url, ("metadata", "true"))?;
            (url, name)
        }
        _ => return Err(InstanceError::Foreign { url: crate::http::shown(&base) }),
    };
    InstanceType::new(cloud, &name).ok_or_else(|| InstanceError::Foreign { url: crate::http::shown(&url) })
}
