//! Energy from a power model that somebody configured: the [`Configured`] meter.
//!
//! **What it gives the model**: what `/proc/stat` tells of the node: CPU time, software interrupts of block devices and the network,
//! the number of CPUs. A model that wants more, or other quantities under these names, is refused with the reason. CPU
//! time is converted into what published models were trained with, see [`Conversion`].
//!
//! **Scale**: a model describes a machine of a known number of logical CPUs; this may be a virtual machine with a share of them.
//! Idle and dynamic power both scale with that share: `P = s · f(x / s)`, with `s` this node's CPUs over the model's, `x` its
//! rates and `f` the model. A model that is told the number of CPUs itself is not scaled.
//!
//! **Error**: that of the model's own interval, where it knows one; otherwise 50 %, what the estimate by processor class
//! promises ([`CpuClass`](super::estimate::CpuClass)), since published errors are of other rows. A machine
//! unlike the model's widens it: by half of itself for each unit of [distance](crate::model::Difference::distance) (judgement, not measurement).

use super::{EnergyMeter, Method, ReadError, Reading, Refusal, Zone};
use crate::host::{BusyTime, CpuTimesReader, Host, SoftInterrupts, Timestamp};
use crate::model::{BindError, Binding, Conversion, Model, Prediction, Quantity};
use crate::units::{Energy, Power, ZoneKind};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The name in labels and messages.
const NAME: &str = "model-file";
/// One standard deviation, for models that do not know.
const UNKNOWN_ERROR: f64 = 0.5;
/// Half the width of a 90 % interval, in standard deviations of a normal error.
const HALF_WIDTH: f64 = 1.645;
/// What a unit of distance adds to the error, of the error itself.
const WIDENING: f64 = 0.5;
/// The quantities that this meter knows, in the order of its rows.
const GIVEN: [Quantity; 5] = [
    Quantity::Threads,
    Quantity::CpuTime,
    Quantity::BlockInterrupts,
    Quantity::NetworkReceiveInterrupts,
    Quantity::NetworkTransmitInterrupts,
];

/// A model to estimate with.
#[derive(Clone, Debug)]
pub struct ConfiguredModel {
    /// Where it is from, for people: a path or a URL.
    pub name: String,
    /// The model, or why there is none.
    pub model: Result<Arc<Model>, String>,
    /// Logical CPUs of the machine that it describes. Not needed if the model is told the number of CPUs.
    pub host_threads: Option<u32>,
    /// How far that machine is from this one, where known.
    pub distance: Option<f64>,
}

/// One is another if it came from elsewhere.
impl PartialEq for ConfiguredModel {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.host_threads == other.host_threads
    }
}

impl Eq for ConfiguredModel {}

/// Estimates energy with a configured model. See the [module](self).
#[derive(Debug)]
pub struct Configured {
    model: Arc<Model>,
    binding: Binding,
    zones: Vec<Zone>,
    totals: Vec<Energy>,
    error_ratio: f64,
    /// The CPUs of the model's machine; `None` if it is told them.
    host_threads: Option<u32>,
    reader: CpuTimesReader,
    busy: BusyTime,
    interrupts: Option<SoftInterrupts>,
    row: Vec<f64>,
    features: Vec<f64>,
}

