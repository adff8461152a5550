//! `kepler measure`: what a command, or something that runs already, used.

mod above;
mod accelerators;
mod command;
mod figures;
mod meter;
mod own_cgroup;
mod platform;
mod relay;
mod report;
mod statistics;
mod words;
mod workload;

use super::carbon;
use super::config::{Config, duration};
use super::exit::Failure;
use super::progress::Progress;
use super::signals;
use super::tool_session::{Facility, language};
use accelerators::Users;
use clap::Args;
use command::{Ended, Follow, StartError};
use figures::{Place, Run};
use jiff::Timestamp;
use kepler_compliance::text::{Lang, Text};
use kepler_compliance::tools::{Context, ToolError, site};
use kepler_compliance::view::NoView;
use kepler_core::workload::WorkloadKind;
use meter::Meter;
use relay::Relay;
use report::{Format, Measurement, Report, Subject};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use workload::Workload;

/// Runs of each command where two are compared and nothing is said.
const COMPARED: u32 = 10;

/// What stands between two commands.
const VERSUS: &str = "--vs";

const STATUS: &str = "Examples:\n  kepler measure -- make -j2\n  kepler measure -r 20 --warmup=2 -- gzip -k -f data --vs zstd -f data\n  \
     kepler measure --unit=nginx --for=60s --format=json\n\n\
     The report goes to standard error, or to a file (-o); of a workload that is only watched, to standard output.\n\n\
     Exit status: that of the command (128 + n if signal n ended it; the first that is not 0 of several runs); 126 it cannot be \
     run; 127 there is no such command. Of this program itself: 1 no such workload, interrupted during the baseline, or the report \
     cannot be written; 2 bad flag or configuration; 3 the meter asked for cannot be used.";

