use super::*;
use kepler_core::availability::Remedy;
use kepler_core::directory::ContainerEntry;
use kepler_core::workload::ContainerKind;
use std::collections::VecDeque;

/// Gives prepared answers, then fails.
struct Scripted(&'static str, VecDeque<Result<Vec<PodEntry>, &'static str>>);

impl super::super::source::PodSource for Scripted {
    fn name(&self) -> &'static str {
        self.0
    }

    fn is_local(&self) -> bool {
        self.0 == "files"
    }

    fn list(&mut self) -> Result<Vec<PodEntry>, SourceFailure> {
        let answer = self.1.pop_front().unwrap_or(Err("over"));
        answer.map_err(|fault| SourceFailure::new(fault, fault, Remedy::Wait))
    }
}

fn pod(uid: &str, id: &str) -> PodEntry {
    let mut pod = PodEntry::new(uid, format!("name-{uid}"), "shop");
    pod.containers = vec![ContainerEntry::new("web", ContainerKind::Regular, [id.to_owned()])];
    pod
}

fn refreshing(sources: Vec<Scripted>) -> Refreshing {
    Refreshing {
        directory: Directory::new(),
        sources: Sources::new(
            sources.into_iter().map(|source| Box::new(source) as Box<dyn super::super::source::PodSource>).collect(),
        )
        .unwrap(),
        interval: Duration::from_secs(15),
        news: None,
        stop: Arc::default(),
        first: None,
        kept: Kept::default(),
        said: Mutex::default(),
    }
}

#[test]
fn the_first_source_that_answers_is_taken_and_the_others_say_why_not() {
    let kubelet = Scripted("kubelet", [Err("forbidden"), Err("forbidden")].into());
    let files = Scripted("files", [Ok(vec![pod("a", "1")]), Ok(vec![])].into());
    let mut refreshing = refreshing(vec![kubelet, files]);
    assert_eq!(refreshing.refresh(false), Outcome::Answered);
    let status = refreshing.directory.status();
    assert_eq!((status.source, status.pods), (Some("files"), 1));
    assert_eq!((status.unavailable.len(), status.unavailable[0].source_name), (1, "kubelet"));
    assert_eq!((status.faults[0].reason, status.faults[0].count), ("forbidden", 1));
    assert_eq!(refreshing.refresh(false), Outcome::Answered, "the better one is tried each time");
    assert_eq!(refreshing.directory.status().pods, 0);
}

#[test]
fn the_last_answer_is_kept_and_another_source_only_adds_what_is_missing() {
    let mut known = pod("a", "1");
    known.owner = Some(kepler_core::workload::PodOwner::new("Deployment", "web"));
    let kubelet = Scripted("kubelet", [Ok(vec![known.clone()]), Err("unauthorized"), Err("unauthorized")].into());
    // A slow machine asks them a second time.
    let files = Scripted("files", (0..9).map(|_| Ok(vec![pod("a", "2"), pod("b", "3")])).collect());
    let mut refreshing = refreshing(vec![kubelet, files]);
    refreshing.refresh(false);
    assert_eq!(refreshing.refresh(false), Outcome::Failed);
    assert_eq!((refreshing.directory.status().source, refreshing.directory.pods().len()), (Some("kubelet"), 1));
    assert_eq!(refreshing.refresh(true), Outcome::Answered, "something unknown runs");
    let pods = refreshing.directory.pods();
    let (a, b) = (pods.pod("a").unwrap(), pods.pod("b").unwrap());
    assert_eq!(
        (a.owner.as_ref(), a.containers[0].ids.as_slice()),
        (known.owner.as_ref(), &["1".to_owned(), "2".to_owned()][..])
    );
    assert_eq!(b.name, "name-b");
}

