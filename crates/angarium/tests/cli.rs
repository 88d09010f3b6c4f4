//! What the program says and how it ends, by running it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

fn angarium(directory: &Path, arguments: &[&str]) -> Output {
    let output = command(directory, arguments).output();
    output.expect("the program runs")
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_angarium"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANGARIUM_")) {
        command.env_remove(name);
    }
    command.current_dir(directory).args(arguments);
    command
}

/// What a command says that ends by itself, or is ended after a while.
fn ended(mut command: Command) -> Output {
    let process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let (mut process, started) = (process.expect("it runs"), Instant::now());
    while process.try_wait().expect("it is ours").is_none() {
        if started.elapsed() > Duration::from_secs(20) {
            process.kill().expect("it is ours");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    process.wait_with_output().expect("it has ended")
}

struct Case {
    arguments: &'static [&'static str],
    status: i32,
    says: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        arguments: &["serve"],
        status: 2,
        says: &["there is no master key", "openssl rand -base64 32", "--dev"],
    },
    Case {
        arguments: &["serve", "--master-key-file", "short.key"],
        status: 2,
        says: &["short.key is not a master key: it has 3 bytes, not 32"],
    },
    Case {
        arguments: &["serve", "--config", "unknown.toml"],
        status: 2,
        says: &["unknown.toml, line 2: lissten: no such key", "listen"],
    },
    Case {
        arguments: &["serve", "--config", "nowhere.toml"],
        status: 2,
        says: &["nowhere.toml cannot be read", "No such file"],
    },
    Case {
        arguments: &["serve", "--lissten", "x"],
        status: 2,
        says: &["unexpected argument '--lissten'", "--listen"],
    },
    Case {
        arguments: &["serve", "--store", "postgres://db/angarium"],
        status: 2,
        says: &["has the embedded store only"],
    },
    Case {
        arguments: &["serve", "--limit", "body_bites=1"],
        status: 2,
        says: &["there is no limit `body_bites`", "body_bytes"],
    },
    Case {
        arguments: &["contract", "check", "bad-contract.toml"],
        status: 1,
        says: &["1 of 1 contracts cannot be used"],
    },
    Case {
        arguments: &["contract", "check"],
        status: 2,
        says: &["required arguments were not provided", "<FILE>"],
    },
    Case {
        arguments: &["contract", "new", "--name=Acme!"],
        status: 1,
        says: &["--name: a contract's name has 1 to 63 characters of a-z 0-9 -"],
    },
    Case {
        arguments: &["contract", "new", "--output=bad-contract.toml"],
        status: 1,
        says: &["bad-contract.toml is there already, and stays as it is"],
    },
    Case {
        arguments: &["contract", "docs", "aioka", "--base-url", "https://a.b/$(x)"],
        status: 2,
        says: &["--base-url", "http:// or https://"],
    },
    Case {
        arguments: &["contract", "show", "nonsense"],
        status: 1,
        says: &["neither a built-in contract", "aioka"],
    },
    Case {
        arguments: &["event", "list", "--url", "http://127.0.0.1:1"],
        status: 3,
        says: &["no server answers at http://127.0.0.1:1"],
    },
    Case {
        arguments: &["event", "list", "--url", "nonsense"],
        status: 2,
        says: &["is not the address of a server"],
    },
    Case {
        arguments: &["badhost", "--listen", "nonsense"],
        status: 2,
        says: &["invalid value 'nonsense'", "--listen"],
    },
    Case {
        arguments: &["badhost", "--listen", "127.0.0.1:0", "--authority", "nowhere/ca.pem"],
        status: 1,
        says: &["nowhere/ca.pem cannot be written"],
    },
    Case {
        arguments: &["publish", "--tenant=t", "--type=a", "--data=hello"],
        status: 1,
        says: &["--data is not JSON"],
    },
];

#[test]
fn wrong_usage_is_refused_with_a_reason_a_cure_and_a_status() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).expect("it is written");
    };
    file("unknown.toml", "dev = true\nlissten = \"x\"\n");
    file("bad-contract.toml", "contract = \"mine\"\nsurprise = 1\n");
    file("short.key", "AAAA\n");
    for case in CASES {
        let output = angarium(directory.path(), case.arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(case.status), "{:?}: {said}", case.arguments);
        for words in case.says {
            assert!(said.contains(words), "{:?} does not say `{words}`:\n{said}", case.arguments);
        }
    }
}

