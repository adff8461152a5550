//! The thread that keeps the directory of pods up to date.

use super::apiserver::{Event, News};
use super::failure::SourceFailure;
use super::pace::{Backoff, jittered};
use super::source::PodSource;
use kepler_core::availability::Unavailable;
use kepler_core::directory::{Directory, PodDirectory, PodEntry};
use kepler_core::host::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Between two lists at least, however much is unknown.
const GAP: Duration = Duration::from_millis(300);
/// What has just begun to run may be missing from a list that was asked for at once: it is asked for again.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// Changes that come together are published together.
const TOGETHER: Duration = Duration::from_millis(100);

/// Asks the sources, one after the other, and publishes what they say.
pub(super) struct Refreshing {
    pub(super) directory: Directory,
    pub(super) sources: Vec<Box<dyn PodSource>>,
    pub(super) interval: Duration,
    /// What a watch brings, where one is under way: it stands before all sources.
    pub(super) news: Option<Receiver<News<PodEntry>>>,
    pub(super) stop: Arc<AtomicBool>,
    /// Tells that the first round is over.
    pub(super) first: Option<Sender<()>>,
    pub(super) kept: Kept,
    pub(super) said: Mutex<Said>,
}

/// What was logged last, so that it is said once.
#[derive(Default)]
pub(super) struct Said {
    refused: Vec<Unavailable>,
    source: Option<&'static str>,
}

/// The last answer of the best source that has answered.
#[derive(Default)]
pub(super) struct Kept {
    rank: Option<usize>,
    pods: Vec<PodEntry>,
    /// What the watch has brought; `None` before it has listed anything.
    watched: Option<HashMap<String, PodEntry>>,
    /// Whether what is watched is up to date.
    is_watching: bool,
    refused: Option<SourceFailure>,
    /// Whether the best source did not answer when it was asked last.
    fails: bool,
}

impl Kept {
    /// Whether what is kept was said by a better source than the one of this rank. A watch is the best of all.
    fn is_better_than(&self, rank: usize) -> bool {
        self.watched.is_some() || self.rank.is_some_and(|kept| rank > kept)
    }

    fn pods(&self) -> Vec<PodEntry> {
        self.watched.as_ref().map_or_else(|| self.pods.clone(), |watched| watched.values().cloned().collect())
    }
}

/// What a round came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Answered,
    /// A watch has begun and not said anything yet.
    Pending,
    Failed,
}

