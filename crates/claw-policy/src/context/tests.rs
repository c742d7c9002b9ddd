use claw_wire::{Chat, Context, Identifier, Principal, Trust};
use proptest::prelude::*;

use crate::decide::testing::Tree;
use crate::{Decision, Expansion, Format, Layer, LayerKind, Policy, Request, Source, compile, lint};

fn policy(text: &str) -> Policy {
    let source = Source::new("policy.yaml", text, Format::Yaml);
    let expansion = Expansion { cwd: "/w".into(), home: Some("/home/u".into()), ..Expansion::default() };
    compile(&[Layer { source, kind: LayerKind::Named }], &expansion).unwrap()
}

fn errors(text: &str) -> Vec<String> {
    let source = Source::new("policy.yaml", text, Format::Yaml);
    let found =
        compile(&[Layer { source, kind: LayerKind::Named }], &Expansion::default()).err().unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

fn name(text: &str) -> Option<Identifier> {
    Some(text.parse().unwrap())
}

fn known(id: &str) -> Principal {
    Principal::Known(id.parse().unwrap())
}

/// A rule with this condition, and the contexts of a trusted adapter in which it holds and does not.
#[test]
fn a_rule_holds_for_what_it_names_and_for_what_may_be_that() {
    let base = Context { trust: Trust::Embedded, ..Context::default() };
    let owner = Context { principal: Principal::Owner, chat: Chat::Local, ..base.clone() };
    let friend =
        Context { principal: known("t:a:1"), chat: Chat::Direct, channel: name("t"), ..base.clone() };
    let group = Context { principal: known("t:a:2"), chat: Chat::Group, channel: name("d"), ..base.clone() };
    let nobody = base.clone();
    let agent = Context { chat: Chat::SubAgent, agent: name("helper"), ..owner.clone() };
    let everybody = [&owner, &friend, &group, &nobody, &agent];
    for (when, holds) in [
        ("{}", [true, true, true, true, true]),
        ("{ principal: owner }", [true, true, true, true, true]),
        ("{ principal: known }", [false, true, true, true, false]),
        ("{ principal: unknown }", [false, false, false, true, false]),
        ("{ principal: 't:a:1' }", [false, true, false, true, false]),
        ("{ principal: [unknown, 't:a:2'] }", [false, false, true, true, false]),
        ("{ chat: local }", [true, false, false, false, false]),
        ("{ chat: group }", [false, false, true, true, false]),
        ("{ chat: channel }", [false, false, false, true, false]),
        ("{ chat: unknown }", [false, false, false, true, false]),
        ("{ chat: [direct, sub-agent] }", [false, true, false, false, true]),
        ("{ channel: t }", [true, true, false, true, true]),
        ("{ agent: other }", [true, true, true, true, false]),
        ("{ principal: unknown, chat: group }", [false, false, false, true, false]),
        ("{ principal: known, chat: direct }", [false, true, false, false, false]),
    ] {
        let policy =
            policy(&format!("contexts: [{{ when: {when}, narrow: {{ exec: {{ security: deny }} }} }}]"));
        let found = everybody.map(|context| !policy.narrowing(context).is_none());
        assert_eq!(found, holds, "{when}");
    }
}

#[test]
fn what_is_only_asserted_takes_no_rule_away() {
    let policy = policy(
        "contexts:\n  - { when: { principal: unknown }, narrow: { exec: { security: deny } } }\n  \
         - { when: { chat: sub-agent }, narrow: { network: { default: deny } } }\n  \
         - { when: { host: openclaw, chat: group }, narrow: { detach: false } }\n",
    );
    let lines = |context: &Context| {
        let narrowing = policy.narrowing(context);
        policy.narrowing_rules(&narrowing).map(|rule| rule.line).collect::<Vec<_>>()
    };
    let owner = Context {
        host: name("claude-code"),
        principal: Principal::Owner,
        chat: Chat::Local,
        trust: Trust::Asserted,
        ..Context::default()
    };
    assert_eq!(lines(&owner), [2], "whoever can claim to be the owner gains nothing by it");
    assert_eq!(lines(&Context { chat: Chat::SubAgent, ..owner.clone() }), [2, 3], "and may lose");
    assert_eq!(lines(&Context { host: name("openclaw"), ..owner.clone() }), [2, 4]);
    assert!(lines(&Context { trust: Trust::Signed, ..owner.clone() }).is_empty());
    assert_eq!(lines(&Context { host: None, ..owner }), [2, 4], "a missing name may be any");
}

#[test]
fn what_is_narrowed_is_decided_by_both() {
    let policy = policy(
        "network: { allow: [{ port: 443 }, { port: 22 }] }\ntools: { allow: ['web_*', read_mail] }\n\
         contexts: [{ narrow: { network: { allow: [{ port: 443 }, { port: 80 }] }, tools: { allow: [web_search] } } }]\n",
    );
    let tree = Tree::new(&[]);
    let narrowed = policy.narrowed(&policy.narrowing(&Context::default()));
    let allows =
        |policy: &Policy, request: Request<'_>| matches!(tree.decide(policy, request), Decision::Allow(_));
    for (port, base, narrow) in [(443, true, true), (22, true, false), (80, false, false)] {
        let request =
            crate::NetworkRequest { protocol: crate::Protocol::Tcp, port, host: Some("example.com".into()) };
        let request = Request::Network(&request);
        assert_eq!((allows(&policy, request), allows(&narrowed, request)), (base, narrow), "{port}");
    }
    for (tool, base, narrow) in [
        ("web_search", true, true),
        ("web_fetch", true, false),
        ("read_mail", true, false),
        ("other", false, false),
    ] {
        let request = Request::Tool(tool);
        assert_eq!((allows(&policy, request), allows(&narrowed, request)), (base, narrow), "{tool}");
    }
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (text, error) in [
        ("contexts: { when: {} }", "1:11: error: `contexts` must be a list"),
        ("contexts: [{ wenn: {} }]", "unknown key `wenn`"),
        ("contexts: [{ when: { principle: owner } }]", "unknown key `principle`"),
        ("contexts: [{ when: { principal: ownr } }]", "`ownr`"),
        ("contexts: [{ when: { principal: [owner, 7] } }]", "a principal must be"),
        ("contexts: [{ when: { chat: dm } }]", "must be one of"),
        ("contexts: [{ when: { agent: \"a\\nb\" } }]", "a name must be"),
        ("contexts: [{ narrow: { workspace: /x } }]", "unknown key `workspace`"),
        ("contexts: [{ narrow: { contexts: [] } }]", "unknown key `contexts`"),
        ("contexts: [{ narrow: { environment: { set: { A: b } } } }]", "only restricts"),
        ("tools: { allow: [\"a*b\"] }", "a tool's name"),
    ] {
        let errors = errors(text);
        assert!(errors.iter().any(|found| found.contains(error)), "{text}: {errors:?}");
    }
}

#[test]
fn rules_without_an_effect_are_found() {
    for (text, code) in [
        ("contexts: [{ when: { chat: [] }, narrow: { exec: { security: deny } } }]", "lint.context-never"),
        ("contexts: [{ when: { chat: group } }]", "lint.context-no-effect"),
        (
            "contexts: [{ when: { chat: group }, narrow: { exec: { security: full } } }]",
            "lint.context-no-effect",
        ),
        ("contexts: [{ when: { chat: group }, narrow: { exec: { ask: off } } }]", "lint.context-no-effect"),
        (
            "contexts: [{ when: { chat: group }, narrow: { network: { default: allow } } }]",
            "lint.context-no-effect",
        ),
        ("contexts: [{ when: { chat: group }, narrow: { detach: true } }]", "lint.context-no-effect"),
        (
            "limits: { time: 1m }\ncontexts: [{ when: { chat: group }, narrow: { limits: { time: 2m } } }]",
            "lint.context-no-effect",
        ),
        (
            "contexts: [{ when: { chat: group }, narrow: { detach: false } }, { when: { chat: group }, narrow: { detach: false } }]\ndetach: true",
            "lint.context-no-effect",
        ),
        ("contexts: [{ narrow: { exec: { security: deny } } }]", "lint.context-always"),
    ] {
        let found = lint(&policy(text));
        assert!(found.iter().any(|finding| finding.code == code), "{text}: {found:?}");
    }
    let good = "contexts:\n  - { when: { chat: group }, narrow: { exec: { security: deny } } }\n  \
                - { when: { chat: direct }, narrow: { limits: { time: 2m } } }\n";
    assert!(lint(&policy(good)).iter().all(|finding| !finding.code.starts_with("lint.context")));
}

fn identifiers() -> impl Strategy<Value = Option<Identifier>> {
    prop_oneof![Just(None), Just(name("a")), Just(name("b"))]
}

prop_compose! {
    fn contexts()(
        host in identifiers(), channel in identifiers(), session in identifiers(), agent in identifiers(),
        principal in prop_oneof![
            Just(Principal::Unknown), Just(Principal::Owner), Just(known("x:a")), Just(known("x:b")),
        ],
        chat in prop::sample::select(&Chat::ALL[..]),
        trust in prop::sample::select(&[Trust::Asserted, Trust::Signed, Trust::Embedded][..]),
    ) -> Context {
        Context { host, principal, chat, channel, session, agent, trust, ..Context::default() }
    }
}

prop_compose! {
    fn rules()(
        host in prop::sample::select(&["", "host: a, ", "host: [a, b], ", "host: [], "][..]),
        principal in prop::sample::select(
            &["", "principal: owner, ", "principal: known, ", "principal: unknown, ", "principal: ['x:a'], "][..],
        ),
        chat in prop::sample::select(
            &["", "chat: group, ", "chat: [channel, local], ", "chat: unknown, ", "chat: [sub-agent, scheduled], "][..],
        ),
        rest in prop::sample::select(&["", "channel: a", "agent: [b]", "session: a, agent: a"][..]),
        port in 1_u16..4,
    ) -> String {
        format!("  - {{ when: {{ {host}{principal}{chat}{rest} }}, narrow: {{ network: {{ allow: [{{ port: {port} }}] }} }} }}\n")
    }
}

fn with_rules(rules: &[String]) -> Policy {
    let rules = if rules.is_empty() { " []\n".to_owned() } else { format!("\n{}", rules.concat()) };
    policy(&format!("network: {{ allow: [{{ port: 1 }}, {{ port: 2 }}, {{ port: 3 }}] }}\ncontexts:{rules}"))
}

fn open_ports(policy: &Policy, context: &Context) -> Vec<u16> {
    let narrowed = policy.narrowed(&policy.narrowing(context));
    let tree = Tree::new(&[]);
    let allows = |port: &u16| {
        let request = crate::NetworkRequest {
            protocol: crate::Protocol::Tcp,
            port: *port,
            host: Some("example.com".into()),
        };
        matches!(tree.decide(&narrowed, Request::Network(&request)), Decision::Allow(_))
    };
    (1..4).filter(allows).collect()
}

fn is_within(inner: &[u16], outer: &[u16]) -> bool {
    inner.iter().all(|port| outer.contains(port))
}

proptest! {
    #[test]
    fn no_context_allows_what_the_policy_does_not(context in contexts(), rules in prop::collection::vec(rules(), 0..5)) {
        let policy = with_rules(&rules);
        let all = open_ports(&with_rules(&[]), &context);
        prop_assert!(is_within(&open_ports(&policy, &context), &all));
    }

    #[test]
    fn an_asserted_context_allows_no_more_than_saying_nothing(
        context in contexts(), rules in prop::collection::vec(rules(), 0..5),
    ) {
        let policy = with_rules(&rules);
        let asserted = Context { trust: Trust::Asserted, ..context };
        let silent = Context { host: asserted.host.clone(), ..Context::default() };
        prop_assert!(is_within(&open_ports(&policy, &asserted), &open_ports(&policy, &silent)));
        let believed = Context { trust: Trust::Embedded, ..asserted.clone() };
        prop_assert!(is_within(&open_ports(&policy, &asserted), &open_ports(&policy, &believed)));
    }

    #[test]
    fn a_missing_field_allows_no_more_than_the_least_of_its_values(
        context in contexts(), rules in prop::collection::vec(rules(), 0..5), other in identifiers(),
    ) {
        let policy = with_rules(&rules);
        let pairs = [
            (Context { principal: Principal::Unknown, ..context.clone() }, context.clone()),
            (Context { chat: Chat::Unknown, ..context.clone() }, Context { chat: Chat::Group, ..context.clone() }),
            (Context { chat: Chat::Unknown, ..context.clone() }, Context { chat: Chat::Channel, ..context.clone() }),
            (Context { host: None, ..context.clone() }, Context { host: other.clone(), ..context.clone() }),
            (Context { channel: None, ..context.clone() }, Context { channel: other.clone(), ..context.clone() }),
            (Context { session: None, ..context.clone() }, Context { session: other.clone(), ..context.clone() }),
            (Context { agent: None, ..context.clone() }, Context { agent: other, ..context }),
        ];
        for (missing, present) in pairs {
            prop_assert!(is_within(&open_ports(&policy, &missing), &open_ports(&policy, &present)), "{missing:?} {present:?}");
        }
    }
}
