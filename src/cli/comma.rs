//! Rows of comma-separated values (RFC 4180, but for the line end, which programs here write so).

use kepler_compliance::numbers::rounded;
use kepler_core::printable;

/// One row. A text that a spreadsheet would take for a formula is marked as text by an apostrophe.
pub(super) fn row(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.map(|cell| quoted(&printable::line(&cell))).collect();
    cells.join(",") + "\n"
}

/// A figure of nine digits, as in JSON; empty where it is not known.
pub(super) fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| rounded(value).to_string())
}

fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@']) && cell.parse::<f64>().is_err();
    let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', ' ']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_cell_or_start_a_formula_is_quoted() {
        let cells = ["a,b", "say \"x\"", "=1+1", "-2.5", "", "a\nb"].map(str::to_owned);
        assert_eq!(row(cells.into_iter()), "\"a,b\",\"say \"\"x\"\"\",'=1+1,-2.5,,a\\nb\n");
        assert_eq!((number(None), number(Some(0.5))), (String::new(), "0.5".to_owned()));
        assert_eq!(number(Some(0.000_040_365_000_000_000_04)), "0.000040365");
    }
}
