//! Allowances that still hold: a file that is read again is opened without being decided again.
//!
//! A decision is a function of facts. Those about the policy's own paths may be a second old in any decision, so an allowance
//! ends with them. Those about the file the open itself states again: the kernel goes through no link, and what it opens
//! is a regular file with the identity that was judged, and with one name. Nothing else went into the decision, because only
//! such files are kept. A denial is never kept.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use claw_policy::{FileGrant, FileKind, ResolvedPath};
use nix::sys::stat::SFlag;

use super::place::Object;
use crate::opened::links_of;

/// More files than a task reads again and again; a megabyte of memory.
const MOST: usize = 4096;

/// The files that may be read, by the path that was asked for.
#[derive(Debug, Default)]
pub(super) struct KnownFiles(RwLock<HashMap<Box<[u8]>, Arc<Known>>>);

/// A file that may be read.
#[derive(Debug)]
pub(super) struct Known {
    grant: FileGrant,
    path: CString,
    until: Instant,
    /// The event of the decision, where it is recorded.
    told: Option<Arc<str>>,
}

impl KnownFiles {
    /// The allowance for this very spelling, if it still holds.
    pub(super) fn get(&self, asked: &Path) -> Option<Arc<Known>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(asked.as_os_str().as_bytes()).filter(|known| Instant::now() < known.until)?;
        Some(Arc::clone(found))
    }

    /// Keeps an allowance until the facts about the policy's own paths are too old.
    pub(super) fn keep(
        &self,
        directory: &Path,
        asked: &Path,
        grant: FileGrant,
        until: Instant,
        tell: impl FnOnce(&FileGrant) -> Option<Arc<str>>,
    ) {
        let path = grant.path();
        // As bytes: what is spelled in another way was resolved in another way.
        if directory.join(asked).as_os_str() != path.real.as_os_str() || !is_plain(path) {
            return;
        }
        let Ok(path) = CString::new(path.real.as_os_str().as_bytes()) else { return };
        let told = tell(&grant);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            let now = Instant::now();
            known.retain(|_, known| now < known.until);
            if known.len() >= MOST {
                known.clear();
            }
        }
        known.insert(asked.as_os_str().as_bytes().into(), Arc::new(Known { grant, path, until, told }));
    }

    pub(super) fn forget(&self, asked: &Path) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(asked.as_os_str().as_bytes());
    }
}

impl Known {
    /// Its path, canonical.
    pub(super) fn path(&self) -> &CStr {
        &self.path
    }

    /// The event of the decision, where it is recorded.
    pub(super) fn told(&self) -> Option<&Arc<str>> {
        self.told.as_ref()
    }

    /// Whether what was opened there is what was judged.
    pub(super) fn is(&self, object: &Object) -> bool {
        self.grant.path().id == Some(object.id())
            && object.kind() == SFlag::S_IFREG
            && links_of(&object.status) == 1
    }
}

