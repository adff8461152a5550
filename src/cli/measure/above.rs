//! What accelerators drew beyond rest, and whose that was.

use kepler_core::stopwatch::DeviceSpent;
use kepler_core::units::Energy;

/// What was added to a device's use may be less than what the workload used, where other use ended meanwhile: by so much.
const LEAST_ADDED: f64 = 0.5;

/// Joules beyond rest: of the machine's accelerators, and the workload's part of that.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Above {
    pub(super) machine: f64,
    pub(super) own: f64,
}

/// What was spent of a device.
#[derive(Clone, Copy, Debug)]
struct Use {
    energy: f64,
    active: f64,
    own: f64,
}

/// The sum over accelerators that were read, `times` as long as at rest; `None` where one was not read at rest, or was not busier.
pub(super) fn of_accelerators(spent: &[DeviceSpent], rest: &[DeviceSpent], times: f64) -> Option<Above> {
    let mut sum = Above::default();
    // One that was not read meanwhile is in no sum, which a note says.
    for device in spent.iter().filter(|device| device.energy.is_some()) {
        let before = rest.iter().find(|before| before.device.uuid == device.device.uuid)?;
        let above = of_device(used(device)?, used(before)?, times)?;
        sum = Above { machine: sum.machine + above.machine, own: sum.own + above.own };
    }
    Some(sum)
}

fn used(device: &DeviceSpent) -> Option<Use> {
    let joules = |energy: Option<Energy>| energy.map(Energy::joules);
    Some(Use { energy: joules(device.energy)?, active: joules(device.active)?, own: joules(device.tree)? })
}

/// What a device drew beyond rest, by the use beyond rest.
fn of_device(now: Use, rest: Use, times: f64) -> Option<Above> {
    let machine = now.energy - rest.energy * times;
    if now.own <= 0.0 {
        return Some(Above { machine, own: 0.0 });
    }
    let added = now.active - rest.active * times;
    let is_busier = machine > 0.0 && added > 0.0 && added >= now.own * LEAST_ADDED;
    is_busier.then(|| Above { machine, own: machine * now.own / added })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn used(energy: f64, active: f64, own: f64) -> Use {
        Use { energy, active, own }
    }

    #[test]
    fn a_device_of_50_w_at_rest_that_draws_300_w_for_a_command_has_250_w_above() {
        let above = of_device(used(3000.0, 2500.0, 2500.0), used(500.0, 0.0, 0.0), 1.0);
        assert_eq!(above, Some(Above { machine: 2500.0, own: 2500.0 }));
        // Twice as long, and its idle power is not known: nine tenths of the energy are active, by how busy it was.
        let above = of_device(used(6000.0, 5400.0, 5400.0), used(500.0, 0.0, 0.0), 2.0);
        assert_eq!(above, Some(Above { machine: 5000.0, own: 5000.0 }));
    }

    #[test]
    fn other_use_that_goes_on_cancels_and_what_is_added_is_divided() {
        // Another one draws 100 W all the time.
        let above = of_device(used(3000.0, 2500.0, 1500.0), used(1500.0, 1000.0, 0.0), 1.0);
        assert_eq!(above, Some(Above { machine: 1500.0, own: 1500.0 }));
        // One that began meanwhile has its part.
        let above = of_device(used(3000.0, 2500.0, 1000.0), used(500.0, 0.0, 0.0), 1.0);
        assert_eq!(above, Some(Above { machine: 2500.0, own: 1000.0 }));
    }

    #[test]
    fn a_device_that_was_busier_at_rest_says_nothing_of_who_uses_it_and_one_that_is_not_used_adds_nothing() {
        assert_eq!(of_device(used(2000.0, 1500.0, 1500.0), used(2500.0, 2000.0, 0.0), 1.0), None);
        let idle = of_device(used(490.0, 0.0, 0.0), used(500.0, 0.0, 0.0), 1.0);
        assert_eq!(idle, Some(Above { machine: -10.0, own: 0.0 }));
    }
}
