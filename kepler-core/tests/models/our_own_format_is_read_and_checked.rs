//! Models in our own format: what is sound predicts, what is not is refused by name.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its model fails")]

use kepler_core::model::format::{
    Component, Curve, Document, Feature, Function, IntervalKnots, Linear, Neighbours, Shape, Support, Term, Tree, Trees,
};
use kepler_core::model::{Model, ModelFault};
use kepler_core::units::ZoneKind;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;

fn term(function: Function) -> Term {
    Term { weight: 1.0, function }
}

fn stump() -> Trees {
    let tree = Tree { left: vec![1, 0, 0], input: vec![0, 0, 0], condition: vec![10.0, 1.0, 2.0] };
    Trees { base: 100.0, trees: vec![tree] }
}

/// Two features, a tree, a line and neighbours in one component.
fn document() -> Document {
    let feature = |name: &str| Feature { name: name.to_owned(), lower: 0.0, upper: 20.0 };
    let neighbours = Neighbours {
        count: 2,
        scales: vec![1.0, 1.0],
        rows: vec![0.0, 0.0, 10.0, 0.0, 20.0, 0.0],
        targets: vec![5.0, 7.0, 9.0],
    };
    let package = Component {
        terms: vec![
            Term::trees(1.0, stump()),
            Term::linear(2.0, Linear { bias: 1.0, coefficients: vec![0.5, 0.0] }),
            term(Function::Neighbours(neighbours)),
        ],
        interval: Some(IntervalKnots { confidence: 0.9, knots: vec![[0.0, 4.0, 6.0]], far: 0.0 }),
        ..Component::default()
    };
    Document {
        features: vec![feature("a"), feature("b")],
        components: BTreeMap::from([("package".to_owned(), package)]),
        support: Some(Support {
            scales: vec![1.0, 1.0],
            floors: Vec::new(),
            rows: vec![10.0, 0.0],
            reach: 5.0,
            growth: 1.0,
        }),
        ..Document::default()
    }
}

fn watts(model: &Model, row: &[f64]) -> f64 {
    model.predict(row).unwrap().power(ZoneKind::Package).unwrap().watts()
}

#[test]
fn terms_are_summed_up_and_a_batch_says_the_same() {
    let model = Model::from_document(&document()).unwrap();
    // 101 of the tree, 2·(1 + 5) of the line, 7 of the neighbour that is met exactly.
    assert_eq!(watts(&model, &[10.0, 0.0]), 102.0 + 12.0 + 7.0);
    assert_eq!(watts(&model, &[5.0, 0.0]), 101.0 + 7.0 + 6.0);
    let rows: Vec<f64> = (0..5000).flat_map(|n| [f64::from(n % 23), f64::from(n % 7)]).collect();
    let mut batch = Vec::new();
    model.predict_batch(&rows, NonZeroUsize::new(2).unwrap(), &mut batch).unwrap();
    for (row, prediction) in rows.chunks_exact(2).zip(&batch) {
        assert_eq!(prediction.power(ZoneKind::Package).unwrap().watts(), watts(&model, row));
    }
}

#[test]
fn a_file_says_the_same_as_the_document_and_knows_its_card() {
    let json = serde_json::to_vec(&document()).unwrap();
    let model = Model::from_json("whatever", &json).unwrap();
    assert_eq!(watts(&model, &[10.0, 0.0]), 121.0);
    assert_eq!(model.features(), ["a", "b"]);
    assert_eq!(model.ranges().next(), Some(("a", 0.0, 20.0)));
    assert_eq!((model.outside(&[5.0, 5.0]), model.outside(&[21.0, -1.0])), (0, 2));
}

#[test]
fn an_interval_is_wider_the_farther_a_row_is_from_those_trained_with() {
    let model = Model::from_document(&document()).unwrap();
    let interval = |row: &[f64]| {
        let prediction = model.predict(row).unwrap();
        model.interval(row, &prediction, ZoneKind::Package).unwrap()
    };
    let near = interval(&[10.0, 3.0]);
    assert_eq!((near.widening, near.confidence), (1.0, 0.9));
    assert_eq!(near.upper.watts() - near.lower.watts(), 10.0);
    let far = interval(&[10.0, 15.0]);
    assert_eq!(far.widening, 3.0);
    let width = far.upper.watts() - far.lower.watts();
    assert!((width - 30.0).abs() < 1e-9, "{width}");
}

#[test]
fn power_per_thread_serves_machines_of_any_size() {
    let mut document = document();
    document.features[1].name = "threads".to_owned();
    document.inputs = vec![vec![(0, 1), (1, -1)]];
    let component = document.components.get_mut("package").unwrap();
    component.per = Some(1);
    component.terms = vec![Term::linear(1.0, Linear { bias: 0.5, coefficients: vec![2.0] })];
    document.support = None;
    let model = Model::from_document(&document).unwrap();
    assert_eq!(watts(&model, &[8.0, 8.0]), 8.0 * 2.5);
    assert_eq!(watts(&model, &[8.0, 16.0]), 16.0 * 1.5);
    assert_eq!(watts(&model, &[8.0, 0.0]), 0.0, "no threads, no power, and no NaN");
}