/// Whether an open through no link tells all that was known of it.
fn is_plain(path: &ResolvedPath) -> bool {
    let ResolvedPath { real: _, visited, kind, id, aliases, outside_names, mount_point } = path;
    *kind == FileKind::File
        && id.is_some()
        && visited.is_empty()
        && aliases.is_empty()
        && !outside_names
        && !mount_point
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;
    use crate::{FileErrorKind, Files, Sandbox, policy_from_yaml};

    struct Scene {
        directory: tempfile::TempDir,
        files: Files,
    }

    impl Scene {
        fn new(logging: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path().canonicalize().unwrap();
            fs::create_dir_all(root.join("work/a")).unwrap();
            fs::create_dir(root.join("outside")).unwrap();
            fs::write(root.join("outside/f"), "SECRET").unwrap();
            fs::write(root.join("work/a/f"), "one").unwrap();
            let text = format!("workspace: {}\n{logging}", root.join("work").display());
            let policy = policy_from_yaml(&text, root.join("work")).unwrap();
            Self { directory, files: Sandbox::new(policy).unwrap().files() }
        }

        fn at(&self, name: &str) -> PathBuf {
            self.directory.path().canonicalize().unwrap().join(name)
        }
    }

    /// What was kept for a path, whether it holds or not.
    fn kept(files: &Files, asked: &Path) -> Option<Arc<Known>> {
        files.known.0.read().unwrap().get(asked.as_os_str().as_bytes()).cloned()
    }

    #[test]
    fn whatever_becomes_of_a_known_file_it_is_read_as_if_it_were_asked_for_the_first_time() {
        type Change = fn(&Scene) -> std::io::Result<()>;
        let changes: [(&str, Change, Result<&str, FileErrorKind>); 11] = [
            ("nothing", |_| Ok(()), Ok("one")),
            ("other content", |scene| fs::write(scene.at("work/a/f"), "two"), Ok("two")),
            (
                "another file",
                |scene| {
                    fs::write(scene.at("work/g"), "three")?;
                    fs::rename(scene.at("work/g"), scene.at("work/a/f"))
                },
                Ok("three"),
            ),
            (
                "a link to outside",
                |scene| {
                    fs::remove_file(scene.at("work/a/f"))?;
                    symlink(scene.at("outside/f"), scene.at("work/a/f"))
                },
                Err(FileErrorKind::Denied),
            ),
            (
                "a name of a file outside",
                |scene| {
                    fs::remove_file(scene.at("work/a/f"))?;
                    fs::hard_link(scene.at("outside/f"), scene.at("work/a/f"))
                },
                Err(FileErrorKind::Denied),
            ),
            (
                "a second name outside",
                |scene| fs::hard_link(scene.at("work/a/f"), scene.at("outside/g")),
                Err(FileErrorKind::Denied),
            ),
            (
                "a link on the way",
                |scene| {
                    fs::rename(scene.at("work/a"), scene.at("work/b"))?;
                    symlink(scene.at("outside"), scene.at("work/a"))
                },
                Err(FileErrorKind::Denied),
            ),
            (
                "a link on the way to the same file",
                |scene| {
                    fs::rename(scene.at("work/a"), scene.at("outside/a"))?;
                    symlink(scene.at("outside/a"), scene.at("work/a"))
                },
                Err(FileErrorKind::Denied),
            ),
            ("nothing there", |scene| fs::remove_file(scene.at("work/a/f")), Err(FileErrorKind::NotFound)),
            (
                "a directory",
                |scene| {
                    fs::remove_file(scene.at("work/a/f"))?;
                    fs::create_dir(scene.at("work/a/f"))
                },
                Err(FileErrorKind::IsDirectory),
            ),
            (
                "a FIFO",
                |scene| {
                    fs::remove_file(scene.at("work/a/f"))?;
                    Ok(nix::unistd::mkfifo(&scene.at("work/a/f"), nix::sys::stat::Mode::S_IRWXU)?)
                },
                Err(FileErrorKind::Denied),
            ),
        ];
        for (what, change, expected) in changes {
            for asked in ["a/f".into(), PathBuf::from("/absolute")] {
                let scene = Scene::new("");
                let asked = if asked.is_absolute() { scene.at("work/a/f") } else { asked };
                assert_eq!(scene.files.read(&asked).unwrap(), b"one");
                assert!(kept(&scene.files, &asked).is_some(), "it is known");
                change(&scene).unwrap();
                let read = scene.files.read(&asked).map_err(|error| error.kind());
                let first = scene.files.sandbox.files().read(&asked).map_err(|error| error.kind());
                assert_eq!(read, first, "{what}");
                assert_eq!(read, expected.map(|text| text.as_bytes().to_vec()), "{what}");
            }
        }
    }

    #[test]
    fn a_known_file_is_recorded_in_the_same_words_as_at_first() {
        let own = tempfile::tempdir().unwrap();
        let log = own.path().canonicalize().unwrap().join("log");
        let scene = Scene::new(&format!("logging: {{ auditFileAccess: true, logFile: {} }}", log.display()));
        let large = "x".repeat(100_000);
        for content in ["one", &large] {
            fs::write(scene.at("work/a/f"), content).unwrap();
            for _ in 0..2 {
                assert_eq!(scene.files.read("a/f").unwrap(), content.as_bytes());
            }
        }
        for _ in 0..2 {
            scene.files.open("a/f").unwrap();
        }
        scene.files.known.forget(Path::new("a/f"));
        let bound = crate::FileLimits { bytes: 10, ..Default::default() };
        let bounded = scene.files.clone().limits(bound);
        scene.files.open("a/f").unwrap();
        assert_eq!(bounded.read("a/f").unwrap_err().kind(), FileErrorKind::TooLarge);
        scene.files.known.forget(Path::new("a/f"));
        assert_eq!(bounded.read("a/f").unwrap_err().kind(), FileErrorKind::TooLarge);
        drop((bounded, scene));
        let text = fs::read_to_string(&log).unwrap();
        let plain = |line: &str| {
            let mut event: serde_json::Value = serde_json::from_str(line).unwrap();
            let fields = event.as_object_mut().unwrap();
            let _ = ["seq", "time", "prev", "hash", "id"].map(|name| fields.remove(name));
            serde_json::to_string(&event).unwrap()
        };
        let events: Vec<String> = text.lines().skip(1).map(plain).collect();
        assert_eq!(events.len(), 18, "{text}");
        for (number, first) in [(2, 0), (6, 4), (10, 8), (14, 16)] {
            assert_eq!(events[number..number + 2], events[first..first + 2], "{number}");
        }
        let ids: Vec<_> = text
            .lines()
            .skip(1)
            .map(|line| line.split("\"id\":\"").nth(1).unwrap().get(..32).unwrap())
            .collect();
        assert!(ids.chunks(2).all(|pair| pair[0] == pair[1]), "{text}");
        let unique: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), 9);
    }

    #[test]
    fn only_what_an_open_tells_all_about_is_known() {
        let scene = Scene::new("");
        symlink("f", scene.at("work/a/link")).unwrap();
        symlink("a", scene.at("work/l")).unwrap();
        fs::write(scene.at("work/a/two"), "").unwrap();
        fs::hard_link(scene.at("work/a/two"), scene.at("work/a/names")).unwrap();
        let cases = [
            ("a/f", true),
            ("./a/f", false),
            ("a//f", false),
            ("a/../a/f", false),
            ("a/link", false),
            ("l/f", false),
        ];
        for (asked, is_known) in cases.into_iter().chain([("a/two", false)]) {
            let asked = Path::new(asked);
            scene.files.read(asked).unwrap();
            assert_eq!(kept(&scene.files, asked).is_some(), is_known, "{asked:?}");
        }
        assert!(scene.files.read("../outside/f").is_err());
        assert!(kept(&scene.files, Path::new("../outside/f")).is_none());
        let elsewhere = scene.files.clone().in_directory(scene.at("work/a"));
        assert_eq!(elsewhere.read("f").unwrap(), b"one");
        assert!(elsewhere.read("a/f").is_err(), "a path is relative to the directory of its own");
    }

    #[test]
    fn what_is_known_ends_with_the_facts_and_is_bounded() {
        let scene = Scene::new("");
        let asked = Path::new("a/f");
        scene.files.read(asked).unwrap();
        let known = kept(&scene.files, asked).unwrap();
        let (directory, now) = (scene.at("work"), Instant::now());
        assert!(known.until <= now + std::time::Duration::from_secs(1));
        let own = KnownFiles::default();
        for (until, holds) in [(now, false), (now + std::time::Duration::from_secs(3600), true)] {
            own.keep(&directory, asked, known.grant.clone(), until, |_| None);
            assert_eq!(own.get(asked).is_some(), holds);
        }
        for (live, left) in [(MOST, 1), (10, 11)] {
            let mut all = own.0.write().unwrap();
            for number in 0..MOST - all.len() {
                let other = number.to_le_bytes();
                let until = if number < live { now + std::time::Duration::from_secs(3600) } else { now };
                let (grant, path) = (known.grant.clone(), known.path.clone());
                all.insert(other.into(), Arc::new(Known { grant, path, until, told: None }));
            }
            drop(all);
            own.keep(&directory, asked, known.grant.clone(), now, |_| None);
            assert_eq!(own.0.read().unwrap().len(), left);
        }
    }
}
