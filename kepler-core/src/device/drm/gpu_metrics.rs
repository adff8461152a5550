//! amdgpu's `gpu_metrics`: a binary table whose layout its header names (`kgd_pp_interface.h`, compared for Linux 6.11 and 6.18).
//!
//! | version | devices | socket power | energy | activity |
//! |---|---|---|---|---|
//! | 1.0 | Navi 10, early firmware | at 34, W | at 36, 32 bits | at 28 |
//! | 1.1–1.3 | Navi, MI100, MI200 | at 22, W | at 24 | at 16 |
//! | 1.4, 1.7, 1.8 | MI300, MI350 | at 10, W | at 24 | at 12 |
//! | 1.5 | MI300 | at 10, W | at 88 | at 12 |
//! | 1.6 | MI300 | at 10, W | at 16; at 88 in the first table of this number, of 384 bytes | at 12 |
//! | 1.9 | MI300 and later | a list of attributes, each with its number and type | | |
//! | 2.x, 3.x | processors with graphics | of the whole processor | none | |
//!
//! Numbers are little-endian, activity is in percent, energy in units of 2⁻¹⁶ J. All bits set: the device does not know it.

use crate::units::{Energy, Power};

/// What a table says of energy.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct GpuMetrics {
    /// Whether the table is one of a processor with graphics, whose power is that of the whole processor.
    pub(super) is_processor: bool,
    pub(super) power: Option<Power>,
    pub(super) energy: Option<Energy>,
    /// After how much energy the counter returns to zero.
    pub(super) modulus: Option<Energy>,
    /// 0 … 1.
    pub(super) activity: Option<f64>,
}

/// The size of the first table 1.6: withdrawn, and its number given to another.
const FIRST_1_6: usize = 384;

/// The numbers of the attributes of table 1.9.
const SOCKET_POWER: u64 = 3;
const ACTIVITY: u64 = 4;
const ENERGY: u64 = 7;

/// The most attributes that table 1.9 may have; it had 48 when it was made.
const MOST_ATTRIBUTES: u64 = 512;

/// Reads a table. `None` if it is of an unknown version, or shorter than it says.
pub(super) fn parse(bytes: &[u8]) -> Option<GpuMetrics> {
    let size = number(bytes, 0, 2)? as usize;
    let table = bytes.get(..size).filter(|_| size > 4)?;
    let (format, content) = (number(table, 2, 1)?, number(table, 3, 1)?);
    let (power, energy, activity) = match (format, content) {
        (1, 0) => {
            let found = fixed(table, 34, (36, 4), 28)?;
            return Some(GpuMetrics { modulus: Some(energy_of(1 << 32)), ..found });
        }
        (1, 1..=3) => (22, 24, 16),
        (1, 4 | 7 | 8) => (10, 24, 12),
        (1, 6) if size > FIRST_1_6 => (10, 16, 12),
        (1, 5 | 6) => (10, 88, 12),
        (1, 9) => return attributes(table),
        (2 | 3, _) => return Some(GpuMetrics { is_processor: true, ..GpuMetrics::default() }),
        _ => return None,
    };
    fixed(table, power, (energy, 8), activity)
}

fn fixed(table: &[u8], power: usize, energy: (usize, usize), activity: usize) -> Option<GpuMetrics> {
    let (power, activity) = (number(table, power, 2)?, number(table, activity, 2)?);
    let energy = (number(table, energy.0, energy.1)?, energy.1);
    Some(GpuMetrics {
        power: known(power, 2).map(|watts| Power::from_watts(watts as f64)),
        energy: known(energy.0, energy.1).map(energy_of),
        activity: known(activity, 2).and_then(share),
        ..GpuMetrics::default()
    })
}

/// Table 1.9: an encoding of 64 bits before each value, or values, without padding.
fn attributes(table: &[u8]) -> Option<GpuMetrics> {
    let mut metrics = GpuMetrics::default();
    let count = number(table, 4, 4)?.min(MOST_ATTRIBUTES);
    let mut at = 8;
    for _ in 0..count {
        let encoding = number(table, at, 8)?;
        let (id, kind, instances) = (encoding >> 10 & 0x3ff, encoding >> 20 & 0xf, encoding & 0x3ff);
        let size = match kind {
            0 | 1 => 1,
            2 | 3 => 2,
            4 | 5 => 4,
            6 | 7 => 8,
            _ => return None,
        };
        let value = known(number(table, at + 8, size)?, size);
        match id {
            SOCKET_POWER => metrics.power = value.map(|watts| Power::from_watts(watts as f64)),
            ACTIVITY => metrics.activity = value.and_then(share),
            ENERGY => metrics.energy = value.map(energy_of),
            _ => {}
        }
        at += 8 + size * (instances.max(1) as usize);
    }
    Some(metrics)
}

