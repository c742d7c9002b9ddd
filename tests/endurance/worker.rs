//! The second process: it does the runs, and counts what it holds before and after.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use claw_sandbox::approval::{Approval, ApprovalRequest, Approver};
use claw_sandbox::{Child, Ending, Outcome, Sandbox, Stdio, SweepMethod, policy_from_yaml};

use crate::accounts::{Accounts, Held, audited, is_there};
use crate::place::Place;
use crate::random::Random;
use crate::sorts::{self, Cancel, Ends, Sort, Under};

const RUNS: u64 = 500;
const THREADS: usize = 8;
/// Most runs are over by then when they are left alone, and many are not.
const MOMENTS: Duration = Duration::from_millis(80);

/// Somebody who takes a moment to answer. Every third answer is a no.
#[derive(Debug, Default)]
struct Person(AtomicU64);

impl Approver for Person {
    fn ask(&self, _: &ApprovalRequest<'_>) -> Approval {
        let question = self.0.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(question % 20));
        if question % 3 == 2 { Approval::Denied } else { Approval::Once }
    }
}

/// Does all runs.
pub(crate) fn work(place: &Place) {
    // A thread that is made and gone, so that what a first thread brings along is there before the count.
    thread::spawn(|| ()).join().unwrap();
    let before = Held::now();
    let sandboxes: Vec<Sandbox> = Under::ALL.iter().map(|under| sandbox(*under, place)).collect();
    let (next, accounts) = (AtomicU64::new(0), Accounts::default());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= RUNS {
                        return;
                    }
                    accounts.note(run(number, place, &sandboxes));
                }
            });
        }
    });
    assert_eq!(accounts.total() as u64, RUNS);
    drop(sandboxes);
    Held::returns_to(&before);
    audit(place);
    crate::say_to_the_first(&format!("{RUNS} runs, all accounted for: {}", accounts.summary()));
}

fn sandbox(under: Under, place: &Place) -> Sandbox {
    let policy = policy_from_yaml(&under.policy(place), place.path("ws")).unwrap();
    let builder = Sandbox::builder(policy);
    let builder =
        if under == Under::Asking { builder.approver(Arc::new(Person::default())) } else { builder };
    builder.build().unwrap()
}

/// Does one run and says what became of it.
fn run(number: u64, place: &Place, sandboxes: &[Sandbox]) -> String {
    let mut random = Random::new(place.seed, number);
    let sort = &sorts::ALL[usize::try_from(random.below(sorts::ALL.len() as u64)).unwrap()];
    let cancel = choose(sort, &mut random);
    let mark = format!("9{}{number:03}", std::process::id());
    let under = Under::ALL.iter().position(|under| *under == sort.under).unwrap();
    let mut command = (sort.command)(&sandboxes[under], place, &mark);
    command.current_dir(place.path("ws"));
    if !matches!(sort.ends, Ends::OnATerminal(_)) {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    }
    if let Cancel::TimeOut(moment) = cancel {
        command.timeout(moment);
    }
    let ended = match command.spawn() {
        Err(error) => {
            assert!(matches!(sort.ends, Ends::Refused), "{}: {error}", sort.name);
            "refused".into()
        }
        Ok(child) => {
            assert!(!matches!(sort.ends, Ends::Refused), "{} has begun", sort.name);
            finish(child, sort, cancel)
        }
    };
    assert!(!is_there(&mark), "run {number}, {}, {cancel:?}: a process is left ({ended})", sort.name);
    ended
}

fn choose(sort: &Sort, random: &mut Random) -> Cancel {
    let moment = random.moment(MOMENTS);
    let never = matches!(sort.ends, Ends::Never);
    match random.below(if never { 6 } else { 10 }) {
        0 => Cancel::Kill(moment),
        // To terminate what is deaf takes the whole grace.
        1 if random.below(3) == 0 => Cancel::Terminate(moment),
        1 | 2 => Cancel::TimeOut(moment),
        3 => Cancel::Drop(moment),
        4 => Cancel::KillMeanwhile(moment),
        5 => Cancel::Signals(moment),
        _ => Cancel::Not,
    }
}

