//! The same samples as messages of protocol buffers, as `io/prometheus/client/metrics.proto` of Prometheus'
//! client_model has them; the numbers of fields below are from there.
//!
//! Three kinds of fields are all there is of it here, so they are written by hand: a generated encoder would first make
//! a tree of each family, 16,000 samples with their labels, which the text writer does not need either.

use super::{Header, Kind, Value, write_value};
use kepler_core::units::ZoneKind;

/// Kinds of fields ("wire types") as the encoding of protocol buffers defines them.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const LENGTH: u8 = 2;

/// `MetricFamily.name`, `help`, `type`, `metric`, `unit`.
const FAMILY: [u8; 5] = [1, 2, 3, 4, 5];
/// `Metric.label`, `gauge`, `counter`.
const METRIC: [u8; 3] = [1, 2, 3];
/// `LabelPair.name`, `value`.
const LABEL: [u8; 2] = [1, 2];
/// `Counter.value` and `Gauge.value`.
const VALUE: u8 = 1;

/// Numbers up to this one are exact as floating-point numbers.
const EXACT: u128 = 1 << f64::MANTISSA_DIGITS;

/// Appends a family, whose rows `write` makes: whole if it has one row at most, whose figures may be others the next time;
/// else its beginning, with the length of what is to follow. Whether its rows are still to be written.
pub(crate) fn begin(
    family: &Header,
    rows: usize,
    mut write: impl FnMut(usize, &mut Vec<u8>),
    out: &mut Vec<u8>,
) -> bool {
    let (mut body, mut length) = (Vec::new(), 0);
    for row in 0..rows {
        write(row, &mut body);
        length += body.len();
        if rows > 1 {
            body.clear();
        }
    }
    if length == 0 {
        return false;
    }
    let mut header = Vec::new();
    self::header(family, &mut header);
    varint(header.len() + length, out);
    out.extend_from_slice(&header);
    out.extend_from_slice(&body);
    rows > 1
}

/// Appends what a family says of itself.
pub(super) fn header(header: &Header, out: &mut Vec<u8>) {
    let [name, help, kind, _, unit] = FAMILY;
    bytes(name, header.name.as_bytes(), out);
    bytes(help, header.help.as_bytes(), out);
    out.push(tag(kind, VARINT));
    // `MetricType`.
    out.push(match header.kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
    });
    if let Some(text) = header.unit {
        bytes(unit, text.as_bytes(), out);
    }
}

/// Appends a label of a sample.
pub(super) fn label(name: &str, value: &[u8], out: &mut Vec<u8>) {
    let [label_name, label_value] = LABEL;
    let start = out.len();
    bytes(label_name, name.as_bytes(), out);
    bytes(label_value, value, out);
    enclose(METRIC[0], start, out);
}

/// Appends a label that was rendered as text, `name="value"`, with its value as it was before.
pub(super) fn rendered(text: &str, out: &mut Vec<u8>) {
    let Some((name, quoted)) = text.split_once('=') else { return };
    let mut value = Vec::with_capacity(quoted.len());
    let mut escaped = false;
    for byte in quoted.trim_start_matches('"').bytes() {
        match (escaped, byte) {
            (false, b'\\') => escaped = true,
            (false, b'"') => break,
            (true, b'n') => (value.push(b'\n'), escaped = false).1,
            (_, byte) => (value.push(byte), escaped = false).1,
        }
    }
    label(name, &value, out);
}

/// Gives the sample that began at `start` its value.
pub(super) fn finish(start: usize, kind: Kind, value: Value, out: &mut Vec<u8>) {
    push_value(kind, value, out);
    enclose(FAMILY[3], start, out);
}

/// Makes one sample for each zone, with the labels since `start` and the zone; none if there are none.
pub(super) fn zones(start: usize, kind: Kind, values: impl Iterator<Item = (ZoneKind, Value)>, out: &mut Vec<u8>) {
    let labels = out.split_off(start);
    for (zone, value) in values {
        let start = out.len();
        out.extend_from_slice(&labels);
        label("zone", zone.name().as_bytes(), out);
        finish(start, kind, value, out);
    }
}

fn push_value(kind: Kind, value: Value, out: &mut Vec<u8>) {
    let field = match kind {
        Kind::Gauge => METRIC[1],
        Kind::Counter => METRIC[2],
    };
    out.push(tag(field, LENGTH));
    // A tag and eight bytes.
    out.push(9);
    out.push(tag(VALUE, FIXED64));
    out.extend_from_slice(&number(value).to_le_bytes());
}

/// The number that a reader of the text gets.
fn number(value: Value) -> f64 {
    let of = |whole: u128, parts: f64| (whole < EXACT).then(|| whole as f64 / parts);
    let exact = match value {
        Value::Energy(energy) => of(energy.microjoules().into(), 1e6),
        Value::Time(time) => of(time.as_nanos(), 1e9),
        Value::Count(count) => Some(count as f64),
        Value::Number(number) => Some(number),
    };
    exact.unwrap_or_else(|| {
        let mut text = Vec::new();
        write_value(value, &mut text);
        // It was written as a number.
        String::from_utf8_lossy(&text).parse().unwrap_or(f64::NAN)
    })
}

const fn tag(field: u8, wire: u8) -> u8 {
    field << 3 | wire
}

fn bytes(field: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(tag(field, LENGTH));
    varint(content.len(), out);
    out.extend_from_slice(content);
}

/// Makes what was appended since `start` a field.
fn enclose(field: u8, start: usize, out: &mut Vec<u8>) {
    let length = out.len() - start;
    let mut head = vec![tag(field, LENGTH)];
    varint(length, &mut head);
    out.splice(start..start, head);
}

fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
