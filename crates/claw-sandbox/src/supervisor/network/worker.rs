//! Threads for calls that wait.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use nix::errno::Errno;
use nix::sys::socket::{Shutdown, shutdown};

use super::socket::Socket;
use crate::sys::notify::{Answer, Listener, Notification};

// Calls of one run that wait at the same time. Each is a thread of ours.
const MOST: usize = 128;

/// The calls that wait on threads of their own.
#[derive(Debug, Default)]
pub(crate) struct Workers(Arc<Mutex<Vec<Work>>>);

#[derive(Clone, Debug)]
struct Work {
    notification: Notification,
    socket: Arc<Socket>,
}

/// Whether the caller still waits.
pub(super) type Waits<'a> = dyn Fn() -> bool + 'a;

impl Workers {
    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    /// Has a call performed and answered.
    pub(super) fn start(
        &self,
        listener: &Arc<Listener>,
        notification: &Notification,
        socket: Socket,
        perform: impl FnOnce(&Waits<'_>, &Socket) -> nix::Result<i64> + Send + 'static,
    ) -> nix::Result<()> {
        let (all, listener) = (Arc::clone(&self.0), Arc::clone(listener));
        let work = Work { notification: *notification, socket: Arc::new(socket) };
        {
            let mut works = lock(&all);
            if works.len() >= MOST {
                return Err(Errno::ENOBUFS);
            }
            works.push(work.clone());
        }
        let started = Builder::new().name("claw-network".into()).spawn(move || {
            let waits = || listener.is_waiting(&work.notification);
            // Whatever happens here, the caller gets an answer.
            let performed = catch_unwind(AssertUnwindSafe(|| perform(&waits, &work.socket)));
            let answer = match performed.unwrap_or(Err(Errno::EIO)) {
                Ok(value) => Answer::Done(value),
                Err(errno) => Answer::Fail(errno),
            };
            // Before the answer: the caller may close its socket right after, and expects its peer to see that.
            forget(&all, &work.notification);
            let notification = work.notification;
            drop(work);
            listener.answer(&notification, answer);
        });
        started.map(drop).map_err(|_| {
            forget(&self.0, notification);
            Errno::EAGAIN
        })
    }

    /// Ends the connecting of callers that have died.
    pub(crate) fn look_after(&self, listener: &Listener) {
        self.end(|work| !listener.is_waiting(&work.notification));
    }

    /// Ends all connecting.
    pub(crate) fn end_all(&self) {
        self.end(|_| true);
    }

    fn end(&self, is_over: impl Fn(&Work) -> bool) {
        for work in lock(&self.0).iter().filter(|work| is_over(work)) {
            if work.socket.is_connecting() {
                let _ = shutdown(work.socket.as_fd().as_raw_fd(), Shutdown::Both);
            }
        }
    }
}

fn forget(works: &Mutex<Vec<Work>>, notification: &Notification) {
    lock(works).retain(|work| !work.notification.is(notification));
}

fn lock(works: &Mutex<Vec<Work>>) -> std::sync::MutexGuard<'_, Vec<Work>> {
    works.lock().unwrap_or_else(PoisonError::into_inner)
}
