use super::*;

#[test]
fn a_value_and_its_bound_differ_in_each_language() {
    let metric = crate::standards::Metric::EmissionsPerHour;
    let limit = crate::standards::Limit::AtMost(20.0);
    let message = Message::from(VerdictMessage::Bound { metric, value: 20.000_1, limit, is_met: false });
    let english = message.render(Lang::En);
    assert_eq!(english, "The emissions per hour of 20.0001 gCO2e/h does not meet the limit of at most 20 gCO2e/h.");
    assert_eq!(message.render(Lang::Ko), "시간당 배출량 20.0001 gCO2e/h, 기준 20 gCO2e/h 이하를 충족하지 못합니다.");
}

#[test]
fn the_words_of_other_programs_are_shown_as_they_are() {
    let message = Message::from("connection refused");
    assert_eq!(message.render(Lang::Ko), "connection refused");
    assert_eq!(message.to_string(), "connection refused");
}

#[test]
fn a_sentence_is_said_once() {
    let messages = ["a", "b", "a"].map(Message::from);
    assert_eq!(render_all(&messages, Lang::En), ["a", "b"]);
}

#[test]
fn errors_are_korean_for_those_who_ask_in_korean() {
    use crate::tools::registry::language;
    use crate::tools::{ArgumentRemedy, ToolError};
    let unknown = ToolError::UnknownWorkload {
        name: "cart".into(),
        kind: None,
        range: "from a to b".into(),
        elsewhere: vec!["shop".into()],
        nearest: vec!["pod shop/carts".into()],
    };
    let nearest = vec!["shop".to_owned()];
    let nodes = ArgumentRemedy::Nodes { nearest: vec!["node-1".to_owned()], others: 7 };
    for (error, named) in [
        (unknown, "shop"),
        (invalid("threshold_watts", ArgumentRemedy::Between { from: "0".into(), to: "9".into() }), "9"),
        (invalid("limit", ArgumentRemedy::Page { most: 1000 }), "1000"),
        (invalid("step", ArgumentRemedy::LongerStep { most: 10 }), "10"),
        (invalid("namespace", ArgumentRemedy::NoNamespace), "namespace"),
        (invalid("namespace", ArgumentRemedy::Namespaces { nearest, others: 3 }), "3"),
        (invalid("node", nodes), "7"),
        (invalid("kind", ArgumentRemedy::NoControllers), "kind"),
        (invalid("deadline", ArgumentRemedy::Time), "24h"),
    ] {
        let korean = error.render(Lang::Ko);
        assert!(korean.contains(named) && korean.contains(|c| ('가'..='힣').contains(&c)), "{korean}");
        assert_eq!(error.render(Lang::En), error.to_string());
    }
    assert_eq!(language(&serde_json::json!("ko")), Lang::Ko);
    for other in [serde_json::json!("fr"), serde_json::json!(null), serde_json::json!([])] {
        assert_eq!(language(&other), Lang::En);
    }
}

fn invalid(argument: &'static str, remedy: crate::tools::ArgumentRemedy) -> crate::tools::ToolError {
    crate::tools::ToolError::InvalidArgument { argument, given: "x".into(), remedy }
}
