//! `serve --stdio`, end to end, by a peer that speaks lines of JSON.
#![expect(clippy::indexing_slicing, reason = "a member of JSON that is not there is null")]

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Place, Ran, User, eventually, is_running};

/// Longer than anything here takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

struct Peer {
    process: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// Came while something else was waited for.
    waiting: RefCell<Vec<Value>>,
    last: u64,
}

impl Peer {
    fn new(place: &Place, args: &[&str]) -> Self {
        let mut command = place.cli(["serve", "--stdio"].iter().chain(args));
        let mut process = command.stdin(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (sender, messages) = channel();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines() {
                if sender.send(serde_json::from_str(&line.unwrap()).unwrap()).is_err() {
                    return;
                }
            }
        });
        let stdin = process.stdin.take();
        Self { process, stdin, messages, waiting: RefCell::default(), last: 0 }
    }

    fn send(&mut self, line: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(line).and_then(|()| stdin.write_all(b"\n")).unwrap();
    }

    /// Sends a request and gives back its id.
    fn request(&mut self, method: &str, params: Value) -> u64 {
        self.last += 1;
        let request = json!({ "jsonrpc": "2.0", "id": self.last, "method": method, "params": params });
        self.send(request.to_string().as_bytes());
        self.last
    }

    /// The first message that fits.
    fn wait(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let found = self.waiting.borrow().iter().position(&fits);
        if let Some(place) = found {
            return self.waiting.borrow_mut().remove(place);
        }
        loop {
            let message = self.messages.recv_timeout(PATIENCE).unwrap();
            if fits(&message) {
                return message;
            }
            self.waiting.borrow_mut().push(message);
        }
    }

    fn answer_to(&self, id: u64) -> Value {
        self.wait(|message| message.get("method").is_none() && message["id"] == id)
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        self.answer_to(id)
    }

    fn start(&mut self, line: &str, more: Value) -> String {
        let mut params = json!({ "request": { "exec": { "command": line } } });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.call("exec", params);
        answer["result"]["job"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    fn end_of(&self, job: &str) -> Value {
        self.wait(|message| message["method"] == "exec.ended" && message["params"]["job"] == job)["params"]
            .clone()
    }

    /// What a job wrote; its end has been seen, and comes last.
    fn output_of(&self, job: &str, stream: &str) -> String {
        let waiting = self.waiting.borrow();
        let of_job = waiting.iter().filter(|message| message["method"] == "exec.output");
        let params = of_job.map(|message| &message["params"]);
        let params = params.filter(|params| params["job"] == job && params["stream"] == stream);
        params.filter_map(|params| params["data"].as_str()).collect()
    }

    /// Closes our end and waits for the process.
    fn close(mut self) -> i32 {
        drop(self.stdin.take());
        self.process.wait().unwrap().code().unwrap()
    }
}

fn error_code(answer: &Value) -> (i64, &str) {
    (answer["error"]["code"].as_i64().unwrap_or(0), answer["error"]["data"]["code"].as_str().unwrap_or(""))
}

#[test]
fn commands_stream_their_output_and_end_with_their_status() {
    for user in User::all() {
        let place = Place::of(user);
        let mut peer = Peer::new(&place, &[]);
        let hello = peer.call("initialize", json!({ "protocol": 1, "client": "test" }));
        assert_eq!(hello["result"]["protocol"], 1, "{hello}");
        let job = peer.start("echo out; echo err >&2; exit 3", json!({}));
        let end = peer.end_of(&job);
        assert_eq!((&end["status"], &end["ending"]), (&json!(3), &json!("exited")), "{end}");
        assert_eq!(peer.output_of(&job, "stdout"), "out\n");
        assert_eq!(peer.output_of(&job, "stderr"), "err\n");
        assert_eq!(peer.close(), 0);
    }
}

#[test]
fn a_denial_is_an_error_with_the_decision_as_data() {
    let place = Place::new();
    let mut peer = Peer::new(&place, &[]);
    let answer = peer.call("exec", json!({ "request": { "exec": { "command": "git status; curl x" } } }));
    assert_eq!(error_code(&answer), (-32001, "exec.not-allowlisted"), "{answer}");
    assert_eq!(answer["error"]["data"]["retryable"], false, "{answer}");
    let answer = peer.call("decide", json!({ "request": { "exec": { "command": "curl x" } } }));
    assert_eq!(answer["result"]["effect"], "deny", "{answer}");
    let answer = peer.call("file.read", json!({ "path": "/etc/shadow" }));
    assert_eq!(answer["error"]["code"], -32001, "{answer}");
    // What the call in the sandbox would have been allowed to do outside: the control.
    assert!(place.program("cat").arg("/etc/hostname").status().unwrap().success());
}

#[test]
fn a_job_is_fed_signalled_and_cancelled_with_all_that_it_started() {
    for user in User::all() {
        let place = Place::of(user);
        let mut peer = Peer::new(&place, &[]);
        let job = peer.start("cat; echo end", json!({ "stdin": true }));
        peer.call("exec.write", json!({ "job": job, "data": "one\n" }));
        peer.call("exec.write", json!({ "job": job, "data": { "bytes": "dHdvCg==" }, "end": true }));
        assert_eq!(peer.end_of(&job)["status"], 0);
        assert_eq!(peer.output_of(&job, "stdout"), "one\ntwo\nend\n");
        let answer = peer.call("exec.write", json!({ "job": job, "data": "x" }));
        assert_eq!(error_code(&answer), (-32006, "serve.no-such-job"), "{answer}");

        let job = peer.start("sleep 987.125 & sleep 987.25; true", json!({}));
        assert!(eventually(|| is_running("987.125") && is_running("987.25")));
        assert_eq!(peer.call("exec.list", json!({}))["result"]["jobs"], json!([job]));
        assert!(peer.call("exec.cancel", json!({ "job": job })).get("result").is_some());
        assert_eq!(peer.end_of(&job)["ending"], "killed");
        assert!(
            !is_running("987.125") && !is_running("987.25"),
            "what was swept is gone when its end is told"
        );

        let job = peer.start("sleep 987.5", json!({}));
        assert!(eventually(|| is_running("987.5")));
        peer.call("exec.signal", json!({ "job": job, "signal": 15 }));
        assert_eq!(peer.end_of(&job)["signal"], 15);
    }
}

#[test]
fn what_was_started_ends_when_the_peer_goes() {
    for user in User::all() {
        let place = Place::of(user);
        let mut peer = Peer::new(&place, &[]);
        peer.start("sleep 986.125", json!({}));
        assert!(eventually(|| is_running("986.125")));
        assert_eq!(peer.close(), 0);
        assert!(!is_running("986.125"));
    }
}

#[test]
fn a_peer_that_does_not_read_holds_up_neither_a_cancel_nor_the_end() {
    let place = Place::new();
    let mut command = place.cli(["serve", "--stdio"]);
    let mut process = command.stdin(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let line = "sleep 985.125 & yes";
    let start = json!({ "jsonrpc": "2.0", "id": 1, "method": "exec", "params": { "request": { "exec": { "command": line } } } });
    writeln!(stdin, "{start}").unwrap();
    assert!(eventually(|| is_running("985.125")));
    thread::sleep(Duration::from_millis(300));
    // Standard output is full by now, and nobody reads it.
    writeln!(
        stdin,
        "{}",
        json!({ "jsonrpc": "2.0", "id": 2, "method": "exec.cancel", "params": { "job": "j1" } })
    )
    .unwrap();
    assert!(eventually(|| !is_running("985.125")), "the sweep does not wait for the peer");
    drop(stdin);
    assert!(eventually(|| process.try_wait().unwrap().is_some()), "nor does the end");
}

#[test]
fn files_are_read_and_changed_under_the_same_policy() {
    for user in User::all() {
        let place = Place::of(user);
        place.write("work/old.txt", "one\ntwo\n");
        let key = place.write("home/.ssh/id_ed25519", "PRIVATE");
        let mut peer = Peer::new(&place, &[]);
        let read = peer.call("file.read", json!({ "path": "old.txt" }));
        assert_eq!(read["result"]["content"], "one\ntwo\n", "{read}");
        let edit = json!({ "path": "old.txt", "edits": [{ "old": "two", "new": "2" }] });
        let edited = peer.call("file.edit", edit);
        assert!(edited["result"]["diff"].as_str().unwrap().contains("+2"), "{edited}");
        let write = json!({ "path": "new.bin", "content": { "bytes": "AP8=" }, "mode": "create" });
        assert!(peer.call("file.write", write.clone()).get("result").is_some());
        assert_eq!(fs::read(place.path("work/new.bin")).unwrap(), [0, 0xff]);
        assert_eq!(peer.call("file.write", write)["error"]["data"]["code"], "file.exists");
        let list = peer.call("file.list", json!({ "path": "." }));
        assert!(list["result"]["entries"].as_array().unwrap().len() >= 2, "{list}");
        let read = peer.call("file.read", json!({ "path": key }));
        assert_eq!(read["error"]["code"], -32001, "{read}");
        assert_eq!(
            peer.call("file.write", json!({ "path": "../x", "content": "" }))["error"]["code"],
            -32001
        );
        assert!(!place.path("x").exists());
        peer.call("file.rename", json!({ "from": "new.bin", "to": "moved" }));
        peer.call("file.mkdir", json!({ "path": "d" }));
        peer.call("file.remove", json!({ "path": "old.txt" }));
        let left: Vec<_> =
            fs::read_dir(place.work()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }
}

#[test]
fn nonsense_is_told_and_the_session_goes_on() {
    let place = Place::new();
    let mut peer = Peer::new(&place, &[]);
    for (line, code) in [
        (&b"{"[..], -32700),
        (b"\xff\xfe", -32700),
        (b"[]", -32600),
        (br#"{"jsonrpc":"2.0","id":"x","method":"no.such"}"#, -32601),
        (br#"{"jsonrpc":"2.0","id":"x","method":"exec","params":{"command":"ls"}}"#, -32602),
        (br#"{"jsonrpc":"2.0","id":"x","method":"file.read","params":[]}"#, -32602),
        (br#"{"jsonrpc":"2.0","id":"x","method":"initialize","params":{"protocol":9}}"#, -32602),
    ] {
        peer.send(line);
        let answer = peer.wait(|message| message.get("error").is_some());
        assert_eq!(answer["error"]["code"], code, "{}", String::from_utf8_lossy(line));
    }
    peer.send(&vec![b'x'; 13 << 20]);
    let answer = peer.wait(|message| message.get("error").is_some());
    assert_eq!(answer["error"]["data"]["code"], "serve.line-too-long");
    assert!(peer.call("exec.list", json!({})).get("result").is_some());
}

/// Answers the next question, and gives it back.
fn answer_question(peer: &mut Peer, answer: &str) -> Value {
    let question = peer.wait(|message| message["method"] == "approval.ask");
    let said = json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "answer": answer } });
    peer.send(said.to_string().as_bytes());
    question["params"].clone()
}

#[test]
fn a_question_goes_to_the_peer_and_its_answer_is_about_that_command() {
    let place = Place::new();
    let policy = place.write("home/policy.yaml", "exec: { ask: on-miss, allowlist: [echo] }\n");
    let policy = policy.to_str().unwrap();
    for (answer, starts) in [("once", true), ("deny", false), ("nonsense", false)] {
        let mut peer = Peer::new(&place, &["--policy", policy]);
        peer.call("initialize", json!({ "protocol": 1, "approvals": true }));
        let id = peer.request("exec", json!({ "request": { "exec": { "argv": ["wc", "--version"] } } }));
        let question = answer_question(&mut peer, answer);
        assert_eq!(question["commands"], json!([["wc", "--version"]]), "{question}");
        let reply = peer.answer_to(id);
        assert_eq!(reply.get("result").is_some(), starts, "{answer}: {reply}");
    }
    // Without a way to ask it is a denial that says so.
    let mut peer = Peer::new(&place, &["--policy", policy]);
    let reply = peer.call("exec", json!({ "request": { "exec": { "argv": ["wc", "--version"] } } }));
    assert_eq!(error_code(&reply), (-32001, "exec.needs-approval"), "{reply}");
    assert_eq!(reply["error"]["data"]["retryable"], true, "{reply}");
}

#[test]
fn many_requests_at_once_are_all_answered() {
    let place = Place::new();
    place.write("work/file", "x");
    let mut peer = Peer::new(&place, &[]);
    let ids: Vec<u64> = (0..200).map(|_| peer.request("file.read", json!({ "path": "file" }))).collect();
    let mut read = 0;
    for id in ids {
        let answer = peer.answer_to(id);
        match error_code(&answer) {
            (0, _) => read += 1,
            busy => assert_eq!(busy, (-32005, "serve.busy"), "{answer}"),
        }
    }
    assert!(read > 0);
}

#[test]
fn the_reference_client_runs_a_line() {
    let place = Place::new();
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/serve_client.py");
    let run = |line: &str| {
        let mut command = place.program("python3");
        command
            .arg(client)
            .arg(line)
            .env("CLAW_SANDBOX", place.path("bin/claw-sandbox"))
            .stdin(Stdio::null());
        Ran::new(line.to_owned(), &command.output().unwrap())
    };
    let ran = run("echo out; echo err >&2; exit 4").exits(4);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", "err\n"));
    run("curl x").exits(1).says("`curl` is not in the allowlist");
}
