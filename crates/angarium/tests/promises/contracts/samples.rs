//! The pages' own samples, run as they are printed: only the host is replaced and the key put in.
//! The texts stand in the folders' `page/`, to the letter. So do the commands on the pages that
//! Angarium makes from the contracts.

use super::case::root;
use crate::support::client::Api;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::{Server, Start};
use crate::support::shop::text;
use crate::support::{eventually, tls};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);

/// The real executable with one environment, named like its contract, and a customer with a key.
struct Platform {
    server: Server,
    api: Api,
    contract: &'static str,
    key: String,
    folder: TempDir,
}

impl Platform {
    fn open(contract: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = folder.path().join("authority.pem");
        std::fs::write(&authority, &tls::of_the_run().authority).expect("written");
        let contracts = folder.path().join("contracts");
        std::fs::create_dir(&contracts).expect("a folder");
        let invented = root().join("invented/contract.toml");
        std::fs::copy(invented, contracts.join("tidewater.toml")).expect("a contract");
        let server = Start::local(&folder.path().join("data"))
            .argument(&format!("--trust-ca={}", authority.display()))
            .argument(&format!("--contracts={}", contracts.display()))
            .run();
        let environment = json!({"slug": contract, "title": contract, "contracts": [contract]});
        server.admin().post("/v1/environments", &environment).expect(201);
        let api = server.admin().with("angarium-environment", contract);
        // A tier that the platform asks for; the other contracts have no plans.
        let plan = match contract {
            "aioka" => Some("basic"),
            "tidewater" => Some("sloop"),
            _ => None,
        };
        let tenant = api.put("/v1/tenants/acme", &json!({"plan": plan}));
        assert!(matches!(tenant.status, 200 | 201), "{}", tenant.body);
        let key = json!({"name": "customer", "tenant": "acme", "scopes": ["manage", "read"]});
        let key = text(&api.post("/v1/keys", &key).expect(201), "key").to_owned();
        Self { server, api, contract, key, folder }
    }

    /// Runs a printed command with the page's host and key replaced by those of this server.
    fn run_printed(&self, file: &str, host: &str, key: &str) -> Value {
        let printed = std::fs::read_to_string(root().join(self.contract).join("page").join(file));
        let printed = printed.expect("the page's text");
        assert!(printed.contains(host) && printed.contains(key), "{printed}");
        let base = format!("http://{}/e/{}", self.server.address, self.contract);
        let printed = self.run(&printed.replace(host, &base).replace(key, &self.key));
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{printed}: {error}"))
    }

    /// Runs a command as it is and answers what it prints; curl fails on anything but a 2xx.
    fn run(&self, command: &str) -> String {
        let curlrc = self.folder.path().join(".curlrc");
        std::fs::write(curlrc, "fail-with-body\nsilent\nshow-error\n").expect("written");
        let output = Command::new("sh")
            .args(["-c", command])
            .env("CURL_HOME", self.folder.path())
            .env("CURL_CA_BUNDLE", self.folder.path().join("authority.pem"))
            .env("no_proxy", "*")
            .output()
            .expect("a shell");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}\n{errors}\n{printed}");
        printed
    }

    /// The commands of the page that is made for the platform's customers.
    fn commands(&self) -> Vec<String> {
        let page = self.server.admin().get(&format!("/docs/{}.md", self.contract));
        assert_eq!(page.status, 200, "{}", page.body);
        let page = String::from_utf8(page.message.body).expect("text");
        let fenced = page.split("```sh\n").skip(1);
        let commands = fenced.filter_map(|rest| rest.split("```").next());
        commands.filter(|command| command.starts_with("curl ")).map(str::to_owned).collect()
    }

    /// The id of the only webhook; none if there is none. A source's own endpoint is not one.
    fn only_webhook(&self) -> Option<String> {
        let kind = if self.contract == "alumia" { "sources" } else { "endpoints" };
        let webhooks = self.api.get(&format!("/v1/{kind}?tenant=acme")).expect(200);
        webhooks["data"][0]["id"].as_str().map(str::to_owned)
    }
}

