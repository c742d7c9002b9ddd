//! `checkpoint`: the trees that commands may change, kept, compared and brought back.

use std::path::{Path, PathBuf};

use claw_sandbox::audit::AuditLog;
use claw_sandbox::checkpoint::{
    Checkpoint, CheckpointError, CheckpointLimits, Checkpoints, Difference, DifferenceKind, Undone,
};
use claw_sandbox::{FileType, Sandbox};
use serde_json::{Value, json};

use super::policy;
use crate::args::{CheckpointArgs, CheckpointCommand, CheckpointIdArgs, CheckpointPruneArgs};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{self, visible};
use crate::wire::Bytes;

/// Runs one of the commands.
pub(crate) fn run(command: &CheckpointCommand) -> Outcome {
    match command {
        CheckpointCommand::Create(args) => create(&args.common, &args.label),
        CheckpointCommand::List(args) => list(args),
        CheckpointCommand::Diff(args) => diff(args),
        CheckpointCommand::Undo(args) => undo(args),
        CheckpointCommand::Recover(args) => recover(args),
        CheckpointCommand::Prune(args) => prune(args),
    }
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        Self::new(error)
    }
}

fn checkpoints(args: &CheckpointArgs) -> Result<Checkpoints, Failure> {
    let policy = policy::of_args(&args.policy)?;
    // Acts on checkpoints are operations on files.
    let log = if policy.logging().audit_file_access { AuditLog::of_policy(&policy) } else { Ok(None) };
    let builder = match log {
        Ok(Some(log)) => Sandbox::builder(policy).audit(log),
        Ok(None) => Sandbox::builder(policy),
        Err(error) if policy.logging().continue_without_log => Sandbox::builder(policy).audit_lost(&error),
        Err(error) => return Err(Failure::new(error)),
    };
    let sandbox = builder.build()?;
    let store = args.store.clone().unwrap_or_else(|| Checkpoints::default_store(&sandbox));
    Ok(Checkpoints::open(store, &sandbox)?)
}

fn create(args: &CheckpointArgs, label: &str) -> Outcome {
    let made = checkpoints(args)?.checkpoint(label)?;
    if args.json {
        output::print_json(&checkpoint_json(&made))?;
    } else {
        output::print(format_args!("checkpoint {}: {}\n", made.id, contents(&made)))?;
    }
    Ok(Exit::Success)
}

fn list(args: &CheckpointArgs) -> Outcome {
    let all = checkpoints(args)?.list()?;
    if args.json {
        let all: Vec<Value> = all.iter().map(checkpoint_json).collect();
        output::print_json(&json!({ "checkpoints": all }))?;
        return Ok(Exit::Success);
    }
    for one in &all {
        let label = visible(one.label.as_bytes());
        output::print(format_args!("{:>4}  {}  {}  {label}\n", one.id, time(one.created), contents(one)))?;
    }
    Ok(Exit::Success)
}

fn diff(args: &CheckpointIdArgs) -> Outcome {
    let checkpoints = checkpoints(&args.common)?;
    let id = chosen(&checkpoints, args)?;
    let differences = checkpoints.diff(id)?;
    if args.common.json {
        let mut all = Vec::new();
        for difference in &differences {
            all.push(difference_json(difference, checkpoints.text(difference)?));
        }
        output::print_json(&json!({ "id": id, "differences": all }))?;
        return Ok(Exit::Success);
    }
    for difference in &differences {
        output::print(format_args!("{}\n", difference_line(difference)))?;
        if let Some(text) = checkpoints.text(difference)? {
            let lines = text.lines().map(|line| visible(line.replace('\t', "    ").as_bytes()) + "\n");
            output::print(lines.collect::<String>())?;
        }
    }
    Ok(Exit::Success)
}

fn undo(args: &CheckpointIdArgs) -> Outcome {
    let checkpoints = checkpoints(&args.common)?;
    let id = chosen(&checkpoints, args)?;
    report(&args.common, &checkpoints.undo(id)?)
}

