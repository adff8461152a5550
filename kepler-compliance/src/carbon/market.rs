//! Market-based emissions: contracts for energy, beside the grid's mix.

use super::emissions_over;
use crate::series::Series;
use crate::units::{CarbonIntensity, CarbonMass, Energy, Pue};
use serde::{Deserialize, Serialize};

/// How much of the consumption a contract speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "GHG Protocol Scope 2 knows no other")]
pub enum ContractVolume {
    /// A share of all consumption, 0 to 1.
    Share(f64),
    /// A fixed amount over the assessed period.
    Energy(Energy),
}

/// A contractual instrument: a PPA, a certificate, a supplier-specific tariff.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "what GHG Protocol Scope 2 asks of a contract")]
pub struct Contract {
    /// What it is called.
    pub name: String,
    /// How much it covers.
    pub volume: ContractVolume,
    /// The intensity it attributes to that energy.
    pub intensity: CarbonIntensity,
}

/// Emissions by the market-based method (GHG Protocol Scope 2 guidance, chapter 6).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MarketBased {
    /// All of it: contracts and remainder.
    pub mass: CarbonMass,
    /// Facility energy that contracts cover.
    pub contracted: Energy,
    /// Facility energy that none covers; it counts at the residual intensity.
    pub residual: Energy,
    /// Contracted energy beyond what was consumed; it offsets nothing.
    pub surplus: Energy,
}

/// Contracts that cannot be applied.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ContractError {
    /// A share outside 0 to 1.
    #[error("contract `{name}` covers a share of {share}: give a share between 0 and 1 (not per cent)")]
    Share {
        /// Its name.
        name: String,
        /// The share as given.
        share: f64,
    },
    /// Shares that claim more than everything.
    #[error("the contracts' shares add up to {sum}: together they can cover at most 1 (all consumption)")]
    Shares {
        /// Their sum.
        sum: f64,
    },
    /// A negative or undefined intensity.
    #[error("contract `{name}` states {intensity}: an intensity is a finite figure of zero or more")]
    Intensity {
        /// Its name.
        name: String,
        /// The figure as given.
        intensity: CarbonIntensity,
    },
}

/// Market-based emissions of `facility` energy (`E_IT * PUE`) over the assessed period.
///
/// Contracts are used in the order given until the consumption is covered. What they leave counts
/// at `residual`: the residual mix where one is published, otherwise the grid's average.
///
/// # Errors
/// A share outside 0 to 1, shares above 1 together, an impossible intensity.
pub fn market_based(
    facility: Energy,
    residual: CarbonIntensity,
    contracts: &[Contract],
) -> Result<MarketBased, ContractError> {
    let mut shares = 0.0;
    let mut sum =
        MarketBased { mass: CarbonMass::ZERO, contracted: Energy::ZERO, residual: facility, surplus: Energy::ZERO };
    for contract in contracts {
        let grams = contract.intensity.grams_per_kilowatt_hour();
        if !(grams.is_finite() && grams >= 0.0) {
            return Err(ContractError::Intensity { name: contract.name.clone(), intensity: contract.intensity });
        }
        let wanted = match contract.volume {
            ContractVolume::Energy(energy) => energy,
            ContractVolume::Share(share) if (0.0..=1.0).contains(&share) => {
                shares += share;
                Energy::from_joules(facility.joules() * share)
            }
            ContractVolume::Share(share) => {
                return Err(ContractError::Share { name: contract.name.clone(), share });
            }
        };
        let used = wanted.min(sum.residual);
        sum.contracted += used;
        sum.residual = sum.residual - used;
        sum.surplus += wanted - used;
        sum.mass += used * contract.intensity;
    }
    if shares > 1.0 + 1e-9 {
        return Err(ContractError::Shares { sum: shares });
    }
    sum.mass += sum.residual * residual;
    Ok(sum)
}

