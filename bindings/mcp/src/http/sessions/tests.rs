use super::known::{Heard, Known};
use super::*;
use rmcp::model::{ClientCapabilities, Implementation, InitializeRequestParams, ProtocolVersion};

const MINUTE: Duration = Duration::from_secs(60);

fn id(number: usize) -> SessionId {
    number.to_string().into()
}

fn handshake() -> SessionState {
    let client = Implementation::new("a client with much to say".repeat(1000), "1");
    let params = InitializeRequestParams::new(ClientCapabilities::default(), client);
    SessionState::new(params.with_protocol_version(ProtocolVersion::V_2025_06_18))
}

/// Sessions whose last requests are one second apart.
fn book(count: usize, begin: Instant) -> Known {
    let mut known = Known::new(10, MINUTE);
    for number in 0..count {
        known.enter(&id(number), begin + Duration::from_secs(number as u64));
        known.keep(&id(number), &handshake());
    }
    known
}

#[tokio::test]
async fn one_session_too_many_ends_the_one_that_was_quiet_longest() {
    let sessions = Sessions::new(2, MINUTE);
    let (first, _one) = sessions.create_session().await.unwrap();
    let (second, _two) = sessions.create_session().await.unwrap();
    assert!(sessions.has_session(&first).await.unwrap(), "heard of again, so the second is the oldest");
    let (third, _three) = sessions.create_session().await.unwrap();
    let mut open = Vec::new();
    for id in [&first, &second, &third] {
        open.push(sessions.has_session(id).await.unwrap());
    }
    assert_eq!(open, [true, false, true]);
}

#[test]
fn the_quietest_sleep_where_too_many_are_awake() {
    let begin = Instant::now();
    let mut known = book(5, begin);
    let now = begin + Duration::from_secs(5);
    assert_eq!(known.tired(PAUSE, 5, now), []);
    assert_eq!(known.tired(PAUSE, 3, now), [id(0), id(1)]);
    assert_eq!(known.hear(&id(0), now), Heard::FallingAsleep);
    known.closed(&id(0));
    assert_eq!(known.hear(&id(0), now), Heard::AsleepOrUnknown);
    let kept = known.handshake("0").unwrap().initialize_params;
    assert_eq!((kept.protocol_version, kept.client_info.name.len() < 100), (ProtocolVersion::V_2025_06_18, true));
    known.enter(&id(0), now);
    assert_eq!(known.hear(&id(0), now), Heard::Awake);
    assert_eq!(known.tired(Duration::from_secs(3), 0, now), [id(2)], "the others were heard of since");
}

#[test]
fn a_session_with_a_request_under_way_neither_sleeps_nor_expires() {
    let begin = Instant::now();
    let mut known = book(1, begin);
    let request = known.busy(&id(0));
    let late = begin + MINUTE * 2;
    assert_eq!((known.tired(PAUSE, 0, late), known.expired(late)), (vec![], vec![]));
    drop(request);
    assert_eq!((known.tired(PAUSE, 0, late), known.expired(late)), (vec![id(0)], vec![id(0)]));
    assert!(!known.any());
}

#[test]
fn a_listener_keeps_the_session_and_learns_of_its_end() {
    let begin = Instant::now();
    let mut known = book(1, begin);
    let (listening, ended) = known.listen(&id(0)).unwrap();
    let late = begin + MINUTE * 2;
    assert_eq!(known.expired(late), []);
    assert!(!ended.is_cancelled());
    drop(listening);
    assert_eq!(known.expired(late), [id(0)]);
    assert!(ended.is_cancelled());
}

#[test]
fn a_session_that_ends_by_itself_is_forgotten() {
    let begin = Instant::now();
    let mut known = book(1, begin);
    known.closed(&id(0));
    assert!(!known.any());
}

#[test]
fn a_session_without_a_handshake_never_sleeps_as_it_could_not_be_woken() {
    let begin = Instant::now();
    let mut known = Known::new(10, MINUTE);
    known.enter(&id(0), begin);
    assert_eq!(known.tired(PAUSE, 0, begin + PAUSE), []);
}
