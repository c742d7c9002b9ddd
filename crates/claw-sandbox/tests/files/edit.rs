//! Edits and patches: all of them, or nothing.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use claw_sandbox::{FileErrorKind, FileLimits, Patched, Replacement};
use proptest::prelude::*;

use crate::scene::{Scene, kind};

#[test]
fn several_replacements_are_made_in_order_with_a_diff() {
    let scene = Scene::new();
    let path = scene.write("work/a.txt", "one\ntwo\nthree\ntwo\n");
    let files = scene.files();
    let edited = files
        .edit(
            "a.txt",
            &[
                Replacement::one("one", "1"),
                Replacement { old: "two".into(), new: "2".into(), all: true },
                Replacement::one("1\n2", "first"),
            ],
        )
        .unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "first\nthree\n2\n");
    assert_eq!(edited.replaced, 4);
    assert_eq!(
        edited.diff,
        "--- a/a.txt\n+++ b/a.txt\n@@ -1,4 +1,3 @@\n-one\n-two\n+first\n three\n-two\n+2\n"
    );
}

#[test]
fn an_edit_that_does_not_fit_exactly_once_changes_nothing() {
    let scene = Scene::new();
    let path = scene.write("work/a.txt", "one two two");
    let files = scene.files();
    for (replacements, expected) in [
        (vec![Replacement::one("one", "1"), Replacement::one("four", "4")], FileErrorKind::NoMatch),
        (vec![Replacement::one("one", "1"), Replacement::one("two", "2")], FileErrorKind::ManyMatches),
        (vec![Replacement::one("one", "1"), Replacement::one("one", "1")], FileErrorKind::NoMatch),
        (vec![Replacement::one("", "1")], FileErrorKind::Invalid),
    ] {
        assert_eq!(kind(files.edit("a.txt", &replacements)), expected);
        assert_eq!(fs::read(&path).unwrap(), b"one two two");
    }
    assert_eq!(kind(files.edit("missing", &[Replacement::one("a", "b")])), FileErrorKind::NotFound);
    assert_eq!(kind(files.edit(".", &[Replacement::one("a", "b")])), FileErrorKind::IsDirectory);
}

#[test]
fn the_ends_of_lines_stay_what_they_are() {
    let scene = Scene::new();
    let path = scene.write("work/dos.txt", "one\r\ntwo\r\n");
    let files = scene.files();
    files.edit("dos.txt", &[Replacement::one("one\ntwo", "1\n2\n3")]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"1\r\n2\r\n3\r\n");
    files.edit("dos.txt", &[Replacement::one("1\r\n", b"\xe9\n".to_vec())]).unwrap();
    files.patch(b"--- a/dos.txt\n+++ b/dos.txt\n@@ -2,2 +2,2 @@\n 2\n-3\n+drei\n").unwrap();
    assert!(fs::read(&path).unwrap().ends_with(b"2\r\ndrei\r\n"));
}

#[test]
fn a_patch_makes_changes_and_removes_files() {
    let scene = Scene::new();
    scene.write("work/old.txt", "a\nb\n");
    scene.write("work/gone.txt", "x\n");
    let files = scene.files();
    let patch = b"From somebody\n\ndiff --git a/old.txt b/old.txt\nindex 1..2 100644\n--- a/old.txt\n+++ b/old.txt\n@@ -1,2 +1,2 @@ context\n a\n-b\n+c\n\\ No newline at end of file\n--- /dev/null\n+++ b/new.txt\t2026-01-01\n@@ -0,0 +1,2 @@\n+n\n+m\n--- a/gone.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n";
    let done = files.patch(patch).unwrap();
    let [old, new, gone] = ["old.txt", "new.txt", "gone.txt"].map(PathBuf::from);
    assert_eq!(done, [Patched::Changed(old), Patched::Created(new), Patched::Removed(gone)]);
    assert_eq!(fs::read(scene.path("work/old.txt")).unwrap(), b"a\nc");
    assert_eq!(fs::read(scene.path("work/new.txt")).unwrap(), b"n\nm\n");
    assert!(!scene.path("work/gone.txt").exists());
}

#[test]
fn a_patch_that_does_not_fit_everywhere_changes_nothing() {
    let scene = Scene::new();
    let path = scene.write("work/a.txt", "a\nb\n");
    scene.write("work/.git/config", "x\n");
    let files = scene.files();
    let good = "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n";
    for (bad, expected) in [
        ("--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-q\n+r\n", FileErrorKind::PatchConflict),
        ("--- a/missing\n+++ b/missing\n@@ -1 +1 @@\n-q\n+r\n", FileErrorKind::NotFound),
        ("--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1 @@\n+r\n", FileErrorKind::Exists),
        ("--- a/a.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", FileErrorKind::PatchConflict),
        ("--- a/a.txt\n+++ b/b.txt\n@@ -1 +1 @@\n-a\n+b\n", FileErrorKind::Invalid),
        ("--- a/a.txt\n+++ b/a.txt\n@@ -1,9 +1 @@\n-a\n+b\n", FileErrorKind::Invalid),
        (
            "--- a/../outside/secret\n+++ b/../outside/secret\n@@ -1 +1 @@\n-SECRET\n+r\n",
            FileErrorKind::Denied,
        ),
        // Written after the good part: that is taken back.
        ("--- a/.git/config\n+++ b/.git/config\n@@ -1 +1 @@\n-x\n+r\n", FileErrorKind::Denied),
    ] {
        assert_eq!(kind(files.patch(format!("{good}{bad}").as_bytes())), expected, "{bad}");
        assert_eq!(fs::read(&path).unwrap(), b"a\nb\n", "{bad}");
    }
    assert_eq!(kind(files.patch(b"no patch")), FileErrorKind::Invalid);
    assert_eq!(kind(files.patch(b"@@ -1 +1 @@\n-a\n+b\n")), FileErrorKind::Invalid);
}