impl Configured {
    /// Binds the model to what this host tells.
    ///
    /// # Errors
    /// There is no model; it wants what is not measured, or other quantities under the same names; nobody says how
    /// large its machine is; the host tells no CPU times.
    pub fn open(host: &Host, configured: &ConfiguredModel) -> Result<Self, Refusal> {
        let refuse =
            |reason: String, remedy: &str| Refusal::new(NAME, format!("{}: {reason}", configured.name), remedy);
        let model = match &configured.model {
            Ok(model) => Arc::clone(model),
            Err(reason) => return Err(Refusal::new(NAME, reason.clone(), "configure another model")),
        };
        let unreadable = |error: crate::host::CpuTimesError| refuse(error.to_string(), "mount procfs");
        let mut reader = CpuTimesReader::open(host).map_err(unreadable)?;
        let threads = reader.read().map_err(unreadable)?.processors.max(1);

        let is_told = model.features().iter().any(|name| model.semantics().quantity(name) == Quantity::Threads);
        let host_threads = if is_told { None } else { Some(configured.host_threads.filter(|&count| count > 0)) };
        let host_threads = match host_threads {
            Some(None) => {
                let remedy = "say it with --model.host-threads, or name a model in its pipeline's directory";
                return Err(refuse("nobody says how many logical CPUs its machine has".to_owned(), remedy));
            }
            Some(known) => known,
            None => None,
        };
        // Interrupts cannot be bound where the kernel does not tell them.
        let given = if reader.soft_interrupts().is_some() { &GIVEN[..] } else { GIVEN.split_at(2).0 };
        let conversion = Conversion::Allow { threads: host_threads.unwrap_or(threads) };
        let binding = model.bind(given, conversion).map_err(|error| {
            let remedy = match error {
                BindError::Undeclared { .. } => "say what its features mean with --model.semantics",
                BindError::Semantics { .. } => "use a model that was trained with what this host counts",
                BindError::Missing { .. } => "use a model of CPU time, such as those of the group BPFOnly",
            };
            refuse(error.to_string(), remedy)
        })?;
        let mut meter = Configured {
            zones: Vec::new(),
            totals: Vec::new(),
            error_ratio: UNKNOWN_ERROR,
            host_threads,
            reader,
            busy: BusyTime::default(),
            interrupts: None,
            row: Vec::new(),
            features: Vec::new(),
            binding,
            model,
        };
        let idle = meter.predict(threads, 0.0, [0.0; 3]).map_err(|error| refuse(error, "configure another model"))?;
        let half = meter.predict(threads, 500.0 * f64::from(threads), [0.0; 3]);
        meter.error_ratio = half.map_or(UNKNOWN_ERROR, |half| meter.own_error(&half));
        meter.error_ratio *= 1.0 + WIDENING * configured.distance.unwrap_or_default();
        let scale = meter.share(threads);
        for component in meter.model.components() {
            let mut zone =
                Zone::new(component.zone(), format!("{} by {}", host.procfs().join("stat").display(), configured.name));
            zone.idle_power = idle.power(component.zone()).map(|power| power * scale);
            zone.max_power =
                Power::from_watts(zone.max_power.watts().max(meter.model.ceiling(component.zone()).watts()));
            meter.zones.push(zone);
        }
        meter.totals = vec![Energy::ZERO; meter.zones.len()];
        Ok(meter)
    }

    /// What the model's own interval makes of its error, one standard deviation.
    fn own_error(&self, half: &Prediction) -> f64 {
        let zone = self.zones_by_size().find(|&zone| half.power(zone).is_some_and(|power| power > Power::ZERO));
        let ratio = zone.and_then(|zone| {
            let interval = self.model.interval(&self.features, half, zone)?;
            let width = (interval.upper - interval.lower).watts();
            Some(width / 2.0 / HALF_WIDTH / half.power(zone)?.watts())
        });
        ratio.filter(|ratio| ratio.is_finite()).unwrap_or(UNKNOWN_ERROR)
    }

    fn zones_by_size(&self) -> impl Iterator<Item = ZoneKind> {
        [ZoneKind::Psys, ZoneKind::Package, ZoneKind::Core, ZoneKind::Dram, ZoneKind::Uncore].into_iter()
    }

    /// This node's CPUs over those of the model's machine.
    fn share(&self, threads: u32) -> f64 {
        self.host_threads.map_or(1.0, |host| f64::from(threads) / f64::from(host))
    }

    /// What the model says of its whole machine, if all of it did what this node does.
    fn predict(&mut self, threads: u32, cpu_time: f64, interrupts: [f64; 3]) -> Result<Prediction, String> {
        let share = self.share(threads);
        self.row.clear();
        self.row.push(f64::from(threads));
        self.row.extend([cpu_time].iter().chain(&interrupts).map(|rate| rate / share));
        self.binding.apply(&self.row, &mut self.features);
        self.model.predict(&self.features).map_err(|error| error.to_string())
    }

