//! The facility: where work runs, what its electricity emits and costs.

use super::data::{data, json};
use crate::errors::{ConfigurationError, tool_error};
use jiff::Timestamp;
use kepler_compliance::carbon::{effective_intensity, emissions};
use kepler_compliance::intensity::{AccountingMethod, HIGHEST_INTENSITY};
use kepler_compliance::standards::{Basis, SiteFacts};
use kepler_compliance::tariff::EnergyPrice;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{Price, Settings, Site, StatedPue, Toolbox, site};
use kepler_compliance::units::{CarbonIntensity, Energy, Pue};
use kepler_compliance::view::NoView;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use std::env;
use std::sync::Arc;

/// Where work runs, what its electricity emits and what it costs.
///
/// What is not stated comes from published data, with its source; what is not published is ``None``.
/// Without a region ``ap-northeast-2`` is assumed, and :attr:`caveats` says so.
///
/// :param region: an AWS, GCP or Azure region, a country (ISO 3166), a grid zone or a city.
/// :param pue: power usage effectiveness of the site, 1 or more (ISO/IEC 30134-2).
/// :param pue_basis: how that PUE was found: ``measured``, ``published``, ``estimated`` or ``assumed``.
/// :param grid_intensity: what the electricity emits, gCO2e/kWh; instead of the region's.
/// :param price: what a kilowatt-hour costs.
/// :param currency: of the price, ISO 4217.
/// :param intensity_method: use only published intensities of this method: ``direct`` or ``lifecycle``. Without it
///     the one that suits the region is taken: lifecycle for countries, direct for cloud regions, grid zones and
///     countries with an official factor.
/// :param facts: what rules need to know of the site, by name: ``{"connection_kw": 450, "operation_start": "2026-09-01",
///     "cool_climate": True, "fulfilled": ["KR_ETS_SITE"]}``. A verdict names the facts that it lacks.
/// :raises UnknownRegionError: no region has that name.
/// :raises ConfigurationError: a fact that no rule asks for or that cannot be; a PUE below 1, a negative intensity or price.
#[pyclass(frozen, eq, module = "kepler_power")]
#[derive(PartialEq)]
pub(crate) struct Facility {
    settings: Settings,
    currency: String,
    site: Site,
}

impl Facility {
    fn of(settings: Settings, currency: String) -> PyResult<Self> {
        let data = data()?;
        let (standards, zones) = (data.standards.clone(), data.zones.clone());
        let mut toolbox = Toolbox::new(Arc::new(NoView), standards, zones, data.table.clone());
        toolbox.settings = settings;
        let site =
            site(&toolbox.context(Timestamp::now()), None, Lang::En).map_err(|error| tool_error(error.into()))?;
        Ok(Facility { settings: toolbox.settings, currency, site })
    }

    /// The settings that the tools use.
    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Emissions of IT energy: with the site's PUE, or without one where none is known; none where the
    /// grid's intensity is not known.
    fn emissions(&self, energy: Energy) -> Option<f64> {
        Some(emissions(energy, self.site.ratio().unwrap_or(Pue::ONE), self.site.grid()?).grams())
    }

    fn price(&self) -> Option<f64> {
        self.settings.price.as_ref().map(|price| price.per_kwh.value())
    }
}

/// What is stated of a facility, as its constructor and the environment state it.
struct Stated<'a> {
    region: Option<String>,
    pue: Option<f64>,
    pue_basis: &'a str,
    grid_intensity: Option<f64>,
    price: Option<f64>,
    currency: &'a str,
    intensity_method: Option<&'a str>,
    facts: SiteFacts,
}

/// Beyond what a kilowatt-hour costs in any currency.
const HIGHEST_PRICE: f64 = 1e9;

