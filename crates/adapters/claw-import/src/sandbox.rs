//! Sandbox settings: which trees, which network, which limits.

use claw_secrets::{TextKind, find};

use crate::config::{self, expanded, listed, nested, overlay};
use crate::cursor::Cursor;
use crate::draft::{self, Draft, scalar};
use crate::exec::Exec;
use crate::report::{Fate, Report};

/// Settings of the sandbox that are about how OpenClaw keeps containers.
const OF_SANDBOX: &str = "backend browser perSession prune scope ssh workspaceRoot";
/// Settings of containers that have no counterpart.
const OF_DOCKER: &str = "apparmorProfile containerPrefix cpus dangerouslyAllowContainerNamespaceJoin \
    dangerouslyAllowExternalBindSources dangerouslyAllowReservedContainerTargets dns extraHosts gpus image memorySwap runtime \
    seccompProfile setupCommand user workdir";

pub(crate) fn read<'a>(
    levels: &[Cursor<'a>],
    workspace: Option<&str>,
    exec: &mut Exec<'a>,
    draft: &mut Draft,
    report: &mut Report,
) {
    let members = overlay(levels, &["docker", "tools"], report);
    let mode = members.iter().find(|member| member.name == "mode");
    let is_on = mode.is_some_and(|mode| mode.text() != Some("off"));
    for member in &members {
        match member.name {
            "mode" if member.text() == Some("all") => report.mapped(member, ""),
            "mode" => report
                .narrowed(member, "every session is confined, and has no network unless the policy says so"),
            "workspaceAccess" | "docker" => {}
            "tools" if is_on => {
                member.members().iter().for_each(|list| exec.read_tool_list(list, report));
            }
            name if listed(OF_SANDBOX, name) || name == "tools" => {
                report.lost(member, "how OpenClaw keeps its containers")
            }
            _ => report.unknown(member),
        }
    }
    let access = members.iter().find(|member| member.name == "workspaceAccess");
    if !is_on {
        if mode.is_none() {
            let message = "OpenClaw confines nothing; the policy does";
            report.unstated("agents.defaults.sandbox.mode", Fate::Narrowed, message);
        }
        for member in access.into_iter().chain(&nested(levels, "docker")) {
            report.lost(member, "has no effect without a sandbox");
        }
        return;
    }
    workspace_access(access, workspace, draft, report);
    for member in overlay(&nested(levels, "docker"), &["binds", "env", "ulimits"], report) {
        docker(&member, draft, report);
    }
}

fn workspace_access(
    at: Option<&Cursor<'_>>,
    workspace: Option<&str>,
    draft: &mut Draft,
    report: &mut Report,
) {
    let Some(workspace) = workspace else {
        at.into_iter().for_each(|at| report.lost(at, "no workspace is stated"));
        return;
    };
    let from = at.map_or_else(|| "not stated: OpenClaw's default is no access".to_owned(), draft::from);
    match at.map(|at| at.text()) {
        Some(Some("rw")) => {}
        Some(Some("ro")) => draft.add("filesystem.readOnly", scalar(workspace), from),
        _ => draft.add("filesystem.hidden", scalar(workspace), from),
    }
    match at {
        Some(at) if matches!(at.text(), Some("rw" | "ro")) => report.mapped(at, ""),
        Some(at) => report.narrowed(at, "the agent's workspace is hidden; name another one to work in"),
        None => report.unstated(
            "agents.defaults.sandbox.workspaceAccess",
            Fate::Narrowed,
            "the agent's workspace is hidden",
        ),
    }
}

