//! `secrets scan`: places of credentials, never the credentials themselves.

use serde_json::{Value, json};

use crate::harness::Place;

/// Nobody's: drawn once for these tests.
const VALUE: &str = "Xk3vQ9sLm2Pz7Rt4Yw8BnC6d";

#[test]
fn findings_have_a_place_and_a_type_and_do_not_show_the_secret() {
    let place = Place::new();
    place.write("work/sub/config.yaml", format!("a: 1\napiKey: {VALUE}\n"));
    place.write("work/.env", format!("X=1\nDB_PASSWORD='{VALUE}'\nURL=postgres://app:{VALUE}@db/x\n"));
    place.write("work/clean.txt", "apiKey: ${API_KEY}\n");
    let ran = place.run(["secrets", "scan", "."]).exits(1);
    assert_eq!(
        ran.stdout,
        "./.env:2:14: generic_high_entropy\n./.env:3:20: url_password\n./sub/config.yaml:2:9: generic_high_entropy\n"
    );
    assert!(!ran.stdout.contains(VALUE));
    let ran = place.run(["secrets", "scan", "--json", ".env"]).exits(1);
    assert_eq!(
        ran.json()[0],
        json!({"path": ".env", "line": 2, "column": 14, "type": "generic_high_entropy", "span": [17, 41]})
    );
    place.run(["secrets", "scan", "clean.txt"]).exits(0);
    assert_eq!(
        place
            .run_with(["secrets", "scan", "-k", "env"], format!("A_TOKEN={VALUE}").as_bytes())
            .exits(1)
            .stdout,
        "-:1:9: generic_high_entropy\n"
    );
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_looked_at() {
    let place = Place::new();
    place.write("work/a.env", format!("A_TOKEN={VALUE}\n"));
    let ran = place.run(["secrets", "scan", "missing", "a.env"]).exits(125).says_one_line().says("missing");
    assert_eq!(ran.stdout, "a.env:1:9: generic_high_entropy\n");
    place.run(["secrets", "scan", "--kind", "yaml", "a.env"]).exits(125).says("config-yaml");
}

#[test]
fn links_in_a_directory_are_not_followed_and_the_one_that_is_named_is() {
    let place = Place::new();
    place.write("home/a.env", format!("A_TOKEN={VALUE}\n"));
    std::os::unix::fs::symlink(place.path("home/a.env"), place.work().join("link.env")).unwrap();
    std::os::unix::fs::symlink(place.work(), place.work().join("loop")).unwrap();
    place.run(["secrets", "scan", "."]).exits(0);
    assert_eq!(
        place.run(["secrets", "scan", "link.env"]).exits(1).stdout,
        "link.env:1:9: generic_high_entropy\n"
    );
}

#[test]
fn lines_of_json_are_answered_in_order_and_a_bad_one_does_not_end_the_stream() {
    let place = Place::new();
    let input = format!(
        "{}\n\nnonsense\n{}\n{}\n{}\n",
        json!({"id": "a", "kind": "env", "text": format!("API_KEY={VALUE}")}),
        json!({"id": [2], "kind": "odd", "text": ""}),
        json!({"id": 3, "kind": "log-line", "text": {"bytes": "/0FQSV9LRVk9WGszdlE5c0xtMlB6N1J0NFl3OEJuQzZk"}}),
        json!({"id": 4, "text": "nothing here"}),
    );
    let ran = place.run_with(["secrets", "scan", "--jsonl"], input.as_bytes()).exits(0);
    let answers: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        answers[0],
        json!({"id": "a", "findings": [{"type": "generic_high_entropy", "span": [8, 32]}]})
    );
    assert!(answers[1]["error"].is_string() && answers[1]["id"].is_null(), "{answers:#?}");
    assert_eq!(answers[2]["id"], json!([2]));
    assert!(answers[2]["error"].as_str().unwrap().contains("config-yaml"), "{answers:#?}");
    assert_eq!(answers[3], json!({"id": 3, "findings": [{"type": "generic_high_entropy", "span": [9, 33]}]}));
    assert_eq!(answers[4], json!({"id": 4, "findings": []}));
    assert_eq!(answers.len(), 5);
}
