//! Zip archives of one model, read into memory within limits. Nothing is ever unpacked to disk.
//!
//! The published ones hold what a model's directory holds: the component map or weights, the trees it names,
//! `metadata.json`, and pickles, which are skipped. One directory around all of that is accepted too.

use super::error::{ModelError, ModelFault};
use super::{MAX_FILE_BYTES, file};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;
use zip::result::ZipError;

/// The most entries of an archive. Published ones have at most ten.
const MAX_ENTRIES: usize = 256;
/// The most bytes all files of an archive may have when inflated.
const MAX_INFLATED_BYTES: u64 = 4 * MAX_FILE_BYTES;

/// The JSON files of an archive.
pub(super) struct Archive {
    path: PathBuf,
    files: BTreeMap<String, Vec<u8>>,
}

impl Archive {
    /// Reads an archive. `path` is its name in messages.
    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Self, ModelError> {
        let files = inflate(bytes, MAX_INFLATED_BYTES).map_err(|fault| ModelError::new(path, fault))?;
        Ok(Archive { path: path.to_owned(), files })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// The name, without `.json`, of the file that describes the model: that of the archive; else the one
    /// that `metadata.json` names; else the only one there is.
    pub(super) fn main(&self) -> Result<String, ModelError> {
        #[derive(Deserialize)]
        struct Metadata {
            model_name: Option<String>,
        }
        let has = |stem: &str| self.files.contains_key(&format!("{stem}.json"));
        let own = self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if has(&own) {
            return Ok(own);
        }
        if let Some(bytes) = self.file("metadata.json") {
            let metadata: Metadata = file::parse(&self.path.join("metadata.json"), bytes)?;
            if let Some(name) = metadata.model_name.filter(|name| has(name)) {
                return Ok(name);
            }
        }
        let mut stems = self.files.keys().filter_map(|name| name.strip_suffix(".json"));
        match (stems.find(|stem| *stem != "metadata"), stems.find(|stem| *stem != "metadata")) {
            (Some(only), None) => Ok(only.to_owned()),
            _ => Err(ModelError::new(&self.path, ModelFault::NoMainFile { expected: format!("{own}.json") })),
        }
    }
}

fn inflate(bytes: &[u8], most: u64) -> Result<BTreeMap<String, Vec<u8>>, ModelFault> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(unreadable)?;
    if archive.len() > MAX_ENTRIES {
        return Err(ModelFault::Limit {
            what: "files in an archive",
            found: archive.len() as u64,
            limit: MAX_ENTRIES as u64,
        });
    }
    let mut files = BTreeMap::new();
    let mut root: Option<String> = None;
    let mut left = most;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(unreadable)?;
        let path = entry.name().map_err(unreadable)?.into_owned();
        if entry.is_symlink() {
            return Err(ModelFault::Archive(format!("`{}` is a link", shortened(&path))));
        }
        if entry.is_dir() {
            continue;
        }
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let is_plain = !name.is_empty() && !path.contains('\\') && !path.contains('\0') && name != "..";
        if !is_plain || directory.contains('/') || directory == ".." {
            return Err(ModelFault::Archive(format!("`{}` is no plain file name", shortened(&path))));
        }
        if root.get_or_insert_with(|| directory.to_owned()) != directory {
            return Err(ModelFault::Archive("its files lie in more than one directory".to_owned()));
        }
        // Pickles are programs, and nothing else is of use.
        if !name.ends_with(".json") {
            continue;
        }
        let name = name.to_owned();
        let limit = left.min(MAX_FILE_BYTES);
        let mut content = Vec::new();
        // What the header says of the size is not believed.
        entry
            .take(limit + 1)
            .read_to_end(&mut content)
            .map_err(|error| ModelFault::Archive(format!("`{}`: {error}", shortened(&name))))?;
        let found = content.len() as u64;
        if found > limit {
            return Err(ModelFault::Limit { what: "inflated bytes", found, limit });
        }
        left -= found;
        if files.insert(name, content).is_some() {
            return Err(ModelFault::Archive(format!("`{}` is there twice", shortened(&path))));
        }
    }
    Ok(files)
}

