//! Screens as they are drawn, and what keys do to them.
//!
//! `KEPLER_GOLDEN=write cargo test --bin kepler top::` writes the screens again; look at them before they are committed.

mod whole;

use super::event::Event;
use super::keys::{After, press};
use super::model;
use super::model::frame::{Frame, Parts, Trust};
use super::model::item::{Names, Who};
use super::model::past::{Interval, Moment, Workloads};
use super::model::rates::{Rates, Today};
use super::once::{Format, render};
use super::state::{App, Manner, Origin};
use super::view::{self, Palette};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use kepler_compliance::text::Lang;
use kepler_core::attribution::IdlePolicy;
use kepler_core::device::Device;
use kepler_core::host::Timestamp;
use kepler_core::meter::Method;
use kepler_core::snapshot::{DeviceRow, DeviceUse, NodeZone, PowerInterval, Row, Snapshot, State, ZonePower};
use kepler_core::units::{Energy, Power, ZoneKind};
use kepler_core::workload::{ContainerInfo, PodInfo, ProcessInfo, UnitInfo, WorkloadKind};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

const START: u64 = 1_790_000_000;

fn row<Info>(info: impl Into<Arc<Info>>, watts: f64, joules: f64) -> Row<Info> {
    let mut row = Row::new(info, State::Running);
    row.power[ZoneKind::Package] = Power::from_watts(watts);
    row.energy[ZoneKind::Package] = Energy::from_joules(joules);
    row.cpu_time = Duration::from_secs_f64(joules / 10.0);
    row
}

/// A host at its `tick`th second: 30 W idle, a pod with names that are hard to show, a unit.
fn snapshot(tick: u64, method: Method) -> Arc<Snapshot> {
    let mut at = Timestamp::now();
    at.wall = SystemTime::UNIX_EPOCH + Duration::from_secs(START + tick);
    let mut snapshot = Snapshot::empty(at);
    snapshot.sequence = tick + 1;
    snapshot.interval = Duration::from_secs(u64::from(tick > 0));
    let seconds = tick as f64;
    let mut zone = NodeZone::new("/", "model", method);
    if tick > 0 {
        let [total, active, idle] = [50.0, 20.0, 30.0].map(Power::from_watts);
        zone.power = Some(ZonePower::new(total, active, idle));
        if method.error_ratio().is_some() {
            zone.interval = Some(PowerInterval::new(Power::from_watts(40.0), Power::from_watts(60.0)));
        }
    }
    zone.energy = Energy::from_joules(50.0 * seconds);
    zone.active_energy = Energy::from_joules(20.0 * seconds);
    zone.idle_energy = Energy::from_joules(30.0 * seconds);
    zone.unattributed_energy = Energy::from_joules(2.0 * seconds);
    snapshot.node.zones[ZoneKind::Package] = Some(zone);
    (snapshot.node.usage_ratio, snapshot.node.processors) = (0.25, 8);
    let mut pod = PodInfo::new("0c5e-11");
    (pod.name, pod.namespace) = ("결제-서버-7f9".into(), "상점".into());
    let pod = Arc::new(pod);
    let mut web = ContainerInfo::new("f00dfeed", "containerd");
    (web.name, web.pod) = ("웹🚀앞단".into(), Some(Arc::clone(&pod)));
    let web = Arc::new(web);
    let unit = Arc::new(UnitInfo::new("ssh.service", "/system.slice/ssh.service"));
    let process = |pid, name: &str, change: &dyn Fn(&mut ProcessInfo)| {
        let mut info = ProcessInfo::new(pid, 7, name);
        change(&mut info);
        info
    };
    let inside: &dyn Fn(&mut ProcessInfo) = &|info| info.container = Some(Arc::clone(&web));
    snapshot.processes = vec![
        row(process(11, "nginx", inside), 9.0, 9.0 * seconds),
        row(process(12, "e\u{301}vil\u{202e}gpj\u{1b}[2J", inside), 3.0, 3.0 * seconds),
        row(process(21, "sshd", &|info| info.unit = Some(Arc::clone(&unit))), 4.0, 4.0 * seconds),
        row(process(31, "asleep", &|_| {}), 0.0, 0.0),
    ];
    snapshot.containers = vec![row(Arc::clone(&web), 13.0, 13.0 * seconds)];
    snapshot.pods = vec![row(pod, 13.0, 13.0 * seconds)];
    snapshot.units = vec![row(unit, 4.0, 4.0 * seconds)];
    Arc::new(snapshot)
}

