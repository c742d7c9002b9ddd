//! Traps in what a run gets: network, environment, limits, enforcement, logging.

use super::Linter;
use crate::decide::environment::{OURS, is_hook};
use crate::policy::Ruled;
use crate::{Guarantee, NetworkRule, RuleRef};

impl Linter<'_> {
    pub(super) fn run(&mut self) {
        let policy = self.policy;
        let stated = |place: Option<RuleRef>| place.filter(|rule| &*rule.source != "built-in");
        if policy.network.iter().all(|layer| layer.default_allow)
            && let Some(rule) = self.place("network.default")
        {
            let message = "every address on the internet may be reached".to_owned();
            self.warn("lint.network", &rule, message, "use `default: deny` and list what is needed");
        }
        self.hosts();
        self.environment();
        for guarantee in &policy.places.degrade {
            if policy.floor.degrade.contains(&guarantee.value) {
                self.degraded(guarantee.value, &guarantee.rule);
            }
        }
        if let Some(rule) = self.place("detach").filter(|_| policy.detach) {
            let message = "what a run leaves behind survives it, out of anybody's sight".to_owned();
            self.note("lint.detach", &rule, message, "remove it if nothing needs it");
        }
        if policy.limits.time.is_none()
            && policy.limits.cpu.is_none()
            && let Some(rule) = stated(self.place("limits")).or_else(|| stated(self.place("exec")))
        {
            let message = "no limit of time: a run may never end".to_owned();
            self.note("lint.no-limits", &rule, message, "state `limits: { time: 10m }`");
        }
        self.logging();
    }

    fn hosts(&mut self) {
        let by_name = |rule: &&Ruled<NetworkRule>| rule.value.is_by_name();
        for rule in self.policy.network.iter().flat_map(|layer| &layer.allow).filter(by_name) {
            let host = rule.value.host.as_deref().unwrap_or_default();
            let (message, help) = if self.policy.floor.degrade.contains(&Guarantee::Network) {
                (
                    format!("`{host}` stays closed: no rule by host name is enforced"),
                    "name an address or a network",
                )
            } else {
                let message =
                    format!("nothing runs with a rule for `{host}`: no rule by host name is enforced");
                (message, "name an address or a network, or a port alone")
            };
            self.warn("lint.network", &rule.rule, message, help);
        }
    }

    fn environment(&mut self) {
        for rule in self.policy.environment.pass.iter().flatten() {
            let name = &rule.value;
            if name == "*" {
                let message = "every variable of the caller passes".to_owned();
                self.warn("lint.environment", &rule.rule, message, "list the names that are needed");
            } else if is_hook(name.as_bytes()) || OURS.contains(&name.as_str()) {
                let message = format!("`{name}` never passes, also when it is listed");
                self.note("lint.environment", &rule.rule, message, "remove it");
            }
        }
        for rule in &self.policy.environment.set {
            let name = &rule.value.0;
            if is_hook(name.as_bytes()) || OURS.contains(&name.as_str()) {
                let message = format!("`{name}` is never set: it would change what programs run");
                self.note("lint.environment", &rule.rule, message, "remove it");
            }
        }
    }

    fn degraded(&mut self, guarantee: Guarantee, rule: &RuleRef) {
        let name = guarantee.name();
        let help = "remove it from `enforcement.degrade`";
        match guarantee {
            Guarantee::Files => {
                let message = format!("`{name}` is given up: commands may read and write anything");
                self.warn("lint.degrade", rule, message, help);
            }
            // No mechanism holds them on every machine.
            Guarantee::ProtectedPaths | Guarantee::Metadata | Guarantee::ExecArguments => {
                let message = format!("`{name}` is given up: only the decision before the run holds it");
                self.note("lint.degrade", rule, message, help);
            }
            _ => {
                let message = format!("`{name}` is given up: the kernel need not hold it");
                self.warn("lint.degrade", rule, message, help);
            }
        }
    }

    fn logging(&mut self) {
        let logging = &self.policy.logging;
        if let Some(rule) = self.place("logging.auditCommands").filter(|_| !logging.audit_commands) {
            let message = "commands leave no trace in the audit log".to_owned();
            self.note("lint.logging-off", &rule, message, "use `auditCommands: true`");
        }
        if let Some(rule) = self.place("logging.auditFailure").filter(|_| logging.continue_without_log) {
            let message = "commands run without a trace when the log cannot be written".to_owned();
            self.note("lint.logging-off", &rule, message, "use `auditFailure: stop`");
        }
    }
}
