//! `angarium contract`, by running it: what `check` says and how it ends, and the way of a new
//! contract from its first answer to a verified delivery.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_angarium"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANGARIUM_")) {
        command.env_remove(name);
    }
    command.current_dir(directory).args(arguments).stdin(Stdio::null());
    command
}

fn angarium(directory: &Path, arguments: &[&str]) -> Output {
    command(directory, arguments).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn succeeded(directory: &Path, arguments: &[&str]) -> String {
    let output = angarium(directory, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

const WRONG: &str = r#"contract = "wrong"
titel = "Wrong"
[events."a.b"]
description = "It happened."
example = {}
[request]
body = "{event.dta}"
[delivery]
timeout = "1m"
retries = []
[endpoint]
schemes = ["https"]
"#;

#[test]
fn check_says_every_mistake_at_its_place_with_its_cure_and_fails() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("wrong.toml"), WRONG).expect("it is written");
    let output = angarium(directory.path(), &["contract", "check", "wrong.toml", "nowhere.toml"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(text(&output.stdout));
    assert_eq!(text(&output.stderr), "error: 2 of 2 contracts cannot be used\n");
}

#[test]
fn warnings_are_told_and_fail_only_where_they_are_denied() {
    let directory = tempfile::tempdir().expect("a directory");
    let standard = succeeded(directory.path(), &["contract", "show", "--toml", "standard"]);
    std::fs::write(directory.path().join("mine.toml"), standard).expect("it is written");
    let said = succeeded(directory.path(), &["contract", "check", "mine.toml"]);
    insta::assert_snapshot!(said);
    let strict = ["contract", "check", "--deny-warnings", "mine.toml"];
    let output = angarium(directory.path(), &strict);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "error: 1 of 1 contracts have warnings\n");
}

#[test]
fn programs_read_the_findings_as_json_and_standard_input_is_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut check = command(directory.path(), &["contract", "check", "--json", "-"]);
    let check = check.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut check = check.spawn().expect("it starts");
    let mut input = check.stdin.take().expect("it is piped");
    input.write_all(WRONG.as_bytes()).expect("it reads");
    drop(input);
    let output = check.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    let files: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(files[0]["file"], "-");
    let lines: Vec<_> = files[0]["mistakes"].as_array().expect("a list").iter().collect();
    let lines: Vec<_> = lines.iter().map(|mistake| mistake["line"].as_u64()).collect();
    assert_eq!(lines, [Some(2), Some(7), Some(9)]);
    assert_eq!(files[0]["mistakes"][0]["cure"], "did you mean `title`?");
}

#[test]
fn two_contracts_of_a_directory_have_two_names() {
    let directory = tempfile::tempdir().expect("a directory");
    for file in ["a.toml", "b.toml"] {
        let output = format!("--output={file}");
        succeeded(directory.path(), &["contract", "new", "--name=acme", &output]);
    }
    let output = angarium(directory.path(), &["contract", "check", "--contracts=."]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("./b.toml:3:12"), "{said}");
    assert!(said.contains("`acme` is the name of ./a.toml already"), "{said}");
}

#[test]
fn without_a_terminal_the_defaults_are_taken_and_printed() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = angarium(directory.path(), &["contract", "new"]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("signature: standard (the default of --signature)"), "{said}");
    let strict = ["contract", "check", "--deny-warnings", "my-platform.toml"];
    assert_eq!(
        succeeded(directory.path(), &strict),
        "my-platform.toml: my-platform, 1 event: ok\n"
    );
}

/// A server that is killed at the end.
struct Served(Child, String);

impl Served {
    fn start(directory: &Path) -> Self {
        let arguments = [
            "serve",
            "--dev",
            "--listen=127.0.0.1:0",
            "--log=error",
            "--contracts=contracts",
            "--allow-http",
            "--allow-cidr=127.0.0.0/8",
        ];
        let mut process = command(directory, &arguments);
        let mut process = process.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut said = String::new();
        while !said.contains("listening on http://127.0.0.1:") {
            let read = output.read_line(&mut said).expect("it is text");
            assert!(read > 0, "it ended before it was ready:\n{said}");
        }
        Self(process, said)
    }

    fn word_after(&self, mark: &str) -> &str {
        let (_, rest) = self.1.split_once(mark).expect(mark);
        rest.split_whitespace().next().expect("a word")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One request, its header names in lower case.
struct Received {
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

/// Takes one request and answers with 200.
fn receive(listener: &TcpListener) -> Received {
    let (mut connection, _) = listener.accept().expect("a delivery");
    let mut reader = BufReader::new(connection.try_clone().expect("a second handle"));
    let mut lines = reader.by_ref().lines().map(|line| line.expect("text"));
    assert!(lines.next().expect("a request line").starts_with("POST "));
    let headers: HashMap<_, _> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_lowercase(), value.to_owned()))
        })
        .collect();
    let length = headers["content-length"].parse().expect("a number");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the body");
    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("it is answered");
    Received { headers, body }
}

#[test]
fn a_new_contract_is_checked_served_and_delivers_what_a_receiver_can_verify() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(directory.path().join("contracts")).expect("it is made");
    let new = ["contract", "new", "--name=acme", "--title=Acme", "--event=order.paid"];
    let answers = ["--event=order.lost", "--api=bearer", "--output=contracts/acme.toml"];
    succeeded(directory.path(), &[&new[..], &answers].concat());
    // The receiver of this test has no certificate.
    let file = directory.path().join("contracts/acme.toml");
    let written = std::fs::read_to_string(&file).expect("it is there");
    std::fs::write(&file, written.replace("[\"https\"]", "[\"https\", \"http\"]"))
        .expect("written");
    succeeded(directory.path(), &["contract", "check", "--contracts=contracts"]);

    let served = Served::start(directory.path());
    let (url, key) = (served.word_after("listening on "), served.word_after("this once: "));
    let call = |arguments: &[&str]| -> Value {
        let connection = ["--url", url, "--key", key, "--environment", "prod", "--json"];
        let said = succeeded(directory.path(), &[arguments, &connection].concat());
        serde_json::from_str(&said).expect("JSON")
    };
    call(&["environment", "create", "prod", "--contract", "acme"]);
    call(&["tenant", "put", "t1"]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let to = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let endpoint =
        call(&["endpoint", "create", "--tenant", "t1", "--to", &to, "--types", "order.paid"]);
    let data = r#"{"id":"1"}"#;
    call(&["publish", "--tenant", "t1", "--type", "order.paid", "--id", "ev1", "--data", data]);

    let received = receive(&listener);
    let header = |name: &str| received.headers[name].as_str();
    let secret = endpoint["secret"].as_str().and_then(|s| s.strip_prefix("whsec_"));
    let secret = STANDARD.decode(secret.expect("a secret")).expect("base64");
    let signed = [header("webhook-id").as_bytes(), header("webhook-timestamp").as_bytes()];
    let signed = [signed[0], b".", signed[1], b".", &received.body].concat();
    let made = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), &signed);
    assert_eq!(header("webhook-signature"), format!("v1,{}", STANDARD.encode(made)));
    let body: Value = serde_json::from_slice(&received.body).expect("JSON");
    assert_eq!((&body["id"], &body["type"]), (&"ev1".into(), &"order.paid".into()));
    assert_eq!(body["data"]["id"], "1");
}
