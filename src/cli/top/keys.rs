//! What each key does.

use super::model::arrange::Sort;
use super::source::Subject;
use super::state::{App, SPANS};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What the program has to do beside drawing again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Nothing,
    Suspend,
    End,
}

/// Does what a key says.
pub(super) fn press(app: &mut App, key: KeyEvent) -> After {
    if key.kind == KeyEventKind::Release {
        return After::Nothing;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c' | 'd') if control => return After::End,
        KeyCode::Char('z') if control => return After::Suspend,
        _ if app.manner.typing => typed(app, key.code),
        _ if app.manner.help => match key.code {
            KeyCode::Char('q') => return After::End,
            _ => app.manner.help = false,
        },
        KeyCode::Char('q') => return After::End,
        KeyCode::Esc => back(app),
        code => {
            let far = if key.modifiers.intersects(KeyModifiers::SHIFT | KeyModifiers::CONTROL) { 10 } else { 1 };
            choose(app, code, far);
        }
    }
    After::Nothing
}

/// A key while the filter is written.
fn typed(app: &mut App, code: KeyCode) {
    match code {
        KeyCode::Enter => app.manner.typing = false,
        KeyCode::Esc => {
            app.manner.typing = false;
            app.manner.filter.clear();
        }
        KeyCode::Backspace => drop(app.manner.filter.pop()),
        KeyCode::Down => step(app, 1),
        KeyCode::Up => step(app, -1),
        // A name is no longer than a path.
        KeyCode::Char(c) if app.manner.filter.len() < 200 => app.manner.filter.extend(c.to_lowercase()),
        _ => {}
    }
}

/// The nearest thing that can be undone.
fn back(app: &mut App) {
    if app.zoom.take().is_some() {
        app.series.clear();
        app.first = 0;
    } else if !app.manner.filter.is_empty() {
        app.manner.filter.clear();
    } else {
        app.back = 0;
        app.paused = false;
    }
}

fn choose(app: &mut App, code: KeyCode, far: usize) {
    let page = isize::try_from(app.page).unwrap_or(1).max(1);
    match code {
        KeyCode::Up | KeyCode::Char('k') => step(app, -1),
        KeyCode::Down | KeyCode::Char('j') => step(app, 1),
        KeyCode::PageUp => step(app, -page),
        KeyCode::PageDown => step(app, page),
        KeyCode::Home | KeyCode::Char('g') => step(app, isize::MIN),
        KeyCode::End | KeyCode::Char('G') => step(app, isize::MAX),
        KeyCode::Enter => zoom(app),
        KeyCode::Char('/') => app.manner.typing = true,
        KeyCode::Char('?' | 'h') | KeyCode::F(1) => app.manner.help = true,
        KeyCode::Char('s') => sort(app, app.manner.sort.next()),
        KeyCode::Char('S') => app.manner.reverse = !app.manner.reverse,
        KeyCode::Char('P') => sort(app, Sort::Power),
        KeyCode::Char('E') => sort(app, Sort::Energy),
        KeyCode::Char('C') => sort(app, Sort::Cpu),
        KeyCode::Char('N') => sort(app, Sort::Name),
        KeyCode::Char('t') => app.manner.tree = !app.manner.tree,
        KeyCode::Char('a') => app.manner.all = !app.manner.all,
        KeyCode::Char('u') => app.manner.unit = app.manner.unit.next(),
        KeyCode::Char('x') => fold(app),
        KeyCode::Char('X') => fold_all(app),
        KeyCode::Char('r') => app.reset(),
        KeyCode::Char(' ') => pause(app),
        KeyCode::Left | KeyCode::Char(',') => app.back = (app.back + far).min(app.past.len().saturating_sub(1)),
        KeyCode::Right | KeyCode::Char('.') => app.back = app.back.saturating_sub(far),
        KeyCode::Char('[') => jump(app, -1),
        KeyCode::Char(']') => jump(app, 1),
        KeyCode::Char('-' | '_') => app.manner.span = (app.manner.span + 1).min(SPANS.len() - 1),
        KeyCode::Char('+' | '=') => app.manner.span = app.manner.span.saturating_sub(1),
        _ => {}
    }
}

/// Goes through time by a tenth of the chart.
fn jump(app: &mut App, by: i64) {
    let tenth = SPANS.get(app.manner.span).map_or(30, |seconds| i64::from(*seconds / 10));
    let Some((now, _)) = app.shown() else { return };
    let time = now.checked_add(jiff::SignedDuration::from_secs(by * tenth)).unwrap_or(now);
    let back = app.past.steps_to(time);
    // Moments may lie further apart than that.
    app.back = if by < 0 { back.max(app.back + 1) } else { back.min(app.back.saturating_sub(1)) };
    app.back = app.back.min(app.past.len().saturating_sub(1));
}

fn sort(app: &mut App, by: Sort) {
    app.manner.sort = by;
    app.manner.reverse = false;
}

/// Moves the selection by lines.
fn step(app: &mut App, by: isize) {
    let last = app.order.len().saturating_sub(1);
    let now = app.selected.and_then(|id| app.order.iter().position(|other| *other == id));
    let next = match (now, by) {
        (None, isize::MAX) => last,
        (None, _) => 0,
        (Some(now), by) => now.saturating_add_signed(by).min(last),
    };
    app.selected = app.order.get(next).copied();
}

fn zoom(app: &mut App) {
    let Some(id) = app.selected.or_else(|| app.order.first().copied()) else { return };
    let subject = app.lines().into_iter().flatten().find(|line| line.item.id == id).map(|line| Subject {
        id,
        kind: line.item.kind,
        name: line.item.name.to_owned(),
        namespace: line.item.namespace.to_owned(),
    });
    if subject.is_some() {
        app.zoom = subject;
        app.series.clear();
        app.first = 0;
    }
}

fn fold(app: &mut App) {
    if let Some(id) = app.selected
        && !app.manner.folded.remove(&id)
    {
        app.manner.folded.insert(id);
    }
}

/// Folds every group, or unfolds all where one is folded.
fn fold_all(app: &mut App) {
    if !app.manner.folded.is_empty() {
        app.manner.folded.clear();
        return;
    }
    let parents = app.lines().into_iter().flatten().filter_map(|line| line.item.parent).collect();
    app.manner.folded = parents;
}

/// Stops at what is shown, or goes on with what is now.
fn pause(app: &mut App) {
    app.paused = !app.paused;
    if !app.paused {
        app.back = 0;
    }
}