fn app_of(method: Method, lang: Lang) -> App {
    let origin = Origin::Server("http://127.0.0.1:28282".into());
    let manner = Manner { tree: true, span: 0, ..Manner::default() };
    let mut app = App::new(lang, origin, Duration::from_secs(1), manner, TimeZone::UTC);
    app.take(Event::Rates(Rates {
        grams_per_kwh: Some(500.0),
        cost_per_kwh: Some(150.0),
        currency: Some("KRW".into()),
        place: "South Korea".into(),
        pue: Some(1.2),
    }));
    let mut names = Names::default();
    for tick in 0..40 {
        app.take(Event::Frame(Box::new(Frame::of(&snapshot(tick, method), "node-1", &mut names))));
    }
    app
}

fn app() -> App {
    app_of(Method::Estimated { error_ratio: 0.2 }, Lang::En)
}

/// The screen's lines. The cell behind a wide letter shows nothing.
fn screen(app: &mut App, width: u16, height: u16) -> String {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    view::draw(app, &mut buffer, Palette::new(false), Instant::now());
    let mut text = String::new();
    for y in 0..height {
        let (mut line, mut x) = (String::new(), 0);
        while x < width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += view::text::columns(symbol).max(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn golden(name: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/top").join(name);
    if std::env::var_os("KEPLER_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, shown).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(shown, expected, "{name}:\n{shown}");
}

fn keys(app: &mut App, text: &str) {
    for c in text.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            '←' => KeyCode::Left,
            '→' => KeyCode::Right,
            '↓' => KeyCode::Down,
            c => KeyCode::Char(c),
        };
        assert_eq!(press(app, KeyEvent::new(code, KeyModifiers::NONE)), After::Nothing);
    }
}

#[test]
fn every_size_shows_what_it_has_room_for() {
    for (width, height) in [(80, 24), (200, 50), (30, 10), (44, 14)] {
        golden(&format!("{width}x{height}.txt"), &screen(&mut app(), width, height));
    }
}

#[test]
fn nothing_that_acts_on_a_terminal_reaches_it_at_any_size() {
    for (width, height) in (0..100).step_by(7).flat_map(|width| [0, 1, 3, 7, 13, 30].map(|height| (width, height))) {
        for keys_before in ["", "?", "↓\n", "/x", "a"] {
            let mut app = app();
            screen(&mut app, 80, 24);
            keys(&mut app, keys_before);
            let shown = screen(&mut app, width, height);
            assert!(!shown.chars().any(|c| c != '\n' && kepler_core::printable::acts(c)), "{width}x{height}: {shown}");
        }
    }
}

#[test]
fn korean_takes_two_columns_a_syllable_and_keeps_the_columns_straight() {
    let mut app = app_of(Method::Measured, Lang::Ko);
    golden("korean.txt", &screen(&mut app, 80, 24));
    keys(&mut app, "?");
    golden("korean-help.txt", &screen(&mut app, 80, 30));
}

#[test]
fn a_workload_is_looked_into_with_its_zones_and_members() {
    let mut app = app();
    // Keys go by what is on the screen.
    screen(&mut app, 80, 24);
    keys(&mut app, "↓\n");
    golden("zoom.txt", &screen(&mut app, 80, 24));
    keys(&mut app, "\u{1b}");
    assert!(app.zoom.is_none());
}

/// The host with this many devices, of which `nginx` uses the first.
fn with_devices(count: u32) -> App {
    let mut app = app();
    let mut snapshot = (*snapshot(50, Method::Measured)).clone();
    let device = |index| {
        let device = Device::new(format!("GPU-{index}"), "nvidia", "H200").with(|device| device.index = index);
        let mut row = DeviceRow::new(device, "nvml", Method::Measured);
        row.energy = Energy::from_joules(9000.0);
        if index == 0 {
            let [total, active, idle] = [300.0, 250.0, 50.0].map(Power::from_watts);
            (row.power, row.utilisation) = (Some(ZonePower::new(total, active, idle)), Some(0.9));
            row.idle_policy = Some(IdlePolicy::Baseline);
        } else {
            row.fault = Some("timeout");
        }
        row
    };
    snapshot.devices = (0..count).map(device).collect();
    snapshot.processes[0].devices = vec![DeviceUse::new(0, Energy::from_joules(500.0), Power::from_watts(125.0))];
    app.take(Event::Frame(Box::new(Frame::of(&Arc::new(snapshot), "node-1", &mut Names::default()))));
    app
}

#[test]
fn devices_are_shown_with_their_idle_part_and_their_fault_and_what_a_workload_uses_of_them() {
    let mut app = with_devices(2);
    let shown = screen(&mut app, 100, 24);
    assert!(shown.contains("gpu0 H200 300 W idle 50.0 90 %   gpu1 H200 unknown timeout\n"), "{shown}");
    assert!(screen(&mut app, 40, 24).contains("gpu0 H200 300 W idle 50.0 90 %\ngpu1 H200 unknown timeout\n"));
    let mut many = with_devices(16);
    let shown = screen(&mut many, 80, 24);
    assert_eq!((shown.matches("gpu").count(), shown.contains("+11")), (5, true), "{shown}");
    assert!(shown.contains("nginx"), "the workloads have room: {shown}");
    // The third line of the table.
    keys(&mut app, "↓↓↓\n");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.lines().any(|line| line.split_whitespace().eq(["gpu0", "125", "W", "500", "J"])), "{shown}");
    keys(&mut app, "←");
    assert!(!screen(&mut app, 80, 24).contains("H200"), "of the past they are not known");
}

#[test]
fn scripts_get_devices_as_well() {
    let app = with_devices(2);
    let json: serde_json::Value = serde_json::from_str(&render(&app, Format::Json, 10, Instant::now())).unwrap();
    assert_eq!(json["devices"][0]["idle_watts"], 50.0);
    assert_eq!(
        (&json["devices"][1]["power_watts"], &json["devices"][1]["fault"]),
        (&serde_json::Value::Null, &"timeout".into())
    );
    let nginx = json["workloads"].as_array().unwrap().iter().find(|row| row["name"] == "nginx").unwrap();
    assert_eq!(nginx["devices"], serde_json::json!([{"gpu": 0, "power_watts": 125.0, "energy_joules": 500.0}]));
    let table = render(&app, Format::Table, 10, Instant::now());
    assert!(table.contains("gpu0 H200  300 W, idle 50.0 W, 90 %\ngpu1 H200  unknown, timeout\n"), "{table}");
}

#[test]
fn a_filter_is_typed_in_either_case_and_cleared() {
    let mut app = app();
    keys(&mut app, "/SSH");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("ssh.service") && shown.contains("  sshd") && !shown.contains("nginx"), "{shown}");
    assert!(shown.contains("/ssh▏"), "{shown}");
    keys(&mut app, "\n");
    assert!(screen(&mut app, 80, 24).ends_with("/ssh\n"));
    keys(&mut app, "\u{1b}");
    assert!(screen(&mut app, 80, 24).contains("nginx"));
    keys(&mut app, "/결제\n");
    assert!(screen(&mut app, 80, 24).contains("결제-서버"));
    // What is looked into shows all that it contains.
    keys(&mut app, "↓\n");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("nginx") && shown.contains("Esc back"), "{shown}");
}

