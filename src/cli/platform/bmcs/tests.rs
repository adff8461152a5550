use super::super::super::config::yaml;
use super::*;

fn read(text: &str) -> Result<BmcFile, String> {
    BmcFile::of(&yaml::parse(text).unwrap().root.unwrap(), Path::new("redfish.yaml"))
}

/// As Go Kepler's documentation has it.
const KEPLERS: &str = "\
nodes:
  worker-1: bmc-1
  worker-2: bmc-2
bmcs:
  bmc-1:
    endpoint: \"https://192.168.1.100\"
    username: \"admin\"
    password: \"secret\"
    insecure: true
  bmc-2:
    endpoint: \"https://192.168.1.101\"
    username: \"\"
    password: \"\"
";

#[test]
fn a_file_of_go_kepler_works_unchanged() {
    let file = read(KEPLERS).unwrap();
    assert_eq!(file.problems, [""; 0]);
    let bmc = file.of_node("worker-1").unwrap();
    assert_eq!(
        (bmc.endpoint.as_str(), bmc.insecure, bmc.origin.as_str()),
        ("https://192.168.1.100", true, "redfish.yaml:5")
    );
    assert_eq!(bmc.account.unwrap().user, "admin");
    let open = file.of_node("worker-2").unwrap();
    assert!(open.account.is_none() && !open.insecure && open.shared_with.is_empty());
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_the_rest_goes_on() {
    let file = read(
        "nodes:\n  a: one\n  b: none\n  a: two\n  c: two\nbmcs:\n  one:\n    username: x\n  two:\n    endpoint: https://h\n    \
         insecure: perhaps\n  three:\n    endpoint: https://h\n    usrname: x\n  four: https://h\n  five:\n    endpoint: h\n    password: hunter2\n",
    )
    .unwrap();
    for expected in [
        "redfish.yaml:3: node `b` has the BMC `none`, which is not under `bmcs:`",
        "redfish.yaml:4: node `a` stands in line 2 already",
        "redfish.yaml:7: BMC `one` has no `endpoint`; write `endpoint: https://ADDRESS`",
        "redfish.yaml:11: `insecure` of BMC `two` must be `true` or `false`",
        "redfish.yaml:14: unknown key `usrname` has no effect; did you mean `username`?",
        "redfish.yaml:15: BMC `four` must be a section with `endpoint:`",
        "redfish.yaml:16: BMC `five` has a `password` and no `username`",
    ] {
        assert!(file.problems.iter().any(|problem| problem == expected), "{expected}: {:#?}", file.problems);
    }
    assert!(!file.problems.iter().any(|problem| problem.contains("hunter2")));
    let of = |node: &str| file.of_node(node).unwrap_err();
    assert!(of("a").contains("redfish.yaml:4: node `a` has the BMC `two` here and `one` in line 2"), "{}", of("a"));
    assert!(of("b").contains("`none`, which is not under `bmcs:`"));
    assert!(of("c").contains("redfish.yaml:11"));
    assert!(of("d").contains("redfish.yaml:1: there is no node `d`"), "{}", of("d"));
}

#[test]
fn nodes_that_share_a_bmc_know_of_each_other_and_may_name_their_chassis() {
    let file = read("nodes:\n  blade-1: {bmc: frame, chassis: Blade-1}\n  blade-2: frame\nbmcs:\n  frame:\n    endpoint: https://h\n").unwrap();
    let first = file.of_node("blade-1").unwrap();
    assert_eq!((first.chassis.as_deref(), first.shared_with), (Some("Blade-1"), vec!["`blade-2`".to_owned()]));
    assert_eq!(file.of_node("blade-2").unwrap().chassis, None);
}

#[test]
fn a_hundred_nodes_load_and_an_empty_or_other_file_says_what_it_lacks() {
    use std::fmt::Write as _;
    let (mut nodes, mut bmcs) = (String::from("nodes:\n"), String::from("bmcs:\n"));
    for number in 0..100 {
        writeln!(nodes, "  node-{number}: bmc-{number}").unwrap();
        writeln!(bmcs, "  bmc-{number}:\n    endpoint: https://192.0.2.{number}\n    username: u\n    password: p")
            .unwrap();
    }
    let file = read(&(nodes + &bmcs)).unwrap();
    assert_eq!((file.nodes.len(), file.problems.len()), (100, 0));
    assert_eq!(file.of_node("node-99").unwrap().endpoint, "https://192.0.2.99");
    assert!(file.of_node("node-100").is_err());
    for (text, expected) in [
        ("nodes:\n  a: b\n", "it lists no bmcs"),
        ("bmcs:\n  a:\n    endpoint: h\n", "it lists no nodes"),
        ("nodes: 5\n", "redfish.yaml:1: `nodes` must be a section"),
        ("- a\n", "redfish.yaml:1: it has neither"),
    ] {
        assert!(read(text).unwrap_err().contains(expected), "{text}");
    }
}
