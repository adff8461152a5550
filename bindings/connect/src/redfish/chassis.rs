//! The chassis of a BMC: which there are, which of them is this node, and which figure of each is read.

use super::Bmc;
use super::client::BmcClient;
use super::error::RedfishError;
use super::figure::{self, Figure, Found};
use super::resource::{self, ChassisResource, Root, System};
use kepler_core::platform::{PlatformMeter, PlatformReading, PlatformScope};
use std::time::Duration;

/// Chassis of a BMC at most.
const MOST: usize = 64;
const MOST_PAGES: usize = 16;

/// A chassis with the figure that was chosen for it.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) meter: PlatformMeter,
    pub(super) figure: Figure,
    pub(super) reading: PlatformReading,
    pub(super) systems: Vec<String>,
    /// How often it could not be read, or was not believed, one time after the other.
    pub(super) failures: u32,
    /// The fault that was said last.
    pub(super) said: Option<&'static str>,
}

/// What a BMC has.
#[derive(Debug)]
pub(super) struct Inventory {
    pub(super) chosen: Vec<Chosen>,
    /// Chassis without a figure, each with the reason.
    pub(super) without: Vec<(String, String)>,
}

/// Looks at every chassis.
pub(super) fn discover(client: &mut BmcClient, bmc: &Bmc) -> Result<Inventory, RedfishError> {
    let root = client.root()?;
    let collection = Root::of(&root.value).chassis.unwrap_or_else(|| "/redfish/v1/Chassis".to_owned());
    let mut resources = Vec::new();
    for path in list(client, &collection)? {
        match client.get(&path) {
            Ok(answer) => resources.push(ChassisResource::of(&answer.value, &path)),
            Err(error) if error.is_of_all() => return Err(error),
            Err(error) => tracing::debug!("{}: {error}", bmc.id),
        }
    }
    let found = || resources.iter().map(|chassis| format!("`{}`", chassis.id)).collect::<Vec<_>>().join(", ");
    let no_chassis = |wanted: String| RedfishError::NoChassis { url: client.shown(), wanted, found: found() };
    if let Some(wanted) = &bmc.chassis {
        if !resources.iter().any(|chassis| chassis.id == *wanted) {
            return Err(no_chassis(format!("`{wanted}`")));
        }
        resources.retain(|chassis| chassis.id == *wanted);
    } else if resources.is_empty() {
        return Err(no_chassis("at all".to_owned()));
    }
    let mut inventory = Inventory { chosen: Vec::new(), without: Vec::new() };
    for chassis in &resources {
        match choose(client, bmc, chassis)? {
            Ok(chosen) => inventory.chosen.push(chosen),
            Err(why) => inventory.without.push((chassis.id.clone(), why)),
        }
    }
    place(client, bmc, &mut inventory.chosen)?;
    if inventory.chosen.is_empty() {
        let why: Vec<String> = inventory.without.iter().map(|(_, why)| why.clone()).collect();
        let chassis = inventory.without.iter().map(|(id, _)| format!("`{id}`")).collect::<Vec<_>>().join(", ");
        return Err(RedfishError::NoPower { url: client.shown(), chassis, why: why.join("; ") });
    }
    Ok(inventory)
}

/// All members of a collection.
fn list(client: &mut BmcClient, collection: &str) -> Result<Vec<String>, RedfishError> {
    let (mut paths, mut next) = (Vec::new(), Some(collection.to_owned()));
    for _ in 0..MOST_PAGES {
        let Some(page) = next.take() else { break };
        let answer = client.get(&page)?;
        let Some((members, further)) = resource::members(&answer.value) else {
            return Err(client.malformed(&page, "it has no Members"));
        };
        paths.extend(members);
        next = further;
        if paths.len() >= MOST {
            break;
        }
    }
    paths.truncate(MOST);
    Ok(paths)
}

