//! What a run gets beside commands and files: network, environment, limits, enforcement and logging.

use std::time::Duration;

use super::Stated;
use super::reader::Reader;
use super::tree::{flag, items, items_of, member, pairs, text};
use crate::document::{self, Node, Value};
use crate::policy::Ruled;
use crate::{Guarantee, Limits, LogLevel, NetworkRule, Protocol};

impl Reader<'_> {
    pub(super) fn network(&mut self, stated: &mut Stated, network: Option<&Node>) {
        let Some(network) = network else { return };
        stated.network_default_allow = member(network, "default").map(|node| text(node) == "allow");
        let rule = |node: &Node| NetworkRule {
            protocol: member(node, "protocol")
                .map(|node| if text(node) == "udp" { Protocol::Udp } else { Protocol::Tcp }),
            port: member(node, "port").and_then(|node| text(node).parse().ok()),
            host: member(node, "host").map(|node| text(node).to_owned()),
        };
        stated.network_allow = member(network, "allow")
            .map(|node| items(node).iter().map(|item| self.ruled(item, rule(item))).collect());
        for item in items_of(network, "allow").iter().filter(|item| pairs(item).is_empty()) {
            let help = "write a `port`, a `protocol` or a `host`".to_owned();
            self.error("policy.network", item.span, "this rule would allow every address".into(), Some(help));
        }
    }

    pub(super) fn environment(&mut self, stated: &mut Stated, environment: Option<&Node>) {
        let Some(environment) = environment else { return };
        stated.pass = member(environment, "pass")
            .map(|node| items(node).iter().map(|item| self.ruled(item, text(item).to_owned())).collect());
        let Some(set) = member(environment, "set") else { return };
        if self.restricts() && !pairs(set).is_empty() {
            let help = "set variables in a policy that is named with --policy".to_owned();
            let message = "a user's or project's policy only restricts: it cannot set variables".to_owned();
            self.error("policy.layer", set.span, message, Some(help));
        }
        for pair in pairs(set) {
            let value = match &pair.value.value {
                Value::Bool(value) => value.to_string(),
                _ => text(&pair.value).to_owned(),
            };
            match self.expansion.variables(&value) {
                Ok(value) => {
                    let rule = self.rule(pair.key_span);
                    stated.set.push(Ruled { value: (pair.key.to_string(), value), rule });
                }
                Err(error) => self.refuse(&pair.value, error),
            }
        }
    }

    pub(super) fn enforcement(&mut self, stated: &mut Stated, enforcement: Option<&Node>) {
        let Some(degrade) = enforcement.and_then(|enforcement| member(enforcement, "degrade")) else {
            return;
        };
        let named = items(degrade).iter().filter_map(|item| Some((item, Guarantee::of_name(text(item))?)));
        let guarantees: Vec<_> = named.map(|(item, guarantee)| self.ruled(item, guarantee)).collect();
        if self.restricts() && !guarantees.is_empty() {
            let help = "degrade in a policy that is named with --policy".to_owned();
            let message =
                "a user's or project's policy only restricts: it cannot give up guarantees".to_owned();
            self.error("policy.layer", degrade.span, message, Some(help));
        }
        stated.degrade = Some(guarantees);
    }

    pub(super) fn logging(&mut self, stated: &mut Stated, logging: Option<&Node>) {
        let Some(logging) = logging else { return };
        stated.log_level = member(logging, "level").map(|node| match text(node) {
            "error" => LogLevel::Error,
            "warn" => LogLevel::Warn,
            "debug" => LogLevel::Debug,
            "trace" => LogLevel::Trace,
            _ => LogLevel::Info,
        });
        stated.audit_commands = flag(logging, "auditCommands");
        stated.audit_file_access = flag(logging, "auditFileAccess");
        stated.log_file =
            member(logging, "logFile").and_then(|node| self.path(node, None)).map(|path| path.value);
        stated.continue_without_log = member(logging, "auditFailure").map(|node| text(node) == "continue");
    }
}

pub(super) fn limits(limits: &mut Limits, node: Option<&Node>) {
    let Some(node) = node else { return };
    let span = |key| member(node, key).and_then(|node| document::duration(text(node)));
    let size = |key| member(node, key).and_then(|node| document::size(text(node)));
    let count = |key| member(node, key).and_then(|node| text(node).parse::<u64>().ok());
    let time: Option<Duration> = span("time");
    *limits = Limits {
        time,
        output: size("output"),
        cpu: span("cpu"),
        memory: size("memory"),
        processes: count("processes"),
        open_files: count("openFiles"),
        file_size: size("fileSize"),
        disk: size("disk"),
        new_files: count("newFiles"),
    };
}
