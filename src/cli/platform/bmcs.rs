//! Kepler's file of BMCs: which node has which, and how each is asked. What is wrong is named with its line, and the rest goes on.

use super::super::config::yaml::{Content, Entry, Node};
use super::super::config::{duration, nearest};
use kepler_connect::http::Secret;
use kepler_connect::redfish::{Bmc, BmcAccount, BmcLogin};
use kepler_core::host::file::{self, FileLimits};
use kepler_core::units::Power;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MAX_PASSWORD: u64 = 4096;

/// A file of BMCs.
#[derive(Debug, Default)]
pub(super) struct BmcFile {
    path: PathBuf,
    /// Where `nodes:` stands.
    nodes_line: usize,
    nodes: Vec<NodeEntry>,
    bmcs: Vec<BmcEntry>,
    /// What is wrong and does not stand in the way of the rest.
    pub(super) problems: Vec<String>,
}

#[derive(Debug)]
struct NodeEntry {
    name: String,
    line: usize,
    bmc: String,
    chassis: Option<String>,
}

#[derive(Debug)]
struct BmcEntry {
    id: String,
    line: usize,
    /// The BMC, or why it cannot be asked.
    bmc: Result<Bmc, String>,
}

impl BmcFile {
    /// Reads a document.
    ///
    /// # Errors
    /// When it has no nodes or no BMCs.
    pub(super) fn of(root: &Node, path: &Path) -> Result<Self, String> {
        let mut file = BmcFile { path: path.to_owned(), ..BmcFile::default() };
        let Content::Section(entries) = &root.content else {
            return Err(format!("{}: it has neither `nodes:` nor `bmcs:`", file.at(root.line)));
        };
        for entry in entries {
            match (entry.key.as_str(), &entry.value.content) {
                ("nodes", Content::Section(nodes)) => {
                    file.nodes_line = entry.line;
                    nodes.iter().for_each(|node| file.add_node(node));
                }
                ("bmcs", Content::Section(bmcs)) => bmcs.iter().for_each(|bmc| file.add_bmc(bmc)),
                ("nodes" | "bmcs", Content::Null) => {}
                ("nodes" | "bmcs", _) => {
                    let what = format!(
                        "{}: `{}` must be a section: a name, then what belongs to it",
                        file.at(entry.line),
                        entry.key
                    );
                    return Err(what);
                }
                (key, _) => file.unknown(key, entry.line, &["nodes", "bmcs"]),
            }
        }
        for (what, is_empty) in [("nodes", file.nodes.is_empty()), ("bmcs", file.bmcs.is_empty())] {
            if is_empty {
                return Err(format!("{}: it lists no {what} (`{what}:`)", path.display()));
            }
        }
        for node in &file.nodes {
            if !file.bmcs.iter().any(|bmc| bmc.id == node.bmc) {
                let what = format!(
                    "{}: node `{}` has the BMC `{}`, which is not under `bmcs:`",
                    file.at(node.line),
                    node.name,
                    node.bmc
                );
                file.problems.push(what);
            }
        }
        let faulty = file.bmcs.iter().filter_map(|entry| entry.bmc.as_ref().err().cloned());
        file.problems.extend(faulty.collect::<Vec<_>>());
        Ok(file)
    }

    /// The BMC of a node.
    ///
    /// # Errors
    /// When the file does not say which that is, or it cannot be asked.
    pub(super) fn of_node(&self, name: &str) -> Result<Bmc, String> {
        let own: Vec<&NodeEntry> = self.nodes.iter().filter(|node| node.name == name).collect();
        let Some(first) = own.first() else {
            let names: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
            let hint = nearest(name, names).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
            return Err(format!(
                "{}: there is no node `{name}` under `nodes:`{hint}; name this node as it stands there \
                 (`experimental.platform.redfish.nodeName`), or add it",
                self.at(self.nodes_line),
            ));
        };
        if let Some(other) = own.iter().find(|other| other.bmc != first.bmc) {
            return Err(format!(
                "{}: node `{name}` has the BMC `{}` here and `{}` in line {}; keep one of them",
                self.at(other.line),
                other.bmc,
                first.bmc,
                first.line
            ));
        }
        let mut found = self.bmcs.iter().filter(|bmc| bmc.id == first.bmc);
        let entry = found.next().ok_or_else(|| {
            format!("{}: node `{name}` has the BMC `{}`, which is not under `bmcs:`", self.at(first.line), first.bmc)
        })?;
        if let Some(again) = found.next() {
            let what = format!(
                "{}: BMC `{}` stands in line {} already; keep one of them",
                self.at(again.line),
                again.id,
                entry.line
            );
            return Err(what);
        }
        let mut bmc = entry.bmc.clone()?;
        bmc.chassis = own.iter().find_map(|node| node.chassis.clone());
        let sharing = self.nodes.iter().filter(|node| node.bmc == first.bmc && node.name != name);
        bmc.shared_with = sharing.map(|node| format!("`{}`", node.name)).collect();
        Ok(bmc)
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }

    fn unknown(&mut self, key: &str, line: usize, known: &[&str]) {
        let hint =
            nearest(key, known.iter().copied()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        self.problems.push(format!("{}: unknown key `{key}` has no effect{hint}", self.at(line)));
    }

    fn add_node(&mut self, entry: &Entry) {
        let (mut bmc, mut chassis) = (None, None);
        match &entry.value.content {
            Content::Text(text) => bmc = Some(text.trim().to_owned()),
            Content::Section(keys) => {
                for key in keys {
                    match (key.key.as_str(), &key.value.content) {
                        ("bmc", Content::Text(text)) => bmc = Some(text.trim().to_owned()),
                        ("chassis", Content::Text(text)) => chassis = Some(text.trim().to_owned()),
                        (other, _) => self.unknown(other, key.line, &["bmc", "chassis"]),
                    }
                }
            }
            _ => {}
        }
        let Some(bmc) = bmc.filter(|bmc| !bmc.is_empty()) else {
            let what = format!("{}: node `{}` names no BMC; write `{}: ID`", self.at(entry.line), entry.key, entry.key);
            self.problems.push(what);
            return;
        };
        if let Some(other) = self.nodes.iter().find(|node| node.name == entry.key) {
            let what = format!("{}: node `{}` stands in line {} already", self.at(entry.line), entry.key, other.line);
            self.problems.push(what);
        }
        self.nodes.push(NodeEntry { name: entry.key.clone(), line: entry.line, bmc, chassis });
    }

    fn add_bmc(&mut self, entry: &Entry) {
        let (id, line) = (entry.key.clone(), entry.line);
        let origin = self.at(line);
        let bmc = match &entry.value.content {
            Content::Section(keys) => {
                let mut draft = Draft { bmc: Bmc::new(id.as_str(), ""), ..Draft::default() };
                draft.bmc.origin.clone_from(&origin);
                let mut wrong = None;
                for key in keys {
                    match draft.set(key) {
                        Ok(true) => {}
                        Ok(false) => self.unknown(&key.key, key.line, &KEYS),
                        Err(what) => {
                            wrong.get_or_insert(format!("{}: `{}` of BMC `{id}` {what}", self.at(key.line), key.key));
                        }
                    }
                }
                wrong.map_or_else(|| draft.finish(&id, &origin), Err)
            }
            _ => Err(format!("{origin}: BMC `{id}` must be a section with `endpoint:`")),
        };
        self.bmcs.push(BmcEntry { id, line, bmc });
    }
}

/// The keys of a BMC: Kepler's four, then ours.
const KEYS: [&str; 10] = [
    "endpoint",
    "username",
    "password",
    "insecure",
    "passwordFile",
    "caFile",
    "login",
    "interval",
    "containsGpus",
    "maxWatts",
];

#[derive(Debug)]
struct Draft {
    bmc: Bmc,
    user: String,
    password: String,
    login: BmcLogin,
}

impl Default for Draft {
    fn default() -> Self {
        Draft { bmc: Bmc::new("", ""), user: String::new(), password: String::new(), login: BmcLogin::Auto }
    }
}

impl Draft {
    /// Takes a key. Whether it is one; else what is wrong with its value, without repeating what may be a secret.
    fn set(&mut self, entry: &Entry) -> Result<bool, String> {
        let text = match &entry.value.content {
            Content::Text(text) => text.trim(),
            Content::Null => "",
            _ => return Err("must be a single value".to_owned()),
        };
        let switch = || match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(true),
            "false" | "no" | "off" | "" => Ok(false),
            _ => Err("must be `true` or `false`".to_owned()),
        };
        match entry.key.as_str() {
            "endpoint" => text.clone_into(&mut self.bmc.endpoint),
            "username" => text.clone_into(&mut self.user),
            "password" => text.clone_into(&mut self.password),
            "passwordFile" => {
                let read = file::read_text(Path::new(text), FileLimits::bytes(MAX_PASSWORD));
                self.password =
                    read.map_err(|error| format!("names `{text}`, which cannot be read: {}", error.reason()))?;
            }
            "insecure" => self.bmc.insecure = switch()?,
            "containsGpus" => self.bmc.contains_gpus = switch()?,
            "caFile" => self.bmc.ca_file = Some(PathBuf::from(text)).filter(|path| !path.as_os_str().is_empty()),
            "login" => {
                self.login = match text {
                    "auto" | "" => BmcLogin::Auto,
                    "session" => BmcLogin::Session,
                    "basic" => BmcLogin::Basic,
                    _ => return Err(format!("is `{text}`, which is none of `auto`, `session`, `basic`")),
                }
            }
            "interval" => {
                let interval = duration(text)?;
                if !(Duration::from_secs(1)..=Duration::from_secs(600)).contains(&interval) {
                    return Err("must be 1s to 10m".to_owned());
                }
                self.bmc.interval = interval;
            }
            "maxWatts" => {
                let watts = text.parse::<f64>().ok().filter(|watts| watts.is_finite() && *watts > 0.0);
                self.bmc.max_power = watts.map(Power::from_watts).ok_or("must be a number above 0")?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self, id: &str, origin: &str) -> Result<Bmc, String> {
        let Draft { mut bmc, user, password, login } = self;
        let lacks = |what: &str| Err(format!("{origin}: BMC `{id}` {what}"));
        if bmc.endpoint.is_empty() {
            return lacks("has no `endpoint`; write `endpoint: https://ADDRESS`");
        }
        bmc.account = match (user.is_empty(), password.trim().is_empty()) {
            (true, true) => None,
            (false, true) => return lacks("has a `username` and no `password`"),
            (true, false) => return lacks("has a `password` and no `username`"),
            (false, false) => {
                let mut account = BmcAccount::new(user, Secret::new(&password));
                account.login = login;
                Some(account)
            }
        };
        Ok(bmc)
    }
}

#[cfg(test)]
mod tests;