/// Ends a run as it is to be ended, waits for it and judges it.
fn finish(mut child: Child, sort: &Sort, cancel: Cancel) -> String {
    let (outcome, said) = thread::scope(|scope| {
        let mut pipe = child.stdout.take();
        let reader = scope.spawn(move || {
            let mut said = Vec::new();
            if let Some(pipe) = &mut pipe {
                pipe.read_to_end(&mut said).unwrap();
            }
            said
        });
        let outcome = end(child, cancel);
        (outcome, reader.join().unwrap())
    });
    let Some(outcome) = outcome else { return "dropped".into() };
    assert!(outcome.sweep.complete, "{}, {cancel:?}: {outcome:?}", sort.name);
    assert_eq!(outcome.sweep.method, SweepMethod::Domain, "{}, {cancel:?}", sort.name);
    let expected = match (cancel, outcome.ending) {
        (Cancel::Not, _) => sort.ends.holds(&outcome, &said),
        (Cancel::TimeOut(_), Ending::TimedOut) => true,
        (
            Cancel::Kill(_) | Cancel::KillMeanwhile(_) | Cancel::Terminate(_) | Cancel::Signals(_),
            Ending::Killed,
        ) => true,
        // It was over before, or a signal ended it.
        (Cancel::Signals(_), Ending::Exited) => true,
        (_, Ending::OutputLimit(_)) => sort.under == Under::Limited,
        _ => sort.ends.holds(&outcome, &said),
    };
    let said: String = String::from_utf8_lossy(&said).chars().take(400).collect();
    assert!(expected, "{}, {cancel:?}: {outcome:?}\n{said}", sort.name);
    match outcome.ending {
        Ending::OutputLimit(_) => "ended by the output limit".into(),
        Ending::TimedOut => "timed out".into(),
        Ending::Killed => "killed".into(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// `None` for a run whose handle is dropped.
fn end(mut child: Child, cancel: Cancel) -> Option<Outcome> {
    match cancel {
        Cancel::Not | Cancel::TimeOut(_) => {}
        Cancel::Kill(moment) => {
            thread::sleep(moment);
            child.kill();
        }
        Cancel::Terminate(moment) => {
            thread::sleep(moment);
            child.terminate();
        }
        Cancel::Drop(moment) => {
            thread::sleep(moment);
            drop(child);
            return None;
        }
        Cancel::KillMeanwhile(moment) => {
            let outcome = thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(moment);
                    child.kill();
                });
                child.observe().unwrap()
            });
            return Some(outcome);
        }
        Cancel::Signals(moment) => {
            for signal in [libc_signal::STOP, libc_signal::CONT, libc_signal::HUP] {
                thread::sleep(moment / 3);
                child.signal(signal);
            }
            child.kill();
        }
    }
    Some(child.outcome().unwrap())
}

/// The numbers of signals (signal(7)), which are the same on every architecture that is supported.
mod libc_signal {
    pub(super) const HUP: i32 = 1;
    pub(super) const CONT: i32 = 18;
    pub(super) const STOP: i32 = 19;
}

/// Each run that was allowed has its end in the log, and all runs are there.
fn audit(place: &Place) {
    let mut runs = 0;
    let mut open = BTreeMap::new();
    for under in Under::ALL {
        let (allowed, refused, ended) = audited(&place.path(format!("out/{under:?}.log")));
        runs += allowed + refused;
        if allowed != ended {
            open.insert(format!("{under:?}"), (allowed, ended));
        }
    }
    assert!(open.is_empty(), "runs that began and runs that ended: {open:?}");
    assert_eq!(runs as u64, RUNS, "decisions in the logs");
}
