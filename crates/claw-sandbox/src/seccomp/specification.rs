//! What must happen to a system call, written as plainly as possible.

use super::{ArgumentRule, Operation, SeccompSpec, Test, Verdict, table};

impl SeccompSpec {
    /// What must happen to a system call. `architecture` is an `AUDIT_ARCH_*` value.
    pub(crate) fn verdict(self, architecture: u32, number: u32, arguments: [u64; 6]) -> Verdict {
        if Some(architecture) != table::AUDIT_ARCHITECTURE {
            return Verdict::KillProcess;
        }
        if number > table::LAST_REVIEWED {
            return Verdict::Errno(table::ENOSYS);
        }
        if let Some((group, _)) = self.denied().find(|(_, call)| call.number == number) {
            return Verdict::Errno(group.errno);
        }
        let mut rules = self.argument_rules().filter(|rule| rule.call.number == number);
        if rules.any(|rule| rule.matches(arguments)) { Verdict::Errno(table::EPERM) } else { Verdict::Allow }
    }
}

impl ArgumentRule {
    // All tests must hold.
    fn matches(&self, arguments: [u64; 6]) -> bool {
        self.tests.iter().all(|test| {
            let value = arguments.get(usize::from(test.argument));
            value.is_some_and(|value| test.holds(*value))
        })
    }
}

impl Test {
    // Only the low 32 bits count.
    fn holds(&self, value: u64) -> bool {
        let low = value & u64::from(u32::MAX);
        let wanted = u64::from(self.value);
        match self.operation {
            Operation::Equal => low == wanted,
            Operation::NotEqual => low != wanted,
            Operation::Masked(mask) => low & u64::from(mask) == wanted,
        }
    }
}
