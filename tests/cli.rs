//! The `kepler` program as an operator meets it: the real binary, its messages and its exit status.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy exempts test functions, but not what they share"
)]

#[path = "cli/doctor.rs"]
mod doctor;
mod program;
#[path = "cli/reload.rs"]
mod reload;

use program::{Server, kepler, run, text};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;

/// A sysfs with one processor package of Intel's powercap driver, and memory beside it.
fn powercap_tree() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (zone, name) in [("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "dram")] {
        let folder = root.path().join("class/powercap").join(zone);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("name"), format!("{name}\n")).unwrap();
        fs::write(folder.join("energy_uj"), "1000000\n").unwrap();
        fs::write(folder.join("max_energy_range_uj"), "262143328850\n").unwrap();
    }
    root
}

fn sysfs(root: &tempfile::TempDir) -> String {
    format!("--host.sysfs={}", root.path().display())
}

fn get(server: &Server, path: &str) -> String {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Sends a signal and gives the exit status.
fn stop(server: &mut Server, signal: rustix::process::Signal) -> Option<i32> {
    let child = &mut server.running.0;
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
    child.wait().unwrap().code()
}

#[test]
fn the_flags_are_those_that_were_promised() {
    let output = run(&["serve", "--help"]);
    let help = text(&output.stdout);
    let flags: Vec<&str> = help
        .split_whitespace()
        .filter(|word| word.starts_with("--"))
        .map(|word| word.split(['[', '=', ']', ',']).next().unwrap())
        .collect();
    let promised = include_str!("cli/flags.txt");
    for flag in promised.lines() {
        assert!(flags.contains(&flag), "{flag} is missing");
    }
    for flag in flags {
        assert!(promised.lines().any(|line| line == flag), "{flag} is new: add it to tests/cli/flags.txt");
    }
}

#[test]
fn an_unknown_key_is_warned_of_or_ends_with_2_where_that_is_asked_for() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/valid/unknown-key.yaml");
    let expected = format!("{}:7: key `monitor.intervall` has no effect: it is unknown; did you mean", file.display());
    let flag = format!("--config.file={}", file.display());
    let server = Server::start(&["--meter=fake", &flag]);
    assert!(server.log.iter().any(|line| line.contains("WARN") && line.contains(&expected)), "{:#?}", server.log);
    let output = run(&["serve", "--config.strict", &flag]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains(&expected), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
}

#[test]
fn a_file_is_checked_without_being_used() {
    let file = |name: &str| format!("{}/tests/config/{name}", env!("CARGO_MANIFEST_DIR"));
    let output = run(&["config", "check", &file("valid/minimal.yaml")]);
    assert_eq!((output.status.code(), text(&output.stdout).ends_with("nothing is wrong\n")), (Some(0), true));
    let output = run(&["config", "check", &file("valid/unknown-key.yaml")]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout).lines().filter(|line| line.starts_with("error: ")).count(), 4);
    assert_eq!(run(&["config", "check", "/no/such/file"]).status.code(), Some(2));
}

