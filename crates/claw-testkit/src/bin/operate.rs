//! A child that touches files as it is told: one operation a line on standard input, one answer a line on
//! standard output. Runs inside the sandbox in the agreement tests, where the host compares its answers
//! with the decisions.
//!
//! A line is `ACTION<TAB>PATH[<TAB>TO]`; the answer is `ok`, or the name-less errno as a number.
#![expect(clippy::print_stdout, reason = "the answers are the output")]

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, BufRead, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

fn main() -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut fields = line.split('\t');
        let action = fields.next().unwrap_or("");
        let path = fields.next().unwrap_or("");
        let to = fields.next().unwrap_or("");
        match operate(action, path, to) {
            Ok(()) => println!("ok"),
            Err(error) => println!("{}", error.raw_os_error().unwrap_or(-1)),
        }
        io::stdout().flush()?;
    }
    Ok(())
}

fn operate(action: &str, path: &str, to: &str) -> io::Result<()> {
    match action {
        "read" => fs::File::open(path)?.read_exact(&mut [0; 1]).or_else(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Ok(()),
            _ => Err(error),
        }),
        "write" => OpenOptions::new().write(true).create(true).truncate(false).open(path)?.write_all(b"x"),
        "create" => OpenOptions::new().write(true).create_new(true).open(path).map(drop),
        "delete" => match fs::symlink_metadata(path)?.is_dir() {
            true => fs::remove_dir(path),
            false => fs::remove_file(path),
        },
        "rename" => fs::rename(path, to),
        "list" => fs::read_dir(path)?.try_for_each(|entry| entry.map(drop)),
        "mkdir" => fs::create_dir(path),
        "symlink" => symlink("target", path),
        "hardlink" => fs::hard_link(path, to),
        "chmod" => fs::set_permissions(path, Permissions::from_mode(0o700)),
        "stat" => fs::metadata(path).map(drop),
        "execute" => Command::new(path).output().map(drop),
        other => Err(io::Error::other(format!("unknown action `{other}`"))),
    }
}
