//! Credentials in what is read and written.

use std::fs;

use claw_sandbox::{FileErrorKind, Replacement, Search, WriteMode};

use crate::scene::{Scene, kind};

/// Nobody's: drawn once for these tests.
const VALUE: &str = "Xk3vQ9sLm2Pz7Rt4Yw8BnC6d";

#[test]
fn redacted_contents_show_a_mark_and_keep_their_lines() {
    let scene = Scene::new();
    let key =
        format!("-----BEGIN PRIVATE KEY-----\n{VALUE}{VALUE}\n{VALUE}{VALUE}\n-----END PRIVATE KEY-----");
    let text = format!("a: 1\ntoken: {VALUE}\nkey: |\n{key}\nlast: 2\n");
    let path = scene.write("work/c.yaml", &text);
    let files = scene.files_with("secrets: redact\n");
    let shown = String::from_utf8(files.read("c.yaml").unwrap()).unwrap();
    assert_eq!(
        shown,
        "a: 1\ntoken: [redacted:generic_high_entropy]\nkey: |\n[redacted:private_key]\n\n\n\nlast: 2\n"
    );
    assert_eq!(files.read_lines("c.yaml", 8, 9).unwrap().text, b"last: 2\n");
    assert_eq!(files.read_range("c.yaml", 5..20).unwrap(), b"token: [redacte");
    let (matches, _) = files.grep(".", &Search::new(VALUE, false).unwrap()).unwrap();
    assert!(matches.is_empty(), "{matches:?}");
    assert_eq!(kind(files.open("c.yaml")), FileErrorKind::Secret);
    // Writing it back would be the end of the token; an edit beside it is not, and does not show it either.
    assert_eq!(kind(files.write("c.yaml", shown.as_bytes(), WriteMode::Replace)), FileErrorKind::Secret);
    let edited = files.edit("c.yaml", &[Replacement::one("a: 1", "a: 2")]).unwrap();
    assert!(!edited.diff.contains(VALUE) && edited.diff.contains("+a: 2"), "{}", edited.diff);
    assert_eq!(fs::read_to_string(&path).unwrap(), text.replace("a: 1", "a: 2"));
    files.copy("c.yaml", "d.yaml", false).unwrap();
    assert!(fs::read_to_string(scene.path("work/d.yaml")).unwrap().contains(VALUE));
}

#[test]
fn denied_contents_are_neither_read_nor_written_and_the_error_does_not_show_them() {
    let scene = Scene::new();
    scene.write("work/.env", format!("A=1\nA_TOKEN={VALUE}\n"));
    let files = scene.files_with("secrets: deny\n");
    let error = files.read(".env").unwrap_err();
    assert_eq!(error.kind(), FileErrorKind::Secret);
    assert!(error.to_string().contains("line 2") && !error.to_string().contains(VALUE), "{error}");
    assert_eq!(kind(files.copy(".env", "b", false)), FileErrorKind::Secret);
    assert_eq!(
        kind(files.write("b.env", format!("A_TOKEN={VALUE}").as_bytes(), WriteMode::Create)),
        FileErrorKind::Secret
    );
    assert_eq!(kind(files.edit(".env", &[Replacement::one("A=1", "A=2")])), FileErrorKind::Secret);
    assert_eq!(fs::read_to_string(scene.path("work/.env")).unwrap(), format!("A=1\nA_TOKEN={VALUE}\n"));
    files.write("c", b"A_TOKEN=${TOKEN}", WriteMode::Create).unwrap();
    assert!(!scene.path("work/b").exists() && !scene.path("work/b.env").exists());
}