impl Refreshing {
    /// Refreshes until it is stopped.
    pub(super) fn run(mut self) {
        self.directory.attend(std::thread::current());
        let (mut backoff, mut is_asked, mut looked_twice) = (Backoff::default(), false, true);
        // Sources that have failed are left alone until then.
        let mut rest_until = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            self.bridge(is_asked);
            let mut now = Instant::now();
            let (mut due, mut earliest) = (rest_until, now + jittered(GAP));
            if now >= rest_until || self.kept.is_watching {
                let outcome = self.refresh(is_asked);
                if let Some(first) = self.first.take_if(|_| outcome != Outcome::Pending) {
                    // The caller may no longer be waiting.
                    let _ = first.send(());
                }
                now = Instant::now();
                (due, earliest) = (now + jittered(self.interval), now + jittered(GAP));
                if outcome == Outcome::Failed {
                    rest_until = now + backoff.next();
                    due = due.min(rest_until);
                } else {
                    backoff = Backoff::default();
                    looked_twice = !is_asked && looked_twice;
                    if !looked_twice && !self.kept.is_watching {
                        due = due.min(now + jittered(SECOND_LOOK));
                    }
                    is_asked = false;
                }
            }
            let was_asked = is_asked;
            is_asked = self.wait(due, earliest);
            looked_twice |= !is_asked;
            // What was asked for while they were left alone is still wanted.
            is_asked |= was_asked;
        }
    }

    /// Has the log directories name at once what a source before them may take its time for: everything before the first
    /// answer, and what is asked for while that source fails.
    fn bridge(&mut self, is_asked: bool) {
        let is_first = self.directory.pods().source().is_none();
        if self.kept.is_watching || !(is_first || is_asked && self.kept.fails) {
            return;
        }
        let read_at = Timestamp::now();
        let Some(source) = self.sources.last_mut().filter(|source| source.is_local()) else { return };
        if let Ok(pods) = source.list()
            && !pods.is_empty()
        {
            self.directory.publish(PodDirectory::new(source.name(), read_at, merged(self.kept.pods(), pods)));
        }
    }

    /// Waits until it is time: `due`, from `earliest` on when asked to, or when there is news. Whether it was asked to.
    fn wait(&mut self, due: Instant, earliest: Instant) -> bool {
        let (mut is_asked, mut news_due) = (false, None);
        while !self.stop.load(Ordering::Acquire) {
            is_asked |= self.directory.is_asked();
            let now = Instant::now();
            if self.take_news() && news_due.is_none() {
                news_due = Some(now + TOGETHER);
            }
            let until = if is_asked { earliest.min(due) } else { due };
            let until = news_due.map_or(until, |news| news.min(until));
            if now >= until {
                break;
            }
            std::thread::park_timeout(until.saturating_duration_since(now));
        }
        is_asked
    }

    /// Takes in what the watch has brought.
    fn take_news(&mut self) -> bool {
        let Some(news) = &self.news else { return false };
        let mut any = false;
        while let Ok(news) = news.try_recv() {
            any = true;
            match news {
                News::List(pods) => {
                    self.kept.watched = Some(pods.into_iter().map(|pod| (pod.uid.clone(), pod)).collect());
                    (self.kept.is_watching, self.kept.refused) = (true, None);
                }
                News::Event(Event::Present(pod)) => {
                    self.kept.watched.get_or_insert_default().insert(pod.uid.clone(), *pod);
                }
                News::Event(Event::Gone(uid)) => {
                    self.kept.watched.get_or_insert_default().remove(&uid);
                }
                News::Event(Event::Bookmark(_)) => {}
                News::Refused(refusal) => {
                    self.directory.failed("apiserver", refusal.fault);
                    (self.kept.is_watching, self.kept.refused) = (false, Some(refusal));
                }
            }
        }
        any
    }

    /// Has the first source that answers say which pods there are. Where the best one has answered before, its answer is
    /// kept; another is only asked for what is missing in it.
    fn refresh(&mut self, is_asked: bool) -> Outcome {
        let read_at = Timestamp::now();
        if self.kept.is_watching {
            self.kept.fails = false;
            self.publish("apiserver", read_at, self.kept.pods(), Vec::new());
            return Outcome::Answered;
        }
        if self.news.is_some() && self.kept.refused.is_none() {
            return Outcome::Pending;
        }
        self.kept.fails = true;
        let mut refused: Vec<Unavailable> = Vec::new();
        if let Some(failure) = &self.kept.refused {
            refused.push(failure.clone().unavailable("apiserver"));
        }
        for rank in 0..self.sources.len() {
            let is_worse = self.kept.is_better_than(rank);
            if is_worse && !is_asked {
                break;
            }
            let Some(source) = self.sources.get_mut(rank) else { break };
            let (name, read_at) = (source.name(), Timestamp::now());
            match source.list() {
                Ok(pods) => {
                    let pods = if is_worse {
                        merged(self.kept.pods(), pods)
                    } else {
                        (self.kept.rank, self.kept.fails) = (Some(rank), false);
                        self.kept.pods.clone_from(&pods);
                        pods
                    };
                    self.publish(name, read_at, pods, refused);
                    return Outcome::Answered;
                }
                Err(failure) => {
                    self.directory.failed(name, failure.fault);
                    refused.push(failure.unavailable(name));
                }
            }
        }
        self.report(None, refused);
        Outcome::Failed
    }

    fn publish(&self, source: &'static str, read_at: Timestamp, pods: Vec<PodEntry>, refused: Vec<Unavailable>) {
        let count = pods.len();
        self.directory.publish(PodDirectory::new(source, read_at, pods));
        self.report(Some((source, count)), refused);
    }

    /// Says what is new: who answers, and who does not and why.
    fn report(&self, answered: Option<(&'static str, usize)>, refused: Vec<Unavailable>) {
        let mut said = self.said();
        for unavailable in refused.iter().filter(|unavailable| !said.refused.contains(unavailable)) {
            let Unavailable { source_name, reason, remedy, .. } = unavailable;
            tracing::warn!("pods are not named by {source_name}: {reason}; {remedy}");
        }
        if let Some((source, count)) =
            answered.filter(|(source, _)| said.source != Some(source) || said.refused != refused)
        {
            tracing::info!("pods are named by {source}, which lists {count}");
        }
        said.source = answered.map(|(source, _)| source);
        self.directory.set_unavailable(refused.clone());
        said.refused = refused;
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What is known, and what another source knows beside it.
fn merged(mut pods: Vec<PodEntry>, other: Vec<PodEntry>) -> Vec<PodEntry> {
    let by_uid: HashMap<String, usize> = pods
        .iter()
        .enumerate()
        .flat_map(|(at, pod)| pod.other_uids.iter().chain([&pod.uid]).map(move |uid| (uid.clone(), at)))
        .collect();
    for pod in other {
        let Some(own) = by_uid.get(&pod.uid).and_then(|&at| pods.get_mut(at)) else {
            pods.push(pod);
            continue;
        };
        for container in pod.containers {
            match own.containers.iter_mut().find(|known| known.name == container.name) {
                Some(known) => {
                    let new = container.ids.into_iter().filter(|id| !known.ids.contains(id)).collect::<Vec<_>>();
                    known.ids.extend(new);
                }
                None => own.containers.push(container),
            }
        }
        own.lists_containers |= pod.lists_containers;
    }
    pods
}

#[cfg(test)]
mod tests;
