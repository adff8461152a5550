//! Boosted trees, evaluated as XGBoost does: in 32 bits, in the order of the file.

mod xgboost;

use super::error::{ModelFault, TreeFault};
use super::{MAX_DEPTH, MAX_FEATURES, format};
use crate::units::ZoneKind;

/// Rows evaluated together in a batch: a tree stays in the innermost cache while all of them pass through it.
const BLOCK: usize = 64;

/// Walks done in step. Each waits for its own memory; together they keep the processor busy.
const LANES: usize = 8;

/// The scaled features of one row, padded to the most there can be, so that masking an index keeps it inside.
type Row = [f32; MAX_FEATURES];

const FEATURE_MASK: u32 = MAX_FEATURES as u32 - 1;
const DEFAULT_LEFT: u32 = MAX_FEATURES as u32;
const CHILD_SHIFT: u32 = DEFAULT_LEFT.trailing_zeros() + 1;

/// A node in eight bytes. Siblings lie side by side. A leaf has an infinite threshold and is its own left
/// child, so that every walk of a tree can take the same number of steps: with no exit to predict, a
/// processor walks several trees at a time.
#[derive(Clone, Copy, Debug)]
struct Node {
    threshold: f32,
    /// Left child, "missing goes left", feature.
    link: u32,
}

impl Node {
    const NOWHERE: Node = Node { threshold: f32::INFINITY, link: 0 };

    fn feature(self, row: &Row) -> f32 {
        row.get((self.link & FEATURE_MASK) as usize).copied().unwrap_or(f32::NAN)
    }

    fn left(self) -> usize {
        (self.link >> CHILD_SHIFT) as usize
    }
}

#[derive(Clone, Copy, Debug)]
struct Tree {
    root: usize,
    depth: u32,
}

/// The trees of one component.
#[derive(Clone, Debug)]
pub(super) struct Trees {
    /// For each feature of the trees, its place among the model's and its scale.
    inputs: Vec<(usize, f64)>,
    base_score: f32,
    trees: Vec<Tree>,
    nodes: Vec<Node>,
    /// By node; meaningful for leaves.
    values: Vec<f32>,
}

impl Trees {
    /// The sum of base score and leaves for one row of the model's features. NaN is a missing feature.
    pub(super) fn raw(&self, features: &[f64]) -> f64 {
        let (row, plain) = self.scaled(features);
        let mut sum = self.base_score;
        if plain {
            for trees in self.trees.chunks(LANES) {
                let mut places = [0; LANES];
                for (place, tree) in places.iter_mut().zip(trees) {
                    *place = tree.root;
                }
                // Walking on at a leaf changes nothing, so all may take as many steps as the deepest needs.
                for _ in 0..trees.iter().map(|tree| tree.depth).max().unwrap_or_default() {
                    for place in &mut places {
                        *place = self.step(*place, &row);
                    }
                }
                sum = places.iter().take(trees.len()).fold(sum, |sum, place| sum + self.value(*place));
            }
        } else {
            sum = self.trees.iter().fold(sum, |sum, tree| sum + self.walk_missing(*tree, &row));
        }
        f64::from(sum)
    }

    /// The same for many rows of `width` features each, one result a row.
    pub(super) fn raw_batch(&self, rows: &[f64], width: usize, results: &mut [f64]) {
        let mut scaled = [[0.0; MAX_FEATURES]; BLOCK];
        for (rows, results) in rows.chunks(BLOCK * width).zip(results.chunks_mut(BLOCK)) {
            let mut plain = true;
            for (slot, features) in scaled.iter_mut().zip(rows.chunks_exact(width)) {
                let (row, row_plain) = self.scaled(features);
                *slot = row;
                plain &= row_plain;
            }
            let mut sums = [self.base_score; BLOCK];
            let sums = sums.get_mut(..results.len()).unwrap_or_default();
            for tree in &self.trees {
                if plain {
                    for (sums, rows) in sums.chunks_mut(LANES).zip(scaled.as_chunks::<LANES>().0) {
                        let mut places = [tree.root; LANES];
                        for _ in 0..tree.depth {
                            for (place, row) in places.iter_mut().zip(rows) {
                                *place = self.step(*place, row);
                            }
                        }
                        for (sum, place) in sums.iter_mut().zip(places) {
                            *sum += self.value(place);
                        }
                    }
                } else {
                    for (sum, row) in sums.iter_mut().zip(&scaled) {
                        *sum += self.walk_missing(*tree, row);
                    }
                }
            }
            for (result, sum) in results.iter_mut().zip(sums) {
                *result = f64::from(*sum);
            }
        }
    }

