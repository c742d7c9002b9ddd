//! An attack as a value, and the macro that makes a test of each.

use claw_testkit::scene::Scene;

use crate::evidence::Evidence;

/// One attack.
#[derive(Clone, Copy)]
pub(crate) struct Attack {
    pub(crate) program: Program,
    /// What shows outside of the sandbox that it has succeeded.
    pub(crate) evidence: Evidence,
    pub(crate) policy: &'static str,
    pub(crate) setup: fn(&mut Scene),
    /// What goes before the attack, and before the sandbox around it.
    pub(crate) before: &'static [&'static str],
    /// What `claw-sandbox run` is told beside the policy.
    pub(crate) options: &'static [&'static str],
    /// What the caller of the attack has in its environment beside the usual.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// What an attacker needs that not every user and host has. Where the attack fails without the sandbox, too, the
    /// case is skipped, and says so.
    pub(crate) needs: Option<&'static str>,
    /// What the outcome calls the end of the attack inside, where that is to be seen too.
    pub(crate) ending: Option<&'static str>,
    /// The decision may refuse it before anything starts.
    pub(crate) may_be_refused: bool,
}

/// What attacks.
#[derive(Clone, Copy)]
pub(crate) enum Program {
    /// A script in the workspace, for the interpreter.
    Script(&'static str, &'static str),
    /// The hostile program with its arguments.
    Hostile(&'static [&'static str]),
    /// A line for the shell.
    Line(&'static str),
}

/// The policy of most attacks: shells, interpreters and small tools run, a workspace, a read-only root, no network.
pub(crate) const PLAIN: &str = "workspace: {ws}\nexec: {exec}\nfilesystem: {readOnly: [{ro}]}\n";

const fn new(program: Program) -> Attack {
    Attack {
        program,
        evidence: Evidence::Never,
        policy: PLAIN,
        setup: |_| {},
        before: &[],
        options: &[],
        environment: &[],
        needs: None,
        ending: None,
        may_be_refused: false,
    }
}

pub(crate) const fn sh(text: &'static str) -> Attack {
    new(Program::Script("sh", text))
}

pub(crate) const fn bash(text: &'static str) -> Attack {
    new(Program::Script("bash", text))
}

pub(crate) const fn python(text: &'static str) -> Attack {
    new(Program::Script("python3", text))
}

pub(crate) const fn perl(text: &'static str) -> Attack {
    new(Program::Script("perl", text))
}

/// System calls, in the language of the hostile program.
pub(crate) const fn calls(text: &'static [&'static str; 2]) -> Attack {
    new(Program::Hostile(text))
}

pub(crate) const fn hostile(arguments: &'static [&'static str]) -> Attack {
    new(Program::Hostile(arguments))
}

pub(crate) const fn line(text: &'static str) -> Attack {
    new(Program::Line(text))
}

impl Attack {
    pub(crate) const fn shows(mut self, evidence: Evidence) -> Self {
        self.evidence = evidence;
        self
    }

    pub(crate) const fn under(mut self, policy: &'static str) -> Self {
        self.policy = policy;
        self
    }

    pub(crate) const fn after(mut self, setup: fn(&mut Scene)) -> Self {
        self.setup = setup;
        self
    }

    pub(crate) const fn within(mut self, before: &'static [&'static str]) -> Self {
        self.before = before;
        self
    }

    pub(crate) const fn run_with(mut self, options: &'static [&'static str]) -> Self {
        self.options = options;
        self
    }

    pub(crate) const fn with(mut self, environment: &'static [(&'static str, &'static str)]) -> Self {
        self.environment = environment;
        self
    }

    pub(crate) const fn needs(mut self, what: &'static str) -> Self {
        self.needs = Some(what);
        self
    }

    pub(crate) const fn ends(mut self, ending: &'static str) -> Self {
        self.ending = Some(ending);
        self
    }

    pub(crate) const fn may_be_refused(mut self) -> Self {
        self.may_be_refused = true;
        self
    }
}

/// Makes a table of attacks and a test of each, named after it.
macro_rules! attacks {
    ($area:literal; $($name:ident => $attack:expr;)*) => {
        /// The names of this area's attacks.
        pub(crate) const NAMES: &[&str] = &[$(concat!($area, "::", stringify!($name))),*];

        $(
            #[test]
            fn $name() {
                const ATTACK: $crate::attack::Attack = $attack;
                $crate::harness::check(concat!($area, "::", stringify!($name)), &ATTACK);
            }
        )*
    };
}
pub(crate) use attacks;
