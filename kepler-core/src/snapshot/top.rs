//! The workloads with the highest power, across kinds, none counted twice.

use super::{AnyRow, NodeZone, Snapshot};
use crate::meter::Method;
use crate::units::{PerZone, Power, ZoneKind};
use crate::workload::WorkloadKind;
use std::fmt;

/// The biggest users of a moment, and what is left. All of it adds up:
/// `total = idle + unattributed + others + Σ users`, but for a package that was read at another time than its parts.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Top<'a> {
    /// The biggest users, the biggest first.
    pub users: Vec<TopUser<'a>>,
    /// How many other workloads drew anything.
    pub others: usize,
    /// What these drew together.
    pub others_power: Power,
    /// Power that work caused and no listed workload explains.
    pub unattributed: Power,
    /// What an idle machine draws all the same.
    pub idle: Power,
    /// The whole machine, as far as it is read: package and memory, or the platform where there is neither.
    pub total: Power,
}

/// A user of power.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TopUser<'a> {
    /// Who it is.
    pub row: AnyRow<'a>,
    /// Active power in the zones that make up [`Top::total`].
    pub power: Power,
}

impl Snapshot {
    /// The `count` workloads that drew most over the last interval, whatever their kind. None of them contains
    /// another: containers, systemd units, batch jobs (with their containers in them), and the processes and
    /// commands that are in none of these.
    ///
    /// `None` as long as no power is known.
    ///
    /// ```
    /// use kepler_core::{host::Host, sampler::Sampler};
    ///
    /// let mut sampler = Sampler::new(&Host::default(), Default::default())?;
    /// sampler.tick();
    /// let snapshot = sampler.tick();
    /// if let Some(top) = snapshot.top(3) {
    ///     println!("{top:.1}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn top(&self, count: usize) -> Option<Top<'_>> {
        let zones = self.counted_zones()?;
        let sum = |power: &PerZone<Power>| -> Power {
            power.iter().filter(|(zone, _)| zones[*zone]).map(|(_, &power)| power).sum()
        };
        let mut users = Vec::new();
        self.for_each(|row| {
            let power = sum(row.power);
            if power > Power::ZERO && is_apart(&row) {
                users.push(TopUser { row, power });
            }
        });
        // A stable sort: equal ones stay in the order of the snapshot.
        users.sort_by(|a, b| b.power.watts().total_cmp(&a.power.watts()));
        let known: Power = users.iter().map(|user| user.power).sum();
        let others = users.split_off(count.min(users.len()));
        let node = |part: fn(&super::ZonePower) -> Power| -> Power {
            let powers = self.node.zones().filter(|(zone, _)| zones[*zone]).filter_map(|(_, zone)| zone.power.as_ref());
            powers.map(part).sum()
        };
        let active = node(|power| power.active);
        Some(Top {
            users,
            others: others.len(),
            others_power: others.iter().map(|user| user.power).sum(),
            unattributed: Power::from_watts((active - known).watts().max(0.0)),
            idle: node(|power| power.idle),
            total: node(|power| power.total),
        })
    }

    /// The zones whose power may be added and is known.
    fn counted_zones(&self) -> Option<PerZone<bool>> {
        let zones = self.counted_of(|zone| zone.power.is_some());
        zones.iter().any(|(_, &counts)| counts).then_some(zones)
    }

    /// The zones whose sum is the machine: none of them contains another, and a platform that is measured stands for
    /// processors and memory that are but estimated.
    #[must_use]
    pub fn machine_zones(&self) -> PerZone<bool> {
        self.counted_of(|_| true)
    }

    fn counted_of(&self, is_known: impl Fn(&NodeZone) -> bool) -> PerZone<bool> {
        let known = |zone: ZoneKind| self.node.zones[zone].as_ref().is_some_and(&is_known);
        // A platform counter that does not move, as hypervisors show one, measures nothing.
        let is_estimated = |kind: ZoneKind| {
            self.node.zones[kind].as_ref().is_some_and(|zone| {
                let draws = zone.power.as_ref().is_some_and(|power| power.total > Power::ZERO);
                matches!(zone.method, Method::Estimated { .. }) || (kind == ZoneKind::Psys && !draws)
            })
        };
        ZoneKind::addable_unless_estimated(known, is_estimated)
    }
}

/// Whether a workload is in no other one that is shown as well.
fn is_apart(row: &AnyRow<'_>) -> bool {
    let parents = row.parents();
    let is_outside = parents.container.is_none() && parents.job.is_none() && parents.unit.is_none();
    match row.kind() {
        WorkloadKind::Container => parents.job.is_none(),
        WorkloadKind::Unit => true,
        WorkloadKind::Job => parents.container.is_none(),
        WorkloadKind::Process | WorkloadKind::Command => is_outside,
        // A pod is its containers, a virtual machine is a process.
        _ => false,
    }
}

/// One line a user, the biggest first, then what is left. Precision is that of the watts.
impl fmt::Display for Top<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = f.precision().unwrap_or(2);
        let mut line = |power: Power, kind: &str, name: &dyn fmt::Display| {
            writeln!(f, "{power:>12.precision$}  {kind:<12} {name}")
        };
        for user in &self.users {
            let (kind, identity) = (user.row.kind().name(), user.row.identity());
            match user.row.name() {
                "" => line(user.power, kind, &identity)?,
                name => line(user.power, kind, &name)?,
            }
        }
        line(self.others_power, "others", &self.others)?;
        line(self.unattributed, "unattributed", &"")?;
        line(self.idle, "idle", &"")?;
        line(self.total, "total", &"")
    }
}

