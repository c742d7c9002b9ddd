//! Gives up old checkpoints, and the contents that no checkpoint names any more.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fs;

use serde_json::json;

use super::digest::Digest;
use super::manifest::State;
use super::record::Act;
use super::store::Locked;
use super::{CheckpointError, Checkpoints};

/// What was given up.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Pruned {
    /// The checkpoints.
    pub checkpoints: Vec<u64>,
    /// How many contents.
    pub contents: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Checkpoints {
    /// Gives up the checkpoints that are too old, too many or too large together, the oldest first. The newest stays.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written.
    pub fn prune(&self) -> Result<Pruned, CheckpointError> {
        let locked = self.store.lock()?;
        let spared: Vec<u64> = locked.interrupted()?.into_iter().collect();
        self.recorded(
            "prune",
            None,
            |act| self.pruned(&locked, act, &spared),
            |pruned| {
                vec![
                    ("checkpoints", json!(pruned.checkpoints)),
                    ("contents", json!(pruned.contents)),
                    ("bytes", json!(pruned.bytes)),
                ]
            },
        )
    }

    /// Prunes unless all is within the limits at first sight.
    pub(super) fn prune_when_needed(
        &self,
        locked: &Locked<'_>,
        act: &Act,
        spared: &[u64],
    ) -> Result<(), CheckpointError> {
        let ids = self.store.ids()?;
        let is_old = match ids.first() {
            Some(id) => self.is_old(self.store.manifest(*id)?.header.started),
            None => false,
        };
        if ids.len() > self.limits.count || is_old || self.size()? > self.limits.total_bytes {
            self.pruned(locked, act, spared)?;
        }
        Ok(())
    }

    fn pruned(&self, locked: &Locked<'_>, act: &Act, spared: &[u64]) -> Result<Pruned, CheckpointError> {
        let mut named = HashMap::new();
        let (mut bytes, mut kept) = (0, 0);
        let mut given_up = Vec::new();
        let ids = self.store.ids()?;
        let newest = ids.last().copied();
        for id in ids.into_iter().rev() {
            let mut manifest = self.store.manifest(id)?;
            let is_spared = Some(id) == newest || spared.contains(&id);
            let is_old = self.is_old(manifest.header.started) || kept >= self.limits.count;
            if !is_spared && is_old {
                given_up.push(id);
                continue;
            }
            let mut own = HashMap::new();
            while let Some((_, _, state, _)) = manifest.take()? {
                if let State::File { hash, size, .. } = state
                    && !named.contains_key(&hash)
                {
                    own.insert(hash, size);
                }
            }
            let size: u64 = own.values().sum();
            if !is_spared && bytes + size > self.limits.total_bytes {
                given_up.push(id);
                continue;
            }
            (bytes, kept) = (bytes + size, kept + 1);
            named.extend(own);
        }
        given_up.reverse();
        self.record_given_up(act, &given_up)?;
        for id in given_up.iter().rev() {
            locked.remove(&self.store.manifest_path(*id))?;
        }
        let (contents, bytes) = self.swept(locked, &named)?;
        Ok(Pruned { checkpoints: given_up, contents, bytes })
    }

    /// Removes contents that no checkpoint names.
    pub(super) fn sweep(&self, locked: &Locked<'_>) -> Result<(), CheckpointError> {
        let mut named = HashMap::new();
        for id in self.store.ids()? {
            let mut manifest = self.store.manifest(id)?;
            while let Some((_, _, state, _)) = manifest.take()? {
                if let State::File { hash, size, .. } = state {
                    named.insert(hash, size);
                }
            }
        }
        self.swept(locked, &named).map(drop)
    }

    fn swept(
        &self,
        locked: &Locked<'_>,
        named: &HashMap<Digest, u64>,
    ) -> Result<(u64, u64), CheckpointError> {
        let (mut contents, mut bytes) = (0, 0);
        for path in self.store.objects()? {
            let name = |path: &std::path::Path| Some(path.file_name()?.to_str()?.to_owned());
            let digest = path.parent().and_then(name).zip(name(&path));
            let digest = digest.and_then(|(first, rest)| Digest::parse(&format!("{first}{rest}")));
            if digest.is_some_and(|digest| named.contains_key(&digest)) {
                continue;
            }
            bytes += fs::symlink_metadata(&path).map_or(0, |found| found.len());
            contents += 1;
            locked.remove(&path)?;
        }
        Ok((contents, bytes))
    }

    fn size(&self) -> Result<u64, CheckpointError> {
        let sizes = self.store.objects()?;
        Ok(sizes.iter().filter_map(|path| fs::symlink_metadata(path).ok()).map(|found| found.len()).sum())
    }

    fn is_old(&self, started: i64) -> bool {
        let age = jiff::Timestamp::now().as_second().saturating_sub(started);
        u64::try_from(age).is_ok_and(|age| age > self.limits.age.as_secs())
    }
}
