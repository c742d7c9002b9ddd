//! Lists, pipelines and compound commands.

use super::cwd::Flow;
use super::{Collector, Input};
use crate::bounds::Parsed;
use crate::script::Span;
use crate::syntax::{Code, Connector, Item, List, Node, Pipeline, Stage, Variable};

impl Collector {
    /// Walks a list, and returns how its last command leaves the shell.
    pub(crate) fn list(&mut self, list: List) -> Parsed<Flow> {
        let mut flow = self.stay();
        let mut items = list.items.into_iter();
        while let Some(first) = items.next() {
            let background = ends_in_background(first.next, items.as_slice());
            if background {
                self.subshell(|collector| collector.chain(first, &mut items))?;
                flow = self.stay();
            } else {
                flow = self.chain(first, &mut items)?;
                self.settle(flow);
            }
        }
        Ok(flow)
    }

    /// `a && b || c`.
    fn chain(&mut self, first: Item, items: &mut impl Iterator<Item = Item>) -> Parsed<Flow> {
        let mut connector = first.next;
        let mut flow = self.pipeline(first.pipeline)?;
        while matches!(connector, Connector::And | Connector::Or) {
            let Some(item) = items.next() else { break };
            let (taken, skipped) = match connector {
                Connector::And => (flow.success, flow.failure),
                _ => (flow.failure, flow.success),
            };
            self.shell.cwd = taken.unwrap_or(self.shell.cwd);
            let ran = self.conditional(|collector| collector.pipeline(item.pipeline))?;
            let ran = if taken.is_some() { ran } else { Flow::never() };
            flow = match connector {
                Connector::And => Flow { success: ran.success, failure: self.join(ran.failure, skipped) },
                _ => Flow { success: self.join(ran.success, skipped), failure: ran.failure },
            };
            connector = item.next;
        }
        Ok(flow)
    }

    fn pipeline(&mut self, pipeline: Pipeline) -> Parsed<Flow> {
        let mut stages = pipeline.stages;
        let flow = match stages.len() {
            0 => self.stay(),
            1 => match stages.pop() {
                Some(stage) => self.stage(stage)?,
                None => self.stay(),
            },
            _ => {
                self.piped(stages)?;
                self.stay()
            }
        };
        Ok(if pipeline.negated { flow.inverted() } else { flow })
    }

    // With `lastpipe` the last stage runs in the shell itself; `shopt` reports that as opaque.
    fn piped(&mut self, stages: Vec<Stage>) -> Parsed<()> {
        let outer = self.shell.input.clone();
        for stage in stages {
            self.subshell(|collector| collector.stage(stage))?;
            self.shell.input = Input::Fed;
        }
        self.shell.input = outer;
        Ok(())
    }

    fn stage(&mut self, stage: Stage) -> Parsed<Flow> {
        let Stage { span, node, redirects } = stage;
        let node = match node {
            Node::Simple(simple) => return self.simple(span, simple, redirects),
            node => node,
        };
        let outer = self.shell.input.clone();
        for redirect in redirects {
            self.redirect(redirect, None)?;
        }
        let flow = self.compound(span, node)?;
        self.shell.input = outer;
        Ok(flow)
    }

    fn compound(&mut self, span: Span, node: Node) -> Parsed<Flow> {
        match node {
            Node::Simple(simple) => self.simple(span, simple, Vec::new()),
            Node::Group(list) => self.list(list),
            Node::Subshell(list) => {
                self.subshell(|collector| collector.list(list))?;
                Ok(self.stay())
            }
            Node::If { branches, otherwise } => self.conditional_branches(branches, otherwise),
            Node::Loop { condition, body, moves } => self.looping(moves, |collector| {
                let flow = collector.list(condition)?;
                collector.settle(flow);
                collector.list(body)
            }),
            Node::For { variable, words, body, moves } => {
                for lexeme in words {
                    self.note_data(&lexeme.word);
                    self.code(lexeme.code)?;
                }
                self.assign_unknown_if_notable(&variable);
                self.looping(moves, |collector| collector.list(body))
            }
            Node::ArithmeticFor { code, body, moves } => {
                self.code(code)?;
                self.looping(moves, |collector| collector.list(body))
            }
            Node::Case { subject, arms } => self.case(subject, arms),
            Node::Function { name, body } => {
                self.define_function(name, *body)?;
                Ok(self.stay())
            }
            Node::Coprocess { name, body } => {
                if let Some(name) = name {
                    self.assign_unknown_if_notable(&name);
                }
                let outer = std::mem::replace(&mut self.shell.input, Input::Fed);
                self.subshell(|collector| collector.stage(*body))?;
                self.shell.input = outer;
                Ok(self.stay())
            }
            Node::Evaluate(code) => {
                self.code(code)?;
                Ok(self.stay())
            }
        }
    }

