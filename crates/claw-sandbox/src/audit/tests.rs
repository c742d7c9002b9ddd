//! The chain against single changes, crashes, rotation and several writers.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::*;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    (directory, path)
}

fn pending(fields: &Fields) -> Pending {
    Pending::now("test.event", Body::Text(rendered(fields)), None)
}

fn append(log: &AuditLog, fields: &Fields) -> Result<(), AuditError> {
    log.append(&pending(fields))
}

fn write(log: &AuditLog, events: usize) {
    for number in 0..events {
        append(log, &vec![("message", json!(format!("event {number} äöü \"quoted\"")))]).unwrap();
    }
}

fn findings(path: &Path) -> Vec<u64> {
    verify(path, None).unwrap().findings.iter().map(|finding| finding.line).collect()
}

#[test]
fn a_log_that_nobody_touched_is_intact() {
    let (_keep, path) = place();
    write(&AuditLog::open(&path).unwrap(), 3);
    write(&AuditLog::open(&path).unwrap(), 2);
    let report = verify(&path, None).unwrap();
    assert!(report.is_intact() && report.notes.is_empty(), "{report:?}");
    assert_eq!(report.events, 6, "the five, and `log.opened`");
    assert_eq!(report.head.unwrap().seq, 5);
}

#[test]
fn a_changed_removed_inserted_or_reordered_line_is_found_where_it_is() {
    let (_keep, path) = place();
    write(&AuditLog::open(&path).unwrap(), 5);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let check = |lines: &[&str]| {
        fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        findings(&path)
    };
    let changed = lines[2].replace("event 1", "event 7");
    assert_eq!(check(&[lines[0], lines[1], &changed, lines[3], lines[4], lines[5]]), [3]);
    assert_eq!(check(&[lines[0], lines[1], lines[3], lines[4], lines[5]]), [3]);
    assert_eq!(check(&lines[1..]), [1], "the first line is missed too");
    assert_eq!(check(&[lines[0], lines[2], lines[1], lines[3], lines[4], lines[5]]), [2, 3, 4]);
    assert_eq!(check(&[lines[0], lines[1], lines[1], lines[2], lines[3], lines[4], lines[5]]), [3]);
    assert_eq!(check(&[lines[0], lines[1], "", lines[2], lines[3], lines[4], lines[5]]), [3]);
    assert_eq!(check(&lines), [0_u64; 0]);
}

#[test]
fn lines_cut_off_at_the_end_are_found_by_whoever_knows_the_head() {
    let (_keep, path) = place();
    write(&AuditLog::open(&path).unwrap(), 3);
    let head = verify(&path, None).unwrap().head.unwrap();
    assert!(verify(&path, Some(&head.hash)).unwrap().is_intact());
    let text = fs::read_to_string(&path).unwrap();
    let (before, _) = text.trim_end().rsplit_once('\n').unwrap();
    fs::write(&path, format!("{before}\n")).unwrap();
    assert!(verify(&path, None).unwrap().is_intact());
    let report = verify(&path, Some(&head.hash)).unwrap();
    assert!(report.findings[0].message.contains("cut off"), "{report:?}");
}

#[test]
fn a_line_that_a_crash_cut_short_stays_and_is_explained() {
    let (_keep, path) = place();
    write(&AuditLog::open(&path).unwrap(), 2);
    let text = fs::read_to_string(&path).unwrap();
    for cut in [1, 2, 40, 100] {
        let (torn, _) = text.split_at(text.len() - cut);
        fs::write(&path, torn).unwrap();
        assert_eq!(findings(&path), [3], "{cut} bytes cut off");
        write(&AuditLog::open(&path).unwrap(), 1);
        let report = verify(&path, None).unwrap();
        let last = report.notes.last().map(|note| note.line);
        assert!(report.is_intact(), "{report:?}");
        // Where only the newline was missing, nothing was lost.
        assert_eq!(last, (cut > 1).then_some(3), "{cut} bytes cut off: {report:?}");
        let after = fs::read_to_string(&path).unwrap();
        assert!(after.starts_with(torn), "what was there is still there");
        fs::write(&path, after.replacen(torn.split_at(torn.len() - 5).1, "xxxxx", 1)).unwrap();
        assert!(!findings(&path).is_empty(), "a changed remainder is found");
    }
}

#[test]
fn a_log_whose_last_line_is_no_event_takes_no_more() {
    let (_keep, path) = place();
    write(&AuditLog::open(&path).unwrap(), 1);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text + "{}\n").unwrap();
    let error = append(&AuditLog::open(&path).unwrap(), &Vec::new()).unwrap_err();
    assert!(matches!(error, AuditError::Damaged(_)), "{error}");
}

#[test]
fn a_rotated_log_is_one_chain() {
    let (_keep, path) = place();
    let log = AuditLog::with_rotation(&path, 1000).unwrap();
    let other = AuditLog::with_rotation(&path, 1000).unwrap();
    for _ in 0..10 {
        write(&log, 1);
        write(&other, 1);
    }
    let report = verify(&path, None).unwrap();
    assert!(report.files.len() > 3, "{report:?}");
    assert!(report.is_intact() && report.notes.is_empty(), "{report:?}");
    assert_eq!(
        entries(&path).unwrap().filter(|entry| entry.field("event") == Some("test.event")).count(),
        20
    );
    fs::remove_file(&report.files[1]).unwrap();
    assert_eq!(findings(&path), [1], "a missing file is a gap");
}