#[cfg(test)]
mod tests {
    use crate::host::Timestamp;
    use crate::meter::Method;
    use crate::snapshot::{NodeZone, Row, Snapshot, State, ZonePower};
    use crate::units::{PerZone, Power, ZoneKind};
    use crate::workload::{CommandInfo, ContainerInfo, JobInfo, PodInfo, ProcessInfo, UnitInfo, VmInfo};
    use std::sync::Arc;

    fn row<Info>(info: impl Into<Arc<Info>>, watts: f64) -> Row<Info> {
        let mut row = Row::new(info, State::Running);
        // A core is part of its package: not added.
        row.power[ZoneKind::Package] = Power::from_watts(watts);
        row.power[ZoneKind::Core] = Power::from_watts(watts);
        row
    }

    fn zone(total: f64, active: f64) -> NodeZone {
        let mut zone = NodeZone::new("/", "fake", Method::Measured);
        let [total, active, idle] = [total, active, total - active].map(Power::from_watts);
        zone.power = Some(ZonePower { total, active, idle });
        zone
    }

    fn host() -> Snapshot {
        let mut snapshot = Snapshot::empty(Timestamp::now());
        snapshot.node.zones[ZoneKind::Package] = Some(zone(60.0, 40.0));
        snapshot.node.zones[ZoneKind::Core] = Some(zone(50.0, 39.0));
        let job = Arc::new(JobInfo::new("7", "slurm", "/slurm/job_7"));
        let pod = Arc::new(PodInfo::new("uid"));
        let unit = Arc::new(UnitInfo::new("machine-qemu.scope", "/machine.slice/machine-qemu.scope"));
        let (mut web, mut inside) = (ContainerInfo::new("web", "docker"), ContainerInfo::new("inside", "podman"));
        web.pod = Some(Arc::clone(&pod));
        inside.job = Some(Arc::clone(&job));
        let process = |pid, change: &dyn Fn(&mut ProcessInfo)| {
            let mut info = ProcessInfo::new(pid, 1, "work");
            change(&mut info);
            info
        };
        snapshot.processes = vec![
            row(process(1, &|_| {}), 1.0),
            row(process(2, &|info| info.container = Some(Arc::new(web.clone()))), 9.0),
            row(process(3, &|info| info.unit = Some(Arc::clone(&unit))), 6.0),
            row(process(4, &|info| info.job = Some(Arc::clone(&job))), 4.0),
            row(process(5, &|_| {}), 0.0),
        ];
        snapshot.vms = vec![row(VmInfo::new("vm", "", "kvm"), 6.0)];
        snapshot.containers = vec![row(web, 10.0), row(inside, 2.0)];
        snapshot.pods = vec![row(Arc::clone(&pod), 10.0)];
        snapshot.units = vec![row(unit, 6.0)];
        snapshot.jobs = vec![row(job, 7.0)];
        snapshot.commands = vec![row(CommandInfo::new("cc1"), 3.0)];
        snapshot
    }

    #[test]
    fn the_biggest_users_and_what_is_left_add_up_to_the_machine() {
        let snapshot = host();
        for count in [0, 1, 3, 100] {
            let top = snapshot.top(count).unwrap();
            let users: Power = top.users.iter().map(|user| user.power).sum();
            let sum = users + top.others_power + top.unattributed + top.idle;
            assert!((sum.watts() - 60.0).abs() < 1e-9, "{top:?}");
            assert_eq!((top.users.len(), top.users.len() + top.others), (count.min(5), 5));
        }
        let top = snapshot.top(5).unwrap();
        let users: Vec<_> = top.users.iter().map(|user| (user.row.kind().name(), user.power.watts())).collect();
        assert_eq!(users, [("container", 10.0), ("job", 7.0), ("unit", 6.0), ("command", 3.0), ("process", 1.0)]);
        assert_eq!((top.unattributed.watts(), top.idle.watts()), (13.0, 20.0));
        assert!(format!("{:.1}", snapshot.top(1).unwrap()).starts_with("      10.0 W  container    web\n"));
    }

    #[test]
    fn a_platform_that_is_measured_is_the_machine_where_the_package_is_estimated() {
        let counted = |snapshot: &Snapshot| {
            let zones = snapshot.machine_zones();
            ZoneKind::ALL.into_iter().filter(|zone| zones[*zone]).collect::<Vec<_>>()
        };
        let mut snapshot = host();
        snapshot.node.zones[ZoneKind::Psys] = Some(zone(100.0, 50.0));
        assert_eq!(counted(&snapshot), [ZoneKind::Package]);
        let estimated = Method::Estimated { error_ratio: 0.3 };
        for kind in [ZoneKind::Package, ZoneKind::Core] {
            snapshot.node.zones[kind].as_mut().unwrap().method = estimated;
        }
        assert_eq!(counted(&snapshot), [ZoneKind::Psys]);
        assert_eq!(snapshot.top(1).unwrap().total.watts(), 100.0);
        snapshot.node.zones[ZoneKind::Psys] = Some(zone(0.0, 0.0));
        assert_eq!(counted(&snapshot), [ZoneKind::Package], "a counter that stands still measures nothing");
    }

    #[test]
    fn without_power_there_is_no_first() {
        let mut snapshot = host();
        snapshot.node.zones = PerZone::default();
        assert!(snapshot.top(5).is_none());
    }
}
