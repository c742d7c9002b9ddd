//! What shows, outside of the sandbox, that an attack has succeeded.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, UNIX_EPOCH};

use claw_testkit::scene::{ORIGINAL, Scene};

use crate::harness::Ran;

/// The evidence. Paths are filled in by the scene.
#[derive(Clone, Copy)]
pub(crate) enum Evidence {
    /// A case without evidence is a mistake; its control fails.
    Never,
    /// The file is not what it was, or is gone.
    Changed(&'static str),
    Exists(&'static str),
    Gone(&'static str),
    /// The file's mode is not 640 any more.
    Mode(&'static str),
    /// The file's time of modification is before 2001: attacks set one then.
    Old(&'static str),
    /// The file belongs to somebody else.
    Owner(&'static str),
    /// The secret is in the workspace or was said.
    Loot,
    /// The attack said this.
    Said(&'static str),
    /// Somebody outside was connected to, or got a datagram.
    Heard,
    /// The process outside was signalled or ended.
    Signalled,
    /// Whatever holds after the attack.
    After(fn(&Scene, &Ran) -> bool),
    /// Whatever holds while the attack waits.
    Held(fn(&Scene) -> bool),
}

impl Evidence {
    pub(crate) const fn needs_waiting(&self) -> bool {
        matches!(self, Self::Held(_))
    }

    pub(crate) fn while_waiting(&self, scene: &Scene) -> bool {
        matches!(self, Self::Held(holds) if holds(scene))
    }

    pub(crate) fn afterwards(&self, scene: &Scene, ran: &Ran) -> bool {
        let path = |text: &str| scene.fill(text);
        let metadata = |text: &str| fs::symlink_metadata(path(text));
        match self {
            Self::Never | Self::Held(_) => false,
            Self::Changed(file) => fs::read(path(file)).ok().as_deref() != Some(ORIGINAL.as_bytes()),
            Self::Exists(file) => metadata(file).is_ok(),
            Self::Gone(file) => metadata(file).is_err(),
            Self::Mode(file) => metadata(file).unwrap().permissions().mode() & 0o7777 != 0o640,
            Self::Old(file) => {
                let year_2001 = UNIX_EPOCH + Duration::from_secs(978_307_200);
                metadata(file).unwrap().modified().unwrap() < year_2001
            }
            Self::Owner(file) => {
                let ours = fs::metadata(scene.path("ws")).unwrap();
                let theirs = metadata(file).unwrap();
                (theirs.uid(), theirs.gid()) != (ours.uid(), ours.gid())
            }
            Self::Loot => scene.is_out(&ran.stdout),
            Self::Said(text) => String::from_utf8_lossy(&ran.stdout).contains(&scene.fill(text)),
            Self::Heard => scene.heard() > 0,
            Self::Signalled => scene.victim().was_signalled(scene),
            Self::After(holds) => holds(scene, ran),
        }
    }
}
