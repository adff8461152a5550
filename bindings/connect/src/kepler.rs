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
//! A poll reads every exporter once, 32 at a time. Memory follows the workloads and, by 24 bytes for each zone and
//! poll in which a counter moved, [`KeplerOptions::keep`]: 3,000 pods in two zones, whose `/metrics` is 2 MB long, took
//! 15 MB after ten polls. The bench `exposition` measures the reading.
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
//! for node in &view.inventory(minute)?.nodes {
//!     println!("{}: {:?}", node.name, node.energy().total());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod node;
mod scrape;
mod track;
mod watch;

pub use watch::PollingThread;

#[cfg(doc)]
use kepler_compliance::view::EnergyView;

use crate::energy::skipped;
use crate::http::{Auth, Http, HttpError, HttpOptions, base_url, shown};
use jiff::Timestamp;
use kepler_compliance::view::{Skipped, TimeRange, ViewError};
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
        ViewError::NoData { origin, range, reason: reason.into() }
    }
}
