//! Values of options with a syntax of their own.

use claw_shell::Word;

use super::super::options::Special;
use super::{Case, display};

/// Subcommands that run a command or code given to them, per program.
pub(super) const RUNNING_SUBCOMMANDS: [(&str, &[&[&str]]); 12] = [
    (
        "docker",
        &[
            &["run"],
            &["exec"],
            &["container", "run"],
            &["container", "exec"],
            &["compose", "run"],
            &["compose", "exec"],
            &["create"],
        ],
    ),
    (
        "podman",
        &[&["run"], &["exec"], &["container", "run"], &["container", "exec"], &["create"], &["unshare"]],
    ),
    ("kubectl", &[&["exec"], &["run"], &["edit"], &["debug"], &["plugin"]]),
    ("npm", &[&["explore"], &["edit"], &["config", "set"], &["config", "edit"], &["set"]]),
    ("pnpm", &[&["config", "set"], &["env"]]),
    ("yarn", &[&["config", "set"]]),
    ("pip", &[&["config", "set"], &["config", "edit"]]),
    ("pip3", &[&["config", "set"], &["config", "edit"]]),
    (
        "gh",
        &[
            &["alias", "set"],
            &["alias", "import"],
            &["extension", "exec"],
            &["extension", "install"],
            &["config", "set"],
            &["codespace", "ssh"],
        ],
    ),
    ("go", &[&["env", "-w"]]),
    ("systemctl", &[&["edit"]]),
    ("ip", &[&["netns", "exec"], &["vrf", "exec"], &["-n"]]),
];

/// ssh options that run a command or change whom to trust with one.
const SSH_COMMANDS: [&[u8]; 8] = [
    b"proxycommand",
    b"localcommand",
    b"permitlocalcommand",
    b"knownhostscommand",
    b"pkcs11provider",
    b"securitykeyprovider",
    b"xauthlocation",
    b"include",
];

impl Case<'_, '_, '_> {
    pub(super) fn special(&mut self, special: Special, text: &[u8], word: &Word) {
        match special {
            Special::GitConfig => self.git_config(text, word),
            Special::ExecPath if text.is_empty() => {}
            Special::ExecPath => self.refuse(word, "git would run the programs of another directory"),
            Special::TarAction => self.tar_action(text, word),
            Special::SshOption => self.ssh_option(text, word),
            Special::LinkerOption => {
                if text.windows(6).any(|part| part == b"plugin") {
                    self.refuse(word, "the linker loads a plugin");
                }
            }
            Special::CurlFormat => {
                if text.windows(7).any(|part| part == b"%output") || text.starts_with(b"@") {
                    self.refuse(word, "the format may write to a file");
                }
            }
            Special::CargoConfig => self.cargo_config(text, word),
            Special::RustcCodegen => self.rustc_codegen(text, word),
            Special::CmakeDefine => self.cmake_define(text, word),
            Special::InPlace | Special::SedScript => {}
        }
    }

    fn tar_action(&mut self, text: &[u8], word: &Word) {
        match text.strip_prefix(b"exec=") {
            Some(command) => self.carried(command, word.span),
            None => {
                let harmless = [&b"dot"[..], b".", b"bell", b"echo", b"totals", b"sleep=", b"wait="];
                if !harmless.iter().any(|action| text.starts_with(action)) {
                    self.refuse(word, "this checkpoint action is not known");
                }
            }
        }
    }

    fn ssh_option(&mut self, text: &[u8], word: &Word) {
        let key: Vec<u8> = text
            .iter()
            .take_while(|byte| !matches!(byte, b'=' | b' ' | b'\t'))
            .map(u8::to_ascii_lowercase)
            .collect();
        let value = text.get(key.len() + 1..).unwrap_or_default();
        if SSH_COMMANDS.contains(&key.as_slice()) && !matches!(value, b"none" | b"no") {
            self.refuse(word, &format!("the option `{}` runs a command", display(&key)));
        }
    }

    /// Settings of the network, the terminal and the number of jobs are harmless.
    fn cargo_config(&mut self, text: &[u8], word: &Word) {
        let harmless = [&b"net."[..], b"term.", b"build.jobs", b"profile.", b"http.timeout"];
        if !harmless.iter().any(|key| text.starts_with(key)) || !text.contains(&b'=') {
            self.refuse(word, "this setting can name programs to run");
        }
    }

    fn rustc_codegen(&mut self, text: &[u8], word: &Word) {
        if let Some(linker) = text.strip_prefix(b"linker=") {
            self.carried(linker, word.span);
        } else if text.starts_with(b"link-arg")
            || text.starts_with(b"linker-plugin")
            || text.starts_with(b"ar=")
        {
            self.refuse(word, "the linker's arguments can load code");
        }
    }

    fn cmake_define(&mut self, text: &[u8], word: &Word) {
        let name = text.split(|byte| matches!(byte, b'=' | b':')).next().unwrap_or(text).to_ascii_uppercase();
        let names_program =
            [&b"_COMPILER"[..], b"_LAUNCHER", b"_MAKE_PROGRAM", b"_COMMAND", b"_EXECUTABLE", b"_LINKER"];
        if names_program.iter().any(|end| name.ends_with(end)) || name.starts_with(b"CMAKE_PROJECT_") {
            self.refuse(word, "this variable names a program or a file that is run");
        }
    }
}
