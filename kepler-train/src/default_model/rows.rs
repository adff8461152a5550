//! The measured machines that the default model is learned from.

use crate::compare::Folder;
use crate::{Table, TrainError};
use kepler_core::calibration::LoadPoint;
use kepler_core::meter::estimate::CpuClass;

/// A measured machine.
pub(super) struct Machine {
    pub(super) name: &'static str,
    class: &'static str,
    /// Nominal frequency, where the processor's name states it.
    ghz: Option<f64>,
    pub(super) threads: u32,
    /// Busy share of its logical CPUs, and measured watts of one of them.
    pub(super) rows: Vec<(f64, f64)>,
}

/// Where the rows of a machine are.
struct RowSource {
    file: &'static str,
    /// Column that distinguishes machines, and its value for this one.
    column: &'static str,
    value: &'static str,
    cpu_time: &'static str,
    /// The exporter that recorded the EC2 rows counted about one CPU that was not there.
    phantom_cpus: f64,
}

const EC2: fn(&'static str) -> RowSource = |value| RowSource {
    file: "ec2/ec2_rows.csv",
    column: "instance",
    value,
    cpu_time: "bpf_cpu_time_ms",
    phantom_cpus: 1.0,
};
const NX12: fn(&'static str) -> RowSource = |value| RowSource {
    file: "nx12/preprocess_abs_default_rapl_BPFOnly.csv",
    column: "node_type",
    value,
    // Milliseconds, whatever it is called.
    cpu_time: "bpf_cpu_time_us",
    phantom_cpus: 0.0,
};

impl Machine {
    /// The full-load power of one of its logical CPUs that scales the curve, and the same without its frequency, W.
    pub(super) fn watts(&self) -> (f64, f64) {
        CpuClass::named(self.class).map_or((f64::NAN, f64::NAN), |class| {
            let class = self.ghz.map_or(class.clone(), |ghz| class.at(ghz));
            (class.scale_watts(), class.rest_watts())
        })
    }

    /// What `kepler calibrate` would have seen: the twentieth of the rows with the least load, and that with the most.
    pub(super) fn idle_and_full(&self) -> Vec<LoadPoint> {
        let mut rows = self.rows.clone();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let count = (rows.len() / 20).max(1);
        let mean = |rows: &mut dyn Iterator<Item = &(f64, f64)>| {
            let (mut busy_share, mut watts) = (0.0, 0.0);
            for (busy, power) in rows.take(count) {
                busy_share += busy / count as f64;
                watts += power / count as f64;
            }
            LoadPoint::new(busy_share, watts, 1.0)
        };
        vec![mean(&mut rows.iter()), mean(&mut rows.iter().rev())]
    }

    pub(super) fn describe(&self) -> String {
        let ghz = self.ghz.map(|ghz| format!(", {ghz} GHz")).unwrap_or_default();
        format!("{} ({}, {} threads{ghz})", self.name, self.class, self.threads)
    }
}

/// All of them.
pub(super) fn read(folder: &Folder) -> Result<Vec<Machine>, TrainError> {
    [
        ("m5.metal", "Cascade Lake", Some(2.5), 96, EC2("m5.metal")),
        ("c5.metal", "Cascade Lake", Some(3.0), 96, EC2("c5.metal")),
        ("r5.metal", "Cascade Lake", Some(2.5), 96, EC2("r5.metal")),
        ("m5zn.metal", "Cascade Lake", Some(3.8), 48, EC2("m5zn.metal")),
        ("i3.metal", "Broadwell", Some(2.3), 72, EC2("i3.metal")),
        ("m7i.metal-24xl", "Sapphire Rapids", None, 96, EC2("m7i.metal-24xl")),
        ("nx12", "Haswell", None, 32, NX12("1")),
    ]
    .into_iter()
    .map(|(name, class, ghz, threads, source)| {
        let rows = rows(folder, &source, f64::from(threads))?;
        if rows.is_empty() {
            let what = format!("no rows of {name}");
            return Err(TrainError::Declaration { name: source.file.to_owned(), what });
        }
        Ok(Machine { name, class, ghz, threads, rows })
    })
    .collect()
}

fn rows(folder: &Folder, source: &RowSource, threads: f64) -> Result<Vec<(f64, f64)>, TrainError> {
    let table = Table::open(folder.path(source.file))?;
    let (groups, names) = table.groups(source.column)?;
    let wanted = names.iter().position(|name| name == source.value);
    let rows = groups.iter().zip(table.cells(source.cpu_time)?).zip(table.cells("package_power")?);
    let rows = rows.filter(|((group, time), watts)| Some(**group) == wanted && time.is_finite() && **watts > 1.0);
    let row = |((_, time), watts): ((&usize, &f64), &f64)| {
        ((time / 1000.0 - source.phantom_cpus).clamp(0.0, threads) / threads, watts / threads)
    };
    Ok(rows.map(row).collect())
}