impl Stated<'_> {
    /// Checks each value, and looks up what is not stated.
    fn facility(self) -> PyResult<Facility> {
        let basis = basis(self.pue_basis)?;
        let wrong = |message: String, remedy: &str| ConfigurationError::new_err((message, remedy.to_owned()));
        let up_to = |what: &str, highest: f64, value: f64| {
            let sound = (0.0..=highest).contains(&value);
            sound
                .then_some(value)
                .ok_or_else(|| wrong(format!("{what} of {value:e}"), &format!("give a figure from 0 to {highest}")))
        };
        let pue = self.pue.map(|ratio| {
            let value = Pue::new(ratio).map_err(|error| wrong(error.to_string(), ""));
            value.map(|value| StatedPue::new(value, basis))
        });
        let grid_intensity = self.grid_intensity.map(|grams| up_to("a grid intensity", HIGHEST_INTENSITY, grams));
        let price = self.price.map(|price| up_to("a price", HIGHEST_PRICE, price));
        let currency = self.currency.trim().to_uppercase();
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(wrong(format!("`{currency}` is not a currency"), "write it as KRW or EUR (ISO 4217)"));
        }
        let price = price.transpose()?.map(|price| Price::new(EnergyPrice::per_kilowatt_hour(price), currency.clone()));
        let mut settings = Settings::default();
        settings.region = self.region.filter(|region| !region.trim().is_empty());
        settings.pue = pue.transpose()?;
        settings.grid_intensity = grid_intensity.transpose()?.map(CarbonIntensity::from_grams_per_kilowatt_hour);
        settings.intensity_method = self.intensity_method.map(method).transpose()?;
        settings.price = price;
        settings.facts = self.facts;
        Facility::of(settings, currency)
    }
}

#[pymethods]
impl Facility {
    #[new]
    #[pyo3(signature = (region=None, *, pue=None, pue_basis="assumed", grid_intensity=None, price=None, currency="KRW", intensity_method=None, facts=None))]
    #[allow(clippy::too_many_arguments, reason = "one for each thing a facility can state; Python names them")]
    fn new(
        region: Option<String>,
        pue: Option<f64>,
        pue_basis: &str,
        grid_intensity: Option<f64>,
        price: Option<f64>,
        currency: &str,
        intensity_method: Option<&str>,
        facts: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let facts = facts.map(site_facts).transpose()?.unwrap_or_default();
        Stated { region, pue, pue_basis, grid_intensity, price, currency, intensity_method, facts }.facility()
    }

    /// The facility that the environment states: ``KEPLER_REGION``, ``KEPLER_PUE``, ``KEPLER_PUE_BASIS``,
    /// ``KEPLER_GRID_INTENSITY`` (gCO2e/kWh), ``KEPLER_PRICE`` (per kWh), ``KEPLER_CURRENCY`` and ``KEPLER_FACT``
    /// (``connection_kw=450,cool_climate=yes``), as for ``kepler serve``.
    #[staticmethod]
    pub(super) fn from_environment() -> PyResult<Self> {
        let text = |name: &str| env::var(name).ok().filter(|text| !text.trim().is_empty());
        let number = |name: &str| {
            let parse = |text: String| {
                text.trim().parse::<f64>().map_err(|_| {
                    let message = format!("environment variable {name} = `{text}` is not a number");
                    ConfigurationError::new_err((message, "write it as 1.2, or unset it"))
                })
            };
            text(name).map(parse).transpose()
        };
        let basis = text("KEPLER_PUE_BASIS");
        let currency = text("KEPLER_CURRENCY");
        let mut facts = SiteFacts::default();
        for stated in text("KEPLER_FACT").iter().flat_map(|text| text.split(',')).filter(|part| !part.trim().is_empty())
        {
            let wrong = |message: String| ConfigurationError::new_err((message, "write it as connection_kw=450"));
            let (name, value) = stated
                .split_once('=')
                .ok_or_else(|| wrong(format!("environment variable KEPLER_FACT: `{stated}` is not NAME=VALUE")))?;
            facts.state(name, value).map_err(|error| wrong(format!("environment variable KEPLER_FACT: {error}")))?;
        }
        Stated {
            region: text("KEPLER_REGION"),
            pue: number("KEPLER_PUE")?,
            pue_basis: basis.as_deref().unwrap_or("assumed"),
            grid_intensity: number("KEPLER_GRID_INTENSITY")?,
            price: number("KEPLER_PRICE")?,
            currency: currency.as_deref().unwrap_or("KRW"),
            intensity_method: text("KEPLER_INTENSITY_METHOD").as_deref(),
            facts,
        }
        .facility()
    }

