//! The command line. Each subcommand is a thin layer over the library crates.

mod assess;
#[cfg(feature = "mcp")]
mod bridge;
mod calibrate;
mod carbon;
mod check;
mod command_line;
mod compliance;
mod config;
mod doctor;
mod exit;
mod kubernetes;
mod live;
mod logging;
#[cfg(feature = "mcp")]
mod mcp;
mod migrate;
#[cfg(feature = "model-server")]
mod model_server;
mod page;
mod permissions;
#[cfg(feature = "model-server")]
mod predict;
#[cfg(feature = "model-server")]
mod record;
mod regions;
mod remedies;
mod sampling;
mod schedule;
mod serve;
mod signals;
mod standards;
mod token;
mod tool_session;
#[cfg(feature = "model-server")]
mod train;
mod version;
mod view;
mod words;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use command_line::Request;
use config::flags::Flags;
use exit::Failure;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::ExitCode;

/// Measures who used how much energy.
#[derive(Debug, Parser)]
#[command(name = "kepler", version, arg_required_else_help = true, after_help = after_help())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, and serve the figures over HTTP as Prometheus metrics.
    Serve(Serve),
    /// Say what can be measured here; for what cannot, say why, and what would change that.
    Doctor(Doctor),
    /// Measure, and answer an AI assistant over standard input and output (Model Context Protocol).
    #[cfg(feature = "mcp")]
    Mcp(Mcp),
    /// Let an AI assistant that speaks standard input and output only use a remote MCP server.
    #[cfg(feature = "mcp")]
    Bridge(bridge::Bridge),
    /// Write what this machine does and draws into a file, to train a power model with.
    #[cfg(feature = "model-server")]
    Record(Recording),
    /// Predict watts for rows of features with a power model.
    #[cfg(feature = "model-server")]
    Predict(predict::Predict),
    /// Answer exporters that ask for power models, or for power (Kepler's Model Server and estimator).
    #[cfg(feature = "model-server")]
    ModelServer(model_server::ModelServer),
    /// Look at a configuration file.
    #[command(subcommand)]
    Config(check::Configuration),
    /// Write a configuration from what was made for Go Kepler, and say what changes.
    Migrate(migrate::Migrate),
    /// Learn what this machine draws, idle and under load, while a meter can be read; `serve` goes by it afterwards.
    Calibrate(Calibration),
    /// Say whether a workload keeps a carbon standard, and what would help.
    Assess(Box<assess::Assess>),
    /// Say which workloads keep a carbon standard.
    #[command(subcommand)]
    Compliance(compliance::Compliance),
    /// Compare the grid and the facilities of regions.
    Regions(Box<regions::Regions>),
    /// Find when a job emits least.
    Schedule(Box<schedule::Schedule>),
    /// List the standards that can be judged by, or show one.
    Standards(standards::Standards),
    /// Train a power model from measured rows; say how well it does on rows it has not seen.
    #[cfg(feature = "model-server")]
    Train(Box<train::Train>),
    /// Say how well a power model does on measured rows.
    #[cfg(feature = "model-server")]
    Eval(train::Eval),
}

#[derive(Debug, Args)]
#[command(after_help = ENVIRONMENT)]
struct Serve {
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Args)]
#[command(after_help = DOCTOR_STATUS)]
struct Doctor {
    /// Write JSON instead of a page
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Args)]
#[command(after_help = ENVIRONMENT)]
struct Calibration {
    #[command(flatten)]
    calibrate: calibrate::Calibrate,
    #[command(flatten)]
    flags: Flags,
}

#[cfg(feature = "model-server")]
#[derive(Debug, Args)]
#[command(after_help = ENVIRONMENT)]
struct Recording {
    #[command(flatten)]
    record: record::Record,
    #[command(flatten)]
    flags: Flags,
}

#[cfg(feature = "mcp")]
#[derive(Debug, Args)]
#[command(after_help = ENVIRONMENT)]
struct Mcp {
    /// Write what to put into the configuration of Claude Desktop, Cursor and VS Code, then end
    #[arg(long)]
    print_config: bool,
    #[command(flatten)]
    flags: Flags,
}

