//! From where wrong passwords came.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};

/// Origins that are known.
const MOST_ORIGINS: usize = 1024;
/// This many may be typing errors: more wrong passwords in a row come from one who guesses.
const MISTYPED: u32 = 2;

/// An address of IPv4, or the network of 64 bits that one customer of IPv6 has at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin(IpAddr);

impl Origin {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Origin(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            address => Origin(address),
        }
    }
}

/// How many wrong passwords in a row came from where, the newest last.
#[derive(Default)]
pub(super) struct Origins(VecDeque<(Origin, u32)>);

impl Origins {
    /// A right password clears its origin: who has one need not guess.
    pub(super) fn learn(&mut self, origin: Origin, is_right: bool) {
        let known = self.0.iter().position(|(known, _)| *known == origin);
        let before = known.and_then(|index| self.0.remove(index)).map_or(0, |(_, wrong)| wrong);
        if is_right {
            return;
        }
        if self.0.len() >= MOST_ORIGINS {
            self.0.pop_front();
        }
        self.0.push_back((origin, before.saturating_add(1)));
    }

    pub(super) fn is_suspect(&self, origin: Origin) -> bool {
        self.0.iter().any(|(known, wrong)| *known == origin && *wrong > MISTYPED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(address: &str) -> Origin {
        Origin::of(address.parse().unwrap())
    }

    #[test]
    fn an_origin_is_an_address_of_ipv4_or_a_network_of_ipv6() {
        assert_eq!(origin("192.0.2.1"), origin("::ffff:192.0.2.1"));
        assert_ne!(origin("192.0.2.1"), origin("192.0.2.2"));
        assert_eq!(origin("2001:db8:1:2::3"), origin("2001:db8:1:2:ffff::9"));
        assert_ne!(origin("2001:db8:1:2::3"), origin("2001:db8:1:3::3"));
    }

    #[test]
    fn who_mistypes_is_no_suspect_and_a_right_password_clears() {
        let mut origins = Origins::default();
        let one = origin("192.0.2.1");
        for wrong in 0..4 {
            assert_eq!(origins.is_suspect(one), wrong > MISTYPED);
            origins.learn(one, false);
        }
        origins.learn(one, true);
        assert!(!origins.is_suspect(one));
    }

    #[test]
    fn few_origins_are_remembered_and_those_that_go_on_stay() {
        let mut origins = Origins::default();
        let guesser = origin("192.0.2.1");
        for number in 0..3000u32 {
            origins.learn(guesser, false);
            origins.learn(Origin::of(std::net::Ipv4Addr::from(number).into()), false);
        }
        assert!(origins.0.len() <= MOST_ORIGINS && origins.is_suspect(guesser));
    }
}