#[test]
fn a_hunk_that_moved_fits_where_it_is_nearest() {
    let scene = Scene::new();
    let path = scene.write("work/a.txt", "x\nx\n1\nb\n2\nb\n");
    scene.files().patch(b"--- a/a.txt\n+++ b/a.txt\n@@ -5 +5 @@\n-b\n+c\n").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"x\nx\n1\nc\n2\nb\n");
}

#[test]
fn what_would_grow_beyond_the_limit_is_refused_before_it_is_made() {
    let scene = Scene::new();
    let path = scene.write("work/a.txt", "a".repeat(1 << 20));
    let all = Replacement { old: "a".into(), new: "b".repeat(1 << 20).into(), all: true };
    assert_eq!(kind(scene.files().edit("a.txt", &[all])), FileErrorKind::TooLarge);
    assert_eq!(fs::read(path).unwrap().len(), 1 << 20);
}

#[test]
fn numbers_in_a_patch_may_be_any_size() {
    let scene = Scene::new();
    let path = scene.write("work/f", "a\nb\n");
    for number in ["1000000000000000000", "18446744073709551615", "18446744073709551616", "0"] {
        for count in ["0", "1", "2", "18446744073709551615"] {
            let patch = format!("--- a/f\n+++ b/f\n@@ -{number},{count} +1,1 @@\n-x\n+y\n");
            assert!(scene.files().patch(patch.as_bytes()).is_err(), "{patch}");
        }
    }
    assert_eq!(fs::read(path).unwrap(), b"a\nb\n");
}

#[test]
fn a_patch_that_fails_in_the_middle_gives_everything_back_as_it_was() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new();
    let gone = scene.write("work/gone.env", "A_TOKEN=Xk3vQ9sLm2Pz7Rt4Yw8BnC6d\n");
    fs::set_permissions(&gone, fs::Permissions::from_mode(0o600)).unwrap();
    scene.write("work/.git/config", "x\n");
    let files = scene.files_with("secrets: redact\n");
    let patch = "--- a/gone.env\n+++ /dev/null\n@@ -1 +0,0 @@\n-A_TOKEN=Xk3vQ9sLm2Pz7Rt4Yw8BnC6d\n--- a/.git/config\n+++ b/.git/config\n@@ -1 +1 @@\n-x\n+r\n";
    assert_eq!(kind(files.patch(patch.as_bytes())), FileErrorKind::Denied);
    assert_eq!(fs::read_to_string(&gone).unwrap(), "A_TOKEN=Xk3vQ9sLm2Pz7Rt4Yw8BnC6d\n");
    assert_eq!(fs::metadata(&gone).unwrap().permissions().mode() & 0o777, 0o600);
}

