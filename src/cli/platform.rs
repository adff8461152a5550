//! From the configuration to meters of the whole machine. Nothing here stops the program: without them there are zones.

mod bmcs;
mod meters;

use super::config::{Config, Value, yaml};
use bmcs::BmcFile;
use kepler_connect::external::ExternalSource;
use kepler_connect::redfish::{Bmc, HostIdentity, RedfishPoller};
use kepler_core::host::Timestamp;
use kepler_core::host::file::{self, FileLimits};
use kepler_core::meter::external::ExternalZone;
use kepler_core::platform::{Ipmi, PlatformBoard, PlatformHwmon, PlatformMeter, PlatformPoller, PlatformSource};
use kepler_core::units::ZoneKind;
use meters::{MeterFile, Outside};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Those of thousands of nodes have a megabyte.
const MAX_FILE: u64 = 8 << 20;

/// How long the first figure of a meter that stands for a zone is waited for.
const FIRST: Duration = Duration::from_secs(5);

/// A board that is kept up to date as long as this lives.
pub(super) struct Platform {
    pub(super) board: PlatformBoard,
    /// The zones that meters outside stand for.
    pub(super) zones: Vec<ExternalZone>,
    _redfish: Option<RedfishPoller>,
    _others: Vec<PlatformPoller>,
}

impl Platform {
    /// Begins to read all meters that are configured. Only those that stand for a zone are waited for, and not for long: a BMC may
    /// take a minute.
    pub(super) fn start(config: &Config) -> Self {
        let board = PlatformBoard::default();
        let redfish = config.platform.redfish.enabled.then(|| redfish(config, &board)).flatten();
        Platform::of(board, redfish, sources(config))
    }

    /// The same of those only that stand for a zone; `None` where there are none.
    pub(super) fn start_zones(config: &Config) -> Option<Self> {
        let found = config.platform.meters.as_ref().map(|file| outside(config, file)).unwrap_or_default();
        let found: Vec<Found> = found.into_iter().filter(|found| found.zone.is_some()).collect();
        (!found.is_empty()).then(|| Platform::of(PlatformBoard::default(), None, found))
    }

    fn of(board: PlatformBoard, redfish: Option<RedfishPoller>, found: Vec<Found>) -> Self {
        let of_zones: Vec<(ZoneKind, PlatformMeter)> = found.iter().filter_map(|found| found.zone.clone()).collect();
        let start = |found: Found| PlatformPoller::start(found.source, found.name, found.interval, board.clone());
        let others = found.into_iter().map(start).collect();
        let begun = Instant::now();
        while begun.elapsed() < FIRST {
            let rows = board.rows(&Timestamp::now());
            if of_zones.iter().all(|(_, meter)| rows.iter().any(|row| row.meter.is_same(meter))) {
                break;
            }
            sleep(Duration::from_millis(20));
        }
        let zone = |kind: ZoneKind| {
            let meters = of_zones.iter().filter(|(zone, _)| *zone == kind).map(|(_, meter)| meter.clone());
            let meters: Vec<PlatformMeter> = meters.collect();
            (!meters.is_empty()).then(|| ExternalZone::new(board.clone(), kind, meters))
        };
        let zones = ZoneKind::METERED.into_iter().filter_map(zone).collect();
        Platform { board, zones, _redfish: redfish, _others: others }
    }
}

/// Begins to ask this node's BMC over the network.
fn redfish(config: &Config, board: &PlatformBoard) -> Option<RedfishPoller> {
    let chosen = bmc(config);
    chosen.problems.iter().for_each(|problem| tracing::warn!("{problem}"));
    match chosen.bmc {
        Ok(bmc) => Some(RedfishPoller::start(bmc, board.clone())),
        Err(why) => {
            tracing::error!("no platform power over Redfish: {why}");
            board.fail_all("redfish", "", "configuration");
            None
        }
    }
}

/// A source that can be read.
pub(super) struct Found {
    pub(super) source: Box<dyn PlatformSource>,
    /// What messages call it.
    pub(super) name: String,
    pub(super) interval: Duration,
    /// The zone that it stands for, and which meter of the board it is.
    zone: Option<(ZoneKind, PlatformMeter)>,
}

