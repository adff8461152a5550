//! What can be wrong with a model file, and with a vector given to a model.

use crate::units::ZoneKind;
use std::io;
use std::path::PathBuf;

/// A model that cannot be used: where it is and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("model {}: {fault}", path.display())]
#[non_exhaustive]
pub struct ModelError {
    /// The file or directory. For bytes, the name they were given.
    pub path: PathBuf,
    /// What is wrong.
    #[source]
    pub fault: ModelFault,
}

impl ModelError {
    pub(super) fn new(path: impl Into<PathBuf>, fault: ModelFault) -> Self {
        ModelError { path: path.into(), fault }
    }
}

/// What is wrong with a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFault {
    /// The file cannot be read.
    #[error("cannot be read: {0}; check that it exists and is readable")]
    Read(#[from] io::Error),
    /// Something else than a regular file: a pipe would block without end.
    #[error("not a regular file; give a JSON file or the directory of an unpacked model")]
    NotAFile,
    /// More than a limit of this reader, which no real model comes near.
    #[error("{what}: {found} where at most {limit} are read; not a power model")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much is read at most.
        limit: u64,
    },
    /// Not JSON, or not of the expected shape. NaN and infinities are not JSON.
    #[error("{}; the file is damaged or of another format", crate::printable::names_only(&.0.to_string()))]
    Json(#[from] serde_json::Error),
    /// An archive that cannot be read, or holds what no model's archive does.
    #[error("the archive cannot be used: {0}; give the zip of one model's directory")]
    Archive(String),
    /// An archive in a build that cannot read it.
    #[error("an archive, which this build cannot read; unpack it, or build with the `archives` feature")]
    ArchivesLeftOut,
    /// Nothing in an archive says which of its files is the model.
    #[error("the archive does not say which file is the model; name it `{expected}`, or name it in metadata.json")]
    NoMainFile {
        /// The file that is looked for first.
        expected: String,
    },
    /// Curve weights do not say which curve they belong to, and the name does not either.
    #[error(
        "unknown trainer `{0}`; curve weights need the trainer's name in the file name (LogarithmicRegressionTrainer_0.json) or in `model_name`"
    )]
    UnknownTrainer(String),
    /// The name promises another kind of model than the file contains.
    #[error("the name says {trainer}, but {zone} has {found}; rename the file after its trainer")]
    TrainerMismatch {
        /// The trainer by name.
        trainer: &'static str,
        /// The component.
        zone: ZoneKind,
        /// What the file has instead.
        found: &'static str,
    },
    /// Neither `package`, `core`, `uncore`, `dram` nor `platform` is there.
    #[error("no component: none of package, core, uncore, dram, platform is described")]
    NoComponents,
    /// Something a component cannot do without is not there.
    #[error("{zone}: `{what}` is missing")]
    Missing {
        /// The component.
        zone: ZoneKind,
        /// What is missing: a key, a feature, a file.
        what: String,
    },
    /// A number that cannot be what its name says.
    #[error("{zone}: {what} is {value}, which is not usable")]
    Number {
        /// The component.
        zone: ZoneKind,
        /// Which number.
        what: String,
        /// The number.
        value: f64,
    },
    /// A curve has the wrong number of parameters.
    #[error("{zone}: {found} curve weights where this curve has {expected}")]
    CurveWeights {
        /// The component.
        zone: ZoneKind,
        /// How many the curve has.
        expected: usize,
        /// How many the file has.
        found: usize,
    },
    /// A tree that is not a tree.
    #[error("{zone}: tree {tree}: {fault}")]
    Tree {
        /// The component.
        zone: ZoneKind,
        /// Number of the tree in the file, from 0.
        tree: usize,
        /// What is wrong with it.
        fault: TreeFault,
    },
    /// A variant of a known format that this reader does not know. Guessing would give wrong watts.
    #[error("{zone}: {what} is not supported")]
    Unsupported {
        /// The component.
        zone: ZoneKind,
        /// The variant.
        what: String,
    },
    /// A component map points outside its directory.
    #[error("{zone}: model_file `{file}` is not a plain file name")]
    FileName {
        /// The component.
        zone: ZoneKind,
        /// The name in the map.
        file: String,
    },
    /// Of our own format, but not a version this reads.
    #[error(
        "format `{found}` where kepler-power-model 1 is read; train the model again, or read it with a newer version"
    )]
    Version {
        /// Format and version.
        found: String,
    },
    /// Something in a file of our own format cannot be what its key says.
    #[error("{0}; the file is damaged")]
    Malformed(String),
    /// Trees as XGBoost wrote them, without the names and scales of their features.
    #[error("trees without a component map: names and scales of the features are unknown; give the model's directory")]
    BareTrees,
    /// A categorical variable or one of its values that the model does not know.
    #[error("no category `{value}` of `{variable}`")]
    UnknownCategory {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
    },
}

/// Why nodes are no tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeFault {
    /// Its arrays differ in length, are empty, or are shorter than `num_nodes` says.
    #[error("truncated: its arrays differ in length")]
    Truncated,
    /// A child outside the arrays.
    #[error("node {0} has a child that does not exist")]
    Child(usize),
    /// Reached twice: a cycle, or two parents.
    #[error("node {0} is reached twice; the nodes form no tree")]
    Cyclic(usize),
    /// Deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    #[error("deeper than any trainer makes")]
    Deep,
    /// A condition or leaf that is infinite in 32 bits.
    #[error("node {0} has a value that is not finite")]
    NotFinite(usize),
    /// Splits on a feature that the component map does not name.
    #[error("node {0} splits on a feature without a name")]
    Feature(usize),
    /// Splits on categories, which no published power model does.
    #[error("categorical splits are not supported")]
    Categorical,
}

/// Why a vector cannot be predicted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PredictError {
    /// Not as many numbers as the model has features (in a batch: no multiple of that).
    #[error("{found} numbers for {expected} features")]
    Length {
        /// How many features the model has.
        expected: usize,
        /// How many numbers were given.
        found: usize,
    },
    /// A feature is not known: infinite, or NaN for a model other than trees.
    #[error("row {row}: feature {feature} is missing or not finite")]
    NotFinite {
        /// Row of the batch, from 0.
        row: usize,
        /// Index in [`Model::features`](super::Model::features).
        feature: usize,
    },
    /// The machine's value of a categorical variable was not chosen.
    #[error("category of `{0}` not chosen; see Model::choose_category")]
    Category(String),
}
