//! The configuration: defaults, then a YAML file, then the environment, then flags; the later wins.
//!
//! The file and the flags are those of Kepler v0.11 (its `config/config.go`), with some of our own.
//! One table, [`settings::SETTINGS`], knows every setting: its key in the file, its flag, its
//! environment variable, its form and what it does. All problems are found before any is reported.

mod address;
mod apply;
mod chip_rules;
pub(crate) mod defaults;
mod duration;
mod file;
pub(crate) mod flags;
mod layers;
mod load;
mod manner;
#[cfg(feature = "mcp")]
mod mcp;
mod passthrough;
mod platform;
mod raw_setting;
mod resemblance;
pub(crate) mod settings;
mod variables;
mod view_source;
pub(crate) mod yaml;

pub(crate) use address::ListenAddress;
pub(crate) use duration::parse as duration;
pub(crate) use file::{looks_like_settings, nearest};
pub(crate) use flags::{Flags, parse as parse_flags};
pub(crate) use load::{check, check_text, load};
pub(crate) use manner::Manner;
#[cfg(feature = "mcp")]
pub(crate) use mcp::Mcp;
pub(crate) use passthrough::PassthroughSettings;
pub(crate) use platform::PlatformSettings;
pub(crate) use raw_setting::{Problem, Value};
pub(crate) use view_source::{Service, ViewSource};