#[test]
fn a_log_without_its_oldest_files_is_intact_from_where_it_says_that_it_goes_on() {
    let (_keep, path) = place();
    write(&AuditLog::with_rotation(&path, 1000).unwrap(), 10);
    let files = verify(&path, None).unwrap().files;
    fs::remove_file(&files[0]).unwrap();
    let report = verify(&path, None).unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert!(report.first > 0 && report.notes[0].message.contains("not here"), "{report:?}");
    // Without the event that names the one before, nothing tells the two apart.
    let text = fs::read_to_string(&files[1]).unwrap();
    fs::write(&files[1], text.split_once('\n').unwrap().1).unwrap();
    assert_eq!(findings(&path), [1]);
}

#[test]
fn a_file_without_lines_is_a_finding_and_takes_no_memory() {
    use std::io::Write as _;
    let (_keep, path) = place();
    write(&AuditLog::open(&path).unwrap(), 1);
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    // Zeros on no disk, many times the bound.
    file.set_len(64 << 20).unwrap();
    assert_eq!(findings(&path), [3]);
    let error = append(&AuditLog::open(&path).unwrap(), &Vec::new()).unwrap_err();
    assert!(matches!(error, AuditError::Damaged(_)), "{error}");
    file.write_all(b"\n").unwrap();
    assert_eq!(findings(&path), [3]);
    let mut entries = entries(&path).unwrap();
    assert_eq!((entries.by_ref().count(), entries.unreadable()), (2, 1));
}

#[test]
fn lines_that_are_no_events_are_passed_over_and_counted() {
    let (_keep, path) = place();
    write(&AuditLog::open(&path).unwrap(), 2);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    bytes.splice(at..at, *b"broken\n\xff\n");
    bytes.extend(b"{\"torn");
    fs::write(&path, bytes).unwrap();
    let mut entries = entries(&path).unwrap();
    assert_eq!(entries.by_ref().map(|entry| entry.line).collect::<Vec<_>>(), [1, 4, 5]);
    assert_eq!(entries.unreadable(), 3);
}

#[test]
fn no_text_reaches_a_terminal_raw_or_begins_a_line() {
    let (_keep, path) = place();
    let log = AuditLog::open(&path).unwrap();
    let evil = "a\n{\"v\":1}\r\u{1b}[2J\u{7f}\u{9b}31m\u{202e}\u{2028}ä";
    append(&log, &vec![("argv", json!([evil])), ("message", json!(evil))]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let is_raw = |letter: char| letter.is_control() || "\u{202e}\u{2028}".contains(letter);
    assert_eq!(text.split('\n').count(), 3, "two events and the end: {text:?}");
    assert!(!text.replace('\n', "").contains(is_raw), "{text:?}");
    assert!(verify(&path, None).unwrap().is_intact());
    assert_eq!(entries(&path).unwrap().last().unwrap().field("message"), Some(evil));
}

#[test]
fn many_threads_share_a_chain_with_logs_of_their_own() {
    let (_keep, path) = place();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| write(&AuditLog::with_rotation(&path, 10_000).unwrap(), 50));
        }
    });
    let report = verify(&path, None).unwrap();
    assert!(report.is_intact(), "{:?}", report.findings);
    assert_eq!(
        entries(&path).unwrap().filter(|entry| entry.field("event") == Some("test.event")).count(),
        200
    );
}

#[test]
fn links_devices_directories_and_shared_files_are_no_logs() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let (keep, path) = place();
    let open = |path: &Path| AuditLog::open(path).unwrap_err().to_string();
    assert!(open(Path::new("/dev/full")).contains("not a regular file"));
    assert!(open(keep.path()).contains("is a directory"));
    assert!(open(&keep.path().join("missing/log")).contains("no such file"));
    symlink("target", &path).unwrap();
    assert!(open(&path).contains("cannot open"), "{}", open(&path));
    let shared = keep.path().join("shared");
    fs::write(&shared, "").unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(open(&shared).contains("chmod go-w"), "{}", open(&shared));
}

#[test]
fn a_log_is_only_ours_to_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_keep, path) = place();
    write(&AuditLog::open(&path).unwrap(), 1);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn times_are_read_as_people_write_them() {
    let now: jiff::Timestamp = "2026-02-02T10:00:00Z".parse().unwrap();
    for (text, time) in [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-02-01", "2026-02-01T00:00:00Z"),
        ("90s", "2026-02-02T09:58:30Z"),
        ("24h", "2026-02-01T10:00:00Z"),
        ("7d", "2026-01-26T10:00:00Z"),
    ] {
        assert_eq!(parse_time(text, now).map(|time| time.to_string()).as_deref(), Some(time), "{text}");
    }
    for text in ["", "x", "5", "5y", "ä", "-5h", "99999999999999999999d"] {
        assert_eq!(parse_time(text, now), None, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_single_changed_byte_is_found(place_of_change in 0.0..1.0_f64, bit in 0..8_u32) {
        let (_keep, path) = place();
        write(&AuditLog::open(&path).unwrap(), 3);
        let mut bytes = fs::read(&path).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a part of a small length")]
        let at = (place_of_change * bytes.len() as f64) as usize;
        bytes[at] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        prop_assert!(!findings(&path).is_empty(), "byte {at} bit {bit}");
    }

    #[test]
    fn any_removed_or_doubled_byte_is_found(place_of_change in 0.0..1.0_f64, doubled: bool) {
        let (_keep, path) = place();
        write(&AuditLog::open(&path).unwrap(), 3);
        let mut bytes = fs::read(&path).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a part of a small length")]
        let at = (place_of_change * bytes.len() as f64) as usize;
        if doubled { bytes.insert(at, bytes[at]) } else { bytes.remove(at); }
        fs::write(&path, &bytes).unwrap();
        prop_assert!(!findings(&path).is_empty(), "byte {at}");
    }
}
