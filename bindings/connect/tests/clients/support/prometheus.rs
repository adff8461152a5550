//! A real Prometheus.
#![allow(clippy::print_stderr, reason = "a skipped test says why")]

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const BINARY: &str = "/usr/bin/prometheus";

/// Kills the server when the test ends, however it ends.
pub(crate) struct Prometheus {
    process: Child,
    pub(crate) url: String,
    _folder: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A server that scrapes each second; none where it is not installed.
pub(crate) fn prometheus(targets: &[String]) -> Option<Prometheus> {
    prometheus_of(&[("kepler", targets)])
}

/// A server with jobs and what they scrape.
pub(crate) fn prometheus_of(jobs: &[(&str, &[String])]) -> Option<Prometheus> {
    if !Path::new(BINARY).exists() {
        eprintln!("SKIPPED: {BINARY} is not installed (Debian package `prometheus`)");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("prometheus.yml");
    let job = |(name, targets): &(&str, &[String])| {
        format!("{{job_name: {name}, static_configs: [{{targets: {targets:?}}}]}}")
    };
    let scrape = format!("scrape_configs: [{}]", jobs.iter().map(job).collect::<Vec<_>>().join(","));
    writeln!(fs::File::create(&config).unwrap(), "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n{scrape}")
        .unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let process = Command::new(BINARY)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--log.level=error")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    Some(Prometheus { process, url: format!("http://{address}"), _folder: folder })
}
