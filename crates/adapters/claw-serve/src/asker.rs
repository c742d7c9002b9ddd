//! Questions to the peer, and their answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use claw_sandbox::approval::{Approval, ApprovalRequest, Approver};
use claw_wire::{Answer, Bytes};
use serde_json::{Value, json};

use crate::outbox::Outbox;

/// How long a question waits for its answer.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often is looked whether anybody still waits for the answer.
const LOOK: Duration = Duration::from_millis(100);

/// Puts questions of the sandbox to the peer, as requests of ours (`approval.ask`).
#[derive(Debug)]
pub struct Asker {
    state: Mutex<State>,
    outbox: OnceLock<Arc<Outbox>>,
    otherwise: Option<Arc<dyn Approver>>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    open: BTreeMap<String, SyncSender<Option<Value>>>,
    over: bool,
}

impl Asker {
    /// An approver for the sandbox of a session. `otherwise` is asked when the peer cannot ask anybody.
    #[must_use]
    pub fn new(otherwise: Option<Arc<dyn Approver>>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), outbox: OnceLock::new(), otherwise })
    }

    /// The peer can ask: from now on questions go there.
    pub(crate) fn use_peer(&self, outbox: &Arc<Outbox>) {
        let _ = self.outbox.set(Arc::clone(outbox));
    }

    /// Whether there is a way to somebody.
    pub(crate) fn can_ask(&self) -> bool {
        self.outbox.get().is_some() || self.otherwise.is_some()
    }

    /// The peer's answer to the question of that id. What answers no open question is nobody's.
    pub(crate) fn answered(&self, id: &str, result: Option<Value>) {
        let open = self.lock().open.remove(id);
        if let Some(open) = open {
            let _ = open.send(result);
        }
    }

    /// Every open question is answered with no, and every later one.
    pub(crate) fn nobody_answers(&self) {
        let mut state = self.lock();
        state.over = true;
        state.open.clear();
    }

    fn ask_peer(&self, outbox: &Outbox, request: &ApprovalRequest<'_>) -> Approval {
        let (sender, answer) = sync_channel(1);
        let id = {
            let mut state = self.lock();
            if state.over {
                return Approval::Denied;
            }
            state.last += 1;
            let id = format!("q{}", state.last);
            state.open.insert(id.clone(), sender);
            id
        };
        let question =
            json!({ "jsonrpc": "2.0", "id": id, "method": "approval.ask", "params": shown(request) });
        let until = Instant::now() + PATIENCE;
        let mut said = Approval::Denied;
        if outbox.reply(question) {
            while request.waits.still() && Instant::now() < until {
                match answer.recv_timeout(LOOK) {
                    Ok(result) => {
                        said = read(result);
                        break;
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
        }
        self.lock().open.remove(&id);
        said
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Approver for Asker {
    fn ask(&self, request: &ApprovalRequest<'_>) -> Approval {
        match (self.outbox.get(), &self.otherwise) {
            (Some(outbox), _) => self.ask_peer(outbox, request),
            (None, Some(otherwise)) => otherwise.ask(request),
            (None, None) => Approval::Denied,
        }
    }
}

/// Everything that would run, whole: what is cut off is where harm hides.
fn shown(request: &ApprovalRequest<'_>) -> Value {
    let path = |path: &Path| Bytes::from(path.as_os_str().as_encoded_bytes());
    let words =
        |argv: &Vec<Vec<u8>>| argv.iter().map(|word| Bytes::from(word.as_slice())).collect::<Vec<_>>();
    json!({
        "commands": request.commands.iter().map(words).collect::<Vec<_>>(),
        "line": request.line.map(Bytes::from),
        "program": request.program.map(path),
        "cwd": path(request.cwd),
        "caller": request.caller,
        "reasons": request.reasons.iter().map(|reason| reason.message.to_string()).collect::<Vec<_>>(),
        "answers": [Answer::Once, Answer::Always, Answer::Deny],
        "ttl_ms": PATIENCE.as_millis() as u64,
    })
}

/// `{"answer": "once" | "always" | "deny"}`; anything else is a no.
fn read(result: Option<Value>) -> Approval {
    let answer = result.as_ref().and_then(|result| result.get("answer")).cloned().unwrap_or_default();
    match serde_json::from_value(answer) {
        Ok(Answer::Once) => Approval::Once,
        Ok(Answer::Always) => Approval::Always,
        Ok(Answer::Deny) | Err(_) => Approval::Denied,
    }
}
