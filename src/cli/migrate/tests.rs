//! Files as they are found in use. Folders of `tests/migrate` hold what is read; beside each stands what is written.

use super::*;
use std::fs;
use std::path::Path;

fn migrated(text: &str) -> String {
    configuration(&Source::read(text).unwrap(), "kepler.yaml", false).unwrap()
}

#[test]
fn every_file_in_use_becomes_what_stands_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/migrate");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(stem) = name.strip_suffix(".in") else { continue };
        let source = Source::read(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|what| panic!("{name}: {what}"));
        let text = configuration(&source, name, false).unwrap();
        let expected = path.with_file_name(format!("{stem}.out"));
        // Written where it is missing, to be read before it is committed.
        if !expected.exists() {
            fs::write(&expected, &text).unwrap();
        }
        assert_eq!(text, fs::read_to_string(&expected).unwrap(), "{name}");
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn what_is_written_is_read_as_the_same_settings() {
    let text =
        migrated("monitor: { interval: 7s, maxTerminated: -1 }\nweb: { listenAddresses: [':28282', '[::1]:1'] }\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kepler.yaml");
    fs::write(&path, text).unwrap();
    let config = config::check(&path).unwrap().config;
    assert_eq!((config.interval.as_secs(), config.max_terminated), (7, None));
    assert_eq!(config.listen[1].to_string(), "[::1]:1");
}

#[test]
fn go_keplers_defaults_can_be_kept() {
    let source = Source::read("log: { level: debug }\n").unwrap();
    let kept = configuration(&source, "x", true).unwrap();
    assert!(kept.contains("\ncompat: kepler\n") && !kept.contains("Other defaults"), "{kept}");
    assert!(config::check_text("x", &kept).unwrap().config.interval.as_secs() == 5);
}

#[test]
fn nothing_of_a_file_without_settings_is_repeated() {
    for text in
        ["root:$6$hunter2:1:\n", "hunter2", "", "kind: Secret\napiVersion: v1\ndata: { hunter2: x }\n", "- hunter2\n"]
    {
        let what = Source::read(text).unwrap_err();
        assert!(what.contains("no settings of Kepler's") && !what.contains("hunter2"), "{what}");
    }
    let what = Source::read("--log.level=info\n--pass=hunter2\n").unwrap_err();
    assert!(what.contains("`--pass` is no flag") && !what.contains("hunter2"), "{what}");
    assert!(!Source::read("--log.level=info\nhunter2\n").unwrap_err().contains("hunter2"));
}

#[test]
fn a_wrong_value_is_an_error_not_a_wrong_file() {
    let source = Source::read("monitor: { interval: 5 }\n").unwrap();
    let failure = configuration(&source, "x", false).unwrap_err().to_string();
    assert!(failure.contains("`5` lacks a unit"), "{failure}");
}
