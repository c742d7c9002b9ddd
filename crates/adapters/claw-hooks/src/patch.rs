//! The files that a patch of Codex names (`*** Begin Patch`), for a decision before it is applied.

use claw_wire::{Bytes, File, FileAction};

/// The most files of one patch: each is decided.
const MAX_FILES: usize = 1_000;

/// What a patch would do to which files; nothing when it is not of that form or names none.
pub(crate) fn files(patch: &str) -> Option<Vec<File>> {
    let mut lines = patch.trim().lines();
    if lines.next()?.trim() != "*** Begin Patch" || patch.trim().lines().last()?.trim() != "*** End Patch" {
        return None;
    }
    let mut files: Vec<File> = Vec::new();
    for line in lines {
        // Its lines begin with a sign or a space, its headings with this. Codex takes a heading that is set in, and a path
        // with spaces around it, for the plain one.
        let Some(heading) = line.strip_prefix("*** ") else {
            if line.trim_start().starts_with("***") {
                return None;
            }
            continue;
        };
        if heading.split_once(": ").is_some_and(|(_, path)| path != path.trim() || path.is_empty()) {
            return None;
        }
        if files.len() >= MAX_FILES {
            return None;
        }
        let file = |action, path: &str| File { action, path: Bytes::from(path), to: None, recursive: false };
        match heading.split_once(": ") {
            Some(("Add File", path)) => files.push(file(FileAction::Create, path)),
            Some(("Update File", path)) => files.push(file(FileAction::Write, path)),
            Some(("Delete File", path)) => files.push(file(FileAction::Delete, path)),
            Some(("Move to", path)) => {
                let moved = files.last()?.path.clone();
                files.push(File { to: Some(Bytes::from(path)), ..file(FileAction::Rename, "") });
                files.last_mut()?.path = moved;
            }
            _ if matches!(heading.trim(), "End Patch" | "End of File") => {}
            // A heading that we do not know could name a file.
            _ => return None,
        }
    }
    (!files.is_empty()).then_some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_a_patch_names_is_found() {
        let patch = "*** Begin Patch\n*** Add File: a.txt\n+x\n*** Update File: b\n*** Move to: c\n@@\n-y\n+z\n*** Delete File: d\n*** End Patch\n";
        let found = files(patch).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|file| (file.action, String::from_utf8_lossy(&file.path.0).into_owned()))
            .collect();
        let expected = [
            (FileAction::Create, "a.txt"),
            (FileAction::Write, "b"),
            (FileAction::Rename, "b"),
            (FileAction::Delete, "d"),
        ];
        assert_eq!(shown, expected.map(|(action, path)| (action, path.to_owned())));
        assert_eq!(found[2].to, Some(Bytes::from("c")));
    }

    #[test]
    fn what_is_not_wholly_understood_is_nothing() {
        for patch in [
            "",
            "--- a\n+++ b\n",
            "*** Begin Patch\n*** End Patch",
            "*** Begin Patch\n*** Add File: a",
            "*** Begin Patch\n*** Link File: a\n*** Add File: b\n*** End Patch",
            "*** Begin Patch\n*** Move to: a\n*** End Patch",
            "*** Begin Patch\n*** Add File: a\n+y\n *** Add File: /etc/x\n+y\n*** End Patch",
            "*** Begin Patch\n*** Update File: .git/config \n@@\n+y\n*** End Patch",
            "*** Begin Patch\n***Add File: a\n+y\n*** End Patch",
        ] {
            assert_eq!(files(patch), None, "{patch}");
        }
    }
}