#[test]
fn a_watch_stands_before_all_sources_and_they_stand_in_for_it() {
    let files = Scripted("files", [Ok(vec![pod("f", "9")])].into());
    let mut refreshing = refreshing(vec![files]);
    let (tell, news) = std::sync::mpsc::channel();
    refreshing.news = Some(news);
    assert_eq!(refreshing.refresh(false), Outcome::Pending);
    tell.send(News::List(vec![pod("a", "1"), pod("b", "2")])).unwrap();
    tell.send(News::Event(Event::Gone("b".into()))).unwrap();
    tell.send(News::Event(Event::Present(Box::new(pod("c", "3"))))).unwrap();
    tell.send(News::Event(Event::Bookmark(false))).unwrap();
    assert!(refreshing.take_news() && refreshing.refresh(false) == Outcome::Answered);
    let mut uids: Vec<_> = refreshing.directory.pods().iter().map(|pod| pod.uid.clone()).collect();
    uids.sort();
    assert_eq!((uids.join(","), refreshing.directory.status().source), ("a,c".to_owned(), Some("apiserver")));
    tell.send(News::Refused(SourceFailure::new("forbidden", "no", Remedy::Wait))).unwrap();
    refreshing.take_news();
    assert_eq!(refreshing.refresh(true), Outcome::Answered);
    let status = refreshing.directory.status();
    assert_eq!((status.source, status.unavailable[0].source_name), (Some("files"), "apiserver"));
}

#[test]
fn what_a_watch_brought_is_kept_when_it_is_refused_and_others_only_add_to_it() {
    let files = Scripted("files", [Ok(vec![pod("a", "1"), pod("b", "2")])].into());
    let mut refreshing = refreshing(vec![files]);
    let (tell, news) = std::sync::mpsc::channel();
    refreshing.news = Some(news);
    let mut known = pod("a", "1");
    known.owner = Some(kepler_core::workload::PodOwner::new("Deployment", "web"));
    tell.send(News::List(vec![known.clone()])).unwrap();
    assert!(refreshing.take_news() && refreshing.refresh(false) == Outcome::Answered);
    tell.send(News::Refused(SourceFailure::new("status", "429", Remedy::Wait))).unwrap();
    refreshing.take_news();
    assert_eq!(refreshing.refresh(false), Outcome::Failed, "nothing else is asked for");
    assert_eq!((refreshing.directory.status().source, refreshing.directory.pods().len()), (Some("apiserver"), 1));
    assert_eq!(refreshing.refresh(true), Outcome::Answered, "something unknown runs");
    let pods = refreshing.directory.pods();
    assert_eq!((pods.pod("a").unwrap().owner.as_ref(), pods.len()), (known.owner.as_ref(), 2));
}

#[test]
fn the_log_directories_name_at_once_what_a_source_before_them_may_take_its_time_for() {
    let mut known = pod("a", "1");
    known.owner = Some(kepler_core::workload::PodOwner::new("Deployment", "web"));
    let kubelet = Scripted("kubelet", [Ok(vec![known.clone()]), Err("timeout"), Ok(vec![known.clone()])].into());
    let files = Scripted("files", (0..9).map(|_| Ok(vec![pod("a", "1"), pod("b", "2")])).collect());
    let mut refreshing = refreshing(vec![kubelet, files]);
    let named = |refreshing: &Refreshing| {
        let pods = refreshing.directory.pods();
        (pods.source(), pods.len(), pods.pod("a").and_then(|pod| pod.owner.clone()))
    };
    refreshing.bridge(false);
    assert_eq!(named(&refreshing), (Some("files"), 2, None), "before the first answer");
    assert_eq!(refreshing.refresh(false), Outcome::Answered);
    refreshing.bridge(true);
    assert_eq!(named(&refreshing), (Some("kubelet"), 1, known.owner.clone()), "it answers, and is asked");
    assert_eq!(refreshing.refresh(false), Outcome::Failed);
    refreshing.bridge(false);
    assert_eq!(named(&refreshing).1, 1, "nothing unknown runs");
    refreshing.bridge(true);
    assert_eq!(named(&refreshing), (Some("files"), 2, known.owner.clone()), "what is known is kept");
    assert_eq!(refreshing.refresh(true), Outcome::Answered);
    refreshing.bridge(true);
    assert_eq!(named(&refreshing), (Some("kubelet"), 1, known.owner.clone()), "it answers again");
}