    /// The features as the trees want them, and whether all are finite in 32 bits.
    fn scaled(&self, features: &[f64]) -> (Row, bool) {
        let mut row = [0.0; MAX_FEATURES];
        let mut plain = true;
        for (slot, &(place, scale)) in row.iter_mut().zip(&self.inputs) {
            // Divided, not multiplied by an inverse: thresholds are values of the training data, and one bit decides.
            *slot = (features.get(place).copied().unwrap_or(f64::NAN) / scale) as f32;
            plain &= slot.is_finite();
        }
        (row, plain)
    }

    /// From a node to its child, for a row of finite features; a leaf stays.
    fn step(&self, at: usize, row: &Row) -> usize {
        let node = self.nodes.get(at).copied().unwrap_or(Node::NOWHERE);
        node.left() + usize::from(node.feature(row) >= node.threshold)
    }

    fn value(&self, at: usize) -> f32 {
        self.values.get(at).copied().unwrap_or(f32::NAN)
    }

    /// The leaf of a row with missing (NaN) or, in 32 bits, infinite features.
    fn walk_missing(&self, tree: Tree, row: &Row) -> f32 {
        let mut at = tree.root;
        for _ in 0..tree.depth {
            let node = self.nodes.get(at).copied().unwrap_or(Node::NOWHERE);
            // Thresholds of splits are finite.
            if node.threshold == f32::INFINITY {
                break;
            }
            let x = node.feature(row);
            let left = if x.is_nan() { node.link & DEFAULT_LEFT != 0 } else { x < node.threshold };
            at = node.left() + usize::from(!left);
        }
        self.value(at)
    }

    /// Trees of our own format, over the first inputs. Missing inputs go left.
    pub(super) fn own(zone: ZoneKind, given: &format::Trees, inputs: usize) -> Result<Self, ModelFault> {
        let mut result = Trees {
            inputs: (0..inputs).map(|place| (place, 1.0)).collect(),
            base_score: given.base,
            trees: Vec::new(),
            nodes: Vec::new(),
            values: Vec::new(),
        };
        let mut nodes = Vec::new();
        for (number, tree) in given.trees.iter().enumerate() {
            let at = |fault| ModelFault::Tree { zone, tree: number, fault };
            if tree.left.len() != tree.input.len() || tree.left.len() != tree.condition.len() {
                return Err(at(TreeFault::Truncated));
            }
            nodes.clear();
            nodes.extend(tree.left.iter().zip(&tree.input).zip(&tree.condition).map(
                |((&left, &input), &condition)| {
                    // The root is never a child, so 0 is free to mean a leaf. An index that is too large is invalid as well.
                    let left = if left == 0 { -1 } else { i32::try_from(left).unwrap_or(i32::MAX) };
                    FileNode {
                        left,
                        right: left.saturating_add(1),
                        feature: input.into(),
                        condition,
                        default_left: true,
                    }
                },
            ));
            result.push(&nodes, inputs).map_err(at)?;
        }
        Ok(result)
    }

