//! How the sources hang together: one name for one type, no circles of imports, no file that is too long.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy exempts test functions, but not what they share"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each crate's name in paths, and where its sources are.
const CRATES: [(&str, &str); 10] = [
    ("kepler", "src"),
    ("kepler_core", "kepler-core/src"),
    ("kepler_compliance", "kepler-compliance/src"),
    ("kepler_train", "kepler-train/src"),
    ("kepler_guard", "bindings/guard/src"),
    ("kepler_connect", "bindings/connect/src"),
    ("kepler_http", "bindings/http/src"),
    ("kepler_mcp", "bindings/mcp/src"),
    ("kepler_model_server", "bindings/model-server/src"),
    ("kepler_power", "bindings/python/src"),
];

/// Lines that a file of Rust may have.
const LONGEST: usize = 500;

#[test]
fn a_public_name_means_one_type() {
    let mut places: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    for file in CRATES.iter().flat_map(|(_, root)| sources(&repository().join(root))) {
        for line in product(&fs::read_to_string(&file).unwrap()).lines() {
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            if let ["pub", "struct" | "enum" | "trait" | "type", name, ..] = words[..] {
                places.entry(name.to_owned()).or_default().insert(file.clone());
            }
        }
    }
    assert!(places.len() > 300, "{} types", places.len());
    let twice: Vec<_> = places.iter().filter(|(_, files)| files.len() > 1).collect();
    assert!(twice.is_empty(), "{twice:#?}");
}

#[test]
fn imports_make_no_circles() {
    for (_, root) in CRATES {
        let graph = imports(&repository().join(root));
        if let Some(circle) = circle(&graph) {
            panic!("{root}: {}", circle.join(" -> "));
        }
    }
}

#[test]
fn a_circle_of_imports_is_found() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    };
    assert_eq!(circle(&graph(&[("a", "b"), ("a", "c"), ("b", "c")])), None);
    assert_eq!(circle(&graph(&[("a", "b"), ("b", "c"), ("c", "b")])), Some(vec!["b".into(), "c".into(), "b".into()]));
}

#[test]
fn no_file_is_longer_than_it_should_be() {
    let all = CRATES.iter().flat_map(|(_, root)| {
        let root = repository().join(root);
        let tests = if root.ends_with("src") { root.parent().map(|package| package.join("tests")) } else { None };
        [sources(&root), tests.filter(|tests| tests.is_dir()).map(|tests| sources(&tests)).unwrap_or_default()].concat()
    });
    let count = |file: PathBuf| (fs::read_to_string(&file).unwrap().lines().count(), file);
    let long: Vec<_> = all.map(count).filter(|(lines, _)| *lines > LONGEST).collect();
    assert!(long.is_empty(), "{long:#?}");
}

/// What the documentation of a crate or module says before its first item.
/// Words that hide who or what acts: the texts say which user, client or program it is. The account `nobody` is meant where
/// the word stands as in `ACCOUNT`.
const UNUSUAL: [&str; 7] = ["anew", "anybody", "everybody", "nobody", "somebody", "twins", "whoever"];
const ACCOUNT: [&str; 6] = [":nobody", "-nobody", "`nobody`", "user nobody", "user_nobody", "NOBODY"];

#[test]
fn texts_are_in_the_words_of_the_field() {
    let mut found = Vec::new();
    for file in texts(repository()) {
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            let words = line.split(|letter: char| !letter.is_alphanumeric());
            let is_account = ACCOUNT.iter().any(|account| line.contains(account));
            found.extend(
                words
                    .map(str::to_lowercase)
                    .filter(|word| UNUSUAL.contains(&&**word) && !(is_account && word == "nobody"))
                    .map(|word| format!("{}:{}: {word}", file.display(), number + 1)),
            );
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Sources and documentation, but for what is generated, recorded or a list of changes.
fn texts(folder: &Path) -> Vec<PathBuf> {
    let is_ours = |name: &str| !["CHANGELOG.md", "structure.rs"].contains(&name);
    let mut texts = files(folder, &["rs", "md", "py", "js", "mjs"]);
    texts.retain(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_ours));
    texts
}

fn documentation(text: &str) -> String {
    text.lines().filter(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_feature_stands_in_the_documentation_of_its_crate() {
    for (_, root) in CRATES {
        let manifest = fs::read_to_string(repository().join(root).with_file_name("Cargo.toml")).unwrap();
        let library = documentation(&fs::read_to_string(repository().join(root).join("lib.rs")).unwrap());
        let features = manifest.split("[features]\n").nth(1).unwrap_or_default().split("\n[").next().unwrap();
        let names = features.lines().filter_map(|line| Some(line.split_once(" = ")?.0));
        let public = names.filter(|name| *name != "default" && !name.starts_with(['_', ' ', '#']));
        let missing: Vec<_> = public.filter(|name| !library.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "{root}: {missing:?}");
    }
}

#[test]
fn every_public_module_has_an_example_that_runs() {
    let mut without = Vec::new();
    for (_, root) in CRATES.iter().filter(|(name, _)| *name != "kepler_power") {
        let mut files = vec![repository().join(root).join("lib.rs")];
        while let Some(file) = files.pop() {
            let text = fs::read_to_string(&file).unwrap();
            if !text
                .lines()
                .any(|line| matches!(line.trim(), "//! ```" | "/// ```" | "//! ```no_run" | "/// ```no_run"))
            {
                without.push(file.clone());
            }
            let folder = if file.ends_with("lib.rs") { file.with_file_name("") } else { file.with_extension("") };
            let public = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
            files.extend(public.map(|name| folder.join(format!("{name}.rs"))));
        }
    }
    assert!(without.is_empty(), "{without:#?}");
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    files(folder, &["rs"])
}

/// All files below a folder with one of these extensions, but for what is built, recorded or hidden.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "node_modules", "data"].contains(&name) {
                found.extend(files(&path, extensions));
            }
        } else if path.extension().is_some_and(|own| extensions.iter().any(|extension| own == *extension)) {
            found.push(path);
        }
    }
    found
}

