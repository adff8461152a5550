//! The figures of a chassis, in the order in which they are preferred.

use super::client::{Answer, BmcClient};
use super::error::RedfishError;
use super::resource::{self, ChassisResource, Sensor, Supply};
use crate::reading_times::ReadingTimes;
use kepler_core::host::Timestamp;
use kepler_core::platform::PlatformReading;
use kepler_core::units::Power;
use std::time::Duration;

/// Power supplies of a chassis at most.
const MOST_SUPPLIES: usize = 32;

/// A figure of a chassis' power.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) source_type: &'static str,
    pub(super) source_id: String,
    pub(super) source_name: String,
    /// Where it is read.
    pub(super) path: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// An excerpt of a resource, or the sensor behind it.
    Sensors(Vec<Place>),
    Control,
}

/// Where one sensor is read.
#[derive(Clone, Debug)]
struct Place {
    path: String,
    /// The property that holds the excerpt; `None` for a sensor by itself.
    excerpt: Option<&'static str>,
    times: ReadingTimes,
}

/// What looking for a figure came to.
pub(super) type Found = Result<(Figure, PlatformReading), RedfishError>;

/// The ways to a figure that a chassis offers, best first. Each is tried when the next is asked for.
pub(super) fn candidates(client: &mut BmcClient, chassis: &ChassisResource) -> [Option<Found>; 3] {
    let environment = chassis.environment.as_deref().map(|path| environment(client, path));
    if is_good(&environment) {
        return [environment, None, None];
    }
    let supplies = chassis.subsystem.as_deref().map(|path| supplies(client, path));
    if is_good(&supplies) {
        return [environment, supplies, None];
    }
    let control = chassis.power.as_deref().map(|path| control(client, path));
    [environment, supplies, control]
}

/// Whether a figure can be what a machine draws, and is not of long ago.
pub(super) fn is_good(found: &Option<Found>) -> bool {
    let Some(Ok((_, reading))) = found else { return false };
    let maximum = kepler_core::platform::PlatformMeter::PLAUSIBLE_MAXIMUM;
    reading.power > Power::ZERO
        && reading.power <= maximum
        && reading.age <= kepler_core::platform::PlatformMeter::MAX_AGE
}

/// `EnvironmentMetrics.PowerWatts`.
fn environment(client: &mut BmcClient, path: &str) -> Found {
    let answer = client.get(path)?;
    let sensor = Sensor::excerpt(&answer.value, "PowerWatts");
    let Some(sensor) = sensor else { return Err(client.malformed(path, "it has no PowerWatts")) };
    let (place, reading, behind) = place(client, path, "PowerWatts", &sensor, &answer)?;
    let behind = behind.unwrap_or_default();
    let last = sensor.path.as_deref().and_then(|path| path.rsplit('/').next()).unwrap_or("PowerWatts");
    let figure = Figure {
        source_type: "EnvironmentMetrics",
        source_id: behind.id.unwrap_or_else(|| last.to_owned()),
        source_name: behind.name.unwrap_or_else(|| "PowerWatts".to_owned()),
        path: place.path.clone(),
        kind: Kind::Sensors(vec![place]),
    };
    Ok((figure, reading))
}

/// Where a sensor is read best: by itself, where it has a reading and its time, so that one request is enough.
fn place(
    client: &mut BmcClient,
    path: &str,
    name: &'static str,
    excerpt: &Sensor,
    answer: &Answer,
) -> Result<(Place, PlatformReading, Option<Sensor>), RedfishError> {
    let behind = excerpt.path.as_deref().and_then(|path| client.get(path).ok().map(|answer| (path, answer)));
    if let Some((path, answer)) = &behind {
        let sensor = Sensor::of(&answer.value);
        if sensor.reading.is_some() && sensor.time.is_some() {
            let mut place = Place { path: (*path).to_owned(), excerpt: None, times: ReadingTimes::default() };
            let reading = place.take(&sensor, answer).ok_or_else(|| client.malformed(path, "it has no Reading"))?;
            return Ok((place, reading, Some(sensor)));
        }
    }
    let mut place = Place { path: path.to_owned(), excerpt: Some(name), times: ReadingTimes::default() };
    let reading = place.take(excerpt, answer);
    let reading = reading.ok_or_else(|| client.malformed(path, &format!("its {name} has no Reading")))?;
    Ok((place, reading, behind.map(|(_, answer)| Sensor::of(&answer.value))))
}