#[test]
fn what_draws_nothing_is_shown_where_it_is_asked_for() {
    let mut app = app();
    assert!(!screen(&mut app, 80, 24).contains("asleep"));
    keys(&mut app, "a");
    assert!(screen(&mut app, 80, 24).contains("asleep"));
}

#[test]
fn units_go_round_and_an_unknown_rate_leaves_blanks() {
    let mut app = app();
    let head = |app: &mut App| screen(app, 80, 24).lines().nth(7).unwrap().to_owned();
    assert!(head(&mut app).contains("W▼") && head(&mut app).contains(" J "));
    keys(&mut app, "u");
    assert!(head(&mut app).contains(" Wh "));
    keys(&mut app, "u");
    assert!(head(&mut app).contains("g/h▼"), "{}", head(&mut app));
    // 13 W at 500 g/kWh.
    assert!(screen(&mut app, 80, 24).contains("~6.50"));
    keys(&mut app, "u");
    assert!(head(&mut app).contains("KRW/h▼"));
    app.rates.cost_per_kwh = None;
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("unknown KRW/h") && !shown.contains("0.00"), "{shown}");
}

#[test]
fn time_is_gone_back_in_and_a_pause_keeps_the_moment() {
    let mut app = app();
    assert!(screen(&mut app, 80, 24).contains("live"));
    keys(&mut app, "←←");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("PAST") && shown.contains("14:13:57") && shown.contains("nginx"), "{shown}");
    keys(&mut app, "→→ ");
    let before = app.shown().unwrap().0;
    app.take(Event::Frame(Box::new(Frame::of(&snapshot(40, Method::Measured), "node-1", &mut Names::default()))));
    assert_eq!(app.shown().unwrap().0, before);
    assert!(screen(&mut app, 80, 24).contains("PAUSED"));
    keys(&mut app, " ");
    assert!(app.shown().unwrap().0 > before);
}

