use kepler_compliance::units::{CarbonIntensity, CarbonMass, Power};

fn main() {
    let grid = CarbonIntensity::from_grams_per_kilowatt_hour(424.0);
    let _: CarbonMass = Power::from_watts(57.5) * grid;
}