fn recover(args: &CheckpointArgs) -> Outcome {
    match checkpoints(args)?.recover()? {
        Some(undone) => report(args, &undone),
        None if args.json => {
            output::print_json(&json!({ "interrupted": false }))?;
            Ok(Exit::Success)
        }
        None => {
            output::print("no undo was interrupted\n")?;
            Ok(Exit::Success)
        }
    }
}

fn prune(args: &CheckpointPruneArgs) -> Outcome {
    let mut limits = CheckpointLimits::default();
    (limits.count, limits.age, limits.total_bytes) = (args.keep, args.age, args.bytes);
    let pruned = checkpoints(&args.common)?.limits(limits).prune()?;
    if args.common.json {
        let (contents, bytes) = (pruned.contents, pruned.bytes);
        output::print_json(
            &json!({ "checkpoints": pruned.checkpoints, "contents": contents, "bytes": bytes }),
        )?;
    } else {
        let (count, bytes) = (pruned.checkpoints.len(), pruned.bytes);
        output::print(format_args!("given up: {count} checkpoints, {bytes} bytes\n"))?;
    }
    Ok(Exit::Success)
}

fn chosen(checkpoints: &Checkpoints, args: &CheckpointIdArgs) -> Result<u64, CheckpointError> {
    args.id.map_or_else(|| checkpoints.newest(), Ok)
}

fn report(args: &CheckpointArgs, undone: &Undone) -> Outcome {
    let is_whole = undone.not_restored.is_empty();
    if args.json {
        let not = undone.not_restored.iter();
        let not: Vec<Value> =
            not.map(|one| json!({ "path": path(&one.path), "reason": one.reason })).collect();
        output::print_json(&json!({
            "id": undone.id,
            "before": undone.before,
            "changed": undone.changed,
            "notRestored": not,
        }))?;
    } else {
        let (id, before, changed) = (undone.id, undone.before, undone.changed);
        output::print(format_args!(
            "back at checkpoint {id}: {changed} changes; what was there is checkpoint {before}\n"
        ))?;
        for one in &undone.not_restored {
            output::say(format_args!(
                "not brought back: {}: {}",
                shown(&one.path),
                visible(one.reason.as_bytes())
            ));
        }
    }
    Ok(if is_whole { Exit::Success } else { Exit::Findings })
}

fn checkpoint_json(one: &Checkpoint) -> Value {
    json!({
        "id": one.id,
        "label": one.label,
        "created": time(one.created),
        "beforeUndoOf": one.before_undo_of,
        "roots": one.roots.iter().map(|root| path(root)).collect::<Vec<_>>(),
        "entries": one.entries,
        "leftOut": one.left_out,
        "bytes": one.bytes,
    })
}

fn difference_json(difference: &Difference, text: Option<String>) -> Value {
    let side = |side: Option<(FileType, u32)>, target: &Option<PathBuf>| {
        let (kind, mode) = side?;
        let target = target.as_ref().map(|target| path(target));
        Some(json!({ "type": kind_name(kind), "mode": format!("{mode:03o}"), "target": target }))
    };
    json!({
        "path": path(&difference.path),
        "change": difference.kind.name(),
        "before": side(difference.before, &difference.target_before),
        "after": side(difference.after, &difference.target_after),
        "diff": text,
    })
}

fn difference_line(difference: &Difference) -> String {
    let name = difference.kind.name();
    let what = difference.after.or(difference.before).map_or("file", |(kind, _)| kind_name(kind));
    let modes = match (difference.kind, difference.before, difference.after) {
        (DifferenceKind::Mode, Some((_, before)), Some((_, after))) => {
            format!(" {before:03o} -> {after:03o}")
        }
        _ => String::new(),
    };
    format!("{name:<10} {what:<9} {}{modes}", shown(&difference.path))
}

const fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::File => "file",
        FileType::Directory => "directory",
        FileType::Link => "link",
        _ => "special",
    }
}

fn contents(one: &Checkpoint) -> String {
    let left = if one.left_out == 0 { String::new() } else { format!(", {} left out", one.left_out) };
    format!("{} entries, {} bytes{left}", one.entries, one.bytes)
}

fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

fn path(path: &Path) -> Bytes {
    path.as_os_str().as_encoded_bytes().into()
}

fn shown(path: &Path) -> String {
    visible(path.as_os_str().as_encoded_bytes())
}