use kepler_compliance::standards::Basis;
use kepler_compliance::tools::Settings;
use kepler_connect::kubernetes::SERVICE_ACCOUNT;
use kepler_core::attribution::{IdlePolicy, Weights};
use kepler_core::device::DeviceUser;
use kepler_core::host::Host;
use kepler_core::meter::chain::Source;
use kepler_core::meter::hwmon::ChipRule;
use kepler_core::units::{Energy, Power, ZoneKind};
use kepler_core::usage::UsageChoice;
use kepler_http::{Compat, Levels, TelemetryPath};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that can be configured, with its default.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    /// Whose defaults hold where nothing is configured.
    pub(crate) manner: Manner,
    /// Least severe log messages to write.
    pub(crate) log_level: tracing::Level,
    /// How they are written.
    pub(crate) log_format: LogFormat,
    /// Root of sysfs, `/sys` unless it is mounted elsewhere.
    pub(crate) sysfs: PathBuf,
    /// Root of procfs, `/proc` unless it is mounted elsewhere.
    pub(crate) procfs: PathBuf,
    /// The host's root file system, where container engines keep names; `/` unless it is mounted elsewhere.
    pub(crate) root: PathBuf,
    /// Time between two measurements.
    pub(crate) interval: Duration,
    /// How many terminated workloads of each kind are remembered; `None` for all.
    pub(crate) max_terminated: Option<usize>,
    /// Terminated workloads that used less are forgotten at once.
    pub(crate) min_terminated_energy: Energy,
    /// How long a terminated workload is remembered.
    pub(crate) keep_terminated: Duration,
    /// The zones to measure; empty for all.
    pub(crate) zones: Vec<ZoneKind>,
    /// `--meter`, where given.
    pub(crate) meter: Option<Meter>,
    /// Where processes' CPU time is read.
    pub(crate) usage: UsageChoice,
    /// `cpu.preferredMeters`, where given.
    pub(crate) preferred_meters: Vec<Meter>,
    /// `experimental.hwmon.forceEnabled`.
    pub(crate) force_hwmon: bool,
    /// `experimental.gpu.enabled`: whether accelerators are read.
    pub(crate) gpus: bool,
    /// `experimental.gpu.idlePower`: what each draws while unused; learned where not given.
    pub(crate) gpu_idle_power: Option<Power>,
    /// `experimental.gpu.nvmlLibrary`: NVIDIA's library, where it is not in its usual place.
    pub(crate) nvml_library: Option<PathBuf>,
    /// `experimental.gpu.dcgmEndpoint`: where dcgm-exporter serves its metrics, if it is asked.
    pub(crate) dcgm_endpoint: Option<String>,
    /// `experimental.gpu.podResources`: the kubelet's socket of allocations, where it is not in its usual place.
    pub(crate) pod_resources: Option<PathBuf>,
    /// Whether a workload has one series for all accelerators.
    pub(crate) gpus_summed: bool,
    /// `experimental.platform`: meters of the whole machine.
    pub(crate) platform: PlatformSettings,
    /// `passthrough`: the host's figures inside its guests.
    pub(crate) passthrough: PassthroughSettings,
    /// `dev.fake-gpu.enabled`.
    pub(crate) fake_gpus: bool,
    /// `dev.fake-gpu.users`: processes and their shares of the first one's time.
    pub(crate) fake_gpu_users: Vec<DeviceUser>,
    /// `dev.fake-cpu-meter.enabled`.
    pub(crate) fake_meter: bool,
    /// `dev.fake-cpu-meter.zones`.
    pub(crate) fake_zones: Vec<ZoneKind>,
    /// Labels of the hwmon sensors to use; empty for all known ones.
    pub(crate) hwmon_zones: Vec<String>,
    /// How voltages and currents of hwmon chips pair, before the built-in rules.
    pub(crate) hwmon_chip_rules: Vec<ChipRule>,
    /// The power model to estimate with where nothing is measured.
    #[cfg(feature = "model-server")]
    pub(crate) model: ModelSettings,
    /// What `kepler calibrate` learned of this machine, if not in one of the usual directories.
    pub(crate) calibration: Option<PathBuf>,
    /// How active and idle energy are separated.
    pub(crate) policy: IdlePolicy,
    /// By what active energy is divided, zone by zone.
    pub(crate) weights: Weights,
    /// Whether a table is written on standard output at each interval.
    pub(crate) stdout: bool,
    /// Whether metrics are served over HTTP.
    pub(crate) prometheus: bool,
    /// The levels that are exported.
    pub(crate) levels: Levels,
    /// An older Kepler whose metric names are exported as well.
    pub(crate) compat: Option<Compat>,
    /// Where HTTP is served.
    pub(crate) listen: Vec<ListenAddress>,
    /// Where it listens without TLS, beside those that have it.
    pub(crate) listen_plain: Vec<ListenAddress>,
    /// The file of TLS and authentication of the HTTP server, in the format of Prometheus' exporter toolkit.
    pub(crate) web_config: Option<Value>,
    /// Who may ask over HTTP, beside scrapers.
    pub(crate) web: Web,
    /// Where the tools take energy figures from.
    pub(crate) source: ViewSource,
    /// The time between two polls of other exporters, if not the usual one.
    pub(crate) source_interval: Option<Duration>,
    /// The certificates to trust when asking that source, instead of the system's.
    pub(crate) source_ca_file: Option<PathBuf>,
    /// The token to show exporters.
    pub(crate) source_token_file: Option<PathBuf>,
    /// What is remembered across restarts.
    pub(crate) history: History,
    /// Whether and for which clients MCP is served over HTTP.
    #[cfg(feature = "mcp")]
    pub(crate) mcp: Mcp,
    /// Where pods' names come from.
    pub(crate) kube: Kube,
    /// The `node_name` label; the host's name if not given.
    pub(crate) node_name: Option<String>,
    /// The facility that workloads are judged at: `facility`, `carbon` and `price`.
    pub(crate) facility: Settings,
    /// Where grid intensities come from.
    pub(crate) intensity: IntensitySettings,
    /// Directory of the operator's own standards.
    pub(crate) standards_dir: Option<PathBuf>,
    /// How a PUE was found that is stated without saying so.
    pub(crate) pue_basis: Basis,
    /// The currency of a price that is stated without one.
    pub(crate) currency: String,
}

/// Where grid intensities over time come from; nothing is the zone table's yearly averages.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct IntensitySettings {
    /// The source.
    pub(crate) source: Option<IntensityChoice>,
    /// How long the last value of a series stays valid, if not by its own step or as providers' figures do.
    pub(crate) validity: Option<Duration>,
    /// The file of the provider's token or of user and password.
    pub(crate) token_file: Option<Value>,
    /// Where the provider is asked, if not at its public address.
    pub(crate) url: Option<String>,
    /// `WattTime`'s regions of grid zones.
    pub(crate) regions: Vec<(String, String)>,
}

