//! What a run needs whatever the policy says, made while the policy is read.
//!
//! A command that is started for one run spends about as long with its policy as with its launcher. The parts of a
//! launcher that no policy changes are made meanwhile, by the launcher thread itself: it asks the kernel what it
//! offers, makes the private temporary directory and gives up its privileges. Then it waits.
#![forbid(unsafe_code)]

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::domain::give_up_privileges;
use crate::launcher::{Beginning, Launcher};
use crate::spawn::SpawnError;
use crate::temporary::{self, TemporaryDirectory};
use crate::{Error, KernelFeatures, plain_io_error};

/// The beginning of a sandbox's first launcher, for [`crate::SandboxBuilder::ahead`].
///
/// Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Ahead {
    launcher: Beginning,
    temporary: Promised,
    kernel: Option<Receiver<KernelFeatures>>,
}

// A temporary directory that the launcher thread is about to make.
#[derive(Debug)]
struct Promised(Receiver<io::Result<TemporaryDirectory>>);

impl Drop for Promised {
    fn drop(&mut self) {
        // It is removed when nobody took it. A process that ended before it is made would leave it behind.
        let _ = self.0.recv();
    }
}

impl Ahead {
    /// Begins. What signals the calling thread holds back, the launcher holds back too.
    ///
    /// # Errors
    ///
    /// When no thread can be made.
    pub fn begin() -> Result<Self, Error> {
        let (probed, kernel) = channel();
        let ahead = Self::new(Some(probed))?;
        Ok(Self { kernel: Some(kernel), ..ahead })
    }

    /// The beginning of a launcher for a kernel that is known.
    pub(crate) fn for_launcher() -> Result<Self, SpawnError> {
        Self::new(None)
    }

    fn new(probed: Option<Sender<KernelFeatures>>) -> Result<Self, SpawnError> {
        let (made, temporary) = channel();
        let first = move || {
            // Nobody wants what is sent when the other ends are gone.
            if let Some(probed) = probed {
                let _ = probed.send(KernelFeatures::probe());
            }
            let _ = made.send(TemporaryDirectory::create(&temporary::parent()));
            drop(made);
            give_up_privileges().map_err(|error| error.to_string())
        };
        let launcher = Launcher::begin(Box::new(first))?;
        Ok(Self { launcher, temporary: Promised(temporary), kernel: None })
    }

    /// What the kernel offers. To be asked once.
    pub(crate) fn kernel(&self) -> Option<KernelFeatures> {
        self.kernel.as_ref()?.recv().ok()
    }

    /// The launcher's beginning and the private temporary directory.
    pub(crate) fn into_parts(self) -> Result<(Beginning, TemporaryDirectory), SpawnError> {
        let temporary = self.temporary.0.recv().map_err(|_| SpawnError::LauncherEnded)?;
        let temporary = temporary.map_err(|error| {
            SpawnError::Temporary(temporary::parent().display().to_string(), plain_io_error(&error))
        })?;
        Ok((self.launcher, temporary))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promised_directory_that_nobody_takes_is_removed() {
        let directory = TemporaryDirectory::create(&std::env::temp_dir()).unwrap();
        let path = directory.path().to_owned();
        let (made, promised) = channel();
        made.send(Ok(directory)).unwrap();
        drop(made);
        assert!(path.exists());
        drop(Promised(promised));
        assert!(!path.exists());
    }

    #[test]
    fn the_kernel_and_a_directory_are_there_when_they_are_asked_for() {
        let ahead = Ahead::begin().unwrap();
        assert_eq!(ahead.kernel(), Some(KernelFeatures::probe()));
        let (_launcher, directory) = ahead.into_parts().unwrap();
        assert!(directory.path().is_dir());
    }
}
