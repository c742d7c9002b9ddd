//! Puts the commands of a script in the order of their text.

use crate::script::{CommandId, Origin, Script};

impl Script {
    /// Sorts the commands by where they begin; those of one place keep their order, so a wrapper
    /// stays before what it runs. All references follow.
    pub(crate) fn sort_commands(&mut self) {
        if self.commands.is_sorted_by_key(|command| command.span.start) {
            return;
        }
        let mut order: Vec<usize> = (0..self.commands.len()).collect();
        order.sort_by_key(|index| self.commands.get(*index).map(|command| command.span.start));
        let mut place = vec![0; order.len()];
        for (new, old) in order.iter().enumerate() {
            if let Some(place) = place.get_mut(*old) {
                *place = new;
            }
        }
        let moved = |id: CommandId| CommandId(place.get(id.0).copied().unwrap_or(id.0));
        for command in &mut self.commands {
            if let Origin::Wrapper(id) = &mut command.origin {
                *id = moved(*id);
            }
        }
        for redirect in &mut self.redirects {
            redirect.command = redirect.command.map(moved);
        }
        let mut placed: Vec<_> = std::mem::take(&mut self.commands).into_iter().zip(&place).collect();
        placed.sort_by_key(|(_, place)| **place);
        self.commands = placed.into_iter().map(|(command, _)| command).collect();
    }
}
