//! Brings the trees back to a checkpoint.
//!
//! What differs is found, all contents that are needed are checked, a journal is written; then what came since goes, the
//! innermost first, what went comes back, and last the modes of directories. After that the trees are compared again: what
//! others changed meanwhile, or what could not be looked into before, is the next round's.
//!
//! The journal only says which checkpoint is meant: a process that dies half way leaves trees that differ from it, and finishing
//! is doing the same again.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use claw_policy::{Code, Touch};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, RenameFlags, renameat2};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, SFlag, fchmod, fchmodat, fstat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, symlinkat, unlinkat};
use serde_json::json;

use super::compare::{Change, Comparison, Pair};
use super::digest::{Digest, to_hex};
use super::manifest::State;
use super::record::{Act, PathEvent};
use super::step::step;
use super::store::Locked;
use super::walk::{Found, Kind, Left, judged};
use super::{CheckpointError, CheckpointErrorKind, Checkpoints};
use crate::files::place::{Place, Roots, create_in, open_in};
use crate::opened::{id_of, kind_of, own_name};

/// Comparisons after which what still differs is reported: whoever changes the trees faster is not waited for.
const ROUNDS: usize = 4;

/// What an undo did.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Undone {
    /// The checkpoint that was brought back.
    pub id: u64,
    /// The checkpoint that was made before, of what was there.
    pub before: u64,
    /// How many paths were changed.
    pub changed: u64,
    /// What differs still.
    pub not_restored: Vec<NotRestored>,
}

/// A path that could not be brought back.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NotRestored {
    /// Canonical.
    pub path: PathBuf,
    /// Why not.
    pub reason: String,
}

/// What has to be done to one path.
#[derive(Clone, Debug)]
struct Task {
    root: PathBuf,
    path: PathBuf,
    what: What,
    /// It comes or goes with a directory around it.
    is_protected: bool,
}

#[derive(Clone, Debug)]
enum What {
    Remove,
    Directory,
    File { hash: Digest, mode: u32 },
    Link { target: PathBuf },
    Mode { mode: u32 },
}

impl What {
    /// As the audit log calls it, and the content that comes back.
    const fn told(&self) -> (&'static str, Option<Digest>) {
        match self {
            Self::Remove => ("remove", None),
            Self::Directory => ("mkdir", None),
            Self::File { hash, .. } => ("write", Some(*hash)),
            Self::Link { .. } => ("symlink", None),
            Self::Mode { .. } => ("chmod", None),
        }
    }
}

/// What one comparison asks for.
#[derive(Debug, Default)]
struct Plan {
    removals: Vec<Task>,
    creations: Vec<Task>,
    modes: Vec<Task>,
    not_restored: Vec<NotRestored>,
    /// A directory is opened that could not be looked into.
    reveals: bool,
    /// Directories that hold what is not to be removed, with the reason.
    held: BTreeMap<PathBuf, String>,
}

/// Why a task was not done.
enum Stop {
    /// This path stays as it is.
    Skip(String),
    /// Nothing can go on.
    Fail(CheckpointError),
}

impl Checkpoints {
    /// Brings the trees back to a checkpoint, after a checkpoint of what is there: an undo can be undone.
    ///
    /// A path that may not be written any more, or that others keep changing, stays as it is and is reported.
    ///
    /// # Errors
    ///
    /// When there is no such checkpoint or the store is damaged: then nothing was changed. When a disk is full, or the like:
    /// then [`Checkpoints::recover`] finishes it.
    pub fn undo(&self, id: u64) -> Result<Undone, CheckpointError> {
        let locked = self.store.lock()?;
        self.bring_back_recorded(&locked, "undo", id)
    }

    /// Finishes an undo that was interrupted. `None` when none was.
    ///
    /// # Errors
    ///
    /// As [`Checkpoints::undo`].
    pub fn recover(&self) -> Result<Option<Undone>, CheckpointError> {
        let locked = self.store.lock()?;
        let Some(id) = locked.interrupted()? else { return Ok(None) };
        self.bring_back_recorded(&locked, "recover", id).map(Some)
    }

