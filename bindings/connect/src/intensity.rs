//! Grid carbon intensity from providers: each an [`IntensitySource`].
//!
//! # Requirements
//! | provider | feature | account | zones |
//! |---|---|---|---|
//! | [`ElectricityMaps`] (v3) | `electricity-maps` | a token; forecasts and ranges need a paid plan | its own zone keys, which are ours but for those mapped in it or with [`ElectricityMaps::zone`] |
//! | [`WattTime`] (v3) | `watttime` | user and password; other regions than `CAISO_NORTH` need a subscription | those mapped to a region with [`WattTime::region`] |
//! | [`UkCarbonIntensity`] | `uk-carbon-intensity` | none | `GB` |
//!
//! # Figures
//! | provider | kind | method | boundary | step |
//! |---|---|---|---|---|
//! | Electricity Maps | average | lifecycle, or direct if asked | consumption (flow-traced) | 1 h, or what the plan gives |
//! | WattTime `co2_moer` | marginal | direct | unstated | 5 min |
//! | Carbon Intensity (GB) | average | direct | consumption (imports and losses) | 30 min |
//!
//! All in gCO2e/kWh; WattTime's lb/MWh are converted (× 0.45359237). A `null` is a gap, as is a negative
//! figure. Average and marginal figures do not compare; their provenance keeps them apart.
//!
//! # Limits
//! Answers are kept for [`ProviderOptions::fresh_for`]. One request at a time is made for one question;
//! concurrent requests for the same question wait for that answer. After a fault no request is sent for as long
//! as `Retry-After` says, else 5 s, twice as long after each further fault, 10 min at most. Until then, and
//! whenever it fails, the last good answer serves, up to [`ProviderOptions::keep_last`]; a current figure
//! shows its age. A refusal of one question (400, 403, 404, 422: a zone or a forecast that the plan does not
//! hold) is remembered for that question and stops no other. Nothing sleeps: each request ends within
//! [`ClientOptions::timeout`](crate::http::ClientOptions::timeout).
//!
//! # Cost
//! A fresh answer costs a lock and a look-up. `current` and `forecast` are one request, WattTime's first
//! and then one in 25 minutes adds a login. `history` is one request for each 10 days (Electricity Maps),
//! 30 days (WattTime) or 14 days (GB), at most 40. No threads besides that of the HTTP client.
//!
//! The calls block; from async code use a thread for blocking work.
//!
//! ```
//! # #[cfg(feature = "uk-carbon-intensity")]
//! # fn main() -> Result<(), kepler_compliance::intensity::IntensityError> {
//! use jiff::Timestamp;
//! use kepler_compliance::intensity::IntensitySource;
//! use kepler_connect::intensity::{ProviderOptions, UkCarbonIntensity};
//!
//! let mut options = ProviderOptions::default();
//! # options.base_url = Some("http://127.0.0.1:9".to_owned());
//! let source = UkCarbonIntensity::new(options)?;
//! match source.current("GB", Timestamp::now()) {
//!     Ok(current) => println!("{}, {:?} old", current.figure.value, current.age),
//!     Err(error) => println!("{error}"),
//! }
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "uk-carbon-intensity"))]
//! # fn main() {}
//! ```

mod answers;
#[cfg(feature = "electricity-maps")]
mod electricity_maps;
mod points;
mod provider;
#[cfg(feature = "uk-carbon-intensity")]
mod uk;
#[cfg(feature = "watttime")]
mod watttime;

#[cfg(feature = "electricity-maps")]
pub use electricity_maps::ElectricityMaps;
#[cfg(feature = "uk-carbon-intensity")]
pub use uk::UkCarbonIntensity;
#[cfg(feature = "watttime")]
pub use watttime::WattTime;

#[cfg(doc)]
use kepler_compliance::intensity::IntensitySource;

use crate::http::ClientOptions;
use std::time::Duration;

/// How a provider is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProviderOptions {
    /// Where, if not at the provider's public address: a proxy, a stand-in.
    pub base_url: Option<String>,
    /// How long an answer is taken as new; 5 min. Providers publish every 5 to 60 min.
    pub fresh_for: Duration,
    /// How long an old answer serves while the provider fails; 24 h.
    pub keep_last: Duration,
    /// How long after its end a figure may still stand for now; 2 h. Providers publish with up to an hour's delay.
    pub valid_for: Duration,
    /// Time-outs and trust.
    pub http: ClientOptions,
}

impl Default for ProviderOptions {
    fn default() -> Self {
        ProviderOptions {
            base_url: None,
            fresh_for: Duration::from_secs(300),
            keep_last: Duration::from_secs(86_400),
            valid_for: Duration::from_secs(2 * 3600),
            // A day of 5-minute points is 30 kB.
            http: ClientOptions { max_body_bytes: 8 << 20, ..ClientOptions::default() },
        }
    }
}
