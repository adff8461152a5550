//! Which workloads are shown, in which order, and under which.

use super::item::{IdMap, Item};
use kepler_core::workload::WorkloadKind;
use std::cmp::Ordering;
use std::collections::HashSet;

/// What workloads are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Sort {
    #[default]
    Power,
    Energy,
    Cpu,
    Name,
    Pid,
}

impl Sort {
    pub(crate) const fn next(self) -> Self {
        match self {
            Sort::Power => Sort::Energy,
            Sort::Energy => Sort::Cpu,
            Sort::Cpu => Sort::Name,
            Sort::Name => Sort::Pid,
            Sort::Pid => Sort::Power,
        }
    }

    /// The same for the REST interface, which cuts its lists by it.
    pub(crate) const fn parameter(self) -> &'static str {
        match self {
            Sort::Power | Sort::Pid => "power",
            Sort::Energy => "energy",
            Sort::Cpu => "cpu_time",
            Sort::Name => "name",
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice<'a> {
    pub(crate) sort: Sort,
    pub(crate) reverse: bool,
    pub(crate) tree: bool,
    /// In lower case; empty for all.
    pub(crate) filter: &'a str,
    /// Those that draw and drew nothing as well.
    pub(crate) all: bool,
    /// Groups whose members are not shown.
    pub(crate) folded: &'a HashSet<u64>,
    /// Only this one and what it contains.
    pub(crate) within: Option<u64>,
}

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) item: Item<'a>,
    /// How deep it stands in the tree.
    pub(crate) depth: u16,
    /// Members that are not shown.
    pub(crate) hidden: usize,
    pub(crate) cpu: Option<f64>,
    /// Energy since the totals were reset; `None` where that is not known.
    pub(crate) joules: Option<f64>,
}

/// The lines, of items with their processor use and energy.
pub(crate) fn arrange<'a>(
    items: impl Iterator<Item = Item<'a>>,
    choice: &Choice<'_>,
    cpu: impl Fn(&Item<'a>) -> Option<f64>,
    joules: impl Fn(&Item<'a>) -> Option<f64>,
) -> Vec<Line<'a>> {
    let line = |item: Item<'a>| {
        let joules = joules(&item);
        let draws = item.watts.is_none_or(|watts| watts > 0.0) || joules.unwrap_or_default() >= 0.001;
        (choice.all || draws).then(|| Line { cpu: cpu(&item), joules, item, depth: 0, hidden: 0 })
    };
    let mut lines: Vec<Line<'a>> = items.filter_map(line).collect();
    if let Some(within) = choice.within {
        let parents: IdMap<Option<u64>> = lines.iter().map(|line| (line.item.id, line.item.parent)).collect();
        lines.retain(|line| is_within(&line.item, within, &parents));
    }
    let fits = |line: &Line<'a>| choice.filter.is_empty() || line.item.has(choice.filter);
    if !choice.tree {
        lines.retain(fits);
        lines.sort_by(|a, b| compare(a, b, choice));
        return lines;
    }
    if !choice.filter.is_empty() {
        keep_families(&mut lines, fits);
    }
    lines.sort_by(|a, b| compare(a, b, choice));
    nest(lines, choice.folded)
}

fn is_within(item: &Item<'_>, within: u64, parents: &IdMap<Option<u64>>) -> bool {
    let mut parent = item.parent;
    // A tree of workloads is four deep.
    for _ in 0..8 {
        match parent {
            Some(id) if id == within => return true,
            Some(id) => parent = parents.get(&id).copied().flatten(),
            None => return false,
        }
    }
    false
}

/// Keeps those that fit, what contains them, and what they contain.
fn keep_families<'a>(lines: &mut Vec<Line<'a>>, fits: impl Fn(&Line<'a>) -> bool) {
    let parents: IdMap<Option<u64>> = lines.iter().map(|line| (line.item.id, line.item.parent)).collect();
    let found: HashSet<u64> = lines.iter().filter(|line| fits(line)).map(|line| line.item.id).collect();
    let mut kept = found.clone();
    for id in &found {
        let mut parent = parents.get(id).copied().flatten();
        while let Some(id) = parent.filter(|id| kept.insert(*id)) {
            parent = parents.get(&id).copied().flatten();
        }
    }
    lines.retain(|line| {
        kept.contains(&line.item.id) || line.item.parent.is_some_and(|parent| found.contains(&parent)) || {
            let above = line.item.parent.and_then(|id| parents.get(&id).copied().flatten());
            above.is_some_and(|id| found.contains(&id))
        }
    });
}

/// Puts members under what contains them; siblings keep their order.
fn nest<'a>(lines: Vec<Line<'a>>, folded: &HashSet<u64>) -> Vec<Line<'a>> {
    let known: HashSet<u64> = lines.iter().map(|line| line.item.id).collect();
    let mut roots = Vec::new();
    let mut members: IdMap<Vec<Line<'a>>> = IdMap::default();
    for line in lines {
        match line.item.parent.filter(|parent| known.contains(parent) && *parent != line.item.id) {
            Some(parent) => members.entry(parent).or_default().push(line),
            None => roots.push(line),
        }
    }
    let mut nested = Vec::new();
    // A stack instead of recursion, the next line on top.
    let mut waiting: Vec<Line<'a>> = roots.into_iter().rev().collect();
    while let Some(mut line) = waiting.pop() {
        if let Some(inner) = members.remove(&line.item.id) {
            if folded.contains(&line.item.id) {
                line.hidden = inner.len();
            } else {
                waiting.extend(inner.into_iter().rev().map(|inner| Line { depth: line.depth + 1, ..inner }));
            }
        }
        nested.push(line);
    }
    nested
}