#[test]
fn moments_before_the_session_are_asked_for_and_shown_when_the_answer_comes() {
    let mut app = app();
    let at = |seconds: i64| jiff::Timestamp::from_second(START as i64 - seconds).unwrap();
    let time = |ago: i64| Interval { from: at(ago + 10), to: at(ago) };
    let parts = Some(Parts { total: 44.0, idle: 30.0, unattributed: Some(1.0) });
    let older = [30, 20, 10].map(|ago| Moment {
        time: time(ago),
        trust: Trust::Measured,
        parts,
        workloads: Workloads::NotWatched,
    });
    app.take(Event::History(older.into()));
    keys(&mut app, "[".repeat(40).as_str());
    assert_eq!(app.shown().unwrap().0, at(30), "as far back as is known");
    keys(&mut app, "→");
    assert_eq!(app.wanted().past, Some(time(20)));
    assert!(screen(&mut app, 80, 24).contains("asking who drew it then"));
    let who = |id: u64, name: &str| Who {
        id,
        kind: WorkloadKind::Unit,
        name: name.into(),
        detail: String::new(),
        namespace: String::new(),
        pid: None,
        parent: None,
    };
    let row = |id, name: &str, watts| model::item::Row {
        who: Arc::new(who(id, name)),
        watts: Some(watts),
        joules: watts * 10.0,
        cpu_seconds: 5.0,
        zones: Vec::new(),
        devices: Vec::new(),
    };
    app.take(Event::Past(time(20), Some(vec![row(1, "cron.service", 9.0), row(2, "db.service", 4.0)])));
    assert_eq!(app.wanted().past, None, "it is asked once");
    let shown = screen(&mut app, 80, 24);
    let line = shown.lines().find(|line| line.contains("cron.service")).unwrap();
    assert!(
        line.contains("9.00") && line.contains("20.5") && line.contains("50.0"),
        "watts, share of 44 W, CPU: {line}"
    );
    assert!(!line.contains("90.0") && !line.contains('~'), "no energy of this session, and measured then: {line}");
    keys(&mut app, "→");
    app.take(Event::Past(time(10), None));
    assert!(screen(&mut app, 80, 24).contains("is not known"));
    keys(&mut app, "]".repeat(40).as_str());
    assert!(screen(&mut app, 80, 24).contains("live"));
}

#[test]
fn a_thread_that_panics_ends_the_view() {
    let (events, happened) = std::sync::mpsc::channel();
    super::start("panics", &events, |_| panic!("on purpose")).unwrap();
    let event = happened.recv().unwrap();
    assert!(matches!(event, Event::Fault));
    let mut app = app();
    app.take(event);
    assert!(app.ended && app.failed);
}

