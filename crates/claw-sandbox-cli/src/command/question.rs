//! Asks the person at the terminal whether a command may run.

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
#[derive(Debug)]
pub(crate) struct Terminal {
    // One question at a time.
    terminal: Mutex<File>,
}

impl Terminal {
    /// Opens `/dev/tty`. `None` without a terminal: then nobody can be asked.
    pub(crate) fn open() -> Option<Self> {
        let mut options = File::options();
        options.read(true).write(true).custom_flags(libc::O_NOCTTY);
        options.open("/dev/tty").ok().map(|terminal| Self { terminal: Mutex::new(terminal) })
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
        let answer = put_to(&terminal, request).unwrap_or(Approval::Denied);
        drop(cooked);
        drop(hold);
        answer
    }
}

fn put_to(mut terminal: &File, request: &ApprovalRequest<'_>) -> io::Result<Approval> {
    // What was typed before the question is no answer to it.
    tcflush(terminal, FlushArg::TCIFLUSH)?;
    terminal.write_all(question(request).as_bytes())?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        terminal.write_all(b"[o]nce, [a]lways, [d]eny: ")?;
        let answer = match read_line(terminal, deadline, request.waits)? {
            Typed::Line(answer) => answer,
            Typed::Nothing => {
                terminal.write_all(b"\nno answer in time: denied\n")?;
                return Ok(Approval::Denied);
            }
            Typed::TooLate => {
                terminal.write_all(b"\nwhat asked has ended: no answer is needed\n")?;
                return Ok(Approval::Denied);
            }
        };
        match answer.trim().to_ascii_lowercase().as_str() {
            "o" | "once" => return Ok(Approval::Once),
            "a" | "always" => return Ok(Approval::Always),
            "d" | "deny" | "n" | "no" => return Ok(Approval::Denied),
            _ => {}
        }
    }
}

/// The whole command, with what the terminal would not show as it is escaped.
fn question(request: &ApprovalRequest<'_>) -> String {
    let mut text = String::from("\nclaw-sandbox: may this run?\n");
    let mut add = |name: &str, value: &str| {
        text.push_str("  ");
        text.push_str(name);
        text.push_str(value);
        text.push('\n');
    };
    if let Some(line) = request.line {
        add("", &escaped(line));
    }
    for argv in request.commands {
        let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
        add(if request.line.is_some() { "runs: " } else { "" }, &words.join(" "));
    }
    if let Some(program) = request.program {
        add("program: ", &escaped(program.as_os_str().as_encoded_bytes()));
    }
    add("in: ", &escaped(request.cwd.as_os_str().as_encoded_bytes()));
    if let Some(caller) = request.caller {
        add("asked for by: ", &escaped(caller.as_bytes()));
    }
    for reason in request.reasons {
        add("because ", &escaped(reason.message.as_bytes()));
    }
    text
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            // Also what would turn the direction of the text around or take no room.
            if character.is_control() || is_invisible(character) {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

const fn is_invisible(character: char) -> bool {
    // Default_Ignorable_Code_Point of Unicode 16, without its unassigned ones, the separators of lines, the marks of
    // annotations (U+FFF9) and the empty Braille cell.
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

// Quoted where a word would not be seen as one word. No two words look the same, nor like two.
fn quoted(word: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    for byte in word {
        if matches!(byte, b'\'' | b'\\') {
            bytes.push(b'\\');
        }
        bytes.push(*byte);
    }
    let shown = escaped(&bytes);
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(byte);
    if !word.is_empty() && word.iter().all(is_plain) { shown } else { format!("'{shown}'") }
}

enum Typed {
    Line(String),
    // The time is over, or the terminal is gone.
    Nothing,
    // Nobody waits for it any more.
    TooLate,
}

fn read_line(mut terminal: &File, deadline: Instant, waits: Waits<'_>) -> io::Result<Typed> {
    let mut line = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left.min(LOOK_AFTER).as_millis()).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(terminal.as_fd(), PollFlags::POLLIN)];
        let mut bytes = [0; ANSWER_BYTES];
        let length = match poll(&mut fds, timeout) {
            Ok(0) if left.is_zero() => return Ok(Typed::Nothing),
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_word_looks_like_one_word_and_like_no_other() {
        for (word, shown) in [
            ("plain", "plain"),
            ("a' 'b", r"'a\' \'b'"),
            (r"a\' \'b", r"'a\\\' \\\'b'"),
            ("\n", r"'\n'"),
            (r"\n", r"'\\n'"),
            ("a\u{3164}b", r"'a\u{3164}b'"),
        ] {
            assert_eq!(quoted(word.as_bytes()), shown);
        }
    }

    #[test]
    fn what_takes_no_room_is_written_out() {
        for invisible in
            ['\u{61c}', '\u{3164}', '\u{fe00}', '\u{fe0f}', '\u{e0000}', '\u{e007f}', '\u{e0100}', '\u{200b}']
        {
            let text = escaped(format!("a{invisible}b").as_bytes());
            assert_eq!(text, format!("a{}b", invisible.escape_unicode()));
        }
        assert_eq!(escaped("ä漢é".as_bytes()), "ä漢é");
    }

    #[test]
    fn nothing_of_a_command_is_cut_off_and_nothing_writes_on_the_terminal() {
        let mut argv = vec![b"curl".to_vec(), b"\x1b[2J a\n".to_vec()];
        argv.extend(["\u{202e}b".as_bytes().to_vec(), b"\xff".to_vec(), Vec::new(), vec![b'x'; 100_000]]);
        let text = question(&ApprovalRequest {
            commands: &[argv],
            line: None,
            program: Some(Path::new("/usr/bin/cu\nrl")),
            cwd: Path::new("/w"),
            caller: None,
            reasons: &[],
            terminal: None,
            waits: Waits::always(),
        });
        assert!(text.contains(r"curl '\u{1b}[2J a\n' '\u{202e}b' '\xff' '' xxx"), "{text:.200}");
        assert!(text.contains(&"x".repeat(100_000)) && text.contains("program: /usr/bin/cu\\nrl\n"));
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    }
}