    /// The region, as it was named; ``ap-northeast-2`` where none was.
    #[getter]
    fn region(&self) -> &str {
        &self.site.region
    }

    /// Whether its emissions rest on what was stated: a region or a grid intensity, not on the default region.
    #[getter]
    const fn is_stated(&self) -> bool {
        self.is_region_stated() || self.is_grid_intensity_stated()
    }

    /// Whether the region was stated, and is not merely assumed.
    #[getter]
    const fn is_region_stated(&self) -> bool {
        self.settings.region.is_some()
    }

    /// Whether the grid intensity was stated, and is not the published one of the region.
    #[getter]
    const fn is_grid_intensity_stated(&self) -> bool {
        self.settings.grid_intensity.is_some()
    }

    /// Its grid zone: ``KR``, ``US-MIDA-PJM``.
    #[getter]
    fn zone(&self) -> &str {
        &self.site.zone
    }

    /// The zone's name.
    #[getter]
    fn zone_name(&self) -> &str {
        &self.site.zone_name
    }

    /// Its country, ISO 3166-1 alpha-2.
    #[getter]
    fn country(&self) -> &str {
        &self.site.country
    }

    /// IANA time zone; ``None`` where the zone has several.
    #[getter]
    fn time_zone(&self) -> Option<&str> {
        self.site.time_zone.as_deref()
    }

    /// What the electricity emits, gCO2e/kWh; ``None`` where it is not known.
    #[getter]
    fn grid_intensity(&self) -> Option<f64> {
        self.site.grid_intensity.as_ref().map(|grid| grid.value)
    }

    /// Who says so.
    #[getter]
    fn grid_source(&self) -> Option<&str> {
        self.site.grid_intensity.as_ref().map(|grid| grid.source.as_str())
    }

    /// The year it is for, where it is a year's.
    #[getter]
    fn grid_year(&self) -> Option<i16> {
        self.site.grid_intensity.as_ref().and_then(|grid| grid.year)
    }

