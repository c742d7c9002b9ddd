//! `init`: a commented policy to start from.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::args::InitArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Writes the policy. It never asks: what is there is kept unless `--force` is given.
pub(crate) fn run(args: &InitArgs) -> Outcome {
    let path = &match &args.path {
        Some(path) => path.clone(),
        None => default_path()?,
    };
    let text = include_str!("starter.yaml");
    place(path, text, args.force)?;
    if args.json {
        output::print_json(&json!({ "path": path.to_string_lossy(), "written": true }))?;
    } else {
        output::print(format_args!(
            "wrote {0}\ntry: claw-sandbox lint {0}\n     claw-sandbox run --policy {0} -- git status\n",
            path.display()
        ))?;
    }
    Ok(Exit::Success)
}

/// In the workspace a policy would be refused: its own commands could change it.
fn default_path() -> Result<PathBuf, Failure> {
    let directory = claw_sandbox::config_directory()
        .ok_or_else(|| Failure::new("there is no home directory to write a policy to; give a path"))?;
    Ok(directory.join("claw-sandbox/starter.yaml"))
}

/// Writes a policy's text. It replaces nothing unless that is asked for.
pub(super) fn place(path: &Path, text: &str, replace: bool) -> Result<(), Failure> {
    write(path, text, replace).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::new(format_args!(
            "there is already something: {}; give another path, or --force to replace it",
            path.display()
        )),
        _ => Failure::io("cannot write the policy", path, &error, "give a path that can be written"),
    })
}

/// Never writes through a link, and replaces a file only as a whole.
fn write(path: &Path, text: &str, replace: bool) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    let new = if replace { beside(path) } else { path.to_owned() };
    // A policy that others may write is refused by every command, so it starts out private.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let placed = if replace { written.and_then(|()| fs::rename(&new, path)) } else { written };
    if placed.is_err() {
        let _ = fs::remove_file(&new);
    }
    placed
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    name.into()
}
