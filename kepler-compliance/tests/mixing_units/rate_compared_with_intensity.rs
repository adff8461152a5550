use kepler_compliance::units::{CarbonIntensity, CarbonRate};

fn main() {
    let _ = CarbonRate::from_grams_per_hour(24.38) < CarbonIntensity::from_grams_per_kilowatt_hour(424.0);
}
