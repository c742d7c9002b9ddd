//! What lies behind the shared memory of processes.
//!
//! Pages of shared memory stay when nobody maps them any more (`MADV_DONTNEED`, `munmap` of a part): they belong to an
//! object, which goes with its last mapping. The object is a file without a name on a file system that nobody sees.
//!
//! Not seen: a part of an object that was unmapped between two looks, where `/proc/PID/map_files` may not be followed
//! (it takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE); then an object is as large as what is mapped of it, or was.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use claw_policy::FileId;
use nix::sys::stat::{makedev, stat};
use nix::unistd::Pid;

use crate::opened::id_of;

/// The objects in memory that a process maps, or has open (memfd_create(2)), and how large they are.
pub(super) fn objects_of(process: Pid) -> HashMap<FileId, u64> {
    let mut objects = HashMap::new();
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
    for mapping in maps.lines().filter_map(Mapping::read) {
        let held = held(format!("/proc/{process}/map_files/{}", mapping.range).as_str());
        let (object, size) = held.unwrap_or((mapping.object, mapping.reach));
        note(&mut objects, object, size);
    }
    let links = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    for link in links.map(|link| link.path()).filter(|link| is_in_memory(link)) {
        if let Some((object, size)) = held(&link) {
            note(&mut objects, object, size);
        }
    }
    objects
}

fn note(objects: &mut HashMap<FileId, u64>, object: FileId, size: u64) {
    let known = objects.entry(object).or_default();
    *known = size.max(*known);
}

fn is_in_memory(link: &Path) -> bool {
    fs::read_link(link).is_ok_and(|name| name.as_os_str().as_encoded_bytes().starts_with(MEMFD.as_bytes()))
}

// What an object has in memory, in units of 512 bytes whatever the block size (stat(2)).
fn held(link: &(impl nix::NixPath + ?Sized)) -> Option<(FileId, u64)> {
    let status = stat(link).ok()?;
    Some((id_of(&status), u64::try_from(status.st_blocks).ok()?.saturating_mul(512)))
}

const MEMFD: &str = "/memfd:";
// Memory that was mapped with MAP_SHARED | MAP_ANONYMOUS, or from /dev/zero (shmem_zero_setup in mm/shmem.c).
const NAMELESS: &str = "/dev/zero (deleted)";

#[derive(Debug, Eq, PartialEq)]
struct Mapping<'a> {
    range: &'a str,
    object: FileId,
    // How far into the object it reaches.
    reach: u64,
}

impl<'a> Mapping<'a> {
    // A line of proc_pid_maps(5), if it is about an object in memory: range, rights, offset, device, inode, name.
    fn read(line: &'a str) -> Option<Self> {
        let mut fields = line.splitn(6, ' ');
        let (range, _rights, offset) = (fields.next()?, fields.next()?, fields.next()?);
        let (device, inode, name) = (fields.next()?, fields.next()?, fields.next()?.trim_start());
        if name != NAMELESS && !name.starts_with(MEMFD) {
            return None;
        }
        let hexadecimal = |text| u64::from_str_radix(text, 16).ok();
        let (start, end) = range.split_once('-')?;
        let length = hexadecimal(end)?.checked_sub(hexadecimal(start)?)?;
        let (major, minor) = device.split_once(':')?;
        let object =
            FileId { device: makedev(hexadecimal(major)?, hexadecimal(minor)?), inode: inode.parse().ok()? };
        Some(Self { range, object, reach: hexadecimal(offset)?.saturating_add(length) })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_line_about_an_object_in_memory_is_understood() {
        let line =
            "7f0000000000-7f0000003000 rw-s 00001000 00:01 1026                       /dev/zero (deleted)";
        let object = FileId { device: makedev(0, 1), inode: 1026 };
        let expected = Mapping { range: "7f0000000000-7f0000003000", object, reach: 0x4000 };
        assert_eq!(Mapping::read(line), Some(expected));
        for other in [
            "7f0000000000-7f0000003000 rw-p 00000000 00:05 4 /dev/zero",
            "7f0000000000-7f0000003000 rw-p 00000000 00:00 0 ",
            "7f0000000000-7f0000003000 rw-p 00000000 00:00 0",
            "x-y rw-s 0 00:01 1 /memfd:a",
            "",
        ] {
            assert_eq!(Mapping::read(other), None, "{other}");
        }
        assert!(Mapping::read("1000-3000 rw-s 0 00:01 1 /memfd:a b (deleted)").is_some());
    }

    #[test]
    fn a_file_in_memory_is_as_large_as_what_it_holds_open_once_or_twice() {
        let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
        let file = fs::File::from(nix::sys::memfd::memfd_create(c"test", flags).unwrap());
        let again = file.try_clone().unwrap();
        let id = id_of(&nix::sys::stat::fstat(&again).unwrap());
        let size = || objects_of(Pid::this()).get(&id).copied();
        assert_eq!(size(), Some(0));
        (&file).write_all(&vec![1; 8 << 20]).unwrap();
        assert_eq!(size(), Some(8 << 20));
        drop((file, again));
        assert_eq!(size(), None);
    }
}