/// A file without its tests.
fn product(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or(text)
}

/// Which module of a crate imports from which other: by `use` at the top of files. A name that a module only exports again
/// leads to where it comes from. A module and those that it declares are one thing in several files, and may name each other.
fn imports(root: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let files: BTreeMap<String, String> = sources(root)
        .into_iter()
        .filter(|file| !file.ends_with("tests.rs") && !file.components().any(|part| part.as_os_str() == "tests"))
        .map(|file| (module(root, &file), fs::read_to_string(&file).unwrap()))
        .collect();
    let exports: BTreeMap<&str, Vec<Vec<String>>> = files
        .iter()
        .map(|(name, text)| (name.as_str(), uses(text, true).iter().map(|path| absolute(name, path)).collect()))
        .collect();
    let mut graph = BTreeMap::new();
    for (name, text) in &files {
        let targets =
            uses(product(text), false).into_iter().filter_map(|path| resolve(&exports, absolute(name, &path)));
        let foreign = |target: &String| target != name && !is_below(name, target) && !is_below(target, name);
        graph.insert(name.clone(), targets.filter(foreign).collect());
    }
    graph
}

/// The module where what a path leads to is declared.
fn resolve(exports: &BTreeMap<&str, Vec<Vec<String>>>, mut path: Vec<String>) -> Option<String> {
    // Exports of exports are few.
    for _ in 0..8 {
        let length = (1..=path.len()).rev().find(|&length| exports.contains_key(path[..length].join("::").as_str()))?;
        let name = path[..length].join("::");
        let wanted = path.get(length);
        let Some(next) = exports[name.as_str()].iter().find(|export| wanted.is_some() && export.last() == wanted)
        else {
            return Some(name);
        };
        path.clone_from(next);
    }
    None
}

/// `a::b` of `a/b.rs`; the root is empty.
fn module(root: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(root).unwrap().with_extension("");
    let parts: Vec<&str> = inside.iter().map(|part| part.to_str().unwrap()).collect();
    let parts = match parts.as_slice() {
        [rest @ .., "mod"] => rest,
        ["lib" | "main"] => &[],
        all => all,
    };
    parts.join("::")
}

/// Paths of the `use` items at the top level of a file: those that are exported again, or the others.
fn uses(text: &str, exported: bool) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = text;
    while let Some((line, next)) = rest.split_once('\n') {
        let head = line.split_once("use ").map(|(head, _)| head);
        if head.is_some_and(|head| if exported { head.starts_with("pub") } else { head.is_empty() }) {
            let tree = rest.split_once("use ").and_then(|(_, rest)| rest.split_once(';')).map_or("", |(tree, _)| tree);
            expand(String::new(), &tree.split_whitespace().collect::<String>(), &mut paths);
        }
        rest = next;
    }
    paths
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn expand(prefix: String, tree: &str, paths: &mut Vec<String>) {
    let Some((head, inner)) = tree.split_once('{') else {
        paths.push(format!("{prefix}{tree}"));
        return;
    };
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let (mut depth, mut start) = (0, 0);
    for (at, character) in inner.char_indices().chain([(inner.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(format!("{prefix}{head}"), &inner[start..at], paths);
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// A path from the crate's root; empty if it leads elsewhere.
fn absolute(module: &str, path: &str) -> Vec<String> {
    let mut here: Vec<String> = module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let mut parts = path.split("::").peekable();
    match parts.peek().copied() {
        Some("crate") => {
            parts.next();
            here.clear();
        }
        Some("self") => {
            parts.next();
        }
        Some("super") => {
            while parts.next_if_eq(&"super").is_some() {
                here.pop();
            }
        }
        _ => {}
    }
    here.extend(parts.map(str::to_owned));
    here
}

fn is_below(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| outer.is_empty() || rest.starts_with("::"))
}

/// A circle, if there is one: its modules, the first again at its end.
fn circle(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit(
        at: &str,
        graph: &BTreeMap<String, BTreeSet<String>>,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(start) = path.iter().position(|before| before == at) {
            return Some(path[start..].iter().cloned().chain([at.to_owned()]).collect());
        }
        if !done.insert(at.to_owned()) {
            return None;
        }
        path.push(at.to_owned());
        let found = graph.get(at).into_iter().flatten().find_map(|next| visit(next, graph, path, done));
        path.pop();
        found
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|start| visit(start, graph, &mut Vec::new(), &mut done))
}
