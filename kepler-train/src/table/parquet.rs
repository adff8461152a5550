//! Tables from and to Parquet: flat columns of numbers or words, a key `semantics` in the file's metadata.
//!
//! Numbers are written as optional 64-bit floats (a missing one is null), words as optional UTF-8, in row groups of
//! 65,536 rows, compressed with Snappy. Read are integers, floats, booleans and UTF-8, each optional or not, as other programs write
//! them; nested columns are refused, and so are other codecs than Snappy.

use super::{ANY_SIZE, Cells, Column, MAX_COLUMNS, MAX_ROWS, Table, check_names};
use crate::TrainError;
use kepler_core::host::file;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::fs::File;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Arc;

/// Rows of a row group.
const GROUP: usize = 65_536;

/// The most cells, all columns together: 0.8 GB of numbers.
const MAX_CELLS: usize = 100_000_000;

impl Table {
    /// Writes a Parquet file, with `about` in its metadata beside the semantics.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_parquet(&self, path: impl AsRef<Path>, about: &[(String, String)]) -> Result<(), TrainError> {
        let path = path.as_ref();
        let file = File::create(path).map_err(|source| TrainError::Write { path: path.to_owned(), source })?;
        self.write(file, about)
            .map_err(|error| TrainError::Parquet { path: path.to_owned(), reason: error.to_string() })
    }

    fn write(&self, file: File, about: &[(String, String)]) -> Result<(), ParquetError> {
        let field = |column: &Column| {
            let (physical, logical) = match column.cells {
                Cells::Numbers(_) => (Physical::DOUBLE, None),
                Cells::Words(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            };
            let builder = Type::primitive_type_builder(&column.name, physical).with_repetition(Repetition::OPTIONAL);
            Ok(Arc::new(builder.with_logical_type(logical).build()?))
        };
        let fields = self.columns.iter().map(field).collect::<Result<_, ParquetError>>()?;
        let schema = Arc::new(Type::group_type_builder("trace").with_fields(fields).build()?);
        let semantics = self.semantics.map(|semantics| ("semantics".to_owned(), semantics.name().to_owned()));
        let about = semantics.iter().chain(about.iter().filter(|(key, _)| key != "semantics"));
        let metadata = about.map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(metadata))
            .build();
        let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
        for first in (0..self.rows).step_by(GROUP) {
            let range = first..(first + GROUP).min(self.rows);
            let mut group = writer.next_row_group()?;
            for column in &self.columns {
                let Some(mut out) = group.next_column()? else { break };
                match &column.cells {
                    Cells::Numbers(cells) => {
                        let cells = cells.get(range.clone()).unwrap_or_default();
                        let levels: Vec<i16> = cells.iter().map(|cell| i16::from(!cell.is_nan())).collect();
                        let known: Vec<f64> = cells.iter().copied().filter(|cell| !cell.is_nan()).collect();
                        out.typed::<DoubleType>().write_batch(&known, Some(&levels), None)?;
                    }
                    Cells::Words(cells) => {
                        let cells = cells.get(range.clone()).unwrap_or_default();
                        let levels: Vec<i16> = cells.iter().map(|cell| i16::from(!cell.is_empty())).collect();
                        let known = cells.iter().filter(|cell| !cell.is_empty());
                        let known: Vec<ByteArray> = known.map(|cell| ByteArray::from(cell.as_str())).collect();
                        out.typed::<ByteArrayType>().write_batch(&known, Some(&levels), None)?;
                    }
                }
                out.close()?;
            }
            group.close()?;
        }
        writer.close()?;
        Ok(())
    }

    /// Reads a Parquet file.
    ///
    /// # Errors
    /// It cannot be read, is damaged, has nested columns, or more than [`MAX_ROWS`] or [`MAX_COLUMNS`].
    pub fn from_parquet(path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = path.as_ref();
        // The crate panics on some damaged files (60.1: an offset beyond the file's end). A file must not end the program.
        catch_unwind(|| Self::read_parquet(path)).unwrap_or_else(|_| {
            Err(TrainError::Parquet { path: path.to_owned(), reason: "the file is damaged".to_owned() })
        })
    }

    fn read_parquet(path: &Path) -> Result<Self, TrainError> {
        let file = file::open(path, ANY_SIZE)
            .map_err(|error| TrainError::Read { path: path.to_owned(), source: error.into_io() })?;
        let bad = |error: ParquetError| TrainError::Parquet { path: path.to_owned(), reason: error.to_string() };
        let reader = SerializedFileReader::new(file).map_err(bad)?;
        let metadata = reader.metadata().file_metadata();
        let rows = usize::try_from(metadata.num_rows()).unwrap_or(usize::MAX);
        let width = metadata.schema_descr().num_columns();
        for (what, found, limit) in [("rows", rows, MAX_ROWS), ("columns", width, MAX_COLUMNS)] {
            if found > limit {
                return Err(TrainError::TooMany { what, found, limit });
            }
        }
        let cells = rows.saturating_mul(width);
        if cells > MAX_CELLS {
            return Err(TrainError::TooMany { what: "cells", found: cells, limit: MAX_CELLS });
        }
        let mut semantics = None;
        for KeyValue { key, value } in metadata.key_value_metadata().into_iter().flatten() {
            if let ("semantics", Some(name)) = (key.as_str(), value) {
                let declaration = |error: kepler_core::model::ParseSemanticsError| TrainError::Declaration {
                    name: path.display().to_string(),
                    what: error.to_string(),
                };
                semantics = Some(name.parse().map_err(declaration)?);
            }
        }
        let mut columns = Vec::new();
        for descriptor in metadata.schema_descr().columns() {
            let name = descriptor.path().string();
            if descriptor.max_rep_level() > 0 || descriptor.max_def_level() > 1 {
                return Err(TrainError::Parquet {
                    path: path.to_owned(),
                    reason: format!("column `{name}` is nested; write flat columns"),
                });
            }
            let is_text = descriptor.physical_type() == Physical::BYTE_ARRAY;
            columns.push(Column {
                name,
                cells: if is_text { Cells::Words(Vec::new()) } else { Cells::Numbers(Vec::new()) },
            });
        }
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        check_names(&names)?;
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group).map_err(bad)?;
            for (index, column) in columns.iter_mut().enumerate() {
                read(group.get_column_reader(index).map_err(bad)?, &mut column.cells, rows).map_err(bad)?;
            }
        }
        for column in &columns {
            if column.cells.len() != rows {
                return Err(TrainError::Shape { expected: rows, found: column.cells.len() });
            }
        }
        Ok(Table { columns, rows, semantics })
    }
}

