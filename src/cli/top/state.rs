//! What is shown, and how: changed by events, drawn by the view.

use super::event::Event;
use super::model::arrange::{Choice, Line, Sort, arrange};
use super::model::frame::{Frame, Node, Parts, Trust};
use super::model::item::{IdMap, Item, Row};
use super::model::past::{Interval, Past, Workloads};
use super::model::rates::{Rates, Today, Unit};
use super::source::{Subject, Wanted};
use super::words::{Words, words};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use kepler_compliance::text::Lang;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Lengths of the chart, seconds.
pub(super) const SPANS: [u32; 7] = [60, 300, 900, 1800, 3600, 21_600, 86_400];

/// Workloads that a source is asked for are a multiple of this many: a line more or less is no new question.
const ROWS: usize = 100;

/// Where figures come from, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A server.
    Server(String),
    /// A measurement here, as no server answers at an address.
    Here { no_server_at: Option<String> },
}

/// What a key has chosen.
#[derive(Clone, Debug, Default)]
pub(super) struct Manner {
    pub(super) sort: Sort,
    pub(super) reverse: bool,
    pub(super) tree: bool,
    pub(super) all: bool,
    pub(super) unit: Unit,
    pub(super) filter: String,
    /// Whether letters go into the filter.
    pub(super) typing: bool,
    pub(super) help: bool,
    pub(super) folded: HashSet<u64>,
    /// Which of [`SPANS`].
    pub(super) span: usize,
}

/// Energy since the session's totals began.
#[derive(Debug)]
struct Session {
    since: Timestamp,
    /// What each had used by then.
    before: IdMap<f64>,
    node_before: Option<f64>,
    /// Whether the next whole list of workloads is where to begin.
    begins: bool,
}

/// The state.
#[derive(Debug)]
pub(super) struct App {
    pub(super) lang: Lang,
    pub(super) origin: Origin,
    pub(super) interval: Duration,
    pub(super) manner: Manner,
    pub(super) frame: Option<Frame>,
    pub(super) past: Past,
    pub(super) rates: Rates,
    today: Option<Today>,
    pub(super) problem: Option<String>,
    pub(super) paused: bool,
    /// How many moments back is looked.
    pub(super) back: usize,
    /// The one that is looked into.
    pub(super) zoom: Option<Subject>,
    /// Its power before this session.
    pub(super) series: Vec<(Timestamp, f64)>,
    pub(super) selected: Option<u64>,
    /// The first line of the table that is shown, and how many are.
    pub(super) first: usize,
    pub(super) page: usize,
    /// The lines as they were drawn last.
    pub(super) order: Vec<u64>,
    pub(super) ended: bool,
    /// Whether it ends by a fault of the program.
    pub(super) failed: bool,
    /// The node's counter when today's figures came.
    today_at: Option<f64>,
    pub(super) zone: TimeZone,
    session: Session,
    cpu: Cpu,
}

/// Processor use: CPU time between two moments.
#[derive(Debug, Default)]
struct Cpu {
    at: Option<Timestamp>,
    seconds: IdMap<f64>,
    ratios: IdMap<f64>,
}

impl Cpu {
    fn take(&mut self, frame: &Frame) {
        let elapsed = self.at.map(|at| frame.node.at.duration_since(at).as_secs_f64()).filter(|seconds| *seconds > 0.0);
        let mut seconds = IdMap::with_capacity_and_hasher(frame.rows.len(), Default::default());
        self.ratios.clear();
        for row in &frame.rows {
            if let (Some(elapsed), Some(before)) = (elapsed, self.seconds.get(&row.who.id)) {
                let used = row.cpu_seconds - before;
                if used >= 0.0 {
                    self.ratios.insert(row.who.id, used / elapsed);
                }
            }
            seconds.insert(row.who.id, row.cpu_seconds);
        }
        self.at = Some(frame.node.at);
        self.seconds = seconds;
    }
}