#[test]
fn what_is_not_sound_is_refused_by_name() {
    let change = |change: &dyn Fn(&mut Document)| {
        let mut document = document();
        change(&mut document);
        Model::from_document(&document).unwrap_err().to_string()
    };
    let package = |document: &mut Document, terms: Vec<Term>| {
        document.components.get_mut("package").unwrap().terms = terms;
    };
    let curve = |scale: f64, input: usize, weights: Vec<f64>| {
        term(Function::Curve(Curve { shape: Shape::Logistic, input, scale, weights }))
    };
    for (error, part) in [
        (change(&|d| d.version = 2), "kepler-power-model 2"),
        (change(&|d| d.features.clear()), "no features"),
        (change(&|d| d.features[0].lower = f64::NAN), "range of feature `a`"),
        (change(&|d| d.components.clear()), "no component"),
        (change(&|d| d.inputs = vec![vec![(9, 1)]]), "names no feature"),
        (change(&|d| d.inputs = vec![vec![(0, 99)]]), "power is absurd"),
        (change(&|d| d.inputs = vec![vec![(0, 1)]; 65]), "inputs: 65 where at most 64"),
        (change(&|d| package(d, vec![])), "no terms"),
        (change(&|d| package(d, vec![Term::trees(f64::NAN, stump())])), "weight of a term"),
        (change(&|d| package(d, vec![Term::linear(1.0, Linear::default())])), "coefficient"),
        (change(&|d| package(d, vec![curve(0.0, 0, vec![1.0; 4])])), "curve's input, scale"),
        (change(&|d| package(d, vec![curve(1.0, 2, vec![1.0; 4])])), "curve's input, scale"),
        (change(&|d| package(d, vec![curve(1.0, 0, vec![1.0; 3])])), "3 curve weights where this curve has 4"),
        (change(&|d| d.support.as_mut().unwrap().reach = 0.0), "support"),
        (change(&|d| d.components.get_mut("package").unwrap().per = Some(2)), "`per`"),
    ] {
        assert!(error.contains(part), "{error} should contain {part}");
    }
}

#[test]
fn trees_that_are_no_trees_are_refused() {
    for (left, input, condition) in [
        (vec![1, 0], vec![0, 0], vec![1.0, 1.0]),
        (vec![1, 1, 0], vec![0, 0, 0], vec![1.0, 1.0, 1.0]),
        (vec![u32::MAX, 0, 0], vec![0, 0, 0], vec![1.0, 1.0, 1.0]),
        (vec![1, 0, 0], vec![2, 0, 0], vec![1.0, 1.0, 1.0]),
        (vec![1, 0, 0], vec![0, 0], vec![1.0, 1.0, 1.0]),
        (vec![1, 0, 0], vec![0, 0, 0], vec![f32::NAN, 1.0, 1.0]),
        (vec![], vec![], vec![]),
    ] {
        let mut document = document();
        let trees = Trees { base: 0.0, trees: vec![Tree { left, input, condition }] };
        document.components.get_mut("package").unwrap().terms = vec![Term::trees(1.0, trees)];
        let fault = Model::from_document(&document).unwrap_err();
        assert!(matches!(fault, ModelFault::Tree { .. }), "{fault}");
    }
}

#[test]
fn a_truncated_file_is_damaged_and_says_so() {
    let json = serde_json::to_vec(&document()).unwrap();
    for length in [1, 30, json.len() / 2, json.len() - 1] {
        let error = Model::from_json("model", &json[..length]).unwrap_err().to_string();
        assert!(error.contains("damaged"), "{error}");
    }
}

#[test]
fn what_fades_counts_near_the_rows_only_and_what_is_added_to_intervals_far_from_them() {
    use kepler_core::model::format::{Additive, Line};
    let line = Additive { bias: 10.0, lines: vec![Line { input: 0, knots: vec![[0.0, 0.0], [100.0, 50.0]] }] };
    let constant = |watts| Term::linear(1.0, Linear { bias: watts, coefficients: vec![0.0] });
    let whole = |support| Document {
        features: vec![Feature { name: "bpf_cpu_time_ms".into(), lower: 0.0, upper: 100.0 }],
        components: BTreeMap::from([(
            "package".to_owned(),
            Component {
                terms: vec![
                    Term { weight: 1.0, function: Function::Additive(line.clone()) },
                    Term { weight: 0.5, function: Function::Faded(vec![constant(40.0)]) },
                ],
                interval: Some(IntervalKnots { confidence: 0.9, knots: vec![[0.0, 1.0, 1.0]], far: 30.0 }),
                ..Component::default()
            },
        )]),
        support,
        ..Document::default()
    };
    let support =
        Support { scales: vec![1.0], floors: vec![1.0], rows: vec![100.0_f32.ln_1p()], reach: 0.5, growth: 0.0 };
    let model = Model::from_document(&whole(Some(support))).unwrap();
    let at = |x: f64| {
        let prediction = model.predict(&[x]).unwrap();
        let interval = model.interval(&[x], &prediction, ZoneKind::Package).unwrap();
        (prediction.power(ZoneKind::Package).unwrap().watts(), interval.upper.watts())
    };
    assert_eq!(at(100.0), (80.0, 81.0), "the line, half of what fades, and the margin near the rows");
    assert_eq!(at(140.0), (80.0, 81.0), "the line is level, and 40 % more is within reach");
    let (power, upper) = at(0.0);
    assert!((power - 10.0).abs() < 1e-6 && (upper - power - 31.0).abs() < 1e-6, "{power} {upper}");
    let rows = [100.0, 60.0, 1.0, 0.0];
    let mut batch = Vec::new();
    model.predict_batch(&rows, NonZeroUsize::MIN, &mut batch).unwrap();
    for (row, batch) in rows.iter().zip(batch) {
        assert_eq!(batch.power(ZoneKind::Package).unwrap().watts().to_bits(), at(*row).0.to_bits());
    }
    let refused = Model::from_document(&whole(None)).unwrap_err().to_string();
    assert!(refused.contains("there is no support"), "{refused}");
}