/// Reads the rest of a column. What the file says of its rows holds: a page of few bytes may repeat a value without end.
fn read(reader: ColumnReader, cells: &mut Cells, rows: usize) -> Result<(), ParquetError> {
    match (reader, cells) {
        (ColumnReader::DoubleColumnReader(reader), Cells::Numbers(cells)) => {
            values(reader, cells, rows, f64::NAN, |x| *x)
        }
        (ColumnReader::FloatColumnReader(reader), Cells::Numbers(cells)) => {
            values(reader, cells, rows, f64::NAN, |x| f64::from(*x))
        }
        (ColumnReader::Int32ColumnReader(reader), Cells::Numbers(cells)) => {
            values(reader, cells, rows, f64::NAN, |x| f64::from(*x))
        }
        // Beyond 2^53 the nearest float.
        (ColumnReader::Int64ColumnReader(reader), Cells::Numbers(cells)) => {
            values(reader, cells, rows, f64::NAN, |x| *x as f64)
        }
        (ColumnReader::BoolColumnReader(reader), Cells::Numbers(cells)) => {
            values(reader, cells, rows, f64::NAN, |x| f64::from(u8::from(*x)))
        }
        (ColumnReader::ByteArrayColumnReader(reader), Cells::Words(cells)) => {
            values(reader, cells, rows, String::new(), |x| String::from_utf8_lossy(x.data()).into_owned())
        }
        _ => Err(ParquetError::General("a column of a type that is neither number nor text".to_owned())),
    }
}

fn values<T: DataType, V: Clone>(
    mut reader: ColumnReaderImpl<T>,
    cells: &mut Vec<V>,
    rows: usize,
    missing: V,
    value: impl Fn(&T::T) -> V,
) -> Result<(), ParquetError> {
    let (mut levels, mut known) = (Vec::new(), Vec::new());
    loop {
        levels.clear();
        known.clear();
        let (records, ..) = reader.read_records(GROUP, Some(&mut levels), None, &mut known)?;
        if records == 0 {
            return Ok(());
        }
        if cells.len() + records > rows {
            return Err(ParquetError::General(format!("a column has more than the {rows} rows that the file says")));
        }
        let mut known = known.iter();
        if levels.is_empty() {
            // A column that is required has no levels.
            cells.extend(known.map(&value));
            continue;
        }
        for &level in &levels {
            cells.push(if level == 0 { missing.clone() } else { known.next().map_or(missing.clone(), &value) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn table() -> Table {
        let rows: String =
            (0..200).map(|row| format!("{row}.25,{},m{}\n", if row % 3 == 0 { "" } else { "7" }, row % 2)).collect();
        Table::from_csv("rows", format!("# semantics: as-named\na,b,machine\n{rows}").as_bytes()).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.parquet");
        table().write_parquet(&path, &[("kernel".to_owned(), "Linux".to_owned())]).unwrap();
        let read = Table::open(&path).unwrap();
        assert_eq!(read.semantics(), table().semantics());
        assert_eq!(read.numbers("a").unwrap(), table().numbers("a").unwrap());
        assert_eq!(read.groups("machine").unwrap(), table().groups("machine").unwrap());
        // Missing is missing, not zero.
        assert_eq!(read.numbers("b").unwrap_err().to_string(), table().numbers("b").unwrap_err().to_string());
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.parquet");
        table().write_parquet(&path, &[]).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in [0, 3, 12, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            let error = Table::open(&path).unwrap_err().to_string();
            assert!(error.contains("trace.parquet"), "{error}");
        }
        // Bytes changed here and there: read or refused, never a panic.
        for index in (4..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[index] ^= 0x55;
            fs::write(&path, &bytes).unwrap();
            drop(Table::open(&path));
        }
    }
}
