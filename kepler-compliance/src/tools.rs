//! The eight tools: typed questions about energy, carbon and compliance, and their answers.
//!
//! Each tool is a function `fn(&Context, Request) -> Result<Response, ToolError>` in a file of its own, and its request
//! a [`ToolRequest`] that knows the tool's name and needs. MCP, REST, the command line and Python only expose them
//! ([`registry`]): the doc comments of requests and responses are the descriptions that users of those see.
//!
//! | tool | function |
//! |---|---|
//! | `assess_workload_compliance` | [`assess_workload_compliance`] |
//! | `list_workloads_by_compliance` | [`list_workloads_by_compliance`] |
//! | `get_regional_comparison` | [`get_regional_comparison`] |
//! | `calculate_optimal_schedule` | [`calculate_optimal_schedule`] |
//! | `get_power_hotspots` | [`get_power_hotspots`] |
//! | `get_cluster_carbon_summary` | [`get_cluster_carbon_summary`] |
//! | `compare_optimization_impact` | [`compare_optimization_impact`] |
//! | `analyze_workload_power_trend` | [`analyze_workload_power_trend`] |
//!
//! All share one judgement: the same workload in the same window has one status, whichever tool is
//! asked. Power is the mean over the window of what still runs; energy is that of all that ran in it.
//! What is not known is `null` and makes a judgement `INSUFFICIENT_DATA`; it is never a zero. Figures for
//! a month are projections from the window and labelled so; a month has 730 h.
//!
//! ```
//! use kepler_compliance::intensity::IntensityTable;
//! use kepler_compliance::standards::Standards;
//! use kepler_compliance::tools::{Context, RegionalRequest, Settings, ToolRequest};
//! use kepler_compliance::view::NoView;
//! use kepler_compliance::zones::Zones;
//!
//! let (zones, standards, settings) = (Zones::embedded()?, Standards::embedded()?, Settings::default());
//! let intensity = IntensityTable::from_zones(&zones);
//! let clock = "2026-11-21T00:00:00Z".parse()?;
//! let context = Context::new(&NoView, &standards, &zones, &intensity, &settings, clock);
//! let answer = RegionalRequest::default().answer(&context)?;
//! assert_eq!(answer.regions.first().map(|region| region.rank), Some(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod arguments;
mod assess;
mod chosen;
mod devices;
mod energy;
mod error;
mod figures;
mod find;
mod groups;
mod hotspots;
mod impact;
mod judge;
mod judges;
mod list;
mod optimizations;
mod platform;
mod power_now;
mod price;
mod regions;
pub mod registry;
mod report;
mod request;
mod resolve;
mod schedule;
mod summary;
mod trend;

pub use answer::{Evidence, Judged, MonthlySavings, Optimization, PowerWatts, ProjectedMonthly, Skip, Statuses};
pub use arguments::{InvalidDuration, Length, Scope, WorkloadQualifiers};
pub use assess::{AssessRequest, AssessResponse, Instances, assess_workload_compliance};
pub use devices::{DeviceJoules, DevicePower, DeviceWatts};
pub use energy::{EnergyBy, EnergyGroup, EnergyRequest, EnergyResponse, EnergyStep, get_energy};
pub use error::{ArgumentRemedy, CallError, ToolError};
pub use find::{FindRequest, FindResponse, FoundWorkload, find_workloads};
pub use hotspots::{Hotspot, HotspotsRequest, HotspotsResponse, Remainder, get_power_hotspots};
pub use impact::{ImpactRequest, ImpactResponse, ImpactState, ImpactStep, compare_optimization_impact};
pub use list::{ListRequest, ListResponse, ListedWorkload, StatusCounts, StatusFilter, list_workloads_by_compliance};
pub use platform::PlatformFigures;
pub use power_now::{Consumer, PowerNowRequest, PowerNowResponse, get_power_now};
pub use regions::{MigrationAdvice, RankedRegion, RegionalRequest, RegionalResponse, get_regional_comparison};
pub use report::{
    Amounts, Gap, Report, ReportBy, ReportError, ReportRequest, ReportRow, ReportStep, cost_of_steps, report,
};
pub use request::{ToolRequest, Toolset};
pub use resolve::{Resolved, resolve};
pub use schedule::{ScheduleRequest, ScheduleResponse, ScheduledSlot, ScheduledWindow, calculate_optimal_schedule};
pub use summary::{NamespaceSummary, NodeSummary, SummaryRequest, SummaryResponse, get_cluster_carbon_summary};
pub use trend::{Anomaly, Slope, TrendPoint, TrendRequest, TrendResponse, analyze_workload_power_trend};

pub use crate::advice::{Complexity, OptimizationKind};
pub use crate::context::{Context, Toolbox};
pub use crate::facility::{DEFAULT_REGION, Input, Price, Settings, Site, StatedPue, site};

pub(crate) use figures::Figures;

/// The standard that a PUE is judged by, beside the one asked for.
pub const DEFAULT_PUE_STANDARD: &str = "KR_PUE_GREEN_DC";