fn unreadable(error: ZipError) -> ModelFault {
    ModelFault::Archive(error.to_string())
}

fn shortened(name: &str) -> String {
    name.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use crate::units::ZoneKind;
    use std::fs;
    use std::io::Write;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    const WEIGHTS: &str = r#"{"package": {"All_Weights": {"Bias_Weight": 20.0, "Categorical_Variables": {},
        "Numerical_Variables": {"bpf_cpu_time_ms": {"scale": 8000.0, "weight": 100.0}}}}}"#;

    fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn load(bytes: &[u8]) -> Result<Model, ModelError> {
        Model::from_zip("SGDRegressorTrainer_0", bytes)
    }

    fn error_text(bytes: &[u8]) -> String {
        load(bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_zipped_directory_predicts_as_the_directory() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/models/rack-0.7.11/rapl-sysfs/AbsPower/BPFOnly/XgboostFitTrainer_0");
        let plain = Model::load(&directory).unwrap();
        for root in ["", "XgboostFitTrainer_0/"] {
            let mut files = vec![(format!("{root}scaler.pkl"), b"cos\nsystem".to_vec())];
            for entry in fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                files.push((format!("{root}{name}"), fs::read(&path).unwrap()));
            }
            let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("XgboostFitTrainer_0.zip");
            fs::write(&path, zip(&files)).unwrap();
            let zipped = Model::load(&path).unwrap();
            let row = [4000.0, 25.0];
            let watts = |model: &Model| model.predict(&row).unwrap().power(ZoneKind::Package);
            assert_eq!(watts(&zipped), watts(&plain));
        }
    }

    #[test]
    fn the_main_file_is_found_by_name_by_metadata_or_by_being_the_only_one() {
        let weights = WEIGHTS.as_bytes();
        assert!(load(&zip(&[("SGDRegressorTrainer_0.json", weights), ("other.json", b"{}")])).is_ok());
        let metadata = br#"{"model_name": "SGDRegressorTrainer_7", "mae": 3.0}"#;
        let named =
            load(&zip(&[("metadata.json", metadata), ("SGDRegressorTrainer_7.json", weights), ("x.json", b"")]));
        assert_eq!(named.unwrap().node_type(), Some(7));
        assert!(load(&zip(&[("weight.json", weights)])).is_ok());
        assert!(error_text(&zip(&[("a.json", weights), ("b.json", weights)])).contains("SGDRegressorTrainer_0.json"));
        assert!(load(&zip(&[])).is_err());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["../evil.json", "/etc/evil.json", "a/b/evil.json", "a\\evil.json", ".."] {
            assert!(load(&zip(&[(name, WEIGHTS.as_bytes())])).is_err(), "{name}");
        }
        assert!(error_text(&zip(&[("a/x.json", b"{}"), ("b/y.json", b"{}")])).contains("more than one directory"));
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("SGDRegressorTrainer_0.json", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        assert!(error_text(&writer.finish().unwrap().into_inner()).contains("is a link"));
    }

    #[test]
    fn an_archive_that_inflates_without_end_is_refused_in_bounded_memory() {
        let zeros = vec![b' '; MAX_FILE_BYTES as usize + 1];
        let bomb = zip(&[("SGDRegressorTrainer_0.json", &zeros)]);
        assert!(bomb.len() < 100_000);
        assert!(error_text(&bomb).contains("inflated bytes"));
        let two = zip(&[("a.json", b"12345"), ("b.json", b"123456")]);
        assert!(inflate(&two, 11).is_ok());
        assert!(matches!(inflate(&two, 10), Err(ModelFault::Limit { what: "inflated bytes", .. })));
        let names: Vec<String> = (0..=MAX_ENTRIES).map(|number| format!("{number}.json")).collect();
        let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"{}"[..])).collect();
        assert!(error_text(&zip(&many)).contains("files in an archive"));
    }

    #[test]
    fn a_damaged_archive_is_named() {
        let mut bytes = zip(&[("SGDRegressorTrainer_0.json", WEIGHTS.as_bytes())]);
        bytes.truncate(bytes.len() / 2);
        assert!(error_text(&bytes).contains("archive"), "{}", error_text(&bytes));
    }
}
