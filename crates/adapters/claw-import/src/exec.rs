//! `tools.exec` and the approvals document: what may run.

use crate::config::{listed, overlay};
use crate::cursor::Cursor;
use crate::draft::{self, Draft, scalar};
use crate::report::{Fate, Report};
use crate::{allowlist, config};

/// Keys of `tools.exec` that are about OpenClaw's own work.
const OF_EXEC: &str = "approvalRunningNoticeMs backgroundMs cleanupMs commandHighlighting grantExpiryDays node notifyOnExit \
    notifyOnExitEmptySuccess reviewer";

/// OpenClaw's filters whose options it knows; `jq` is among them and always denied.
const FILTERS: &str = "cut uniq head tail tr wc sort grep";
const DEFAULT_FILTERS: [&str; 6] = ["cut", "uniq", "head", "tail", "tr", "wc"];
/// Where OpenClaw accepts filters.
const FILTER_DIRS: [&str; 2] = ["/bin", "/usr/bin"];
/// Our own trusted directories.
const TRUSTED: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Security {
    Deny,
    Allowlist,
    Full,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Ask {
    Off,
    OnMiss,
    Always,
}

/// Which of the two documents states something: OpenClaw takes the stricter of both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    Config,
    Document,
}

#[derive(Debug, Default)]
pub(crate) struct Exec<'a> {
    security: Vec<(Security, Cursor<'a>)>,
    ask: Vec<(Ask, Cursor<'a>)>,
    pub(crate) allowlist: Vec<Cursor<'a>>,
    strict: Option<Cursor<'a>>,
    safe_bins: Option<Cursor<'a>>,
    safe_dirs: Vec<String>,
    profiles: Vec<Cursor<'a>>,
    search: Vec<(String, Cursor<'a>)>,
    timeout: Option<(u64, Cursor<'a>)>,
}

impl<'a> Exec<'a> {
    /// Reads the `tools.exec` of all levels.
    pub(crate) fn read(&mut self, levels: &[Cursor<'a>], report: &mut Report) {
        for member in overlay(levels, &[], report) {
            match member.name {
                "mode" | "security" | "ask" => self.state(&member, Origin::Config, report),
                "host" => report.lost(&member, "where commands run; here the policy holds everywhere"),
                "pathPrepend" => self.read_search(&member, report),
                "safeBins" => self.safe_bins = Some(member),
                "safeBinTrustedDirs" => {
                    report.mapped(&member, "filters of other trusted directories are denied");
                    self.safe_dirs =
                        member.items().iter().filter_map(|item| item.text().map(str::to_owned)).collect();
                }
                "safeBinProfiles" => self.profiles = member.members(),
                "strictInlineEval" => {
                    report.mapped(&member, "");
                    // What is no boolean is not read as permission.
                    self.strict = (member.flag() != Some(false)).then_some(member);
                }
                "timeoutSeconds" => match member.number().filter(|seconds| *seconds > 0) {
                    Some(seconds) => {
                        report.mapped(&member, "");
                        self.timeout = Some((seconds, member));
                    }
                    None => report.lost(&member, "not a whole number of seconds"),
                },
                "applyPatch" => {
                    report.narrowed(&member, "patches are writes like others, and keep to the listed trees")
                }
                name if listed(OF_EXEC, name) => {
                    report.lost(&member, "about OpenClaw's own work, not about what may run")
                }
                _ => report.unknown(&member),
            }
        }
    }

    /// `mode`, `security` or `ask`. A value that is not known denies.
    pub(crate) fn state(&mut self, at: &Cursor<'a>, origin: Origin, report: &mut Report) {
        let (security, ask) = match (at.name, at.text()) {
            ("mode" | "security", Some("deny")) => (Some(Security::Deny), None),
            ("mode", Some("allowlist")) => (Some(Security::Allowlist), Some(Ask::Off)),
            ("mode", Some("ask" | "auto")) => (Some(Security::Allowlist), Some(Ask::OnMiss)),
            ("mode", Some("full")) => (Some(Security::Full), Some(Ask::Off)),
            ("security", Some("allowlist")) => (Some(Security::Allowlist), None),
            ("security", Some("full")) => (Some(Security::Full), None),
            ("ask", Some("off")) => (None, Some(Ask::Off)),
            ("ask", Some("on-miss")) => (None, Some(Ask::OnMiss)),
            ("ask", Some("always")) => (None, Some(Ask::Always)),
            _ => {
                report.narrowed(at, "the value is not known: nothing may run");
                self.forbid(at);
                return;
            }
        };
        let is_reviewed = origin == Origin::Config && at.text() == Some("auto");
        match is_reviewed {
            true => report.narrowed(at, "a person is asked instead of a model"),
            false => report.mapped(at, ""),
        }
        self.security.extend(security.map(|security| (security, at.clone())));
        self.ask.extend(ask.map(|ask| (ask, at.clone())));
    }

    /// Nothing may run.
    pub(crate) fn forbid(&mut self, at: &Cursor<'a>) {
        self.security.push((Security::Deny, at.clone()));
    }

    /// `allow`, `deny` and `profile` of tools, as far as they are about commands.
    pub(crate) fn read_tool_list(&mut self, at: &Cursor<'a>, report: &mut Report) {
        const EXEC: &str = "exec bash group:runtime *";
        // `e*` could be meant for it too.
        let may_mean = |text: &str| {
            let start = text.split_once('*').map(|(start, _)| start);
            listed(EXEC, text)
                || start.is_some_and(|start| EXEC.split(' ').any(|name| name.starts_with(start)))
        };
        let items = at.items();
        let mut texts = items.iter().filter_map(Cursor::text);
        let is_denied = match at.name {
            "deny" => texts.any(may_mean),
            "allow" => !texts.any(|text| listed(EXEC, text)),
            _ => !matches!(at.text(), Some("coding" | "full")),
        };
        if is_denied {
            report.narrowed(at, "no tool for commands: nothing may run. Other tools are OpenClaw's matter");
            self.forbid(at);
        } else {
            report.lost(at, "a policy speaks of commands and files, not of tools; keep it in OpenClaw");
        }
    }

    fn read_search(&mut self, at: &Cursor<'a>, report: &mut Report) {
        for item in at.items() {
            if let Some(directory) = config::path_of(&item, report) {
                report.mapped(&item, "searched first");
                self.search.push((directory, item));
            }
        }
    }

    /// States everything in the policy.
    pub(crate) fn draft(self, draft: &mut Draft, report: &mut Report) {
        if let Some((seconds, at)) = &self.timeout {
            draft.set("limits.time", format!("{seconds}s"), draft::from(at));
        }
        let security = self.security.iter().min_by_key(|(security, _)| *security);
        let security = security.map(|(security, at)| (*security, draft::from(at)));
        let ask = self.ask.iter().max_by_key(|(ask, _)| *ask).map(|(ask, at)| (*ask, draft::from(at)));
        let is_full = matches!(security, Some((Security::Full, _)));
        let is_stated = security.is_some();
        match security {
            Some((Security::Deny, from)) => {
                draft.set("exec.security", "deny", from);
                return self.leave_out("nothing may run", report);
            }
            Some((Security::Full, from)) => draft.set("exec.security", "full", from),
            Some((Security::Allowlist, from)) => draft.set("exec.security", "allowlist", from),
            None => {
                let message =
                    "OpenClaw's default is `full`, which is taken over only where it is written: `allowlist`";
                report.unstated("tools.exec.mode", Fate::Narrowed, message);
                draft.set("exec.security", "allowlist", "not stated");
            }
        }
        match ask {
            Some((Ask::Always, from)) => draft.set("exec.ask", "always", from),
            Some((Ask::OnMiss, from)) if !is_full => draft.set("exec.ask", "on-miss", from),
            _ => {}
        }
        if let Some(at) = &self.strict {
            draft.set("exec.inlineEval", "deny", draft::from(at));
        }
        let trusted = self.trusted(draft);
        if is_full {
            return self.leave_out("everything may run", report);
        }
        // Without a list there are the built-in entries, which are fewer than everything.
        if !self.allowlist.is_empty() || is_stated {
            draft.list("exec.allowlist");
            self.filters(&trusted, draft, report);
        } else {
            self.leave_out("the built-in entries hold", report);
        }
        for at in &self.allowlist {
            for text in allowlist::entries(at, &trusted, report) {
                if text.contains(['*', '?']) {
                    let never = allowlist::NEVER.split_whitespace();
                    never.for_each(|name| draft.add("exec.deny", name, "OpenClaw never runs it"));
                }
                draft.add("exec.allowlist", text, draft::from(at));
            }
        }
    }

    fn leave_out(&self, why: &str, report: &mut Report) {
        for at in self.safe_bins.iter().chain(&self.allowlist) {
            report.mapped(at, format!("has no effect: {why}"));
        }
    }

    fn trusted(&self, draft: &mut Draft) -> Vec<String> {
        for (directory, at) in &self.search {
            draft.add("exec.trustedDirs", scalar(directory), draft::from(at));
        }
        if !self.search.is_empty() {
            TRUSTED.iter().for_each(|directory| draft.add("exec.trustedDirs", *directory, "always"));
        }
        let own = self.search.iter().map(|(directory, _)| directory.clone());
        own.chain(TRUSTED.map(str::to_owned)).collect()
    }

    /// The filters whose options OpenClaw knows, from the directories that it accepts.
    fn filters(&self, trusted: &[String], draft: &mut Draft, report: &mut Report) {
        let mut filters = Vec::new();
        match &self.safe_bins {
            None => {
                report.unstated("tools.exec.safeBins", Fate::Mapped, "OpenClaw's defaults are stated");
                filters
                    .extend(DEFAULT_FILTERS.map(|name| (name, "not stated: OpenClaw's default".to_owned())));
            }
            Some(_) => draft.list("exec.safeBins"),
        }
        for item in self.safe_bins.iter().flat_map(Cursor::items) {
            match item.text().filter(|name| listed(FILTERS, name)) {
                _ if self.profiles.iter().any(|profile| Some(profile.name) == item.text()) => {
                    report.lost(
                        &item,
                        "its options have a profile of their own; write an entry with argument rules by hand",
                    );
                }
                Some(name) => {
                    report.mapped(&item, "");
                    filters.push((name, draft::from(&item)));
                }
                None => report.lost(&item, "OpenClaw refuses it without a profile of its options"),
            }
        }
        for profile in &self.profiles {
            report.lost(profile, "a filter with other options than the built-in ones is left out");
        }
        let is_accepted = |directory: &String| {
            FILTER_DIRS.contains(&directory.as_str()) || self.safe_dirs.contains(directory)
        };
        let pattern = |at: &Cursor<'a>| at.text().or_else(|| at.member("pattern")?.text());
        let is_listed = |name: &str| self.allowlist.iter().any(|at| pattern(at) == Some(name));
        for (name, from) in filters {
            draft.add("exec.safeBins", name, from.clone());
            for directory in trusted.iter().filter(|directory| !is_accepted(directory)) {
                if !is_listed(name) {
                    draft.add(
                        "exec.deny",
                        scalar(&format!("{directory}/{name}")),
                        "no filter outside of OpenClaw's directories",
                    );
                }
            }
        }
    }
}
