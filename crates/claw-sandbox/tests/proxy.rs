//! The boundary for adapters, on real runs and files. The same tests run as root and as an unprivileged user.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use claw_sandbox::approval::{Approval, ApprovalRequest, ApprovalStore, Approver, Broker};
use claw_sandbox::audit::{Entry, entries};
use claw_sandbox::claw_wire::{
    Action, Answer, AskSurface, Bytes, Chat, Context, Effect, Exec, File, FileAction, Opaque, Principal,
    Request, Trust,
};
use claw_sandbox::{Error, Performed, Proxy, Sandbox, Streams, WriteMode, policy_from_yaml};
use tempfile::TempDir;

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("work")).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    fn policy(&self, text: &str) -> claw_sandbox::Policy {
        let (work, log) = (self.path("work"), self.path("log"));
        let text = format!(
            "workspace: {}\nlogging: {{ logFile: {}, auditFileAccess: true }}\n{text}",
            work.display(),
            log.display()
        );
        policy_from_yaml(&text, &work).unwrap()
    }

    fn proxy(&self, text: &str) -> Proxy {
        Proxy::new(Sandbox::new(self.policy(text)).unwrap())
    }

    fn events(&self) -> Vec<Entry> {
        entries(&self.path("log")).unwrap().collect()
    }
}

fn exec(line: &str) -> Request {
    Request::new(Action::Exec(Exec::line(line)))
}

fn program(words: &[&str]) -> Request {
    Request::new(Action::Exec(Exec::argv(words.iter().copied())))
}

fn file(action: FileAction, path: &str) -> Request {
    Request::new(Action::File(File { action, path: path.into(), to: None, recursive: false }))
}

fn inline(request: Request) -> Request {
    request.in_context(Context { ask: AskSurface::Inline, ..Context::default() })
}

fn output(proxy: &Proxy, request: &Request) -> Result<String, Error> {
    ran(proxy.perform(proxy.decide(request), Streams::default())?)
}

fn ran(performed: Performed) -> Result<String, Error> {
    let Performed::Started(child) = performed else { panic!("nothing was started: {performed:?}") };
    Ok(String::from_utf8(child.wait_with_output()?.stdout).unwrap())
}

fn kinds(events: &[Entry]) -> Vec<String> {
    events.iter().filter_map(|event| event.field("event")).map(str::to_owned).collect()
}

#[test]
fn an_allowed_command_runs_in_the_workspace_and_a_denied_one_does_not_start() {
    let place = Place::new();
    let proxy = place.proxy("");
    assert_eq!(
        output(&proxy, &exec("pwd; echo x > made")).unwrap(),
        format!("{}\n", place.path("work").display())
    );
    assert!(place.path("work/made").exists());
    let denied = proxy.decide(&exec("touch here; curl http://127.0.0.1"));
    assert_eq!(
        (denied.decision().effect, denied.decision().code.as_str()),
        (Effect::Deny, "exec.not-allowlisted")
    );
    assert!(denied.decision().change.as_ref().unwrap().contains("curl"), "{:?}", denied.decision());
    let error = proxy.perform(denied, Streams::default()).unwrap_err();
    assert!(error.denial().is_some(), "{error}");
    assert!(!place.path("work/here").exists());
}

