//! Asks the person at the terminal whether a command may run.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use claw_sandbox::approval::{Approval, ApprovalRequest, Approver, RunTerminal, Waits};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{FlushArg, tcflush};

use crate::terminal::Cooked;

/// How long a person is waited for. Silence is a no.
const PATIENCE: Duration = Duration::from_secs(120);
/// A longer answer is none.
const ANSWER_BYTES: usize = 64;
// How often it is looked whether anybody still waits for the answer.
const LOOK_AFTER: Duration = Duration::from_millis(200);

/// The controlling terminal, whatever the standard streams are.
pub(crate) struct Terminal {
    // One question at a time.
    terminal: Mutex<File>,
    // A signal that ends us is an answer too.
    interrupted: Box<dyn Fn() -> bool + Send + Sync>,
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

impl Terminal {
    /// Opens `/dev/tty`. `None` without a terminal: then nobody can be asked. Nobody is once we were `interrupted`.
    pub(crate) fn open(interrupted: impl Fn() -> bool + Send + Sync + 'static) -> Option<Self> {
        let mut options = File::options();
        options.read(true).write(true).custom_flags(libc::O_NOCTTY);
        let terminal = Mutex::new(options.open("/dev/tty").ok()?);
        Some(Self { terminal, interrupted: Box::new(interrupted) })
    }
}

impl Approver for Terminal {
    fn ask(&self, request: &ApprovalRequest<'_>) -> Approval {
        let terminal = self.terminal.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Others were asked meanwhile.
        if !request.waits.still() {
            return Approval::Denied;
        }
        // The run must neither draw over the question nor get its answer.
        let hold = match request.terminal.map(RunTerminal::hold) {
            Some(None) => return Approval::Denied,
            hold => hold.flatten(),
        };
        let cooked = Cooked::enter();
        let answer = put_to(&terminal, request, &self.interrupted).unwrap_or(Approval::Denied);
        drop(cooked);
        drop(hold);
        answer
    }
}

fn put_to(
    mut terminal: &File,
    request: &ApprovalRequest<'_>,
    interrupted: &dyn Fn() -> bool,
) -> io::Result<Approval> {
    // What was typed before the question is no answer to it.
    tcflush(terminal, FlushArg::TCIFLUSH)?;
    terminal.write_all(b"\nclaw-sandbox: may this run?\n")?;
    terminal.write_all(request.shown().as_bytes())?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        terminal.write_all(b"[o]nce, [a]lways, [d]eny: ")?;
        let none: &[u8] = match read_line(terminal, deadline, request.waits, interrupted)? {
            Typed::Line(answer) => match meant(&answer) {
                Some(approval) => return Ok(approval),
                None => {
                    terminal.write_all(b"please answer with o, a or d\n")?;
                    continue;
                }
            },
            Typed::Nothing => b"\nno answer: denied\n",
            Typed::Silence => b"\nno answer in time: denied\n",
            Typed::Interrupt => b"\ninterrupted: denied\n",
            Typed::TooLate => b"\nwhat asked has ended: no answer is needed\n",
        };
        terminal.write_all(none)?;
        return Ok(Approval::Denied);
    }
}

/// A yes is the smaller one.
fn meant(answer: &str) -> Option<Approval> {
    match answer.trim().to_ascii_lowercase().as_str() {
        "o" | "once" | "y" | "yes" => Some(Approval::Once),
        "a" | "always" => Some(Approval::Always),
        "d" | "deny" | "n" | "no" => Some(Approval::Denied),
        _ => None,
    }
}

enum Typed {
    Line(String),
    // The terminal is gone, or its end was typed.
    Nothing,
    // The time is over.
    Silence,
    // We are to end.
    Interrupt,
    // Nobody waits for it any more.
    TooLate,
}

fn read_line(
    mut terminal: &File,
    deadline: Instant,
    waits: Waits<'_>,
    interrupted: &dyn Fn() -> bool,
) -> io::Result<Typed> {
    let mut line = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left.min(LOOK_AFTER).as_millis()).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(terminal.as_fd(), PollFlags::POLLIN)];
        let mut bytes = [0; ANSWER_BYTES];
        let length = match poll(&mut fds, timeout) {
            Ok(0) if interrupted() => return Ok(Typed::Interrupt),
            Ok(0) if left.is_zero() => return Ok(Typed::Silence),
            Ok(0) if !waits.still() => return Ok(Typed::TooLate),
            Ok(0) => continue,
            // A signal is no answer.
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
            Ok(_) => match terminal.read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            },
        };
        line.extend(bytes.iter().take(length));
        if length == 0 {
            return Ok(Typed::Nothing);
        }
        if line.contains(&b'\n') || line.len() > ANSWER_BYTES {
            return Ok(Typed::Line(String::from_utf8_lossy(&line).into_owned()));
        }
    }
}