    fn bring_back_recorded(
        &self,
        locked: &Locked<'_>,
        name: &'static str,
        id: u64,
    ) -> Result<Undone, CheckpointError> {
        self.recorded(
            name,
            Some(id),
            |act| self.bring_back(locked, act, id),
            |undone| {
                vec![
                    ("checkpoint", json!(id)),
                    ("before", json!(undone.before)),
                    ("changed", json!(undone.changed)),
                    ("notRestored", json!(undone.not_restored.len())),
                ]
            },
        )
    }

    fn bring_back(&self, locked: &Locked<'_>, act: &Act, id: u64) -> Result<Undone, CheckpointError> {
        let label = format!("before undo of {id}");
        self.verify(&self.plan(id)?)?;
        let before = self.made(locked, &label, Some(id))?.id;
        let mut undone = Undone { id, before, changed: 0, not_restored: Vec::new() };
        for round in 0..=ROUNDS {
            let mut plan = self.plan(id)?;
            undone.not_restored = std::mem::take(&mut plan.not_restored);
            if plan.is_empty() {
                break;
            }
            if round == ROUNDS {
                undone.not_restored.extend(plan.tasks().map(|task| not_restored(task, "it keeps changing")));
                break;
            }
            if round == 0 {
                self.verify(&plan)?;
                locked.begin(id)?;
            }
            let (reveals, done) = (plan.reveals, undone.changed);
            let skipped = Applying::new(self, act).apply(plan, &mut undone.changed)?;
            if undone.changed == done && round > 0 {
                undone.not_restored.extend(skipped);
                break;
            }
            if reveals {
                // What could not be read before can be now, and is kept before it goes.
                self.made(locked, &label, Some(id))?;
            }
        }
        undone.not_restored.sort_by(|one, other| one.path.cmp(&other.path));
        undone.not_restored.dedup_by(|one, other| one.path == other.path);
        if locked.interrupted()?.is_some() {
            self.synchronise(id)?;
            locked.end()?;
        }
        self.prune_when_needed(locked, act, &[id, before])?;
        Ok(undone)
    }

    fn plan(&self, id: u64) -> Result<Plan, CheckpointError> {
        let mut comparison = Comparison::new(self, self.store.manifest(id)?)?;
        let mut plan = Plan::default();
        while let Some(pair) = comparison.next()? {
            if let Some(root) = comparison.roots().get(pair.root) {
                plan.add(root.clone(), pair);
            }
        }
        plan.hold();
        Ok(plan)
    }

    /// Nothing is begun with contents that are not there.
    fn verify(&self, plan: &Plan) -> Result<(), CheckpointError> {
        plan.creations.iter().try_for_each(|task| match task.what {
            What::File { hash, .. } => self.store.object(hash).map(drop),
            _ => Ok(()),
        })
    }

    /// What was done is on the disk before the journal goes.
    fn synchronise(&self, id: u64) -> Result<(), CheckpointError> {
        for root in self.store.manifest(id)?.header.roots() {
            let failed = |error: io::Error| CheckpointError::io("synchronise a tree", &root, error);
            let directory = File::open(&root).map_err(failed)?;
            nix::unistd::syncfs(&directory).map_err(|errno| failed(errno.into()))?;
        }
        Ok(())
    }
}

impl Plan {
    fn is_empty(&self) -> bool {
        self.removals.is_empty() && self.creations.is_empty() && self.modes.is_empty()
    }

    fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.removals.iter().chain(&self.creations).chain(&self.modes)
    }

    fn add(&mut self, root: PathBuf, pair: Pair) {
        let Pair { path, then, now, change, is_protected, .. } = pair;
        let task = |what| Task { root: root.clone(), path: path.clone(), what, is_protected };
        let is_directory = now.as_ref().is_some_and(|found| found.kind == Kind::Directory);
        let has_names =
            now.as_ref().is_some_and(|found| found.kind == Kind::File && found.status.st_nlink > 1);
        match (change, then) {
            (Change::None, None) => {
                if let Some((Found { kind: Kind::Left(left), .. }, parent)) = now.zip(path.parent()) {
                    self.held.insert(root.join(parent), left.reason().to_owned());
                }
            }
            (Change::None, _) => {}
            (Change::Added, _) => self.removals.push(task(What::Remove)),
            (Change::Unknown(Left::Unreadable), Some(State::Directory { mode })) => {
                self.reveals = true;
                self.modes.push(task(What::Mode { mode }));
            }
            (Change::Unknown(Left::Unreadable), None) => {
                self.reveals = true;
                self.modes.push(task(What::Mode { mode: 0o700 }));
            }
            (Change::Unknown(left), _) => {
                self.not_restored
                    .push(NotRestored { path: root.join(&path), reason: left.reason().to_owned() });
            }
            // The mode of a file with several names is theirs as well: it becomes a file of its own.
            (Change::Mode, Some(State::File { mode, .. })) if !has_names => {
                self.modes.push(task(What::Mode { mode }));
            }
            (Change::Mode, Some(State::Directory { mode })) => self.modes.push(task(What::Mode { mode })),
            (_, Some(State::File { hash, mode, .. })) => {
                self.make(is_directory, task(What::Remove), task(What::File { hash, mode }));
            }
            (_, Some(State::Link { target })) => {
                self.make(is_directory, task(What::Remove), task(What::Link { target: target.path() }));
            }
            (_, Some(State::Directory { mode })) => {
                self.make(now.is_some(), task(What::Remove), task(What::Directory));
                self.modes.push(task(What::Mode { mode }));
            }
            (_, Some(State::Left { .. }) | None) => {}
        }
    }

    /// A directory that holds what is not to be removed stays with all that is in it: half a repository is none.
    fn hold(&mut self) {
        let removed: BTreeSet<PathBuf> = self.removals.iter().map(absolute).collect();
        let mut held = std::mem::take(&mut self.held);
        held.retain(|path, _| removed.contains(path));
        let stays = |task: &Task| {
            let path = absolute(task);
            path.ancestors().any(|above| held.contains_key(above))
                || held.range(path.clone()..).next().is_some_and(|(beneath, _)| beneath.starts_with(&path))
        };
        self.removals.retain(|task| !stays(task));
        self.creations.retain(|task| !stays(task));
        self.modes.retain(|task| !stays(task));
        let reports = held.iter().map(|(path, reason)| NotRestored {
            path: path.clone(),
            reason: format!("it holds what is not to be removed: {reason}"),
        });
        self.not_restored.extend(reports);
    }

    fn make(&mut self, removes: bool, removal: Task, creation: Task) {
        if removes {
            self.removals.push(removal);
        }
        self.creations.push(creation);
    }
}

/// One round.
struct Applying<'c> {
    checkpoints: &'c Checkpoints,
    act: &'c Act,
    roots: Roots,
    /// Directories that were made writable for us, with the modes that they had.
    opened_up: BTreeMap<(PathBuf, PathBuf), u32>,
}

impl<'c> Applying<'c> {
    fn new(checkpoints: &'c Checkpoints, act: &'c Act) -> Self {
        Self { checkpoints, act, roots: Roots::default(), opened_up: BTreeMap::new() }
    }

    /// Does what it can, and says what it could not. Innermost entries go first and come last.
    fn apply(mut self, plan: Plan, changed: &mut u64) -> Result<Vec<NotRestored>, CheckpointError> {
        let mut skipped = Vec::new();
        let tasks = plan.removals.iter().rev().chain(&plan.creations);
        for task in tasks {
            self.note(task, changed, &mut skipped)?;
        }
        for (path, mode) in std::mem::take(&mut self.opened_up) {
            let task = Task { root: path.0, path: path.1, what: What::Mode { mode }, is_protected: false };
            // It may be gone by now.
            self.note(&task, &mut 0, &mut Vec::new())?;
        }
        for task in plan.modes.iter().rev() {
            self.note(task, changed, &mut skipped)?;
        }
        Ok(skipped)
    }

    fn note(
        &mut self,
        task: &Task,
        changed: &mut u64,
        skipped: &mut Vec<NotRestored>,
    ) -> Result<(), CheckpointError> {
        let reason = match self.perform(task) {
            Ok(()) => None,
            Err(Stop::Skip(reason)) => Some(reason),
            Err(Stop::Fail(error)) => return Err(error),
        };
        let (path, (change, after)) = (absolute(task), task.what.told());
        let after = after.map(|hash| hash.to_string());
        let event = PathEvent { change, path: &path, after, skipped: reason.as_deref() };
        self.checkpoints.record_path(self.act, &event)?;
        match reason {
            None => *changed += 1,
            Some(reason) => skipped.push(not_restored(task, &reason)),
        }
        Ok(())
    }

