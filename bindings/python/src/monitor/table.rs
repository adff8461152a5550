//! One level of a snapshot, in whatever form it is wanted.

use super::arrow;
use super::columns::{Column, Values, columns};
use crate::errors::DataError;
use kepler_core::snapshot::Snapshot;
use kepler_core::workload::WorkloadKind;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyList, PyTuple};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The rows of one level; shares the snapshot's memory until a form is asked for.
#[pyclass(frozen, module = "kepler_power._native")]
pub(super) struct Table {
    snapshot: Arc<Snapshot>,
    kind: WorkloadKind,
}

impl Table {
    pub(super) fn new(snapshot: Arc<Snapshot>, kind: WorkloadKind) -> Self {
        Table { snapshot, kind }
    }

    fn columns(&self) -> Vec<Column<'_>> {
        columns(&self.snapshot, self.kind)
    }

    fn batch(&self) -> PyResult<arrow_array::RecordBatch> {
        arrow::batch(self.columns()).map_err(arrow::fault)
    }
}

#[pymethods]
impl Table {
    fn __len__(&self) -> usize {
        self.snapshot.count(self.kind)
    }

    fn column_names(&self) -> Vec<String> {
        self.columns().into_iter().map(|column| column.name).collect()
    }

    /// All rows as tuples in the order of the columns; the timestamp in seconds since 1970.
    fn rows<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let columns = self.columns();
        let rows = PyList::empty(py);
        for index in 0..self.__len__() {
            let cells = columns.iter().map(|column| cell(py, &column.values, index)).collect::<PyResult<Vec<_>>>()?;
            rows.append(PyTuple::new(py, cells)?)?;
        }
        Ok(rows)
    }

    /// Name, numpy data type, and the values: their bytes, or a list of texts.
    fn raw_columns<'py>(&self, py: Python<'py>) -> PyResult<Vec<(String, &'static str, Bound<'py, PyAny>)>> {
        self.columns()
            .into_iter()
            .map(|Column { name, values }| {
                let dtype = arrow::dtype(&values);
                let values = match values {
                    Values::Time(at, rows) => PyBytes::new(py, &at.to_ne_bytes().repeat(rows)).into_any(),
                    Values::Whole(values) => bytes(py, values.iter().map(|value| value.to_ne_bytes())),
                    Values::Real(values) | Values::Power(Some(values), _) => {
                        bytes(py, values.iter().map(|value| value.to_ne_bytes()))
                    }
                    Values::Power(None, rows) => bytes(py, std::iter::repeat_n(f64::NAN.to_ne_bytes(), rows)),
                    Values::Text(values) => PyList::new(py, values)?.into_any(),
                };
                Ok((name, dtype, values))
            })
            .collect()
    }

    /// The Arrow PyCapsule interface.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // A producer that cannot cast gives what it has, and the consumer casts.
        drop(requested_schema);
        let batch = py.detach(|| self.batch())?;
        arrow::stream(py, batch)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        arrow::schema(py, &self.batch()?.schema())
    }

    /// Writes the rows as comma-separated values; appended rows come without a header.
    #[pyo3(signature = (path, append=false))]
    fn write_csv(&self, py: Python<'_>, path: PathBuf, append: bool) -> PyResult<()> {
        py.detach(|| {
            let fault = |error: &dyn std::fmt::Display| cannot_write(&path, error);
            let file = File::options().create(true).write(true).append(append).truncate(!append).open(&path);
            let mut file = file.map_err(|error| fault(&error))?;
            let is_new = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
            file.write_all(&self.csv(is_new).map_err(|error| fault(&error))?).map_err(|error| fault(&error))
        })
    }
}

impl Table {
    fn csv(&self, with_header: bool) -> csv::Result<Vec<u8>> {
        let columns = self.columns();
        let mut writer = csv::Writer::from_writer(Vec::new());
        if with_header {
            writer.write_record(columns.iter().map(|column| column.name.as_str()))?;
        }
        for index in 0..self.__len__() {
            for column in &columns {
                match &column.values {
                    Values::Time(at, _) => {
                        let time = jiff::Timestamp::from_microsecond(*at).unwrap_or_default();
                        writer.write_field(format!("{time:.6}"))?;
                    }
                    Values::Text(values) => {
                        writer.write_field(values.get(index).copied().flatten().unwrap_or_default())?;
                    }
                    Values::Whole(values) => writer.write_field(text(values.get(index)))?,
                    Values::Real(values) => writer.write_field(text(values.get(index)))?,
                    Values::Power(values, _) => {
                        writer.write_field(text(values.as_ref().and_then(|values| values.get(index))))?;
                    }
                }
            }
            writer.write_record(None::<&[u8]>)?;
        }
        writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
    }
}

fn text(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

fn cell<'py>(py: Python<'py>, values: &Values<'_>, index: usize) -> PyResult<Bound<'py, PyAny>> {
    Ok(match values {
        Values::Time(at, _) => (*at as f64 / 1e6).into_pyobject(py)?.into_any(),
        Values::Text(values) => values.get(index).copied().flatten().into_pyobject(py)?.into_any(),
        Values::Whole(values) => values.get(index).copied().into_pyobject(py)?.into_any(),
        Values::Real(values) => values.get(index).copied().into_pyobject(py)?.into_any(),
        Values::Power(values, _) => {
            values.as_ref().and_then(|values| values.get(index).copied()).into_pyobject(py)?.into_any()
        }
    })
}

fn bytes<'py>(py: Python<'py>, values: impl Iterator<Item = [u8; 8]>) -> Bound<'py, PyAny> {
    PyBytes::new(py, &values.flatten().collect::<Vec<u8>>()).into_any()
}

fn cannot_write(path: &Path, error: &dyn std::fmt::Display) -> PyErr {
    let message = format!("cannot write {}: {error}", path.display());
    DataError::new_err((message, "name a file in a directory that exists and may be written"))
}