/// How often the machine's own meters are read: a BMC takes milliseconds over its own interface, and firmware shows means of
/// seconds.
const INTERVAL: Duration = Duration::from_secs(5);

/// The meters of the machine itself that are configured.
pub(super) fn sources(config: &Config) -> Vec<Found> {
    let settings = &config.platform;
    let mut found = Vec::new();
    if settings.ipmi.enabled {
        let device = settings.ipmi_device.clone().unwrap_or_else(|| Ipmi::DEVICE.into());
        let source = Box::new(Ipmi::new(device, !settings.ipmi.without_gpus));
        found.push(Found { source, name: "ipmi".to_owned(), interval: INTERVAL, zone: None });
    }
    if settings.hwmon.enabled {
        let source = Box::new(PlatformHwmon::new(&config.host(), !settings.hwmon.without_gpus));
        found.push(Found { source, name: "hwmon".to_owned(), interval: INTERVAL, zone: None });
    }
    if let Some(file) = &settings.meters {
        found.extend(outside(config, file));
    }
    found
}

/// The meters outside of the machine. What cannot be used is said, and the rest goes on.
fn outside(config: &Config, file: &Value) -> Vec<Found> {
    let name = settings_name(config);
    let read = document(Path::new(&file.text)).and_then(|root| MeterFile::of(&root, Path::new(&file.text), &name));
    let MeterFile { meters, problems } = match read {
        Ok(file) => file,
        Err(what) => {
            tracing::error!("no platform power of meters outside: {}: {what}", file.origin);
            return Vec::new();
        }
    };
    problems.iter().for_each(|problem| tracing::warn!("{problem}"));
    let open = |Outside { meter, interval, zone, origin }: Outside| {
        let name = format!("{origin}: meter `{}`", meter.id);
        match ExternalSource::new(meter) {
            Ok(source) => {
                let zone = zone.map(|zone| (zone, source.meter().clone()));
                Some(Found { source: Box::new(source), name, interval, zone })
            }
            Err(error) => {
                tracing::error!("{name} cannot be read: {error}");
                None
            }
        }
    };
    meters.into_iter().filter_map(open).collect()
}

/// This node's name in files of many nodes.
fn settings_name(config: &Config) -> String {
    config.platform.redfish.node_name.clone().unwrap_or_else(|| config.node_name())
}

/// This node's BMC, and what is wrong with others in the file.
pub(super) struct ChosenBmc {
    pub(super) bmc: Result<Bmc, String>,
    pub(super) problems: Vec<String>,
}

/// The BMC of this node, as the file has it.
pub(super) fn bmc(config: &Config) -> ChosenBmc {
    let settings = &config.platform.redfish;
    let Some(path) = &settings.file else {
        let what = "no file says which BMCs there are; name it (`experimental.platform.redfish.configFile`, \
                    --experimental.platform.redfish.config-file)";
        return ChosenBmc { bmc: Err(what.to_owned()), problems: Vec::new() };
    };
    let read = match read(Path::new(&path.text)) {
        Ok(file) => file,
        Err(what) => return ChosenBmc { bmc: Err(format!("{}: {what}", path.origin)), problems: Vec::new() },
    };
    let name = settings_name(config);
    let bmc = read.of_node(&name).map(|mut bmc| {
        bmc.timeout = settings.timeout;
        bmc.host = HostIdentity::read(&config.host(), name);
        bmc
    });
    ChosenBmc { bmc, problems: read.problems }
}

fn read(path: &Path) -> Result<BmcFile, String> {
    BmcFile::of(&document(path)?, path)
}

/// A file in YAML.
fn document(path: &Path) -> Result<yaml::Node, String> {
    let shown = path.display();
    let text = file::read_text(path, FileLimits::bytes(MAX_FILE))
        .map_err(|error| format!("{shown} cannot be read: {}", error.reason()))?;
    let document = yaml::parse(&text).map_err(|error| format!("{shown}:{}: {}", error.line, error.what))?;
    document.root.ok_or_else(|| format!("{shown} is empty"))
}
