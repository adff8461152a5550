use super::*;
use proptest::prelude::*;

fn one(line: &str) -> Result<Sample<'_>, &'static str> {
    sample(trim(line.as_bytes()))
}

fn reasons(text: &[u8]) -> Vec<(usize, &'static str)> {
    samples(text).filter_map(Result::err).map(|error| (error.line, error.reason)).collect()
}

#[test]
fn a_label_value_may_hold_braces_commas_equal_signs_quotes_and_line_breaks() {
    let sample = one(r#"m{a="x}y",b="{\"k\":\"v\"}, c=\"d\"",e="C:\\dir\n"} 1"#).unwrap();
    let values: Vec<_> = sample.labels.iter().map(|(_, value)| value.as_ref()).collect();
    assert_eq!(values, ["x}y", r#"{"k":"v"}, c="d""#, "C:\\dir\n"]);
}

#[test]
fn blanks_and_a_last_comma_are_allowed_where_the_format_allows_them() {
    let sample = one("  m { a = \"1\" , b=\"2\", }\t 3.5\t1700000000000 ").unwrap();
    assert_eq!((sample.labels.len(), sample.value), (2, 3.5));
    assert_eq!(one("m{} 1").unwrap().labels.len(), 0);
    assert_eq!(one("a:b 1e-3\r").unwrap().value, 0.001);
}

#[test]
fn infinite_and_undefined_values_are_read() {
    assert_eq!(one("m +Inf").unwrap().value, f64::INFINITY);
    assert_eq!(one("m -Inf").unwrap().value, f64::NEG_INFINITY);
    assert!(one("m NaN").unwrap().value.is_nan());
}

#[test]
fn exemplars_and_timestamps_of_openmetrics_are_passed_over() {
    let text = b"# TYPE m counter\nm_total{a=\"#\"} 5.0 1700000000.123 # {trace_id=\"}#\"} 0.5 1700000000.0\n# EOF\n";
    let all: Vec<_> = samples(text).map(Result::unwrap).collect();
    assert_eq!((all.len(), all[0].value, all[0].label("a")), (1, 5.0, Some("#")));
    assert_eq!(samples(b"m 1\n# EOF").filter(Result::is_ok).count(), 1, "the last line break may be missing");
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced() {
    let text = b"m{comm=\"a\xffb\\n\"} 1\n";
    let sample = samples(text).next().unwrap().unwrap();
    assert_eq!(sample.label("comm"), Some("a\u{fffd}b\n"));
}

#[test]
fn a_cut_text_is_an_error_and_not_a_shorter_text() {
    assert_eq!(
        reasons(b"a 1\nkepler_pod_cpu_joules_total{pod_id=\"x\"} 12"),
        [(2, "it has no line break: the text is cut off")]
    );
    assert_eq!(reasons(b"a 1\n# EOF\nb 2\n"), [(3, "it follows `# EOF`")]);
}

#[test]
fn a_wrong_line_is_named_and_the_next_is_read() {
    for (line, reason) in [
        ("m{a=\"1\" 2", "labels do not end with `}`"),
        ("m{a=\"1} 2", "a label's value has no closing quote"),
        ("m{a=1} 2", "a label's value is not in quotes"),
        ("m{a} 2", "a label has no `=`"),
        ("m{a=\"1\",a=\"2\"} 2", "a label comes twice"),
        ("m{a:b=\"1\"} 2", "a label has no `=`"),
        ("m", "there is no value"),
        ("m{}", "there is no value"),
        ("m one", "the value is not a number"),
        ("m 1 noon", "the timestamp is not a number"),
        ("m 1 2 3", "there is text after the value and the timestamp"),
        ("m 1 # x", "the exemplar has no labels"),
        ("1m 1", "a name does not begin with a letter or `_`"),
        ("m-x 1", "the name holds a character that it may not"),
        ("{a=\"1\"} 1", "a name does not begin with a letter or `_`"),
    ] {
        let text = format!("first 1\n{line}\nlast 2\n");
        assert_eq!(reasons(text.as_bytes()), [(2, reason)], "{line}");
        assert_eq!(samples(text.as_bytes()).filter(Result::is_ok).count(), 2, "{line}");
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,12}",
        labels in prop::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,8}", any::<String>(), 0..5),
        value in any::<f64>(),
    ) {
        let written: Vec<_> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escape(value))).collect();
        let line = format!("{name}{{{}}} {value}\n", written.join(","));
        let sample = samples(line.as_bytes()).next().unwrap().unwrap();
        prop_assert_eq!(sample.name, &name);
        prop_assert_eq!(sample.labels.len(), labels.len());
        for (label, value) in &labels {
            prop_assert_eq!(sample.label(label), Some(value.as_str()));
        }
        prop_assert!(sample.value == value || (sample.value.is_nan() && value.is_nan()));
    }

    #[test]
    fn no_bytes_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(samples(&text).count() <= text.len() + 1);
    }

    #[test]
    fn no_nearly_right_text_panics(text in "([a-z_{}=\",\\\\# 0-9.\n]|NaN|# EOF\n|m\\{a=\"){0,60}") {
        prop_assert!(samples(text.as_bytes()).count() <= text.len() + 1);
    }
}
