//! Energy from the `/metrics` of Kepler exporters: an [`EnergyView`] over one or many nodes.
//!
//! # Requirements
//! The address of *each* exporter, ours or Go Kepler v0.11; a service address that spreads requests over
//! several of them is noticed and refused. The caller has to poll: [`KeplerView::poll`] once in a while, or
//! a thread of [`KeplerView::watch`]. Energy is known between the first and the last poll, so an answer
//! needs two. Poll no faster than the exporters measure (3 to 5 s), and for short-lived workloads more
//! often than the exporters keep the terminated (ours: 10 min; Go Kepler: until the next scrape by
//! any client).
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
//! A poll reads every exporter once, [`KeplerOptions::at_once`] at a time, those that failed last, and an answer as it
//! comes, compressed where the exporter does that. Memory follows the workloads (about 1 KB each, at most
//! [`KeplerOptions::max_workloads`]) and the points of their counters (16 bytes each, at most
//! [`KeplerOptions::max_points`]): when there are more, older ones are left out, so that energy is known as well as
//! before and its course less finely. The bench `exposition` measures the reading.
//!
//! # A fleet
//! [`KeplerView::list`] says which exporters there are now. One that is gone keeps its figures for
//! [`KeplerOptions::keep`]; one that comes to the same node goes on with them. [`KeplerView::fleet`] says how each
//! fares.
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
mod bound;
mod fleet;
mod known_node;
mod names;
mod node;
mod owners;
mod platform;
mod roster;
mod scrape;
mod target;
mod track;
mod watch;

pub use fleet::{Fleet, FleetNode, NodeState};
pub use known_node::KnownNode;
pub use names::{NamedExporters, NamedExportersFollower};
pub use owners::PodController;
pub use target::Target;
pub use watch::PollingThread;

#[cfg(doc)]
use kepler_compliance::view::EnergyView;

use crate::energy::skipped;
use crate::http::{Auth, ClientOptions, Http, HttpError};
use fleet::Progress;
use jiff::Timestamp;
use kepler_compliance::view::{Owner, Skipped, TimeRange, ViewError};
use roster::{Roster, Selection};
use scrape::{Extent, Scrape, Unreadable};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Kepler answers in the text format that is asked for.
const ACCEPT: &str = "text/plain;version=0.0.4";
/// One exporter shows no more than this part of all workloads that may be kept.
const SHARE_OF_ONE: usize = 4;

/// How exporters are asked, and how long figures are kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeplerOptions {
    /// Time-outs and trust.
    pub http: ClientOptions,
    /// For exporters that ask who it is; all get the same. A token of a [file](Auth::BearerFile), which is a cluster's, is sent
    /// over TLS only.
    pub auth: Auth,
    /// How far back answers reach; 1 h.
    pub keep: Duration,
    /// Whether processes are kept; yes. Of a fleet they are most of what exporters show.
    pub processes: bool,
    /// Exporters read at the same time; 32.
    pub at_once: usize,
    /// Workloads that are kept of all exporters together, ended ones included; 200,000.
    pub max_workloads: usize,
    /// Points of counters that are kept; 4,000,000.
    pub max_points: usize,
}

impl Default for KeplerOptions {
    fn default() -> Self {
        KeplerOptions {
            http: ClientOptions::default(),
            auth: Auth::None,
            keep: Duration::from_secs(3600),
            processes: true,
            at_once: 32,
            max_workloads: 200_000,
            max_points: 4_000_000,
        }
    }
}

/// Energy of the nodes whose exporters it polls.
#[derive(Debug)]
pub struct KeplerView {
    name: String,
    http: Http,
    options: KeplerOptions,
    /// Held while polling: two polls at once would take each other's time.
    polling: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    progress: Progress,
    roster: Roster,
}

