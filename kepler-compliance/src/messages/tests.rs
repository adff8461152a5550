use super::*;

#[test]
fn a_value_and_its_bound_are_told_apart_in_each_language() {
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