#[test]
fn a_bad_flag_or_variable_ends_with_2_and_names_it() {
    let output = run(&["serve", "--monitor.interval=soon"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("flag `--monitor.interval`: `soon` is not a duration"),
        "{}",
        text(&output.stderr)
    );
    let output = run(&["serve", "--monitor.intervall=3s"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--monitor.interval"), "{}", text(&output.stderr));
    let output = kepler(&["serve"]).env("KEPLER_LOG_LEVEL", "loud").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("environment variable `KEPLER_LOG_LEVEL`: `loud`"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn arguments_without_a_verb_serve() {
    let mut child =
        kepler(&["--web.listen-address=127.0.0.1:0", "--meter=fake", "--kube.enable", "--kube.node-name=n"])
            .stderr(Stdio::piped())
            .spawn()
            .map(program::Running)
            .unwrap();
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("serving http://127.0.0.1:")));
}

#[test]
fn a_wrong_word_gets_the_right_hint() {
    for (word, hint) in [("time", "kepler measure"), ("completion", "kepler completions"), ("srve", "kepler serve")] {
        let output = run(&[word]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        assert!(text(&output.stderr).contains(hint), "{word}: {}", text(&output.stderr));
    }
}

#[test]
fn shells_and_man_know_every_verb() {
    let help = text(&run(&["--help"]).stdout);
    let verbs: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|verb| !verb.is_empty()))
        .collect();
    assert!(verbs.contains(&"measure") && verbs.contains(&"serve"), "{verbs:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&run(&["completions", shell]).stdout);
        assert!(verbs.iter().all(|verb| script.contains(verb)), "{shell}");
        assert!(script.contains("baseline") && script.contains("monitor.interval"), "{shell}: flags");
    }
    assert_eq!(run(&["completions", "tcsh"]).status.code(), Some(2));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("man1");
    assert!(run(&["man", path.to_str().unwrap()]).status.success());
    for verb in verbs.into_iter().filter(|verb| *verb != "help") {
        let page = fs::read_to_string(path.join(format!("kepler-{verb}.1"))).unwrap();
        assert!(page.contains(&format!("kepler\\-{}", verb.replace('-', "\\-"))) && page.contains(".SH"), "{verb}");
    }
    assert!(text(&run(&["man"]).stdout).contains(".TH kepler 1"));
}

#[test]
fn the_version_is_that_of_an_exporter_wherever_it_is_asked_for() {
    for arguments in [&["--version"][..], &["serve", "--version"], &["version"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(text(&output.stdout).starts_with("kepler, version "), "{arguments:?}");
    }
}

#[test]
fn in_keplers_manner_every_failure_ends_with_1_and_logs_are_logfmt_on_standard_output() {
    for arguments in [&["--compat=kepler", "--monitor.interval=soon"][..], &["--compat=kepler", "--meter=replay=/no"]] {
        assert_eq!(run(arguments).status.code(), Some(1), "{arguments:?}");
    }
    let mut child = kepler(&["--compat=kepler", "--web.listen-address=127.0.0.1:0", "--meter=fake"])
        .stdout(Stdio::piped())
        .spawn()
        .map(program::Running)
        .unwrap();
    let line = BufReader::new(child.0.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(line.starts_with("time=") && line.contains(" level=") && line.contains(" msg=\""), "{line}");
}

#[test]
fn metrics_are_where_they_are_configured_to_be_and_in_keplers_manner_as_go_answers() {
    let server = Server::start(&[
        "--meter=fake",
        "--web.telemetry-path=/kepler/metrics",
        "--compat=kepler",
        "--exporter.stdout",
    ]);
    let answer = get(&server, "/kepler/metrics");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("text/plain; version=0.0.4; charset=utf-8; escaping=underscores\r\n"), "{answer}");
    assert!(get(&server, "/metrics").starts_with("HTTP/1.1 404"));
    let arch = if cfg!(target_arch = "x86_64") { "arch=\"amd64\"" } else { "arch=\"" };
    assert!(answer.contains(arch));
    let plain = Server::start(&["--meter=fake"]);
    assert!(!get(&plain, "/metrics").contains("escaping="));
    assert_eq!(run(&["serve", "--web.telemetry-path=/livez"]).status.code(), Some(2));
}

#[test]
fn signals_that_mean_something_else_do_not_end_it() {
    let mut server = Server::start(&["--meter=fake"]);
    for signal in [rustix::process::Signal::USR1, rustix::process::Signal::USR2, rustix::process::Signal::HUP] {
        rustix::process::kill_process(rustix::process::Pid::from_child(&server.running.0), signal).unwrap();
        assert!(get(&server, "/livez").starts_with("HTTP/1.1 200"));
    }
    assert_eq!(stop(&mut server, rustix::process::Signal::TERM), Some(0));
}

/// A verb that runs until its input ends or a signal comes, and is running now.
fn until_it_runs(arguments: &[&str], stdin: Stdio) -> program::Running {
    let child = kepler(arguments).stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let running = program::Running(child);
    // Handlers are set before anything else is done.
    let status = format!("/proc/{}/status", running.0.id());
    let caught =
        |text: &str| text.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:\t")?, 16).ok());
    for _ in 0..3000 {
        let mask = fs::read_to_string(&status).ok().and_then(|text| caught(&text)).unwrap_or(0);
        if mask & (1 << (rustix::process::Signal::USR2.as_raw() - 1)) != 0 {
            return running;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{arguments:?} catches no SIGUSR2");
}

#[test]
fn no_verb_that_runs_long_is_ended_by_a_signal_for_reports() {
    let models = tempfile::tempdir().unwrap();
    let (models, trace) = (models.path().display().to_string(), models.path().join("trace.csv").display().to_string());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let bridged = format!("http://{}/mcp", silent.local_addr().unwrap());
    for arguments in [
        &["mcp", "--meter=fake"][..],
        &["bridge", &bridged],
        &["model-server", &models, "--web.listen-address=127.0.0.1:0", "--train.listen-address=127.0.0.1:0"],
        &["record", "--output", &trace, "--meter=fake", "--features-only"],
    ] {
        let mut running = until_it_runs(arguments, Stdio::piped());
        for signal in [rustix::process::Signal::USR1, rustix::process::Signal::USR2] {
            rustix::process::kill_process(rustix::process::Pid::from_child(&running.0), signal).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(running.0.try_wait().unwrap().map(|status| status.to_string()), None, "{arguments:?}");
    }
}

#[test]
fn silent_requests_to_train_lock_no_client_out_of_the_model_server() {
    let models = tempfile::tempdir().unwrap();
    let arguments = [
        "model-server",
        &models.path().display().to_string(),
        "--web.listen-address=127.0.0.1:0",
        "--train.listen-address=127.0.0.1:0",
    ];
    let mut running = program::Running(kepler(&arguments).stderr(Stdio::piped()).spawn().unwrap());
    let mut log = BufReader::new(running.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut at = |what: &str| {
        let line = log.find(|line| line.contains(what)).unwrap();
        line.rsplit_once("//").unwrap().1.to_owned()
    };
    let (serving, training) = (at("serving models at"), at("training models at"));
    let post = |rest: &str| {
        let mut stream = TcpStream::connect(&training).unwrap();
        write!(stream, "POST /train HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{rest}").unwrap();
        stream
    };
    // One that says how much it will send and sends nothing, one that says nothing at all, one that is idle.
    let silent: Vec<TcpStream> = (0..51)
        .map(|number| match number % 3 {
            0 => post("Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"),
            1 => post(""),
            _ => TcpStream::connect(&training).unwrap(),
        })
        .collect();
    // From then on they have stalled, and give way.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let begun = std::time::Instant::now();
    for (address, request) in [
        (&serving, "GET /best-models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        (
            &training,
            "POST /train HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        ),
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "200" | "400" | "404" | "422"), "{request}: {answer}");
    }
    println!("both answered within {:?} beside {} silent connections", begun.elapsed(), silent.len());
    drop(silent);
}

#[test]
fn hostile_names_are_shown_escaped_in_errors() {
    let hostile = "no\u{1b}]0;such\u{7}\n\u{202e}file";
    for arguments in [
        vec![format!("--config.file={hostile}")],
        vec![format!("--web.token-file={hostile}"), "--web.listen-address=127.0.0.1:0".into(), "--meter=fake".into()],
        vec![format!("--meter=replay={hostile}")],
        vec![format!("@{hostile}")],
        vec![hostile.to_owned()],
        vec![format!("--{hostile}")],
        vec!["standards".into(), "show".into(), hostile.to_owned()],
        vec!["config".into(), "check".into(), hostile.to_owned()],
    ] {
        let output = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let said = text(&output.stderr) + &text(&output.stdout);
        assert_ne!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{arguments:?}: {said:?}");
    }
}

/// Files of others, each with the secret in another place.
fn files_of_others(secret: &str) -> Vec<(&'static str, String)> {
    vec![
        ("shadow", format!("root:$6${secret}$x:19000:0:99999:7:::\ndaemon:*:{secret}:0:99999:7:::\n")),
        ("secret.json", format!("{{\"rules\": \"{secret}\", \"password\": \"{secret}\", \"format\": \"{secret}\"}}")),
        ("list.json", format!("[\"{secret}\", {{\"zone\": \"{secret}\"}}]")),
        ("kubeconfig.yaml", format!("apiVersion: v1\nusers:\n- name: a\n  user: {{token: {secret}}}\n")),
        ("table.csv", format!("user,{secret}x\n{secret},{secret}\n")),
        ("key.pem", format!("-----BEGIN RSA PRIVATE KEY-----\n{secret}\n-----END RSA PRIVATE KEY-----\n")),
        ("words.txt", format!("{secret} {secret}\n")),
    ]
}

/// `--config.file=/etc/shadow` and its like: a user who may start the program may not read all that it can.
#[test]
fn no_flag_that_names_a_file_shows_what_a_file_of_others_holds() {
    let (folder, secret) = (tempfile::tempdir().unwrap(), "S3cretS3cret");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for (name, text) in files_of_others(secret) {
        let own = folder.path().join(name).join("standards");
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("x.json"), &text).unwrap();
        let path = folder.path().join(name).join(name);
        fs::write(&path, &text).unwrap();
        let (file, own) = (path.display().to_string(), own.display().to_string());
        let flag = |flag: &str| format!("--{flag}={file}");
        // A port that is taken ends those that would serve.
        let listen = format!("--web.listen-address={}", taken.local_addr().unwrap());
        let mut commands: Vec<Vec<String>> = ["config.file", "web.config-file"]
            .iter()
            .map(|name| vec!["serve".into(), "--meter=fake".into(), listen.clone(), flag(name)])
            .collect();
        commands.extend([
            vec!["config".into(), "check".into(), file.clone()],
            vec!["migrate".into(), file.clone()],
            vec!["serve".into(), format!("@{file}")],
            vec!["doctor".into(), format!("--meter=replay={file}")],
            vec!["doctor".into(), flag("calibration.path")],
            vec!["doctor".into(), flag("model.path")],
            vec!["bridge".into(), "http://127.0.0.1:1/mcp".into(), flag("token-file")],
            vec!["schedule".into(), "--duration=1h".into(), flag("intensity")],
            vec!["schedule".into(), "--duration=1h".into(), "--power=5".into(), flag("tariff")],
            vec!["regions".into(), flag("intensity"), "--source=kepler=http://127.0.0.1:1/metrics".into()],
            vec!["standards".into(), format!("--standards-dir={own}")],
            vec!["predict".into(), file.clone(), file.clone()],
            vec!["train".into(), file.clone(), format!("--output={own}/out.json")],
            vec!["eval".into(), file.clone(), file.clone()],
            vec!["model-server".into(), file.clone()],
            vec!["model-server".into(), own.clone(), listen.clone(), flag("web.config-file")],
        ]);
        for command in commands {
            // A refusal, or the port that may not be listened at, ends each of these at once.
            let output = run(&command.iter().map(String::as_str).collect::<Vec<_>>());
            let said = text_of(&output);
            // A migrated file shows what it is made from.
            let is_shown = command[0] == "migrate" && output.status.success();
            assert!(is_shown || !said.contains(secret), "{command:?}: {said}");
        }
    }
}

fn text_of(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[test]
fn a_web_configuration_that_is_faulty_is_an_error_not_silence() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yaml");
    fs::write(&file, "basic_auth_user: { me: secret }\n").unwrap();
    let output = run(&["serve", "--web.listen-address=127.0.0.1:0", &format!("--web.config-file={}", file.display())]);
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("flag `--web.config-file`: ") && message.contains("basic_auth_user"), "{message}");
    let output = run(&["serve", "--web.listen-address=127.0.0.1:0", "--web.config-file=no/such/web.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no/such/web.yaml"), "{}", text(&output.stderr));
}

#[test]
fn a_forced_meter_that_cannot_be_used_ends_with_3_and_a_remedy() {
    let empty = tempfile::tempdir().unwrap();
    let output = run(&["serve", "--web.listen-address=127.0.0.1:0", "--meter=powercap", &sysfs(&empty)]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("cannot measure with powercap") && text(&output.stderr).contains("remedy: "));
}

#[test]
fn a_taken_port_ends_with_4_and_names_address_and_owner() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["serve", &format!("--web.listen-address={address}")]);
    assert_eq!(output.status.code(), Some(4));
    let expected = format!("cannot listen at {address}: process {} (", std::process::id());
    assert!(text(&output.stderr).contains(&expected), "{}", text(&output.stderr));
}

#[test]
fn an_address_given_twice_is_named_as_such() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let flag = format!("--web.listen-address={free}");
    let output = run(&["serve", &flag, &flag]);
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("is it given twice?"), "{}", text(&output.stderr));
}

