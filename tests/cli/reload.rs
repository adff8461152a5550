//! SIGHUP: passwords and models are read again.

use crate::program::{self, kepler};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

/// A web configuration with one user, whose password's hash this is.
fn web_configuration(path: &Path, user: &str) {
    // "secret" at the lowest cost.
    let hash = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
    fs::write(path, format!("basic_auth_users: {{ {user}: \"{hash}\" }}\n")).unwrap();
}

#[test]
fn sighup_reads_passwords_again_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yaml");
    web_configuration(&file, "before");
    let child = kepler(&["serve", "--web.listen-address=127.0.0.1:0", "--meter=fake"])
        .arg(format!("--web.config-file={}", file.display()))
        .stderr(Stdio::piped())
        .spawn();
    let mut running = program::Running(child.unwrap());
    let mut log = BufReader::new(running.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let served = log.find(|line| line.contains("serving /metrics at 127.0.0.1:")).unwrap();
    let address = served.split_once(" at ").unwrap().1.split(',').next().unwrap().to_owned();
    web_configuration(&file, "after");
    rustix::process::kill_process(rustix::process::Pid::from_child(&running.0), rustix::process::Signal::HUP).unwrap();
    assert!(log.any(|line| line.contains("certificates and passwords are read again")));
    fs::write(&file, "basic_auth_users: { after: secret-in-plain }\n").unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_child(&running.0), rustix::process::Signal::HUP).unwrap();
    let refused = log.find(|line| line.contains("what was read before stays")).unwrap();
    assert!(refused.contains("is not a bcrypt hash") && !refused.contains("secret-in-plain"), "{refused}");
    let status = |credentials: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let head = format!("Host: localhost\r\nConnection: close\r\nAuthorization: Basic {credentials}");
        write!(stream, "GET /livez HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    // before:secret and after:secret in base64
    assert_eq!((status("YmVmb3JlOnNlY3JldA=="), status("YWZ0ZXI6c2VjcmV0")), ("401".to_owned(), "200".to_owned()));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn sighup_has_the_model_server_list_its_models_and_read_passwords_again() {
    let folder = tempfile::tempdir().unwrap();
    let (models, file) = (folder.path().join("models"), folder.path().join("web.yaml"));
    let published = Path::new("kepler-core/tests/fixtures/models/rack-0.7.11");
    copy(published, &models.join("rack-0.7.11"));
    web_configuration(&file, "before");
    let arguments = ["model-server", &models.display().to_string(), "--web.listen-address=127.0.0.1:0"];
    let child = kepler(&arguments).arg(format!("--web.config-file={}", file.display())).stderr(Stdio::piped()).spawn();
    let mut running = program::Running(child.unwrap());
    let mut log = BufReader::new(running.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let served = log.find(|line| line.contains("serving models at")).unwrap();
    let address = served.rsplit_once("//").unwrap().1.trim_end_matches('/').to_owned();
    let process = rustix::process::Pid::from_child(&running.0);
    let mut models_after_sighup = || {
        rustix::process::kill_process(process, rustix::process::Signal::HUP).unwrap();
        let listed = log.find(|line| line.ends_with(" models")).unwrap();
        assert!(log.any(|line| line.contains("certificates and passwords are read again")));
        listed.rsplit(' ').nth(1).unwrap().parse::<u32>().unwrap()
    };
    let before = models_after_sighup();
    copy(published, &models.join("rack-0.7.12"));
    web_configuration(&file, "after");
    let after = models_after_sighup();
    assert!(after > before, "{before} and {after}");
    let status = |credentials: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let head = format!("Host: localhost\r\nConnection: close\r\nAuthorization: Basic {credentials}");
        write!(stream, "GET /best-models HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    // before:secret and after:secret in base64
    assert_eq!((status("YmVmb3JlOnNlY3JldA=="), status("YWZ0ZXI6c2VjcmV0")), ("401".to_owned(), "200".to_owned()));
    // A directory that is gone leaves what was known.
    fs::rename(&models, folder.path().join("gone")).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::HUP).unwrap();
    assert!(log.any(|line| line.contains("the models known so far stay")));
    assert_eq!(status("YWZ0ZXI6c2VjcmV0"), "200");
}
