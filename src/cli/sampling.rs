//! From the configuration to a sampler.

#[cfg(feature = "model-server")]
mod configured;

use super::accelerators::Accelerators;
use super::config::{Config, Manner, Meter};
use super::corrections;
use super::exit::Failure;
use super::kubernetes::Pods;
use super::platform::Platform;
use kepler_connect::instance::{METADATA_SERVICE, PATIENCE, instance_type};
use kepler_core::calibration::Calibration;
use kepler_core::calibration::file::{self, CalibrationFileError};
use kepler_core::device::DeviceOptions;
use kepler_core::device::fake::FakeDevices;
use kepler_core::directory::Directory;
use kepler_core::meter::chain::{ChainOptions, Source};
use kepler_core::meter::estimate::{Cloud, InstanceType};
use kepler_core::meter::host::{HostFigures, HostRoute};
use kepler_core::sampler::{Sampler, SamplerError, SamplerOptions};
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// As many artificial accelerators are made as show what several look like.
const FAKE_GPUS: u32 = 2;

/// What the network and slow meters know of this machine, kept up to date as long as this lives.
#[derive(Default)]
pub(super) struct Known {
    pods: Option<Pods>,
    accelerators: Option<Accelerators>,
    platform: Option<Platform>,
}

impl Known {
    /// Begins to ask those who are configured.
    pub(super) fn start(config: &Config) -> Self {
        let platform = config.platform.is_any().then(|| Platform::start(config));
        Known { pods: Pods::start(config), accelerators: Accelerators::start(config), platform }
    }

    /// Begins to ask only those meters that stand for a zone.
    pub(super) fn start_zones(config: &Config) -> Self {
        Known { platform: Platform::start_zones(config), ..Known::default() }
    }

    /// What these meters of the whole machine show, and nothing else.
    pub(super) fn of_platform(platform: Platform) -> Self {
        Known { platform: Some(platform), ..Known::default() }
    }

    /// The meters of the whole machine, if there are any.
    pub(super) const fn platform(&self) -> Option<&Platform> {
        self.platform.as_ref()
    }

    /// Names of pods, if Kubernetes is asked.
    pub(super) fn pods(&self) -> Option<Directory> {
        self.pods.as_ref().map(|pods| pods.directory.clone())
    }
}

/// The sampler that is configured.
///
/// # Errors
/// When the meter asked for cannot be used, or the host cannot be read.
pub(super) fn open(config: &Config) -> Result<Sampler, Failure> {
    open_named(config, &Known::default())
}

/// The same, with what the network knows.
///
/// # Errors
/// As for [`open`].
pub(super) fn open_named(config: &Config, known: &Known) -> Result<Sampler, Failure> {
    open_with(config, chain(config, known.platform()), known)
}

/// The same, with nothing of what was learned of this machine before.
///
/// # Errors
/// As for [`open`].
pub(super) fn open_uncalibrated(config: &Config, known: &Known) -> Result<Sampler, Failure> {
    open_with(config, uncalibrated(config, known.platform()), known)
}

fn open_with(config: &Config, chain: ChainOptions, known: &Known) -> Result<Sampler, Failure> {
    let options = SamplerOptions::default().with(|options| {
        options.chain = chain;
        options.policy = config.policy;
        options.weights = config.weights;
        options.retention.keep = config.keep_terminated;
        options.retention.max = config.max_terminated;
        options.retention.min_energy = config.min_terminated_energy;
        options.usage = config.usage;
        // Go Kepler shows what the link says.
        options.deleted_mark = config.manner == Manner::Kepler;
        options.directory = known.pods();
        options.platform = known.platform().map(|platform| platform.board.clone());
        options.kept_correction = options.platform.as_ref().and_then(|_| corrections::read(config));
        options.platform_attribution = config.platform.attribute;
        options.devices = devices(config);
        options.devices.directory = known.accelerators.as_ref().map(|known| known.directory.clone());
    });
    let sampler = Sampler::new(&config.host(), options).map_err(|error| match error {
        SamplerError::Meter(unavailable) => Failure::Meter(unavailable),
        SamplerError::Usage { unavailable } => Failure::Usage(unavailable),
        other => Failure::Host(other),
    })?;
    if !config.fake_gpus {
        return Ok(sampler);
    }
    Ok(sampler.with_devices(vec![Box::new(FakeDevices::new(FAKE_GPUS, config.fake_gpu_users.clone()))]))
}

/// Which accelerators are read, and how.
pub(super) fn devices(config: &Config) -> DeviceOptions {
    DeviceOptions::default().with(|options| {
        options.enabled = config.gpus;
        options.idle_power = config.gpu_idle_power;
        options.nvml_library.clone_from(&config.nvml_library);
    })
}

/// Which meters are configured, and what was learned of this machine.
pub(super) fn chain(config: &Config, platform: Option<&Platform>) -> ChainOptions {
    uncalibrated(config, platform).with(|options| options.calibration = calibration(config))
}

/// What was learned of this machine, if anything was. What cannot be used is said and left alone: measuring goes on without.
fn calibration(config: &Config) -> Option<Arc<Calibration>> {
    let refused = |path: &Path, error: CalibrationFileError| {
        tracing::warn!("the calibration in {} is not used: {error}", path.display());
    };
    let (calibration, path) = file::find(&config.host(), config.calibration.as_deref(), refused)?;
    tracing::info!("{} ({})", calibration.describe(), path.display());
    Some(Arc::new(calibration))
}

