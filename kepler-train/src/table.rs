//! Tables: named columns of numbers or words, from CSV or Parquet.

#[cfg(feature = "parquet")]
mod parquet;

use crate::TrainError;
use kepler_core::host::file::{self, FileLimits};
use kepler_core::model::Semantics;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The most rows that are read. A second a row, that is four months.
pub const MAX_ROWS: usize = 10_000_000;
/// A table is bounded by its rows and columns, which are read one after the other.
pub(crate) const ANY_SIZE: FileLimits = FileLimits::bytes(u64::MAX);
/// The most columns.
pub const MAX_COLUMNS: usize = 1024;

/// A table with named columns.
///
/// In CSV the first line names the columns. Lines before it that begin with `#` may declare what the numbers mean:
/// `# semantics: exporter-0.7.11`; others of them are comments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    rows: usize,
    semantics: Option<Semantics>,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
struct Column {
    name: String,
    cells: Cells,
}

#[derive(Clone, Debug, PartialEq)]
enum Cells {
    /// NaN where the field is empty.
    Numbers(Vec<f64>),
    /// At least one field is no number.
    Words(Vec<String>),
}

impl Table {
    /// Reads a CSV file, or one that ends in `.parquet` (feature `parquet`).
    ///
    /// # Errors
    /// The file cannot be read, or as for [`Table::from_csv`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = path.as_ref();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            #[cfg(feature = "parquet")]
            return Self::from_parquet(path);
            #[cfg(not(feature = "parquet"))]
            return Err(TrainError::Parquet {
                path: path.to_owned(),
                reason: "this build reads CSV only; build with the `parquet` feature".to_owned(),
            });
        }
        let file = file::open(path, ANY_SIZE)
            .map_err(|error| TrainError::Read { path: path.to_owned(), source: error.into_io() })?;
        Self::from_csv(&path.display().to_string(), file)
    }

    /// Reads CSV. `name` stands in error messages.
    ///
    /// # Errors
    /// Lines of different lengths, a column named twice, more than [`MAX_ROWS`] or [`MAX_COLUMNS`], unknown semantics.
    pub fn from_csv(name: &str, csv: impl Read) -> Result<Self, TrainError> {
        let read = |source| TrainError::Read { path: name.into(), source };
        let mut input = BufReader::new(csv);
        let mut semantics = None;
        let mut first = Vec::new();
        loop {
            first.clear();
            // No header is longer than this; a file without line ends must not be swallowed whole.
            input.by_ref().take(1 << 20).read_until(b'\n', &mut first).map_err(read)?;
            let Some(comment) = first.strip_prefix(b"#") else { break };
            let comment = String::from_utf8_lossy(comment);
            if let Some((key, value)) = comment.split_once(':')
                && key.trim() == "semantics"
            {
                let parsed = value.trim().parse();
                let declaration = |error: kepler_core::model::ParseSemanticsError| TrainError::Declaration {
                    name: name.to_owned(),
                    what: error.to_string(),
                };
                semantics = Some(parsed.map_err(declaration)?);
            }
        }
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(first.as_slice().chain(input));
        let bad = |source| TrainError::Csv { name: name.to_owned(), source };
        let names: Vec<String> = reader.headers().map_err(bad)?.iter().map(str::to_owned).collect();
        check_names(&names)?;
        let mut cells = vec![Cells::Numbers(Vec::new()); names.len()];
        let mut record = csv::StringRecord::new();
        let mut rows = 0;
        while reader.read_record(&mut record).map_err(bad)? {
            rows += 1;
            if rows > MAX_ROWS {
                return Err(TrainError::TooMany { what: "rows", found: rows, limit: MAX_ROWS });
            }
            for (cells, field) in cells.iter_mut().zip(&record) {
                cells.push(field);
            }
        }
        let columns = names.into_iter().zip(cells).map(|(name, cells)| Column { name, cells }).collect();
        Ok(Table { columns, rows, semantics })
    }

    /// A table of columns that are at hand already.
    ///
    /// # Errors
    /// Columns of different lengths or of one name.
    pub fn from_columns(columns: impl IntoIterator<Item = (String, Vec<f64>)>) -> Result<Self, TrainError> {
        let columns: Vec<Column> =
            columns.into_iter().map(|(name, cells)| Column { name, cells: Cells::Numbers(cells) }).collect();
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        check_names(&names)?;
        let lengths = || columns.iter().map(|column| column.cells.len());
        let rows = lengths().next().unwrap_or_default();
        match lengths().find(|&length| length != rows) {
            Some(found) => Err(TrainError::Shape { expected: rows, found }),
            None => Ok(Table { columns, rows, semantics: None }),
        }
    }

    /// How many rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The names of the columns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// What the numbers mean, if the file declares it.
    #[must_use]
    pub const fn semantics(&self) -> Option<Semantics> {
        self.semantics
    }

    /// Declares what the numbers mean.
    pub fn declare(&mut self, semantics: Semantics) {
        self.semantics = Some(semantics);
    }

    /// Gives a column another name.
    ///
    /// # Errors
    /// There is no such column, or one of the new name.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), TrainError> {
        if self.names().any(|name| name == to) {
            return Err(TrainError::Twice(to.to_owned()));
        }
        let missing = self.no_column(from);
        let column = self.columns.iter_mut().find(|column| column.name == from).ok_or(missing)?;
        to.clone_into(&mut column.name);
        Ok(())
    }

    /// Appends the rows of another table with the same columns.
    ///
    /// # Errors
    /// A column is not there, or the two declare different semantics.
    pub fn append(&mut self, other: &Table) -> Result<(), TrainError> {
        if self.semantics != other.semantics {
            let name = |semantics: Option<Semantics>| semantics.map_or("none", Semantics::name);
            let what = format!("tables of semantics {} and {}", name(self.semantics), name(other.semantics));
            return Err(TrainError::Declaration { name: "rows".to_owned(), what });
        }
        for column in &mut self.columns {
            let given = other.column(&column.name)?;
            column.cells.append(&given.cells);
        }
        self.rows += other.rows;
        Ok(())
    }

    /// Some of the rows, in the order given. Indices that do not exist are left out.
    #[must_use]
    pub fn subset(&self, indices: &[usize]) -> Table {
        let indices = || indices.iter().filter(|&&index| index < self.rows);
        let pick = |cells: &Cells| match cells {
            Cells::Numbers(cells) => Cells::Numbers(indices().filter_map(|&index| cells.get(index)).copied().collect()),
            Cells::Words(cells) => Cells::Words(indices().filter_map(|&index| cells.get(index)).cloned().collect()),
        };
        let column = |column: &Column| Column { name: column.name.clone(), cells: pick(&column.cells) };
        Table { columns: self.columns.iter().map(column).collect(), rows: indices().count(), semantics: self.semantics }
    }

    /// A column of finite numbers.
    ///
    /// # Errors
    /// There is no such column, or a field of it is empty or no finite number.
    pub fn numbers(&self, column: &str) -> Result<&[f64], TrainError> {
        let not = |row: usize, text: String| TrainError::NotANumber { row: row + 1, column: column.to_owned(), text };
        match &self.column(column)?.cells {
            Cells::Numbers(cells) => match cells.iter().position(|cell| !cell.is_finite()) {
                Some(row) => Err(not(row, String::new())),
                None => Ok(cells),
            },
            Cells::Words(cells) => {
                let bad = |cell: &&String| number(cell).is_none_or(|cell| !cell.is_finite());
                // A column is one of words because one of its fields is no number.
                let row = cells.iter().position(|cell| bad(&cell)).unwrap_or_default();
                Err(not(row, cells.get(row).map_or("", String::as_str).chars().take(40).collect()))
            }
        }
    }

    /// A column of numbers that may be missing: NaN where a field is empty.
    ///
    /// # Errors
    /// There is no such column, or a field of it is neither empty nor a number.
    pub fn cells(&self, column: &str) -> Result<&[f64], TrainError> {
        match &self.column(column)?.cells {
            Cells::Numbers(cells) => Ok(cells),
            Cells::Words(_) => self.numbers(column),
        }
    }

    /// A column as groups: rows with the same field have the same number, counted from 0 in the order in which they appear; and the fields.
    ///
    /// # Errors
    /// There is no such column.
    pub fn groups(&self, column: &str) -> Result<(Vec<usize>, Vec<String>), TrainError> {
        let (mut known, mut numbers) = (Vec::new(), HashMap::new());
        let mut number_of = |text: String| {
            *numbers.entry(text).or_insert_with_key(|text: &String| {
                known.push(text.clone());
                known.len() - 1
            })
        };
        let groups = match &self.column(column)?.cells {
            Cells::Numbers(cells) => cells.iter().map(|cell| number_of(cell.to_string())).collect(),
            Cells::Words(cells) => cells.iter().map(|cell| number_of(cell.clone())).collect(),
        };
        Ok((groups, known))
    }

    fn column(&self, name: &str) -> Result<&Column, TrainError> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(|| self.no_column(name))
    }

    fn no_column(&self, name: &str) -> TrainError {
        let there = self.names().take(40).collect::<Vec<_>>().join(", ");
        TrainError::NoColumn { column: name.to_owned(), there }
    }
}

