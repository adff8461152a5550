//! Every command that a document shows is one that the program takes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{Cli, Request, command_line};
use clap::CommandFactory as _;
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// README.md, CONTRIBUTING.md and all below these folders.
const FOLDERS: [&str; 3] = ["docs", "deploy", "bindings/python"];

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// Commands of the program in a document: those of shell blocks, and those that a sentence has between backticks. The latter
/// may be an excerpt, which lacks arguments.
fn commands(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let (mut shell, mut fenced) = (None, false);
    for line in text.lines() {
        let line = line.trim_start();
        if let Some(language) = line.strip_prefix("```") {
            fenced = !fenced;
            shell = matches!((fenced, language), (true, "sh" | "console" | "bash")).then(String::new);
            continue;
        }
        if !fenced {
            found.extend(line.split('`').skip(1).step_by(2).map(|code| (code.to_owned(), false)));
            continue;
        }
        let Some(continued) = &mut shell else { continue };
        continued.push_str(line.strip_suffix('\\').unwrap_or(line));
        if !line.ends_with('\\') {
            found.push((std::mem::take(continued), true));
        }
    }
    found.retain(|(command, _)| program_arguments(command).is_some());
    found
}

/// What follows the program's name, if the line starts it.
fn program_arguments(line: &str) -> Option<Vec<String>> {
    let mut words = words(line.strip_prefix("$ ").unwrap_or(line)).into_iter().peekable();
    while words.next_if(|word| word == "sudo" || word.contains('=') && !word.starts_with('-')).is_some() {}
    let words: Vec<String> = words.collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["kepler", ..] => words.get(1..),
        ["cargo", "run", "--release", "--", ..] => words.get(4..),
        _ => None,
    }
    .map(<[String]>::to_vec)
}

/// The words of a line up to a comment, a pipe or another command.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#' | '|' | '&' | ';' | '>' | '<') if word.is_none() || c != '#' => break,
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// What is wrong with a command; an excerpt may lack arguments or stop at a placeholder.
fn mistake(arguments: &[String], is_whole: bool) -> Option<String> {
    let command = Cli::command();
    let verbs: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let arguments = arguments.iter().filter(|argument| is_whole || *argument != "…").map(OsString::from).collect();
    let arguments = match command_line::understand(arguments, &verbs, true) {
        Ok(Request::Parse(arguments)) => arguments,
        Ok(Request::Version) => return None,
        Err(problem) => return Some(problem.to_string()),
    };
    let error = Cli::command().try_get_matches_from(std::iter::once("kepler".into()).chain(arguments)).err()?;
    let is_excerpt = !is_whole
        && matches!(
            error.kind(),
            ErrorKind::MissingRequiredArgument | ErrorKind::MissingSubcommand | ErrorKind::InvalidValue
        );
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::DisplayVersion
    );
    (!is_excerpt && !is_help).then(|| error.to_string())
}

#[test]
fn every_command_in_the_documents_is_one_that_the_program_takes() {
    let (mut checked, mut wrong) = (0, Vec::new());
    for path in documents() {
        for (line, is_whole) in commands(&std::fs::read_to_string(&path).unwrap()) {
            let arguments = program_arguments(&line).unwrap();
            checked += 1;
            if let Some(mistake) = mistake(&arguments, is_whole) {
                wrong.push(format!("{}: {line}\n{mistake}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 60, "{checked} commands");
}

#[test]
fn a_line_is_cut_where_the_shell_cuts_it() {
    let of = |line: &str| program_arguments(line).map(|words| words.join("|"));
    assert_eq!(of("$ sudo kepler top --once # why").as_deref(), Some("top|--once"));
    assert_eq!(of("A=b kepler serve --x='a b' &").as_deref(), Some("serve|--x=a b"));
    assert_eq!(of("kepler predict m.json rows.csv > watts.csv").as_deref(), Some("predict|m.json|rows.csv"));
    assert_eq!(of("kepler-power measure"), None);
    assert!(mistake(&["serve".into(), "--no-such-flag".into()], true).is_some());
}
