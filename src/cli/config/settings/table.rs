//! The table of all settings.

use super::super::{Manner, apply, apply::kube::WHOSE, raw_setting::Form};
use super::Effect::{Adapt, Nothing, Set};
use super::{Setting, key, passthrough, platform};

/// The table, in the order of `--help`.
pub(crate) static SETTINGS: &[Setting] =
    &[
        key(Manner::KEY, Form::Text, Set(apply::manner)).flag(
            "compat",
            "PROGRAM",
            "Behave as this program does where nothing else is set: kepler (Go Kepler: all interfaces, 5s, \
             ratio, 10 J, logfmt on standard output, exit status 1)",
        ),
        key("log.level", Form::Text, Set(apply::log_level)).flag(
            "log.level",
            "LEVEL",
            "Lowest severity that is logged: trace, debug, info, warn, error [default: info]",
        ),
        key("log.format", Form::Text, Set(apply::log_format)).flag(
            "log.format",
            "FORMAT",
            "How messages are written to standard error: text, json, logfmt [default: text]",
        ),
        key("host.sysfs", Form::Directory, Set(apply::sysfs)).flag(
            "host.sysfs",
            "DIR",
            "Where the host's sysfs is mounted [default: /sys]",
        ),
        key("host.procfs", Form::Directory, Set(apply::procfs)).flag(
            "host.procfs",
            "DIR",
            "Where the host's procfs is mounted [default: /proc]",
        ),
        key("host.root", Form::Directory, Set(apply::root)).flag(
            "host.root",
            "DIR",
            "Where the host's root file system is mounted, for the names that container engines keep there [default: /]",
        ),
        key("meter", Form::Text, Set(apply::meters::meter)).flag(
            "meter",
            "METER",
            "Where energy figures come from: auto, powercap, msr, perf, hwmon, model, fake, \
             replay=FILE; any but auto is an error when it cannot be used [default: auto]",
        ),
        #[cfg(feature = "model-server")]
        key("model.path", Form::Text, Set(apply::meters::model_path)).flag(
            "model.path",
            "PATH",
            "Where nothing is measured, estimate with this power model: a file, a directory with a component map, a zip",
        ),
        #[cfg(feature = "model-server")]
        key("model.url", Form::Text, Set(apply::meters::model_url)).flag(
            "model.url",
            "URL",
            "The same, fetched from this address at the start; the last good copy is kept and used while the address cannot be reached",
        ),
        #[cfg(feature = "model-server")]
        key("model.sha256", Form::Text, Set(apply::meters::model_sha256)).flag(
            "model.sha256",
            "HEX",
            "Required SHA-256 of the file at --model.url [default: any]",
        ),
        #[cfg(feature = "model-server")]
        key("model.cacheDir", Form::Text, Set(apply::meters::model_cache)).flag(
            "model.cache-dir",
            "DIR",
            "Directory in which the copy is kept [default: $CACHE_DIRECTORY, $XDG_CACHE_HOME/kepler, ~/.cache/kepler]",
        ),
        #[cfg(feature = "model-server")]
        key("model.semantics", Form::Text, Set(apply::meters::model_semantics)).flag(
            "model.semantics",
            "NAME",
            "What the model's features mean: as-named, exporter-0.7.11, specpower [default: what its file or \
             its pipeline says]",
        ),
        #[cfg(feature = "model-server")]
        key("model.hostThreads", Form::Integer, Set(apply::meters::model_host_threads)).flag(
            "model.host-threads",
            "N",
            "Logical CPUs of the machine that the model describes; this node has its share of that machine's power \
             [default: what the pipeline's index says]",
        ),
        #[cfg(feature = "model-server")]
        key(
            "model.enabled",
            Form::Switch,
            Nothing("a model, built in or named by `model.path`, estimates only what nothing measures"),
        ),
        key("calibration.path", Form::Text, Set(apply::meters::calibration_path)).flag(
            "calibration.path",
            "FILE",
            "What `kepler calibrate` learned of this machine [default: calibration.json in $STATE_DIRECTORY, \
             $XDG_STATE_HOME/kepler or ~/.local/state/kepler, else in /var/lib/kepler]",
        ),
        key("usage", Form::Text, Set(apply::meters::usage)).flag(
            "usage",
            "SOURCE",
            "Where processes' CPU time is read: auto, ebpf (reported by the scheduler; needs CAP_BPF and CAP_PERFMON), \
             clock, procfs; any but auto is an error when it cannot be used [default: auto]",
        ),
        key("policy", Form::Text, Set(apply::meters::policy)).flag(
            "policy",
            "POLICY",
            "How active and idle energy are separated: baseline (idle power is learned), ratio \
             (energy times utilisation, as Kepler v0.11) [default: baseline]",
        ),
        key("attribution.weight", Form::List, Set(apply::meters::weights)).flag(
            "attribution.weight",
            "ZONE=WEIGHT",
            "Divide a zone's active energy by time, cycles, instructions or cache_misses, as package=cycles, \
             where it is counted; may be repeated [default: package and core by cycles, dram by \
             cache_misses, if counted; else time]",
        ),
        key("rapl.zones", Form::List, Set(apply::meters::zones)).flag(
            "rapl.zones",
            "ZONE",
            "Measure only package, core, uncore, dram, psys; may be repeated [default: all]",
        ),
        key("monitor.interval", Form::Duration, Adapt(apply::interval)).flag(
            "monitor.interval",
            "DURATION",
            "Time between two measurements, such as 3s or 1m30s [default: 3s]",
        ),
        key("monitor.maxTerminated", Form::Integer, Set(apply::max_terminated)).flag(
            "monitor.max-terminated",
            "N",
            "Terminated workloads of a kind to remember, by energy; 0 for none, -1 for all [default: 500]",
        ),
        key("monitor.minTerminatedEnergyThreshold", Form::Number, Set(apply::min_terminated_energy)).flag(
            "monitor.min-terminated-energy",
            "JOULES",
            "Forget a terminated workload that used less than this [default: 1]",
        ),
        key("monitor.keepTerminated", Form::Duration, Set(apply::keep_terminated)).flag(
            "monitor.keep-terminated",
            "DURATION",
            "How long to remember a terminated workload [default: 10m]",
        ),
        key("exporter.prometheus.enabled", Form::Switch, Set(apply::prometheus)).flag(
            "exporter.prometheus",
            "BOOL",
            "Serve metrics over HTTP [default: true]",
        ),
        key("exporter.prometheus.metricsLevel", Form::List, Set(apply::levels)).flag(
            "metrics",
            "LEVEL",
            "Export metrics of node, process, container, vm, pod, unit, job; may be repeated [default: all]",
        ),
        key("exporter.prometheus.compat", Form::Text, Set(apply::compat)).flag(
            "metrics.compat",
            "VERSION",
            "Export other metric names as well: kepler-0.7, or rapl-names (zone=\"package-0\" and the like)",
        ),
        key("exporter.stdout.enabled", Form::Switch, Set(apply::stdout)).flag(
            "exporter.stdout",
            "BOOL",
            "Write a table on standard output at each interval [default: false]",
        ),
        key("web.listenAddresses", Form::List, Set(apply::web::listen)).flag(
            "web.listen-address",
            "ADDRESS",
            "Serve HTTP at HOST:PORT, or :PORT for all interfaces; may be repeated [default: 127.0.0.1:28282]",
        ),
        key("web.plainListenAddresses", Form::List, Set(apply::web::listen_plain)).flag(
            "web.plain-listen-address",
            "ADDRESS",
            "Serve HTTP at this address without TLS also where --web.config-file asks for TLS; may be repeated",
        ),
        key("web.configFile", Form::Text, Set(apply::web::web_config)).flag(
            "web.config-file",
            "FILE",
            "TLS and authentication of the HTTP server, in the format of Prometheus' exporter toolkit",
        )
        .or(&["web.config.file"]),
        key("web.telemetryPath", Form::Text, Set(apply::web::telemetry_path)).flag(
            "web.telemetry-path",
            "PATH",
            "Serve metrics at this path [default: /metrics]",
        ),
        key("web.allowedHosts", Form::List, Set(apply::web::web_hosts)).flag(
            "web.allowed-host",
            "HOST",
            "Accept requests to /tools, /api and /mcp under this host name, with or without a port; may be repeated \
             [default: localhost, IP addresses, the names listened at, the node's name]",
        ),
        key("web.allowedOrigins", Form::List, Set(apply::web::web_origins)).flag(
            "web.allowed-origin",
            "ORIGIN",
            "Accept requests from web pages of this origin, such as https://ops.example; may be repeated",
        ),
        key("web.tokenFile", Form::Text, Set(apply::web::web_token_file)).flag(
            "web.token-file",
            "FILE",
            "Require the bearer token in this file for /tools, /api and /mcp",
        ),
        key("web.kubernetesAudience", Form::Text, Set(apply::web::kubernetes_audience)).flag(
            "web.kubernetes-audience",
            "AUDIENCE",
            "Answer only who sends a token of Kubernetes for this audience, such as kepler.kepler.svc, and may get the \
             path by a rule on nonResourceURLs (TokenReview, SubjectAccessReview); probes stay open [default: none]",
        ),
        key("energy.source", Form::Text, Set(apply::source)).flag(
            "source",
            "SOURCE",
            "Where energy figures come from: local, kepler=URL[,URL…] (each exporter's own address), \
             endpoints=[NAMESPACE/]SERVICE[:PORT] (all exporters behind a Service of Kubernetes), dns=HOST:PORT (all \
             exporters behind a name), prometheus=URL; with any but local nothing is measured here [default: local]",
        ),
        key("energy.interval", Form::Duration, Set(apply::source_interval)).flag(
            "source.interval",
            "DURATION",
            "Time between two polls of other exporters, at least 1s [default: 15s of those behind a Service or a name, \
             else 3s or the interval]",
        ),
        key("energy.caFile", Form::Text, Set(apply::source_ca_file)).flag(
            "source.ca-file",
            "FILE",
            "Trust the certificates in this file (PEM) and no others when asking the source [default: the system's]",
        ),
        key("energy.tokenFile", Form::Text, Set(apply::source_token_file)).flag(
            "source.token-file",
            "FILE",
            "Show exporters that are asked over TLS the token in this file, which is read again for each request",
        ),
        key("history.path", Form::Text, Set(apply::history_path)).flag(
            "history.path",
            "FILE",
            "Keep the history of energy across restarts in this SQLite file [default: none, an hour in memory]",
        ),
        key("history.retention", Form::Duration, Set(apply::history_retention)).flag(
            "history.retention",
            "DURATION",
            "How long to keep it [default: 9600h]",
        ),
        key("history.maxSizeMiB", Form::Integer, Set(apply::history_max_size)).flag(
            "history.max-size-mib",
            "N",
            "Largest size of the file; the oldest rows are deleted first [default: 1024]",
        ),
        #[cfg(feature = "mcp")]
        key("mcp.enabled", Form::Switch, Set(apply::web::mcp)).flag(
            "mcp",
            "BOOL",
            "Serve AI assistants at /mcp (Model Context Protocol) [default: true]",
        ),
        #[cfg(feature = "mcp")]
        key("mcp.allowedHosts", Form::List, Set(apply::web::mcp_hosts)).flag(
            "mcp.allowed-host",
            "HOST",
            "Accept requests to /mcp under this host name, with or without a port; may be repeated [default: \
             loopback, the addresses listened at, the node's name]",
        ),
        #[cfg(feature = "mcp")]
        key("mcp.allowedOrigins", Form::List, Set(apply::web::mcp_origins)).flag(
            "mcp.allowed-origin",
            "ORIGIN",
            "Accept requests to /mcp from web pages of this origin, such as https://ops.example; may be repeated",
        ),
        #[cfg(feature = "mcp")]
        key("mcp.tokenFile", Form::Text, Set(apply::web::mcp_token_file)).flag(
            "mcp.token-file",
            "FILE",
            "Require the bearer token in this file for /mcp",
        ),
        #[cfg(feature = "mcp")]
        super::mcp::OAUTH_ISSUER,
        #[cfg(feature = "mcp")]
        super::mcp::OAUTH_RESOURCE,
        #[cfg(feature = "mcp")]
        super::mcp::OAUTH_AUDIENCE,
        #[cfg(feature = "mcp")]
        super::mcp::OAUTH_JWKS,
        #[cfg(feature = "mcp")]
        key("mcp.legacySse", Form::Switch, Set(apply::web::mcp_legacy_sse)).flag(
            "mcp.legacy-sse",
            "BOOL",
            "Serve MCP's older transport as well, at /sse and /messages [default: false]",
        ),
        #[cfg(feature = "mcp")]
        key("mcp.tools", Form::List, Set(apply::web::mcp_tools)).flag(
            "mcp.tools",
            "NAMES",
            "Offer AI assistants these tools, separated by commas; may be repeated [default: all]",
        ),
        #[cfg(feature = "mcp")]
        key("mcp.toolsets", Form::List, Set(apply::web::mcp_toolsets)).flag(
            "mcp.toolsets",
            "SETS",
            "Offer AI assistants the tools of these sets: energy, compliance, tuning [default: all]",
        ),
        #[cfg(feature = "mcp")]
        super::mcp::OUTPUT_SCHEMAS,
        key("kube.nodeName", Form::Text, Set(apply::node_name)).flag(
            "kube.node-name",
            "NAME",
            "The node_name label of metrics, and this node's name in Kubernetes [default: NODE_NAME where Kubernetes is \
             asked, else the host's name]",
        ),
        key("kube.enabled", Form::Switch, Set(apply::kube::enabled)).flag(
            "kube.enable",
            "BOOL",
            "Ask Kubernetes for the names of pods and containers [default: false]",
        ),
        key("kube.config", Form::Text, Set(apply::kube::kubeconfig)).flag(
            "kube.config",
            "FILE",
            "Reach the cluster by this kubeconfig [default: the pod's service account]",
        ),
        key("kube.podInformer.mode", Form::Text, Set(apply::kube::mode)).flag(
            "kube.pod-informer.mode",
            "SOURCE",
            "Where pods are looked up first: kubelet, apiserver (by a watch), files (its log directories) [default: kubelet]",
        ),
        key("kube.podInformer.pollInterval", Form::Duration, Set(apply::kube::poll_interval)).flag(
            "kube.pod-informer.poll-interval",
            "DURATION",
            "Time between two lists of pods; an unknown pod is looked up at once [default: 15s]",
        ),
        key("kube.kubelet.address", Form::Text, Set(apply::kube::kubelet_address)).flag(
            "kube.kubelet-address",
            "HOST[:PORT]",
            "Where this node's kubelet is [default: HOST_IP or NODE_IP, else it is looked for]",
        ),
        key("kube.kubelet.certificate", Form::Text, Set(apply::kube::kubelet_certificate)).flag(
            "kube.kubelet-certificate",
            "FILE",
            "Trust these certificates for the kubelet, in addition to the cluster's [default: var/lib/kubelet/pki/kubelet.crt of the host]",
        ),
        key("kube.kubelet.insecure", Form::Switch, Set(apply::kube::kubelet_insecure)).flag(
            "kube.kubelet-insecure",
            "BOOL",
            "Do not verify the kubelet's certificate: any server that answers there gets the token [default: false]",
        ),
        key("kube.podLabels", Form::List, Set(apply::kube::pod_labels)).flag(
            "kube.pod-label",
            "NAME",
            "Show this label of pods in kepler_pod_info; `app.kubernetes.io/*` for all with that prefix; may be repeated",
        ),
        key("kube.annotations", Form::Text, Set(apply::kube::annotations)).flag("kube.annotations", "WHOSE", WHOSE),
        key("debug.pprof.enabled", Form::Switch, Nothing("pprof belongs to Go programs; use `perf` on this one")).flag(
            "debug.pprof",
            "BOOL",
            "Accepted without effect",
        ),
        platform::REDFISH,
        platform::NODE_NAME,
        platform::BMC_FILE,
        platform::NODE_ID,
        platform::STALENESS,
        platform::TIMEOUT,
        platform::IPMI,
        platform::IPMI_DEVICE,
        platform::IPMI_GPUS,
        platform::HWMON,
        platform::HWMON_GPUS,
        platform::METERS,
        platform::ATTRIBUTE,
        passthrough::DIRECTORY,
        passthrough::CHANNELS,
        passthrough::VSOCK,
        passthrough::LISTEN,
        passthrough::IDLE,
        passthrough::SOURCE,
        passthrough::METADATA,
        key("experimental.hwmon.forceEnabled", Form::Switch, Set(apply::meters::force_hwmon)).flag(
            "experimental.hwmon.force-enabled",
            "BOOL",
            "The same as --meter=hwmon",
        ),
        key("experimental.hwmon.enabled", Form::Switch, Nothing("hwmon is always among the sources that are tried"))
            .flag("experimental.hwmon.enabled", "BOOL", "Accepted without effect"),
        key("experimental.hwmon.zones", Form::List, Set(apply::meters::hwmon_zones)).flag(
            "experimental.hwmon.zones",
            "LABEL",
            "Use only the hwmon sensor with this label; may be repeated [default: all known]",
        ),
        key("experimental.hwmon.chipRules", Form::Any, Set(apply::meters::hwmon_chip_rules)),
        key("experimental.gpu.enabled", Form::Switch, Set(apply::gpu::enabled)).flag(
            "experimental.gpu.enabled",
            "BOOL",
            "Read GPUs and other accelerators [default: true; nothing is loaded where there is none]",
        ),
        key("experimental.gpu.idlePower", Form::Number, Set(apply::gpu::idle_power)).flag(
            "experimental.gpu.idle-power",
            "WATTS",
            "Power that each GPU draws when idle; 0 to learn it [default: 0]",
        ),
        key("experimental.gpu.nvmlLibrary", Form::Text, Set(apply::gpu::nvml_library)).flag(
            "experimental.gpu.nvml-library",
            "FILE",
            "NVIDIA's library, where it is not in its usual place [default: libnvidia-ml.so.1]",
        ),
        key("exporter.prometheus.gpusSummed", Form::Switch, Set(apply::gpu::summed)).flag(
            "metrics.gpus-summed",
            "BOOL",
            "Give each workload one series for all GPUs, as Go Kepler does, where there are several [default: false]",
        ),
        key("experimental.gpu.dcgmEndpoint", Form::Text, Set(apply::gpu::dcgm_endpoint)).flag(
            "experimental.gpu.dcgm-endpoint",
            "URL",
            "Where this node's dcgm-exporter serves its metrics: how busy instances (MIG) are [default: not asked]",
        ),
        key("experimental.gpu.podResources", Form::Text, Set(apply::gpu::pod_resources)).flag(
            "experimental.gpu.pod-resources",
            "SOCKET",
            "The kubelet's socket that tells which container has which GPU [default: in its usual place, with --kube.enable]",
        ),
        key(
            "monitor.staleness",
            Form::Duration,
            Nothing("a scrape never starts a measurement here, so none comes too soon after another"),
        ),
        key("exporter.prometheus.debugCollectors", Form::List, Adapt(apply::debug_collectors)),
        key("cpu.preferredMeters", Form::List, Set(apply::meters::preferred_meters)),
        // The same under the name that Kepler gave it after v0.11.
        key("cpu.meters", Form::List, Set(apply::meters::preferred_meters)),
        key("dev.fake-cpu-meter.enabled", Form::Switch, Set(apply::meters::fake_meter)),
        key("dev.fake-cpu-meter.zones", Form::List, Set(apply::meters::fake_zones)),
        key("dev.fake-gpu.enabled", Form::Switch, Set(apply::gpu::fake)),
        key("dev.fake-gpu.users", Form::List, Set(apply::gpu::fake_users)),
        key("facility.region", Form::Text, Set(apply::facility::region)).flag(
            "region",
            "REGION",
            "Where the facility is: an AWS, GCP or Azure region, a country, a grid zone or a city [default: ap-northeast-2]",
        ),
        key("facility.pue", Form::Number, Set(apply::facility::pue)).flag(
            "pue",
            "RATIO",
            "The facility's PUE, 1 or more [default: as the region's provider publishes]",
        ),
        key("facility.pue_basis", Form::Text, Set(apply::facility::pue_basis)).flag(
            "pue-basis",
            "BASIS",
            "How the PUE was determined: measured, published, estimated, assumed [default: assumed]",
        ),
        key("facility.facts", Form::List, Set(apply::facility::facts)).flag(
            "fact",
            "NAME=VALUE",
            "A fact about the site that rules need, such as connection_kw=450, operation_start=2026-09-01 or cool_climate=yes; \
             may be repeated; a verdict names what it lacks",
        ),
        key("carbon.grid_intensity", Form::Number, Set(apply::facility::grid_intensity)).flag(
            "grid-intensity",
            "G_PER_KWH",
            "Intensity of the facility's electricity, gCO2e/kWh [default: the region's]",
        ),
        key("carbon.intensity", Form::Text, Set(apply::intensity::source)).flag(
            "intensity",
            "SOURCE",
            "Grid intensities over time, instead of yearly averages: a file (CSV or JSON), electricity-maps, watttime, uk",
        ),
        key("carbon.intensityMethod", Form::Text, Set(apply::intensity::method)).flag(
            "intensity.method",
            "METHOD",
            "Use only intensities of this method: direct (at the stack), lifecycle [default: the one that suits the region, else the other]",
        ),
        key("carbon.intensityValidity", Form::Duration, Set(apply::intensity::validity)).flag(
            "intensity.validity",
            "DURATION",
            "How long the last value of a series stays valid [default: a file's step, 2h at most; providers: 2h]",
        ),
        key("carbon.intensityTokenFile", Form::Text, Set(apply::intensity::token_file)).flag(
            "intensity.token-file",
            "FILE",
            "Credentials for the provider: a token for Electricity Maps, USER:PASSWORD for WattTime [default: from \
             ELECTRICITY_MAPS_TOKEN, WATTTIME_USER and WATTTIME_PASSWORD]",
        ),
        key("carbon.intensityUrl", Form::Text, Set(apply::intensity::url)).flag(
            "intensity.url",
            "URL",
            "Address of the provider [default: its public address]",
        ),
        key("carbon.intensityRegions", Form::List, Set(apply::intensity::regions)).flag(
            "intensity.region",
            "ZONE=REGION",
            "The provider's own name of a grid zone, as us-east-1=PJM_DC (WattTime) or US-CA=US-CAL-CISO; may be repeated",
        ),
        key("standards.directory", Form::Text, Set(apply::intensity::standards)).flag(
            "standards-dir",
            "DIR",
            "Directory of standards of your own, which add to the built-in ones or override them",
        ),
        key("price.per_kwh", Form::Number, Set(apply::facility::price)).flag(
            "price",
            "AMOUNT",
            "Price of a kilowatt-hour at the facility",
        ),
        key("price.tariff", Form::Text, Set(apply::intensity::tariff)).flag(
            "tariff",
            "TARIFF",
            "Price schedules by time of use: the code of a built-in tariff, or a file",
        ),
        key("price.currency", Form::Text, Set(apply::facility::currency)).flag(
            "currency",
            "CODE",
            "Currency of the price, as ISO 4217 [default: KRW]",
        ),
    ];
