//! One round: every chassis is read once, and what comes of it reported.

use super::Bmc;
use super::chassis::{self, Chosen, Inventory};
use super::client::BmcClient;
use super::error::RedfishError;
use kepler_core::platform::{PlatformBoard, PlatformMeter, PlatformReading};
use std::time::Instant;

/// A chassis and what it showed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FoundChassis {
    /// The figure that was chosen.
    pub meter: PlatformMeter,
    /// What it showed.
    pub reading: PlatformReading,
}

/// Chassis that show power, and those that show none with the reason.
type Probed = (Vec<FoundChassis>, Vec<(String, String)>);

/// Asks a BMC once, and leaves no session behind. Chassis that show no power are listed with the reason.
///
/// # Errors
/// When it cannot be asked, or shows no power at all.
pub fn probe(bmc: &Bmc) -> Result<Probed, RedfishError> {
    let mut client = BmcClient::new(bmc)?;
    let found = chassis::discover(&mut client, bmc);
    client.log_out();
    let Inventory { chosen, without } = found?;
    let shown = |chosen: Chosen| FoundChassis { meter: chosen.meter, reading: chosen.reading };
    Ok((chosen.into_iter().map(shown).collect(), without))
}

/// A BMC that is asked round by round.
pub(super) struct Rounds {
    pub(super) bmc: Bmc,
    pub(super) client: BmcClient,
    board: PlatformBoard,
    inventory: Option<(Inventory, Instant)>,
    said: Option<String>,
}

impl Rounds {
    pub(super) fn new(bmc: Bmc, board: PlatformBoard) -> Result<Self, RedfishError> {
        Ok(Rounds { client: BmcClient::new(&bmc)?, bmc, board, inventory: None, said: None })
    }

    /// Reads everything once.
    ///
    /// # Errors
    /// When the BMC as a whole gives nothing: that is reported, and said when it is new.
    pub(super) fn run(&mut self, is_stopped: &dyn Fn() -> bool) -> Result<(), RedfishError> {
        let outcome = self.try_run(is_stopped);
        let (id, origin) = (&self.bmc.id, &self.bmc.origin);
        match &outcome {
            Ok(()) => {
                if self.said.take().is_some() {
                    tracing::info!("{origin}: BMC `{id}` answers again");
                }
            }
            Err(error) => {
                self.board.fail_all("redfish", id, error.fault());
                let text = error.to_string();
                // A BMC that is slower each time says the same with other seconds.
                if self.said.as_deref() != Some(error.fault()) {
                    tracing::warn!("{origin}: BMC `{id}` gives no power: {text}");
                    self.said = Some(error.fault().to_owned());
                }
            }
        }
        outcome
    }

    fn try_run(&mut self, is_stopped: &dyn Fn() -> bool) -> Result<(), RedfishError> {
        let is_known = self.inventory.as_ref().is_some_and(|(inventory, since)| {
            let is_fine = inventory.chosen.iter().all(|chosen| chosen.failures < chassis::PATIENCE);
            is_fine && since.elapsed() < chassis::REDISCOVER
        });
        if !is_known {
            return self.discover();
        }
        let Some((inventory, _)) = &mut self.inventory else { return Ok(()) };
        for chosen in &mut inventory.chosen {
            if is_stopped() {
                return Ok(());
            }
            match chosen.figure.read(&mut self.client) {
                Ok(reading) => {
                    self.board.report(&chosen.meter, reading);
                    let fault = self.board.fault(&chosen.meter);
                    chosen.failures = if fault.is_some() { chosen.failures + 1 } else { 0 };
                    say(&self.bmc, chosen, fault, None);
                }
                Err(error) if error.is_of_all() => return Err(error),
                Err(error) => {
                    chosen.failures += 1;
                    self.board.fail(&chosen.meter, error.fault());
                    say(&self.bmc, chosen, Some(error.fault()), Some(&error));
                }
            }
        }
        Ok(())
    }

    fn discover(&mut self) -> Result<(), RedfishError> {
        let mut found = chassis::discover(&mut self.client, &self.bmc)?;
        let before = self.inventory.take().map(|(inventory, _)| inventory.chosen).unwrap_or_default();
        for chosen in &mut found.chosen {
            let same = before.iter().find(|other| other.meter.is_same(&chosen.meter));
            chosen.said = same.and_then(|same| same.said);
            if same.is_none() {
                announce(&self.bmc, &chosen.meter);
            }
            self.board.report(&chosen.meter, chosen.reading);
            let fault = self.board.fault(&chosen.meter);
            say(&self.bmc, chosen, fault, None);
        }
        for gone in before.iter().filter(|old| !found.chosen.iter().any(|new| new.meter.is_same(&old.meter))) {
            self.board.withdraw(&gone.meter);
        }
        if before.is_empty() {
            found.without.iter().for_each(|(_, why)| tracing::debug!("{}: {why}", self.bmc.id));
        }
        self.inventory = Some((found, Instant::now()));
        Ok(())
    }
}

fn announce(bmc: &Bmc, meter: &PlatformMeter) {
    let PlatformMeter { chassis_id, source_type, source_name, source_id, .. } = meter;
    let figure = format!("{source_type} `{source_id}` ({source_name})");
    match meter.scope {
        kepler_core::platform::PlatformScope::Shared => tracing::warn!(
            "{}: BMC `{}` is also that of {}, and none of its chassis can be told to be this node's: chassis `{chassis_id}` \
             is shown as shared; name this node's chassis (`chassis:`)",
            bmc.origin,
            bmc.id,
            bmc.shared_with.join(", ")
        ),
        scope => tracing::info!("platform power of chassis `{chassis_id}` ({}): redfish, {figure}", scope.name()),
    }
}

/// Says what is new about a chassis.
fn say(bmc: &Bmc, chosen: &mut Chosen, fault: Option<&'static str>, error: Option<&RedfishError>) {
    if chosen.said == fault {
        return;
    }
    let (id, origin, meter) = (&bmc.id, &bmc.origin, &chosen.meter);
    let what = format!("chassis `{}` of BMC `{id}`", meter.chassis_id);
    match (fault, error) {
        (None, _) => tracing::info!("{origin}: {what} shows its power again"),
        (Some(_), Some(error)) => tracing::warn!("{origin}: {what} gives no power: {error}"),
        (Some(fault), None) => tracing::warn!(
            "{origin}: what {what} shows ({} {}: {:.1} W, {:.0} s old) is {fault} and adds no energy",
            meter.source_type,
            meter.source_id,
            chosen.reading.power.watts(),
            chosen.reading.age.as_secs_f64()
        ),
    }
    chosen.said = fault;
}
