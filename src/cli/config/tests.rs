//! The whole way from files, variables and flags to a configuration. Files stand in `tests/config`.

use super::layers::Loaded;
use super::*;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;

fn files(folder: &str) -> BTreeMap<String, PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path)).collect()
}

fn load_file(path: &Path) -> Result<Loaded, Vec<Problem>> {
    load_with(flags::Flags { config_file: Some(path.to_owned()), ..flags::Flags::default() }, [])
}

fn load_with(
    flags: flags::Flags,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, Vec<Problem>> {
    load(flags, variables).map_err(|rejected| rejected.problems)
}

/// The messages that a file's own comments announce: `#! 3: key …` for line 3, `#! …{file}…` for any other.
fn announced(path: &Path) -> Vec<String> {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let file = path.display().to_string();
    let message = |line: &str| match line.contains("{file}") {
        true => line.replace("{file}", &file),
        false => format!("{file}:{line}"),
    };
    text.lines().filter_map(|line| line.strip_prefix("#! ")).map(message).collect()
}

#[test]
fn every_valid_file_is_taken_with_just_the_warnings_it_announces() {
    let files = files("valid");
    assert!(files.len() >= 5, "{files:?}");
    for (name, path) in files {
        let loaded = load_file(&path).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"));
        assert_eq!([loaded.warnings, loaded.notes].concat(), announced(&path), "{name}");
    }
}

#[test]
fn every_invalid_file_is_refused_with_just_the_problems_it_announces() {
    let files = files("invalid");
    assert!(files.len() >= 10, "{files:?}");
    for (name, path) in files {
        let problems = load_file(&path).expect_err(&name);
        let messages: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(messages, announced(&path), "{name}");
    }
}

#[test]
fn keplers_own_file_says_what_it_says() {
    let loaded = load_file(&files("valid")["kepler-0.11.yaml"]).unwrap();
    let expected = Config {
        log_level: tracing::Level::DEBUG,
        interval: Duration::from_secs(5),
        min_terminated_energy: Energy::from_joules(10.0),
        preferred_meters: vec![Meter::Rapl, Meter::Of(Source::Hwmon)],
        gpus: false,
        levels: [Levels::NODE, Levels::PROCESS, Levels::CONTAINER, Levels::VM, Levels::POD].into_iter().collect(),
        ..Config::default()
    };
    assert_eq!(Config { listen: expected.listen.clone(), ..loaded.config.clone() }, expected);
    assert_eq!(loaded.config.listen[0].to_string(), ":28282");
}

#[test]
fn the_zones_of_the_fake_meter_may_have_an_index() {
    let config = load_file(&files("valid")["fake-zones.yaml"]).unwrap().config;
    assert_eq!(config.fake_zones, [ZoneKind::Package, ZoneKind::Dram]);
    let config = load_file(&files("valid")["kepler-0.11.yaml"]).unwrap().config;
    assert_eq!(config.fake_zones, Config::default().fake_zones);
}

#[test]
fn rules_for_hwmon_chips_are_read() {
    let config = load_file(&files("valid")["hwmon.yaml"]).unwrap().config;
    let mut paired = ChipRule::default();
    (paired.name, paired.pairings, paired.skip_voltages) = ("my_chip".to_owned(), [(1, 1), (2, 3)].into(), vec![0]);
    let mut same = ChipRule::default();
    (same.name, same.use_same_index) = ("ina3221".to_owned(), true);
    assert_eq!(config.hwmon_chip_rules, [paired, same]);
    assert_eq!(config.hwmon_zones, ["cpu_power"]);
    assert!(config.force_hwmon);
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let path = &files("valid")["minimal.yaml"];
    let variable = |text: &str| [(OsString::from("KEPLER_MONITOR_INTERVAL"), OsString::from(text))];
    let interval = |arguments: &[&str], variables: Vec<(OsString, OsString)>| {
        use clap::{Args, FromArgMatches};
        let command = flags::Flags::augment_args(clap::Command::new("kepler").no_binary_name(true));
        let matches = command.try_get_matches_from(arguments).unwrap();
        load_with(flags::Flags::from_arg_matches(&matches).unwrap(), variables).unwrap().config.interval
    };
    let file = format!("--config.file={}", path.display());
    assert_eq!(interval(&[], vec![]), Duration::from_secs(3));
    assert_eq!(interval(&[&file], vec![]), Duration::from_secs(7));
    assert_eq!(interval(&[&file], variable("8s").to_vec()), Duration::from_secs(8));
    assert_eq!(interval(&[&file, "--monitor.interval=9s"], variable("8s").to_vec()), Duration::from_secs(9));
}

#[test]
fn a_file_that_is_not_there_is_a_problem_that_names_it() {
    let problems = load_file(Path::new("no/such/kepler.yaml")).unwrap_err();
    assert!(problems[0].to_string().starts_with("no/such/kepler.yaml: cannot read the configuration: No such file"));
}

#[test]
fn a_file_that_is_not_text_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kepler.yaml");
    fs::write(&path, b"log:\n  level: \xff\n").unwrap();
    let problems = load_file(&path).unwrap_err();
    assert_eq!(problems[0].to_string(), format!("{}:2: not UTF-8 text", path.display()));
}