#[test]
fn totals_of_the_session_are_reset() {
    let mut app = app();
    assert_eq!(app.session().1, Some(50.0 * 39.0));
    keys(&mut app, "r");
    assert_eq!(app.session().1, Some(0.0));
    app.take(Event::Frame(Box::new(Frame::of(&snapshot(41, Method::Measured), "node-1", &mut Names::default()))));
    assert_eq!(app.session().1, Some(100.0));
    // Another program at the same address counts from zero.
    app.take(Event::Frame(Box::new(Frame::of(&snapshot(1, Method::Measured), "node-1", &mut Names::default()))));
    assert_eq!(app.session().1, Some(150.0));
}

#[test]
fn the_day_goes_on_between_two_answers_about_it() {
    let mut app = app();
    let today =
        Today { joules: Some(7200.0), grams: Some(1.0), coverage: 0.5, trust: Trust::Measured, ..Today::default() };
    app.take(Event::Today(today));
    assert!(screen(&mut app, 80, 24).contains("today 7200 J, 1.00 gCO2e (50 % known)"));
    // Two seconds of 50 W at 500 g/kWh.
    app.take(Event::Frame(Box::new(Frame::of(&snapshot(41, Method::Measured), "node-1", &mut Names::default()))));
    let today = app.today().unwrap();
    assert_eq!((today.joules, today.cost), (Some(7300.0), None));
    assert!((today.grams.unwrap() - 1.0 - 100.0 / 3.6e6 * 500.0).abs() < 1e-9);
}

#[test]
fn a_server_that_is_gone_is_said_and_its_figures_stay_with_their_age() {
    let mut app = app();
    app.take(Event::Problem("http://127.0.0.1:28282 cannot be reached".into()));
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("STALE") && shown.contains("cannot be reached") && shown.contains("nginx"), "{shown}");
    app.take(Event::Frame(Box::new(Frame::of(&snapshot(40, Method::Measured), "node-1", &mut Names::default()))));
    assert!(!screen(&mut app, 80, 24).contains("STALE"));
}

#[test]
fn without_a_second_reading_power_is_unknown_and_not_zero() {
    let mut app = app();
    app.frame = None;
    app.take(Event::Frame(Box::new(Frame::of(&snapshot(0, Method::Measured), "node-1", &mut Names::default()))));
    keys(&mut app, "a");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("unknown") && shown.contains("second reading") && !shown.contains("0.00 W"), "{shown}");
    assert!(
        shown.lines().any(|line| line.starts_with("                            0 pod")),
        "no power, no share, no CPU: {shown}"
    );
}

#[test]
fn one_moment_is_valid_json_and_csv_with_the_state_of_each_figure() {
    let app = app();
    let json: serde_json::Value = serde_json::from_str(&render(&app, Format::Json, 3, Instant::now())).unwrap();
    assert_eq!(json["workloads"].as_array().unwrap().len(), 3);
    assert_eq!((&json["method"], &json["power_watts"]["unattributed"]), (&"estimated".into(), &2.0.into()));
    assert_eq!(json["workloads"][0]["state"], "estimated");
    assert_eq!(json["workloads"][0]["name"], "결제-서버-7f9");
    let csv = render(&app, Format::Csv, 100, Instant::now());
    let rows: Vec<&str> = csv.trim_end().split('\n').collect();
    assert!(rows.iter().all(|row| row.split(',').count() == 18), "{csv}");
    assert!(rows[1].contains(",pod,결제-서버-7f9,상점,,13,507,6.5,") && rows[1].contains(",estimated,0.2"), "{csv}");
    assert!(!csv.contains('\u{202e}'));
    let table = render(&app, Format::Table, 100, Instant::now());
    assert!(table.contains("~50.0 W [40.0 - 60.0 W, 90 %]") && table.contains("~13.0"), "{table}");
    let measured = render(&app_of(Method::Measured, Lang::En), Format::Table, 100, Instant::now());
    assert!(!measured.contains('~'), "{measured}");
}
