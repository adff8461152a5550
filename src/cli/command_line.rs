//! The command line before parsing: Go Kepler's forms, converted to ours.
//!
//! Go Kepler has no verbs, and kingpin, which parses its flags, reads arguments from files (`@file`) and knows
//! `--help-long`. Manifests rely on that: `kepler --config.file=… --kube.enable` serves here as well.

mod hints;

use super::config::{Problem, flags};
use kepler_core::host::file::{self, FileLimits};
use kepler_core::printable;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// To be parsed: these arguments, a verb first unless only help is asked for.
    Parse(Vec<OsString>),
    /// To say which program this is.
    Version,
}

/// More than a command line can hold.
const MAX_BYTES: u64 = 1 << 20;

/// Files of arguments may name further ones, but not for ever.
const MAX_FILES: usize = 16;

/// Understands `arguments`, without the program's own name, given the program's `verbs`.
/// `serves_by_default` says whether no argument at all means `serve` instead of a page of help.
///
/// # Errors
/// A file of arguments cannot be read or holds something else; a word is no verb.
pub(super) fn understand(
    arguments: Vec<OsString>,
    verbs: &[&str],
    serves_by_default: bool,
) -> Result<Request, Problem> {
    let is_verb = |argument: &OsStr| argument.to_str().is_some_and(|text| text == "help" || verbs.contains(&text));
    if asks_for_version(&arguments) {
        return Ok(Request::Version);
    }
    if let Some(hint) = hints::kingpins_own(&arguments) {
        return Err(Problem(hint));
    }
    let mut rest = arguments;
    if rest.first().is_some_and(|first| is_verb(first) && first != "serve") {
        return Ok(Request::Parse(replace_help(rest)));
    }
    let serves = rest.first().is_some_and(|first| first == "serve");
    if serves {
        rest.remove(0);
    }
    let mut rest = replace_help(expand(rest)?);
    if serves {
        rest.insert(0, "serve".into());
        return Ok(Request::Parse(rest));
    }
    match verb_after_flags(&rest, &is_verb) {
        Some(at) => {
            let verb = rest.remove(at);
            rest.insert(0, verb);
        }
        // Help of the whole program.
        None if matches!(rest.as_slice(), [only] if only == "--help" || only == "-h") => {}
        None if rest.is_empty() && !serves_by_default => {}
        None => {
            if let Some(word) = word(&rest) {
                return Err(Problem(hints::unknown_word(&word.to_string_lossy(), verbs)));
            }
            rest.insert(0, "serve".into());
        }
    }
    Ok(Request::Parse(rest))
}

/// `--version`, `-V` or the verb `version`, wherever a flag may stand: every program answers that.
fn asks_for_version(arguments: &[OsString]) -> bool {
    let flags = arguments.iter().take_while(|argument| *argument != "--");
    arguments.first().is_some_and(|first| first == "version")
        || flags.into_iter().any(|argument| argument == "--version" || argument == "-V")
}

/// kingpin's `--help-long` is our `--help`, which lists every flag. What follows `--` is the measured command's.
fn replace_help(mut arguments: Vec<OsString>) -> Vec<OsString> {
    for argument in arguments.iter_mut().take_while(|argument| *argument != "--") {
        if *argument == "--help-long" {
            *argument = "--help".into();
        }
    }
    arguments
}

/// Whether the next argument is the value of `argument`: a flag of `serve` that needs one and has no `=`.
fn takes_next(argument: &OsStr) -> bool {
    argument.to_str().and_then(|text| text.strip_prefix("--")).is_some_and(flags::needs_value)
}

/// Where the first argument stands that is neither a flag nor the value of one.
fn first_word(arguments: &[OsString]) -> Option<usize> {
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        if argument == "--" {
            return None;
        }
        if !argument.as_encoded_bytes().starts_with(b"-") {
            return Some(at);
        }
        at += if takes_next(argument) { 2 } else { 1 };
    }
    None
}

fn word(arguments: &[OsString]) -> Option<&OsString> {
    first_word(arguments).and_then(|at| arguments.get(at))
}

/// Where the verb stands, if flags were written before it.
fn verb_after_flags(arguments: &[OsString], is_verb: &dyn Fn(&OsStr) -> bool) -> Option<usize> {
    first_word(arguments).filter(|&at| arguments.get(at).is_some_and(|argument| is_verb(argument)))
}

/// Replaces each `@file` by its lines.
fn expand(arguments: Vec<OsString>) -> Result<Vec<OsString>, Problem> {
    let mut waiting: Vec<OsString> = arguments.into_iter().rev().collect();
    let mut expanded: Vec<OsString> = Vec::with_capacity(waiting.len());
    let mut files = 0;
    while let Some(argument) = waiting.pop() {
        let is_value = expanded.last().is_some_and(|last| takes_next(last));
        let file = argument.to_str().and_then(|text| text.strip_prefix('@')).filter(|_| !is_value);
        let Some(file) = file else {
            expanded.push(argument);
            continue;
        };
        files += 1;
        if files > MAX_FILES {
            return Err(Problem(format!(
                "`@{}`: files of arguments name each other without end",
                printable::line(file)
            )));
        }
        waiting.extend(lines(Path::new(file))?.into_iter().rev());
    }
    Ok(expanded)
}