/// What `git diff` says beside hunks.
#[test]
fn what_git_says_of_a_file_is_done_or_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let tail = "diff --git a/z b/z\nnew file mode 100644\n--- /dev/null\n+++ b/z\n@@ -0,0 +1 @@\n+z\n";
    let hunk = "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-f\n+g\n";
    let scene = || {
        let scene = Scene::new();
        scene.write("work/f", "f\n");
        scene.write("work/empty", "");
        scene
    };
    let mode = |scene: &Scene, name: &str| {
        fs::metadata(scene.path(name)).map(|found| found.permissions().mode() & 0o111 != 0).ok()
    };
    for (head, name, is_program) in [
        ("diff --git a/f b/f\nold mode 100644\nnew mode 100755\n", "f", Some(true)),
        (
            "diff --git a/f b/f\nold mode 100644\nnew mode 100755\nindex 1..2\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-f\n+g\n",
            "f",
            Some(true),
        ),
        ("diff --git a/empty b/empty\ndeleted file mode 100644\nindex e69de29..0000000\n", "empty", None),
        ("diff --git a/new b/new\nnew file mode 100644\nindex 0000000..e69de29\n", "new", Some(false)),
        (
            "diff --git a/new b/new\nnew file mode 100755\nindex 0000000..1\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+n\n",
            "new",
            Some(true),
        ),
        (
            "diff --git \"a/\\303\\244 \\\"\" \"b/\\303\\244 \\\"\"\nnew file mode 100644\n",
            "\u{e4} \"",
            Some(false),
        ),
        ("--- /dev/null\n+++ \"b/t\\tab\"\n@@ -0,0 +1 @@\n+n\n", "t\tab", Some(false)),
    ] {
        let scene = scene();
        let done = scene.files().patch(format!("{head}{tail}").as_bytes()).unwrap();
        assert_eq!(done.len(), 2, "{head}");
        assert_eq!(mode(&scene, &format!("work/{name}")), is_program, "{head}");
        assert_eq!(fs::read(scene.path("work/z")).unwrap(), b"z\n");
    }
    for refused in [
        "diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n",
        "diff --git a/f b/g\nsimilarity index 100%\ncopy from f\ncopy to g\n",
        "diff --git a/l b/l\nnew file mode 120000\nindex 0000000..1\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+f\n\\ No newline at end of file\n",
        "diff --git a/f b/f\nindex 1..2 120000\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-f\n+g\n",
        "diff --git a/f b/f\nold mode 100644\nnew mode 104755\n",
        "diff --git a/m b/m\nnew file mode 160000\n",
        "diff --git a/f b/g\nnew file mode 100644\n",
        "--- /dev/null\n+++ \"b/open\n@@ -0,0 +1 @@\n+n\n",
        &format!("{hunk}{hunk}"),
    ] {
        let scene = scene();
        let files = scene.files();
        assert_eq!(
            kind(files.patch(format!("{tail}{refused}").as_bytes())),
            FileErrorKind::Invalid,
            "{refused}"
        );
        assert!(!scene.path("work/z").exists() && fs::read_dir(scene.path("work")).unwrap().count() == 2);
        assert_eq!(fs::read(scene.path("work/f")).unwrap(), b"f\n");
    }
    // What was made a program is none again when the rest fails.
    let scene = scene();
    scene.write("work/.git/config", "x\n");
    let last = "--- a/.git/config\n+++ b/.git/config\n@@ -1 +1 @@\n-x\n+r\n";
    let first = "diff --git a/f b/f\nold mode 100644\nnew mode 100755\n";
    assert_eq!(kind(scene.files().patch(format!("{first}{hunk}{last}").as_bytes())), FileErrorKind::Denied);
    assert_eq!(
        (mode(&scene, "work/f"), fs::read(scene.path("work/f")).unwrap()),
        (Some(false), b"f\n".into())
    );
}

#[test]
fn a_patch_that_nobody_could_fit_in_time_is_given_up() {
    let scene = Scene::new();
    scene.write("work/f", "\n".repeat(100_000));
    let same = " \n".repeat(49_999);
    let patch = format!("--- a/f\n+++ b/f\n@@ -1,50000 +1,50000 @@\n{same}-x\n+y\n");
    let error = scene.files().patch(patch.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), FileErrorKind::PatchConflict);
    assert!(error.to_string().contains("reasonable time"), "{error}");
}

#[test]
fn a_patch_is_held_in_memory_as_far_as_the_limit() {
    let scene = Scene::new();
    let half = format!("{}\n", "a".repeat(600));
    let (mut patch, mut limits) = (String::new(), FileLimits::default());
    limits.bytes = 1_000;
    for name in ["one", "two"] {
        scene.write(&format!("work/{name}"), &half);
        patch += &format!("--- a/{name}\n+++ b/{name}\n@@ -1,0 +2 @@\n+b\n");
    }
    let files = scene.files().limits(limits);
    assert_eq!(kind(files.patch(patch.as_bytes())), FileErrorKind::TooLarge);
    assert_eq!(kind(files.patch(&b"x".repeat(1_001))), FileErrorKind::TooLarge);
    assert_eq!(fs::read_to_string(scene.path("work/one")).unwrap(), half);
}

fn lines() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec!["a", "b", "", "--- x", "+++ y", "@@ -1 +1 @@", "\\ z", " "]);
    (prop::collection::vec(line, 0..12), any::<bool>())
        .prop_map(|(lines, ended)| lines.join("\n") + if ended && !lines.is_empty() { "\n" } else { "" })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_diff_finds_patch_applies(old in lines(), new in lines()) {
        prop_assume!(old != new);
        let scene = Scene::new();
        let (before, after) = (scene.write("a.txt", &old), scene.write("b.txt", &new));
        let diff = Command::new("diff").arg("-u").args(["--label", "a/f", "--label", "b/f"]).args([before, after]).output().unwrap();
        let path = scene.write("work/f", &old);
        scene.files().patch(&diff.stdout).unwrap();
        prop_assert_eq!(fs::read_to_string(path).unwrap(), new);
    }

    #[test]
    fn any_text_is_a_patch_or_an_error(text in "(--- a/f\n\\+\\+\\+ b/f\n)?(@@ -[0-9]{1,2},?[0-9]? \\+[0-9],[0-9] @@\n)?([-+ ]?[ab]?\n){0,5}") {
        let scene = Scene::new();
        let path = scene.write("work/f", "a\nb\n");
        if scene.files().patch(text.as_bytes()).is_err() {
            prop_assert_eq!(fs::read(path).unwrap(), b"a\nb\n");
        }
    }
}
