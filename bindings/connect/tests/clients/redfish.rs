//! Service processors that answer, refuse, hang, lie and are slow.

use crate::support::{Reply, Request, Server};
use kepler_connect::http::Secret;
use kepler_connect::redfish::{Bmc, BmcAccount, BmcLogin, RedfishPoller, probe};
use kepler_core::platform::{PlatformBoard, PlatformMeter, PlatformScope};
use kepler_core::units::{Energy, Power};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A BMC's resources by path.
pub(crate) type Tree = HashMap<String, Value>;

fn link(path: &str) -> Value {
    json!({ "@odata.id": path })
}

fn links(paths: &[&str]) -> Value {
    json!({ "Members": paths.iter().map(|path| link(path)).collect::<Vec<_>>() })
}

/// A BMC with these chassis, each with these further properties.
fn tree(chassis: &[(&str, Value)]) -> Tree {
    let mut tree = Tree::new();
    let root = json!({ "Chassis": link("/redfish/v1/Chassis"), "Links": { "Sessions": link("/redfish/v1/SessionService/Sessions") } });
    tree.insert("/redfish/v1/".into(), root);
    let paths: Vec<String> = chassis.iter().map(|(id, _)| format!("/redfish/v1/Chassis/{id}")).collect();
    tree.insert("/redfish/v1/Chassis".into(), links(&paths.iter().map(String::as_str).collect::<Vec<_>>()));
    for ((id, more), path) in chassis.iter().zip(paths) {
        let mut value = json!({ "Id": id, "Name": "Computer System Chassis" });
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        tree.insert(path, value);
    }
    tree
}

/// The older `Power` alone, as iDRAC and iLO have it.
pub(crate) fn with_power(watts: Value) -> Tree {
    let mut tree = tree(&[("1", json!({ "Power": link("/redfish/v1/Chassis/1/Power") }))]);
    let entry = json!({ "MemberId": "0", "Name": "System Power Control", "PowerConsumedWatts": watts });
    tree.insert("/redfish/v1/Chassis/1/Power".into(), json!({ "PowerControl": [entry] }));
    tree
}

/// Adds `EnvironmentMetrics` with a sensor behind them.
fn add_environment(tree: &mut Tree, watts: Value, time: &str) {
    let chassis = tree.get_mut("/redfish/v1/Chassis/1").unwrap();
    chassis["EnvironmentMetrics"] = link("/redfish/v1/Chassis/1/EnvironmentMetrics");
    let sensor = "/redfish/v1/Chassis/1/Sensors/TotalPower";
    let excerpt = json!({ "PowerWatts": { "Reading": watts, "DataSourceUri": sensor } });
    tree.insert("/redfish/v1/Chassis/1/EnvironmentMetrics".into(), excerpt);
    tree.insert(
        sensor.into(),
        json!({ "Id": "TotalPower", "Name": "Total Power", "Reading": watts, "ReadingTime": time }),
    );
}

/// Adds two power supplies, the second with this input power, and a third bay that is empty.
fn add_supplies(tree: &mut Tree, second: Value) {
    let base = "/redfish/v1/Chassis/1/PowerSubsystem";
    tree.get_mut("/redfish/v1/Chassis/1").unwrap()["PowerSubsystem"] = link(base);
    tree.insert(base.into(), json!({ "PowerSupplies": link(&format!("{base}/PowerSupplies")) }));
    let path = |id: &str| format!("{base}/PowerSupplies/{id}");
    tree.insert(format!("{base}/PowerSupplies"), links(&[&path("PS1"), &path("PS2"), &path("PS3")]));
    for (id, watts) in [("PS1", json!(120.5)), ("PS2", second)] {
        let metrics = format!("{}/Metrics", path(id));
        tree.insert(path(id), json!({ "Id": id, "Status": { "State": "Enabled" }, "Metrics": link(&metrics) }));
        tree.insert(metrics, json!({ "InputPowerWatts": { "Reading": watts }, "OutputPowerWatts": { "Reading": 90 } }));
    }
    tree.insert(path("PS3"), json!({ "Id": "PS3", "Status": { "State": "Absent" } }));
}

fn serve(tree: Tree) -> Server {
    Server::start(move |request| answer(&tree, request))
}

pub(crate) fn answer(tree: &Tree, request: &Request) -> Reply {
    match tree.get(request.path()) {
        Some(value) => Reply::ok(value.to_string()),
        None => Reply::status(404),
    }
}