fn docker(at: &Cursor<'_>, draft: &mut Draft, report: &mut Report) {
    match at.name {
        "binds" => at.items().iter().for_each(|bind| tree(bind, draft, report)),
        "env" => at.members().iter().for_each(|variable| environment(variable, draft, report)),
        "network" => match at.text() {
            Some("none") => report.mapped(at, ""),
            Some("bridge" | "host") => {
                draft.set("network.default", "allow", draft::from(at));
                report.narrowed(at, "public addresses; this machine and private networks stay closed");
            }
            _ => report.lost(at, "another container's network; it stays closed"),
        },
        "memory" => match memory(at) {
            Some(size) => limit("limits.memory", &size, at, draft, report),
            None => report.lost(at, "not a size"),
        },
        "pidsLimit" => match at.number().filter(|count| *count > 0) {
            Some(count) => limit("limits.processes", &count.to_string(), at, draft, report),
            None => report.lost(at, "not a bound"),
        },
        "ulimits" => at.members().iter().for_each(|limit| ulimit(limit, draft, report)),
        "readOnlyRoot" | "capDrop" | "tmpfs" => {
            report.narrowed(
                at,
                "no capabilities, nothing outside of the listed trees, and a private temporary directory",
            );
        }
        name if listed(OF_DOCKER, name) => report.lost(at, "there is no container"),
        _ => report.unknown(at),
    }
}

/// `HOST:CONTAINER[:OPTIONS]`.
fn tree(at: &Cursor<'_>, draft: &mut Draft, report: &mut Report) {
    let mut parts = at.text().unwrap_or_default().split(':');
    let (host, inside, options) =
        (parts.next().unwrap_or_default(), parts.next(), parts.next().unwrap_or("rw"));
    let Some(path) = config::in_policy(host).filter(|_| inside.is_some() && parts.next().is_none()) else {
        return report.lost(at, "not a tree of this machine");
    };
    if path.ends_with(".sock") {
        return report.lost(at, "a socket is a way out of the sandbox");
    }
    let is_writable = options.split(',').all(|option| matches!(option, "rw" | "z" | "Z"));
    let key = if is_writable { "filesystem.writable" } else { "filesystem.readOnly" };
    draft.add(key, scalar(&path), draft::from(at));
    match inside == Some(host) {
        true => report.mapped(at, ""),
        false => report.narrowed(at, "it has the name that it has on this machine"),
    }
}

fn environment(at: &Cursor<'_>, draft: &mut Draft, report: &mut Report) {
    let is_name = at.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !at.name.starts_with(|first: char| first.is_ascii_digit());
    let Some(value) = at.text().filter(|value| is_name && !at.name.is_empty() && !value.contains('\0'))
    else {
        return report.lost(at, "not a variable with a text");
    };
    let line = format!("{}={value}\n", at.name);
    if !find(TextKind::Env, line.as_bytes()).is_empty() {
        draft.add("environment.pass", at.name, draft::from(at));
        return report.narrowed(at, "it looks like a secret: passed from the environment, not copied");
    }
    draft.pair("environment.set", at.name, &expanded(value), draft::from(at));
    report.mapped(at, "");
}

fn limit(key: &'static str, value: &str, at: &Cursor<'_>, draft: &mut Draft, report: &mut Report) {
    draft.set(key, value, draft::from(at));
    report.mapped(at, "");
}

/// Docker's sizes are binary: `512m`, `2g`, or bytes.
fn memory(at: &Cursor<'_>) -> Option<String> {
    if let Some(bytes) = at.number() {
        return (bytes > 0).then(|| bytes.to_string());
    }
    let text = at.text()?.to_ascii_lowercase();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text.strip_prefix(digits)? {
        "" | "b" => "",
        "k" | "kb" => "KiB",
        "m" | "mb" => "MiB",
        "g" | "gb" => "GiB",
        _ => return None,
    };
    let count: u32 = digits.parse().ok()?;
    (count > 0).then(|| format!("{count}{unit}"))
}

/// A number, `SOFT[:HARD]`, or a mapping with `soft`.
fn ulimit(at: &Cursor<'_>, draft: &mut Draft, report: &mut Report) {
    let written = at.text().and_then(|text| text.split(':').next()?.parse::<u32>().ok());
    let soft = at.number().or(written.map(u64::from)).or_else(|| at.member("soft")?.number());
    let key = match at.name {
        "nofile" => "limits.openFiles",
        "fsize" => "limits.fileSize",
        "cpu" => "limits.cpu",
        _ => return report.lost(at, "a limit that a policy does not have"),
    };
    match soft.filter(|count| *count > 0) {
        Some(count) => limit(key, &count.to_string(), at, draft, report),
        None => report.lost(at, "not a bound"),
    }
}
