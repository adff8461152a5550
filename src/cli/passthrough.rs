//! The host's figures inside its guests: what each virtual machine was charged goes to it, and nothing else.

mod channel;
mod listener;
mod outbox;
mod tree;

use super::config::Config;
use super::exit::Failure;
use channel::Channels;
use kepler_core::guests::{GuestOptions, GuestRecord, GuestShares, is_plain};
use kepler_core::host::Timestamp;
use kepler_core::snapshot::{Feed, Row, Snapshot, State};
use kepler_core::workload::VmInfo;
use listener::Listeners;
use std::collections::BTreeSet;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tree::Trees;

/// How often it is looked for a new snapshot.
const PACE: Duration = Duration::from_millis(200);

/// Passes figures on for as long as it lives.
pub(super) struct Passthrough {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Passthrough {
    /// Begins, if anything is to be passed on.
    ///
    /// # Errors
    /// The system gives no thread, the directory cannot be made, or the port of vsock cannot be listened at.
    pub(super) fn start(config: &Config, feed: Feed) -> Result<Option<Self>, Failure> {
        let settings = &config.passthrough;
        if !settings.is_any() {
            return Ok(None);
        }
        let trees = settings.directory.clone().map(Trees::open).transpose();
        let trees = trees.map_err(Failure::to("make the directory of virtual machines (--passthrough.directory)"))?;
        let channels = settings.channels.as_ref().map(|pattern| Channels::new(&pattern.text));
        let listen = settings.listen.as_ref().map(|pattern| pattern.text.as_str());
        let listeners = Listeners::open(settings.vsock, listen);
        let listeners = listeners.map_err(Failure::to("listen at the port of vsock (--passthrough.vsock)"))?;
        let options = GuestOptions::default().with(|options| options.idle = settings.idle);
        let mut work = Work { shares: GuestShares::new(options), trees, channels, listeners, refused: BTreeSet::new() };
        let (stop, stopped) = channel();
        let pass_on = move || {
            let mut last = None;
            while matches!(stopped.recv_timeout(PACE), Err(RecvTimeoutError::Timeout)) {
                let newest = feed.latest().filter(|snapshot| last != Some(snapshot.sequence));
                if let Some(snapshot) = newest {
                    last = Some(snapshot.sequence);
                    work.pass_on(&snapshot);
                }
                work.listeners.accept(Instant::now());
            }
        };
        let thread = thread::Builder::new().name("kepler-guests".into()).spawn(pass_on);
        let thread = thread.map_err(Failure::to("start passing figures on to virtual machines"))?;
        Ok(Some(Passthrough { stop: Some(stop), thread: Some(thread) }))
    }
}

impl Drop for Passthrough {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been reported where it happened.
            let _ = thread.join();
        }
    }
}

struct Work {
    shares: GuestShares,
    trees: Option<Trees>,
    channels: Option<Channels>,
    listeners: Listeners,
    /// Machines whose identifier cannot be a file's name, said once.
    refused: BTreeSet<String>,
}

/// A machine and its record.
struct Guest<'a> {
    id: &'a str,
    name: &'a str,
    cid: Option<u32>,
    record: &'a GuestRecord,
}

impl Guest<'_> {
    /// The path of this machine, of a pattern with `{id}` or `{name}`.
    fn path(&self, pattern: &str) -> String {
        // A name is what its owner chose; it must not lead elsewhere.
        let name = if is_plain(self.name) { self.name } else { self.id };
        pattern.replace("{id}", self.id).replace("{name}", name)
    }
}

impl Work {
    fn pass_on(&mut self, snapshot: &Snapshot) {
        let mut records = self.shares.follow(snapshot);
        let age = Timestamp::now().boottime.saturating_sub(snapshot.at.boottime);
        for record in &mut records {
            (record.time, record.age) = (record.time + age, age);
        }
        let mut guests = Vec::with_capacity(records.len());
        for record in &records {
            if !is_plain(&record.vm) {
                if self.refused.insert(record.vm.clone()) {
                    let shown = kepler_core::printable::line(&record.vm).into_owned();
                    tracing::warn!("virtual machine `{shown}` is shown nothing: its identifier can be no file's name");
                }
                continue;
            }
            let is_it = |row: &&Row<VmInfo>| row.state == State::Running && row.info.id == record.vm;
            let info = snapshot.vms.iter().find(is_it).map(|row| &row.info);
            let (name, cid) = info.map_or(("", None), |info| (info.name.as_str(), info.cid));
            guests.push(Guest { id: &record.vm, name, cid, record });
        }
        // Without records it is too early, or there is no machine.
        let is_none_there = snapshot.vms.iter().all(|row| row.state != State::Running);
        if guests.is_empty() && !is_none_there {
            return;
        }
        if let Some(trees) = &mut self.trees {
            trees.show(&guests);
        }
        if let Some(channels) = &mut self.channels {
            channels.show(&guests);
        }
        self.listeners.show(&guests, Instant::now());
    }
}