impl Cells {
    fn len(&self) -> usize {
        match self {
            Cells::Numbers(cells) => cells.len(),
            Cells::Words(cells) => cells.len(),
        }
    }

    fn push(&mut self, field: &str) {
        match (&mut *self, number(field)) {
            (Cells::Numbers(cells), Some(value)) => cells.push(value),
            (Cells::Numbers(cells), None) => {
                let mut words: Vec<String> = cells.iter().map(word).collect();
                words.push(field.to_owned());
                *self = Cells::Words(words);
            }
            (Cells::Words(cells), _) => cells.push(field.to_owned()),
        }
    }

    fn append(&mut self, other: &Cells) {
        match (&mut *self, other) {
            (Cells::Numbers(cells), Cells::Numbers(more)) => cells.extend(more),
            (Cells::Words(cells), Cells::Words(more)) => cells.extend(more.iter().cloned()),
            (Cells::Words(cells), Cells::Numbers(more)) => cells.extend(more.iter().map(word)),
            (Cells::Numbers(cells), Cells::Words(more)) => {
                let words = cells.iter().map(word).chain(more.iter().cloned()).collect();
                *self = Cells::Words(words);
            }
        }
    }
}

/// The number in a field; an empty one is missing, not zero.
fn number(field: &str) -> Option<f64> {
    if field.is_empty() { Some(f64::NAN) } else { field.parse().ok() }
}