    /// By what method the grid intensity was made: ``direct`` (at the stack) or ``lifecycle``; figures of
    /// different methods do not compare. ``None`` where no intensity is known, or its method is not stated.
    #[getter]
    fn grid_method(&self) -> Option<&'static str> {
        self.site.grid_intensity.as_ref()?.method.map(method_name)
    }

    /// Power usage effectiveness; ``None`` where it is not known.
    #[getter]
    fn pue(&self) -> Option<f64> {
        self.site.pue.as_ref().map(|pue| pue.value)
    }

    /// Who says so.
    #[getter]
    fn pue_source(&self) -> Option<&str> {
        self.site.pue.as_ref().map(|pue| pue.source.as_str())
    }

    /// How it was found: ``measured``, ``published``, ``estimated`` or ``assumed``. What is published for a
    /// region that is merely assumed is assumed.
    #[getter]
    fn pue_basis(&self) -> Option<&'static str> {
        let is_of_assumed_region = self.settings.pue.is_none() && !self.is_region_stated();
        let name = |basis| if is_of_assumed_region { basis_name(Basis::Assumed) } else { basis_name(basis) };
        self.site.pue.as_ref().map(|pue| name(pue.basis))
    }

    /// Grid intensity times PUE: gCO2e per kWh of IT energy; ``None`` where one of them is not known.
    #[getter]
    fn effective_intensity(&self) -> Option<f64> {
        Some(effective_intensity(self.site.grid()?, self.site.ratio()?).grams_per_kilowatt_hour())
    }

    /// What a kilowatt-hour costs, where stated.
    #[getter(price)]
    fn price_per_kwh(&self) -> Option<f64> {
        self.price()
    }

    /// Currency of the price, ISO 4217.
    #[getter]
    fn currency(&self) -> &str {
        &self.currency
    }

    /// What is stated of the site for rules to look at, by name.
    #[getter]
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import("json")?.call_method1("loads", (json(&self.settings.facts)?,))
    }

    /// What weakens these figures, in sentences.
    #[getter]
    fn caveats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.site.caveats)
    }

    /// Emissions of IT energy at this facility, grams of CO2e.
    ///
    /// The site's PUE is included; where none is known these are the emissions of the IT energy alone.
    ///
    /// :param energy_joules: IT energy, joules, 0 or more.
    /// :returns: grams, or ``None`` where the grid's intensity is not known.
    fn co2e_grams(&self, energy_joules: f64) -> Option<f64> {
        self.emissions(Energy::from_joules(energy_joules))
    }

    /// As plain data.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let dict = py.import("json")?.call_method1("loads", (json(&self.site)?,))?;
        dict.set_item("price", self.price())?;
        dict.set_item("currency", &self.currency)?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        let or_unknown =
            |figure: Option<f64>, unit: &str| figure.map_or_else(|| "unknown".to_owned(), |x| format!("{x}{unit}"));
        format!(
            "<Facility {}{} ({}): grid {}, PUE {}>",
            self.site.region,
            if self.is_region_stated() { "" } else { " (assumed)" },
            self.site.zone_name,
            or_unknown(self.grid_intensity(), " gCO2e/kWh"),
            or_unknown(self.pue(), ""),
        )
    }

    /// For pickle: what was stated, not what was found.
    fn __getnewargs_ex__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let stated = PyDict::new(py);
        if let Some(pue) = self.settings.pue {
            stated.set_item("pue", pue.value.ratio())?;
            stated.set_item("pue_basis", basis_name(pue.basis))?;
        }
        stated
            .set_item("grid_intensity", self.settings.grid_intensity.map(CarbonIntensity::grams_per_kilowatt_hour))?;
        stated.set_item("price", self.price())?;
        stated.set_item("currency", &self.currency)?;
        if !self.settings.facts.is_empty() {
            stated.set_item("facts", self.facts(py)?)?;
        }
        stated.set_item("intensity_method", self.settings.intensity_method.map(method_name))?;
        Ok((PyTuple::new(py, [self.settings.region.as_deref()])?, stated))
    }
}

/// Facts as Python states them: dates and figures of any type as they print.
fn site_facts(facts: &Bound<'_, PyDict>) -> PyResult<SiteFacts> {
    let wrong = |message: String| ConfigurationError::new_err((message, "see kepler_power.Facility for their names"));
    let options = PyDict::new(facts.py());
    options.set_item("default", facts.py().get_type::<PyString>())?;
    let text: String = facts.py().import("json")?.call_method("dumps", (facts,), Some(&options))?.extract()?;
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

const fn basis_name(basis: Basis) -> &'static str {
    match basis {
        Basis::Measured => "measured",
        Basis::Published => "published",
        Basis::Estimated => "estimated",
        Basis::Assumed => "assumed",
        Basis::Partial => "partial",
    }
}

const fn method_name(method: AccountingMethod) -> &'static str {
    match method {
        AccountingMethod::Direct => "direct",
        AccountingMethod::Lifecycle => "lifecycle",
    }
}

pub(super) fn method(name: &str) -> PyResult<AccountingMethod> {
    match name {
        "direct" => Ok(AccountingMethod::Direct),
        "lifecycle" => Ok(AccountingMethod::Lifecycle),
        _ => Err(ConfigurationError::new_err((
            format!("`{name}` is no method of intensities"),
            "give direct or lifecycle",
        ))),
    }
}

fn basis(name: &str) -> PyResult<Basis> {
    let all = [Basis::Measured, Basis::Published, Basis::Estimated, Basis::Assumed];
    all.into_iter().find(|&basis| basis_name(basis) == name).ok_or_else(|| {
        let message = format!("there is no basis of a PUE `{name}`");
        ConfigurationError::new_err((message, "give measured, published, estimated or assumed"))
    })
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Facility>()
}
