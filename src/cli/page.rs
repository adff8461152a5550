//! Answers as pages for people.

pub(super) use kepler_compliance::numbers::figure as digits;

use super::words::{Word, word};
use kepler_compliance::standards::Status;
use kepler_compliance::text::Lang;
use kepler_core::printable;
use std::fmt::Write;

/// Lines of aligned columns. What acts on a terminal is escaped, so that a name stays in its cell.
pub(super) fn table(heads: &[impl AsRef<str>], rows: &[Vec<String>]) -> String {
    let shown = |row: &Vec<String>| row.iter().map(|cell| printable::line(cell).into_owned()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(shown).collect();
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(column, head)| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell));
            cells.chain([width(head.as_ref())]).max().unwrap_or_default()
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, widest) in cells.zip(&widths) {
            // Writing to a string does not fail.
            let _ = write!(line, "{cell}{:1$}  ", "", widest - width(cell));
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    };
    let mut page = line(&mut heads.iter().map(AsRef::as_ref));
    for row in &rows {
        page.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    page
}

/// Columns that a text takes on a terminal: a Hangul syllable takes two.
fn width(text: &str) -> usize {
    text.chars().map(|c| if ('가'..='힣').contains(&c) { 2 } else { 1 }).sum()
}

/// Lines of `name  value`.
pub(super) fn facts(rows: &[(&str, String)]) -> String {
    let widest = rows.iter().map(|(name, _)| width(name)).max().unwrap_or_default();
    let line = |(name, value): &(&str, String)| {
        format!("{name}{:1$}  {value}\n", "", widest - width(name), value = printable::line(value))
    };
    rows.iter().map(line).collect()
}

/// A heading with an indented list; nothing for an empty one.
pub(super) fn list(heading: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: String = items.iter().map(|item| format!("  - {}\n", printable::line(item))).collect();
    format!("\n{heading}\n{items}")
}

/// A figure with its unit; what is not known says so.
pub(super) fn figure(value: Option<f64>, unit: &str, lang: Lang) -> String {
    match value {
        Some(value) => format!("{} {unit}", digits(value)).trim_end().to_owned(),
        None => word(Word::Unknown, lang).to_owned(),
    }
}

/// A status as it stands in JSON.
pub(super) const fn status(status: Status) -> &'static str {
    match status {
        Status::Compliant => "COMPLIANT",
        Status::NonCompliant => "NON_COMPLIANT",
        Status::NotApplicable => "NOT_APPLICABLE",
        Status::InsufficientData => "INSUFFICIENT_DATA",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_four_digits_and_no_trailing_zeros() {
        for (value, text) in
            [(24.38, "24.38"), (510.072, "510.1"), (1.0, "1"), (0.000_012_345, "0.00001234"), (40_000.0, "40000")]
        {
            assert_eq!(digits(value), text);
        }
        assert_eq!(figure(None, "W", Lang::En), "unknown");
        assert_eq!(figure(None, "W", Lang::Ko), "알 수 없음");
        assert_eq!(figure(Some(1.2), "", Lang::En), "1.2");
    }

    #[test]
    fn hangul_is_two_columns_wide() {
        assert_eq!(facts(&[("전력", "1 W".into()), ("PUE", "1.2".into())]), "전력  1 W\nPUE   1.2\n");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let page = table(&["A", "B"], &[vec!["long".into(), "x".into()], vec!["s".into(), "y".into()]]);
        assert_eq!(page, "A     B\nlong  x\ns     y\n");
    }
}