#[test]
fn a_source_that_hangs_keeps_no_other_from_naming_what_is_asked_for() {
    struct Hanging(std::sync::mpsc::Receiver<()>);
    impl super::super::source::PodSource for Hanging {
        fn name(&self) -> &'static str {
            "kubelet"
        }

        fn list(&mut self) -> Result<Vec<PodEntry>, SourceFailure> {
            let _ = self.0.recv();
            Ok(vec![pod("a", "1")])
        }
    }
    let (go_on, wait) = std::sync::mpsc::channel();
    let api = Scripted("apiserver", [Ok(vec![pod("b", "2")])].into());
    let mut refreshing = refreshing(Vec::new());
    refreshing.sources = Sources::new(vec![Box::new(Hanging(wait)), Box::new(api)]).unwrap();
    let directory = refreshing.directory.clone();
    directory.attend(std::thread::current());
    let asks = std::thread::spawn(move || {
        while directory.pods().pod("b").is_none() {
            directory.ask();
            std::thread::sleep(Duration::from_millis(10));
        }
        go_on.send(()).unwrap();
    });
    assert_eq!(refreshing.refresh(false), Outcome::Answered);
    asks.join().unwrap();
    let status = refreshing.directory.status();
    assert_eq!((status.source, status.pods, status.refreshes), (Some("kubelet"), 1, 2));
    assert!(refreshing.wait(Instant::now() + Duration::from_secs(60), Instant::now()), "what was asked for is wanted");
}

#[test]
fn a_server_that_asks_to_be_left_alone_is() {
    struct Busy(Arc<std::sync::atomic::AtomicUsize>);
    impl super::super::source::PodSource for Busy {
        fn name(&self) -> &'static str {
            "kubelet"
        }

        fn list(&mut self) -> Result<Vec<PodEntry>, SourceFailure> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let wait = Some(Duration::from_secs(60));
            Err(SourceFailure { retry_after: wait, ..SourceFailure::new("status", "429", Remedy::Wait) })
        }
    }
    let asked = Arc::<std::sync::atomic::AtomicUsize>::default();
    let mut refreshing = refreshing(Vec::new());
    let files = Scripted("files", (0..9).map(|_| Ok(vec![pod("a", "1")])).collect());
    refreshing.sources = Sources::new(vec![Box::new(Busy(asked.clone())), Box::new(files)]).unwrap();
    for _ in 0..5 {
        assert_eq!(refreshing.refresh(true), Outcome::Answered);
    }
    let status = refreshing.directory.status();
    assert_eq!((asked.load(Ordering::Relaxed), status.faults[0].count), (1, 1));
    assert_eq!((status.source, status.unavailable[0].source_name), (Some("files"), "kubelet"), "still said");
}

#[test]
fn the_age_of_what_a_watch_brings_is_that_of_its_last_word() {
    let mut refreshing = refreshing(Vec::new());
    let (tell, news) = std::sync::mpsc::channel();
    refreshing.news = Some(news);
    tell.send(News::List(vec![pod("a", "1")])).unwrap();
    assert!(refreshing.take_news() && refreshing.refresh(false) == Outcome::Answered);
    let heard = refreshing.directory.status().read_at;
    assert_eq!(refreshing.refresh(true), Outcome::Answered);
    assert_eq!(refreshing.directory.status().read_at, heard);
    assert_ne!(refreshing.directory.pods().read_at(), heard, "a newer list would say the same");
    tell.send(News::Event(Event::Bookmark(false))).unwrap();
    assert!(refreshing.take_news() && refreshing.refresh(false) == Outcome::Answered);
    assert_ne!(refreshing.directory.status().read_at, heard);
}

#[test]
fn being_asked_shortens_the_wait_and_stopping_ends_it() {
    let mut refreshing = refreshing(Vec::new());
    refreshing.directory.attend(std::thread::current());
    let now = Instant::now();
    refreshing.directory.ask();
    assert!(refreshing.wait(now + Duration::from_secs(60), now));
    assert!(!refreshing.wait(Instant::now() + Duration::from_millis(10), Instant::now()));
    refreshing.stop.store(true, Ordering::Release);
    assert!(!refreshing.wait(now + Duration::from_secs(60), now));
    assert!(now.elapsed() < Duration::from_secs(30));
}