    fn perform(&mut self, task: &Task) -> Result<(), Stop> {
        if task.path.as_os_str().is_empty() {
            return self.root_mode(task);
        }
        let path = absolute(task);
        let place = self.roots.place(&task.root, &path).map_err(|errno| stopped(task, errno))?;
        let status = place.status().map_err(|errno| stopped(task, errno))?;
        let touch = match task.what {
            What::Remove => Touch::Remove,
            What::Mode { .. } => Touch::Metadata,
            What::Directory | What::File { .. } | What::Link { .. } => Touch::Change,
        };
        let judged = judged(&self.checkpoints.sandbox, &path, status.as_ref().map(id_of), touch);
        judged.or_else(|reason| match reason.code {
            Code::FileProtected if task.is_protected => Ok(()),
            _ => Err(Stop::Skip(reason.message.to_string())),
        })?;
        match self.act(task, &place, status.as_ref()) {
            Err(Stop::Skip(_)) if self.open_up(task, &place) => self.act(task, &place, status.as_ref()),
            other => other,
        }
    }

    fn act(&self, task: &Task, place: &Place, status: Option<&FileStat>) -> Result<(), Stop> {
        let stop = |errno| stopped(task, errno);
        match &task.what {
            What::Remove => match status {
                Some(status) => unlink(place, status).map_err(stop),
                None => Ok(()),
            },
            What::Directory => {
                step();
                mkdirat(&place.directory, place.name.as_os_str(), Mode::S_IRWXU).map_err(stop)
            }
            What::File { hash, mode } => self.file(task, place, status, *hash, *mode),
            What::Link { target } => {
                let draft = draft_name().map_err(stop)?;
                step();
                symlinkat(target.as_path(), &place.directory, draft.as_str()).map_err(stop)?;
                publish(place, &draft).map_err(stop)
            }
            What::Mode { mode } => {
                let kind = status.map(kind_of);
                if !matches!(kind, Some(SFlag::S_IFREG | SFlag::S_IFDIR)) {
                    return Err(stopped(task, Errno::ESTALE));
                }
                let object = open_in(&place.directory, &place.name, OFlag::O_PATH).map_err(stop)?;
                set_mode(&object, *mode).map_err(stop)
            }
        }
    }

    /// Puts a kept content in the place of what is there.
    fn file(
        &self,
        task: &Task,
        place: &Place,
        old: Option<&FileStat>,
        hash: Digest,
        mode: u32,
    ) -> Result<(), Stop> {
        let stop = |errno| stopped(task, errno);
        let mut content = self.checkpoints.store.object(hash).map_err(Stop::Fail)?;
        let draft = draft_name().map_err(stop)?;
        step();
        let made =
            create_in(&place.directory, draft.as_ref(), OFlag::O_WRONLY, Mode::S_IRUSR | Mode::S_IWUSR);
        let mut file = File::from(made.map_err(stop)?);
        let filled = io::copy(&mut content, &mut file)
            .map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw));
        let filled = filled.and_then(|_| {
            if let Some(old) = old.filter(|old| kind_of(old) == SFlag::S_IFREG) {
                // Best effort: only root can give files away.
                let _ = fchown(&file, Some(Uid::from_raw(old.st_uid)), Some(Gid::from_raw(old.st_gid)));
            }
            fchmod(&file, Mode::from_bits_truncate(mode & 0o777))
        });
        let done = filled.and_then(|()| publish(place, &draft));
        if done.is_err() {
            // What cannot be removed either is found by the next comparison.
            let _ = unlinkat(&place.directory, draft.as_str(), UnlinkatFlags::NoRemoveDir);
        }
        done.map_err(stop)
    }

    fn root_mode(&self, task: &Task) -> Result<(), Stop> {
        let What::Mode { mode } = task.what else {
            return Err(Stop::Skip("it is a tree of the policy".to_owned()));
        };
        let root = self.roots.open(&task.root, &task.root, OFlag::O_PATH | OFlag::O_DIRECTORY);
        let root = root.map_err(|errno| stopped(task, errno))?;
        judged(&self.checkpoints.sandbox, &task.root, None, Touch::Metadata)
            .map_err(|reason| Stop::Skip(reason.message.to_string()))?;
        set_mode(&root, mode).map_err(|errno| stopped(task, errno))
    }

    /// Makes the directory of a path writable when it is ours and is not. The mode comes back afterwards.
    fn open_up(&mut self, task: &Task, place: &Place) -> bool {
        let Ok(status) = fstat(&place.directory) else { return false };
        let mode = status.st_mode & 0o7777;
        let is_ours = status.st_uid == nix::unistd::geteuid().as_raw();
        let parent = task.path.parent().unwrap_or(Path::new("")).to_owned();
        if !is_ours || mode & 0o300 == 0o300 || set_mode(&place.directory, mode | 0o700).is_err() {
            return false;
        }
        self.opened_up.entry((task.root.clone(), parent)).or_insert(mode);
        true
    }
}

