//! The table on standard output: the node's zones and the processes that draw most.

use kepler_core::printable;
use kepler_core::snapshot::{Feed, Snapshot, State, ZonePower};
use kepler_core::units::{Power, ZoneKind};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Processes shown.
const ROWS: usize = 10;

/// Writes a table for each new snapshot, on a thread of its own because standard output may block. It
/// ends when what this returns is dropped, or when standard output is closed.
pub(super) fn start(feed: Feed, interval: Duration) -> io::Result<Sender<()>> {
    let (stop, stopped) = channel();
    std::thread::Builder::new().name("kepler-table".into()).spawn(move || {
        let mut shown = 0;
        loop {
            if let Some(snapshot) = feed.latest().filter(|snapshot| is_new(snapshot, shown)) {
                shown = snapshot.sequence;
                if let Err(error) = io::stdout().lock().write_all(render(&snapshot).as_bytes()) {
                    tracing::warn!("no more tables: cannot write standard output: {error}");
                    return;
                }
            }
            if stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    })?;
    Ok(stop)
}

/// The first snapshot of all has no interval behind it, hence no power to show.
fn is_new(snapshot: &Snapshot, shown: u64) -> bool {
    snapshot.sequence > shown && !snapshot.interval.is_zero()
}

fn render(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    let mut line = |arguments: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _infallible = text.write_fmt(arguments).and_then(|()| text.write_char('\n'));
    };
    line(format_args!(
        "node: {} processors, {:.1} % busy, over {:.1} s",
        snapshot.node.processors,
        snapshot.node.usage_ratio * 100.0,
        snapshot.interval.as_secs_f64()
    ));
    line(format_args!("{:<8} {:>10} {:>10} {:>10} {:>14}  source", "zone", "W", "active W", "idle W", "J"));
    let mut zones: Vec<ZoneKind> = Vec::new();
    for (kind, zone) in snapshot.node.zones() {
        zones.push(kind);
        // Absent is not zero.
        let watts = |part: fn(ZonePower) -> Power| {
            zone.power.map_or_else(|| "-".to_owned(), |power| format!("{:.3}", part(power).watts()))
        };
        line(format_args!(
            "{:<8} {:>10} {:>10} {:>10} {:>14.3}  {} ({})",
            kind.name(),
            watts(|power| power.total),
            watts(|power| power.active),
            watts(|power| power.idle),
            zone.energy.joules(),
            zone.source,
            zone.method.name(),
        ));
    }
    // Zones overlap (core is part of package), so one of them orders the rows; package where there is one.
    if let Some(&first) = zones.first() {
        let mut rows: Vec<_> = snapshot.processes.iter().filter(|row| row.state == State::Running).collect();
        rows.sort_by(|a, b| b.power[first].watts().total_cmp(&a.power[first].watts()));
        let heads: String = zones.iter().map(|kind| format!(" {:>10}", format!("{kind} W"))).collect();
        line(format_args!("{:>8} {:<24}{heads} {:>12}", "pid", "command", "CPU s"));
        for row in rows.into_iter().take(ROWS) {
            let power: String = zones.iter().map(|&kind| format!(" {:>10.3}", row.power[kind].watts())).collect();
            let comm = printable::line(&row.info.comm);
            line(format_args!("{:>8} {comm:<24}{power} {:>12.2}", row.info.pid, row.cpu_time.as_secs_f64()));
        }
    }
    line(format_args!(""));
    text
}
