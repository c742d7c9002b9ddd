//! The trees that the vectors were made over, and judges with imported policies.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use claw_import::{OpenClaw, openclaw};
use claw_policy::{
    Decision, Expansion, Format, Layer, LayerKind, Reason, Request, Source, built_in, compile,
};
use claw_sandbox::{CommandLine, ExecInput, Judge};
use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAMS: &str = "sh bash zsh dash ksh fish ls cat head tail wc tr cut uniq sort grep jq sed awk gawk find xargs git rg \
    node python3 npm npx pnpm yarn bunx env nohup nice ionice timeout stdbuf flock time setsid sudo doas busybox toybox curl wget \
    make tee touch rm cp mv chmod echo printf whoami id uname sleep perl ruby php lua date mkdir rmdir ln dd tar ssh scp docker \
    chroot unshare nsenter watch strace script xcrun taskset systemd-run tsc deno bun gh pwsh";

/// Programs that only the vectors about program text name.
const INTERPRETERS: &str = "elixir erl expect gdb R Rscript vim";

/// The tree of the vectors about commands.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { directory: TempDir::with_prefix("claw-oc-").unwrap() };
        for name in PROGRAMS.split_whitespace().chain(INTERPRETERS.split_whitespace()) {
            place.program(&format!("usr/bin/{name}"));
        }
        for path in "opt/bin/deploy opt/bin/gh2 evil/bin/head evil/bin/git home/.local/bin/mytool ws/rg ws/scripts/run.sh \
            ws/node_modules/.bin/eslint cellar/coreutils/bin/head2"
            .split_whitespace()
        {
            place.program(path);
        }
        for (path, text) in [("ws/safe.py", "print(1)\n"), ("ws/other.py", "print(2)\n"), ("ws/a.txt", "x\n")]
        {
            fs::write(place.root().join(path), text).unwrap();
        }
        fs::write(place.root().join("usr/bin/noexec"), "not executable\n").unwrap();
        fs::create_dir(place.root().join("outside")).unwrap();
        for (link, target) in [
            ("opt/bin/py", "usr/bin/python3"),
            ("opt/bin/mygit", "usr/bin/git"),
            ("usr/bin/headlink", "cellar/coreutils/bin/head2"),
        ] {
            symlink(place.root().join(target), place.root().join(link)).unwrap();
        }
        place
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap()
    }

    fn program(&self, path: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "#!/bin/sh\nexit 0\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The judge of these settings: `exec` is merged into `tools.exec`.
    pub(crate) fn judge(&self, allowlist: &Value, exec: &Value) -> Judge {
        let root = self.root();
        let at = |path: &str| root.join(path).to_str().unwrap().to_owned();
        let mut settings = json!({
            "pathPrepend": [at("usr/bin"), at("opt/bin"), at("home/.local/bin")],
            "safeBinTrustedDirs": [at("usr/bin")],
        });
        for (key, value) in exec.as_object().unwrap() {
            settings[key] = value.clone();
        }
        let config = json!({
            "agents": { "defaults": { "workspace": at("ws") } },
            "tools": { "exec": settings },
        });
        let approvals = json!({ "version": 1, "agents": { "main": { "allowlist": allowlist } } });
        judge(&config, Some(&approvals), &at("home"), "")
    }
}

/// The judge of an import. `more` is added to the policy's text.
pub(crate) fn judge(config: &Value, approvals: Option<&Value>, home: &str, more: &str) -> Judge {
    let source = |name: &str, value: &Value| Source::new(name, value.to_string(), Format::Json5);
    let config = source("openclaw.json", config);
    let approvals = approvals.map(|approvals| source("exec-approvals.json", approvals));
    let input = OpenClaw { config: Some(&config), approvals: approvals.as_ref(), agent: "main" };
    let text = openclaw(input).unwrap().policy + more;
    let layers = [
        Layer { source: built_in(), kind: LayerKind::BuiltIn },
        Layer { source: Source::new("imported.yaml", text, Format::Yaml), kind: LayerKind::Named },
    ];
    let expansion = Expansion { home: Some(home.into()), cwd: home.into(), ..Expansion::default() };
    Judge::new(compile(&layers, &expansion).unwrap()).with_home(home.into())
}

/// Our answer to a command, with what we say about it.
pub(crate) fn ask(judge: &Judge, command: CommandLine, cwd: &Path) -> (&'static str, String) {
    let input = ExecInput { command, cwd: cwd.to_owned(), environment: Vec::new(), timeout: None };
    match input.parse() {
        Ok(script) => answer(&judge.decide(Request::Exec(&input.request(&script))).unwrap()),
        Err(denial) => ("deny", said(&denial.reasons)),
    }
}

pub(crate) fn answer(decision: &Decision) -> (&'static str, String) {
    match decision {
        Decision::Allow(_) => ("allow", String::new()),
        Decision::Deny(denial) => ("deny", said(&denial.reasons)),
        Decision::Ask(question) => ("ask", said(&question.reasons)),
    }
}

fn said(reasons: &[Reason]) -> String {
    reasons.first().unwrap().message.to_string()
}

pub(crate) fn line(text: &str) -> CommandLine {
    CommandLine::Line { text: text.as_bytes().to_vec(), shell: b"bash".to_vec() }
}

pub(crate) fn argv(words: &Value) -> CommandLine {
    let words = words.as_array().unwrap().iter();
    CommandLine::Argv(words.map(|word| word.as_str().unwrap().as_bytes().to_vec()).collect())
}
