use kepler_compliance::intensity::IntensityFigure;

fn dirtier(a: &IntensityFigure, b: &IntensityFigure) -> bool {
    a > b
}

fn main() {}
