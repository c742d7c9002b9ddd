//! Races: 2,000 tries each at a path that somebody outside exchanges all the time, and at one that another thread
//! changes in memory between the look at it and its use.
//!
//! What must not be reached lies inside of the workspace where Landlock alone would let it be written, or is metadata,
//! which it does not cover: only the broker stands there. Some tries have to succeed, on what may be changed, or
//! there was no race.

use std::fs;
use std::os::unix::fs::symlink;

use claw_testkit::scene::{ORIGINAL, Scene};

use crate::attack::{attacks, hostile};
use crate::evidence::Evidence::After;
use crate::harness::Ran;

/// Somebody outside, with all rights, exchanges a link to one's own for one to what is protected.
const EXCHANGED: &[&str] = &[
    "sh",
    "-c",
    "{attack} exchange {ws}/link {ws}/other & flipper=$!; \"$@\"; status=$?; kill $flipper; wait $flipper 2> /dev/null; exit $status",
    "sh",
];

attacks! { "race";
    write_through_a_link => hostile(&["race-path", "write", "{ws}/link", "2000"]).within(EXCHANGED).after(links).shows(After(config_changed));
    truncate_through_a_link => hostile(&["race-path", "truncate", "{ws}/link", "2000"]).within(EXCHANGED).after(links).shows(After(config_changed));
    write_through_a_directory_link => hostile(&["race-path", "write", "{ws}/link/config", "2000"]).within(EXCHANGED).after(directories).shows(After(config_changed));
    make_through_a_directory_link => hostile(&["race-path", "make", "{ws}/link/hooks/pre-commit", "2000"]).within(EXCHANGED).after(directories).shows(After(hook_made));
    delete_through_a_directory_link => hostile(&["race-path", "delete", "{ws}/link/config", "2000"]).within(EXCHANGED).after(directories).shows(After(config_changed));
    mode_through_a_link => hostile(&["race-path", "chmod", "{ws}/link", "2000"]).within(EXCHANGED).after(outside).shows(After(outside_mode));
    times_through_a_link => hostile(&["race-path", "times", "{ws}/link", "2000"]).within(EXCHANGED).after(outside).shows(After(outside_times));
    write_what_memory_names => hostile(&["race-memory", "write", "{ws}/.gat/config", "{ws}/.git/config", "2000"]).after(twins).shows(After(config_changed));
    truncate_what_memory_names => hostile(&["race-memory", "truncate", "{ws}/.gat/config", "{ws}/.git/config", "2000"]).after(twins).shows(After(config_changed));
    make_what_memory_names => hostile(&["race-memory", "make", "{ws}/.gat/hooks/pre-commit", "{ws}/.git/hooks/pre-commit", "2000"]).after(twins).shows(After(hook_made));
    bind_where_memory_names => hostile(&["race-memory", "bind", "{ws}/.gat/hooks/pre-commit", "{ws}/.git/hooks/pre-commit", "2000"]).after(twins).shows(After(hook_made));
    mode_of_what_memory_names => hostile(&["race-memory", "chmod", "{root}/ws/kept", "{root}/ro/kept", "2000"]).after(twins).shows(After(read_only_mode));
    times_of_what_memory_names => hostile(&["race-memory", "times", "{root}/ws/kept", "{root}/ro/kept", "2000"]).after(twins).shows(After(read_only_times));
}

fn links(scene: &mut Scene) {
    twins(scene);
    symlink("own", scene.path("ws/link")).unwrap();
    symlink(".git/config", scene.path("ws/other")).unwrap();
}

fn directories(scene: &mut Scene) {
    twins(scene);
    symlink(".gat", scene.path("ws/link")).unwrap();
    symlink(".git", scene.path("ws/other")).unwrap();
}

fn outside(scene: &mut Scene) {
    symlink("own", scene.path("ws/link")).unwrap();
    symlink(scene.path("out/kept"), scene.path("ws/other")).unwrap();
}

/// What is protected, and the same under a name that is not.
fn twins(scene: &mut Scene) {
    for directory in [".git", ".gat"] {
        scene.write(format!("ws/{directory}/config"), ORIGINAL);
        scene.write(format!("ws/{directory}/HEAD"), "ref: refs/heads/main\n");
        for inside in ["hooks", "objects", "refs"] {
            fs::create_dir(scene.path(format!("ws/{directory}/{inside}"))).unwrap();
        }
    }
    fs::remove_file(scene.path("ws/.gat/HEAD")).unwrap();
    scene.write("ws/kept", ORIGINAL);
}

/// That there was a race: the attack is done, and some of its tries came through.
fn raced(ran: &Ran) {
    let said = String::from_utf8_lossy(&ran.stdout);
    let made: Option<u32> = said.lines().find_map(|line| line.strip_prefix("made ")?.parse().ok());
    assert!(made.is_some_and(|made| made > 0), "no try came through: {ran:?}");
}

fn config_changed(scene: &Scene, ran: &Ran) -> bool {
    raced(ran);
    fs::read(scene.path("ws/.git/config")).ok().as_deref() != Some(ORIGINAL.as_bytes())
}

fn hook_made(scene: &Scene, ran: &Ran) -> bool {
    raced(ran);
    scene.path("ws/.git/hooks/pre-commit").exists()
}

fn outside_mode(scene: &Scene, ran: &Ran) -> bool {
    raced(ran);
    crate::evidence::Evidence::Mode("{out}/kept").afterwards(scene, ran)
}

fn outside_times(scene: &Scene, ran: &Ran) -> bool {
    raced(ran);
    crate::evidence::Evidence::Old("{out}/kept").afterwards(scene, ran)
}

fn read_only_mode(scene: &Scene, ran: &Ran) -> bool {
    raced(ran);
    crate::evidence::Evidence::Mode("{ro}/kept").afterwards(scene, ran)
}

fn read_only_times(scene: &Scene, ran: &Ran) -> bool {
    raced(ran);
    crate::evidence::Evidence::Old("{ro}/kept").afterwards(scene, ran)
}
