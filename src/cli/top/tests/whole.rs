//! Meters of the whole machine.

use super::*;
use kepler_core::platform::{PlatformMeter, PlatformScope};
use kepler_core::snapshot::{PlatformResidual, PlatformRow};

/// The host with a BMC that shows something and a plug that has become stale.
fn with_meters_of_the_whole() -> App {
    let mut app = app();
    let mut snapshot = (*snapshot(50, Method::Measured)).clone();
    let mut bmc = PlatformRow::new(PlatformMeter::new("redfish", "bmc-1", "1"));
    (bmc.power, bmc.age) = (Some(Power::from_watts(251.0)), Some(Duration::from_secs(4)));
    (bmc.energy, bmc.covered) = (Energy::from_joules(2510.0), Duration::from_secs(10));
    let mut rest = PlatformResidual::new(Arc::clone(&bmc.meter), Method::Estimated { error_ratio: 0.12 });
    rest.watts = Some(131.0);
    let plug = PlatformMeter::new("http", "plug", "").with(|plug| plug.scope = PlatformScope::Part);
    let mut plug = PlatformRow::new(plug);
    (plug.age, plug.fault) = (Some(Duration::from_secs(300)), Some("stale"));
    snapshot.platform = vec![bmc, plug];
    snapshot.platform_residual = Some(rest);
    app.take(Event::Frame(Box::new(Frame::of(&Arc::new(snapshot), "node-1", &mut Names::default()))));
    app
}

#[test]
fn meters_of_the_whole_machine_are_shown_with_age_and_fault_and_what_is_left() {
    let mut app = with_meters_of_the_whole();
    let shown = screen(&mut app, 120, 24);
    let line = shown.lines().find(|line| line.contains("redfish")).unwrap_or(&shown);
    let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words, "redfish bmc-1/1 251 W 4 s old http plug part unknown 5 min old stale rest ~131 W ±12 %");
    let table = render(&app, Format::Table, 10, Instant::now());
    let lines =
        "redfish bmc-1/1  251 W, 4 s old\nhttp plug part  unknown, 5 min old, stale\nrest (redfish)  ~131 W ±12 %\n";
    assert!(table.contains(lines), "{table}");
    let json: serde_json::Value = serde_json::from_str(&render(&app, Format::Json, 10, Instant::now())).unwrap();
    assert_eq!(
        (&json["platform"][0]["power_watts"], &json["platform"][0]["covered_seconds"]),
        (&251.0.into(), &10.0.into())
    );
    assert_eq!(
        (&json["platform"][1]["power_watts"], &json["platform"][1]["fault"]),
        (&serde_json::Value::Null, &"stale".into())
    );
    assert_eq!(
        (&json["platform_residual"]["error_ratio"], &json["platform_residual"]["method"]),
        (&0.12.into(), &"estimated".into())
    );
}

#[test]
fn scripts_get_meters_of_the_whole_machine_as_rows_of_their_own_with_their_state() {
    let text = render(&with_meters_of_the_whole(), Format::Csv, 1, Instant::now());
    let (head, rows) = text.split_once('\n').unwrap();
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let columns = cells(head);
    let wanted =
        ["kind", "name", "power_watts", "energy_joules", "state", "error_ratio", "scope", "covered_seconds", "fault"];
    let of = |line: &str| {
        let cells = cells(line);
        assert_eq!(cells.len(), columns.len(), "{line}");
        wanted.map(|wanted| cells[columns.iter().position(|column| column == wanted).unwrap()].clone())
    };
    let rows: Vec<_> = rows.lines().map(of).collect();
    assert_eq!(rows.len(), 4, "a limit is one of workloads: {text}");
    assert_eq!((rows[0][0].as_str(), &rows[0][6..]), ("pod", ["", "", ""].map(str::to_owned).as_slice()));
    assert_eq!(rows[1], ["platform", "\"redfish bmc-1/1\"", "251", "2510", "measured", "", "node", "10", ""]);
    // What is not known is empty, not zero.
    assert_eq!(rows[2], ["platform", "\"http plug part\"", "", "", "unknown", "", "part", "0", "stale"]);
    assert_eq!(rows[3], ["platform_residual", "", "131", "", "estimated", "0.12", "", "0", ""]);
}
