//! Kubernetes' quantities: `100m`, `0.5`, `32Mi`, `1e3` (`k8s.io/apimachinery/pkg/api/resource`).

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use std::fmt;

/// A quantity of 0 or more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quantity(f64);

/// Where a node has no limit, some kubelets say the largest that a cgroup can hold, in steps of a page
/// (9007199254740988Ki on version 1).
const UNLIMITED: f64 = (1_u64 << 62) as f64;

impl Quantity {
    /// Thousandths of a processor, rounded up as the scheduler does.
    pub(super) fn millicores(self) -> Option<u64> {
        whole(self.0 * 1000.0)
    }

    /// Bytes, rounded up; `None` for what is no limit.
    pub(super) fn bytes(self) -> Option<u64> {
        whole(self.0)
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_suffix = |c: char| c.is_ascii_alphabetic();
        let digits = text.find(is_suffix).unwrap_or(text.len());
        let (number, suffix) = text.split_at_checked(digits)?;
        let factor = match suffix {
            "" => 1.0,
            "n" => 1e-9,
            "u" => 1e-6,
            "m" => 1e-3,
            "k" => 1e3,
            "M" => 1e6,
            "G" => 1e9,
            "T" => 1e12,
            "P" => 1e15,
            "E" => 1e18,
            "Ki" => 1024.0,
            "Mi" => 1024.0 * 1024.0,
            "Gi" => 1024.0 * 1024.0 * 1024.0,
            "Ti" => 1_099_511_627_776.0,
            "Pi" => 1_125_899_906_842_624.0,
            "Ei" => 1_152_921_504_606_846_976.0,
            // `1e3`, `5E-1`: an exponent, which Rust reads itself.
            _ if suffix.starts_with(['e', 'E']) => return Self::of(text.parse().ok()?),
            _ => return None,
        };
        Self::of(number.parse::<f64>().ok()? * factor)
    }

    fn of(number: f64) -> Option<Self> {
        (number.is_finite() && number >= 0.0).then_some(Quantity(number))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number between 0 and 2^62")]
fn whole(number: f64) -> Option<u64> {
    // What is a hair above a whole number is that: 0.1 · 1000.
    let rounded = number.round();
    let number = if (number - rounded).abs() < 1e-6 { rounded } else { number.ceil() };
    (number < UNLIMITED).then_some(number as u64)
}

/// One that cannot be read is not known: it must not cost the pod its name.
pub(super) fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Quantity>, D::Error> {
    struct Lenient;
    impl Visitor<'_> for Lenient {
        type Value = Option<Quantity>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a quantity")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Quantity::parse(text))
        }

        #[expect(clippy::cast_precision_loss, reason = "2^53 bytes are enough")]
        fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
            Ok(Quantity::of(number as f64))
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
            Ok(u64::try_from(number).ok().and_then(|number| self.visit_u64::<E>(number).ok().flatten()))
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
            Ok(Quantity::of(number))
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Lenient)
}

/// `cpu` and `memory` of a resource list.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Amounts {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) cpu: Option<Quantity>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) memory: Option<Quantity>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        let millicores = |text: &str| Quantity::parse(text).and_then(Quantity::millicores);
        let bytes = |text: &str| Quantity::parse(text).and_then(Quantity::bytes);
        assert_eq!((millicores("100m"), millicores("0.5"), millicores("2")), (Some(100), Some(500), Some(2000)));
        assert_eq!((millicores("1500u"), millicores("1n"), millicores("0")), (Some(2), Some(1), Some(0)));
        assert_eq!((millicores("0.1"), millicores("1e-1"), millicores("2e0")), (Some(100), Some(100), Some(2000)));
        assert_eq!(
            (bytes("32Mi"), bytes("128974848"), bytes("129e6")),
            (Some(33_554_432), Some(128_974_848), Some(129_000_000))
        );
        assert_eq!(
            (bytes("129M"), bytes("1E"), bytes("1Ki")),
            (Some(129_000_000), Some(1_000_000_000_000_000_000), Some(1024))
        );
        assert_eq!(bytes("9007199254740988Ki"), None, "no limit at all");
        for text in ["", "m", "Mi", "-1", "1x", "1 Mi", "ten", "NaN", "inf", "1e999"] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_list_that_is_odd_leaves_out_what_it_does_not_say() {
        let amounts: Amounts = serde_json::from_str(r#"{"cpu": 2, "memory": "lots", "nvidia.com/gpu": "1"}"#).unwrap();
        assert_eq!((amounts.cpu.and_then(Quantity::millicores), amounts.memory), (Some(2000), None));
        let amounts: Amounts = serde_json::from_str(r#"{"cpu": -2, "memory": null}"#).unwrap();
        assert!(amounts.cpu.is_none() && amounts.memory.is_none());
    }
}