#[test]
fn what_is_no_file_or_endless_does_not_hang() {
    let problems = load_file(Path::new("/dev/zero")).unwrap_err();
    assert_eq!(problems[0].to_string(), "/dev/zero: cannot read the configuration: it is a device, not a file");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kepler.yaml");
    fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(load_file(&path).unwrap_err()[0].to_string().contains("larger than 1 MiB"));
}

#[test]
fn nothing_of_a_file_that_is_not_ours_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    // As /etc/shadow, a token, a file of secrets, one with a key twice, and one that is no YAML.
    let files = [
        "root:$6$hunter2:19000:0:99999:7:::\nbin:*:19000::::::\n",
        "hunter2\n",
        "db_hunter2: hunter2\napi_hunter2: hunter2\n",
        "hunter2: 1\nhunter2: 2\n",
        "- hunter2\n- x: [hunter2\n",
        "apiVersion: v1\nkind: hunter2\nstringData: { hunter2: hunter2 }\n",
        "*hunter2 : 1\n",
        "!hunter2!x y: hunter2\n",
    ];
    for text in files {
        fs::write(&path, text).unwrap();
        let said = match load(flags::Flags { config_file: Some(path.clone()), ..flags::Flags::default() }, []) {
            Ok(loaded) => loaded.warnings,
            Err(rejected) => rejected.problems.iter().map(ToString::to_string).collect(),
        };
        assert!(!said.is_empty() && said.iter().all(|line| !line.contains("hunter2")), "{text}: {said:?}");
    }
}

#[test]
fn an_unknown_key_is_an_error_where_that_is_asked_for() {
    let path = &files("valid")["unknown-key.yaml"];
    let flags = |strict| flags::Flags { config_file: Some(path.clone()), strict, ..flags::Flags::default() };
    let strict = [("KEPLER_CONFIG_STRICT".into(), "true".into())];
    assert_eq!(load_with(flags(Some(true)), []).unwrap_err().len(), 4);
    assert_eq!(load_with(flags(None), strict.clone()).unwrap_err().len(), 4);
    assert!(load_with(flags(Some(false)), strict).is_ok(), "a flag wins over a variable");
    assert_eq!(check(path).unwrap_err().problems.len(), 4);
}

#[test]
fn a_check_needs_no_directories_of_the_machine_that_the_file_is_for() {
    let path = &files("invalid")["no-such-directory.yaml"];
    let loaded = check(path).unwrap();
    assert!(loaded.warnings[0].ends_with("No such file or directory (os error 2); on this machine"));
}

#[test]
fn a_directory_that_a_flag_replaces_need_not_be_there() {
    let path = &files("invalid")["no-such-directory.yaml"];
    let variables = [("KEPLER_HOST_PROCFS".into(), "/proc".into())];
    assert!(load_with(flags::Flags { config_file: Some(path.clone()), ..flags::Flags::default() }, variables).is_ok());
}

#[test]
fn an_interval_of_zero_is_the_default_and_warned_of() {
    let config = load_file(&files("valid")["interval-zero.yaml"]).unwrap().config;
    assert_eq!(config.interval, defaults::INTERVAL);
}

