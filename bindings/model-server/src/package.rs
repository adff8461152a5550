//! A model as a response: weights with metadata, or a zip archive.

use crate::choice::Choice;
use kepler_core::host::file::{self, FileError, FileLimits};
use serde_json::{Map, Value, json};
use std::fs;
use std::io::{self, Cursor, Write};
use std::path::Path;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The most files of a model's directory that are packed.
const MOST_FILES: usize = 64;

/// The weights as published, byte for byte; with `described`, also the model's name, machine and published error,
/// which only newer exporters can read.
pub(crate) fn weights(choice: &Choice, described: bool) -> io::Result<Vec<u8>> {
    let bytes = read(&choice.path)?;
    if !described {
        return Ok(bytes);
    }
    let mut document: Map<String, Value> = serde_json::from_slice(&bytes)?;
    document.insert("model_name".to_owned(), json!(choice.name));
    if let Some(mae) = choice.mae {
        document.insert("mae".to_owned(), json!(mae));
    }
    if let Some(machine) = &choice.machine {
        // As exporters declare it: whole numbers, memory in GiB, frequency in MHz.
        let whole = |number: Option<f64>| number.map(|number| number.round() as i64);
        let spec = json!({
            "processor": machine.processor,
            "cores": machine.threads.or(machine.cores),
            "chips": machine.chips,
            "memory": whole(machine.memory_gib),
            "frequency": whole(machine.frequency_mhz),
        });
        let known: Map<String, Value> = spec
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, value)| !value.is_null())
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        document.insert("machine_spec".to_owned(), Value::Object(known));
    }
    Ok(serde_json::to_vec(&document)?)
}

/// The model as a zip: as published if that is what it is, else of its directory or of its one file.
pub(crate) fn archive(choice: &Choice) -> io::Result<Vec<u8>> {
    let path = &choice.path;
    if path.extension().is_some_and(|extension| extension == "zip") {
        return read(path);
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, path: &Path| -> io::Result<()> {
        writer.start_file(name, SimpleFileOptions::default()).map_err(io::Error::other)?;
        writer.write_all(&read(path)?)
    };
    if path.is_dir() {
        let mut files: Vec<_> = fs::read_dir(path)?.flatten().take(MOST_FILES).map(|entry| entry.path()).collect();
        files.sort_unstable();
        for file in files.iter().filter(|file| file.is_file()) {
            add(&file.file_name().unwrap_or_default().to_string_lossy(), file)?;
        }
    } else {
        add(&format!("{}.json", choice.name), path)?;
    }
    let written = writer.finish().map_err(io::Error::other)?;
    Ok(written.into_inner())
}

/// Files by path as a zip.
#[cfg(feature = "train")]
pub(crate) fn zip(files: &std::collections::BTreeMap<String, Vec<u8>>) -> io::Result<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        writer.start_file(path.as_str(), SimpleFileOptions::default()).map_err(io::Error::other)?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish().map_err(io::Error::other)?.into_inner())
}

/// A file of a size that a model could be read of.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let limits = FileLimits::bytes(kepler_core::model::MAX_FILE_BYTES);
    file::read(path, limits).map_err(FileError::into_io)
}
