//! The command line. Each subcommand is a thin layer over the library crates.

mod accelerators;
mod assess;
#[cfg(feature = "mcp")]
mod bridge;
mod calibrate;
mod carbon;
mod check;
mod choices;
mod comma;
mod command_line;
mod compliance;
mod config;
mod corrections;
mod doctor;
#[cfg(all(test, feature = "mcp", feature = "model-server", feature = "top"))]
mod documented;
mod exit;
mod kubernetes;
mod live;
mod logging;
#[cfg(feature = "mcp")]
mod mcp;
mod measure;
mod migrate;
#[cfg(feature = "model-server")]
mod model_server;
mod page;
mod passthrough;
mod permissions;
mod platform;
#[cfg(feature = "model-server")]
mod predict;
mod progress;
#[cfg(feature = "model-server")]
mod record;
mod regions;
mod remedies;
mod report;
mod sampling;
mod schedule;
mod serve;
mod shell;
mod signals;
mod standards;
mod token;
mod tool_session;
#[cfg(feature = "top")]
mod top;
#[cfg(feature = "model-server")]
mod train;
mod version;
mod view;
mod words;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use command_line::Request;
use config::flags::Flags;
use exit::Failure;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::ExitCode;

/// Measures how much energy each workload uses.
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
    /// Poll the exporters of many nodes, and answer for all of them over REST, MCP and a page; measure nothing here.
    Hub(Serve),
    /// Run a command and report the energy it used; or watch a process, a container or a unit.
    Measure(Box<measure::Measure>),
    /// Report what can be measured on this machine; for what cannot, why, and how to change that.
    Doctor(Doctor),
    /// Measure, and answer an AI assistant over standard input and output (Model Context Protocol).
    #[cfg(feature = "mcp")]
    Mcp(Mcp),
    /// Connect an AI assistant that only speaks over standard input and output to a remote MCP server.
    #[cfg(feature = "mcp")]
    Bridge(bridge::Bridge),
    /// Record this machine's activity and power to a file, for training a power model.
    #[cfg(feature = "model-server")]
    Record(Recording),
    /// Predict watts for rows of features with a power model.
    #[cfg(feature = "model-server")]
    Predict(predict::Predict),
    /// Serve power models and power estimates to exporters (the protocols of Kepler's Model Server and estimator).
    #[cfg(feature = "model-server")]
    ModelServer(model_server::ModelServer),
    /// Check a configuration file.
    #[command(subcommand)]
    Config(check::Configuration),
    /// Convert a configuration of Go Kepler, and report what changes.
    Migrate(migrate::Migrate),
    /// Learn this machine's power, idle and under load, while a meter can be read; `serve` uses the result afterwards.
    Calibrate(Calibration),
    /// Assess whether a workload meets a carbon standard, and what would help.
    Assess(Box<assess::Assess>),
    /// List workloads with their compliance with a carbon standard.
    #[command(subcommand)]
    Compliance(compliance::Compliance),
    /// Compare regions by grid intensity and PUE.
    Regions(Box<regions::Regions>),
    /// Find the start time at which a job emits least.
    Schedule(Box<schedule::Schedule>),
    /// List the standards, or show one.
    Standards(standards::Standards),
    /// Report energy, emissions and cost of a period, by workload: HTML, Markdown, CSV or JSON.
    Report(Box<report::ReportArguments>),
    /// Write a completion script for a shell.
    Completions(shell::Completions),
    /// Write manual pages.
    Man(shell::Man),
    /// Show the power of workloads live in a terminal: from a running `kepler serve`, or measured here.
    #[cfg(feature = "top")]
    Top(Box<top::Top>),
    /// Train a power model from measured rows, and validate it on held-out rows.
    #[cfg(feature = "model-server")]
    Train(Box<train::Train>),
    /// Evaluate a power model on measured rows.
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
    /// Write the configuration for an assistant, or for all that are known, and exit
    #[arg(long, value_name = "CLIENT", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    print_config: Option<mcp::Client>,
    /// With --print-config: ask the server at this address, such as http://node-1:28282/mcp, instead of starting one
    #[arg(long, value_name = "URL", requires = "print_config")]
    url: Option<String>,
    #[command(flatten)]
    flags: Flags,
}

/// What `--help` of the whole program ends with.
fn after_help() -> String {
    format!(
        "Without a command, the arguments are those of `kepler serve`, where `@FILE` stands for the lines of FILE, as \
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
    let lacks_dashes =
        arguments.first().is_some_and(|verb| verb == "measure") && !arguments.iter().any(|argument| argument == "--");
    let arguments = std::iter::once("kepler".into()).chain(arguments);
    Cli::try_parse_from(arguments).map(|cli| cli.command).map_err(|error| match error.kind() {
        ErrorKind::UnknownArgument if lacks_dashes => {
            Failure::CommandLine(format!("{}\n{}", error.render().to_string().trim_end(), measure::DASHES))
        }
        _ => Failure::Arguments(error),
    })
}

fn obey(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(Serve { flags }) => {
            configure(flags).and_then(|config| serve::run(&config)).map(|()| ExitCode::SUCCESS)
        }
        Command::Hub(Serve { flags }) => {
            let config = configure(flags)?.of_hub().map_err(Failure::Source)?;
            serve::run(&config).map(|()| ExitCode::SUCCESS)
        }
        Command::Doctor(Doctor { json, flags }) => configure(flags).and_then(|config| doctor::run(&config, json)),
        #[cfg(feature = "mcp")]
        Command::Mcp(Mcp { print_config: Some(client), url, .. }) => {
            mcp::print_config(client, url.as_deref()).map(|()| ExitCode::SUCCESS)
        }
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
        Command::Measure(asked) => measure::run(*asked),
        Command::Report(asked) => report::run(*asked).map(|()| ExitCode::SUCCESS),
        Command::Completions(asked) => shell::completions(&asked, Cli::command()).map(|()| ExitCode::SUCCESS),
        Command::Man(asked) => shell::man(&asked, Cli::command()).map(|()| ExitCode::SUCCESS),
        Command::Config(asked) => check::run(&asked),
        Command::Migrate(asked) => migrate::run(&asked),
        Command::Assess(asked) => assess::run(*asked),
        Command::Compliance(asked) => compliance::run(asked),
        Command::Regions(asked) => regions::run(*asked),
        Command::Schedule(asked) => schedule::run(*asked),
        Command::Standards(asked) => standards::run(&asked),
        #[cfg(feature = "top")]
        Command::Top(asked) => top::run(*asked),
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