fn uncalibrated(config: &Config, platform: Option<&Platform>) -> ChainOptions {
    ChainOptions::default().with(|options| {
        options.sources = with_outside(with_host(with_model(sources(config), config), config), platform);
        options.zones.clone_from(&config.zones);
        options.hwmon.zones.clone_from(&config.hwmon_zones);
        options.hwmon.chip_rules.clone_from(&config.hwmon_chip_rules);
        options.instance = instance(config);
    })
}

/// What this machine's cloud says that it is, where that was asked for and the firmware does not say it.
fn instance(config: &Config) -> Option<InstanceType> {
    let host = config.host();
    let cloud = Cloud::of(&host).filter(|_| config.passthrough.metadata && InstanceType::of(&host).is_none())?;
    // The client is blocking, and must not be made where tasks run.
    let ask = move || instance_type(cloud, METADATA_SERVICE, PATIENCE);
    match thread::spawn(ask).join() {
        Ok(Ok(instance)) => {
            tracing::info!("this machine is of the type {instance}");
            Some(instance)
        }
        Ok(Err(error)) => {
            tracing::warn!("the instance type of this machine is not known: {error}");
            None
        }
        Err(_) => None,
    }
}

/// A meter outside stands before all others for its zone, where no other one is forced.
fn with_outside(sources: Vec<Source>, platform: Option<&Platform>) -> Vec<Source> {
    let zones = platform.map(|platform| platform.zones.as_slice()).unwrap_or_default();
    if let [only] = sources.as_slice()
        && let Some(zone) = zones.first()
    {
        let (kind, name) = (zone.kind(), only.name());
        tracing::warn!(
            "no meter outside stands for the zone {kind}: `{name}` alone is asked for; leave that to `auto`"
        );
        return sources;
    }
    zones.iter().cloned().map(Source::External).chain(sources).collect()
}

/// Inside a virtual machine its host's figures stand before all others, where nothing else is forced.
fn with_host(mut sources: Vec<Source>, config: &Config) -> Vec<Source> {
    let port = Path::new(HostFigures::PORT);
    let route = config.passthrough.source.clone().or_else(|| port.exists().then(|| HostRoute::Path(port.to_owned())));
    if let Some(route) = route.filter(|_| sources.contains(&Source::Model)) {
        sources.insert(0, Source::Host(route));
    }
    sources
}

/// The configured model stands before the estimate that needs none.
#[cfg(feature = "model-server")]
fn with_model(mut sources: Vec<Source>, config: &Config) -> Vec<Source> {
    if let Some(index) = sources.iter().position(|source| *source == Source::Model)
        && let Some(model) = configured::model(config)
    {
        sources.insert(index, Source::ModelFile(model));
    }
    sources
}

#[cfg(not(feature = "model-server"))]
fn with_model(sources: Vec<Source>, _config: &Config) -> Vec<Source> {
    sources
}

/// Our own setting first, then Kepler's in the order in which Kepler lets them win.
fn sources(config: &Config) -> Vec<Source> {
    if let Some(meter) = &config.meter {
        return of(meter, config);
    }
    if config.fake_meter {
        return of(&Meter::Fake, config);
    }
    if config.force_hwmon {
        return vec![Source::Hwmon];
    }
    if config.preferred_meters.is_empty() {
        return Source::auto();
    }
    let mut sources = Vec::new();
    // A preference is not a demand: the estimate still stands at the end.
    for source in config.preferred_meters.iter().chain([&Meter::Of(Source::Model)]).flat_map(|meter| of(meter, config))
    {
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources
}

fn of(meter: &Meter, config: &Config) -> Vec<Source> {
    match meter {
        Meter::Auto => Source::auto(),
        Meter::Rapl => vec![Source::Powercap, Source::Msr, Source::Perf],
        Meter::Fake => vec![Source::Fake(config.fake_zones.clone())],
        Meter::Of(source) => vec![source.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_wish_everything_is_tried() {
        assert_eq!(sources(&Config::default()), Source::auto());
    }

    #[test]
    fn a_preference_orders_the_sources_and_keeps_the_estimate() {
        let preferred_meters = vec![Meter::Of(Source::Hwmon), Meter::Rapl];
        let expected = [Source::Hwmon, Source::Powercap, Source::Msr, Source::Perf, Source::Model];
        assert_eq!(sources(&Config { preferred_meters, ..Config::default() }), expected);
    }

    #[test]
    fn our_flag_wins_over_keplers_keys_and_the_fake_over_the_others() {
        let kepler =
            Config { fake_meter: true, force_hwmon: true, preferred_meters: vec![Meter::Rapl], ..Config::default() };
        assert_eq!(sources(&kepler), [Source::Fake(kepler.fake_zones.clone())]);
        assert_eq!(sources(&Config { fake_meter: false, ..kepler.clone() }), [Source::Hwmon]);
        assert_eq!(sources(&Config { meter: Some(Meter::Of(Source::Msr)), ..kepler }), [Source::Msr]);
    }
}