    fn conditional_branches(&mut self, branches: Vec<(List, List)>, otherwise: Option<List>) -> Parsed<Flow> {
        let mut end = Flow::never();
        let mut reachable = true;
        for (condition, body) in branches {
            let tested = self.list(condition)?;
            self.shell.cwd = tested.success.unwrap_or(self.shell.cwd);
            let ran = self.conditional(|collector| collector.list(body))?;
            end = self.either(end, ran);
            reachable &= tested.failure.is_some();
            self.shell.cwd = tested.failure.unwrap_or(self.shell.cwd);
        }
        let ran = match otherwise {
            Some(body) => self.conditional(|collector| collector.list(body))?,
            None => self.stay(),
        };
        Ok(if reachable { self.either(end, ran) } else { end })
    }

    fn either(&mut self, one: Flow, other: Flow) -> Flow {
        Flow {
            success: self.join(one.success, other.success),
            failure: self.join(one.failure, other.failure),
        }
    }

    // A body that moves starts its next round where it ended the last.
    fn looping(&mut self, moves: bool, collect: impl FnOnce(&mut Self) -> Parsed<Flow>) -> Parsed<Flow> {
        let moves = moves || self.shared.function_moves;
        if moves {
            self.shell.cwd = self.unknown_directory();
        }
        let before = self.shell.cwd;
        self.conditional(collect)?;
        self.shell.cwd = before;
        Ok(Flow::stay(before))
    }

    fn case(&mut self, subject: crate::syntax::Lexeme, arms: Vec<crate::syntax::Arm>) -> Parsed<Flow> {
        self.note_data(&subject.word);
        self.code(subject.code)?;
        let before = self.shell.cwd;
        let mut end = Flow::stay(before);
        for arm in arms {
            for pattern in arm.patterns {
                self.code(pattern.code)?;
            }
            // Through `;&` an arm may also begin where the one before ended.
            let start = self.join(Some(before), end.success);
            self.shell.cwd = start.unwrap_or(before);
            let ran = self.conditional(|collector| collector.list(arm.body))?;
            end = self.either(end, ran);
        }
        Ok(end)
    }

    fn define_function(&mut self, name: Vec<u8>, body: Stage) -> Parsed<()> {
        let input = std::mem::replace(&mut self.shell.input, Input::Fed);
        let span = body.span;
        self.deeper(span, |collector| collector.at_another_time(|collector| collector.stage(body)))?;
        self.shell.input = input;
        if self.shell.conditional == 0 && self.shell.functions.insert(name.clone()) {
            self.shell.defined.push(name);
        }
        Ok(())
    }

    /// Lists the code that runs while words are expanded.
    pub(crate) fn code(&mut self, code: Vec<Code>) -> Parsed<()> {
        for code in code {
            match code {
                Code::Subshell(list) => self.deeper(Span::default(), |collector| collector.run_list(list))?,
                Code::Inline(list) => {
                    let flow = self.deeper(Span::default(), |collector| collector.list(list))?;
                    self.settle(flow);
                }
                Code::Assign(variable) => self.assign_unknown_if_notable(&variable),
                Code::Arithmetic(span) => self.shell.arithmetic = self.shell.arithmetic.or(Some(span)),
            }
        }
        Ok(())
    }

    /// A variable that a construct sets, when anyone but the script itself reads it.
    pub(crate) fn assign_unknown_if_notable(&mut self, variable: &Variable) {
        if crate::sensitive::is_notable(&variable.name) || self.shell.exports_all {
            self.assign_unknown(&variable.name, variable.span);
        }
    }
}

fn ends_in_background(first: Connector, rest: &[Item]) -> bool {
    let mut connectors = std::iter::once(first).chain(rest.iter().map(|item| item.next));
    connectors.find(|next| matches!(next, Connector::Then | Connector::Background))
        == Some(Connector::Background)
}
