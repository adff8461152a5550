//! Which register counts what, in which unit, on which processor.

use crate::host::Processor;
use crate::units::{Energy, ZoneKind};

/// The counters have 32 bits; what the upper half of a register holds is reserved.
const COUNTER_BITS: u32 = 32;

/// The energy of one count, as `microjoules / 2^shift`: exact for every unit there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EnergyUnit {
    microjoules: u64,
    shift: u32,
}

impl EnergyUnit {
    /// One joule divided by 2^`exponent`.
    const fn joules_over_two_to(exponent: u32) -> Self {
        EnergyUnit { microjoules: 1_000_000, shift: exponent }
    }

    /// The energy of a register's value, rounded down to the microjoule. The counts times at most 2^31 µJ
    /// stay below 2^63. Always from the whole count: rounding does not add up from reading to reading.
    pub(super) const fn energy(self, register: u64) -> Energy {
        Energy::from_microjoules(((register & (u32::MAX as u64)) * self.microjoules) >> self.shift)
    }

    /// The energy after which the counter is back at zero: 2^32 counts, a whole number of microjoules.
    pub(super) const fn modulus(self) -> Energy {
        Energy::from_microjoules((self.microjoules << COUNTER_BITS) >> self.shift)
    }
}

/// How a maker lays out its energy registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Intel SDM vol. 3B 15.10 and vol. 4.
    Intel {
        /// Model within family 6: some have units of their own.
        model: u32,
    },
    /// AMD and Hygon since family 17h: PPR, `Core::X86::Msr::RAPL_PWR_UNIT` and following.
    Amd,
}

/// A register that counts energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Register {
    pub(super) kind: ZoneKind,
    pub(super) address: u64,
}

/// Silvermont and Airmont, whose unit is 2^ESU µJ (`rapl_check_unit_atom` of `intel_rapl_common.c`).
const UNIT_IN_MICROJOULES: [u32; 4] = [0x37, 0x4A, 0x4C, 0x5A];

/// Servers whose DRAM unit is 2^-16 J whatever the unit register says: Haswell-EP, Broadwell-DE and -EP,
/// Skylake-SP with its successors on the same model number, Ice Lake-SP and -D, Knights Landing and Mill.
/// From `RAPL_UNIT_QUIRK_INTEL_HSW` of `arch/x86/events/rapl.c`. Sapphire Rapids is not among them.
/// (`intel_rapl_common.c` takes 15.3 µJ, a rounding of the same, and leaves Broadwell-DE out.)
const DRAM_UNIT_FIXED: [u32; 8] = [0x3F, 0x4F, 0x56, 0x55, 0x6A, 0x6C, 0x57, 0x85];

/// Sapphire and Emerald Rapids count platform energy in whole joules (`RAPL_UNIT_QUIRK_INTEL_SPR`).
const PSYS_UNIT_JOULE: [u32; 2] = [0x8F, 0xCF];

const INTEL: [Register; 5] = [
    Register { kind: ZoneKind::Package, address: 0x611 },
    Register { kind: ZoneKind::Core, address: 0x639 },
    Register { kind: ZoneKind::Uncore, address: 0x641 },
    Register { kind: ZoneKind::Dram, address: 0x619 },
    Register { kind: ZoneKind::Psys, address: 0x64D },
];

impl Layout {
    /// The layout of a processor; `None` where no energy register is documented.
    pub(super) fn of(processor: &Processor) -> Option<Self> {
        match (processor.vendor_id.as_str(), processor.family?) {
            ("GenuineIntel", 6) => Some(Layout::Intel { model: processor.model? }),
            ("AuthenticAMD" | "HygonGenuine", 0x17..) => Some(Layout::Amd),
            _ => None,
        }
    }

    /// `MSR_RAPL_POWER_UNIT`, whose bits 12:8 hold the energy unit.
    pub(super) const fn unit_register(self) -> u64 {
        match self {
            Layout::Intel { .. } => 0x606,
            Layout::Amd => 0xC001_0299,
        }
    }