#[test]
fn it_serves_what_a_host_measures_and_stops_with_0_on_a_signal() {
    let tree = powercap_tree();
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let mut server = Server::start(&[&sysfs(&tree), "--kube.node-name=node-7", "--metrics=node"]);
        assert!(server.log.iter().any(|line| line.contains("measured by powercap")), "{:#?}", server.log);
        let answer = get(&server, "/metrics");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let joules = answer.lines().filter(|line| line.starts_with("kepler_node_cpu_joules_total{"));
        assert_eq!(joules.filter(|line| line.contains("node_name=\"node-7\"")).count(), 2, "{answer}");
        assert!(!answer.contains("kepler_process_"), "only the node was asked for");
        assert!(get(&server, "/livez").starts_with("HTTP/1.1 200"));
        assert_eq!(stop(&mut server, signal), Some(0));
    }
}

#[test]
fn tables_go_to_standard_output_and_json_logs_to_standard_error() {
    let tree = powercap_tree();
    let mut server = Server::start(&[&sysfs(&tree), "--exporter.stdout", "--log.format=json"]);
    for line in &server.log {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(message["level"].is_string() && message["message"].is_string(), "{line}");
    }
    let mut lines = BufReader::new(server.running.0.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("node: "), "{first}");
    assert!(lines.any(|line| line.unwrap().starts_with("package ")));
    drop(lines);
    assert_eq!(stop(&mut server, rustix::process::Signal::TERM), Some(0));
}

#[test]
fn without_an_exporter_it_measures_until_a_signal_and_says_that_nothing_is_shown() {
    let mut child = kepler(&["serve", "--no-exporter.prometheus"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    assert!(line.contains("nothing is shown"), "{line}");
    while !line.contains("processor time of processes") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended");
    }
    let _rest = std::thread::spawn(move || log.lines().for_each(drop));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn tools_say_in_korean_why_they_have_no_answer() {
    let korean = |arguments: &[&str]| {
        let output = run(arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.chars().any(|letter| ('가'..='힣').contains(&letter)), "{arguments:?}: {error}");
        error
    };
    assert!(korean(&["regions", "KR", "nowhere", "--lang=ko"]).contains("nowhere"));
    assert!(korean(&["assess", "x", "--standard=NONE", "--lang=ko", "--meter=fake"]).contains("NONE"));
    assert!(korean(&["standards", "show", "NONE", "--lang=ko"]).contains("NONE"));
    assert!(text(&run(&["regions", "KR", "nowhere"]).stderr).contains("unknown region `nowhere`"));
}
