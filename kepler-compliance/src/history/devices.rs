//! Energy of accelerators, and of workloads on each of them, since the last record.
//!
//! Counters are compared with those of the snapshot read before, and what they rose is kept until it is stored, so that a
//! write that fails loses nothing. They count as [`differ`](crate::differ) says.

use super::account::Accounts;
use super::columns::microjoules;
use crate::differ::{ZoneCounters, risen};
use crate::units::Energy;
use crate::view::{WorkloadKind, for_each_listed, weaker};
use kepler_core::device::{Device, SharesBy};
use kepler_core::host::Timestamp;
use kepler_core::meter::Method;
use kepler_core::snapshot::{AnyRow, Snapshot};
use rusqlite::{Transaction, params};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How shares were found, the strongest first: what stands later is weaker.
pub(super) const SHARES: &str = "utilisation instance_activity instance_slices allocation";

/// How energy came to be, in the same order.
const METHODS: &str = "measured partial estimated";

/// What accelerators drew, and workloads used of them.
#[derive(Debug, Default)]
pub(super) struct DeviceAccounts {
    reading: u64,
    /// The snapshot read last.
    read: Option<(u64, Timestamp)>,
    counters: HashMap<Arc<str>, ZoneCounters>,
    workloads: HashMap<(WorkloadKind, String), Account>,
    drawn: BTreeMap<Arc<str>, Drawn>,
    used: BTreeMap<(WorkloadKind, String, Arc<str>), Used>,
}

/// The counters of a workload, by accelerator.
#[derive(Debug, Default)]
struct Account {
    seen: u64,
    counters: Vec<(Arc<str>, Energy)>,
}

/// What an accelerator drew and that is not stored yet.
#[derive(Debug)]
struct Drawn {
    device: Arc<Device>,
    source: &'static str,
    method: Method,
    shares_by: Option<SharesBy>,
    counted: ZoneCounters,
}

/// What a workload used of an accelerator and that is not stored yet.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    energy: Energy,
    shares_by: Option<SharesBy>,
}

impl DeviceAccounts {
    /// Reads the counters.
    pub(super) fn read(&mut self, snapshot: &Snapshot) {
        let before = self.read.replace((snapshot.sequence, snapshot.at));
        let has_any = !snapshot.devices.is_empty() || !self.counters.is_empty();
        if !has_any || before == self.read {
            return;
        }
        self.reading += 1;
        let is_first = before.is_none();
        if before.is_some_and(|before| self.has_restarted(before, snapshot)) {
            self.counters.clear();
            self.workloads.clear();
        }
        self.read_devices(snapshot, is_first);
        for_each_listed(snapshot, |row, _| self.read_workload(snapshot, &row, is_first));
        // When one comes back its counter has begun at zero again.
        let reading = self.reading;
        self.workloads.retain(|_, account| account.seen == reading);
    }

    fn has_restarted(&self, (sequence, at): (u64, Timestamp), snapshot: &Snapshot) -> bool {
        let is_earlier = snapshot.sequence <= sequence || snapshot.at.boottime < at.boottime;
        let fell = |uuid: &Arc<str>, now| self.counters.get(uuid).is_some_and(|before| before.energy > now);
        is_earlier || snapshot.devices.iter().any(|row| fell(&row.device.uuid, row.energy))
    }

    fn read_devices(&mut self, snapshot: &Snapshot, is_first: bool) {
        for row in &snapshot.devices {
            let now = ZoneCounters {
                energy: row.energy,
                active: row.active_energy,
                idle: row.idle_energy,
                unattributed: row.unattributed_energy,
            };
            let before = self.counters.insert(Arc::clone(&row.device.uuid), now);
            let counted = if is_first { ZoneCounters::default() } else { now.since(&before.unwrap_or_default()) };
            let drawn = self.drawn.entry(Arc::clone(&row.device.uuid)).or_insert_with(|| Drawn {
                device: Arc::clone(&row.device),
                source: row.source,
                method: row.method,
                shares_by: None,
                counted: ZoneCounters::default(),
            });
            drawn.device = Arc::clone(&row.device);
            drawn.method = drawn.method.weaker(row.method);
            drawn.shares_by = weaker(drawn.shares_by, row.shares_by);
            drawn.counted = drawn.counted.plus(&counted);
        }
    }

    fn read_workload(&mut self, snapshot: &Snapshot, row: &AnyRow<'_>, is_first: bool) {
        if row.devices.is_empty() {
            return;
        }
        let (kind, uid) = (row.kind(), row.identity().to_string());
        // A history keeps no single processes, but all of one name together.
        let own = if kind == WorkloadKind::Process { row.name().to_owned() } else { uid.clone() };
        let account = self.workloads.entry((kind, uid)).or_default();
        // Of rows with one identity the first counts, which is the running one.
        if account.seen == self.reading {
            return;
        }
        account.seen = self.reading;
        for used in row.devices {
            let device = usize::try_from(used.device).ok().and_then(|place| snapshot.devices.get(place));
            let Some(uuid) = device.map(|device| &device.device.uuid) else { continue };
            let known = account.counters.iter_mut().find(|(known, _)| known == uuid);
            let before = match known {
                Some((_, counter)) => std::mem::replace(counter, used.energy),
                None => {
                    account.counters.push((Arc::clone(uuid), used.energy));
                    Energy::ZERO
                }
            };
            let energy = risen(before, used.energy);
            if is_first || energy == Energy::ZERO {
                continue;
            }
            let sum = self.used.entry((kind, own.clone(), Arc::clone(uuid))).or_default();
            sum.energy += energy;
            sum.shares_by = weaker(sum.shares_by, used.shares_by);
        }
    }