/// The input power of all supplies. A sum with one missing is not the machine's power.
fn supplies(client: &mut BmcClient, path: &str) -> Found {
    let subsystem = client.get(path)?;
    let link = subsystem.value.get("PowerSupplies").and_then(|link| link.get("@odata.id")?.as_str());
    let Some(collection) = link else { return Err(client.malformed(path, "it has no PowerSupplies")) };
    let answer = client.get(collection)?;
    let (members, _) = resource::members(&answer.value).unwrap_or_default();
    let (mut ids, mut places, mut readings) = (Vec::new(), Vec::new(), Vec::new());
    for member in members.iter().take(MOST_SUPPLIES) {
        let supply = Supply::of(&client.get(member)?.value, member);
        if supply.is_absent {
            continue;
        }
        let Some(metrics) = supply.metrics else {
            return Err(client.malformed(member, "this power supply has no Metrics"));
        };
        let answer = client.get(&metrics)?;
        let Some(sensor) = Sensor::excerpt(&answer.value, "InputPowerWatts") else {
            return Err(client.malformed(&metrics, "it has no InputPowerWatts"));
        };
        let (place, reading, _) = place(client, &metrics, "InputPowerWatts", &sensor, &answer)?;
        ids.push(supply.id);
        places.push(place);
        readings.push(reading);
    }
    let Some(sum) = sum(&readings) else { return Err(client.malformed(collection, "it lists no power supply")) };
    let figure = Figure {
        source_type: "PowerSupply",
        source_id: ids.join("+"),
        source_name: format!(
            "Input power of {}",
            if ids.len() == 1 { "the power supply" } else { "all power supplies" }
        ),
        path: collection.to_owned(),
        kind: Kind::Sensors(places),
    };
    Ok((figure, sum))
}

/// `PowerControl` in the older resource.
fn control(client: &mut BmcClient, path: &str) -> Found {
    let answer = client.get(path)?;
    let Some(control) = resource::control(&answer.value) else {
        return Err(client.malformed(path, "none of its PowerControl says what the server consumes"));
    };
    let figure = Figure {
        source_type: "PowerControl",
        source_id: control.id,
        source_name: control.name,
        path: path.to_owned(),
        kind: Kind::Control,
    };
    let reading = taken(control.watts, &answer);
    Ok((figure, reading))
}

impl Figure {
    /// Reads it again.
    pub(super) fn read(&mut self, client: &mut BmcClient) -> Result<PlatformReading, RedfishError> {
        match &mut self.kind {
            Kind::Sensors(places) => {
                let mut readings = Vec::new();
                for place in places {
                    let answer = client.get(&place.path)?;
                    let sensor = match place.excerpt {
                        Some(name) => Sensor::excerpt(&answer.value, name).unwrap_or_default(),
                        None => Sensor::of(&answer.value),
                    };
                    let reading = place.take(&sensor, &answer);
                    readings.push(reading.ok_or_else(|| client.malformed(&place.path, "it has no Reading now"))?);
                }
                sum(&readings).ok_or_else(|| client.malformed(&self.path, "it has no power supply now"))
            }
            Kind::Control => {
                let answer = client.get(&self.path)?;
                match resource::control(&answer.value).filter(|control| control.id == self.source_id) {
                    Some(control) => Ok(taken(control.watts, &answer)),
                    None => {
                        Err(client.malformed(&self.path, "its PowerControl does not say what the server consumes now"))
                    }
                }
            }
        }
    }
}

impl Place {
    fn take(&mut self, sensor: &Sensor, answer: &Answer) -> Option<PlatformReading> {
        let reading = taken(sensor.reading?, answer);
        let age = self.times.age(sensor.time.as_deref(), answer.date, &answer.received);
        Some(if age > reading.age { reading.aged(age) } else { reading })
    }
}

/// A figure without a time of its own was read at some moment of the request: on the mean in its middle.
fn taken(watts: f64, answer: &Answer) -> PlatformReading {
    PlatformReading::new(Power::from_watts(watts), answer.received).aged(answer.took / 2)
}

/// Several readings at once: as old as the oldest. None of none.
fn sum(readings: &[PlatformReading]) -> Option<PlatformReading> {
    let received: Timestamp = readings.last()?.received;
    let oldest = readings.iter().map(|reading| received.since(&reading.received) + reading.age).max();
    let power: Power = readings.iter().map(|reading| reading.power).sum();
    Some(PlatformReading::new(power, received).aged(oldest.unwrap_or(Duration::ZERO)))
}
