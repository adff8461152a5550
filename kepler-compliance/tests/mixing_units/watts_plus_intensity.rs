use kepler_compliance::units::{CarbonIntensity, Power};

fn main() {
    let _ = Power::from_watts(57.5) + CarbonIntensity::from_grams_per_kilowatt_hour(424.0);
}