    /// Writes what is not stored yet. Workloads that have no row yet have used nothing.
    pub(super) fn write(
        &self,
        transaction: &Transaction<'_>,
        block: i64,
        interval: i64,
        accounts: &Accounts,
    ) -> rusqlite::Result<()> {
        let mut ids: HashMap<&Arc<str>, i64> = HashMap::new();
        for (uuid, drawn) in &self.drawn {
            ids.insert(uuid, write_device(transaction, block, interval, drawn)?);
        }
        for ((kind, own, uuid), used) in &self.used {
            let workload = accounts.row(*kind, own).filter(|row| row.block == block);
            let (Some(workload), Some(device)) = (workload, ids.get(uuid)) else { continue };
            let mut add = transaction.prepare_cached(
                "INSERT INTO workload_device_energy VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET energy_uj = energy_uj + excluded.energy_uj,
                     shares_by = CASE WHEN coalesce(instr(?7, excluded.shares_by), 0) > coalesce(instr(?7, shares_by), 0)
                         THEN excluded.shares_by ELSE shares_by END",
            )?;
            let shares_by = used.shares_by.map(SharesBy::name);
            add.execute(params![block, workload.id, device, interval, microjoules(used.energy), shares_by, SHARES])?;
        }
        Ok(())
    }

    /// What was read is stored now.
    pub(super) fn commit(&mut self) {
        self.drawn.clear();
        self.used.clear();
    }
}

/// Writes what an accelerator drew; returns its row.
fn write_device(transaction: &Transaction<'_>, block: i64, interval: i64, drawn: &Drawn) -> rusqlite::Result<i64> {
    let Drawn { device, source, method, shares_by, counted } = drawn;
    let id = transaction
        .prepare_cached(
            "INSERT INTO device (uuid, gpu, vendor, name) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET gpu = excluded.gpu, vendor = excluded.vendor, name = excluded.name RETURNING id",
        )?
        .query_row(params![&*device.uuid, device.index, device.vendor, &*device.name], |row| row.get(0))?;
    transaction
        .prepare_cached(
            "INSERT INTO device_source VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET source = excluded.source,
                 method = CASE WHEN instr(?7, excluded.method) > instr(?7, method) THEN excluded.method ELSE method END,
                 error_ratio = coalesce(max(error_ratio, excluded.error_ratio), error_ratio, excluded.error_ratio),
                 shares_by = CASE WHEN coalesce(instr(?8, excluded.shares_by), 0) > coalesce(instr(?8, shares_by), 0)
                     THEN excluded.shares_by ELSE shares_by END",
        )?
        .execute(params![
            block,
            id,
            source,
            method.name(),
            method.error_ratio(),
            shares_by.map(SharesBy::name),
            METHODS,
            SHARES
        ])?;
    transaction
        .prepare_cached(
            "INSERT INTO device_energy VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET energy_uj = energy_uj + excluded.energy_uj,
                 active_uj = active_uj + excluded.active_uj, idle_uj = idle_uj + excluded.idle_uj,
                 unattributed_uj = unattributed_uj + excluded.unattributed_uj",
        )?
        .execute(params![
            block,
            id,
            interval,
            microjoules(counted.energy),
            microjoules(counted.active),
            microjoules(counted.idle),
            microjoules(counted.unattributed)
        ])?;
    Ok(id)
}

/// A way in which shares were found, by its name.
pub(super) fn shares_of(name: Option<&str>) -> Option<SharesBy> {
    let all = [SharesBy::Utilisation, SharesBy::InstanceActivity, SharesBy::InstanceSlices, SharesBy::Allocation];
    all.into_iter().find(|known| Some(known.name()) == name)
}

/// What stands in columns `method` and `error_ratio`.
pub(super) fn method_of(name: &str, error_ratio: Option<f64>) -> Method {
    let error_ratio = error_ratio.unwrap_or(1.0);
    match name {
        "measured" => Method::Measured,
        "partial" => Method::Partial { error_ratio },
        _ => Method::Estimated { error_ratio },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weaker_way_stands_later_and_is_found_by_its_name() {
        let ways =
            ["utilisation", "instance_activity", "instance_slices", "allocation"].map(|name| shares_of(Some(name)));
        assert!(ways.windows(2).all(|two| two[0] < two[1]), "{ways:?}");
        let places = ways.map(|way| SHARES.find(way.unwrap().name()));
        assert!(places.windows(2).all(|two| two[0] < two[1]), "{places:?}");
        assert_eq!((shares_of(Some("guess")), shares_of(None)), (None, None));
    }
}
