//! `kepler top`: who draws how much, in a terminal.
//!
//! `source` gives moments, of a running `kepler serve` or measured here; `model` is what they are made of; `state` is what is
//! shown of them, changed by `keys` and drawn by `view` on a `screen`; `once` writes one moment for scripts.

mod clock;
mod event;
mod keys;
mod model;
mod once;
mod screen;
mod source;
mod state;
#[cfg(test)]
mod tests;
mod view;
mod words;

use super::config::defaults::PORT;
use super::config::{Config, ViewSource};
use super::exit::{self, Failure};
use super::{config, logging, signals};
use clap::Args;
use event::Event;
use kepler_compliance::text::Lang;
use kepler_connect::http::{Auth, ClientOptions, Secret};
use kepler_connect::rest::RestClient;
use kepler_core::host::file::{self, FileLimits};
use keys::After;
use model::arrange::Sort;
use screen::Screen;
use source::Wish;
use source::local::{self, Local};
use source::remote::Remote;
use state::{App, Manner, Origin};
use std::io::{self, IsTerminal as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use view::Palette;

/// A server answers within this time, or it does not.
const PATIENCE: Duration = Duration::from_secs(5);

/// The exit status of a panic, as Rust has it.
const PANICKED: u8 = 101;

/// Longer than any token.
const MAX_TOKEN_BYTES: u64 = 64 << 10;

/// Arguments of `kepler top`.
#[derive(Debug, Args)]
#[command(
    after_help = "Press `?` for the keys. For a server that asks for a user, put name and password into the address: \
    http://USER:PASSWORD@HOST:28282, also in KEPLER_SOURCE. Where no server answers, the flags of `kepler serve` for measuring apply."
)]
pub(super) struct Top {
    /// The address of a `kepler serve` [default: this host's, else a measurement of its own]
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// Send the bearer token in this file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Time between two readings
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    interval: Duration,
    /// Measure here, whether or not a server runs
    #[arg(long, conflicts_with = "url")]
    here: bool,
    /// What workloads are sorted by
    #[arg(long, value_enum, default_value = "power")]
    sort: Sort,
    /// Only workloads with this in their name, path, namespace, kind or PID
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// One list instead of a tree
    #[arg(long)]
    flat: bool,
    /// Show workloads that draw nothing as well
    #[arg(long)]
    all: bool,
    /// Use colours: auto, always, never
    #[arg(long, value_enum, default_value = "auto")]
    color: Colour,
    /// Language: en, ko
    #[arg(long, default_value = "en", value_parser = super::tool_session::language)]
    lang: Lang,
    /// Write one reading to standard output and exit
    #[arg(long)]
    once: bool,
    /// How `--once` writes it
    #[arg(long, value_enum, default_value = "table", requires = "once")]
    format: once::Format,
    /// How many workloads `--once` writes
    #[arg(long, value_name = "N", default_value_t = 20, requires = "once")]
    limit: usize,
    #[command(flatten)]
    flags: super::tool_session::Facility,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

impl Colour {
    /// `NO_COLOR` (no-color.org): present and not empty.
    fn palette(self) -> Palette {
        let refused = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Palette::new(match self {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => !refused(),
        })
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = config::duration(text).map_err(|error| error.to_string())?;
    match interval {
        interval if interval >= Duration::from_millis(100) && interval <= Duration::from_secs(3600) => Ok(interval),
        _ => Err("give 100ms to 1h".to_owned()),
    }
}

/// Where figures come from.
enum Source {
    Remote(Remote),
    Local(Local),
}

impl Top {
    /// The settings; log messages would be written over the view, so they are kept to those of `--once`.
    fn configure(&mut self) -> Result<Config, Failure> {
        let flags = std::mem::take(&mut self.flags.0);
        let loaded = config::load(flags, std::env::vars_os()).map_err(|rejected| {
            exit::behave(rejected.manner);
            Failure::Config(rejected.problems)
        })?;
        exit::behave(loaded.config.manner);
        if self.once {
            logging::start(&Config { log_level: tracing::Level::ERROR, ..loaded.config.clone() });
        }
        Ok(loaded.config)
    }

    fn manner(&self) -> Manner {
        Manner {
            sort: self.sort,
            tree: !self.flat,
            all: self.all,
            filter: self.filter.to_lowercase(),
            span: 1,
            ..Manner::default()
        }
    }

    /// The source that is named; else the server on this host; else a measurement of our own.
    fn source(&self, config: &Config) -> Result<(Source, Origin), Failure> {
        let named = match (&self.url, &config.source) {
            (Some(url), _) => Some(url.clone()),
            (None, ViewSource::Kepler(urls)) => match urls.as_slice() {
                [url] => Some(url.clone()),
                _ => return Err(Failure::Source("`kepler top` shows one machine: name one address".to_owned())),
            },
            (None, ViewSource::Prometheus(_) | ViewSource::Endpoints(_) | ViewSource::Dns { .. }) => {
                return Err(Failure::Source(
                    "`kepler top` shows one machine as its exporter sees it: give --source=kepler=URL, or a URL alone"
                        .to_owned(),
                ));
            }
            (None, ViewSource::Local) => None,
        };
        if let Some(url) = named {
            let remote = self.remote(&url, config)?;
            // A wrong address or token is said at once, and not on a screen that shows nothing else.
            remote.answers().map_err(|error| Failure::Source(error.to_string()))?;
            let origin = Origin::Server(remote.name());
            return Ok((Source::Remote(remote), origin));
        }
        let mut no_server_at = None;
        if !self.here {
            let remote = self.remote(&format!("http://127.0.0.1:{PORT}"), config)?;
            match remote.answers() {
                Ok(()) => {
                    let origin = Origin::Server(remote.name());
                    return Ok((Source::Remote(remote), origin));
                }
                Err(error) if error.is_refusal() => {
                    return Err(Failure::Source(format!("{error}; or measure here beside it: `kepler top --here`")));
                }
                Err(_) => no_server_at = Some(format!("127.0.0.1:{PORT}")),
            }
        }
        let local = Local::start(config, self.interval)?;
        Ok((Source::Local(local), Origin::Here { no_server_at }))
    }

