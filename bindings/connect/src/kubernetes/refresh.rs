//! The thread that keeps the directory of pods up to date.

use super::apiserver::{Event, News};
use super::asking::{Heard, Sources};
use super::failure::SourceFailure;
use super::pace::{Backoff, jittered};
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
/// A source that takes longer is a slow one: what is unknown is asked of the next one as well.
const SLOW: Duration = Duration::from_secs(1);
/// Changes that come together are published together.
const TOGETHER: Duration = Duration::from_millis(100);

/// Asks the sources, one after the other, and publishes what they say.
pub(super) struct Refreshing {
    pub(super) directory: Directory,
    pub(super) sources: Sources,
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
    /// When the watch has said something last.
    heard_at: Option<Timestamp>,
    /// Since when a pod is wanted that the watch has not brought.
    wanted_since: Option<Instant>,
    /// Whether the best source did not answer when it was asked last.
    fails: bool,
    /// Whether a newer list was asked for while a source had not answered.
    was_asked: bool,
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
                    if !looked_twice && !self.kept.is_watching || self.kept.wanted_since.is_some() {
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
        if let Some(rank) = self.sources.len().checked_sub(1).filter(|&rank| self.sources.is_local(rank)) {
            self.stand_in(rank);
        }
    }

    /// Has a source add what it knows to what is known. Whether it has answered.
    fn stand_in(&mut self, rank: usize) -> bool {
        let name = self.sources.name(rank);
        match self.sources.ask(rank) {
            Heard::Pods(read_at, pods) => {
                if !pods.is_empty() {
                    self.directory.publish(PodDirectory::new(name, read_at, merged(self.kept.pods(), pods)));
                }
                true
            }
            Heard::Failed(failure) => {
                // What is at hand is asked in its turn as well.
                if !self.sources.is_local(rank) {
                    self.directory.failed(name, failure.fault);
                }
                true
            }
            Heard::Rests(_) => true,
            Heard::Nothing => false,
        }
    }

    /// What a source says. While it takes its time, those after it name what is asked for: at once what is at hand, the
    /// others after a while.
    fn hear(&mut self, rank: usize, is_asked: bool) -> Heard {
        let (begun, mut is_asked) = (Instant::now(), is_asked);
        let mut local_due = begun + GAP / 3;
        let mut others: Vec<usize> = (rank + 1..self.sources.len()).collect();
        loop {
            let heard = self.sources.ask(rank);
            if !matches!(heard, Heard::Nothing) || self.stop.load(Ordering::Acquire) {
                return heard;
            }
            if self.directory.is_asked() {
                (is_asked, self.kept.was_asked) = (true, true);
            }
            let now = Instant::now();
            if is_asked && !self.kept.is_watching {
                let is_slow = now.duration_since(begun) >= SLOW;
                let is_local_due = now >= local_due;
                others.retain(|&other| match self.sources.is_local(other) {
                    true => {
                        if is_local_due {
                            local_due = now + jittered(GAP);
                            self.stand_in(other);
                        }
                        true
                    }
                    false => !(is_slow && self.stand_in(other)),
                });
            }
            std::thread::park_timeout(SLOW / 10);
        }
    }

    /// Waits until it is time: `due`, from `earliest` on when asked to, or when there is news. Whether it was asked to.
    fn wait(&mut self, due: Instant, earliest: Instant) -> bool {
        let (mut is_asked, mut news_due) = (std::mem::take(&mut self.kept.was_asked), None);
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
            if !matches!(news, News::Refused(_)) {
                self.kept.heard_at = Some(Timestamp::now());
            }
            if matches!(news, News::List(_) | News::Event(Event::Present(_))) {
                self.kept.wanted_since = None;
            }
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
        self.sources.forget_answers();
        if self.kept.is_watching {
            self.kept.fails = false;
            self.watch(is_asked, read_at);
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
            let name = self.sources.name(rank);
            match self.hear(rank, is_asked) {
                Heard::Pods(read_at, pods) => {
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
                Heard::Failed(failure) => {
                    self.directory.failed(name, failure.fault);
                    refused.push(failure.unavailable(name));
                }
                Heard::Rests(failure) => refused.push(failure.unavailable(name)),
                Heard::Nothing => return Outcome::Failed,
            }
        }
        self.report(None, refused);
        Outcome::Failed
    }

    /// Publishes what the watch has brought. Where a pod runs that it has not brought within a while, as when its connection
    /// is dead and nothing tells so, another source is asked for that.
    fn watch(&mut self, is_asked: bool, read_at: Timestamp) {
        let pods = self.kept.pods();
        let count = pods.len();
        let known_at = self.kept.heard_at.unwrap_or(read_at);
        self.directory.publish(PodDirectory::new("apiserver", read_at, pods).known_at(known_at));
        self.report(Some(("apiserver", count)), Vec::new());
        if is_asked && self.directory.status().unresolved_pods > 0 {
            self.kept.wanted_since.get_or_insert_with(Instant::now);
        }
        if self.kept.wanted_since.is_some_and(|since| since.elapsed() >= SECOND_LOOK / 2) {
            self.kept.wanted_since = None;
            for rank in 0..self.sources.len() {
                if let Heard::Pods(read_at, pods) = self.hear(rank, false) {
                    let all = merged(self.kept.pods(), pods);
                    self.directory.publish(PodDirectory::new("apiserver", read_at, all).known_at(known_at));
                    break;
                }
            }
        }
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