    /// What a package counts as a whole, the package itself first.
    pub(super) const fn package_registers(self) -> &'static [Register] {
        match self {
            Layout::Intel { .. } => &INTEL,
            Layout::Amd => &[Register { kind: ZoneKind::Package, address: 0xC001_029B }],
        }
    }

    /// What each core counts for itself.
    pub(super) const fn core_register(self) -> Option<Register> {
        match self {
            Layout::Intel { .. } => None,
            Layout::Amd => Some(Register { kind: ZoneKind::Core, address: 0xC001_029A }),
        }
    }

    /// The unit of the counters of a kind, given the unit register.
    pub(super) fn unit(self, kind: ZoneKind, unit_register: u64) -> EnergyUnit {
        let exponent = ((unit_register >> 8) & 0x1F) as u32;
        match (self, kind) {
            (Layout::Intel { model }, ZoneKind::Dram) if DRAM_UNIT_FIXED.contains(&model) => {
                EnergyUnit::joules_over_two_to(16)
            }
            (Layout::Intel { model }, ZoneKind::Psys) if PSYS_UNIT_JOULE.contains(&model) => {
                EnergyUnit::joules_over_two_to(0)
            }
            (Layout::Intel { model }, _) if UNIT_IN_MICROJOULES.contains(&model) => {
                EnergyUnit { microjoules: 1 << exponent, shift: 0 }
            }
            _ => EnergyUnit::joules_over_two_to(exponent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The unit register of nearly every Intel since Haswell: power 1/8 W, energy 2^-14 J, time 2^-10 s.
    const ESU_14: u64 = 0xA0E03;

    fn intel(model: u32, kind: ZoneKind, esu: u64) -> EnergyUnit {
        Layout::Intel { model }.unit(kind, esu)
    }

    #[test]
    fn a_round_of_32_bits_at_2_to_the_minus_14_joules_is_262144_joules() {
        let unit = intel(0x9E, ZoneKind::Package, ESU_14);
        assert_eq!(unit.modulus(), Energy::from_joules(262_144.0));
        assert_eq!(unit.energy(1 << 14), Energy::from_joules(1.0));
    }

    #[test]
    fn dram_has_a_unit_of_its_own_up_to_ice_lake_servers_but_not_on_sapphire_rapids() {
        for model in [0x3F, 0x4F, 0x56, 0x55, 0x57, 0x85, 0x6A, 0x6C] {
            assert_eq!(intel(model, ZoneKind::Dram, ESU_14).energy(1 << 16), Energy::from_joules(1.0), "{model:#x}");
            assert_eq!(intel(model, ZoneKind::Package, ESU_14).energy(1 << 14), Energy::from_joules(1.0), "{model:#x}");
        }
        for model in [0x8F, 0xCF, 0x3C, 0x9E] {
            assert_eq!(intel(model, ZoneKind::Dram, ESU_14).energy(1 << 14), Energy::from_joules(1.0), "{model:#x}");
        }
    }

    #[test]
    fn sapphire_rapids_counts_its_platform_in_joules() {
        assert_eq!(intel(0x8F, ZoneKind::Psys, ESU_14).energy(7), Energy::from_joules(7.0));
        assert_eq!(intel(0x8E, ZoneKind::Psys, ESU_14).energy(7 << 14), Energy::from_joules(7.0));
    }

    #[test]
    fn silvermont_counts_in_powers_of_two_of_microjoules() {
        // ESU 5: 32 µJ, the value of Bay Trail.
        assert_eq!(intel(0x37, ZoneKind::Package, 5 << 8).energy(10), Energy::from_microjoules(320));
        assert_eq!(intel(0x5C, ZoneKind::Package, 14 << 8).energy(1 << 14), Energy::from_joules(1.0));
    }

    #[test]
    fn amd_before_family_17h_and_other_makers_have_no_layout() {
        let processor = |vendor: &str, family, model| Processor {
            vendor_id: vendor.into(),
            family: Some(family),
            model: Some(model),
            ..Processor::default()
        };
        assert_eq!(Layout::of(&processor("AuthenticAMD", 0x16, 0)), None);
        assert_eq!(Layout::of(&processor("AuthenticAMD", 0x1A, 2)), Some(Layout::Amd));
        assert_eq!(Layout::of(&processor("HygonGenuine", 0x18, 1)), Some(Layout::Amd));
        assert_eq!(Layout::of(&processor("GenuineIntel", 6, 0x8F)), Some(Layout::Intel { model: 0x8F }));
        assert_eq!(Layout::of(&processor("GenuineIntel", 15, 4)), None);
        assert_eq!(Layout::of(&processor("0x41", 8, 4)), None);
    }

    proptest! {
        /// Any counts, any unit: exact to the microjoule, against wide arithmetic, and within the round.
        #[test]
        fn conversion_is_exact_and_stays_within_the_round(counts: u32, upper: u32, esu in 0u64..32, atom: bool) {
            let unit = intel(if atom { 0x37 } else { 0x9E }, ZoneKind::Package, esu << 8);
            let (numerator, denominator) = if atom { (1u128 << esu, 1) } else { (1_000_000, 1u128 << esu) };
            let energy = unit.energy(u64::from(upper) << 32 | u64::from(counts));
            prop_assert_eq!(u128::from(energy.microjoules()), u128::from(counts) * numerator / denominator);
            prop_assert_eq!(u128::from(unit.modulus().microjoules()), (numerator << 32) / denominator);
            prop_assert!(energy < unit.modulus());
        }
    }
}
