//! The other way round: what the libraries sign is accepted by a source and by the command, and
//! what the command signs is verified by them.

use super::cases::{self, ID, SIGNATURE, STRANGER, Signed, TIMESTAMP, judged};
use super::library::{Answer, Library, Question};
use super::{IMPORTED, payloads};
use crate::support::figure;
use crate::support::sender::Sender;
use crate::support::shop::{Shop, text};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Output, Stdio};

#[test]
fn a_source_accepts_what_published_libraries_sign_with_its_secret_and_nothing_else() {
    let shop = Shop::open();
    let (mut accepted, mut rejected) = (0, 0);
    for library in Library::all() {
        for given in [None, Some(IMPORTED[0]), Some(IMPORTED[2])] {
            let body = json!({"name": library.name, "scheme": "standard", "secret": given});
            let source = shop.api.post("/v1/tenants/acme/sources", &body).expect(201);
            let sender = Sender::of(&shop, source);
            let messages = messages(library, text(&sender.source, "secret"));
            for Message { what, genuine, signed } in &messages {
                let answer = status(&sender, signed);
                assert_eq!(answer, if *genuine { 200 } else { 401 }, "{what}");
                for (how, changed) in cases::changes(signed) {
                    assert_eq!(status(&sender, &changed), 401, "{what}: {how}");
                    rejected += 1;
                }
            }
            let genuine: Vec<_> = messages.iter().filter(|message| message.genuine).collect();
            for message in &genuine {
                assert_eq!(status(&sender, &message.signed), 200, "{} again", message.what);
            }
            assert_eq!(sender.events(&shop).len(), genuine.len(), "one event each");
            accepted += genuine.len();
            rejected += messages.len() - genuine.len();
        }
    }
    let libraries = Library::all().len();
    figure(format_args!(
        "a source: {libraries} libraries signed {accepted} messages that were accepted, and \
         {rejected} others that were rejected: 0 wrong"
    ));
}

#[test]
fn the_command_verifies_what_published_libraries_sign_and_they_what_it_signs() {
    let [first, second, _] = IMPORTED;
    let mut verdicts = 0;
    for library in Library::all() {
        for Message { what, genuine, signed } in messages(library, first) {
            let headers: Vec<String> =
                signed.headers.iter().map(|(name, value)| format!("-H{name}: {value}")).collect();
            let output = angarium("verify", &[first, second], &headers, &signed.body);
            let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!(told["valid"], json!(genuine), "{what}: {told}");
            assert_eq!(output.status.success(), genuine, "{what}: {told}");
            verdicts += 1;
        }
    }
    figure(format_args!("angarium verify: {verdicts} verdicts on what they signed: 0 wrong"));

    let mut all = Vec::new();
    for payload in payloads() {
        let body = payload.to_string();
        let output = angarium("sign", &[second], &["--id=msg_signed".to_owned()], &body);
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let headers = serde_json::from_value(told["headers"].clone()).expect("headers of text");
        let signed = Signed { headers, body };
        all.extend(cases::of("angarium sign", &signed, &[second]));
    }
    figure(format_args!("angarium sign: {}", judged(&all)));
}

/// What a library signed.
struct Message {
    what: String,
    /// Whether this is what who has the secret would send now.
    genuine: bool,
    signed: Signed,
}

/// Each body, signed by a library in every way that a sender might.
fn messages(library: &Library, secret: &str) -> Vec<Message> {
    let now = now();
    let ways = [
        ("now", secret, now, true),
        ("four minutes ago", secret, now - 240, true),
        ("in four minutes", secret, now + 240, true),
        ("ten minutes ago", secret, now - 600, false),
        ("in ten minutes", secret, now + 600, false),
        ("with another secret", STRANGER, now, false),
    ];
    let (mut messages, mut questions) = (Vec::new(), Vec::new());
    for (number, payload) in payloads().iter().enumerate() {
        for (how, secret, timestamp, genuine) in ways {
            let what = format!("{}, body {number}, {how}", library.name);
            let (id, body) = (format!("msg_{}", messages.len()), payload.to_string());
            let secret = secret.to_owned();
            questions.push(Question::Sign {
                secret,
                id: id.clone(),
                timestamp,
                body: body.clone(),
            });
            let headers = [(ID, id), (TIMESTAMP, timestamp.to_string())];
            let headers = headers.map(|(name, value)| (name.to_owned(), value)).into();
            messages.push(Message { what, genuine, signed: Signed { headers, body } });
        }
    }
    for (message, answer) in messages.iter_mut().zip(library.ask(&questions)) {
        let Answer::Signed(signature) = answer else { panic!("{}: {answer}", message.what) };
        message.signed.headers.insert(SIGNATURE.to_owned(), signature);
    }
    messages
}

/// What a source answers.
fn status(sender: &Sender, signed: &Signed) -> u16 {
    let mut caller = sender.caller.clone();
    caller.headers.extend(signed.headers.clone());
    let path = format!("/in/{}", sender.id());
    caller.call("POST", &path, Some(signed.body.as_bytes())).status
}

/// `angarium sign` or `verify` by the scheme `standard`.
fn angarium(command: &str, secrets: &[&str], others: &[String], body: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_angarium"))
        .args([command, "--scheme", "standard", "--json"])
        .args(secrets.iter().map(|secret| format!("--secret={secret}")))
        .args(others)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut input = child.stdin.take().expect("its input is piped");
    input.write_all(body.as_bytes()).expect("it reads the body");
    drop(input);
    child.wait_with_output().expect("it ends")
}

/// In unix seconds.
#[expect(clippy::disallowed_methods, reason = "the test is the third party, not the product")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("a time after 1970").as_secs().try_into().expect("seconds")
}
