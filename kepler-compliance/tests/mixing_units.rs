//! Formulas that mix watts, g/h and g/kWh do not compile.

#[test]
fn mixing_units_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/mixing_units/*.rs");
}
