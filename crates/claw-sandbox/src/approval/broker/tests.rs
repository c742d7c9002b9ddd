use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;
use crate::approval::Waits;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn broker(&self) -> Broker {
        Broker::new(self.directory.path().join("state/approvals"))
    }
}

fn with_request<T>(digest: &str, waits: Waits<'_>, ask: impl FnOnce(&ApprovalRequest<'_>) -> T) -> T {
    let commands = [vec![b"mkfifo".to_vec(), b"pi\x1bpe".to_vec()]];
    ask(&ApprovalRequest {
        commands: &commands,
        line: None,
        program: None,
        cwd: Path::new("/w"),
        caller: None,
        reasons: &[],
        terminal: None,
        digest,
        waits,
    })
}

fn post(broker: &Broker, digest: &str) -> String {
    with_request(digest, Waits::always(), |request| broker.post(request)).unwrap()
}

#[test]
fn a_question_is_one_and_its_answer_is_used_once() {
    let place = Place::new();
    let broker = place.broker();
    assert_eq!(broker.state("d").unwrap(), None);
    assert!(broker.open_questions().unwrap().is_empty());
    let id = post(&broker, "d");
    assert_eq!(post(&broker, "d"), id, "the same question");
    assert_ne!(post(&broker, "e"), id, "another one");
    let listed = broker.open_questions().unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|question| question.detail.contains(r"mkfifo 'pi\u{1b}pe'")), "{listed:?}");
    assert_eq!(broker.take("d").unwrap(), None, "nobody has answered");
    broker.answer(id.get(..4).unwrap(), Approval::Once).unwrap();
    assert_eq!(broker.open_questions().unwrap().len(), 1);
    assert!(broker.answer(&id, Approval::Always).unwrap_err().to_string().contains("answered already"));
    assert_eq!(broker.take("d").unwrap(), Some(Approval::Once));
    assert_eq!(broker.take("d").unwrap(), None, "used up");
    assert!(broker.answer(&id, Approval::Once).is_err());
    assert_eq!(broker.state("e").unwrap().unwrap().1, State::Open, "the other one is as it was");
}

#[test]
fn one_answer_is_taken_by_one_of_many() {
    let place = Place::new();
    let broker = place.broker();
    let id = post(&broker, "d");
    broker.answer(&id, Approval::Once).unwrap();
    let taken: usize = thread::scope(|scope| {
        let takers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| usize::from(broker.take("d").unwrap().is_some()))).collect();
        takers.into_iter().map(|taker| taker.join().unwrap()).sum()
    });
    assert_eq!(taken, 1);
}

#[test]
fn whoever_waits_gets_the_answer() {
    for (approval, expected) in [
        (Approval::Once, Approval::Once),
        (Approval::Always, Approval::Always),
        (Approval::Denied, Approval::Denied),
    ] {
        let place = Place::new();
        let broker = place.broker();
        let answer = thread::scope(|scope| {
            let waiter = scope.spawn(|| with_request("d", Waits::always(), |request| broker.ask(request)));
            loop {
                if let Some(question) = broker.open_questions().unwrap().first() {
                    broker.answer(&question.id, approval).unwrap();
                    break waiter.join().unwrap();
                }
                thread::sleep(Duration::from_millis(5));
            }
        });
        assert_eq!(answer, expected);
        assert_eq!(broker.state("d").unwrap(), None, "it was used");
    }
}

#[test]
fn silence_is_a_no_and_so_is_it_when_nobody_waits_any_more() {
    let place = Place::new();
    let broker = place.broker().patience(Duration::from_millis(100));
    assert_eq!(with_request("d", Waits::always(), |request| broker.ask(request)), Approval::Denied);
    assert!(broker.open_questions().unwrap().is_empty());
    let waits = AtomicBool::new(true);
    let still = || waits.swap(false, Ordering::Relaxed);
    let broker = place.broker();
    assert_eq!(with_request("e", Waits::while_true(&still), |request| broker.ask(request)), Approval::Denied);
    assert!(broker.open_questions().unwrap().is_empty(), "an answer would come too late");
}

