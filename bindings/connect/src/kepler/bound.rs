//! Memory that is bounded whatever the fleet.

use super::roster::Roster;
use jiff::Timestamp;
use std::time::Duration;

/// What is done, one after another, until there is room: points older than the first stay one each second.
const STEPS: [(Duration, Duration); 6] = [
    (Duration::from_secs(900), Duration::from_secs(60)),
    (Duration::from_secs(300), Duration::from_secs(60)),
    (Duration::from_secs(300), Duration::from_secs(120)),
    (Duration::from_secs(300), Duration::from_secs(300)),
    (Duration::from_secs(60), Duration::from_secs(300)),
    (Duration::from_secs(60), Duration::from_secs(900)),
];

/// Leaves out points until a quarter of `most` is free, if there are more than `most`.
pub(super) fn hold(roster: &mut Roster, most: usize, now: Timestamp, keep: Duration) {
    let mut points = count(roster);
    if points <= most {
        return;
    }
    let before = |age: Duration| now.checked_sub(age).unwrap_or(Timestamp::MIN);
    for (age, spacing) in STEPS {
        roster.nodes_mut().for_each(|node| node.thin(before(age), spacing));
        points = count(roster);
        if points <= most / 4 * 3 {
            return;
        }
    }
    // Points of the last minute, of a very large fleet or very many polls.
    let mut kept = keep;
    while points > most && kept > Duration::from_secs(1) {
        kept /= 2;
        roster.nodes_mut().for_each(|node| node.forget_before(before(kept)));
        points = count(roster);
    }
}

fn count(roster: &mut Roster) -> usize {
    roster.nodes_mut().map(super::node::Node::points).sum()
}
