//! AF_UNIX sockets with a path: those in trees that the run may write are open.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use claw_policy::{Access, Confinement, Root};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{UnixAddr, bind, connect};
use nix::sys::stat::{SFlag, fstat, umask};
use nix::unistd::fchdir;

use super::super::process::path_of;
use super::super::record::shown;
use super::socket::Socket;
use super::{Call, Progress, Supervisor};
use crate::landlock::PreparedRuleset;
use crate::opened::{kind_of, own_name};
use crate::ruleset::RulesetPlan;
use crate::sys::caps;

/// Where a run may make AF_UNIX sockets and connect to them: nowhere by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct SocketPlaces {
    confinement: Option<Arc<Confinement>>,
    temporary: Option<Arc<Path>>,
}

impl SocketPlaces {
    /// The writable trees of a confinement, and its private temporary directory.
    pub(crate) fn of(confinement: &Arc<Confinement>, temporary: Option<&Path>) -> Self {
        Self { confinement: Some(Arc::clone(confinement)), temporary: temporary.map(Arc::from) }
    }

    /// Whether sockets may be bound to names that are no files.
    pub(super) fn may_be_abstract(&self) -> bool {
        self.confinement.as_ref().is_some_and(|confinement| confinement.network.is_empty())
    }

    fn trees(&self) -> impl Iterator<Item = &Root> {
        let roots = self.confinement.iter().flat_map(|confinement| &confinement.roots);
        roots.filter(|root| root.access == Access::Write)
    }

    fn hold(&self, path: &Path) -> bool {
        let is_closed = self.trees().flat_map(|root| &root.except).any(|closed| path.starts_with(closed));
        let mut open = self.trees().map(|root| &*root.path).chain(self.temporary.as_deref());
        !is_closed && open.any(|tree| path.starts_with(tree))
    }

    // The same in the kernel's terms, for making them.
    fn plan(&self) -> RulesetPlan {
        RulesetPlan::of_sockets(self.trees().filter(|root| root.path.is_dir()), self.temporary.as_deref())
    }
}

impl Supervisor<'_> {
    pub(super) fn connect_unix(&self, call: &Call<'_>, socket: Socket, path: &[u8]) -> nix::Result<Progress> {
        let cwd = call.process.directory()?;
        // The kernel does not follow magic links out of /proc here: they would be ours.
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let file = openat2(cwd.as_fd(), OsStr::from_bytes(path), how)?;
        if kind_of(&fstat(&file)?) != SFlag::S_IFSOCK {
            return Err(Errno::ECONNREFUSED);
        }
        let real = path_of(&file).ok_or(Errno::EACCES)?;
        if !call.watch.sockets.hold(&real) {
            let message = format!("denied: the socket `{}` is not in a writable tree", shown(&real));
            return self.deny(call, &message, Errno::EACCES);
        }
        self.still(call)?;
        self.hand_over(call, socket, move |socket| {
            give_up_privileges()?;
            // The opened file itself, whatever its path leads to by now.
            connect(socket.as_fd().as_raw_fd(), &UnixAddr::new(own_name(&file).as_str())?)
        })
    }

    pub(super) fn bind_unix(&self, call: &Call<'_>, socket: Socket, path: &[u8]) -> nix::Result<Progress> {
        if self.hands.is_some() {
            let socket = Arc::new(socket.into_file());
            return self.bind_in_tree(call.notification, call.process, socket, path).map(Progress::Done);
        }
        let (cwd, mask) = (call.process.directory()?, call.process.umask()?);
        let plan = call.watch.sockets.plan();
        let path = path.to_vec();
        self.still(call)?;
        // The path is looked up by the kernel while it makes the socket, so the kernel has to judge it: the thread
        // may make sockets where the run may.
        self.hand_over(call, socket, move |socket| {
            unshare(CloneFlags::CLONE_FS)?;
            fchdir(&cwd)?;
            umask(mask);
            give_up_privileges()?;
            let ruleset = PreparedRuleset::build(&plan).map_err(|_| Errno::EACCES)?;
            ruleset.restrict_current_thread().map_err(|_| Errno::EACCES)?;
            bind(socket.as_fd().as_raw_fd(), &UnixAddr::new(path.as_slice())?)
        })
    }
}

/// Binds a socket to a name that is no file; without one the kernel chooses it.
pub(super) fn bind_abstract(socket: &Socket, name: Option<&[u8]>) -> nix::Result<()> {
    let address = name.map_or_else(|| Ok(UnixAddr::new_unnamed()), UnixAddr::new_abstract)?;
    bind(socket.as_fd().as_raw_fd(), &address)
}

// The run has no capability, so nothing is done for it with one.
pub(super) fn give_up_privileges() -> nix::Result<()> {
    caps::set_no_new_privileges()?;
    caps::drop_all()
}