/// What `--help` of the whole program ends with.
fn after_help() -> String {
    format!(
        "Arguments without a verb are those of `kepler serve`, where `@FILE` stands for the lines of FILE, as \
         manifests of Go Kepler have them.\n\n{}",
        exit::HELP
    )
}

const DOCTOR_STATUS: &str = "Exit status: 0 energy is measured here; 1 it would only be estimated, or \
     `kepler serve` would not start; 2 bad flag or configuration. Flags are those of `kepler serve`, so that its configuration can be tried out.";

const ENVIRONMENT: &str = "Each flag can be given as an environment variable as well: its name in capitals \
     after KEPLER_, with _ for . and -, such as KEPLER_MONITOR_INTERVAL=5s; commas separate the values of one that may be repeated. \
     A flag wins over a variable, a variable over the file, the file over the default.";

/// Reads the command line and does what it says.
pub(crate) fn run() -> ExitCode {
    signals::outlive_reports();
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let verbs = Cli::command();
    let verbs: Vec<&str> = verbs.get_subcommands().map(clap::Command::get_name).collect();
    // A person who types `kepler` gets help; a container or a unit serves.
    let serves_by_default = !std::io::stderr().is_terminal();
    let request = command_line::understand(arguments, &verbs, serves_by_default);
    let outcome = match request {
        Ok(Request::Version) => version::write(),
        Ok(Request::Parse(arguments)) => parse(arguments).and_then(obey),
        Err(problem) => Err(Failure::CommandLine(problem.to_string())),
    };
    outcome.unwrap_or_else(|failure| failure.report())
}

fn parse(arguments: Vec<OsString>) -> Result<Command, Failure> {
    let arguments = std::iter::once("kepler".into()).chain(arguments);
    Cli::try_parse_from(arguments).map(|cli| cli.command).map_err(Failure::Arguments)
}

fn obey(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(Serve { flags }) => {
            configure(flags).and_then(|config| serve::run(&config)).map(|()| ExitCode::SUCCESS)
        }
        Command::Doctor(Doctor { json, flags }) => configure(flags).and_then(|config| doctor::run(&config, json)),
        #[cfg(feature = "mcp")]
        Command::Mcp(Mcp { print_config: true, .. }) => mcp::print_config().map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "mcp")]
        Command::Bridge(asked) => bridge::run(asked).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "mcp")]
        Command::Mcp(Mcp { flags, .. }) => {
            configure(flags).and_then(|config| mcp::run(&config)).map(|()| ExitCode::SUCCESS)
        }
        #[cfg(feature = "model-server")]
        Command::Record(Recording { record, flags }) => {
            configure(flags).and_then(|config| record::run(&config, &record)).map(|()| ExitCode::SUCCESS)
        }
        #[cfg(feature = "model-server")]
        Command::Predict(asked) => predict::run(&asked),
        #[cfg(feature = "model-server")]
        Command::ModelServer(asked) => model_server::run(asked).map(|()| ExitCode::SUCCESS),
        Command::Calibrate(Calibration { calibrate, flags }) => {
            configure(flags).and_then(|config| calibrate::run(&config, &calibrate))
        }
        Command::Config(asked) => check::run(&asked),
        Command::Migrate(asked) => migrate::run(&asked),
        Command::Assess(asked) => assess::run(*asked),
        Command::Compliance(asked) => compliance::run(asked),
        Command::Regions(asked) => regions::run(*asked),
        Command::Schedule(asked) => schedule::run(*asked),
        Command::Standards(asked) => standards::run(&asked),
        #[cfg(feature = "model-server")]
        Command::Train(asked) => train::run(&asked),
        #[cfg(feature = "model-server")]
        Command::Eval(asked) => train::eval(&asked),
    }
}

/// The configuration, with logging set up as it says and its warnings logged.
fn configure(flags: Flags) -> Result<config::Config, Failure> {
    let loaded = config::load(flags, std::env::vars_os()).map_err(|rejected| {
        exit::behave(rejected.manner);
        Failure::Config(rejected.problems)
    })?;
    exit::behave(loaded.config.manner);
    logging::start(&loaded.config);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
    Ok(loaded.config)
}