    /// Appends a tree given by its nodes in any order, the root first. Takes at most one step a node: a
    /// node that is reached twice ends it.
    fn push(&mut self, given: &[FileNode], features: usize) -> Result<(), TreeFault> {
        let root = self.nodes.len();
        let mut reached = vec![false; given.len()];
        let mut queue = vec![(0, root, 0)];
        let (mut head, mut deepest) = (0, 0);
        self.nodes.push(Node::NOWHERE);
        self.values.push(0.0);
        while let Some(&(old, new, depth)) = queue.get(head) {
            head += 1;
            let node = given.get(old).ok_or(TreeFault::Truncated)?;
            if reached.get_mut(old).is_none_or(|reached| std::mem::replace(reached, true)) {
                return Err(TreeFault::Cyclic(old));
            }
            if !node.condition.is_finite() {
                return Err(TreeFault::NotFinite(old));
            }
            deepest = deepest.max(depth);
            let (node, value) = if node.left == -1 {
                (Node { threshold: f32::INFINITY, link: link(new) }, node.condition)
            } else {
                if depth >= MAX_DEPTH {
                    return Err(TreeFault::Deep);
                }
                if node.feature as usize >= features {
                    return Err(TreeFault::Feature(old));
                }
                let child = self.nodes.len();
                for (side, old_child) in [node.left, node.right].into_iter().enumerate() {
                    let old_child = usize::try_from(old_child)
                        .ok()
                        .filter(|&child| child < given.len())
                        .ok_or(TreeFault::Child(old))?;
                    queue.push((old_child, child + side, depth + 1));
                    self.nodes.push(Node::NOWHERE);
                    self.values.push(0.0);
                }
                let default = if node.default_left { DEFAULT_LEFT } else { 0 };
                (Node { threshold: node.condition, link: link(child) | default | node.feature }, 0.0)
            };
            if let (Some(node_slot), Some(value_slot)) = (self.nodes.get_mut(new), self.values.get_mut(new)) {
                (*node_slot, *value_slot) = (node, value);
            }
        }
        self.trees.push(Tree { root, depth: deepest });
        Ok(())
    }
}

/// A child's place in a link. A file of [`MAX_FILE_BYTES`](super::MAX_FILE_BYTES) cannot hold enough nodes to overflow it.
const fn link(child: usize) -> u32 {
    (child as u32) << CHILD_SHIFT
}

/// A node as the file describes it.
#[derive(Clone, Copy, Debug)]
struct FileNode {
    left: i32,
    right: i32,
    feature: u32,
    /// The threshold of a split, the value of a leaf.
    condition: f32,
    default_left: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(given: &[FileNode]) -> Result<Trees, TreeFault> {
        let mut trees = Trees { inputs: vec![(0, 1.0)], base_score: 0.0, trees: vec![], nodes: vec![], values: vec![] };
        trees.push(given, 1).map(|()| trees)
    }

    fn leaf(condition: f32) -> FileNode {
        FileNode { left: -1, right: -1, feature: 0, condition, default_left: false }
    }

    /// `depth` splits one after the other at `0`, `1`, …, the left child of each a leaf.
    fn chain(depth: u32) -> Vec<FileNode> {
        let mut nodes = Vec::new();
        for step in 0..depth as i32 {
            let split = FileNode { left: 2 * step + 1, right: 2 * step + 2, ..leaf(step as f32) };
            nodes.extend([split, leaf(step as f32)]);
        }
        // Each split stands before its left leaf; the last right child is a leaf.
        nodes.push(leaf(-1.0));
        nodes
    }

    #[test]
    fn the_deepest_tree_is_walked_and_a_deeper_one_refused() {
        let trees = push(&chain(MAX_DEPTH)).unwrap();
        assert_eq!(trees.raw(&[-0.5]), 0.0);
        assert_eq!(trees.raw(&[61.5]), 62.0);
        assert_eq!(trees.raw(&[1e6]), -1.0);
        assert_eq!(push(&chain(MAX_DEPTH + 1)).unwrap_err(), TreeFault::Deep);
    }

    #[test]
    fn an_infinite_threshold_would_be_taken_for_a_leaf_and_is_refused() {
        for condition in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            let split = FileNode { left: 1, right: 2, ..leaf(condition) };
            assert_eq!(push(&[split, leaf(0.0), leaf(0.0)]).unwrap_err(), TreeFault::NotFinite(0));
            assert_eq!(push(&[leaf(condition)]).unwrap_err(), TreeFault::NotFinite(0));
        }
    }
}
