//! What electricity emits and costs where a node stands, as metrics tell it.

use std::fmt;
use std::sync::Arc;

/// A figure with where it comes from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FacilityFigure {
    /// The figure.
    pub value: f64,
    /// How it came about: `measured`, `published`, `assumed`, …
    pub method: String,
    /// From where.
    pub source: String,
}

impl FacilityFigure {
    /// A figure, how it came about, and from where.
    pub fn new(value: f64, method: impl Into<String>, source: impl Into<String>) -> Self {
        FacilityFigure { value, method: method.into(), source: source.into() }
    }
}

/// What is known of a facility; what is not is no series.
///
/// ```
/// use kepler_http::{FacilityFigure, FacilityFigures};
///
/// let mut figures = FacilityFigures::default();
/// figures.zone = "SE".to_owned();
/// figures.pue = Some(FacilityFigure::new(1.2, "measured", "meter of the hall"));
/// assert_eq!(figures.price, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct FacilityFigures {
    /// The grid's zone.
    pub zone: String,
    /// Emissions of the grid, gCO2e/kWh.
    pub grid_intensity: Option<FacilityFigure>,
    /// Power usage effectiveness.
    pub pue: Option<FacilityFigure>,
    /// What a kilowatt-hour costs now, and the currency (ISO 4217).
    pub price: Option<(f64, String)>,
}

/// Tells the figures of now. It is asked once an exposition, and must not block.
#[derive(Clone)]
pub struct FacilitySource(Arc<dyn Fn() -> FacilityFigures + Send + Sync>);

impl FacilitySource {
    /// Figures from a function.
    pub fn new(figures: impl Fn() -> FacilityFigures + Send + Sync + 'static) -> Self {
        FacilitySource(Arc::new(figures))
    }

    pub(crate) fn figures(&self) -> FacilityFigures {
        (self.0)()
    }
}

impl fmt::Debug for FacilitySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FacilitySource").finish_non_exhaustive()
    }
}
