use kepler_compliance::carbon;
use kepler_compliance::units::{CarbonIntensity, Power, Pue};

fn main() {
    let grid = CarbonIntensity::from_grams_per_kilowatt_hour(424.0);
    carbon::emissions(Power::from_watts(57.5), Pue::ONE, grid);
}
