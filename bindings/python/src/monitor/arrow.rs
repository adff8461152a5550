//! Columns as an Arrow record batch, and that as the capsules of the Arrow PyCapsule interface.
//!
//! `arrow-array` alone is enough: it has the C data and C stream structures, and a capsule owns one like any other
//! value, so nothing here is unsafe. (`pyo3-arrow`, which does the same, brings Arrow's kernels along.)

use super::columns::{Column, Values};
use arrow_array::builder::StringBuilder;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{ArrayRef, Float64Array, RecordBatch, RecordBatchIterator, TimestampMicrosecondArray, UInt64Array};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, Field, Schema};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use std::sync::Arc;

pub(super) fn batch(columns: Vec<Column<'_>>) -> Result<RecordBatch, ArrowError> {
    let (mut fields, mut arrays) = (Vec::<Field>::new(), Vec::<ArrayRef>::new());
    for Column { name, values } in columns {
        let may_be_null = matches!(values, Values::Text(_) | Values::Power(..));
        let array = array(values);
        fields.push(Field::new(name, array.data_type().clone(), may_be_null));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

fn array(values: Values<'_>) -> ArrayRef {
    match values {
        Values::Time(at, rows) => Arc::new(TimestampMicrosecondArray::from(vec![at; rows]).with_timezone("UTC")),
        Values::Whole(values) => Arc::new(UInt64Array::from(values)),
        Values::Real(values) | Values::Power(Some(values), _) => Arc::new(Float64Array::from(values)),
        Values::Power(None, rows) => Arc::new(Float64Array::new_null(rows)),
        Values::Text(values) => {
            let bytes = values.iter().flatten().map(|text| text.len()).sum();
            let mut texts = StringBuilder::with_capacity(values.len(), bytes);
            values.into_iter().for_each(|text| texts.append_option(text));
            Arc::new(texts.finish())
        }
    }
}

/// A capsule called `arrow_array_stream` that gives the batch once.
pub(super) fn stream(py: Python<'_>, batch: RecordBatch) -> PyResult<Bound<'_, PyCapsule>> {
    let schema = batch.schema();
    let batches = RecordBatchIterator::new([Ok(batch)], schema);
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(batches)), c"arrow_array_stream")
}

/// A capsule called `arrow_schema`.
pub(super) fn schema<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(schema).map_err(fault)?;
    PyCapsule::new_with_value(py, schema, c"arrow_schema")
}

/// The data type that Python's `numpy.frombuffer` has for a column, if it is one of numbers.
pub(super) fn dtype(values: &Values<'_>) -> &'static str {
    match values {
        Values::Time(..) => "datetime64[us]",
        Values::Whole(_) => "uint64",
        Values::Real(_) | Values::Power(..) => "float64",
        Values::Text(_) => "object",
    }
}

pub(super) fn fault(error: ArrowError) -> PyErr {
    crate::errors::DataError::new_err((format!("Arrow: {error}"), ""))
}