/// The same over a time series: what contracts leave counts at the residual intensity of the hours
/// in which the energy was drawn, in proportion to the energy.
///
/// Contracts of energy speak for the whole period. Energy for which PUE or intensity is not known is
/// outside of the result; [`emissions_over`] says how much that is.
///
/// # Errors
/// As [`market_based`].
pub fn market_based_over(
    energy: &Series<Energy>,
    pue: &Series<Pue>,
    residual: &Series<CarbonIntensity>,
    contracts: &[Contract],
) -> Result<MarketBased, ContractError> {
    let location = emissions_over(energy, pue, residual);
    market_based(location.facility, location.mean_intensity().unwrap_or_default(), contracts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contract(volume: ContractVolume, grams: f64) -> Contract {
        Contract { name: "wind".into(), volume, intensity: CarbonIntensity::from_grams_per_kilowatt_hour(grams) }
    }

    const GRID: CarbonIntensity = CarbonIntensity::from_grams_per_kilowatt_hour(400.0);

    #[test]
    fn contracts_cover_part_and_the_residual_mix_the_rest() {
        let used = Energy::from_kilowatt_hours(10.0);
        let contracts = [
            contract(ContractVolume::Share(0.5), 0.0),
            contract(ContractVolume::Energy(Energy::from_kilowatt_hours(2.0)), 50.0),
        ];
        let sum = market_based(used, GRID, &contracts).unwrap();
        assert!((sum.mass.grams() - (2.0 * 50.0 + 3.0 * 400.0)).abs() < 1e-6, "{sum:?}");
        assert_eq!(sum.contracted + sum.residual, used);
    }

    #[test]
    fn over_time_the_uncontracted_part_counts_at_the_hours_intensity() {
        let hour = std::time::Duration::from_secs(3600);
        let (start, kwh) = (jiff::Timestamp::UNIX_EPOCH, Energy::from_kilowatt_hours);
        let energy = Series::regular(start, hour, [kwh(1.0), kwh(3.0)]).unwrap();
        let pue = Series::regular(start, hour, [Pue::ONE, Pue::ONE]).unwrap();
        let grid = [400.0, 200.0].map(CarbonIntensity::from_grams_per_kilowatt_hour);
        let grid = Series::regular(start, hour, grid).unwrap();
        let location = emissions_over(&energy, &pue, &grid);
        let half = [contract(ContractVolume::Share(0.5), 0.0)];
        let market = market_based_over(&energy, &pue, &grid, &half).unwrap();
        assert!((location.mass.grams() - 1000.0).abs() < 1e-6);
        assert!((market.mass.grams() - 500.0).abs() < 1e-6, "{market:?}");
    }

    #[test]
    fn buying_more_than_was_used_never_makes_emissions_negative() {
        let bought = contract(ContractVolume::Energy(Energy::from_kilowatt_hours(99.0)), 0.0);
        let sum = market_based(Energy::from_kilowatt_hours(10.0), GRID, &[bought]).unwrap();
        assert_eq!((sum.mass, sum.surplus), (CarbonMass::ZERO, Energy::from_kilowatt_hours(89.0)));
    }

    #[test]
    fn a_share_in_per_cent_is_refused() {
        let error = market_based(Energy::ZERO, GRID, &[contract(ContractVolume::Share(50.0), 0.0)]).unwrap_err();
        assert!(error.to_string().contains("not per cent"), "{error}");
        let twice = [contract(ContractVolume::Share(0.6), 0.0), contract(ContractVolume::Share(0.6), 0.0)];
        assert!(matches!(market_based(Energy::ZERO, GRID, &twice), Err(ContractError::Shares { .. })));
    }

    proptest! {
        #[test]
        fn every_microjoule_is_contracted_or_residual(uj: u64, share in 0.0..=1.0f64, other: u64) {
            let contracts = [contract(ContractVolume::Share(share), 10.0), contract(ContractVolume::Energy(Energy::from_microjoules(other)), 20.0)];
            let facility = Energy::from_microjoules(uj);
            let sum = market_based(facility, GRID, &contracts).unwrap();
            prop_assert_eq!(sum.contracted + sum.residual, facility);
        }
    }
}
