//! The terminal: taken over, drawn on, given back whatever happens.

use crossterm::style::{Attribute, Color as TheirColor, Print, SetAttribute, SetBackgroundColor, SetForegroundColor};
use crossterm::terminal::{
    Clear, ClearType as TheirClear, DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen,
};
use crossterm::{cursor, execute, queue, terminal};
use ratatui_core::backend::{Backend, ClearType, WindowSize};
use ratatui_core::buffer::Cell;
use ratatui_core::layout::{Position, Size};
use ratatui_core::style::{Color, Modifier};
use ratatui_core::terminal::Terminal;
use std::io::{self, BufWriter, Stdout, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a panic, on whichever thread, has given the terminal back: nothing may be drawn on it any more.
static GIVEN_BACK: AtomicBool = AtomicBool::new(false);

/// A terminal that is ours. Dropping it gives it back.
pub(super) struct Screen(Terminal<Cells>);

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// It takes no raw mode, or cannot be written.
    pub(super) fn open() -> io::Result<Self> {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            // The message has to stand on a screen that shows it.
            GIVEN_BACK.store(true, Ordering::Release);
            let _ = leave();
            before(panic);
        }));
        enter()?;
        // From here on a failure gives it back.
        let guard = Guard;
        let terminal = Terminal::new(Cells(BufWriter::new(io::stdout())))?;
        std::mem::forget(guard);
        Ok(Screen(terminal))
    }

    /// Draws what has changed.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut ratatui_core::buffer::Buffer)) -> io::Result<()> {
        if GIVEN_BACK.load(Ordering::Acquire) {
            return Ok(());
        }
        self.0.draw(|frame| draw(frame.buffer_mut())).map(drop)
    }

    /// Gives the terminal back, stops the program until it is continued, and takes it over again.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        leave()?;
        let stopped = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
        enter()?;
        self.0.clear()?;
        stopped.map_err(io::Error::from)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(Guard);
    }
}

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        // There is no terminal left to tell.
        let _ = leave();
    }
}

fn enter() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, DisableLineWrap, cursor::Hide)
}

fn leave() -> io::Result<()> {
    let written =
        execute!(io::stdout(), SetAttribute(Attribute::Reset), cursor::Show, EnableLineWrap, LeaveAlternateScreen);
    terminal::disable_raw_mode().and(written)
}

/// Cells, written as escape sequences.
struct Cells(BufWriter<Stdout>);

const ATTRIBUTES: [(Modifier, Attribute); 3] =
    [(Modifier::BOLD, Attribute::Bold), (Modifier::DIM, Attribute::Dim), (Modifier::REVERSED, Attribute::Reverse)];

const fn colour(colour: Color) -> TheirColor {
    match colour {
        Color::Red => TheirColor::DarkRed,
        Color::Yellow => TheirColor::DarkYellow,
        Color::Blue => TheirColor::DarkBlue,
        Color::Magenta => TheirColor::DarkMagenta,
        Color::Cyan => TheirColor::DarkCyan,
        // The palette has no others.
        _ => TheirColor::Reset,
    }
}

impl Backend for Cells {
    type Error = io::Error;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> io::Result<()> {
        let mut at = None;
        let mut style = (Color::Reset, Color::Reset, Modifier::empty());
        for (x, y, cell) in content {
            // After a wide letter as well: terminals do not agree how wide some are.
            if at != Some((x, y)) {
                queue!(self.0, cursor::MoveTo(x, y))?;
            }
            let own = (cell.fg, cell.bg, cell.modifier);
            if own != style {
                style = own;
                queue!(self.0, SetAttribute(Attribute::Reset))?;
                for (modifier, attribute) in ATTRIBUTES {
                    if cell.modifier.contains(modifier) {
                        queue!(self.0, SetAttribute(attribute))?;
                    }
                }
                // Said only where it is another: a terminal without colours gets none.
                if cell.fg != Color::Reset {
                    queue!(self.0, SetForegroundColor(colour(cell.fg)))?;
                }
                if cell.bg != Color::Reset {
                    queue!(self.0, SetBackgroundColor(colour(cell.bg)))?;
                }
            }
            queue!(self.0, Print(cell.symbol()))?;
            let is_narrow = super::view::text::columns(cell.symbol()) == 1;
            at = is_narrow.then_some((x + 1, y));
        }
        queue!(self.0, SetAttribute(Attribute::Reset))
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        execute!(self.0, cursor::Hide)
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        execute!(self.0, cursor::Show)
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        // Asking the terminal would read what the keys' thread reads. The cursor is hidden.
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        execute!(self.0, cursor::MoveTo(x, y))
    }

    fn clear(&mut self) -> io::Result<()> {
        execute!(self.0, Clear(TheirClear::All))
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        let region = match region {
            ClearType::All => TheirClear::All,
            ClearType::AfterCursor => TheirClear::FromCursorDown,
            ClearType::BeforeCursor => TheirClear::FromCursorUp,
            ClearType::CurrentLine => TheirClear::CurrentLine,
            ClearType::UntilNewLine => TheirClear::UntilNewLine,
        };
        execute!(self.0, Clear(region))
    }

    fn size(&self) -> io::Result<Size> {
        terminal::size().map(|(width, height)| Size { width, height })
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const HERE: &str = "cli::top::screen::tests";

    #[test]
    #[ignore = "the test below runs it on a terminal of its own"]
    fn a_program_panics_while_the_terminal_is_its_own() {
        let _screen = Screen::open().unwrap();
        panic!("a fault of the program");
    }

    #[test]
    #[ignore = "the test below runs it on a terminal of its own"]
    fn a_thread_panics_while_the_terminal_is_another_ones() {
        let mut screen = Screen::open().unwrap();
        let thread = std::thread::spawn(|| panic!("a fault of the program"));
        assert!(thread.join().is_err());
        let drawn = screen.draw(|buffer| {
            buffer.set_string(0, 0, "drawn too late", ratatui_core::style::Style::new());
        });
        std::mem::forget(screen);
        drawn.unwrap();
    }

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_read_there() {
        let program = std::env::current_exe().unwrap();
        for panics in
            ["a_program_panics_while_the_terminal_is_its_own", "a_thread_panics_while_the_terminal_is_another_ones"]
        {
            let run = format!("{} --ignored --exact {HERE}::{panics} --nocapture; stty -a", program.display());
            // Of util-linux: runs a command on a pseudo-terminal.
            let Ok(ended) = Command::new("script").args(["-q", "-e", "-c", &run, "/dev/null"]).output() else { return };
            let shown = String::from_utf8_lossy(&ended.stdout);
            let (taken, after) =
                shown.split_once("\u{1b}[?1049h").unwrap_or_else(|| panic!("never taken over: {shown}"));
            assert!(!taken.contains("a fault of"), "{shown}");
            let message = after.find("a fault of the program").unwrap_or_else(|| panic!("no message: {shown}"));
            for sequence in ["\u{1b}[?25h", "\u{1b}[?7h", "\u{1b}[?1049l"] {
                assert!(
                    after.find(sequence).is_some_and(|at| at < message),
                    "{sequence:?} before the message: {shown:?}"
                );
            }
            assert!(!after.contains("drawn too late"), "{shown}");
            let states = |wanted: &str| after.split([' ', ';', '\r', '\n']).any(|word| word == wanted);
            assert!(states("icanon") && states("echo") && states("isig"), "{shown}");
        }
    }
}
