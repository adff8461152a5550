//! Rows of a CSV in the order of a model's features.

use kepler_core::model::{BindError, Binding, Conversion, Model, Quantity, Semantics};
use std::io::{BufRead, BufReader, Read};

/// No line of comments or names is longer.
const LONGEST_LINE: u64 = 1 << 20;

/// A CSV being read.
pub(super) struct Rows<'a> {
    name: String,
    reader: csv::Reader<Box<dyn Read + 'a>>,
    heads: csv::StringRecord,
    /// Lines before the header.
    before: u64,
    columns: Columns,
    width: usize,
    record: csv::StringRecord,
    /// The line of each row of the last block.
    lines: Vec<u64>,
    first: usize,
    feature_names: Vec<String>,
}

/// How features are taken from a row.
enum Columns {
    /// The model's own: the column of each.
    Same(Vec<usize>),
    /// By meaning.
    Bound(Binding),
}

impl<'a> Rows<'a> {
    /// Reads the header, and finds the model's features in it. `semantics` wins over what the file declares.
    pub(super) fn open(
        name: &str,
        input: Box<dyn Read + 'a>,
        model: &Model,
        semantics: Option<Semantics>,
        conversion: Conversion,
    ) -> Result<Self, String> {
        let mut input = BufReader::new(input);
        let (before, first, declared) = comments(name, &mut input)?;
        let source: Box<dyn Read + 'a> = Box::new(std::io::Cursor::new(first).chain(input));
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(source);
        let heads = reader.headers().map_err(|error| format!("{name}: {error}"))?.clone();
        let columns = match semantics.or(declared) {
            None => Columns::Same(columns(name, before, &heads, model)?),
            Some(semantics) => Columns::Bound(bind(name, before, &heads, model, semantics, conversion)?),
        };
        Ok(Rows {
            name: name.to_owned(),
            reader,
            heads,
            before,
            columns,
            width: model.features().len(),
            record: csv::StringRecord::new(),
            lines: Vec::new(),
            first: 0,
            feature_names: model.features().to_vec(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Puts the features of up to `most` more rows into `features`; none at the end. Returns the number of the first.
    pub(super) fn read(&mut self, most: usize, features: &mut Vec<f64>) -> Result<usize, String> {
        features.clear();
        self.first += self.lines.len();
        self.lines.clear();
        let (mut cells, mut row) = (Vec::new(), Vec::new());
        while self.lines.len() < most {
            let more = self.reader.read_record(&mut self.record).map_err(|error| self.malformed(&error))?;
            if !more {
                break;
            }
            let line = self.before + self.record.position().map_or(0, csv::Position::line);
            if self.record.len() != self.heads.len() {
                let (found, expected) = (self.record.len(), self.heads.len());
                return Err(format!("{}: line {line}: {found} columns where the header has {expected}", self.name));
            }
            match &self.columns {
                Columns::Same(columns) => {
                    for &column in columns {
                        features.push(self.number(line, column)?);
                    }
                }
                Columns::Bound(binding) => {
                    cells.clear();
                    for column in 0..self.record.len() {
                        // Columns that no model knows, such as names, need not be numbers.
                        cells
                            .push(self.number(line, column).or_else(|problem| {
                                if self.is_feature(column) { Err(problem) } else { Ok(f64::NAN) }
                            })?);
                    }
                    binding.apply(&cells, &mut row);
                    features.extend_from_slice(&row);
                }
            }
            self.lines.push(line);
        }
        debug_assert_eq!(features.len(), self.lines.len() * self.width);
        Ok(self.first)
    }

    /// What to say of a row that lacks a feature which the model cannot do without.
    pub(super) fn missing(&self, row: usize, feature: usize) -> String {
        let line = self.lines.get(row.saturating_sub(self.first)).copied().unwrap_or_default();
        let feature = self.feature_names.get(feature).map_or("", String::as_str);
        let column = self.heads.iter().position(|head| head == feature).map_or(0, |column| column + 1);
        format!(
            "{}: line {line}, column {column}: `{feature}` is empty or no finite number, which this model needs",
            self.name
        )
    }

    fn is_feature(&self, column: usize) -> bool {
        self.heads.get(column).is_some_and(|head| self.feature_names.iter().any(|feature| feature == head))
    }

    /// A cell; an empty one is missing, not zero.
    fn number(&self, line: u64, column: usize) -> Result<f64, String> {
        let cell = self.record.get(column).unwrap_or_default();
        if cell.is_empty() {
            return Ok(f64::NAN);
        }
        cell.parse().map_err(|_| {
            let head = self.heads.get(column).unwrap_or_default();
            let shown: String = cell.chars().take(40).collect();
            format!("{}: line {line}, column {} (`{head}`): `{shown}` is no number", self.name, column + 1)
        })
    }

    fn malformed(&self, error: &csv::Error) -> String {
        match error.position() {
            Some(position) => format!("{}: line {}: {error}", self.name, self.before + position.line()),
            None => format!("{}: {error}", self.name),
        }
    }
}

/// Reads the `#` lines before the header: how many they are, the header's line, and the semantics they declare.
fn comments(name: &str, input: &mut impl BufRead) -> Result<(u64, Vec<u8>, Option<Semantics>), String> {
    let (mut before, mut declared) = (0, None);
    loop {
        let mut line = Vec::new();
        input
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(|error| format!("cannot read {name}: {error}"))?;
        let Some(comment) = line.strip_prefix(b"#") else { return Ok((before, line, declared)) };
        before += 1;
        let comment = String::from_utf8_lossy(comment);
        if let Some((key, value)) = comment.split_once(':')
            && key.trim() == "semantics"
        {
            let parsed = value.trim().parse::<Semantics>();
            declared = Some(parsed.map_err(|error| format!("{name}: line {before}: {error}"))?);
        }
    }
}

fn columns(name: &str, before: u64, heads: &csv::StringRecord, model: &Model) -> Result<Vec<usize>, String> {
    let column = |feature: &String| {
        heads.iter().position(|head| head == feature).ok_or_else(|| {
            let there = heads.iter().take(40).collect::<Vec<_>>().join(", ");
            format!("{name}: line {}: no column `{feature}`, which the model needs; there are {there}", before + 1)
        })
    };
    model.features().iter().map(column).collect()
}

fn bind(
    name: &str,
    before: u64,
    heads: &csv::StringRecord,
    model: &Model,
    semantics: Semantics,
    conversion: Conversion,
) -> Result<Binding, String> {
    // By name first: a column that is not there is more plainly said so than as a meaning that is missing.
    if conversion == Conversion::Refuse {
        columns(name, before, heads, model)?;
    }
    let given: Vec<Quantity> = heads.iter().map(|head| semantics.quantity(head)).collect();
    model.bind(&given, conversion).map_err(|error| {
        let remedy = match error {
            BindError::Undeclared { .. } => "; say what the model's features mean with --model-semantics",
            BindError::Semantics { wanted: Quantity::CpuTimeWithPhantom | Quantity::CpuTimeOfLoadLevel, .. }
            | BindError::Semantics { wanted: Quantity::PageCacheHitsNotCounted, .. } => "; convert it with --cpus",
            _ => "",
        };
        format!("{name}: {error}{remedy}")
    })
}
