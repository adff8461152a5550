//! Sources that are asked on threads of their own: one that hangs keeps no other from naming what is new.

use super::failure::SourceFailure;
use super::source::PodSource;
use kepler_core::directory::PodEntry;
use kepler_core::host::Timestamp;
use std::io;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Instant;

type Listed = Result<Vec<PodEntry>, SourceFailure>;

/// All sources in order, the best one first.
#[derive(Default)]
pub(super) struct Sources(Vec<Asked>);

/// A source, and what it said of when it is to be asked again.
struct Asked {
    name: &'static str,
    place: Place,
    /// It has said that it is not to be asked before.
    rests: Option<(Instant, SourceFailure)>,
}

enum Place {
    /// Read at once, on the thread that asks.
    Here(Box<dyn PodSource>),
    /// Asked on a thread of its own.
    Elsewhere { ask: Sender<std::thread::Thread>, answers: Receiver<(Timestamp, Listed)>, is_under_way: bool },
}

/// What there is to hear of a source now.
pub(super) enum Heard {
    /// What it lists, and when that was asked for.
    Pods(Timestamp, Vec<PodEntry>),
    Failed(SourceFailure),
    /// It is left alone, as it has asked for.
    Rests(SourceFailure),
    /// It has been asked, and has not answered yet.
    Nothing,
}

impl Sources {
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn new(sources: Vec<Box<dyn PodSource>>) -> io::Result<Self> {
        let asked = |mut source: Box<dyn PodSource>| {
            let name = source.name();
            if source.is_local() {
                return Ok(Asked { name, place: Place::Here(source), rests: None });
            }
            let ((ask, questions), (tell, answers)) = (channel::<std::thread::Thread>(), channel());
            let answer = move || {
                for asker in questions {
                    let read_at = Timestamp::now();
                    let listed = source.list();
                    if tell.send((read_at, listed)).is_err() {
                        return;
                    }
                    asker.unpark();
                }
            };
            std::thread::Builder::new().name(format!("kepler-{name}")).spawn(answer)?;
            Ok(Asked { name, place: Place::Elsewhere { ask, answers, is_under_way: false }, rests: None })
        };
        sources.into_iter().map(asked).collect::<io::Result<_>>().map(Sources)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn name(&self, rank: usize) -> &'static str {
        self.0.get(rank).map_or("", |asked| asked.name)
    }

    pub(super) fn is_local(&self, rank: usize) -> bool {
        self.0.get(rank).is_some_and(|asked| matches!(asked.place, Place::Here(_)))
    }

    /// Forgets answers that came too late to be waited for.
    pub(super) fn forget_answers(&mut self) {
        for asked in &mut self.0 {
            if let Place::Elsewhere { answers, is_under_way, .. } = &mut asked.place {
                while answers.try_recv().is_ok() {
                    *is_under_way = false;
                }
            }
        }
    }

    /// Asks a source, unless that is under way, and says what there is to hear of it. The calling thread is unparked when
    /// there is more.
    pub(super) fn ask(&mut self, rank: usize) -> Heard {
        let failed = |reason: &str| {
            Heard::Failed(SourceFailure::new("broken", reason, kepler_core::availability::Remedy::Restart))
        };
        let Some(asked) = self.0.get_mut(rank) else { return failed("there is no such source") };
        if let Some((until, failure)) = &asked.rests {
            if Instant::now() < *until {
                return Heard::Rests(failure.clone());
            }
            asked.rests = None;
        }
        let (read_at, listed) = match &mut asked.place {
            Place::Here(source) => (Timestamp::now(), source.list()),
            Place::Elsewhere { ask, answers, is_under_way } => {
                if !*is_under_way {
                    *is_under_way = ask.send(std::thread::current()).is_ok();
                }
                match answers.try_recv() {
                    Ok(answer) => {
                        *is_under_way = false;
                        answer
                    }
                    Err(TryRecvError::Empty) => return Heard::Nothing,
                    Err(TryRecvError::Disconnected) => return failed("the thread that asks it has ended"),
                }
            }
        };
        match listed {
            Ok(pods) => Heard::Pods(read_at, pods),
            Err(failure) => {
                asked.rests = failure.retry_after.map(|wait| (Instant::now() + wait, failure.clone()));
                Heard::Failed(failure)
            }
        }
    }
}