#[test]
fn in_keplers_manner_its_defaults_hold_where_nothing_else_is_set() {
    let with = |variables: &[(&str, &str)]| {
        let variables: Vec<_> = variables.iter().map(|&(name, text)| (name.into(), text.into())).collect();
        load_with(flags::Flags::default(), variables).unwrap().config
    };
    let config = with(&[("KEPLER_COMPAT", "kepler")]);
    assert_eq!(config.listen[0].to_string(), ":28282");
    assert_eq!((config.interval, config.policy), (Duration::from_secs(5), IdlePolicy::Ratio));
    assert_eq!((config.min_terminated_energy.joules(), config.manner), (10.0, Manner::Kepler));
    let config = with(&[("KEPLER_COMPAT", "kepler"), ("KEPLER_MONITOR_INTERVAL", "0"), ("KEPLER_POLICY", "baseline")]);
    assert_eq!((config.interval, config.policy), (Duration::from_secs(5), IdlePolicy::Baseline));
    assert!(load_with(flags::Flags::default(), [("KEPLER_COMPAT".into(), "go".into())]).is_err());
}

#[test]
fn help_states_the_defaults_that_hold() {
    for setting in settings::SETTINGS {
        let Some(flag) = &setting.flag else { continue };
        let Some((_, text)) = flag.help.rsplit_once("[default: ") else { continue };
        let stated = text.trim_end_matches(']');
        // Some are stated in words.
        let Some(stated) = (match stated {
            "all" | "none" | "any" => None,
            "ap-northeast-2, assumed" | "10m" | "9600h" => stated.split(',').next(),
            text if text.contains(' ') => None,
            text => Some(text),
        }) else {
            continue;
        };
        let raw = raw_setting::RawSetting::One(Value::new(stated, flag.name));
        let mut config = Config::default();
        match setting.effect {
            settings::Effect::Set(set) => set(&mut config, &raw).unwrap(),
            settings::Effect::Adapt(adapt) => assert_eq!(adapt(&mut config, &raw).unwrap(), None),
            _ => continue,
        }
        // What is stated and what is not set may differ in form, but not in effect.
        config.meter = None;
        config.facility.region = None;
        assert_eq!(config, Config::default(), "{}", flag.name);
    }
}

#[test]
fn with_both_exporters_off_a_warning_says_that_nothing_is_shown() {
    let variables = [("KEPLER_EXPORTER_PROMETHEUS".into(), "false".into())];
    let loaded = load_with(flags::Flags::default(), variables).unwrap();
    assert!(loaded.warnings[0].contains("nothing is shown"), "{:?}", loaded.warnings);
}

#[test]
fn the_facility_is_read_in_any_order_of_its_keys() {
    let config = load_file(Path::new("tests/config/valid/facility.yaml")).unwrap().config;
    let facility = &config.facility;
    assert_eq!(facility.region.as_deref(), Some("ap-northeast-2"));
    let pue = facility.pue.unwrap();
    assert_eq!((pue.value.ratio(), pue.basis), (1.2, kepler_compliance::standards::Basis::Measured));
    assert_eq!(facility.grid_intensity.unwrap().grams_per_kilowatt_hour(), 424.0);
    let price = facility.price.as_ref().unwrap();
    assert_eq!((price.per_kwh.value(), price.currency.as_str()), (0.12, "EUR"));
    let stated = ["connection_kw=450", "operation_start=2026-09-01", "cool_climate=true", "fulfilled=kr-ets-site"];
    assert_eq!(facility.facts, facts(&[&stated[..], &["fulfilled=KR_ETS_COMPANY"]].concat()));
}

fn facts(stated: &[&str]) -> kepler_compliance::standards::SiteFacts {
    let mut facts = kepler_compliance::standards::SiteFacts::default();
    for (name, value) in stated.iter().filter_map(|fact| fact.split_once('=')) {
        facts.state(name, value).unwrap();
    }
    facts
}

#[test]
fn facts_of_flags_and_variables_are_added_to_those_of_the_file() {
    let variables = [("KEPLER_FACT".into(), "connection_kw=500, water_stress=no".into())];
    let path = Path::new("tests/config/valid/facility.yaml").to_owned();
    let flags = flags::Flags { config_file: Some(path), ..flags::Flags::default() };
    let config = load_with(flags, variables).unwrap().config;
    let added = ["connection_kw=500", "water_stress=no", "operation_start=2026-09-01", "cool_climate=yes"];
    let codes = ["fulfilled=KR_ETS_SITE", "fulfilled=KR_ETS_COMPANY"];
    assert_eq!(config.facility.facts, facts(&[&added[..], &codes[..]].concat()));
}