fn names(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn k1_the_printed_curl_registers_and_answers_the_printed_members() {
    let platform = Platform::open("aioka");
    let made = platform.run_printed("register.sh", "https://api.aioka.io", "your_api_key");
    let printed = std::fs::read_to_string(root().join("aioka/page/registered.json"));
    let printed: Value = serde_json::from_str(&printed.expect("the page's text")).expect("JSON");
    assert_eq!(names(&made), names(&printed));
    for same in ["url", "events", "is_active"] {
        assert_eq!(made[same], printed[same]);
    }
    assert!(text(&made, "id").starts_with("wh_"));
    assert!(text(&made, "secret").starts_with("whsec_"));
    let created = text(&made, "created_at");
    assert_eq!(created.len(), text(&printed, "created_at").len(), "{created}");
}

#[test]
fn l2_the_printed_curl_creates_a_webhook_and_its_secret_is_stored_encrypted() {
    let platform = Platform::open("alumia");
    let key = "alm_live_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    let made = platform.run_printed("create.sh", "https://alumia.com", key);
    let members = [
        "id",
        "name",
        "url",
        "source",
        "description",
        "events",
        "status",
        "enabled",
        "deliveryCount",
        "lastDeliveryAt",
        "createdAt",
        "updatedAt",
        "receiveUrl",
        "secret",
    ];
    assert_eq!(names(&made), members);
    let secret = text(&made, "secret");
    let decoded = STANDARD.decode(&secret["whsec_".len()..]).expect("base64");
    let mut bytes_read = 0;
    for entry in std::fs::read_dir(platform.folder.path().join("data")).expect("the data") {
        let path = entry.expect("readable").path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        for clear in [secret.as_bytes(), &secret.as_bytes()["whsec_".len()..], &decoded] {
            let stands = bytes.windows(clear.len()).any(|window| window == clear);
            assert!(!stands, "{}", path.display());
        }
        bytes_read += bytes.len();
    }
    assert!(bytes_read > 4_096, "only {bytes_read} bytes of data");
}

#[test]
fn a4_the_printed_curl_answers_the_signing_keys() {
    let platform = Platform::open("aleta");
    let endpoint = json!({"url": "https://hooks.example.com/", "types": ["*"]});
    platform.api.post("/v1/tenants/acme/endpoints", &endpoint).expect(201);
    platform.api.post("/v1/tenants/acme/signing-keys/rotate", &json!({})).expect(200);
    let keys = platform.run_printed("keys.sh", "https://api.aleta.io", "{token}");
    let keys = keys["keys"].as_array().expect("keys");
    let statuses: Vec<&str> = keys.iter().map(|key| text(key, "status")).collect();
    assert_eq!(statuses, ["active", "retired"]);
    for key in keys {
        assert_eq!(names(key), ["id", "secret", "status", "created_at", "retired_at"]);
    }
}

/// What the printed function says.
fn verify_webhook(body: &[u8], signature: &str, secret: &str) -> String {
    let call = "import sys; exec(open(sys.argv[1]).read()); \
                print(verify_webhook(sys.stdin.buffer.read(), sys.argv[2], sys.argv[3]))";
    let mut python = Command::new("python3")
        .args(["-c", call])
        .arg(root().join("aioka/page/verify_webhook.py"))
        .args([signature, secret])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    python.stdin.take().expect("piped").write_all(body).expect("it reads");
    let output = python.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn k2_the_printed_python_is_true_for_every_delivery_and_false_for_a_changed_byte() {
    let platform = Platform::open("aioka");
    let answered = AtomicUsize::new(0);
    let receiver = Receiver::secured(move |_| match answered.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Status(500),
        _ => Reply::Status(200),
    });
    let endpoint = json!({
        "url": receiver.secure_url("/aioka-webhook"),
        "types": ["*"],
        "delivery": {"retries": ["200ms"]},
    });
    let made = platform.api.post("/v1/tenants/acme/endpoints", &endpoint).expect(201);
    let secret = text(&made, "secret");
    let types = platform.api.get("/v1/event-types").expect(200);
    let types = types["data"].as_array().expect("types").clone();
    assert_eq!(types.len(), 5);
    for kind in &types {
        let event = json!({"tenant": "acme", "type": kind["type"], "data": kind["example"]});
        platform.api.post("/v1/events", &event).expect(202);
    }
    let beyond_ascii = r#"{"tenant":"acme","type":"verdict.new","data":{"ruling":"É — ✓"}}"#;
    let answer = platform.api.call("POST", "/v1/events", Some(beyond_ascii.as_bytes()));
    answer.expect(202);
    let expected = types.len() + 2;
    eventually("every event and one retry", SOON, || receiver.count() >= expected);
    for request in receiver.seen() {
        let signature = request.header("x-aioka-signature").expect("a signature");
        assert_eq!(verify_webhook(&request.body, signature, secret), "True");
        let mut changed = request.body.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        assert_eq!(verify_webhook(&changed, signature, secret), "False");
    }
}

/// The id that stands in the pages' samples, found where it follows the path of the webhooks.
fn sample_id(commands: &[String]) -> Option<String> {
    let is_id = |part: &&str| part.starts_with("wh_") || part.split('-').count() == 5;
    let line = |command: &String| {
        let url = command.split_whitespace().find(|word| word.starts_with("http"))?;
        url.split('/').find(is_id).map(str::to_owned)
    };
    commands.iter().find_map(line)
}

#[test]
fn page_every_curl_command_of_every_made_page_runs_as_printed() {
    for (contract, expected) in [
        ("aioka", 4),
        ("aleta", 8),
        ("alumia", 11),
        ("anduin-legacy", 6),
        ("anduin", 6),
        ("tidewater", 8),
    ] {
        let platform = Platform::open(contract);
        let receiver = Receiver::secured(|request| {
            let name = "x-anduin-webhook-validation-key";
            match request.header(name) {
                Some(_) => Reply::Echo(name.to_owned()),
                None => Reply::Status(200),
            }
        });
        let commands = platform.commands();
        assert_eq!(commands.len(), expected, "{contract}: {commands:#?}");
        let sample = sample_id(&commands).expect("a sample's id");
        // The reader's key and URL; everything else is printed for this server.
        let put_in = |command: &str| {
            let command = command.replace("your_api_key", &platform.key);
            command.replace("https://example.com/webhooks", &receiver.secure_url("/webhooks"))
        };
        let registering = put_in(&commands[0]);
        for command in &commands {
            let mut command = put_in(command);
            if command.contains(&sample) {
                if platform.only_webhook().is_none() {
                    platform.run(&registering);
                }
                let id = platform.only_webhook().expect("it was registered");
                command = command.replace(&sample, &id);
            }
            platform.run(&command);
        }
    }
}
