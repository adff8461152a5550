//! What the whole machine draws by the second, where a calibration has learned that from a meter that is slow or gone.

use crate::calibration::wall::WallModel;
use crate::host::Timestamp;
use crate::meter::Method;
use crate::platform::{PlatformBoard, PlatformMeter, PlatformReading};
use crate::snapshot::Snapshot;
use crate::units::{Power, ZoneKind};
use std::time::Duration;

/// The word that stands for such a figure where a meter's would.
pub(super) const SOURCE: &str = "calibration";
/// Parts are read at every tick: one that is older than this is not now's.
const MAX_AGE: Duration = Duration::from_secs(30);
/// The error that is shown is a new one where it differs by so much.
const SHOWN_ERROR: f64 = 0.005;

/// The estimate of a machine that was calibrated.
pub(super) struct Estimate {
    model: WallModel,
    meter: PlatformMeter,
}

impl Estimate {
    pub(super) fn new(model: WallModel) -> Self {
        let meter = PlatformMeter::new(SOURCE, "", "").with(|meter| {
            (meter.source_type, meter.path) = ("Estimate".into(), "package, dram, gpu".into());
            (meter.source_id, meter.source_name) = (model.source.as_str().into(), model.source.as_str().into());
            meter.contains_gpus = model.gpus.is_some();
            (meter.max_age, meter.max_gap) = (MAX_AGE, MAX_AGE);
        });
        Estimate { model, meter }
    }

    /// Reports what the machine draws by what its parts do now, where all of them are known.
    pub(super) fn report(&mut self, board: &PlatformBoard, at: Timestamp, snapshot: &Snapshot) {
        let node = &snapshot.node;
        let watts = |kind: ZoneKind| node.power(kind).map(Power::watts);
        let Some(package) = node.processors_power().map(Power::watts) else { return };
        let (dram, gpus) = (watts(ZoneKind::Dram), watts(ZoneKind::Gpu));
        let Some(wall) = self.model.watts(package, dram, gpus) else { return };
        let weighed = [
            (ZoneKind::Package, Some(self.model.package), Some(package)),
            (ZoneKind::Dram, self.model.dram, dram),
            (ZoneKind::Gpu, self.model.gpus, gpus),
        ];
        let (mut parts, mut error) = (0.0, 0.0);
        for (kind, weight, watts) in weighed {
            let (Some(weight), Some(watts)) = (weight, watts) else { continue };
            parts += watts;
            // What is estimated itself has an error of its own.
            let error_ratio = node.zones[kind].as_ref().and_then(|zone| zone.method.error_ratio());
            error += error_ratio.unwrap_or(0.0) * weight * watts;
        }
        let error_ratio = (self.model.error_ratio(wall, parts) + error / wall.max(1.0)).min(1.0);
        let shown = self.meter.method.error_ratio();
        if shown.is_none_or(|shown| (shown - error_ratio).abs() > SHOWN_ERROR) {
            self.meter.method = Method::Estimated { error_ratio };
        }
        board.report(&self.meter, PlatformReading::new(Power::from_watts(wall), at));
    }
}
