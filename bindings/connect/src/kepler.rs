//! Energy from the `/metrics` of Kepler exporters: an [`EnergyView`] over one or many nodes.
//!
//! # Requirements
//! The address of *each* exporter, ours or Go Kepler v0.11; a service address that spreads requests over
//! several of them is noticed and refused. Somebody has to poll: [`KeplerView::poll`] once in a while, or
//! a thread of [`KeplerView::watch`]. Energy is known between the first and the last poll, so an answer
//! needs two. Poll no faster than the exporters measure (3 to 5 s), and for short-lived workloads more
//! often than the exporters keep the terminated (ours: 10 min; Go Kepler: until the next scrape of
//! anybody).
//!
//! # Figures
//! Joules, watts and CPU seconds as [`EnergyView`] defines them, per zone. Counters may reset: energy
//! counts on. A workload that comes between two polls counts from its beginning, one that ends between
//! two polls to its end, where the exporter still shows it as terminated. Node totals are active + idle,
//! since the total of Go Kepler is a register that wraps. Sockets are summed. Between two polls power is
//! taken as even, so a range need not begin or end with a poll.
//!
//! # Limits
//! An exporter that fails is left out with its reason ([`Inventory::skipped`](kepler_compliance::view::Inventory::skipped));
//! coverage falls below 1. A `/metrics` with one wrong line is refused as a whole. Go Kepler names workloads
//! by process number alone, so where a number passes to a process of the same name, they are one.
//!
//! # Cost
//! A poll reads every exporter once, 32 at a time, about 1 s of CPU for each 100 MB of text. In memory, a
//! workload costs about 1 kB, and 16 bytes more for each zone and poll in which its counter moved.
//!
//! ```no_run
//! use jiff::Timestamp;
//! use kepler_compliance::view::{EnergyView as _, TimeRange};
//! use kepler_connect::kepler::{KeplerOptions, KeplerView};
//! use std::{sync::Arc, thread, time::Duration};
//!
//! let nodes = ["http://node-1:28282", "http://node-2:28282"];
//! let view = Arc::new(KeplerView::new(&nodes, KeplerOptions::default())?);
//! let _watch = view.watch(Duration::from_secs(10))?;
//! thread::sleep(Duration::from_secs(60));
//! let minute = TimeRange::ending(Timestamp::now(), Duration::from_secs(60));
//! for node in view.inventory(minute)?.nodes {
//!     println!("{}: {:?}", node.name, node.energy().total());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod node;
mod scrape;
mod track;
mod watch;

pub use watch::Watch;

use crate::energy::{hull, is, overlap, plus, rows, skipped, worse};
use crate::http::{Auth, Http, HttpError, HttpOptions, base_url, shown};
use jiff::Timestamp;
use kepler_compliance::series::{Series, Step};
use kepler_compliance::view::{
    EnergySeries, EnergyView, Inventory, Skipped, Subject, TimeRange, Usage, ViewError, WorkloadKind,
};
use kepler_core::meter::Method;
use node::Node;
use reqwest::Url;
use scrape::Scrape;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Exporters read at the same time.
const AT_ONCE: usize = 32;
/// Kepler answers in the text format that is asked for.
const ACCEPT: &str = "text/plain;version=0.0.4";

/// How exporters are asked, and how long figures are kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeplerOptions {
    /// Time-outs and trust.
    pub http: HttpOptions,
    /// For exporters that ask who it is; all get the same.
    pub auth: Auth,
    /// How far back answers reach; 1 h.
    pub keep: Duration,
}

impl Default for KeplerOptions {
    fn default() -> Self {
        let keep = Duration::from_secs(3600);
        KeplerOptions { http: HttpOptions::default(), auth: Auth::None, keep }
    }
}

/// Energy of the nodes whose exporters it polls.
#[derive(Debug)]
pub struct KeplerView {
    name: String,
    urls: Vec<Url>,
    http: Http,
    options: KeplerOptions,
    /// Held while polling: two polls at once would take each other's time.
    polling: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    polls: u64,
    /// One for each address, in their order.
    nodes: Vec<Node>,
}

