//! `shell install`: the files that hosts are told are their shells.

use std::env;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use claw_sandbox::{LoadOptions, load_policy};
use claw_sh::Shell;

use super::script::Script;
use crate::args::ShellInstallArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;

/// The kernel reads this much of a first line, and cuts what is longer (`BINPRM_BUF_SIZE` of linux/binfmts.h).
const FIRST_LINE: usize = 256;

/// Writes the files, and says how hosts are told.
pub(crate) fn run(args: &ShellInstallArgs) -> Outcome {
    let directory = super::super::directory(Some(&args.into))?;
    let policy = args.policy.as_deref().map(|policy| super::super::directory(Some(policy))).transpose()?;
    let cwd = super::super::directory(None)?;
    let workspace =
        args.workspace.as_deref().map(|workspace| super::super::directory(Some(workspace))).transpose()?;
    // A policy that does not load is found now, and not by the agent.
    let options = LoadOptions { cwd, named: policy.clone(), workspace, narrowed_by: Vec::new() };
    let loaded = load_policy(&options)?;
    if options.workspace.is_none() {
        output::say(
            "the workspace is the policy's, or else the directory that the host starts a command in: where that is the \
             agent's to choose, name one with --workspace",
        );
    }
    let script = Script::new(policy, options.workspace, args.host.clone());
    let text = script.text(&interpreter()?);
    fs::create_dir_all(&directory).map_err(|error| unwritable(&directory, &error))?;
    for name in &args.names {
        let shell = Shell::of_name(name.as_bytes()).filter(|_| !name.contains('/'));
        if shell.is_none() {
            return Err(Failure::new(format_args!(
                "`{name}` is not the name of a shell; choose among sh, bash, zsh, claw-sh, claw-bash and claw-zsh"
            )));
        }
        let searched = loaded.trusted_directories().iter().any(|trusted| directory.starts_with(trusted));
        if searched && !name.starts_with("claw-") {
            return Err(Failure::new(format_args!(
                "the sandbox looks the real {name} up in {}; put the file into a directory of its own",
                directory.display()
            )));
        }
        let path = directory.join(name);
        write(&path, &text)?;
        output::print(format_args!("{}\n", path.display()))?;
    }
    Ok(Exit::Success)
}

/// This command, where the kernel finds it.
fn interpreter() -> Result<PathBuf, Failure> {
    let path = env::current_exe().map_err(|error| {
        Failure::new(format_args!("where this command is cannot be found out: {error}; is /proc mounted?"))
    })?;
    let bytes = path.as_os_str().as_bytes();
    let fits = bytes.len() + "#! stand-in\n".len() <= FIRST_LINE;
    if !fits || bytes.iter().any(|byte| byte.is_ascii_whitespace()) {
        return Err(Failure::new(format_args!(
            "a file cannot name {} as its interpreter: the path is too long or has spaces; install this command elsewhere",
            path.display()
        )));
    }
    Ok(path)
}

/// Writes one file, whole or not at all. What is not ours stays.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| unwritable(path, error);
    match fs::read(path) {
        Ok(there) if !is_ours(&there) => {
            return Err(Failure::new(format_args!(
                "{} is somebody else's: choose another directory, or move it away",
                path.display()
            )));
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(&error)),
        _ => {}
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = fs::File::create_new(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(0o755))?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    written.map_err(|error| {
        let _ = fs::remove_file(&beside);
        failed(&error)
    })
}

/// Whether a file with this text leads to this command.
pub(super) fn is_ours(text: &[u8]) -> bool {
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    first.starts_with(b"#!") && first.ends_with(b" stand-in")
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::io("cannot write the stand-in", path, error, "choose another directory with --into")
}
