//! How the tests beside this folder start the real program.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot start the program fails")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

pub(crate) fn kepler(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kepler"));
    // Nothing of the environment that the tests run in may reach the program.
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    kepler(arguments).output().unwrap()
}

/// What a program wrote.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A process that is ended with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// A `kepler serve` that is ended with the test.
pub(crate) struct Server {
    pub(crate) running: Running,
    /// What it logged until it served.
    pub(crate) log: Vec<String>,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
}

impl Server {
    /// Starts at a free port, and waits for the line that says which.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Server::start_every("100ms", arguments)
    }

    /// The same with so much time between two readings.
    pub(crate) fn start_every(interval: &str, arguments: &[&str]) -> Self {
        let interval = format!("--monitor.interval={interval}");
        Server::launch(&[&["serve", &interval], arguments].concat())
    }

    /// Any verb that serves.
    pub(crate) fn launch(arguments: &[&str]) -> Self {
        Server::of(kepler(arguments))
    }

    /// Any command that serves.
    pub(crate) fn of(mut command: Command) -> Self {
        let child = command
            .arg("--web.listen-address=127.0.0.1:0")
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut running = Running(child);
        let mut log = Vec::new();
        let mut lines = BufReader::new(running.0.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("ended before it served: {log:#?}")).unwrap();
            let address = line.split_once("serving http://").and_then(|(_, rest)| rest.split_once("/"));
            let address = address.map(|(address, _)| address.to_owned());
            log.push(line);
            if let Some(address) = address {
                break address;
            }
        };
        // The log is no longer read, but the program must be able to write it.
        std::thread::spawn(move || lines.for_each(drop));
        Server { running, log, address }
    }
}
