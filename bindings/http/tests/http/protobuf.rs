//! The exposition as protocol buffers, read back by field numbers of `io/prometheus/client/metrics.proto`, against the
//! text of the same snapshot.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail as tests do")]

use crate::support::{Labels, exporter, inhabited, options, parse, populated, process, row, text};
use kepler_core::snapshot::{Snapshot, State};
use kepler_core::units::Energy;
use kepler_http::{Compat, Exporter, Format};
use std::collections::BTreeMap;
use std::time::Duration;

/// A field: its number, and what it holds.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first().unwrap();
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a number of more than 64 bits");
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (head, tail) = rest.split_at(length);
    *rest = tail;
    head
}

fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut message)),
            1 => Field::Number(u64::from_le_bytes(take(&mut message, 8).try_into().unwrap())),
            2 => {
                let length = varint(&mut message) as usize;
                Field::Bytes(take(&mut message, length))
            }
            other => panic!("wire type {other}"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

/// Families by name: help, type, unit and samples.
#[derive(Debug, Default, PartialEq)]
struct Family {
    help: String,
    kind: u64,
    unit: Option<String>,
    samples: Vec<(Labels, f64)>,
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn sample(message: &[u8], kind: u64) -> (Labels, f64) {
    let (mut labels, mut value) = (Labels::new(), None);
    for field in fields(message) {
        match field {
            (1, Field::Bytes(pair)) => match fields(pair).as_slice() {
                [(1, Field::Bytes(name)), (2, Field::Bytes(text))] => {
                    assert!(labels.insert(utf8(name), utf8(text)).is_none());
                }
                _ => panic!("no label pair"),
            },
            (number, Field::Bytes(holder)) if number == if kind == 0 { 3 } else { 2 } => match fields(holder)[..] {
                [(1, Field::Number(bits))] => value = Some(f64::from_bits(bits)),
                _ => panic!("no value"),
            },
            (number, _) => panic!("field {number} of a metric of type {kind}"),
        }
    }
    (labels, value.unwrap())
}

fn read(mut out: &[u8]) -> BTreeMap<String, Family> {
    let mut families = BTreeMap::new();
    while !out.is_empty() {
        let length = varint(&mut out) as usize;
        let (mut name, mut family, mut messages) = (String::new(), Family::default(), Vec::new());
        for field in fields(take(&mut out, length)) {
            match field {
                (1, Field::Bytes(bytes)) => name = utf8(bytes),
                (2, Field::Bytes(bytes)) => family.help = utf8(bytes),
                (3, Field::Number(kind)) => family.kind = kind,
                (4, Field::Bytes(bytes)) => messages.push(bytes),
                (5, Field::Bytes(bytes)) => family.unit = Some(utf8(bytes)),
                (number, _) => panic!("field {number} of a family"),
            }
        }
        family.samples = messages.into_iter().map(|message| sample(message, family.kind)).collect();
        assert!(!family.samples.is_empty(), "{name} has no samples");
        assert!(families.insert(name.clone(), family).is_none(), "{name} comes twice");
    }
    families
}

/// Both formats of the same, but for what this process uses at the moment.
fn assert_equal(exporter: &Exporter) {
    let mut out = Vec::new();
    exporter.encode(Format::Protobuf, &mut out);
    let families = read(&out);
    let words = text(exporter, Format::Text);
    let own = |name: &str| name.starts_with("process_") || name.starts_with("kepler_exporter_");
    let mut expected: BTreeMap<String, Vec<(Labels, f64)>> = BTreeMap::new();
    for sample in parse(&words, Format::Text) {
        expected.entry(sample.name).or_default().push((sample.labels, sample.value.parse().unwrap()));
    }
    assert!(families.keys().eq(expected.keys()), "{:?}", families.keys());
    for (name, family) in &families {
        assert!(words.contains(&format!("# HELP {name} {}\n", family.help)), "{name}");
        let kind = if family.kind == 0 { "counter" } else { "gauge" };
        assert!(words.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
        assert_eq!(family.samples.len(), expected[name].len(), "{name}");
        assert!(own(name) || family.samples == expected[name], "{name}");
    }
}

fn named(comm: &str) -> Snapshot {
    let mut snapshot = inhabited();
    let mut one = row(process(7, 1, comm, "/a\\b\"c\nd"), State::Running, 1.0);
    // More than a floating-point number holds of microjoules and nanoseconds.
    one.energy[kepler_core::units::ZoneKind::Package] = Energy::from_microjoules(u64::MAX - 12_345);
    one.cpu_time = Duration::new(400_000_000, 123_456_789);
    snapshot.processes.push(one);
    snapshot
}

#[test]
fn messages_hold_what_the_text_says() {
    assert_equal(&exporter(None, options()));
    assert_equal(&exporter(Some(named("한글\u{202e}\x1b\\")), options()));
    for compat in [Compat::Kepler07, Compat::RaplNames] {
        let mut older = options();
        older.compat = Some(compat);
        assert_equal(&exporter(Some(inhabited()), older));
    }
    let mut named = options();
    named.node_name = "a\\n\"b\"\n".into();
    assert_equal(&exporter(Some(inhabited()), named));
}

#[test]
fn a_family_of_thousands_of_samples_is_one_message() {
    assert_equal(&exporter(Some(populated(1_500)), options()));
}
