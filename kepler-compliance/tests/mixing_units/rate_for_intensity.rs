use kepler_compliance::carbon;
use kepler_compliance::units::{CarbonRate, Power, Pue};

fn main() {
    let hourly = CarbonRate::from_grams_per_hour(24.38);
    carbon::rate(Power::from_watts(57.5), Pue::ONE, hourly);
}
