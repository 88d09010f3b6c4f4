//! Whatever is done to the log by SQL is found, and the first broken entry is named.

use super::export;
use crate::support::figure;
use crate::support::server::{Server, executable};
use crate::support::shop::Shop;
use serde_json::json;
use std::path::Path;
use std::process::{Command, Output};

fn verify(server: &Server, arguments: &[&str]) -> Output {
    let mut command = Command::new(executable());
    command.args(["audit", "verify", "--url", &format!("http://{}", server.address)]);
    command.args(["--key", crate::support::server::ADMIN_KEY]).args(arguments);
    command.output().expect("the command starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// A shop whose log has entries enough, and the entry that somebody noted.
fn audited() -> (Shop, String) {
    let shop = Shop::open();
    for n in 0..20 {
        shop.tenant(&format!("t{n}"));
    }
    let sound = verify(&shop.server, &[]);
    assert!(sound.status.success(), "{}", said(&sound));
    let head = said(&sound).lines().find_map(|line| line.strip_prefix("head ").map(str::to_owned));
    (shop, head.expect("the head is printed"))
}

fn tamper(data: &Path, sql: &str) {
    let database = rusqlite::Connection::open(data.join("angarium.db")).expect("the database");
    database.execute_batch(sql).expect(sql);
}

#[test]
fn whatever_is_done_to_the_log_in_the_database_is_found() {
    let (mut shop, head) = audited();
    let backup = shop.data().join("whole.sql");
    let rows = [
        (
            "UPDATE audit SET text = replace(text, 'tenant', 'tennant') WHERE no = 9",
            "entry 9 was altered",
        ),
        ("UPDATE audit SET hash = zeroblob(32) WHERE no = 9", "entry 9 was altered"),
        ("DELETE FROM audit WHERE no = 9", "entry 9 is missing"),
        ("DELETE FROM audit WHERE no < 9", "entry 1 is missing"),
        ("UPDATE audit SET no = no + 1000 WHERE no >= 9", "entry 9 was altered"),
        (
            "UPDATE audit SET no = -1 WHERE no = 9; UPDATE audit SET no = 9 WHERE no = 10;
             UPDATE audit SET no = 10 WHERE no = -1",
            "entry 9 is missing",
        ),
        ("DELETE FROM audit WHERE no > 9", "the end is missing"),
        (
            "DELETE FROM audit WHERE no > 9; UPDATE audit_head SET no = 9,
             hash = (SELECT hash FROM audit WHERE no = 9)",
            "the end is missing",
        ),
    ];
    figure(format_args!("{} ways to change the log, each found", rows.len()));
    for (sql, found) in rows {
        let data = shop.data();
        shop = shop.restarted(|server| {
            server.stop();
            std::fs::copy(data.join("angarium.db"), &backup).expect("a copy");
            tamper(&data, sql);
        });
        let verdict = verify(&shop.server, &["--head", &head]);
        assert!(!verdict.status.success(), "{sql}");
        assert!(said(&verdict).contains(found), "{sql}: {}", said(&verdict));
        shop = shop.restarted(|server| {
            server.stop();
            std::fs::copy(&backup, data.join("angarium.db")).expect("as it was");
        });
        let sound = verify(&shop.server, &["--head", &head]);
        assert!(sound.status.success(), "{}", said(&sound));
    }
}

#[test]
fn an_export_is_verified_without_the_server_and_a_part_of_it_too() {
    let (shop, head) = audited();
    let lines = export(&shop.server.admin());
    let file = shop.data().join("audit.ndjson");
    let path = file.to_str().expect("a path").to_owned();
    let judge = |lines: &[String], arguments: &[&str]| {
        std::fs::write(&file, lines.join("\n") + "\n").expect("written");
        verify(&shop.server, &[&[path.as_str()], arguments].concat())
    };
    let whole = judge(&lines, &["--head", &head]);
    assert!(said(&whole).starts_with("entries 1 to "), "{}", said(&whole));
    let part = judge(&lines[4..], &["--head", &head]);
    assert!(said(&part).contains("what stood before 5 is not judged"), "{}", said(&part));
    let cut = judge(&lines[..4], &["--head", &head]);
    assert!(!cut.status.success() && said(&cut).contains("the end is missing"), "{}", said(&cut));
    let mut forged = lines;
    forged[3] = forged[3].replace("\"at\":\"2", "\"at\":\"1");
    let forged = judge(&forged, &[]);
    assert!(!forged.status.success() && said(&forged).contains("entry 4 was altered"));
}

#[test]
fn a_key_that_sees_a_part_of_the_log_cannot_verify_it() {
    let (shop, _) = audited();
    let key = shop.api.post("/v1/keys", &json!({"name": "k", "scopes": ["read"]})).expect(201);
    let key = crate::support::shop::text(&key, "key");
    let mut command = Command::new(executable());
    command.args(["audit", "verify", "--url", &format!("http://{}", shop.server.address)]);
    let verdict = command.args(["--key", key]).output().expect("the command starts");
    assert!(!verdict.status.success() && said(&verdict).contains("a part of the log"));
}