impl App {
    pub(super) fn new(lang: Lang, origin: Origin, interval: Duration, manner: Manner, zone: TimeZone) -> Self {
        App {
            lang,
            origin,
            interval,
            manner,
            frame: None,
            past: Past::default(),
            rates: Rates::default(),
            today: None,
            problem: None,
            paused: false,
            back: 0,
            zoom: None,
            series: Vec::new(),
            selected: None,
            first: 0,
            page: 1,
            order: Vec::new(),
            ended: false,
            failed: false,
            today_at: None,
            zone,
            session: Session { since: Timestamp::now(), before: IdMap::default(), node_before: None, begins: true },
            cpu: Cpu::default(),
        }
    }

    pub(super) const fn words(&self) -> &'static Words {
        words(self.lang)
    }

    /// Takes in what happened, but for keys.
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Frame(frame) => self.take_frame(*frame),
            Event::Problem(problem) => self.problem = Some(problem),
            Event::Rates(rates) => self.rates = rates,
            Event::Today(today) => {
                self.today = Some(today);
                self.today_at = self.node().and_then(|node| node.joules);
            }
            Event::History(older) => self.past.before(older),
            Event::Past(time, rows) => self.past.fill(time, rows),
            Event::Series(id, series) if self.zoom.as_ref().is_some_and(|zoom| zoom.id == id) => self.series = series,
            Event::End => self.ended = true,
            Event::Fault => (self.ended, self.failed) = (true, true),
            Event::Series(..) | Event::Key(_) | Event::Resize | Event::Suspend => {}
        }
    }

    fn take_frame(&mut self, mut frame: Frame) {
        self.problem = None;
        let before = self.frame.as_ref().map(|frame| &frame.node);
        frame.node.follow(before);
        // A new program counts from zero; what was used until then stays used.
        if before.is_some_and(|before| restarted(before, &frame.node)) && !self.session.begins {
            let used = self.session().1;
            let rows = self.frame.iter().flat_map(|frame| &frame.rows);
            let before = rows.filter_map(|row| Some((row.who.id, -self.used(&row.item())?))).collect();
            (self.session.before, self.session.node_before) = (before, used.map(|used| -used));
        }
        let before = self.frame.as_ref().map(|frame| &frame.node);
        if self.session.begins && frame.is_whole() {
            self.session = Session::beginning(&frame);
        }
        let is_newer = before.is_none_or(|before| before.sequence != frame.node.sequence || before.at != frame.node.at);
        if is_newer {
            self.cpu.take(&frame);
            self.past.push(&frame);
            // The moment that is looked at stays the same.
            if self.paused || self.back > 0 {
                self.back = (self.back + 1).min(self.past.len().saturating_sub(1));
            }
        }
        self.frame = Some(frame);
    }

    /// The node now, or at the moment that is looked at: its time and power.
    pub(super) fn shown(&self) -> Option<(Timestamp, Option<Parts>)> {
        match self.back {
            0 => self.frame.as_ref().map(|frame| (frame.node.at, frame.node.parts)),
            back => self.past.back(back).map(|moment| (moment.time.to, moment.parts)),
        }
    }

    pub(super) fn node(&self) -> Option<&Node> {
        self.frame.as_ref().map(|frame| &frame.node)
    }

    /// How far the figures that are shown can be trusted.
    pub(super) fn trust(&self) -> Trust {
        match self.back {
            0 => self.node().map_or(Trust::Unknown, |node| node.trust),
            back => self.past.back(back).map_or(Trust::Unknown, |moment| moment.trust),
        }
    }

    /// How old the newest figures are, where that is too old for now.
    pub(super) fn stale(&self, now: Instant) -> Option<Duration> {
        let node = self.node()?;
        let age = now.saturating_duration_since(node.seen);
        if self.problem.is_some() {
            return Some(age);
        }
        let patience = (node.interval.max(self.interval) * 3).max(Duration::from_secs(5));
        (age > patience).then_some(age)
    }

    /// Lines of the table: of now, or of the moment that is looked at. `None` where they are not known.
    pub(super) fn lines(&self) -> Option<Vec<Line<'_>>> {
        let choice = Choice {
            sort: self.manner.sort,
            reverse: self.manner.reverse,
            tree: self.manner.tree,
            // What a workload contains is all shown.
            filter: if self.zoom.is_some() { "" } else { &self.manner.filter },
            all: self.manner.all,
            folded: &self.manner.folded,
            within: self.zoom.as_ref().map(|zoom| zoom.id),
        };
        if self.back == 0 {
            let items = self.frame.as_ref()?.rows.iter().map(Row::item);
            return Some(arrange(
                items,
                &choice,
                |item| self.cpu.ratios.get(&item.id).copied(),
                |item| self.used(item),
            ));
        }
        let moment = self.past.back(self.back)?;
        let items = moment.rows()?.iter().map(Row::item);
        let before = self.past.back(self.back + 1);
        let is_watched = matches!(moment.workloads, Workloads::Watched { .. });
        let used = |item: &Item<'_>| if is_watched { self.used(item) } else { None };
        Some(arrange(items, &choice, |item| moment.cpu_since(before, item), used))
    }

    /// What a workload has used since the totals were begun.
    fn used(&self, item: &Item<'_>) -> Option<f64> {
        if self.session.begins {
            return None;
        }
        let before = self.session.before.get(&item.id).copied().unwrap_or_default();
        Some((item.joules - before).max(0.0))
    }

    /// Today's figures, with what was used since they came: they are asked for now and then.
    pub(super) fn today(&self) -> Option<Today> {
        let mut today = self.today.clone()?;
        let now = self.node().and_then(|node| node.joules);
        let more = now.zip(self.today_at).map(|(now, then)| now - then).filter(|more| *more > 0.0);
        if let Some((more, joules)) = more.zip(today.joules) {
            today.joules = Some(joules + more);
            today.grams = today.grams.zip(self.rates.grams(more)).map(|(grams, more)| grams + more);
            today.cost = today.cost.zip(self.rates.cost(more)).map(|(cost, more)| cost + more);
        }
        Some(today)
    }

    /// What the node has used since then, and since when.
    pub(super) fn session(&self) -> (Timestamp, Option<f64>) {
        let joules = self.node().and_then(|node| node.joules).zip(self.session.node_before);
        (self.session.since, joules.map(|(now, before)| (now - before).max(0.0)))
    }

    /// Resets the totals with the next whole list.
    pub(super) fn reset(&mut self) {
        self.session.begins = true;
        let Some(frame) = self.frame.take() else { return };
        // A measurement of our own has all of them already.
        if frame.is_whole() {
            self.session = Session::beginning(&frame);
        }
        self.frame = Some(frame);
    }

    /// The moment that is looked at, where the source may know its workloads and we do not.
    fn past_wanted(&self) -> Option<Interval> {
        let moment = self.past.back(self.back).filter(|_| self.back > 0)?;
        let may_know = matches!((&moment.workloads, &self.origin), (Workloads::NotWatched, Origin::Server(_)));
        (may_know && moment.time.from < moment.time.to).then_some(moment.time)
    }

    /// Whether the workloads of the moment that is looked at are asked for.
    pub(super) fn waits_for_past(&self) -> bool {
        self.past_wanted().is_some()
    }

    /// What the source should give.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            sort: self.manner.sort,
            filter: self.manner.filter.clone(),
            full: self.session.begins,
            rows: (self.first + 2 * self.page).div_ceil(ROWS) * ROWS,
            past: self.past_wanted(),
            series: self.zoom.clone(),
        }
    }
}

impl Session {
    fn beginning(frame: &Frame) -> Self {
        Session {
            since: frame.node.at,
            before: frame.rows.iter().map(|row| (row.who.id, row.joules)).collect(),
            node_before: frame.node.joules,
            begins: false,
        }
    }
}

fn restarted(before: &Node, now: &Node) -> bool {
    before.joules.zip(now.joules).is_some_and(|(before, now)| now < before)
}