/// The first figure of a chassis that is good; where none is, the first that answers, so that its fault is seen. Else why none.
pub(super) fn choose(
    client: &mut BmcClient,
    bmc: &Bmc,
    chassis: &ChassisResource,
) -> Result<Result<Chosen, String>, RedfishError> {
    let mut tried: Vec<Found> = Vec::new();
    for candidate in figure::candidates(client, chassis) {
        let is_good = figure::is_good(&candidate);
        match candidate {
            Some(found) if is_good => {
                tried.insert(0, found);
                break;
            }
            Some(Err(error)) if error.is_of_all() => return Err(error),
            Some(found) => tried.push(found),
            None => {}
        }
    }
    let mut why = Vec::new();
    for found in tried {
        match found {
            Ok((figure, reading)) => return Ok(Ok(chosen(client, bmc, chassis, figure, reading))),
            Err(error) => why.push(error.to_string()),
        }
    }
    if why.is_empty() {
        why.push(format!("chassis `{}` has neither EnvironmentMetrics nor PowerSubsystem nor Power", chassis.id));
    }
    Ok(Err(why.join(", ")))
}

fn chosen(
    client: &BmcClient,
    bmc: &Bmc,
    chassis: &ChassisResource,
    figure: Figure,
    reading: PlatformReading,
) -> Chosen {
    // A slow BMC is no liar: what it says may be as old as two rounds of it.
    let round = bmc.interval.max(client.allowed()) + client.allowed();
    let meter = PlatformMeter::new("redfish", bmc.id.as_str(), chassis.id.as_str()).with(|meter| {
        meter.source_id = figure.source_id.as_str().into();
        meter.source_name = figure.source_name.as_str().into();
        meter.source_type = figure.source_type.into();
        meter.path = format!("{}{}", client.shown().trim_end_matches('/'), figure.path).into();
        meter.contains_gpus = bmc.contains_gpus;
        meter.max_power = bmc.max_power;
        meter.max_age = PlatformMeter::MAX_AGE.max(round * 2);
        meter.max_gap = PlatformMeter::MAX_GAP.max(round * 4);
    });
    let systems = chassis.systems.clone();
    Chosen { meter, figure, reading, systems, failures: 0, said: None }
}

/// Says of each chassis whether it is this node, and leaves out those of other nodes.
fn place(client: &mut BmcClient, bmc: &Bmc, chosen: &mut Vec<Chosen>) -> Result<(), RedfishError> {
    let is_shared = !bmc.shared_with.is_empty();
    if bmc.chassis.is_some() || (chosen.len() == 1 && !is_shared) {
        return Ok(());
    }
    let mut own = Vec::new();
    for entry in chosen.iter() {
        own.push(is_own(client, bmc, &entry.systems)?);
    }
    let matched = own.iter().filter(|own| **own).count();
    if matched == 1 {
        let mut own = own.into_iter();
        if is_shared {
            chosen.retain(|_| own.next().unwrap_or_default());
        } else {
            let others = chosen.iter_mut().zip(own).filter(|(_, own)| !own);
            others.for_each(|(entry, _)| entry.meter.scope = PlatformScope::Part);
        }
        return Ok(());
    }
    let with_system = chosen.iter().filter(|entry| !entry.systems.is_empty()).count();
    for entry in chosen.iter_mut() {
        entry.meter.scope = match is_shared {
            true => PlatformScope::Shared,
            false if with_system == 1 && !entry.systems.is_empty() => PlatformScope::Node,
            false => PlatformScope::Part,
        };
    }
    Ok(())
}

fn is_own(client: &mut BmcClient, bmc: &Bmc, systems: &[String]) -> Result<bool, RedfishError> {
    // One with several systems is an enclosure.
    let [system] = systems else { return Ok(false) };
    match client.get(system) {
        Ok(answer) => Ok(bmc.host.is(&System::of(&answer.value))),
        Err(error) if error.is_of_all() => Err(error),
        Err(_) => Ok(false),
    }
}

/// From when on a figure that gives nothing is given up for another.
pub(super) const PATIENCE: u32 = 3;

/// How long what was found is not looked for again.
pub(super) const REDISCOVER: Duration = Duration::from_secs(1800);
