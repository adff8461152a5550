//! Figures of a running `kepler serve`.

use super::super::event::Event;
use super::super::model::frame::{Cut, Frame};
use super::super::model::item::{Names, Row};
use super::super::model::past::Interval;
use super::super::model::rates::{Rates, Today};
use super::answers::{CarbonAnswer, ListAnswer, NodeAnswer, Rows};
use super::past::{HistoryAnswer, WorkloadsAnswer};
use super::{Subject, Wanted, Wish};
use jiff::Timestamp;
use kepler_compliance::text::Lang;
use kepler_connect::http::HttpError;
use kepler_connect::rest::RestClient;
use kepler_core::workload::WorkloadKind;
use serde::de::DeserializeOwned;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// Lists that were empty are asked for again after this many others: machines have few of the seven kinds.
const EMPTY: u8 = 10;
/// Workloads of a time that has passed, the largest first.
const OF_THE_PAST: &str = "300";
/// The most that the server gives.
const ALL: usize = 10_000;
/// Time between two questions for today's figures.
const TODAY: Duration = Duration::from_secs(30);
/// Time between two questions for the history of one workload.
const SERIES: Duration = Duration::from_secs(10);

/// Lists in the order in which each is under those before.
const KINDS: [WorkloadKind; WorkloadKind::MEASURED.len()] = [
    WorkloadKind::Pod,
    WorkloadKind::Container,
    WorkloadKind::Vm,
    WorkloadKind::Unit,
    WorkloadKind::Job,
    WorkloadKind::Process,
    WorkloadKind::Command,
];

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(
        "{url} does not answer as `kepler serve` does ({reason}); check the address, and that its version has /api/v1"
    )]
    NotKepler { url: String, reason: String },
}

impl AskError {
    /// Whether another address, or none, would be no better: the server there asks for credentials.
    pub(crate) const fn is_refusal(&self) -> bool {
        matches!(self, AskError::Http(HttpError::Status { status: 401 | 403, .. }))
    }
}

/// A server that is asked.
#[derive(Debug)]
pub(crate) struct Remote {
    client: RestClient,
    lang: Lang,
    midnight: fn() -> Timestamp,
    names: Names,
    /// For how many rounds more each list is taken to be empty.
    empty: [u8; KINDS.len()],
}

impl Remote {
    pub(crate) fn new(client: RestClient, lang: Lang, midnight: fn() -> Timestamp) -> Self {
        Remote { client, lang, midnight, names: Names::default(), empty: [0; KINDS.len()] }
    }

    pub(crate) fn name(&self) -> String {
        self.client.name().trim_end_matches('/').to_owned()
    }

    fn ask<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T, AskError> {
        let body = self.body(path, query)?;
        serde_json::from_slice(&body).map_err(|error| self.not_kepler(&error))
    }

    fn body(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<u8>, AskError> {
        Ok(self.client.get(&[&["api", "v1"], path].concat(), query)?)
    }

    fn not_kepler(&self, error: &serde_json::Error) -> AskError {
        AskError::NotKepler { url: self.name(), reason: kepler_core::printable::names_only(&error.to_string()) }
    }

    /// Whether it answers, and as Kepler does.
    ///
    /// # Errors
    /// It does not.
    pub(crate) fn answers(&self) -> Result<(), AskError> {
        self.node().map(drop)
    }

    /// The newest moment.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) fn now(&mut self, wanted: &Wanted) -> Result<Frame, AskError> {
        self.frame(self.node()?, wanted)
    }

    fn node(&self) -> Result<NodeAnswer, AskError> {
        self.ask(&["node"], &[])
    }

    /// The workloads of the newest moment, with the node of the same.
    fn frame(&mut self, mut node: NodeAnswer, wanted: &Wanted) -> Result<Frame, AskError> {
        // Lists are asked for one by one: a measurement may come between. Once more is enough, unless it measures all the time.
        for _ in 0..2 {
            let (rows, cuts, last) = self.lists(wanted)?;
            if last == node.snapshot.id {
                return Ok(Frame::of_rows(node.node(), rows, cuts));
            }
            node = self.node()?;
            if last == node.snapshot.id {
                return Ok(Frame::of_rows(node.node(), rows, cuts));
            }
        }
        let (rows, cuts, _) = self.lists(wanted)?;
        Ok(Frame::of_rows(node.node(), rows, cuts))
    }

