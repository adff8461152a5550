//! `kepler migrate`: converts files made for Go Kepler into a configuration of this program.

mod changes;
mod gitops;
mod manifest;
mod part;
mod source;
mod tree;
mod values;

use super::config::{self, Problem};
use super::exit::Failure;
use clap::Args;
use kepler_core::host::file::{self, FileLimits};
use kepler_core::printable;
use source::Source;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// What messages call the settings.
const FOUND: &str = "the settings found";

/// Larger than any manifest of one program.
const MAX_BYTES: u64 = 1 << 20;

/// Which file, and how.
#[derive(Debug, Args)]
#[command(
    after_help = "Reads a configuration of Go Kepler, its Helm values, a ConfigMap, a DaemonSet or Pod, a PowerMonitor of its \
    operator, a HelmRelease of Flux, an Application or ApplicationSet of Argo CD, a HelmChart of K3s, a Compose file, a systemd unit, or a file with a flag on each line; several documents of a manifest are read \
    together. Writes a configuration for `kepler serve --config.file=…` on standard output; what changes stands at its head \
    as comments. Exit status: 0 done; 2 the file holds no settings, or wrong ones."
)]
pub(super) struct Migrate {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Keep Go Kepler's defaults where nothing is set, too: writes `compat: kepler`
    #[arg(long)]
    keep_defaults: bool,
}

/// Writes the configuration.
///
/// # Errors
/// The file cannot be read, or holds nothing that can be used.
pub(super) fn run(asked: &Migrate) -> Result<ExitCode, Failure> {
    let wrong = |problem: Problem| Failure::Config(vec![problem]);
    let text = file::read_text(&asked.file, FileLimits::bytes(MAX_BYTES))
        .map_err(|error| Failure::CommandLine(error.to_string()))?;
    let source = Source::read(&text).map_err(|what| wrong(Problem(format!("{}: {what}", asked.file.display()))))?;
    let text = configuration(&source, &asked.file.display().to_string(), asked.keep_defaults)?;
    io::stdout().lock().write_all(printable::page(&text).as_bytes()).map_err(Failure::to("write the configuration"))?;
    Ok(ExitCode::SUCCESS)
}

/// The whole file: what changes, as comments, and the settings.
fn configuration(source: &Source, name: &str, keep_defaults: bool) -> Result<String, Failure> {
    let mut settings = source.settings.clone();
    let mut changes = source.remarks.clone();
    changes.extend(changes::adapt(&mut settings));
    if keep_defaults {
        settings.insert(0, tree::text("compat", "kepler"));
    }
    let body = tree::write(&settings);
    let loaded = config::check_text(FOUND, &body).map_err(|rejected| Failure::Config(rejected.problems))?;
    let mut head = vec![format!("Made by `kepler migrate` from {} ({}).", printable::line(name), source.kind)];
    section(&mut head, "What changes:", &changes);
    let warnings: Vec<String> = loaded.warnings.iter().map(|text| without_lines(text)).collect();
    section(&mut head, "To be known:", &warnings);
    if !keep_defaults {
        section(
            &mut head,
            "Other defaults hold where nothing is set; `--keep-defaults` writes `compat: kepler`, which keeps Go Kepler's:",
            &changes::defaults(&settings),
        );
    }
    head.push(String::new());
    head.push("The values of metrics change as well, as docs/migration.md says.".to_owned());
    let head: String = head.iter().map(|line| format!("# {}\n", printable::line(line))).collect();
    Ok(head.replace("# \n", "#\n") + &body)
}

fn section(head: &mut Vec<String>, heading: &str, items: &[String]) {
    if !items.is_empty() {
        head.push(String::new());
        head.push(heading.to_owned());
        head.extend(items.iter().map(|item| format!("- {item}")));
    }
}

/// A message about the text that is written, without lines of it: the head moves them.
fn without_lines(message: &str) -> String {
    let prefix = format!("{FOUND}:");
    let mut parts = message.split(&prefix);
    let mut out = parts.next().unwrap_or_default().to_owned();
    out.extend(parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(": ")));
    out
}

#[cfg(test)]
mod tests;