/// A source of grid intensities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IntensityChoice {
    /// CSV or JSON.
    File(PathBuf),
    /// Electricity Maps v3.
    ElectricityMaps,
    /// `WattTime` v3.
    WattTime,
    /// The Carbon Intensity API of Great Britain.
    Uk,
}

/// A power model.
#[cfg(feature = "model-server")]
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ModelSettings {
    /// Its file or directory.
    pub(crate) path: Option<PathBuf>,
    /// Where to fetch it, if there is no path.
    pub(crate) url: Option<String>,
    /// What its SHA-256 must be.
    pub(crate) sha256: Option<String>,
    /// Where a copy of what was fetched is kept.
    pub(crate) cache: Option<PathBuf>,
    /// What its features mean.
    pub(crate) semantics: Option<kepler_core::model::Semantics>,
    /// Logical CPUs of the machine that it describes.
    pub(crate) host_threads: Option<u32>,
}

/// Where pods' names come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kube {
    /// Whether Kubernetes is asked.
    pub(crate) enabled: bool,
    /// A kubeconfig, where this is no pod.
    pub(crate) config: Option<PathBuf>,
    /// Who is asked first.
    pub(crate) mode: PodInformer,
    /// Time between two lists.
    pub(crate) poll_interval: Duration,
    /// Where the kubelet is, if it is not found by itself.
    pub(crate) kubelet_address: Option<String>,
    /// The certificates to trust it by, beside the cluster's.
    pub(crate) kubelet_certificate: Option<PathBuf>,
    /// Whether its certificate is not looked at.
    pub(crate) kubelet_insecure: bool,
    /// The labels of pods that are shown.
    pub(crate) pod_labels: Vec<String>,
    /// Whose annotations `kepler.energy/…` count.
    pub(crate) annotations: Annotated,
}

impl Default for Kube {
    fn default() -> Self {
        Kube {
            enabled: false,
            config: None,
            mode: PodInformer::Kubelet,
            poll_interval: defaults::POD_INTERVAL,
            kubelet_address: None,
            kubelet_certificate: None,
            kubelet_insecure: false,
            pod_labels: Vec::new(),
            annotations: Annotated::Pods,
        }
    }
}

/// Whose annotations and labels `kepler.energy/…` choose how energy is judged and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Annotated {
    /// None.
    Nothing,
    /// Those of pods, which come with the list of pods.
    Pods,
    /// Those of namespaces as well, and the labels of the node that name its region: the API server is asked.
    Cluster,
}

/// Who is asked first for pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PodInformer {
    /// This node's kubelet.
    Kubelet,
    /// The API server, by a watch.
    ApiServer,
    /// The kubelet's log directories alone.
    Files,
}

/// Who may use the tools over HTTP.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Web {
    /// Where metrics are found.
    pub(crate) telemetry_path: TelemetryPath,
    /// Names by which clients may reach this server, beside those of the addresses that are listened at.
    pub(crate) hosts: Vec<String>,
    /// Web pages that may ask.
    pub(crate) origins: Vec<String>,
    /// The file of the token that clients must send.
    pub(crate) token_file: Option<PathBuf>,
    /// Clients must send a token of Kubernetes that is for this audience.
    pub(crate) kubernetes_audience: Option<String>,
}

/// The history file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct History {
    /// The file; none where nothing is to be remembered.
    pub(crate) path: Option<PathBuf>,
    /// For how long.
    pub(crate) retention: Duration,
    /// How large it may become, bytes.
    pub(crate) max_bytes: u64,
}

impl Default for History {
    fn default() -> Self {
        History { path: None, retention: defaults::HISTORY_RETENTION, max_bytes: defaults::HISTORY_BYTES }
    }
}

/// How log messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// A line of text each.
    Text,
    /// A JSON object on a line each.
    Json,
    /// `key=value` pairs on a line each, as Go Kepler writes them.
    Logfmt,
}

impl LogFormat {
    /// Its name as a setting.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
            LogFormat::Logfmt => "logfmt",
        }
    }
}