#[test]
fn both_decisions_and_who_asked_are_in_the_audit_log() {
    let place = Place::new();
    let proxy = place.proxy("");
    let context = Context {
        host: Some("openclaw".parse().unwrap()),
        principal: Principal::Known("telegram:a:1".parse().unwrap()),
        call: Some("c7".parse().unwrap()),
        ..Context::default()
    };
    output(&proxy, &program(&["true"]).in_context(context.clone())).unwrap();
    output(&proxy, &exec("curl x").in_context(context.clone())).unwrap_err();
    proxy.note(&proxy.decide(&exec("ls").in_context(context))).unwrap();
    let events = place.events();
    assert_eq!(
        kinds(&events),
        ["log.opened", "exec.decision", "exec.outcome", "exec.decision", "exec.decision"]
    );
    for event in &events[1..] {
        let text = &event.text;
        assert!(text.contains(r#""principal":{"known":"telegram:a:1"}"#) && text.contains("c7"), "{text}");
    }
}

#[test]
fn files_are_touched_under_the_same_decision() {
    let place = Place::new();
    let proxy = place.proxy("");
    let decided = proxy.decide(&file(FileAction::Write, "notes.txt"));
    assert!(decided.decision().is_allowed());
    let Performed::Files(files) = proxy.perform(decided, Streams::default()).unwrap() else { panic!() };
    files.write("notes.txt", b"one", WriteMode::Replace).unwrap();
    assert_eq!(fs::read(place.path("work/notes.txt")).unwrap(), b"one");
    let decided = proxy.decide(&file(FileAction::Read, "/etc/shadow"));
    assert_eq!(decided.decision().effect, Effect::Deny);
    assert!(proxy.perform(decided, Streams::default()).unwrap_err().denial().is_some());
    assert!(files.read("/etc/shadow").is_err());
    let decisions = kinds(&place.events()).iter().filter(|kind| *kind == "file.decision").count();
    assert_eq!(decisions, 3);
}

#[test]
fn a_tool_that_is_only_a_name_is_denied() {
    let place = Place::new();
    let proxy = place.proxy("");
    let tool = Opaque { tool: "launch_rocket".parse().unwrap(), arguments: serde_json::json!({"a": 1}) };
    let decided = proxy.decide(&Request::new(Action::Opaque(tool)));
    assert_eq!(decided.decision().code, "tool.not-named");
    assert!(proxy.perform(decided, Streams::default()).unwrap_err().denial().is_some());
    assert!(kinds(&place.events()).contains(&"tool.decision".to_owned()));
}

#[test]
fn what_makes_no_sense_is_denied() {
    let place = Place::new();
    let proxy = place.proxy("");
    let both = Exec { argv: Some(vec![Bytes::from("ls")]), ..Exec::line("ls") };
    for (request, code) in [
        (exec("ls").in_directory("relative"), "cwd.invalid"),
        (file(FileAction::Read, "a").in_directory("."), "cwd.invalid"),
        (Request::new(Action::Exec(both)), "shell.syntax"),
        (Request::new(Action::Exec(Exec::default())), "shell.syntax"),
        (exec("'"), "shell.syntax"),
    ] {
        let decided = proxy.decide(&request);
        assert_eq!((decided.decision().effect, decided.decision().code.as_str()), (Effect::Deny, code));
    }
}

#[test]
fn a_context_narrows_commands_files_and_tools_alike() {
    let place = Place::new();
    let proxy = place.proxy(
        "tools: { allow: [search] }\ncontexts:\n  - when: { chat: group }\n    narrow:\n      exec: { deny: [ls] }\n      \
         filesystem: { hidden: ['*.md'] }\n      tools: { allow: [] }\n",
    );
    fs::write(place.path("work/notes.md"), "x").unwrap();
    let tool = Opaque { tool: "search".parse().unwrap(), arguments: serde_json::Value::Null };
    let requests = [program(&["ls"]), file(FileAction::Read, "notes.md"), Request::new(Action::Opaque(tool))];
    let local = Context {
        principal: Principal::Owner,
        chat: Chat::Local,
        trust: Trust::Embedded,
        ..Context::default()
    };
    let files = |context: &Context| proxy.files(context).read("notes.md").is_ok();
    assert!(files(&local) && !files(&Context::default()));
    for request in requests {
        let decided = proxy.decide(&request.clone().in_context(local.clone()));
        assert!(decided.decision().is_allowed() && decided.decision().contexts.is_empty());
        let decided = proxy.decide(&request);
        assert_eq!(decided.decision().effect, Effect::Deny, "{request:?}");
        assert_eq!(decided.decision().contexts, ["policy:5:5"]);
        assert!(proxy.perform(decided, Streams::default()).is_err());
    }
}

const ASKS: &str = "exec: { ask: on-miss }\n";

#[test]
fn a_question_of_a_host_that_cannot_ask_is_a_denial() {
    let place = Place::new();
    let proxy = place.proxy(ASKS);
    let decided = proxy.decide(&program(&["mkfifo", "pipe"]));
    let decision = decided.decision();
    assert_eq!((decision.effect, decision.code.as_str()), (Effect::Deny, "exec.needs-approval"));
    assert!(decision.retryable);
    assert!(proxy.perform(decided, Streams::default()).is_err());
    assert!(!place.path("work/pipe").exists());
}

#[test]
fn an_answer_is_about_one_question_and_only_where_the_host_can_ask() {
    let place = Place::new();
    let proxy = place.proxy(ASKS);
    let request = inline(program(&["mkfifo", "pipe"]));
    let decided = proxy.decide(&request);
    assert_eq!(decided.decision().effect, Effect::Ask);
    let question = decided.decision().question.clone().unwrap();
    assert!(question.detail.contains("mkfifo pipe"), "{}", question.detail);
    assert_eq!(question.title, "May mkfifo run?");

    let no = proxy.answer(decided, Answer::Deny);
    assert_eq!(no.decision().effect, Effect::Deny);
    assert!(proxy.perform(no, Streams::default()).is_err() && !place.path("work/pipe").exists());

    let yes = proxy.answer(proxy.decide(&request), Answer::Once);
    assert!(yes.decision().is_allowed(), "{:?}", yes.decision());
    ran(proxy.perform(yes, Streams::default()).unwrap()).unwrap();
    fs::remove_file(place.path("work/pipe")).unwrap();
    assert_eq!(proxy.decide(&request).decision().effect, Effect::Ask, "once is once");

    // A surface that was not announced cannot say yes.
    let unannounced = request.clone().in_context(Context { ask: AskSurface::Broker, ..Context::default() });
    let answered = proxy.answer(proxy.decide(&unannounced), Answer::Once);
    assert_eq!(answered.decision().effect, Effect::Deny);
    // Nor does a yes turn a denial around.
    let denied = proxy.answer(proxy.decide(&inline(exec("cd /nowhere; '"))), Answer::Once);
    assert_eq!(denied.decision().effect, Effect::Deny);
}

#[test]
fn the_digest_is_of_what_would_be_done_for_whom_under_which_policy() {
    let place = Place::new();
    let proxy = place.proxy(ASKS);
    let digest =
        |proxy: &Proxy, request: &Request| proxy.decide(request).decision().question.clone().unwrap().digest;
    let base = inline(program(&["mkfifo", "pipe"]));
    let first = digest(&proxy, &base);
    let mut retry = base.clone();
    retry.id = Some("2".parse().unwrap());
    retry.context.call = Some("other".parse().unwrap());
    assert_eq!(digest(&proxy, &retry), first, "a retry is the same question");
    let mut other = base.clone();
    other.context.principal = Principal::Known("x".parse().unwrap());
    assert_ne!(digest(&proxy, &other), first, "principal");
    assert_ne!(digest(&proxy, &inline(program(&["mkfifo", "pipe2"]))), first, "command");
    let elsewhere = place.path("work/sub");
    fs::create_dir(&elsewhere).unwrap();
    assert_ne!(digest(&proxy, &base.clone().in_directory(elsewhere.to_str().unwrap())), first, "directory");
    let variable =
        Exec { env: [("LANG".to_owned(), Bytes::from("C"))].into(), ..Exec::argv(["mkfifo", "pipe"]) };
    assert_ne!(digest(&proxy, &inline(Request::new(Action::Exec(variable)))), first, "environment");
    assert_ne!(digest(&place.proxy("exec: { ask: on-miss } # other\n"), &base), first, "policy");
}

#[test]
fn always_is_remembered_for_exactly_that_command() {
    let place = Place::new();
    let sandbox = Sandbox::builder(place.policy(ASKS)).approvals(ApprovalStore::new(place.path("approvals")));
    let proxy = Proxy::new(sandbox.build().unwrap());
    let request = inline(program(&["mkfifo", "pipe"]));
    let decided = proxy.answer(proxy.decide(&request), Answer::Always);
    assert!(decided.decision().is_allowed());
    assert!(proxy.decide(&request).decision().is_allowed());
    assert!(
        proxy.decide(&program(&["mkfifo", "pipe"])).decision().is_allowed(),
        "also where nobody can be asked"
    );
    assert_eq!(proxy.decide(&inline(program(&["mkfifo", "pipe2"]))).decision().effect, Effect::Ask);
}

#[derive(Debug, Default)]
struct SaysYes(AtomicUsize);

impl Approver for SaysYes {
    fn ask(&self, _: &ApprovalRequest<'_>) -> Approval {
        self.0.fetch_add(1, Ordering::Relaxed);
        Approval::Once
    }
}

#[test]
fn an_approver_is_asked_where_the_context_says_that_somebody_can_be() {
    let place = Place::new();
    let approver = Arc::new(SaysYes::default());
    let sandbox = Sandbox::builder(place.policy(ASKS)).approver(Arc::clone(&approver) as Arc<dyn Approver>);
    let proxy = Proxy::new(sandbox.build().unwrap());
    let nobody = program(&["mkfifo", "pipe"]);
    assert!(proxy.perform(proxy.decide(&nobody), Streams::default()).is_err());
    assert_eq!(approver.0.load(Ordering::Relaxed), 0);
    let broker = nobody.in_context(Context { ask: AskSurface::Broker, ..Context::default() });
    output(&proxy, &broker).unwrap();
    assert_eq!(approver.0.load(Ordering::Relaxed), 1);
    assert!(place.path("work/pipe").exists());
}

#[test]
fn beside_an_approver_the_broker_is_for_those_who_cannot_ask() {
    let place = Place::new();
    let questions = Broker::new(place.path("state/approvals"));
    let sandbox = Sandbox::builder(place.policy(ASKS)).approver(Arc::new(SaysYes::default()));
    let proxy = Proxy::new(sandbox.broker(questions.clone()).build().unwrap());
    let request = program(&["mkfifo", "pipe"]);
    let asks = request.clone().in_context(Context { ask: AskSurface::Broker, ..Context::default() });
    output(&proxy, &asks).unwrap();
    assert!(questions.open_questions().unwrap().is_empty(), "the approver was asked");
    fs::remove_file(place.path("work/pipe")).unwrap();
    assert!(proxy.decide(&request).decision().hint.is_some());
    assert_eq!(questions.open_questions().unwrap().len(), 1);
}

/// A proxy with a broker, and the broker.
fn brokered(place: &Place) -> (Proxy, Broker) {
    let broker = Broker::new(place.path("state/approvals"));
    let sandbox = Sandbox::builder(place.policy(ASKS)).broker(broker.clone());
    (Proxy::new(sandbox.build().unwrap()), broker)
}

fn approve_the_only_one(broker: &Broker, approval: Approval) -> String {
    let open = broker.open_questions().unwrap();
    let [question] = open.as_slice() else { panic!("want one question: {open:?}") };
    broker.answer(&question.id, approval).unwrap();
    question.id.clone()
}

#[test]
fn a_host_that_cannot_ask_is_told_how_and_the_same_request_passes_once() {
    let place = Place::new();
    let (proxy, broker) = brokered(&place);
    let mut request = program(&["mkfifo", "pipe"]);
    let decided = proxy.decide(&request);
    let decision = decided.decision().clone();
    assert_eq!((decision.effect, decision.code.as_str()), (Effect::Deny, "exec.needs-approval"));
    assert!(proxy.perform(decided, Streams::default()).is_err());
    let id = approve_the_only_one(&broker, Approval::Once);
    assert_eq!(decision.hint.unwrap(), format!("run `claw-sandbox approve {id}`, then try again"));

    // A retry has another call.
    request.context.call = Some("second".parse().unwrap());
    let (first, second) = (proxy.decide(&request), proxy.decide(&request));
    assert!(first.decision().is_allowed() && second.decision().is_allowed(), "a look uses nothing up");
    ran(proxy.perform(first, Streams::default()).unwrap()).unwrap();
    fs::remove_file(place.path("work/pipe")).unwrap();
    assert!(proxy.perform(second, Streams::default()).is_err(), "it was used");
    assert!(!place.path("work/pipe").exists());
    assert_eq!(proxy.decide(&request).decision().code, "exec.needs-approval");
}

#[test]
fn a_host_that_acts_itself_uses_the_approval_up_when_it_notes_it() {
    let place = Place::new();
    let (proxy, broker) = brokered(&place);
    let request = program(&["mkfifo", "pipe"]);
    proxy.note(&proxy.decide(&request)).unwrap();
    approve_the_only_one(&broker, Approval::Once);
    let (first, second) = (proxy.decide(&request), proxy.decide(&request));
    proxy.note(&first).unwrap();
    assert!(proxy.note(&second).unwrap_err().denial().is_some());
}

#[test]
fn who_can_wait_waits_for_the_broker() {
    for (approval, runs) in [(Approval::Once, true), (Approval::Denied, false)] {
        let place = Place::new();
        let (proxy, broker) = brokered(&place);
        let context = Context { ask: AskSurface::Broker, ..Context::default() };
        let request = program(&["mkfifo", "pipe"]).in_context(context);
        let decided = proxy.decide(&request);
        let question = decided.decision().question.clone().unwrap();
        assert_eq!(decided.decision().effect, Effect::Ask);
        assert_eq!(broker.open_questions().unwrap()[0].digest, question.digest);
        let settled = std::thread::scope(|scope| {
            let waiter = scope.spawn(|| proxy.settle(decided));
            assert_eq!(approve_the_only_one(&broker, approval), question.id.unwrap().as_str());
            waiter.join().unwrap()
        });
        assert_eq!(settled.decision().is_allowed(), runs);
        assert_eq!(proxy.perform(settled, Streams::default()).is_ok_and(|child| ran(child).is_ok()), runs);
        assert_eq!(place.path("work/pipe").exists(), runs);
    }
}

#[test]
fn a_yes_for_one_principal_is_none_for_another() {
    let place = Place::new();
    let (proxy, broker) = brokered(&place);
    let by = |principal| {
        program(&["mkfifo", "pipe"]).in_context(Context {
            principal,
            trust: Trust::Signed,
            ..Context::default()
        })
    };
    let known = |id: &str| Principal::Known(id.parse().unwrap());
    let _ = proxy.decide(&by(known("t:a:1")));
    approve_the_only_one(&broker, Approval::Once);
    for other in [known("t:a:2"), Principal::Unknown, Principal::Owner] {
        assert!(!proxy.decide(&by(other)).decision().is_allowed());
    }
    assert!(proxy.decide(&by(known("t:a:1"))).decision().is_allowed());
}