pub(crate) fn bmc(server: &Server) -> Bmc {
    Bmc::new("bmc-1", server.url()).with(|bmc| {
        bmc.origin = "redfish.yaml:5".into();
        bmc.timeout = Some(Duration::from_secs(20));
        bmc.interval = Duration::from_millis(20);
    })
}

pub(crate) fn account() -> Option<BmcAccount> {
    Some(BmcAccount::new("monitor", Secret::new("hunter2")))
}

/// The one chassis that a BMC shows.
fn only(tree: Tree) -> (PlatformMeter, f64) {
    let server = serve(tree);
    let (mut found, _) = probe(&bmc(&server)).unwrap();
    assert_eq!(found.len(), 1);
    let found = found.remove(0);
    (found.meter, found.reading.power.watts())
}

fn wait_for(what: &str, is_true: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_true() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn of_three_figures_the_best_that_answers_is_chosen_and_named() {
    let now = jiff::Timestamp::now().to_string();
    let mut tree = with_power(json!(250));
    assert_eq!(described(&only(tree.clone())), ("PowerControl", "0", "System Power Control", 250.0));
    add_supplies(&mut tree, json!(130.0));
    assert_eq!(described(&only(tree.clone())), ("PowerSupply", "PS1+PS2", "Input power of all power supplies", 250.5));
    add_environment(&mut tree, json!(251.25), &now);
    assert_eq!(described(&only(tree)), ("EnvironmentMetrics", "TotalPower", "Total Power", 251.25));
}

fn described((meter, watts): &(PlatformMeter, f64)) -> (&'static str, &'static str, &'static str, f64) {
    // Texts of a test live as long as it does.
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    (leak(&meter.source_type), leak(&meter.source_id), leak(&meter.source_name), *watts)
}

#[test]
fn a_figure_that_is_null_absurd_or_years_old_gives_way_to_the_next() {
    let now = jiff::Timestamp::now().to_string();
    for (watts, time) in
        [(json!(null), now.as_str()), (json!(160_000), &now), (json!(0), &now), (json!(300), "2019-03-01T00:00:00Z")]
    {
        let mut tree = with_power(json!(250));
        add_environment(&mut tree, watts.clone(), time);
        // One supply does not tell: their sum is not the machine's.
        add_supplies(&mut tree, json!(null));
        assert_eq!(described(&only(tree)).0, "PowerControl", "{watts} {time}");
    }
}

#[test]
fn what_is_shown_and_not_believed_is_shown_all_the_same_where_there_is_nothing_better() {
    let mut tree = with_power(json!(null));
    add_environment(&mut tree, json!(300), "2019-03-01T00:00:00Z");
    let server = serve(tree);
    let board = PlatformBoard::default();
    let meter = PlatformMeter::new("redfish", "bmc-1", "1").with(|meter| {
        meter.source_type = "EnvironmentMetrics".into();
        meter.source_id = "TotalPower".into();
    });
    let _poller = RedfishPoller::start(bmc(&server), board.clone());
    wait_for("a stale reading is named", || board.fault(&meter) == Some("stale"));
    assert_eq!(board.energy(&meter), Some(Energy::ZERO));
}

/// A BMC with sessions: which tokens are good, and what was asked with which.
#[derive(Clone, Default)]
struct Sessions {
    good: Arc<Mutex<Vec<String>>>,
    begun: Arc<AtomicUsize>,
}

impl Sessions {
    fn answer(&self, tree: &Tree, request: &Request) -> Reply {
        let token = request.header("x-auth-token").unwrap_or_default().to_owned();
        let is_known = self.good.lock().unwrap().contains(&token);
        match (request.method.as_str(), request.path()) {
            ("GET", "/redfish/v1/") => answer(tree, request),
            ("POST", "/redfish/v1/SessionService/Sessions") => {
                let body: Value = serde_json::from_str(&request.body).unwrap();
                if body != json!({ "UserName": "monitor", "Password": "hunter2" }) {
                    return Reply::status(401);
                }
                let number = self.begun.fetch_add(1, Ordering::SeqCst);
                self.good.lock().unwrap().push(format!("token-{number}"));
                let location = format!("/redfish/v1/SessionService/Sessions/{number}");
                Reply::Full(
                    201,
                    vec![("X-Auth-Token", format!("token-{number}")), ("Location", location)],
                    b"{}".to_vec(),
                )
            }
            ("DELETE", _) if is_known => {
                self.good.lock().unwrap().retain(|good| *good != token);
                Reply::status(204)
            }
            _ if is_known => answer(tree, request),
            _ => Reply::status(401),
        }
    }
}

#[test]
fn a_session_is_begun_once_begun_again_when_it_has_ended_and_deleted_at_the_end() {
    let (sessions, tree) = (Sessions::default(), with_power(json!(250)));
    let server = Server::start({
        let sessions = sessions.clone();
        move |request| sessions.answer(&tree, request)
    });
    let board = PlatformBoard::default();
    let meter = PlatformMeter::new("redfish", "bmc-1", "1").with(|meter| {
        meter.source_type = "PowerControl".into();
        meter.source_id = "0".into();
    });
    let poller = RedfishPoller::start(bmc(&server).with(|bmc| bmc.account = account()), board.clone());
    wait_for("energy is counted", || board.energy(&meter).is_some_and(|energy| energy > Energy::ZERO));
    assert_eq!(sessions.begun.load(Ordering::SeqCst), 1);
    sessions.good.lock().unwrap().clear();
    wait_for("a second session", || sessions.begun.load(Ordering::SeqCst) == 2);
    let before = board.energy(&meter);
    wait_for("energy goes on", || board.energy(&meter) > before);
    drop(poller);
    assert_eq!(*sessions.good.lock().unwrap(), [""; 0], "the session was ended");
    assert!(server.asked().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn without_room_for_a_session_the_account_goes_with_each_request() {
    let tree = with_power(json!(250));
    let server = Server::start(move |request| match request.method.as_str() {
        // As iDRAC says it (RAC0218).
        "POST" => Reply::status(503),
        _ if request.path() == "/redfish/v1/" || request.header("authorization").is_some() => answer(&tree, request),
        _ => Reply::status(401),
    });
    let (found, _) = probe(&bmc(&server).with(|bmc| bmc.account = account())).unwrap();
    assert_eq!(found[0].reading.power, Power::from_watts(250.0));
    let only_sessions = bmc(&server).with(|bmc| {
        bmc.account = account().map(|mut account| {
            account.login = BmcLogin::Session;
            account
        });
    });
    assert_eq!(probe(&only_sessions).unwrap_err().fault(), "status");
}

#[test]
fn a_wrong_password_is_named_tried_once_and_shown_nowhere() {
    let server = Server::start(|request| match request.path() {
        "/redfish/v1/" => Reply::ok("{}"),
        _ => Reply::status(401),
    });
    let error = probe(&bmc(&server).with(|bmc| bmc.account = account())).unwrap_err();
    assert_eq!(error.fault(), "refused");
    let text = format!("{error} {error:?}");
    assert!(text.contains("check user and password") && !text.contains("hunter2"), "{text}");
    let logins = server.asked().iter().filter(|request| request.method == "POST").count();
    assert_eq!(logins, 1, "some BMCs lock out who tries again");
}

#[test]
fn answers_that_are_none_end_in_time_and_say_what_they_were() {
    let cases: [(Reply, &str); 7] = [
        (Reply::Silent(Duration::from_secs(2)), "timeout"),
        (Reply::Slow("{\"Chassis\":{}}".repeat(20), Duration::from_millis(50)), "timeout"),
        (Reply::Truncated("{\"Chassis\":{\"@odata.id\":\"/redfish/v1/Chassis\"}}".into()), "broken"),
        (Reply::ok("[".repeat(2 << 20)), "too_large"),
        (Reply::ok("<html>login</html>"), "malformed"),
        (Reply::Raw(b"\x16\x03\x01 no HTTP\r\n\r\n"), "broken"),
        (Reply::Full(302, vec![("Location", "http://192.0.2.1/redfish/v1/".into())], Vec::new()), "status"),
    ];
    for (reply, fault) in cases {
        let shown = format!("{reply:.60?}");
        let server = Server::start(move |_| reply.clone());
        let error = probe(&bmc(&server).with(|bmc| {
            if fault == "timeout" {
                bmc.timeout = Some(Duration::from_millis(300));
            }
        }))
        .unwrap_err();
        assert_eq!(error.fault(), fault, "{shown}: {error}");
    }
}

#[test]
fn a_redirect_and_a_link_are_followed_on_the_same_server_only() {
    let tree = with_power(json!(250));
    let server = Server::start(move |request| match request.path() {
        "/redfish/v1/Chassis" => Reply::Full(308, vec![("Location", "/redfish/v1/Chassis/".into())], Vec::new()),
        "/redfish/v1/Chassis/" => Reply::ok(tree["/redfish/v1/Chassis"].to_string()),
        _ => answer(&tree, request),
    });
    assert_eq!(probe(&bmc(&server)).unwrap().0.len(), 1);
    let other = serve(with_power(json!(666)));
    let mut tree = with_power(json!(250));
    tree.insert("/redfish/v1/Chassis".into(), links(&[&format!("{}/redfish/v1/Chassis/1", other.url())]));
    let server = serve(tree);
    assert_eq!(probe(&bmc(&server).with(|bmc| bmc.account = account())).unwrap_err().fault(), "no_chassis");
    assert!(other.asked().is_empty(), "the account goes to no other server");
}

#[test]
fn a_bmc_that_hangs_is_given_up_and_asked_again_until_it_answers() {
    let (tree, hangs) = (with_power(json!(250)), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&hangs);
    let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        0..2 => Reply::Silent(Duration::from_secs(60)),
        _ => answer(&tree, request),
    });
    let board = PlatformBoard::default();
    let meter = PlatformMeter::new("redfish", "bmc-1", "1").with(|meter| {
        meter.source_type = "PowerControl".into();
        meter.source_id = "0".into();
    });
    let poller =
        RedfishPoller::start(bmc(&server).with(|bmc| bmc.timeout = Some(Duration::from_secs(1))), board.clone());
    wait_for("it answers in the end", || board.energy(&meter).is_some());
    drop(poller);
}

/// Two blades of one BMC, and the enclosure that both are in.
fn enclosure() -> Tree {
    let power = |id: &str| json!({ "Power": link(&format!("/redfish/v1/Chassis/{id}/Power")) });
    let blade = |id: &str| {
        let mut chassis = power(id);
        chassis["Links"] = json!({ "ComputerSystems": [link(&format!("/redfish/v1/Systems/{id}"))] });
        chassis
    };
    let mut tree = tree(&[("Frame", power("Frame")), ("Blade1", blade("Blade1")), ("Blade2", blade("Blade2"))]);
    for (id, watts) in [("Frame", 900), ("Blade1", 300), ("Blade2", 400)] {
        let entry = json!({ "MemberId": "0", "PowerConsumedWatts": watts });
        tree.insert(format!("/redfish/v1/Chassis/{id}/Power"), json!({ "PowerControl": [entry] }));
    }
    for (id, name) in [("Blade1", "node-1"), ("Blade2", "node-2.example.org")] {
        tree.insert(format!("/redfish/v1/Systems/{id}"), json!({ "HostName": name }));
    }
    tree
}

#[test]
fn of_blades_that_share_a_bmc_each_node_reports_its_own() {
    let server = serve(enclosure());
    let shared = |name: &str| {
        let bmc = bmc(&server).with(|bmc| {
            bmc.shared_with = vec!["`another`".into()];
            bmc.host.name = name.into();
        });
        let (found, _) = probe(&bmc).unwrap();
        found.into_iter().map(|chassis| (chassis.meter.chassis_id.to_string(), chassis.meter.scope)).collect::<Vec<_>>()
    };
    assert_eq!(shared("node-1"), [("Blade1".to_owned(), PlatformScope::Node)]);
    assert_eq!(shared("node-2"), [("Blade2".to_owned(), PlatformScope::Node)]);
    // Nothing says which is whose: all is shown, and marked as not to be summed.
    let unknown = shared("node-3");
    assert_eq!(unknown.len(), 3);
    assert!(unknown.iter().all(|(_, scope)| *scope == PlatformScope::Shared));
    let named = bmc(&server).with(|bmc| {
        bmc.shared_with = vec!["`another`".into()];
        bmc.chassis = Some("Blade2".into());
    });
    let (found, _) = probe(&named).unwrap();
    assert_eq!((found.len(), found[0].meter.scope), (1, PlatformScope::Node));
    let missing = named.with(|bmc| bmc.chassis = Some("Blade9".into()));
    let error = probe(&missing).unwrap_err();
    assert_eq!(error.fault(), "no_chassis");
    assert!(error.to_string().contains("`Blade9`; it has `Frame`, `Blade1`, `Blade2`"), "{error}");
}