    fn remote(&self, url: &str, config: &Config) -> Result<Remote, Failure> {
        let auth = match &self.token_file {
            None => Auth::None,
            Some(path) => {
                let text = file::read_text(path, FileLimits::bytes(MAX_TOKEN_BYTES))
                    .map_err(|error| Failure::Config(vec![config::Problem(error.to_string())]))?;
                Auth::Bearer(Secret::new(&text))
            }
        };
        let mut options = ClientOptions::default();
        options.connect_timeout = PATIENCE;
        options.timeout = PATIENCE;
        options.ca_bundle.clone_from(&config.source_ca_file);
        let client = RestClient::new(url, auth, options).map_err(|error| Failure::Source(error.to_string()))?;
        Ok(Remote::new(client, self.lang, clock::midnight))
    }
}

/// Shows who draws how much, until a key or a signal ends it.
///
/// # Errors
/// There is no terminal, the source cannot be asked, or nothing can be measured here.
pub(super) fn run(mut asked: Top) -> Result<ExitCode, Failure> {
    let has_terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
    if !asked.once && !has_terminal {
        return Err(Failure::CommandLine(
            "`kepler top` needs a terminal, and standard input or output is none; \
             `kepler top --once` writes one moment (--format=table, json, csv)"
                .to_owned(),
        ));
    }
    let config = asked.configure()?;
    let (source, origin) = asked.source(&config)?;
    if asked.once {
        let (manner, limit) = (asked.manner(), asked.limit);
        return once::run(&config, source, origin, manner, asked.lang, asked.format, limit, asked.interval);
    }
    let app = App::new(asked.lang, origin, asked.interval, asked.manner(), clock::zone());
    show(app, source, &config, asked.color.palette())
}

fn show(mut app: App, source: Source, config: &Config, palette: Palette) -> Result<ExitCode, Failure> {
    let (events, happened) = channel();
    if matches!(source, Source::Local(_)) {
        app.take(Event::Rates(local::rates(config, app.lang)?));
    }
    let wish = Wish::default();
    wish.set(app.wanted());
    let mut screen = Screen::open().map_err(Failure::to("take the terminal over"))?;
    let interval = app.interval;
    start("kepler-top-keys", &events, read_keys)?;
    start("kepler-top-signals", &events, |events| drop(read_signals(events)))?;
    start("kepler-top-source", &events, {
        let wish = wish.clone();
        move |events| match source {
            Source::Remote(remote) => remote.follow(interval, &wish, events),
            Source::Local(local) => local.follow(events),
        }
    })?;
    drop(events);
    while !app.ended {
        screen.draw(|buffer| view::draw(&mut app, buffer, palette, Instant::now())).map_err(Failure::to("draw"))?;
        wish.set(app.wanted());
        // The age of what is shown rises by itself.
        let first = match happened.recv_timeout(Duration::from_secs(1)) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        for event in std::iter::once(first).chain(happened.try_iter()) {
            let after = match event {
                Event::Key(key) => keys::press(&mut app, key),
                Event::Suspend => After::Suspend,
                event => {
                    app.take(event);
                    After::Nothing
                }
            };
            match after {
                After::Nothing => {}
                After::Suspend => screen.suspend().map_err(Failure::to("give the terminal back"))?,
                After::End => app.ended = true,
            }
        }
    }
    Ok(if app.failed { ExitCode::from(PANICKED) } else { ExitCode::SUCCESS })
}

/// Starts a thread that tells of events; of its own panic as well, without which the view would stand still.
fn start(name: &str, events: &Sender<Event>, run: impl FnOnce(&Sender<Event>) + Send + 'static) -> Result<(), Failure> {
    let events = events.clone();
    let run = move || {
        if panic::catch_unwind(AssertUnwindSafe(|| run(&events))).is_err() {
            let _ = events.send(Event::Fault);
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop).map_err(Failure::to("start a thread"))
}

fn read_keys(events: &Sender<Event>) {
    loop {
        let event = match crossterm::event::read() {
            Ok(crossterm::event::Event::Key(key)) => Event::Key(key),
            Ok(crossterm::event::Event::Resize(..)) => Event::Resize,
            Ok(_) => continue,
            // The terminal is gone.
            Err(_) => Event::End,
        };
        let ends = matches!(event, Event::End);
        if events.send(event).is_err() || ends {
            return;
        }
    }
}

/// What the system asks for.
fn read_signals(events: &Sender<Event>) -> Result<(), Failure> {
    use tokio::signal::unix::SignalKind;
    const STOP: i32 = rustix::process::Signal::TSTP.as_raw();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(Failure::to("wait for signals"))?;
    runtime.block_on(async {
        let mut stop = signals::of(SignalKind::from_raw(STOP))?;
        let mut end = signals::of(SignalKind::terminate())?;
        let mut interrupt = signals::of(SignalKind::interrupt())?;
        let mut hangup = signals::of(SignalKind::hangup())?;
        loop {
            let event = tokio::select! {
                _ = stop.recv() => Event::Suspend,
                _ = end.recv() => Event::End,
                _ = interrupt.recv() => Event::End,
                _ = hangup.recv() => Event::End,
            };
            if events.send(event).is_err() {
                return Ok(());
            }
        }
    })
}
