//! Suggestions for an unknown verb.

use kepler_core::printable;
use std::ffi::OsString;

/// Words of other programs and of habit, each with what does that here.
const KNOWN: [(&[&str], &str); 10] = [
    (
        &["exec", "profile", "record-command", "time", "bench", "benchmark", "stat"],
        "`kepler measure -- COMMAND` runs a command and says how much energy it used",
    ),
    (
        &["start", "run", "exporter", "daemon", "server", "agent", "monitor", "up", "node"],
        "`kepler serve` measures and serves the figures",
    ),
    (&["status", "diagnose", "probe", "check", "test", "info"], "`kepler doctor` says what can be measured here"),
    (&["validate", "lint", "verify"], "`kepler config check FILE` checks a configuration"),
    (&["convert", "import", "upgrade"], "`kepler migrate FILE` reads what was made for Go Kepler"),
    (&["top", "watch", "live", "stdout", "show"], "`kepler serve --exporter.stdout` writes a table at each interval"),
    (&["list", "ls"], "`kepler compliance list` lists workloads, `kepler standards` lists standards"),
    (&["completion", "complete"], "`kepler completions SHELL` writes what a shell completes"),
    (
        &["manual", "usage", "docs"],
        "`kepler help` lists the verbs, `kepler help VERB` the flags of one; `kepler man` is a manual page",
    ),
    (&["summary", "history", "export"], "`kepler report --history.path=FILE` reports what was used"),
];

/// Flags that kingpin adds to every program, and what does the same here.
const KINGPINS: [(&str, &str); 4] = [
    ("--help-man", "`kepler man` writes the manual page"),
    ("--completion-bash", "`kepler completions bash` writes what bash completes"),
    ("--completion-script-bash", "`kepler completions bash` writes what bash completes"),
    ("--completion-script-zsh", "`kepler completions zsh` writes what zsh completes"),
];

/// The message for a flag among `arguments` that every kingpin program has and this one has not.
pub(super) fn kingpins_own(arguments: &[OsString]) -> Option<String> {
    let mut flags = arguments.iter().take_while(|argument| *argument != "--");
    flags.find_map(|argument| {
        let (flag, hint) = KINGPINS.iter().find(|(flag, _)| argument == flag)?;
        Some(format!("`{flag}`: {hint}"))
    })
}

/// As much of a word as is repeated, in characters.
const SHOWN: usize = 64;

/// The message for `word`, which is none of `verbs`.
pub(super) fn unknown_word(word: &str, verbs: &[&str]) -> String {
    let lower = word.to_ascii_lowercase();
    let start: String = word.chars().take(SHOWN).collect();
    let shown = printable::line(&start);
    if let Some((_, hint)) = KNOWN.iter().find(|(words, _)| words.contains(&lower.as_str())) {
        return format!("there is no verb `{shown}`: {hint}");
    }
    let near = verbs
        .iter()
        .filter(|_| start.len() == word.len())
        .map(|verb| (strsim::damerau_levenshtein(verb, &lower), verb))
        .filter(|(distance, verb)| *distance <= 2 && *distance < verb.len().div_ceil(2))
        .min_by_key(|(distance, _)| *distance);
    match near {
        Some((_, verb)) => format!("there is no verb `{shown}`: did you mean `kepler {verb}`?"),
        None => format!("there is no verb `{shown}`; there are: {}", verbs.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERBS: [&str; 5] = ["serve", "doctor", "compliance", "schedule", "regions"];

    #[test]
    fn a_word_of_habit_gets_what_does_that_here() {
        assert!(unknown_word("time", &VERBS).contains("kepler measure -- COMMAND"));
        assert!(unknown_word("completion", &VERBS).contains("kepler completions SHELL"));
        assert!(unknown_word("Start", &VERBS).contains("`kepler serve`"));
    }

    #[test]
    fn a_slip_gets_the_verb_and_anything_else_the_list() {
        assert!(unknown_word("srve", &VERBS).ends_with("did you mean `kepler serve`?"));
        assert!(unknown_word("shedule", &VERBS).ends_with("did you mean `kepler schedule`?"));
        assert!(unknown_word("xyz", &VERBS).ends_with("there are: serve, doctor, compliance, schedule, regions"));
    }

    #[test]
    fn a_hostile_word_is_cut_and_shown_escaped() {
        let message = unknown_word(&format!("\u{1b}[2J{}", "x".repeat(100_000)), &VERBS);
        assert!(message.len() < 200 && !message.contains('\u{1b}'), "{message}");
    }
}