/// The unsigned number of `size` bytes at a place.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// The number, if its bits are not all set.
fn known(number: u64, size: usize) -> Option<u64> {
    (number != u64::MAX >> (64 - size * 8)).then_some(number)
}

/// Of units of 2⁻¹⁶ J, which are 15.259 µJ.
fn energy_of(units: u64) -> Energy {
    Energy::from_microjoules(u64::try_from(u128::from(units) * 15_625 / 1024).unwrap_or(u64::MAX))
}

fn share(percent: u64) -> Option<f64> {
    (percent <= 100).then_some(percent as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A table of a version, with values at places.
    fn table(size: u16, format: u8, content: u8, values: &[(usize, &[u8])]) -> Vec<u8> {
        let mut table = vec![0xff; size.into()];
        table[..2].copy_from_slice(&size.to_le_bytes());
        (table[2], table[3]) = (format, content);
        for (at, bytes) in values {
            table[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        table
    }

    #[test]
    fn each_version_has_its_places() {
        let joules = 65_536u64 * 1000;
        let energy = joules.to_le_bytes();
        for (content, size, power_at, energy_at, activity_at) in [
            (1, 96, 22, 24, 16),
            (2, 104, 22, 24, 16),
            (3, 120, 22, 24, 16),
            (4, 288, 10, 24, 12),
            (5, 360, 10, 88, 12),
            (6, 384, 10, 88, 12),
            (6, 1664, 10, 16, 12),
            (7, 2208, 10, 24, 12),
            (8, 3360, 10, 24, 12),
        ] {
            let values: [(usize, &[u8]); 3] = [(power_at, &[0x2c, 1]), (energy_at, &energy), (activity_at, &[50, 0])];
            let found = parse(&table(size, 1, content, &values)).unwrap();
            assert_eq!(found.power, Some(Power::from_watts(300.0)), "1.{content}");
            assert_eq!((found.energy, found.activity), (Some(Energy::from_joules(1000.0)), Some(0.5)), "1.{content}");
            assert!(!found.is_processor && found.modulus.is_none());
        }
        let values: [(usize, &[u8]); 3] = [(34, &[100, 0]), (36, &65_536u32.to_le_bytes()), (28, &[7, 0])];
        let found = parse(&table(80, 1, 0, &values)).unwrap();
        assert_eq!((found.power, found.energy), (Some(Power::from_watts(100.0)), Some(Energy::from_joules(1.0))));
        assert_eq!(found.modulus, Some(Energy::from_joules(65_536.0)));
    }

    #[test]
    fn all_bits_set_is_not_known() {
        let found = parse(&table(120, 1, 3, &[])).unwrap();
        assert_eq!(found, GpuMetrics::default());
        let apu = parse(&table(128, 2, 4, &[])).unwrap();
        assert!(apu.is_processor && apu.power.is_none());
        assert!(parse(&table(264, 3, 0, &[])).unwrap().is_processor);
    }

    #[test]
    fn a_list_of_attributes_is_walked() {
        let attribute = |id: u64, kind: u64, instances: u64, value: &[u8]| {
            let encoding = 3 << 24 | kind << 20 | id << 10 | instances;
            [&encoding.to_le_bytes()[..], value].concat()
        };
        let attributes = [
            attribute(0, 2, 1, &40u16.to_le_bytes()),
            attribute(33, 2, 8, &[0; 16]),
            attribute(SOCKET_POWER, 2, 1, &750u16.to_le_bytes()),
            attribute(ACTIVITY, 2, 1, &99u16.to_le_bytes()),
            attribute(ENERGY, 6, 1, &(65_536u64 * 5).to_le_bytes()),
        ]
        .concat();
        let size = (8 + attributes.len()) as u16;
        let table = [&size.to_le_bytes()[..], &[1, 9], &5u32.to_le_bytes(), &attributes].concat();
        let found = parse(&table).unwrap();
        assert_eq!((found.power, found.energy), (Some(Power::from_watts(750.0)), Some(Energy::from_joules(5.0))));
        assert_eq!(found.activity, Some(0.99));
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_nothing() {
        let whole = table(120, 1, 3, &[]);
        assert_eq!(parse(&whole[..119]), None);
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&table(120, 4, 0, &[])), None);
        assert_eq!(parse(&table(30, 1, 3, &[])), None, "it says that it is too short to have its values");
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), content in 0u8..12) {
            let mut bytes = bytes;
            if bytes.len() > 4 {
                let size = bytes.len() as u16;
                bytes[..2].copy_from_slice(&size.to_le_bytes());
                (bytes[2], bytes[3]) = (1, content);
            }
            parse(&bytes);
        }
    }
}