/// A source of energy figures, or several that go by one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meter {
    /// The best available, an estimate at the end.
    Auto,
    /// Kepler's name for processors' own counters, however they are read.
    Rapl,
    /// An artificial meter, with the configured zones.
    Fake,
    /// One of the library's.
    Of(Source),
}

impl Default for Config {
    fn default() -> Self {
        Config {
            manner: Manner::Own,
            log_level: tracing::Level::INFO,
            log_format: LogFormat::Text,
            sysfs: "/sys".into(),
            procfs: "/proc".into(),
            root: "/".into(),
            interval: defaults::INTERVAL,
            max_terminated: Some(defaults::MAX_TERMINATED),
            min_terminated_energy: defaults::MIN_TERMINATED_ENERGY,
            keep_terminated: defaults::KEEP_TERMINATED,
            zones: Vec::new(),
            meter: None,
            usage: UsageChoice::Auto,
            preferred_meters: Vec::new(),
            force_hwmon: false,
            gpus: true,
            gpu_idle_power: None,
            nvml_library: None,
            dcgm_endpoint: None,
            pod_resources: None,
            gpus_summed: false,
            platform: PlatformSettings::default(),
            passthrough: PassthroughSettings::default(),
            fake_gpus: false,
            fake_gpu_users: Vec::new(),
            fake_meter: false,
            // Kepler's own default, without the indices.
            fake_zones: vec![ZoneKind::Package, ZoneKind::Core, ZoneKind::Uncore, ZoneKind::Dram],
            hwmon_zones: Vec::new(),
            hwmon_chip_rules: Vec::new(),
            #[cfg(feature = "model-server")]
            model: ModelSettings::default(),
            calibration: None,
            policy: IdlePolicy::Baseline,
            weights: Weights::default(),
            stdout: false,
            prometheus: true,
            levels: Levels::ALL,
            compat: None,
            listen: vec![ListenAddress::local(defaults::PORT)],
            listen_plain: Vec::new(),
            web_config: None,
            web: Web::default(),
            source: ViewSource::Local,
            source_interval: None,
            source_ca_file: None,
            source_token_file: None,
            history: History::default(),
            #[cfg(feature = "mcp")]
            mcp: Mcp::default(),
            kube: Kube::default(),
            node_name: None,
            facility: Settings::default(),
            intensity: IntensitySettings::default(),
            standards_dir: None,
            pue_basis: Basis::Assumed,
            currency: defaults::CURRENCY.to_owned(),
        }
    }
}

impl Config {
    /// The `node_name` label: as configured, or the host's name.
    pub(crate) fn node_name(&self) -> String {
        let host = || {
            let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
            // A kubelet takes it so (`GetHostname`): names of nodes have no capitals.
            if self.kube.enabled { name.trim().to_lowercase() } else { name }
        };
        // Every manifest passes it so.
        let in_cluster = || std::env::var("NODE_NAME").ok().filter(|name| !name.is_empty());
        let known = self.node_name.clone().or_else(|| if self.kube.enabled { in_cluster() } else { None });
        known.unwrap_or_else(host)
    }

    /// The same for a hub, which has nothing of its own to tell of: within a cluster it asks the exporters behind the Service
    /// `kepler` of its namespace unless another source is named.
    ///
    /// # Errors
    /// When nothing says whom to ask.
    pub(crate) fn of_hub(mut self) -> Result<Self, String> {
        if self.source == ViewSource::Local {
            if !Path::new(SERVICE_ACCOUNT).exists() {
                let what = "a hub measures nothing and asks others: give --source=endpoints=NAMESPACE/SERVICE (in a cluster), \
                     dns=HOST:PORT, kepler=URL,URL… or prometheus=URL";
                return Err(what.to_owned());
            }
            self.source = ViewSource::Endpoints(Service { namespace: None, name: "kepler".to_owned(), port: None });
        }
        Ok(self)
    }

    /// The host whose roots are configured.
    pub(crate) fn host(&self) -> Host {
        let host = Host::default();
        // Setting the default root again would undo nothing, but would move the cgroup root under it.
        let host = if self.sysfs == Path::new("/sys") { host } else { host.with_sysfs(&self.sysfs) };
        host.with_procfs(&self.procfs).with_root(&self.root)
    }
}

#[cfg(test)]
mod tests;