/// What to measure, and how.
#[derive(Debug, Args)]
#[command(
    after_help = STATUS,
    override_usage = "kepler measure [OPTIONS] -- COMMAND [ARGUMENT]... [--vs COMMAND [ARGUMENT]...]\n       \
                      kepler measure [OPTIONS] --pid=PID|--container=NAME|--unit=NAME [--for=DURATION]"
)]
pub(super) struct Measure {
    /// Run the command N times: mean, deviation and interval [default: 1; two commands: 10]
    #[arg(short = 'r', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: Option<u32>,
    /// Run it N times before, unmeasured, to warm caches
    #[arg(short = 'w', long, value_name = "N", default_value_t = 0)]
    warmup: u32,
    /// Measure the idle machine for this long first, and report what the command drew beyond that
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    baseline: Option<Duration>,
    /// Go on with further runs when one fails
    #[arg(short = 'i', long)]
    ignore_failure: bool,
    /// How the command's processes are distinguished from others
    #[arg(long, value_enum, default_value = "auto")]
    follow: Follow,
    /// How the report is written [default: text, or by the name of the file]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write the report to this file
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to call the command in the report
    #[arg(long)]
    name: Option<String>,
    /// Watch a running process and its descendants instead
    #[arg(long, conflicts_with_all = ["container", "unit", "command", "runs"])]
    pid: Option<u32>,
    /// Watch a running container, by name or identifier
    #[arg(long, value_name = "NAME", conflicts_with_all = ["unit", "command", "runs"])]
    container: Option<String>,
    /// Watch a systemd unit
    #[arg(long, value_name = "NAME", conflicts_with_all = ["command", "runs"])]
    unit: Option<String>,
    /// For how long to watch [default: until it ends or Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, conflicts_with = "command")]
    length: Option<Duration>,
    /// Language of the report: en, ko
    #[arg(long, default_value = "en", value_parser = language)]
    lang: Lang,
    #[command(flatten)]
    facility: Facility,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// What is said to a command line without the two dashes before the command.
pub(super) const DASHES: &str = "put `--` before the command: kepler measure -- COMMAND [ARGUMENT]...";

/// Measures, writes the report, and gives the exit status of the command.
///
/// # Errors
/// What was asked for cannot be measured, or the report cannot be written.
pub(super) fn run(asked: Measure) -> Result<ExitCode, Failure> {
    let Measure { facility, command, .. } = asked;
    let asked = Measure { facility: Facility::default(), command: Vec::new(), ..asked };
    let config = facility.configure()?;
    let commands = split(command)?;
    let place = place(&config, asked.lang)?;
    let output = asked.output.as_ref().map(File::create).transpose().map_err(Failure::to("write the report"))?;
    let mut workload = match (asked.pid, &asked.container, &asked.unit) {
        (Some(pid), ..) => Some(Workload::process(&config, pid)?),
        (_, Some(name), _) => Some(Workload::group(&config, WorkloadKind::Container, name)?),
        (.., Some(name)) => Some(Workload::group(&config, WorkloadKind::Unit, name)?),
        _ => None,
    };
    if workload.is_none() && commands.is_empty() {
        return Err(Failure::CommandLine(format!("nothing to measure; {DASHES}")));
    }
    signals::hear_of_children()?;
    let relay = Relay::start().map_err(Failure::to("receive signals"))?;
    let mut meter = Meter::open(&config, workload.as_ref().map_or(Users::Command, Workload::users))?;
    let mut session = Session { asked: &asked, place: &place, relay: &relay, caveats: Vec::new() };
    let follow = session.choose_follow()?;
    if let Some(duration) = asked.baseline {
        meter.watch_rest(duration, &relay, &mut Progress::start())?;
    }
    let (measurements, followed_by, status) = match &mut workload {
        Some(workload) => {
            let drawn = workload.watch(asked.length, &mut meter, &relay)?;
            let subject = Subject { kind: workload.kind, name: workload.name.clone(), arguments: None };
            let measurement = Measurement::new(subject, vec![Run::watched(&drawn, &place)]);
            (vec![measurement], workload.followed_by(), 0)
        }
        None => {
            let (measurements, status) = match session.measure(&commands, follow, &mut meter) {
                Err(error) => return Ok(not_started(&error)),
                Ok(done) => done,
            };
            (measurements, if follow == Follow::Cgroup { "cgroup" } else { "process_clocks" }, status)
        }
    };
    let caveats = session.caveats;
    let report = Report::new(measurements, &meter, place, followed_by, caveats, asked.lang);
    let text = report.render(asked.format()).map_err(Failure::to("write the report"))?;
    write(&text, output, workload.is_some())?;
    Ok(ExitCode::from(status))
}

impl Measure {
    /// As asked for, or as the name of the file says.
    fn format(&self) -> Format {
        let extension = self.output.as_ref().and_then(|path| path.extension()?.to_str());
        self.format.unwrap_or(match extension {
            Some("json") => Format::Json,
            Some("csv") => Format::Csv,
            _ => Format::Text,
        })
    }
}

/// One command, or two with `--vs` between them.
fn split(words: Vec<OsString>) -> Result<Vec<Vec<OsString>>, Failure> {
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let commands: Vec<Vec<OsString>> = words.split(|word| word == VERSUS).map(<[_]>::to_vec).collect();
    match commands.len() {
        1 | 2 if commands.iter().all(|command| !command.is_empty()) => Ok(commands),
        1 | 2 => Err(Failure::CommandLine("a command is missing beside `--vs`".to_owned())),
        _ => Err(Failure::CommandLine("two commands can be compared, not more".to_owned())),
    }
}

/// Where this is. Looked up before anything runs, so that a wrong region costs no run.
fn place(config: &Config, lang: Lang) -> Result<Place, Failure> {
    let (zones, standards) = (carbon::zones()?, carbon::standards(config)?);
    let intensity = carbon::intensity(config, &zones)?;
    let settings = &config.facility;
    let context = Context::new(&NoView, &standards, &zones, &*intensity, settings, Timestamp::now());
    let site = site(&context, None, lang).map_err(ToolError::from)?;
    Ok(Place { site, settings: settings.clone() })
}

/// One invocation.
struct Session<'a> {
    asked: &'a Measure,
    place: &'a Place,
    relay: &'a Relay,
    caveats: Vec<Text>,
}