/// The arguments in a file, one a line. Messages never repeat a line that is none: it may be anything.
fn lines(path: &Path) -> Result<Vec<OsString>, Problem> {
    let text = file::read_text(path, FileLimits::bytes(MAX_BYTES)).map_err(|error| Problem(error.to_string()))?;
    let mut arguments: Vec<OsString> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let is_value = arguments.last().is_some_and(|last| takes_next(last));
        let is_ours = is_value || line.starts_with('@') || line.strip_prefix("--").is_some_and(flags::is_known);
        if !is_ours {
            return Err(Problem(format!(
                "{}:{number}: not a flag of `kepler serve`; a file of arguments has one on each line, such as \
                 `--monitor.interval=5s`",
                printable::line(&path.to_string_lossy())
            )));
        }
        arguments.push(line.into());
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERBS: [&str; 4] = ["serve", "doctor", "config", "calibrate"];

    fn understood(arguments: &[&str]) -> Result<Request, Problem> {
        understand(arguments.iter().map(Into::into).collect(), &VERBS, false)
    }

    fn parsed(arguments: &[&str]) -> Vec<String> {
        match understood(arguments).unwrap() {
            Request::Parse(arguments) => arguments.into_iter().map(|text| text.into_string().unwrap()).collect(),
            Request::Version => panic!("{arguments:?}"),
        }
    }

    #[test]
    fn arguments_without_a_verb_are_those_of_serve() {
        // As the manifests of Go Kepler have them (its Helm chart and kustomization, 2026-08).
        let manifest = ["--config.file=/etc/kepler/config.yaml", "--kube.enable", "--kube.node-name=node-1"];
        assert_eq!(parsed(&manifest), [&["serve"][..], &manifest].concat());
        let blanks = ["--log.level", "debug", "--no-kube.enable"];
        assert_eq!(parsed(&blanks), [&["serve"][..], &blanks].concat());
        assert_eq!(parsed(&["serve", "--kube.enable"]), ["serve", "--kube.enable"]);
        assert_eq!(parsed(&["--help-long"]), ["--help"]);
        assert_eq!(parsed(&["serve", "--help-long"]), ["serve", "--help"]);
        assert_eq!(parsed(&["--log.level=info", "--help"]), ["serve", "--log.level=info", "--help"]);
    }

    #[test]
    fn no_argument_is_help_for_people_and_serve_for_a_container() {
        assert_eq!(understood(&[]), Ok(Request::Parse(vec![])));
        assert_eq!(understand(vec![], &VERBS, true), Ok(Request::Parse(vec!["serve".into()])));
    }

    #[test]
    fn what_kingpin_writes_and_this_program_does_not_gets_a_hint() {
        for arguments in [&["--help-man"][..], &["serve", "--help-man"], &["--log.level=info", "--help-man"]] {
            let problem = understood(arguments).unwrap_err().to_string();
            assert!(problem.contains("`--help-man`") && problem.contains("kepler man"), "{problem}");
        }
        let problem = understood(&["--completion-script-bash"]).unwrap_err().to_string();
        assert!(problem.contains("kepler completions bash"), "{problem}");
        assert!(understood(&["calibrate", "--", "--help-man"]).is_ok());
    }

    #[test]
    fn a_verb_may_follow_the_flags_but_a_value_is_no_verb() {
        assert_eq!(parsed(&["--log.level=debug", "doctor"]), ["doctor", "--log.level=debug"]);
        assert_eq!(parsed(&["--log.level", "debug", "doctor"]), ["doctor", "--log.level", "debug"]);
        let named = ["--kube.node-name", "doctor"];
        assert_eq!(parsed(&named), [&["serve"][..], &named].concat());
        assert_eq!(parsed(&["--exporter.stdout", "doctor"]), ["doctor", "--exporter.stdout"]);
    }

    #[test]
    fn every_place_for_version_answers() {
        for arguments in [&["--version"][..], &["-V"], &["version"], &["serve", "--version"], &["doctor", "--version"]]
        {
            assert_eq!(understood(arguments), Ok(Request::Version), "{arguments:?}");
        }
        assert_ne!(understood(&["calibrate", "--", "--version"]), Ok(Request::Version));
    }

    #[test]
    fn what_follows_two_dashes_is_left_alone() {
        let measured = ["calibrate", "--", "tool", "--help-long", "--version"];
        assert_eq!(parsed(&measured), measured);
    }

    #[test]
    fn files_of_arguments_are_read_line_by_line_and_may_name_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| format!("@{}", folder.path().join(name).display());
        std::fs::write(folder.path().join("inner"), "--monitor.interval=7s\n").unwrap();
        let outer = format!("# of the node\n--log.level\ninfo\n\n{}\n--no-kube.enable\n", path("inner"));
        std::fs::write(folder.path().join("outer"), outer).unwrap();
        let expected = ["serve", "--log.level", "info", "--monitor.interval=7s", "--no-kube.enable"];
        assert_eq!(parsed(&[&path("outer")]), expected);
        assert_eq!(parsed(&["serve", &path("outer")]), expected);
        // The value of a flag is a value whatever it begins with.
        assert_eq!(parsed(&["--kube.node-name", "@node"]), ["serve", "--kube.node-name", "@node"]);
    }

    #[test]
    fn a_file_of_something_else_is_refused_without_a_word_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shadow");
        std::fs::write(&file, "root:$6$secret:19000:0:99999:7:::\n").unwrap();
        let problem = understood(&[&format!("@{}", file.display())]).unwrap_err().to_string();
        assert!(problem.contains(":1: not a flag of `kepler serve`") && !problem.contains("secret"), "{problem}");
        std::fs::write(&file, "--monitor.interval=5s\n--pass=secret\n").unwrap();
        let problem = understood(&[&format!("@{}", file.display())]).unwrap_err().to_string();
        assert!(problem.contains(":2: ") && !problem.contains("secret"), "{problem}");
        std::fs::write(&file, format!("@{}\n", file.display())).unwrap();
        let problem = understood(&[&format!("@{}", file.display())]).unwrap_err().to_string();
        assert!(problem.contains("without end"), "{problem}");
        assert!(understood(&["@/no/such/file"]).unwrap_err().to_string().contains("/no/such/file"));
    }
}