    fn lists(&mut self, wanted: &Wanted) -> Result<(Vec<Row>, Vec<Cut>, u64), AskError> {
        let limit = if wanted.full { ALL } else { wanted.rows.clamp(1, ALL) }.to_string();
        let whole = ALL.to_string();
        let (mut bodies, mut empty) = (Vec::new(), self.empty);
        for (kind, rounds) in KINDS.into_iter().zip(&mut empty) {
            *rounds = rounds.saturating_sub(1);
            if *rounds == 0 || wanted.full {
                let limit = if kind == WorkloadKind::Process { &limit } else { &whole };
                bodies
                    .push((kind, self.body(&[kind.plural()], &[("limit", limit), ("sort", wanted.sort.parameter())])?));
            }
        }
        let mut searched = Vec::new();
        let mut cuts = Vec::new();
        let (mut lists, mut last) = (Vec::new(), 0);
        for (kind, body) in &bodies {
            let list: ListAnswer<'_> = serde_json::from_slice(body).map_err(|error| self.not_kepler(&error))?;
            last = list.snapshot.id;
            if let Some(rounds) = KINDS.iter().position(|other| other == kind).and_then(|at| empty.get_mut(at)) {
                *rounds = if list.matched == 0 { EMPTY } else { 0 };
            }
            if list.matched > list.items.len() {
                cuts.push(Cut { kind: *kind, shown: list.items.len(), of: list.matched });
                if !wanted.filter.is_empty() {
                    let query =
                        [("limit", &*limit), ("sort", wanted.sort.parameter()), ("search", wanted.filter.as_str())];
                    searched.push((*kind, self.body(&[kind.plural()], &query)?));
                }
            }
            lists.push((*kind, list));
        }
        for (kind, body) in &searched {
            lists.push((*kind, serde_json::from_slice(body).map_err(|error| self.not_kepler(&error))?));
        }
        self.empty = empty;
        let mut rows = Rows::new(&mut self.names);
        for (kind, list) in lists {
            let knows_power = list.snapshot.knows_power();
            rows.take(kind, list.items, knows_power);
        }
        Ok((rows.into_rows(), cuts, last))
    }

    /// What energy costs and emits there, and what was used today.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) fn today(&self) -> Result<(Rates, Today), AskError> {
        let from = (self.midnight)().to_string();
        let answer = self.ask::<CarbonAnswer>(&["carbon"], &[("from", &from), ("lang", lang_name(self.lang))])?;
        Ok(answer.split())
    }

    /// What the server remembers: the last hour finely, the last day by the minute.
    fn history(&self) -> Result<Vec<HistoryAnswer>, AskError> {
        let lengths = [("1h", "10s"), ("24h", "60s")];
        lengths.iter().map(|(range, step)| self.ask(&["history"], &[("range", range), ("step", step)])).collect()
    }

    /// Who drew how much in a time that has passed; `None` where the server does not know, or is too old to be asked.
    fn past(&self, time: Interval) -> Option<Vec<Row>> {
        let (to, range) = (time.to.to_string(), format!("{}ms", (time.seconds() * 1000.0).ceil()));
        let query = [("to", to.as_str()), ("range", range.as_str()), ("limit", OF_THE_PAST)];
        self.ask(&["history", "workloads"], &query).ok().map(WorkloadsAnswer::rows)
    }

    fn series(&self, subject: &Subject) -> Result<HistoryAnswer, AskError> {
        let mut query =
            vec![("range", "1h"), ("step", "10s"), ("workload", subject.name.as_str()), ("kind", subject.kind.name())];
        if !subject.namespace.is_empty() {
            query.push(("namespace", &subject.namespace));
        }
        self.ask(&["history"], &query)
    }

    /// Asks as long as there is a listener.
    pub(crate) fn follow(mut self, interval: Duration, wish: &Wish, events: &Sender<Event>) {
        let (mut known, mut seen) = (Wanted::default(), None);
        let (mut today, mut series, mut has_history) = (None::<Instant>, None::<Instant>, false);
        loop {
            let wanted = wish.get();
            let begun = Instant::now();
            let is_new = wanted.filter != known.filter
                || wanted.sort != known.sort
                || wanted.rows > known.rows
                || (wanted.full && !known.full);
            let answer = self.node().and_then(|node| match seen {
                Some(id) if id == node.snapshot.id && !is_new => Ok(None),
                _ => self.frame(node, &wanted).map(Some),
            });
            let mut send = Vec::new();
            match answer {
                Ok(None) => {}
                Ok(Some(frame)) => {
                    seen = Some(frame.node.sequence);
                    send.push(Event::Frame(Box::new(frame)));
                }
                Err(error) => {
                    // What answers next may be a restarted program that counts from one.
                    seen = None;
                    send.push(Event::Problem(error.to_string()));
                }
            }
            if seen.is_some() && today.is_none_or(|asked| asked.elapsed() >= TODAY) {
                today = Some(Instant::now());
                if let Ok((rates, today)) = self.today() {
                    send.extend([Event::Rates(rates), Event::Today(today)]);
                }
            }
            if seen.is_some()
                && !has_history
                && let Ok(history) = self.history()
            {
                has_history = true;
                send.extend(history.into_iter().map(|history| Event::History(history.moments())));
            }
            if let Some(time) = wanted.past.filter(|_| seen.is_some()) {
                send.push(Event::Past(time, self.past(time)));
            }
            let again = wanted.series != known.series || series.is_none_or(|asked| asked.elapsed() >= SERIES);
            if let Some(subject) = wanted.series.as_ref().filter(|_| again && seen.is_some()) {
                series = Some(Instant::now());
                if let Ok(history) = self.series(subject) {
                    send.push(Event::Series(subject.id, history.series()));
                }
            }
            if send.into_iter().any(|event| events.send(event).is_err()) {
                return;
            }
            wish.wait(&wanted, interval.saturating_sub(begun.elapsed()).max(interval / 10));
            known = wanted;
        }
    }
}

const fn lang_name(lang: Lang) -> &'static str {
    match lang {
        Lang::Ko => "ko",
        _ => "en",
    }
}