impl Session<'_> {
    /// The best way that works here.
    fn choose_follow(&mut self) -> Result<Follow, Failure> {
        let refused = match self.asked.follow {
            Follow::Clocks => None,
            Follow::Cgroup => {
                own_cgroup::OwnCgroup::enter().map_err(Failure::to("make a cgroup for the command"))?;
                return Ok(Follow::Cgroup);
            }
            Follow::Auto => match own_cgroup::OwnCgroup::enter() {
                Ok(_) => return Ok(Follow::Cgroup),
                Err(error) => Some(error),
            },
        };
        command::adopt()?;
        if let Some(error) = refused {
            self.caveats.push(Text::new(
                format!(
                    "No cgroup could be made for the command ({error}): process clocks miss children whose parent ignores their end."
                ),
                format!(
                    "명령을 위한 cgroup을 만들 수 없습니다({error}). 부모가 기다리지 않는 자식 프로세스는 누락될 수 있습니다."
                ),
            ));
        }
        Ok(Follow::Clocks)
    }

    /// Runs the commands in turn, each as often as asked; the status is the first that is not 0.
    fn measure(
        &mut self,
        commands: &[Vec<OsString>],
        follow: Follow,
        meter: &mut Meter,
    ) -> Result<(Vec<Measurement>, u8), StartError> {
        let rounds = self.asked.runs.unwrap_or(if commands.len() > 1 { COMPARED } else { 1 });
        let mut progress = Progress::start();
        let mut runs: Vec<Vec<Run>> = commands.iter().map(|_| Vec::new()).collect();
        let mut status = 0;
        'rounds: for round in 0..self.asked.warmup + rounds {
            // A B, B A, A B, …: what drifts weighs on both alike.
            let mut order: Vec<usize> = (0..commands.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for index in order {
                let (Some(command), Some(runs)) = (commands.get(index), runs.get_mut(index)) else { continue };
                if rounds > 1 {
                    progress.show(|| format!("[{}/{}]", round + 1, self.asked.warmup + rounds));
                }
                let ended = command::run(command, follow, meter, self.relay)?;
                progress.clear();
                status = if status == 0 { ended.end.code() } else { status };
                // What was cut short is a figure only where there is no other.
                if round >= self.asked.warmup && (ended.interrupted.is_none() || runs.is_empty()) {
                    runs.push(Run::of(&ended, self.place));
                }
                if self.stops(&ended, round + 1 == self.asked.warmup + rounds) {
                    break 'rounds;
                }
            }
        }
        let measured = commands.iter().zip(runs).map(|(command, runs)| self.measurement(command, runs, commands.len()));
        Ok((measured.collect(), status))
    }

    /// Whether no further run is made, which is said.
    fn stops(&mut self, ended: &Ended, is_last: bool) -> bool {
        let code = ended.end.code();
        let has_failed = code != 0 && !self.asked.ignore_failure;
        if !is_last && ended.interrupted.is_some() {
            self.caveats.push(Text::new(
                "Interrupted: fewer runs than asked for.",
                "중단되어 요청한 것보다 적게 실행했습니다.",
            ));
        } else if !is_last && has_failed {
            self.caveats.push(Text::new(
                format!("Stopped, as a run ended with status {code}; --ignore-failure goes on."),
                format!("종료 상태 {code}(으)로 끝난 실행이 있어 멈췄습니다. 계속하려면 --ignore-failure를 쓰십시오."),
            ));
        }
        ended.interrupted.is_some() || has_failed
    }

    fn measurement(&self, command: &[OsString], runs: Vec<Run>, commands: usize) -> Measurement {
        let arguments: Vec<String> = command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let own = self.asked.name.clone().filter(|_| commands == 1);
        let name = own.unwrap_or_else(|| arguments.join(" "));
        Measurement::new(Subject { kind: "command", name, arguments: Some(arguments) }, runs)
    }
}

/// As a shell says it.
fn not_started(error: &StartError) -> ExitCode {
    let text = format!("kepler: {error}\n");
    let _closed = io::stderr().lock().write_all(kepler_core::printable::page(&text).as_bytes());
    ExitCode::from(match error {
        StartError::NotFound(_) => 127,
        StartError::NotExecutable(..) => 126,
        StartError::Other(_) => 1,
    })
}

fn write(text: &str, output: Option<File>, is_watched: bool) -> Result<(), Failure> {
    let written = match output {
        Some(mut file) => file.write_all(text.as_bytes()),
        // Nothing else is written there then.
        None if is_watched => io::stdout().lock().write_all(text.as_bytes()),
        None => {
            let mut stderr = io::stderr().lock();
            // Apart from what the command wrote.
            let gap = if stderr.is_terminal() { "\n" } else { "" };
            stderr.write_all(format!("{gap}{text}").as_bytes())
        }
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Failure::to("write the report")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(Into::into).collect()
    }

    #[test]
    fn two_commands_stand_on_either_side_of_vs() {
        let commands = split(words("gzip -k data --vs zstd data")).unwrap();
        assert_eq!(commands, [words("gzip -k data"), words("zstd data")]);
        assert_eq!(split(words("make -j2")).unwrap().len(), 1);
        for wrong in ["--vs a", "a --vs", "a --vs b --vs c"] {
            assert!(split(words(wrong)).is_err(), "{wrong}");
        }
    }
}
