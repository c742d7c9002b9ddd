//! What a file that is many programs is called as.

use crate::ProgramFact;
use crate::decide::exec::program::is_multi_call;
use crate::decide::exec::words::base_name;

/// The name under which a program acts, and where its own arguments begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Called<'r> {
    pub(super) name: &'r [u8],
    /// The place of the word that names it in the argument vector.
    pub(super) at: usize,
}

/// What `argv` calls `program`. For a file that is one program that is only what it says of itself.
pub(super) fn called<'r>(program: &'r ProgramFact, argv: &'r [Vec<u8>]) -> Called<'r> {
    let mut called = Called { name: argv.first().map_or(&[][..], |word| own_name(word)), at: 0 };
    if !is_multi_call(&program.real) {
        return called;
    }
    // `busybox busybox ls` is `ls` too.
    while let Some(applet) = argument(called.name, argv.get(called.at + 1).map(Vec::as_slice)) {
        called = Called { name: applet, at: called.at + 1 };
    }
    called
}

/// The applet that the first argument of the multi-call binary `name` chooses.
fn argument<'r>(name: &[u8], first: Option<&'r [u8]>) -> Option<&'r [u8]> {
    let first = first?;
    if !(name.starts_with(b"busybox") || name.starts_with(b"toybox") || name == b"coreutils") {
        return None;
    }
    // GNU coreutils, built as one binary.
    let chosen = [&b"--coreutils-prog-shebang="[..], b"--coreutils-prog="];
    if let Some(applet) = chosen.into_iter().find_map(|option| first.strip_prefix(option)) {
        // What a `#!` line gives is followed by the script's path.
        return Some(base_name(applet));
    }
    (!first.starts_with(b"-")).then(|| base_name(first))
}

/// The last component; a login shell is started as `-sh`.
fn own_name(word: &[u8]) -> &[u8] {
    let name = base_name(word);
    name.strip_prefix(b"-").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileId;

    #[test]
    fn applets_are_chosen_by_the_name_or_the_first_argument() {
        let cases: &[(&str, &[&str], &str, usize)] = &[
            ("/bin/busybox", &["ls", "-l"], "ls", 0),
            ("/bin/busybox", &["/bin/rm", "x"], "rm", 0),
            ("/bin/busybox", &["busybox", "rm", "x"], "rm", 1),
            ("/bin/busybox", &["/bin/busybox", "busybox", "/x/rm"], "rm", 2),
            ("/bin/busybox", &["busybox", "--list"], "busybox", 0),
            ("/bin/busybox", &["-sh"], "sh", 0),
            ("/bin/busybox", &[], "", 0),
            ("/usr/bin/coreutils", &["coreutils", "--coreutils-prog=rm", "x"], "rm", 1),
            ("/usr/bin/coreutils", &["coreutils", "rm", "x"], "rm", 1),
            ("/usr/bin/git", &["rm", "x"], "rm", 0),
            ("/usr/bin/git", &["busybox", "rm"], "busybox", 0),
        ];
        for (real, argv, name, at) in cases {
            let program = ProgramFact {
                found: real.into(),
                real: real.into(),
                id: FileId { device: 1, inode: 1 },
                executable: true,
                interpreters: Vec::new(),
            };
            let argv: Vec<Vec<u8>> = argv.iter().map(|word| word.as_bytes().to_vec()).collect();
            let wanted = Called { name: name.as_bytes(), at: *at };
            assert_eq!(called(&program, &argv), wanted, "{real} {argv:?}");
        }
    }
}