impl KeplerView {
    /// For exporters at `addresses`; `/metrics` is added where an address has no path.
    ///
    /// # Errors
    /// An address is none, there is no address, or the CA bundle cannot be used.
    pub fn new(addresses: &[impl AsRef<str>], options: KeplerOptions) -> Result<Self, HttpError> {
        let mut urls: Vec<Url> = Vec::with_capacity(addresses.len());
        for address in addresses {
            let mut url = base_url(address.as_ref())?;
            if url.path() == "/" {
                url.set_path("metrics");
            }
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        let name = match urls.as_slice() {
            [] => return Err(HttpError::Address { reason: "there is none".into() }),
            [one] => format!("kepler {}", shown(one)),
            [first, rest @ ..] => format!("kepler {} and {} more", shown(first), rest.len()),
        };
        let http = Http::new(options.http.clone(), urls.iter().any(|url| url.scheme() == "https"))?;
        let nodes = urls.iter().map(|_| Node::default()).collect();
        let (polling, state) = (Mutex::default(), Mutex::new(State { polls: 0, nodes }));
        Ok(KeplerView { name, urls, http, options, polling, state })
    }

    /// Reads every exporter once, and returns those that failed. `now` is the time of the call; each
    /// reading is stamped with the time its answer came, by a clock that cannot be set.
    pub fn poll(&self, now: Timestamp) -> Vec<Skipped> {
        let _one_at_a_time = self.polling.lock().unwrap_or_else(PoisonError::into_inner);
        let (begun, next) = (Instant::now(), AtomicUsize::new(0));
        self.state().polls += 1;
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(url) = self.urls.get(index) else { return };
                let answer = self.http.get(url.clone(), &self.options.auth, ACCEPT);
                let at = now.checked_add(begun.elapsed()).unwrap_or(now);
                let read = answer.map_err(|error| error.to_string()).and_then(|text| {
                    Scrape::read(&text)
                        .map_err(|reason| format!("the answer of {} cannot be used: {reason}", shown(url)))
                });
                self.note(index, url, at, read);
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.urls.len().min(AT_ONCE) {
                // A thread that cannot be had is no loss: the others do its work.
                let _ = thread::Builder::new().name("kepler-poll".into()).spawn_scoped(scope, work);
            }
            work();
        });
        let state = self.state();
        let faults = self.urls.iter().zip(&state.nodes);
        faults.filter_map(|(url, node)| Some(skipped(shown(url), node.fault.as_ref()?))).collect()
    }

    fn note(&self, index: usize, url: &Url, at: Timestamp, read: Result<Scrape, String>) {
        let mut state = self.state();
        let Some(node) = state.nodes.get_mut(index) else { return };
        match read {
            Ok(scrape) => {
                let port = url.port_or_known_default().unwrap_or_default();
                let fallback = format!("{}:{port}", url.host_str().unwrap_or_default());
                node.take(scrape, at, &fallback, self.options.keep);
            }
            Err(reason) => {
                tracing::warn!(exporter = shown(url), reason, "poll failed");
                node.fault = Some(reason);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is complete in itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The nodes with figures of `range`, and what is left out.
    fn select<'a>(&self, state: &'a State, range: TimeRange) -> (Vec<(&'a Node, TimeRange)>, Vec<Skipped>) {
        let (mut selected, mut left_out, mut names) = (Vec::new(), Vec::new(), HashSet::new());
        for (url, node) in self.urls.iter().zip(&state.nodes) {
            let mut leave_out = |reason: &str| left_out.push(skipped(shown(url), reason));
            if let Some(name) = node.name().filter(|&name| !names.insert(name)) {
                leave_out(&format!("it answers for node `{name}`, as another address does: name each exporter once"));
                continue;
            }
            match (node.covered(range), &node.fault) {
                (Some(covered), fault) => {
                    selected.push((node, covered));
                    fault.iter().for_each(|fault| leave_out(&format!("since its last good answer: {fault}")));
                }
                (None, Some(fault)) => leave_out(fault),
                (None, None) if node.name().is_none() => leave_out("it was not polled yet"),
                (None, None) => leave_out("it was not polled before and within this time: wait for two polls"),
            }
        }
        (selected, left_out)
    }

    fn nothing(&self, state: &State, range: TimeRange, left_out: &[Skipped]) -> ViewError {
        let reasons: Vec<_> = left_out.iter().take(3).map(|out| format!("{}: {}", out.what, out.reason)).collect();
        let (origin, reason) = (self.name.clone(), reasons.join("; "));
        if state.nodes.iter().all(|node| node.fault.is_some()) {
            return ViewError::Unavailable { origin, reason };
        }
        ViewError::NoData { origin, range, reason }
    }
}

fn check(range: TimeRange, step: Duration) -> Result<(), ViewError> {
    if range.start < range.end && !step.is_zero() { Ok(()) } else { Err(ViewError::Invalid { range, step }) }
}

impl EnergyView for KeplerView {
    fn name(&self) -> &str {
        &self.name
    }

    fn inventory(&self, range: TimeRange) -> Result<Inventory, ViewError> {
        check(range, Duration::from_secs(1))?;
        let state = self.state();
        let (selected, left_out) = self.select(&state, range);
        let Some(covered) = hull(selected.iter().map(|&(_, covered)| covered)) else {
            return Err(self.nothing(&state, range, &left_out));
        };
        let mut inventory = Inventory {
            moment: format!("poll {}", state.polls),
            asked: range,
            covered,
            coverage: coverage(selected.iter().map(|(_, covered)| covered.length()), self.urls.len(), range),
            nodes: Vec::with_capacity(selected.len()),
            workloads: Vec::new(),
            skipped: left_out,
        };
        for (node, covered) in selected {
            let Some(name) = node.name() else { continue };
            let figures = node.figures(covered);
            let method = figures.sources.method();
            let energy = figures.into_node(name.clone(), covered);
            inventory.workloads.extend(rows(&energy, method, node.workloads(covered, |_| true)));
            inventory.nodes.push(energy);
        }
        Ok(inventory)
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        check(range, step)?;
        let state = self.state();
        let (mut selected, left_out) = self.select(&state, range);
        if selected.is_empty() {
            return Err(self.nothing(&state, range, &left_out));
        }
        let mut expected = self.urls.len();
        if let Subject::Node(wanted) = subject {
            selected.retain(|(node, _)| node.name() == Some(wanted));
            expected = 1;
        }
        let spacing = selected.iter().filter_map(|(node, _)| node.spacing()).max().unwrap_or_default();
        let step = whole_multiple(step, spacing);
        let (mut steps, mut method, mut told) = (Vec::new(), Method::Measured, Vec::new());
        let mut start = range.start;
        while start < range.end {
            let end = start.checked_add(step).map_or(range.end, |end| end.min(range.end));
            let whole = TimeRange { start, end };
            let parts = selected.iter().filter_map(|&(node, covered)| {
                let part = overlap(whole, covered).filter(|_| node.read_in(whole))?;
                Some((part, usage(node, part, subject)?, node.figures(part).sources.method()))
            });
            let parts: Vec<_> = parts.collect();
            if let Some(covered) = hull(parts.iter().map(|&(part, ..)| part)) {
                let value = parts.iter().fold(Usage::default(), |sum, (_, usage, _)| plus(&sum, usage));
                method = parts.iter().fold(method, |worst, &(.., method)| worse(worst, method));
                told.extend(parts.iter().map(|(part, ..)| part.length()));
                steps.push(Step { start: covered.start, end: covered.end, value });
            }
            start = end;
        }
        let nothing = |reason: &str| ViewError::NoData { origin: self.name.clone(), range, reason: reason.into() };
        if steps.is_empty() {
            return Err(nothing("nobody of that name was seen in this time"));
        }
        if !matches!(subject, Subject::Cluster | Subject::Node(_)) {
            // Only nodes on which it was seen are expected to tell of it.
            expected = selected.iter().filter(|&&(node, covered)| usage(node, covered, subject).is_some()).count();
        }
        Ok(EnergySeries {
            steps: Series::new(steps).map_err(|error| nothing(&error.to_string()))?,
            method,
            coverage: coverage(told, expected, range),
            moment: format!("poll {}", state.polls),
        })
    }
}

/// What `subject` used on a node; none if it was not there.
fn usage(node: &Node, range: TimeRange, subject: &Subject) -> Option<Usage> {
    let name = node.name()?;
    let workloads = match subject {
        Subject::Cluster | Subject::Node(_) => {
            return Some(Usage { energy: node.figures(range).energy(), cpu_time: None });
        }
        Subject::Namespace(namespace) => node.workloads(range, |identity| {
            identity.kind == WorkloadKind::Pod && identity.namespace.as_ref() == Some(namespace)
        }),
        Subject::Workloads(ids) => node.workloads(range, |identity| ids.iter().any(|id| is(id, identity, name))),
    };
    workloads.iter().map(|figures| figures.usage()).reduce(|a, b| plus(&a, &b))
}

fn coverage(told: impl IntoIterator<Item = Duration>, expected: usize, range: TimeRange) -> f64 {
    let told: f64 = told.into_iter().map(|time| time.as_secs_f64()).sum();
    (told / (expected.max(1) as f64 * range.length().as_secs_f64())).clamp(0.0, 1.0)
}

/// `step`, or the smallest multiple of it that is not shorter than `spacing`.
fn whole_multiple(step: Duration, spacing: Duration) -> Duration {
    let times = spacing.as_nanos().div_ceil(step.as_nanos().max(1)).max(1);
    u32::try_from(times).ok().and_then(|times| step.checked_mul(times)).unwrap_or(spacing)
}