fn word(number: &f64) -> String {
    if number.is_nan() { String::new() } else { number.to_string() }
}

fn check_names(names: &[String]) -> Result<(), TrainError> {
    if names.len() > MAX_COLUMNS {
        return Err(TrainError::TooMany { what: "columns", found: names.len(), limit: MAX_COLUMNS });
    }
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    let twice = sorted.windows(2).find_map(|pair| match pair {
        [a, b] if a == b => Some((*a).clone()),
        _ => None,
    });
    twice.map_or(Ok(()), |name| Err(TrainError::Twice(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(csv: &str) -> Result<Table, TrainError> {
        Table::from_csv("rows.csv", csv.as_bytes())
    }

    #[test]
    fn columns_are_numbers_or_words_and_comments_declare_what_they_mean() {
        let table = table("# a trace\n# semantics: exporter-0.7.11\na,b,machine\n1,2.5,x\n3,-4e9,y\n5,6,x\n").unwrap();
        assert_eq!(table.semantics(), Some(Semantics::Exporter0711));
        assert_eq!(table.numbers("b").unwrap(), [2.5, -4e9, 6.0]);
        assert_eq!(table.groups("machine").unwrap(), (vec![0, 1, 0], vec!["x".to_owned(), "y".to_owned()]));
        assert_eq!(table.rows(), 3);
    }

    #[test]
    fn what_is_no_number_is_named_with_row_and_column() {
        let table = table("a,b,c\n1,2,\n3,oops,4\n5,inf,6\n").unwrap();
        for (column, message) in [
            ("b", "row 2: b is `oops`, which is no finite number; mend or remove the row"),
            ("c", "row 1: c is ``, which is no finite number; mend or remove the row"),
            ("d", "no column `d`; there are a, b, c"),
        ] {
            assert_eq!(table.numbers(column).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn lines_of_other_lengths_double_names_and_unknown_semantics_are_refused() {
        for (csv, message) in [
            ("a,b\n1\n", "every line needs as many fields as the first"),
            ("a,a\n1,2\n", "`a` is named twice"),
            ("# semantics: true\na\n1\n", "unknown semantics `true`"),
        ] {
            let error = table(csv).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn an_empty_file_has_no_columns_and_says_so() {
        let error = table("").unwrap().numbers("a").unwrap_err().to_string();
        assert!(error.starts_with("no column `a`"), "{error}");
    }

    #[test]
    fn tables_are_appended_by_name() {
        let mut first = table("a,b\n1,2\n").unwrap();
        first.append(&table("b,a\nx,3\n").unwrap()).unwrap();
        assert_eq!(first.numbers("a").unwrap(), [1.0, 3.0]);
        assert_eq!(first.groups("b").unwrap().1, ["2", "x"]);
        assert!(first.append(&table("a\n1\n").unwrap()).is_err());
    }
}
