//! The keys of a policy document: one table for the check, the schema and the help lines.

/// A key of a mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// One line for the schema.
    pub(crate) about: &'static str,
}

/// What a value has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Bool,
    /// A text; numbers count as their text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// One of these words, or a list of them.
    Words(&'static [&'static str]),
    /// Somebody who asks, or a list of them.
    Principals,
    /// A name that a host gives to something, or a list of them.
    Identifiers,
    /// A list of names of tools.
    Tools,
    /// An absolute path after expansion.
    Path,
    /// A list of paths.
    Paths,
    /// A list of path patterns.
    Patterns,
    /// `default`, `none` or a list of path patterns.
    Protected,
    /// A list of bare program names or globs on program files.
    Programs,
    /// A list of bare program names.
    Names,
    /// A list of variables' names; a trailing `*` is a prefix.
    Variables,
    /// A list of guarantees' names.
    Guarantees,
    /// A host name or an address.
    Host,
    /// A port number.
    Port,
    /// A whole number of at least 1.
    Count,
    /// A duration with a unit.
    Duration,
    /// A size with a unit.
    Size,
    /// A mapping with these keys.
    Map(&'static [Key]),
    /// A mapping of variables' names to texts.
    VariableMap,
    /// A mapping of programs' bare names to lists of their parts.
    Bundles,
    /// The list of allowed commands.
    Allowlist,
    /// Lists of arguments, or mappings with `subcommand` and `anyFlag`.
    ArgumentRules,
    /// A list of mappings with these keys.
    Maps(&'static [Key]),
    /// An address that must begin with `https://`.
    HttpsUrl,
    /// A list of telephone numbers or account ids.
    Numbers,
    /// A secret: a reference such as `${NAME}`.
    Secret,
}

impl Kind {
    /// What the value of a key in a mapping of this kind has to be.
    pub(crate) fn of(self, name: &str) -> Self {
        let keys = match self {
            Self::Map(keys) | Self::Maps(keys) => keys,
            _ => &[],
        };
        keys.iter().find(|key| key.name == name).map_or(Self::Text, |key| key.kind)
    }
}

const fn key(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { name, kind, about }
}

const PROVIDER: &[Key] = &[
    key("apiKey", Kind::Secret, "The provider's key: `${NAME}`, never the key itself"),
    key("baseUrl", Kind::HttpsUrl, "Where the provider's interface is"),
    key("model", Kind::Text, "The model's name"),
];

const CHAT: &[Key] = &[
    key("allowCommands", Kind::Bool, "Whether commands may be asked for here"),
    key("allowFileAccess", Kind::Bool, "Whether files may be asked for here"),
];

const CHANNEL: &[Key] = &[
    key("privateChat", Kind::Map(CHAT), "What a private chat may ask for"),
    key("groupChats", Kind::Map(CHAT), "What group chats may ask for"),
    key("webhookUrl", Kind::HttpsUrl, "Where the channel delivers messages"),
    key("botToken", Kind::Secret, "The channel's token: `${NAME}`, never the token itself"),
];

const ARGUMENTS: &[Key] = &[
    key("command", Kind::Text, "The program's bare name or path, optionally with leading arguments"),
    key("path", Kind::Text, "A glob on the program file"),
    key("allow", Kind::ArgumentRules, "Arguments that are allowed; without it all are"),
    key("deny", Kind::ArgumentRules, "Arguments that are not"),
];

/// An allowlist entry that is a mapping.
pub(crate) const ENTRY: &[Key] = ARGUMENTS;

/// An argument rule that is a mapping.
pub(crate) const ARGUMENT_RULE: &[Key] = &[
    key("subcommand", Kind::Texts, "The subcommand; empty means any"),
    key("anyFlag", Kind::Texts, "Any of these options; empty means none is needed"),
];

const EXEC: &[Key] = &[
    key("security", Kind::Word(&["deny", "allowlist", "full"]), "Which commands may run at all"),
    key("ask", Kind::Word(&["off", "on-miss", "always"]), "When a person is asked"),
    key(
        "allowlist",
        Kind::Allowlist,
        "Commands that may run; the item `default` is those of the built-in profile",
    ),
    key("deny", Kind::Programs, "Names or paths that never run"),
    key("inlineEval", Kind::Word(&["allow", "deny"]), "Whether interpreters may run program text"),
    key("safeBins", Kind::Names, "Filters that may run on standard input only"),
    key("trustedDirs", Kind::Paths, "Where bare names are looked up, in order"),
    key("descendants", Kind::Word(&["strict", "system"]), "What the processes of a run may start"),
    key("bundles", Kind::Bundles, "What programs start as parts of themselves"),
    key("verify", Kind::Bool, "Whether executions are verified at the exec stop"),
];

const FILESYSTEM: &[Key] = &[
    key("readOnly", Kind::Paths, "Readable, never written"),
    key("writable", Kind::Paths, "More writable trees"),
    key("hidden", Kind::Patterns, "Cannot be read either; wins over everything"),
    key("protected", Kind::Protected, "Never written inside writable trees"),
];

const NETWORK_RULE: &[Key] = &[
    key("port", Kind::Port, "The port"),
    key("protocol", Kind::Word(&["tcp", "udp"]), "The protocol"),
    key(
        "host",
        Kind::Host,
        "The host name, `*.` before it for all names below it, the address, the network, or `loopback`",
    ),
];

const NETWORK: &[Key] = &[
    key("default", Kind::Word(&["deny", "allow"]), "What happens to an address without a rule"),
    key("allow", Kind::Maps(NETWORK_RULE), "Addresses that may be reached"),
];

const ENVIRONMENT: &[Key] = &[
    key("pass", Kind::Variables, "Variables that pass; a trailing `*` is a prefix"),
    key("set", Kind::VariableMap, "Variables that are set for every command"),
];

const LIMITS: &[Key] = &[
    key("time", Kind::Duration, "Wall-clock time of a run"),
    key("output", Kind::Size, "Bytes on each output stream"),
    key("cpu", Kind::Duration, "CPU time of each process"),
    key("memory", Kind::Size, "Private memory of each process"),
    key("processes", Kind::Count, "Processes of a run"),
    key("openFiles", Kind::Count, "Open files of each process"),
    key("fileSize", Kind::Size, "Size of a file that is written"),
    key("disk", Kind::Size, "Bytes written to disk by a run"),
    key("newFiles", Kind::Count, "Files made by a run"),
];

const ENFORCEMENT: &[Key] = &[
    key("floor", Kind::Word(&["full"]), "What must be enforced before anything runs"),
    key("degrade", Kind::Guarantees, "Guarantees given up by name"),
];

const LOGGING: &[Key] = &[
    key("level", Kind::Word(&["error", "warn", "info", "debug", "trace"]), "How much is logged"),
    key("auditCommands", Kind::Bool, "Whether commands are recorded"),
    key("auditFileAccess", Kind::Bool, "Whether file operations are recorded"),
    key("logFile", Kind::Path, "Where the audit log is written"),
    key(
        "auditFailure",
        Kind::Word(&["stop", "continue"]),
        "Whether commands run when the log cannot be written",
    ),
];

const RATE_LIMIT: &[Key] = &[
    key("messagesPerMinute", Kind::Count, "Messages that are answered"),
    key("commandsPerMinute", Kind::Count, "Commands that are started"),
    key("execsPerMinute", Kind::Count, "Programs that are executed, descendants included"),
];

const ALERTS: &[Key] = &[
    key("onFailedAuth", Kind::Bool, "Alert on a failed authentication"),
    key("onUnknownNumber", Kind::Bool, "Alert on an unknown sender"),
    key("onHighUsage", Kind::Bool, "Alert on unusual usage"),
];

const MEMORY: &[Key] = &[
    key("enabled", Kind::Bool, "Whether conversations are remembered"),
    key("excludePatterns", Kind::Texts, "What is never remembered"),
];

const RETENTION: &[Key] = &[
    key("conversationHistory", Kind::Count, "Days that conversations are kept"),
    key("fileCache", Kind::Count, "Days that cached files are kept"),
];

const TOOLS: &[Key] = &[key(
    "allow",
    Kind::Tools,
    "Tools that are neither commands nor file operations and may be used all the same",
)];

/// What a context is compared with.
const WHEN: &[Key] = &[
    key("host", Kind::Identifiers, "The program that the agent runs in"),
    key("principal", Kind::Principals, "Who asks, or who is known less"),
    key(
        "chat",
        Kind::Words(&["unknown", "group", "channel", "scheduled", "sub-agent", "direct", "local"]),
        "The kind of conversation; an unknown one counts as a group and as a channel",
    ),
    key("channel", Kind::Identifiers, "The network or room"),
    key("session", Kind::Identifiers, "The conversation"),
    key("agent", Kind::Identifiers, "The agent, where a host has several"),
];

// The keys that stand at the top level and in a context alike.
const WORKSPACE_EXEC_KEY: Key =
    key("workspaceExec", Kind::Bool, "Whether files in the workspace may be executed");
const DETACH_KEY: Key = key("detach", Kind::Bool, "Whether what a run leaves behind may survive it");
const EXEC_KEY: Key = key("exec", Kind::Map(EXEC), "Commands");
const FILESYSTEM_KEY: Key = key("filesystem", Kind::Map(FILESYSTEM), "Files");
const SECRETS_KEY: Key = key(
    "secrets",
    Kind::Word(&["allow", "redact", "deny"]),
    "What happens to credentials in the files that the runtime reads and writes",
);
const NETWORK_KEY: Key = key("network", Kind::Map(NETWORK), "Outbound network");
const ENVIRONMENT_KEY: Key = key("environment", Kind::Map(ENVIRONMENT), "Environment variables");
const LIMITS_KEY: Key = key("limits", Kind::Map(LIMITS), "Bounds on a run");
const TOOLS_KEY: Key = key("tools", Kind::Map(TOOLS), "Tools that are known by name alone");

/// What a context can narrow: what a policy that only restricts can, but for where things are.
const NARROW: &[Key] = &[
    WORKSPACE_EXEC_KEY,
    DETACH_KEY,
    EXEC_KEY,
    FILESYSTEM_KEY,
    SECRETS_KEY,
    NETWORK_KEY,
    ENVIRONMENT_KEY,
    LIMITS_KEY,
    TOOLS_KEY,
];

const CONTEXT: &[Key] = &[
    key("when", Kind::Map(WHEN), "In which contexts; all that is stated has to hold"),
    key("narrow", Kind::Map(NARROW), "What holds there beside the rest of the policy; it only restricts"),
];

/// The top level.
pub(crate) const DOCUMENT: &[Key] = &[
    key("workspace", Kind::Path, "The directory that commands may change"),
    WORKSPACE_EXEC_KEY,
    DETACH_KEY,
    EXEC_KEY,
    FILESYSTEM_KEY,
    SECRETS_KEY,
    NETWORK_KEY,
    ENVIRONMENT_KEY,
    LIMITS_KEY,
    key("enforcement", Kind::Map(ENFORCEMENT), "What the kernel must enforce"),
    key("logging", Kind::Map(LOGGING), "The audit log"),
    TOOLS_KEY,
    key("contexts", Kind::Maps(CONTEXT), "What is narrower for some of those who ask"),
    key("ownerNumbers", Kind::Numbers, "Who may control the assistant"),
    key("telegram", Kind::Map(CHANNEL), "The Telegram channel"),
    key("discord", Kind::Map(CHANNEL), "The Discord channel"),
    key("slack", Kind::Map(CHANNEL), "The Slack channel"),
    key("whatsapp", Kind::Map(CHANNEL), "The WhatsApp channel"),
    key("signal", Kind::Map(CHANNEL), "The Signal channel"),
    key("rateLimit", Kind::Map(RATE_LIMIT), "Bounds on usage"),
    key("alerts", Kind::Map(ALERTS), "When to alert the owner"),
    key("memory", Kind::Map(MEMORY), "What the assistant remembers"),
    key("retention", Kind::Map(RETENTION), "How long data is kept"),
    key("anthropic", Kind::Map(PROVIDER), "A model provider"),
    key("openai", Kind::Map(PROVIDER), "A model provider"),
    key("openrouter", Kind::Map(PROVIDER), "A model provider"),
    key("google", Kind::Map(PROVIDER), "A model provider"),
    key("xai", Kind::Map(PROVIDER), "A model provider"),
    key("groq", Kind::Map(PROVIDER), "A model provider"),
    key("mistral", Kind::Map(PROVIDER), "A model provider"),
];

/// The sections that the sandbox itself reads; the others are the front door's.
const OURS: &[&str] = &[
    "workspace",
    "workspaceExec",
    "detach",
    "exec",
    "filesystem",
    "secrets",
    "network",
    "environment",
    "limits",
    "enforcement",
    "logging",
    "tools",
    "contexts",
];

/// The sections that the runtime's front door reads.
pub(crate) fn front_door() -> impl Iterator<Item = &'static Key> {
    DOCUMENT.iter().filter(|key| !OURS.contains(&key.name))
}