#[test]
fn the_page_of_contracts_is_printed_in_each_form_or_written_to_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let printed = |arguments: &[&str]| {
        let output = angarium(directory.path(), &[&["contract", "docs"], arguments].concat());
        let failed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{failed}");
        String::from_utf8(output.stdout).expect("it is text")
    };
    let page = printed(&["aioka", "--base-url", "https://api.aioka.io/"]);
    assert!(page.starts_with("# AIOKA webhooks\n"), "{page}");
    assert!(page.contains("curl -X POST https://api.aioka.io/v1/webhooks "), "{page}");
    let document = printed(&["anduin", "anduin-legacy", "--format", "openapi"]);
    assert!(document.contains("\"openapi\": \"3.1.0\"") && document.contains("/api/v1/webhooks"));
    assert_eq!(printed(&["standard", "--format", "html", "--output", "page.html"]), "");
    let file = std::fs::read_to_string(directory.path().join("page.html")).expect("the page");
    assert!(file.starts_with("<!doctype html>") && file.contains("default-src 'none'"), "{file}");
}

#[test]
fn every_built_in_contract_can_be_shown() {
    let directory = tempfile::tempdir().expect("a directory");
    let listed = angarium(directory.path(), &["contract", "list"]);
    let listed = String::from_utf8(listed.stdout).expect("it is text");
    assert_eq!(listed.lines().count(), 8, "{listed}");
    for line in listed.lines() {
        let name = line.split_whitespace().next().expect("a name");
        let shown = angarium(directory.path(), &["contract", "show", name]);
        assert!(shown.status.success(), "{name}");
        assert!(String::from_utf8_lossy(&shown.stdout).starts_with(name));
    }
}

#[test]
fn the_explained_configuration_is_a_file_that_the_program_accepts() {
    let directory = tempfile::tempdir().expect("a directory");
    let explained = angarium(directory.path(), &["config", "--explain"]).stdout;
    std::fs::write(directory.path().join("all.toml"), explained).expect("it is written");
    let shown = angarium(directory.path(), &["config", "--config", "all.toml", "--json"]);
    let shown = String::from_utf8(shown.stdout).expect("it is text");
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("it is JSON");
    assert_eq!(shown["listen"]["value"], "127.0.0.1:8080");
    let origin = shown["listen"]["origin"].as_str().expect("an origin");
    assert!(origin.starts_with("file, line "), "{origin}");
}

#[test]
fn a_generated_master_key_is_one_that_the_doctor_accepts() {
    let directory = tempfile::tempdir().expect("a directory");
    let key = angarium(directory.path(), &["key", "generate-master"]).stdout;
    std::fs::write(directory.path().join("master.key"), key).expect("it is written");
    let arguments = ["doctor", "--master-key-file=master.key", "--listen=127.0.0.1:0"];
    let output = angarium(directory.path(), &arguments);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("ok    master key      from master.key"), "{said}");
    let without = angarium(directory.path(), &["doctor", "--listen=127.0.0.1:0"]);
    assert_eq!(without.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&without.stdout).contains("FAIL  master key"));
}

/// A server, and what it printed until it was ready.
struct Served {
    process: Child,
    said: String,
}

impl Served {
    fn start(directory: &Path) -> Self {
        let arguments = ["serve", "--dev", "--listen=127.0.0.1:0", "--log=error"];
        Self::run(command(directory, &arguments))
    }

    fn run(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut said = String::new();
        while !said.contains("listening on http://127.0.0.1:") {
            let read = output.read_line(&mut said).expect("it is text");
            assert!(read > 0, "it ended before it was ready:\n{said}");
        }
        Self { process, said }
    }

    fn word_after(&self, mark: &str) -> &str {
        let (_, rest) = self.said.split_once(mark).expect(mark);
        rest.split_whitespace().next().expect("a word")
    }

