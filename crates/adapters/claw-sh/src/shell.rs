//! Which shell is meant.

/// A shell that is stood in for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shell {
    /// `sh`: a POSIX shell.
    Sh,
    /// `bash`.
    Bash,
    /// `zsh`.
    Zsh,
}

impl Shell {
    /// The shell that a program's name asks for: the last component of its path, without the `-` of a login shell.
    ///
    /// The inner shell has to be the same, because hosts write lines for the shell that they think they have (`shopt` in
    /// lines for bash is an error in `sh`).
    ///
    /// ```
    /// use claw_sh::Shell;
    ///
    /// assert_eq!(Shell::of_name(b"/opt/claw/claw-bash"), Some(Shell::Bash));
    /// assert_eq!(Shell::of_name(b"-sh"), Some(Shell::Sh));
    /// assert_eq!(Shell::of_name(b"claw-sandbox"), None);
    /// ```
    #[must_use]
    pub fn of_name(path: &[u8]) -> Option<Self> {
        let name = path.rsplit(|byte| *byte == b'/').next()?;
        let name = name.strip_prefix(b"-").unwrap_or(name);
        match name.strip_prefix(b"claw-").unwrap_or(name) {
            b"sh" => Some(Self::Sh),
            b"bash" => Some(Self::Bash),
            b"zsh" => Some(Self::Zsh),
            _ => None,
        }
    }

    /// The real shell's name, which the sandbox looks up in the policy's trusted directories and nowhere else: through
    /// `PATH` a stand-in would find itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sh => "sh",
            Self::Bash => "bash",
            Self::Zsh => "zsh",
        }
    }
}