    /// Adds the energy of the window that ends `at`.
    fn advance(&mut self, at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) -> Result<(), io::Error> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
        let times = self.reader.read().map_err(|error| invalid(error.to_string()))?;
        let now = self.reader.soft_interrupts();
        let window = self.busy.advance(times, at);
        let before = std::mem::replace(&mut self.interrupts, now);
        let Some(window) = window.filter(|window| !window.elapsed.is_zero()) else {
            readings.extend(self.totals.iter().map(|&total| Ok(Reading::Counter(total))));
            return Ok(());
        };
        let seconds = window.elapsed.as_secs_f64();
        let rate = |field: fn(&SoftInterrupts) -> u64| match (&before, &now) {
            (Some(before), Some(now)) => field(now).saturating_sub(field(before)) as f64 / seconds,
            _ => 0.0,
        };
        let interrupts = [rate(|i| i.block), rate(|i| i.network_receive), rate(|i| i.network_transmit)];
        let threads = times.processors.max(1);
        let cpu_time = milliseconds(window.busy) / seconds;
        let prediction = self.predict(threads, cpu_time, interrupts).map_err(invalid)?;
        if prediction.clipped() > 0 {
            tracing::debug!(components = prediction.clipped(), "a prediction was absurd, and clipped");
        }
        let share = self.share(threads);
        for (zone, total) in self.zones.iter().zip(&mut self.totals) {
            readings.push(match prediction.power(zone.kind) {
                Some(power) => {
                    *total += power * share * window.elapsed;
                    Ok(Reading::Counter(*total))
                }
                None => Err(ReadError {
                    path: zone.path.clone(),
                    source: invalid("the model gives no number for what the machine does now".to_owned()),
                }),
            });
        }
        Ok(())
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl EnergyMeter for Configured {
    fn source(&self) -> &'static str {
        NAME
    }

    fn method(&self) -> Method {
        Method::Estimated { error_ratio: self.error_ratio }
    }

    fn zones(&self) -> &[Zone] {
        &self.zones
    }

    fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        readings.clear();
        if let Err(error) = self.advance(at, readings) {
            readings.clear();
            let (kind, text) = (error.kind(), error.to_string());
            let failed =
                |zone: &Zone| ReadError { path: zone.path.clone(), source: io::Error::new(kind, text.clone()) };
            readings.extend(self.zones.iter().map(|zone| Err(failed(zone))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Semantics;
    use std::fs;
    use std::path::Path;

    const PUBLISHED: &str = r#"{"package": {"All_Weights": {"Bias_Weight": 144.0, "Categorical_Variables": {},
        "Numerical_Variables": {"bpf_cpu_time_ms": {"scale": 96000.0, "weight": 288.0},
        "bpf_page_cache_hit": {"scale": 1.0, "weight": 0.0}}}}}"#;

    fn configured(json: &str, semantics: Semantics, host_threads: Option<u32>) -> ConfiguredModel {
        let model = Model::from_json("SGDRegressorTrainer_0", json.as_bytes()).unwrap().with_semantics(semantics);
        ConfiguredModel { name: "a model".to_owned(), model: Ok(Arc::new(model)), host_threads, distance: None }
    }

    /// A node of two CPUs that have been busy and idle so long, in ticks of 10 ms.
    fn stat(procfs: &Path, busy: u64, idle: u64) {
        let line = |name: &str, share: u64| format!("{name} {} 0 0 {} 0 0 0 0 0 0\n", busy / share, idle / share);
        let text = format!("{}{}{}softirq 10 0 0 1 2 3 0 0 0 0 4\n", line("cpu ", 1), line("cpu0", 2), line("cpu1", 2));
        fs::write(procfs.join("stat"), text).unwrap();
    }

    fn at(seconds: u64) -> Timestamp {
        let start = Timestamp { monotonic: Duration::ZERO, boottime: Duration::ZERO, wall: std::time::UNIX_EPOCH };
        start.advanced(Duration::from_secs(seconds))
    }