    fn terminate(mut self) -> ExitStatus {
        let pid = i32::try_from(self.process.id()).expect("a process number");
        let pid = rustix::process::Pid::from_raw(pid).expect("it is not zero");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        self.process.wait().expect("it ends")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

#[test]
fn a_server_owns_its_data_shows_its_admin_key_once_and_ends_cleanly_on_sigterm() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = Served::start(directory.path());
    assert!(first.said.contains("made a master key"), "{}", first.said);
    assert!(first.said.contains("admin key, shown this once: ang_"), "{}", first.said);
    let second = angarium(directory.path(), &["serve", "--dev", "--listen=127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1));
    assert!(said.contains("in use by another process"), "{said}");
    let (url, key) = (first.word_after("listening on "), first.word_after("this once: "));
    let calls = ["environment", "list", "--url", url, "--key", key];
    let listed = angarium(directory.path(), &calls);
    assert!(listed.status.success(), "it serves until it is told to stop");
    assert!(first.terminate().success());
    let third = Served::start(directory.path());
    assert!(!third.said.contains("admin key"), "{}", third.said);
    assert!(third.terminate().success());
}

#[test]
fn an_admin_key_that_can_be_guessed_or_was_revoked_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let master = angarium(directory.path(), &["key", "generate-master"]).stdout;
    std::fs::write(directory.path().join("master.key"), master).expect("it is written");
    let arguments = ["serve", "--master-key-file=master.key", "--listen=127.0.0.1:0"];
    let serve = |key: &str, more: &[&str]| {
        let mut command = command(directory.path(), &[&arguments, more].concat());
        command.env("ANGARIUM_ADMIN_KEY", key);
        command
    };
    let [first, second] = ["first", "second"].map(|name| format!("{name}-{}", "0".repeat(32)));
    let refused = |key: &str, status: i32, says: &str| {
        let output = ended(serve(key, &[]));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains(says) && said.contains("openssl rand -hex 24"), "{said}");
        assert!(!said.contains(key), "{said}");
    };
    refused("hunter2", 2, "has 7 characters");
    refused(&"two words ".repeat(8), 2, "visible ASCII");
    for key in [&first, &second] {
        let served = Served::run(serve(key, &[]));
        let url = served.word_after("listening on ").to_owned();
        let calls = ["key", "list", "--url", &url, "--key", key];
        let listed = angarium(directory.path(), &calls);
        let shown = String::from_utf8_lossy(&listed.stdout);
        assert!(listed.status.success() && shown.contains("LAST USED"), "{shown}");
        assert_eq!(shown.matches("ANGARIUM_ADMIN_KEY").count(), 1, "{shown}");
        assert!(served.terminate().success());
    }
    refused(&first, 1, "was revoked");
    let served = Served::run(serve(&second, &[]));
    assert!(served.terminate().success(), "what was refused has changed nothing");
    let development = Served::run(serve("hunter2", &["--dev"]));
    assert!(development.terminate().success());
}

#[test]
fn the_demo_delivers_and_verifies_every_contract_and_retries_what_failed() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = angarium(directory.path(), &["demo", "--count=7", "--rate=50"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let tally = "7 events, 8 of 8 deliveries verified and taken, 1 after retries, 0 rejected";
    assert!(said.contains(tally), "{said}");
}

/// A number that looks random, and the next.
fn dice(state: &mut u64, end: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap_or_default() % end.max(1)
}

#[test]
fn no_words_and_no_configuration_make_the_program_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let explained = angarium(folder.path(), &["config", "--explain"]).stdout;
    let words = [
        "config",
        "sign",
        "verify",
        "contract",
        "check",
        "show",
        "key",
        "generate-master",
        "doctor",
        "audit",
        "standard",
        "github",
        "--config",
        "garbled.toml",
        "--explain",
        "--toml",
        "--json",
        "--limit",
        "body_bytes=1",
        "=",
        "--limit=x=y",
        "--listen",
        "1.2.3.4:99999",
        "--allow-cidr",
        "::/129",
        "--grace",
        "1e99s",
        "--secret",
        "",
        "--body",
        "\u{0}",
        "-",
        "--",
        "\u{202e}ä",
        "99999999999999999999",
        "--public-url",
        "https://a b",
        "--data",
        "/dev/null/x",
    ];
    let mut state = 20_261_122;
    for round in 0..150 {
        let mut text = explained.clone();
        for _ in 0..=dice(&mut state, 6) {
            let (at, end) = (dice(&mut state, text.len()), dice(&mut state, 40));
            let end = (at + end).min(text.len());
            let other =
                [&b""[..], b"=", b"\"", b"\xff", b"[[", b"\n#", b"99999999999", b"true", b"{"];
            text.splice(at..end, other[dice(&mut state, other.len())].iter().copied());
        }
        std::fs::write(folder.path().join("garbled.toml"), text).expect("a file");
        let mut chosen = vec!["config", "--config", "garbled.toml"];
        if round % 2 == 1 {
            let count = dice(&mut state, 7);
            chosen = (0..count).map(|_| words[dice(&mut state, words.len())]).collect();
            chosen.retain(|word| !word.contains('\u{0}'));
        }
        let output = ended(command(folder.path(), &chosen));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(0..=2)),
            "{chosen:?}: {}: {said}",
            output.status
        );
        assert!(!said.contains("panicked"), "{chosen:?}: {said}");
    }
}
