//! Servers of a cluster that hang, restart, have too much to do or renew their certificates.

use crate::kubernetes::{access, api_server, options, wait_for};
use crate::support::cluster::{Authority, kubelet, recorded, service_account};
use crate::support::{Reply, Request, Server};
use kepler_connect::kubernetes::{Mode, Refresher};
use kepler_core::directory::Directory;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A connection that is dead without a word: nothing comes, and nothing ends.
#[test]
fn a_watch_that_is_silent_looks_old_and_is_begun_again() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    let watch = recorded("pods-watch.jsonl");
    let pieces: Vec<(Duration, String)> = watch.lines().map(|line| (Duration::ZERO, format!("{line}\n"))).collect();
    let dead = Reply::Stream(vec![(Duration::from_secs(60), String::new())]);
    let server = api_server(&authority, vec![dead, Reply::Stream(pieces)]);
    let mut options = options(access(&account, Some(&server)), "127.0.0.1:1", root.path());
    (options.mode, options.watch_silence) = (Mode::ApiServer, Duration::from_secs(2));
    let directory = Directory::new();
    let _refresher = Refresher::start(options, directory.clone()).unwrap();
    wait_for(&directory, |pods| !pods.is_empty());
    let heard = directory.status().read_at;
    directory.ask();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(directory.status().read_at, heard, "it looks no younger than its last word");
    wait_for(&directory, |pods| pods.iter().any(|pod| pod.name == "nightly-report-29931691-lvr65"));
    assert_ne!(directory.status().read_at, heard);
    let asked = server.asked();
    assert_eq!(asked.iter().filter(|request| !request.target.contains("watch=")).count(), 1, "it goes on from there");
    assert!(directory.status().faults.is_empty(), "{:?}", directory.status());
}

/// What a server of the cluster answers when it has too much to do (API priority and fairness), is respected.
#[test]
fn a_server_is_left_alone_for_as_long_as_it_asks() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    let busy = |_: &Request| {
        Reply::Full(429, vec![("retry-after", "120".into())], b"Too many requests, please try again later.\n".to_vec())
    };
    let (api, kubelet) = (
        Server::start_tls(authority.server(&["127.0.0.1"]), busy),
        Server::start_tls(authority.server(&["node-a"]), busy),
    );
    for mode in [Mode::ApiServer, Mode::Kubelet] {
        let mut options = options(access(&account, Some(&api)), &kubelet.address.to_string(), root.path());
        options.mode = mode;
        let directory = Directory::new();
        let _refresher = Refresher::start(options, directory.clone()).unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(4) {
            directory.ask();
            std::thread::sleep(Duration::from_millis(20));
        }
        let unavailable = directory.status().unavailable;
        assert!(unavailable.iter().any(|own| own.reason.contains("Too many requests")), "{unavailable:?}");
    }
    let pods = |server: &Server| server.asked().iter().filter(|request| request.path().ends_with("/pods")).count();
    assert_eq!((pods(&api), pods(&kubelet)), (2, 2), "each once a refresher");
}

/// As a kubelet that renews its certificate, or a cluster that changes its authority.
#[test]
fn certificates_are_read_again_when_their_files_change() {
    let (root, first, second) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    let account = service_account(root.path(), &Authority::new());
    std::fs::write(root.path().join("kubelet.crt"), &first.pem).unwrap();
    let renewed = Arc::new(AtomicBool::new(false));
    let (is_renewed, configs) = (renewed.clone(), [first.server(&["node-a"]), second.server(&["node-a"])]);
    let server = Server::start_tls_with(
        move || configs[usize::from(is_renewed.load(Ordering::Relaxed))].clone(),
        |request| kubelet(request, || Reply::ok(recorded("kubelet-pods.json"))),
    );
    let options = options(access(&account, None), &server.address.to_string(), root.path());
    let directory = Directory::new();
    let _refresher = Refresher::start(options, directory.clone()).unwrap();
    wait_for(&directory, |pods| !pods.is_empty());
    renewed.store(true, Ordering::Relaxed);
    let start = Instant::now();
    while !directory.status().faults.iter().any(|fault| fault.reason == "certificate") {
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", directory.status());
        std::thread::sleep(Duration::from_millis(20));
    }
    std::fs::write(root.path().join("kubelet.crt"), &second.pem).unwrap();
    let before = directory.status().refreshes;
    while directory.status().refreshes == before {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", directory.status());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(directory.status().unavailable.is_empty(), "{:?}", directory.status());
}

#[test]
fn an_api_server_that_restarts_is_followed_again() {
    let (root, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let account = service_account(root.path(), &authority);
    let first = api_server(&authority, vec![Reply::Stream(vec![(Duration::from_millis(500), String::new())])]);
    let mut options = options(access(&account, Some(&first)), "127.0.0.1:1", root.path());
    options.mode = Mode::ApiServer;
    let directory = Directory::new();
    let _refresher = Refresher::start(options, directory.clone()).unwrap();
    wait_for(&directory, |pods| !pods.is_empty());
    let address = first.address;
    drop(first);
    let start = Instant::now();
    while !directory.status().faults.iter().any(|fault| fault.source == "apiserver") {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", directory.status());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!directory.pods().is_empty(), "the last map is kept");
    let pieces = recorded("pods-watch.jsonl").lines().map(|line| (Duration::ZERO, format!("{line}\n"))).collect();
    let list = recorded("pods-of-node.json");
    let watches = Mutex::new(vec![Reply::Stream(pieces)]);
    let _second = Server::start_tls_at(address, authority.server(&["127.0.0.1"]), move |request| {
        if !request.target.contains("watch=true") {
            return Reply::ok(list.clone());
        }
        watches.lock().unwrap().pop().unwrap_or(Reply::Silent(Duration::from_secs(60)))
    });
    wait_for(&directory, |pods| pods.iter().any(|pod| pod.name == "nightly-report-29931691-lvr65"));
    assert_eq!(directory.pods().source(), Some("apiserver"));
}
