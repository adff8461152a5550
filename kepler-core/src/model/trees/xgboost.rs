//! XGBoost's JSON (2.x and 3.x).
//!
//! Read as its documentation and the files themselves say: a node is a leaf if its left child is −1, its
//! value then stands in `split_conditions`; numbers in parameter objects are strings, and 3.x writes
//! `base_score` as a list in a string.

use super::super::MAX_TREES;
use super::super::error::{ModelError, ModelFault};
use super::super::siblings::Siblings;
use super::{FileNode, TreeFault, Trees};
use crate::units::ZoneKind;
use serde::Deserialize;
use serde::de::{self, IgnoredAny, Visitor};
use std::fmt;
use std::io;
use std::str::FromStr;

/// Objectives whose prediction is the sum itself. The others transform it.
const IDENTITY_OBJECTIVES: [&str; 5] =
    ["reg:squarederror", "reg:linear", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror"];

#[derive(Deserialize)]
struct Document {
    learner: Learner,
}

#[derive(Deserialize)]
struct Learner {
    #[serde(default)]
    feature_names: Vec<String>,
    gradient_booster: Booster,
    learner_model_param: ModelParameters,
    objective: Objective,
}

#[derive(Deserialize)]
struct Booster {
    name: String,
    #[serde(default)]
    model: BoosterModel,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BoosterModel {
    trees: Vec<TreeFile>,
    tree_info: Vec<i64>,
}

#[derive(Deserialize)]
struct ModelParameters {
    base_score: Parameter,
    num_feature: Parameter,
    num_target: Option<Parameter>,
}

#[derive(Deserialize)]
struct Objective {
    name: String,
}

#[derive(Deserialize)]
struct TreeFile {
    left_children: Vec<i32>,
    right_children: Vec<i32>,
    split_indices: Vec<u32>,
    split_conditions: Vec<f32>,
    default_left: Vec<Flag>,
    #[serde(default)]
    split_type: Vec<Flag>,
    #[serde(default)]
    categories_nodes: Vec<IgnoredAny>,
    tree_param: TreeParameters,
}

#[derive(Deserialize)]
struct TreeParameters {
    num_nodes: Parameter,
    size_leaf_vector: Option<Parameter>,
}

impl Trees {
    /// Reads the trees of one component from a file. `inputs` are the features of the component map: index among the
    /// model's features, and scale.
    pub(in super::super) fn read(
        siblings: Siblings<'_>,
        file: &str,
        zone: ZoneKind,
        names: &[String],
        inputs: Vec<(usize, f64)>,
    ) -> Result<Self, ModelError> {
        let at = |fault| ModelError::new(siblings.path(file), fault);
        let document: Document =
            siblings.document(file)?.ok_or_else(|| at(io::Error::from(io::ErrorKind::NotFound).into()))?;
        build(document, zone, names, inputs).map_err(at)
    }
}

fn build(document: Document, zone: ZoneKind, names: &[String], inputs: Vec<(usize, f64)>) -> Result<Trees, ModelFault> {
    let Learner { feature_names, gradient_booster: booster, learner_model_param: parameters, objective } =
        document.learner;
    let unsupported = |what: String| Err(ModelFault::Unsupported { zone, what });
    if booster.name != "gbtree" {
        return unsupported(format!("booster `{}`", booster.name));
    }
    if !IDENTITY_OBJECTIVES.contains(&objective.name.as_str()) {
        return unsupported(format!("objective `{}`", objective.name));
    }
    let several_targets = parameters.num_target.is_some_and(|number| number.parse::<u32>().is_none_or(|n| n > 1));
    if several_targets || booster.model.tree_info.iter().any(|&group| group != 0) {
        return unsupported("a model of several outputs".to_owned());
    }
    let features: Option<usize> = parameters.num_feature.parse();
    if features != Some(names.len()) || (!feature_names.is_empty() && feature_names != names) {
        let what = format!("trees of other features ({}) than the component map's", parameters.num_feature.0);
        return unsupported(what);
    }
    let trees = booster.model.trees;
    if trees.len() > MAX_TREES {
        return Err(ModelFault::Limit { what: "trees", found: trees.len() as u64, limit: MAX_TREES as u64 });
    }
    let base_score = match parameters.base_score.parse::<f32>() {
        Some(score) if score.is_finite() => score,
        _ => return unsupported(format!("base_score `{}`", parameters.base_score.0)),
    };
    let mut result = Trees { inputs, base_score, trees: Vec::new(), nodes: Vec::new(), values: Vec::new() };
    for (number, tree) in trees.iter().enumerate() {
        let given = nodes(tree).map_err(|fault| ModelFault::Tree { zone, tree: number, fault })?;
        result.push(&given, names.len()).map_err(|fault| ModelFault::Tree { zone, tree: number, fault })?;
    }
    Ok(result)
}

/// The nodes of a tree, from its parallel arrays.
fn nodes(tree: &TreeFile) -> Result<Vec<FileNode>, TreeFault> {
    let count = tree.left_children.len();
    let lengths =
        [tree.right_children.len(), tree.split_indices.len(), tree.split_conditions.len(), tree.default_left.len()];
    if count == 0 || lengths.iter().any(|&length| length != count) || tree.tree_param.num_nodes.parse() != Some(count) {
        return Err(TreeFault::Truncated);
    }
    let vector_leaf =
        tree.tree_param.size_leaf_vector.as_ref().and_then(Parameter::parse::<u32>).is_some_and(|n| n > 1);
    if vector_leaf || !tree.categories_nodes.is_empty() || tree.split_type.iter().any(|kind| kind.0) {
        return Err(TreeFault::Categorical);
    }
    let children = tree.left_children.iter().zip(&tree.right_children);
    let splits = tree.split_indices.iter().zip(&tree.split_conditions).zip(&tree.default_left);
    let nodes = children.zip(splits).map(|((&left, &right), ((&feature, &condition), default_left))| FileNode {
        left,
        right,
        feature,
        condition,
        default_left: default_left.0,
    });
    Ok(nodes.collect())
}

/// A number, as such or in a string, in 3.x in brackets.
#[derive(Debug)]
struct Parameter(String);

impl Parameter {
    fn parse<T: FromStr>(&self) -> Option<T> {
        self.0.trim().trim_start_matches('[').trim_end_matches(']').trim().parse().ok()
    }
}

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Parameter;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a number in a string")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Parameter, E> {
                Ok(Parameter(text.to_owned()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Parameter, E> {
                Ok(Parameter(number.to_string()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Parameter, E> {
                Ok(Parameter(number.to_string()))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Parameter, E> {
                Ok(Parameter(number.to_string()))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// 0 or 1, or a boolean as some versions write it.
#[derive(Clone, Copy)]
struct Flag(bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bit;
        impl Visitor<'_> for Bit {
            type Value = Flag;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("0, 1, true or false")
            }
            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag(flag))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Flag, E> {
                Ok(Flag(number != 0))
            }
        }
        deserializer.deserialize_any(Bit)
    }
}