    fn joules(meter: &mut Configured, at: Timestamp) -> f64 {
        let mut readings = Vec::new();
        meter.read(at, &mut readings);
        match readings.as_slice() {
            [Ok(Reading::Counter(energy))] => energy.joules(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn idle_and_dynamic_power_scale_with_the_share_of_the_host() {
        let procfs = tempfile::tempdir().unwrap();
        stat(procfs.path(), 0, 0);
        let host = Host::default().with_procfs(procfs.path());
        let mut meter = Configured::open(&host, &configured(PUBLISHED, Semantics::Exporter0711, Some(96))).unwrap();
        // The published model's idle machine of 96 CPUs, with the CPU that it counts as busy: 147 W.
        let idle = meter.zones()[0].idle_power.unwrap().watts();
        assert!((idle - 147.0 * 2.0 / 96.0).abs() < 1e-9, "{idle}");
        assert_eq!(joules(&mut meter, at(0)), 0.0);
        stat(procfs.path(), 0, 2000);
        let after_idle = joules(&mut meter, at(10));
        assert!((after_idle - 10.0 * idle).abs() < 1e-3, "{after_idle}");
        // Both CPUs busy for 10 s: as the whole host at full load, and there the phantom vanishes.
        stat(procfs.path(), 2000, 2000);
        let full = joules(&mut meter, at(20)) - after_idle;
        assert!((full - 10.0 * (144.0 + 288.0) * 2.0 / 96.0).abs() < 1e-3, "{full}");
    }

    #[test]
    fn other_quantities_under_the_same_names_are_refused_with_the_reason() {
        let counters = PUBLISHED.replace("bpf_cpu_time_ms", "cache_miss").replace("bpf_page_cache_hit", "cpu_cycles");
        let open = |configured| Configured::open(&Host::default(), &configured).unwrap_err();
        let refusal = open(configured(&counters, Semantics::Exporter0711, Some(96)));
        assert!(refusal.reason.contains("dTLB read accesses"), "{refusal}");
        let refusal = open(configured(PUBLISHED, Semantics::Undeclared, Some(96)));
        assert!(refusal.remedy.contains("--model.semantics"), "{refusal}");
        let refusal = open(configured(PUBLISHED, Semantics::Exporter0711, None));
        assert!(refusal.remedy.contains("--model.host-threads"), "{refusal}");
        let none = ConfiguredModel {
            model: Err("no such file".to_owned()),
            ..configured(PUBLISHED, Semantics::AsNamed, None)
        };
        assert!(open(none).reason.contains("no such file"));
    }

    #[test]
    fn a_machine_unlike_the_models_widens_the_error() {
        let near = configured(PUBLISHED, Semantics::SpecPower, Some(4));
        let far = ConfiguredModel { distance: Some(1.0), ..near.clone() };
        let error = |configured| match Configured::open(&Host::default(), configured).unwrap().method() {
            Method::Estimated { error_ratio } => error_ratio,
            Method::Measured => panic!("an estimate is not measured"),
        };
        assert_eq!((error(&near), error(&far)), (0.5, 0.75));
    }

    #[test]
    fn a_host_that_stops_telling_is_an_error_of_each_zone_and_the_gap_is_covered_later() {
        let procfs = tempfile::tempdir().unwrap();
        stat(procfs.path(), 0, 0);
        let host = Host::default().with_procfs(procfs.path());
        let mut meter = Configured::open(&host, &configured(PUBLISHED, Semantics::SpecPower, Some(2))).unwrap();
        joules(&mut meter, at(0));
        fs::write(procfs.path().join("stat"), "nonsense").unwrap();
        let mut readings = Vec::new();
        meter.read(at(5), &mut readings);
        assert!(matches!(readings.as_slice(), [Err(_)]));
        stat(procfs.path(), 0, 2000);
        assert!((joules(&mut meter, at(10)) - 1440.0).abs() < 1e-3);
    }
}