#[test]
fn who_defers_is_told_how_to_ask_and_passes_once_afterwards() {
    let place = Place::new();
    let broker = place.broker().deferring();
    let ask = || with_request("d", Waits::always(), |request| (broker.ask(request), broker.hint(request)));
    let (answer, hint) = ask();
    let id = broker.open_questions().unwrap()[0].id.clone();
    assert_eq!((answer, hint), (Approval::Denied, Some(how_to(&id))));
    broker.answer(&id, Approval::Once).unwrap();
    assert_eq!(ask().0, Approval::Once);
    assert_eq!(ask().0, Approval::Denied);
    broker.answer(&broker.open_questions().unwrap()[0].id, Approval::Denied).unwrap();
    assert_eq!(ask(), (Approval::Denied, None), "a no is a no");
    assert!(broker.open_questions().unwrap().is_empty());
}

#[test]
fn what_is_too_old_is_neither_answered_nor_used() {
    let place = Place::new();
    let broker = place.broker().patience(Duration::ZERO);
    let id = post(&broker, "d");
    assert!(broker.answer(&id, Approval::Once).unwrap_err().to_string().contains("too old"));
    assert!(!broker.path().join(format!("{id}.json")).exists());
    // An answer whose time is over while nobody used it.
    let broker = place.broker();
    let id = post(&broker, "e");
    let answered = broker.answer(&id, Approval::Once).unwrap();
    for expires_ms in [answered.asked_ms, u64::MAX] {
        let stale = OpenQuestion { expires_ms, ..answered.clone() };
        fs::write(broker.path().join(format!("{id}.json")), serde_json::to_vec(&stale).unwrap()).unwrap();
        assert_eq!(broker.take("e").unwrap(), None, "{expires_ms}");
    }
}

#[test]
fn a_directory_that_others_can_reach_and_files_that_are_not_ours_are_refused() {
    let place = Place::new();
    let broker = place.broker();
    let id = post(&broker, "d");
    let mode = |mode| fs::set_permissions(broker.path(), fs::Permissions::from_mode(mode)).unwrap();
    assert_eq!(fs::metadata(broker.path()).unwrap().permissions().mode() & 0o777, 0o700);
    mode(0o770);
    assert!(broker.answer(&id, Approval::Once).unwrap_err().to_string().contains("chmod 700"));
    assert!(broker.take("d").is_err());
    mode(0o700);
    // A question that others can write, one that is a link, and one under another name.
    let file = broker.path().join(format!("{id}.json"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(broker.state("d").unwrap(), None);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(broker.state("d").unwrap().is_some());
    let aside = place.directory.path().join("aside");
    fs::rename(&file, &aside).unwrap();
    symlink(&aside, &file).unwrap();
    assert_eq!(broker.state("d").unwrap(), None);
    fs::remove_file(&file).unwrap();
    fs::copy(&aside, broker.path().join("0123abcd.json")).unwrap();
    assert_eq!(broker.state("d").unwrap(), None);
    // A link in the place of the directory.
    let real = place.directory.path().join("real");
    fs::rename(broker.path(), &real).unwrap();
    symlink(&real, broker.path()).unwrap();
    assert!(broker.open_questions().is_err());
}

#[test]
fn names_are_no_paths_and_have_to_be_long_enough() {
    let place = Place::new();
    let broker = place.broker();
    let id = post(&broker, "d");
    for wrong in ["", id.get(..3).unwrap(), "../../x", "\u{1b}[2J", &format!("{id}0"), "zzzz"] {
        let error = broker.answer(wrong, Approval::Once).unwrap_err().to_string();
        assert!(error.contains("there is no question") && !error.contains('\u{1b}'), "{error}");
    }
}

#[test]
fn there_are_only_so_many_questions_and_old_ones_make_room() {
    let place = Place::new();
    let broker = place.broker();
    for number in 0..MOST {
        post(&broker, &number.to_string());
    }
    let full = with_request("more", Waits::always(), |request| broker.post(request));
    assert!(full.unwrap_err().to_string().contains("are open already"));
    let one = broker.open_questions().unwrap()[0].clone();
    let stale = OpenQuestion { expires_ms: one.asked_ms, ..one };
    fs::write(broker.path().join(format!("{}.json", stale.id)), serde_json::to_vec(&stale).unwrap()).unwrap();
    post(&broker, "more");
}

#[test]
fn what_a_crash_left_changes_nothing() {
    let place = Place::new();
    let broker = place.broker();
    let id = post(&broker, "d");
    fs::write(broker.path().join("draft"), b"{\"id\":").unwrap();
    fs::write(broker.path().join("abcd1234.json"), b"{\"id\":\"abcd12").unwrap();
    assert_eq!(broker.open_questions().unwrap().len(), 1);
    broker.answer(&id, Approval::Once).unwrap();
    assert_eq!(broker.take("d").unwrap(), Some(Approval::Once));
}