fn absolute(task: &Task) -> PathBuf {
    if task.path.as_os_str().is_empty() { task.root.clone() } else { task.root.join(&task.path) }
}

fn not_restored(task: &Task, reason: &str) -> NotRestored {
    NotRestored { path: absolute(task), reason: reason.to_owned() }
}

fn unlink(place: &Place, status: &FileStat) -> nix::Result<()> {
    let flag = match kind_of(status) {
        SFlag::S_IFDIR => UnlinkatFlags::RemoveDir,
        _ => UnlinkatFlags::NoRemoveDir,
    };
    step();
    unlinkat(&place.directory, place.name.as_os_str(), flag)
}

/// Gives a draft its name, in the place of what has it.
fn publish(place: &Place, draft: &str) -> nix::Result<()> {
    step();
    renameat2(&place.directory, draft, &place.directory, place.name.as_os_str(), RenameFlags::empty())?;
    step();
    Ok(())
}

/// By its descriptor: the name may lead elsewhere by now.
fn set_mode(object: &OwnedFd, mode: u32) -> nix::Result<()> {
    let status = fstat(object)?;
    let is_directory = kind_of(&status) == SFlag::S_IFDIR;
    if !is_directory && (kind_of(&status) != SFlag::S_IFREG || status.st_nlink > 1) {
        return Err(Errno::ESTALE);
    }
    let mode = Mode::from_bits_truncate(if is_directory { mode } else { mode & 0o777 });
    step();
    fchmodat(AT_FDCWD, own_name(object).as_str(), mode, FchmodatFlags::FollowSymlink)
}

/// A name that is nobody else's; a draft that is left is an entry that the checkpoint does not have.
fn draft_name() -> nix::Result<String> {
    let random = crate::sys::fd::random_bytes().map_err(|_| Errno::EIO)?;
    Ok(format!(".claw-sandbox-{}", to_hex(&random)))
}

/// What an error of the system means for an undo: most concern one path alone.
fn stopped(task: &Task, errno: Errno) -> Stop {
    let path = absolute(task);
    match errno {
        Errno::ENOSPC | Errno::EDQUOT => Stop::Fail(CheckpointError::new(
            CheckpointErrorKind::NoSpace,
            format_args!(
                "the undo stopped half way: {}: the disk is full or a quota is used up; make room and run `claw-sandbox checkpoint recover`",
                path.display()
            ),
        )),
        Errno::EIO | Errno::EROFS | Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM => {
            let reason = crate::plain_io_error(&errno.into());
            Stop::Fail(CheckpointError::new(
                CheckpointErrorKind::Io,
                format_args!(
                    "the undo stopped half way: {}: {reason}; once that is over, run `claw-sandbox checkpoint recover`",
                    path.display()
                ),
            ))
        }
        Errno::ENOTEMPTY | Errno::EEXIST | Errno::EISDIR => {
            Stop::Skip("it holds what is not to be removed".to_owned())
        }
        Errno::EACCES | Errno::EPERM => Stop::Skip("the system's own permissions forbid it".to_owned()),
        Errno::EXDEV => Stop::Skip("another file system is mounted there".to_owned()),
        _ => Stop::Skip("it changed meanwhile".to_owned()),
    }
}