fn compare(a: &Line<'_>, b: &Line<'_>, choice: &Choice<'_>) -> Ordering {
    let figure = |a: Option<f64>, b: Option<f64>| b.unwrap_or(-1.0).total_cmp(&a.unwrap_or(-1.0));
    let by = match choice.sort {
        Sort::Power => figure(a.item.watts, b.item.watts),
        Sort::Energy => figure(a.joules, b.joules),
        Sort::Cpu => figure(a.cpu, b.cpu),
        Sort::Name => a.item.name.cmp(b.item.name),
        // What has none stands last.
        Sort::Pid => a.item.pid.unwrap_or(u32::MAX).cmp(&b.item.pid.unwrap_or(u32::MAX)),
    };
    let by = if choice.reverse { by.reverse() } else { by };
    // The same order from moment to moment where figures are the same.
    by.then_with(|| b.item.joules.total_cmp(&a.item.joules))
        .then_with(|| rank(a.item.kind).cmp(&rank(b.item.kind)))
        .then_with(|| (a.item.name, a.item.id).cmp(&(b.item.name, b.item.id)))
}

const fn rank(kind: WorkloadKind) -> u8 {
    match kind {
        WorkloadKind::Pod => 0,
        WorkloadKind::Container => 1,
        WorkloadKind::Unit => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: u64, kind: WorkloadKind, name: &'static str, parent: Option<u64>, watts: f64) -> Item<'static> {
        let pid = (kind == WorkloadKind::Process).then_some(1000 + id as u32);
        let (detail, namespace) = ("", "");
        Item { id, kind, name, detail, namespace, pid, parent, watts: Some(watts), joules: watts, cpu_seconds: 0.0 }
    }

    fn host() -> Vec<Item<'static>> {
        vec![
            item(1, WorkloadKind::Process, "nginx", Some(3), 2.0),
            item(2, WorkloadKind::Pod, "web", None, 5.0),
            item(3, WorkloadKind::Container, "front", Some(2), 4.0),
            item(4, WorkloadKind::Process, "php", Some(3), 1.0),
            item(5, WorkloadKind::Unit, "ssh.service", None, 6.0),
            item(6, WorkloadKind::Process, "sshd", Some(5), 6.0),
            item(7, WorkloadKind::Process, "idle", None, 0.0),
        ]
    }

    fn shown(choice: &Choice<'_>) -> Vec<(String, u16)> {
        let lines = arrange(host().into_iter(), choice, |_| None, |item| Some(item.joules));
        lines.iter().map(|line| (line.item.name.to_owned(), line.depth)).collect()
    }

    fn names(choice: &Choice<'_>) -> Vec<String> {
        shown(choice).into_iter().map(|(name, _)| name).collect()
    }

    fn choice(folded: &HashSet<u64>) -> Choice<'_> {
        Choice { sort: Sort::Power, reverse: false, tree: true, filter: "", all: false, folded, within: None }
    }

    #[test]
    fn members_stand_under_what_contains_them_and_siblings_in_order() {
        let none = HashSet::new();
        let expected = [("ssh.service", 0), ("sshd", 1), ("web", 0), ("front", 1), ("nginx", 2), ("php", 2)];
        assert_eq!(shown(&choice(&none)), expected.map(|(name, depth)| (name.to_owned(), depth)));
        let folded = HashSet::from([3]);
        assert_eq!(names(&choice(&folded)), ["ssh.service", "sshd", "web", "front"]);
        let all = Choice { all: true, reverse: true, ..choice(&none) };
        assert_eq!(names(&all), ["idle", "web", "front", "php", "nginx", "ssh.service", "sshd"]);
    }

    #[test]
    fn a_filter_keeps_what_contains_and_what_is_contained() {
        let none = HashSet::new();
        let filter = |filter, tree| Choice { filter, tree, ..choice(&none) };
        assert_eq!(names(&filter("nginx", true)), ["web", "front", "nginx"]);
        assert_eq!(names(&filter("web", true)), ["web", "front", "nginx", "php"]);
        assert_eq!(names(&filter("nginx", false)), ["nginx"]);
        assert_eq!(names(&filter("1006", false)), ["sshd"], "by process number");
        assert!(names(&filter("no such", true)).is_empty());
    }

    #[test]
    fn flat_lists_are_sorted_by_what_is_asked_for() {
        let none = HashSet::new();
        let flat = |sort| Choice { sort, tree: false, ..choice(&none) };
        assert_eq!(names(&flat(Sort::Power)), ["ssh.service", "sshd", "web", "front", "nginx", "php"]);
        assert_eq!(names(&flat(Sort::Name)), ["front", "nginx", "php", "ssh.service", "sshd", "web"]);
        assert_eq!(names(&flat(Sort::Pid))[..3], ["nginx", "php", "sshd"]);
    }

    #[test]
    fn a_workload_is_looked_into() {
        let none = HashSet::new();
        assert_eq!(names(&Choice { within: Some(2), ..choice(&none) }), ["front", "nginx", "php"]);
    }
}
