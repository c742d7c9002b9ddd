//! The roots that all layers together leave.

use std::path::{Path, PathBuf};

use super::super::file::PLAIN_DEVICES;
use super::super::ground::{Ground, GroundRoot};
use crate::{Access, FileKind, Root};

/// The roots of the layers, each with what every layer allows there.
pub(super) fn of_layers(ground: &Ground) -> Vec<Root> {
    let mut roots: Vec<Root> = Vec::new();
    for candidate in ground.roots() {
        if roots.iter().any(|known| known.path == candidate.real) {
            continue;
        }
        if let Some(access) = access(ground, &candidate.real) {
            roots.push(Root {
                path: candidate.real.clone(),
                access,
                execute: ground.execution_root(&candidate.real).is_some(),
                required: access == Access::Write,
                except: Vec::new(),
            });
        }
    }
    roots.sort_by(|left, right| left.path.cmp(&right.path));
    roots
}

/// What every layer allows at a canonical path. A layer that narrows grants nothing by itself.
fn access(ground: &Ground, path: &Path) -> Option<Access> {
    let mut least = Access::Write;
    let mut granted = false;
    for layer in &ground.layers {
        match layer.root_of(path) {
            Some(root) => {
                least = least.min(root.access);
                granted |= !layer.narrows;
            }
            None if layer.narrows => {}
            None => return None,
        }
    }
    granted.then_some(least)
}

/// The system profile: readable by commands, and the devices that every program may use.
pub(super) fn of_system(ground: &Ground) -> Vec<Root> {
    let profile = ground.system.iter().filter(|root| root.kind != FileKind::Missing).map(system_root);
    let mut roots: Vec<Root> = profile.collect();
    for device in PLAIN_DEVICES.into_iter().chain(["/dev/tty"]).map(PathBuf::from) {
        if !roots.iter().any(|root| root.access == Access::Write && root.path == device) {
            roots.push(Root {
                path: device,
                access: Access::Write,
                execute: false,
                required: false,
                except: Vec::new(),
            });
        }
    }
    roots
}

fn system_root(root: &GroundRoot) -> Root {
    Root {
        path: root.real.clone(),
        access: root.access,
        execute: root.execute,
        required: false,
        except: Vec::new(),
    }
}

/// The trees that a run may write to.
pub(super) fn writable(roots: &[Root]) -> Vec<PathBuf> {
    let writable = roots.iter().filter(|root| root.access == Access::Write);
    writable.map(|root| root.path.clone()).collect()
}