impl KeplerView {
    /// For exporters at `addresses`; `/metrics` is added where an address has no path.
    ///
    /// # Errors
    /// An address is none, there is no address, or the CA bundle cannot be used.
    pub fn new(addresses: &[impl AsRef<str>], options: KeplerOptions) -> Result<Self, HttpError> {
        let mut targets: Vec<Target> = Vec::with_capacity(addresses.len());
        for address in addresses {
            let target = Target::new(address.as_ref())?;
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        let name = match targets.as_slice() {
            [] => return Err(HttpError::Address { reason: "there is none".into() }),
            [one] => format!("kepler {}", one.address()),
            [first, rest @ ..] => format!("kepler {} and {} more", first.address(), rest.len()),
        };
        let secure = targets.iter().any(|target| target.url.scheme() == "https");
        let view = Self::asking(Http::new(options.http.clone(), secure)?, name, options);
        view.state().roster.list(targets, Timestamp::now());
        Ok(view)
    }

    /// For exporters that [`KeplerView::list`] names later. `name` is shown with its figures; `secure` says whether
    /// addresses will be https. They are asked directly, whatever proxy the environment names: they are of one cluster, and come
    /// and go under addresses that no `NO_PROXY` can name.
    ///
    /// # Errors
    /// The CA bundle cannot be used.
    pub fn of_fleet(name: impl Into<String>, secure: bool, options: KeplerOptions) -> Result<Self, HttpError> {
        Ok(Self::asking(Http::direct(options.http.clone(), secure)?, name, options))
    }

    fn asking(http: Http, name: impl Into<String>, options: KeplerOptions) -> Self {
        KeplerView { name: name.into(), http, options, polling: Mutex::default(), state: Mutex::default() }
    }

    /// Takes over which exporters there are at `now`.
    pub fn list(&self, targets: Vec<Target>, now: Timestamp) {
        let mut state = self.state();
        state.roster.list(targets, now);
        state.progress.listed(now);
    }

    /// Says that it could not be found out which exporters there are: `fault` is the kind of fault, a fixed word. Those
    /// listed last go on being polled.
    pub fn not_listed(&self, fault: &'static str, reason: impl Into<String>) {
        self.state().progress.not_listed(fault, reason.into());
    }

    /// Takes over which nodes the cluster has. Those without an exporter are reported as missing.
    pub fn know_nodes(&self, nodes: Vec<KnownNode>) {
        self.state().roster.known = nodes;
    }

    /// Controllers of pods that may have one of their own, and of which that is not known; `most` at most.
    #[must_use]
    pub fn unknown_controllers(&self, most: usize) -> Vec<PodController> {
        let mut state = self.state();
        let Roster { tracked, owners, .. } = &mut state.roster;
        owners.unknown(tracked.iter().flat_map(|tracked| tracked.node.owned()), most)
    }

    /// Takes over what controls a controller; nothing does if `None`.
    pub fn know_controller(&self, controller: PodController, owner: Option<Owner>) {
        self.state().roster.owners.know(controller, owner);
    }

    /// Reads every exporter once, and returns those that failed. `now` is the time of the call; each
    /// reading is stamped with the time its answer came, by a clock that cannot be set.
    pub fn poll(&self, now: Timestamp) -> Vec<Skipped> {
        let _one_at_a_time = self.polling.lock().unwrap_or_else(PoisonError::into_inner);
        let (begun, next) = (Instant::now(), AtomicUsize::new(0));
        let due = {
            let mut state = self.state();
            state.roster.forget_before(self.kept_from(now));
            state.roster.due()
        };
        let read_next = || {
            let (id, target) = due.get(next.fetch_add(1, Ordering::Relaxed))?;
            let read = self.scrape(target);
            Some((*id, target, now.checked_add(begun.elapsed()).unwrap_or(now), read))
        };
        // What is kept is kept by this thread alone: memory for long and for a moment, from the same threads, would leave
        // each thread's share of it full of holes.
        let (done, answers) = sync_channel(1);
        thread::scope(|scope| {
            let readers = if due.len() > 1 { due.len().min(self.options.at_once) } else { 0 };
            for _ in 0..readers {
                let done = done.clone();
                let read_all = move || while read_next().is_some_and(|answer| done.send(answer).is_ok()) {};
                // A thread that cannot be had is no loss: others do its work.
                let _ = thread::Builder::new().name("kepler-poll".into()).spawn_scoped(scope, read_all);
            }
            drop(done);
            for (id, target, at, read) in answers {
                self.note(id, target, at, read);
            }
            // What no thread has read: all of it, where there is no need of any or none could be had.
            while let Some((id, target, at, read)) = read_next() {
                self.note(id, target, at, read);
            }
        });
        let mut state = self.state();
        state.progress.polled(begun.elapsed());
        bound::hold(&mut state.roster, self.options.max_points, now, self.options.keep);
        let present = state.roster.tracked.iter().filter(|tracked| tracked.gone.is_none());
        present.filter_map(|tracked| Some(skipped(tracked.what(), tracked.node.fault.as_ref()?))).collect()
    }

    fn kept_from(&self, now: Timestamp) -> Timestamp {
        now.checked_sub(self.options.keep).unwrap_or(Timestamp::MIN)
    }

    fn scrape(&self, target: &Target) -> Result<Scrape, Unreadable> {
        let extent = Extent {
            processes: self.options.processes,
            workloads: self.options.max_workloads / SHARE_OF_ONE,
            bytes: self.options.http.max_body_bytes,
        };
        let is_kept_back = matches!(self.options.auth, Auth::BearerFile(_)) && target.url.scheme() != "https";
        let auth = if is_kept_back { &Auth::None } else { &self.options.auth };
        let body = match &target.server_name {
            Some(name) => self.http.read_named(&target.url, name, auth, ACCEPT),
            None => self.http.read(&target.url, auth, ACCEPT),
        };
        let body = body.map_err(|error| {
            let is_refused = is_kept_back && error.fault() == "refused";
            let note = if is_refused { "; the token is sent over TLS only" } else { "" };
            Unreadable { fault: error.fault(), reason: format!("{error}{note}") }
        })?;
        let unusable = |Unreadable { fault, reason }| {
            let reason = format!("the answer of {} cannot be used: {reason}", target.address());
            Unreadable { fault, reason }
        };
        Scrape::read(body, extent).map_err(unusable)
    }

    fn note(&self, id: u64, target: &Target, at: Timestamp, read: Result<Scrape, Unreadable>) {
        let mut state = self.state();
        let roster = &mut state.roster;
        let known: usize = roster.nodes_mut().map(|node| node.rows()).sum();
        let scrape = match read {
            Ok(scrape) => scrape,
            Err(Unreadable { fault, reason }) => {
                *roster.faults.entry(fault).or_default() += 1;
                let Some(tracked) = roster.answering(id, None) else { return };
                if tracked.node.fault.as_ref() != Some(&reason) {
                    tracing::warn!(exporter = tracked.what(), reason, "poll failed");
                }
                tracked.node.fault = Some(reason);
                return;
            }
        };
        let Some(tracked) = roster.answering(id, scrape.node.as_deref()) else { return };
        if tracked.node.fault.is_some() {
            tracing::info!(exporter = tracked.what(), "polled again");
        }
        let room = self.options.max_workloads.saturating_sub(known) + tracked.node.rows();
        let port = target.url.port_or_known_default().unwrap_or_default();
        let fallback = match &target.node {
            Some(name) => name.to_string(),
            None => format!("{}:{port}", target.url.host_str().unwrap_or_default()),
        };
        tracked.node.take(scrape, at, &fallback, self.options.keep, room);
    }

    /// How each exporter fares.
    #[must_use]
    pub fn fleet(&self) -> Fleet {
        let mut state = self.state();
        let State { progress, roster } = &mut *state;
        Fleet::of(progress, roster)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is complete in itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The nodes with figures of `range`, and what is left out.
    fn select<'a>(&self, state: &'a State, range: TimeRange) -> Selection<'a> {
        let mut selection = state.roster.select(range);
        if let Some(reason) = state.progress.unlisted() {
            selection
                .left_out
                .push(skipped(&self.name, format!("exporters that have come since may be missing: {reason}")));
        }
        selection
    }

    fn nothing(&self, state: &State, range: TimeRange, left_out: &[Skipped]) -> ViewError {
        let reasons: Vec<_> = left_out.iter().take(3).map(|out| format!("{}: {}", out.what, out.reason)).collect();
        let (origin, mut reason) = (self.name.clone(), reasons.join("; "));
        if reason.is_empty() {
            reason = "no exporter is listed".into();
        }
        if state.roster.tracked.iter().all(|tracked| tracked.node.fault.is_some()) {
            return ViewError::Unavailable { origin, reason };
        }
        ViewError::NoData { origin, range, reason: reason.into() }
    }
}
