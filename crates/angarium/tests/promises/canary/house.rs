//! A server that knows a secret of every kind and logs all it can, and a record of whatever anybody
//! could get to see of it.

use super::secret::{Canaries, Place};
use crate::support::client::{Answer, Api};
use crate::support::eventually;
use crate::support::message::Message;
use crate::support::receiver::{Receiver, Reply};
use crate::support::server::{Server, Start, executable};
use crate::support::shop::text;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(60);

/// A receiver's path, how it answers, and the secret that a request to it carries.
type Endpoint = (&'static str, fn() -> Reply, Option<&'static str>);

/// Receivers fail in as many ways as they can without the bad host.
const ENDPOINTS: [Endpoint; 7] = [
    ("/plain", || Reply::Status(200), None),
    ("/basic", || Reply::Status(500), Some("password")),
    ("/bearer", || Reply::HangUp, Some("token")),
    ("/header", || Reply::Headed(429, "retry-after: 1\r\n".into()), Some("value of a header")),
    ("/query", || Reply::Headed(302, "location: /plain\r\n".into()), Some("value in the query")),
    ("/custom", || Reply::Status(410), Some("custom header")),
    ("/forward", || Reply::Status(200), None),
];

/// See the module.
pub(super) struct House {
    folder: TempDir,
    pub(super) canaries: Canaries,
    /// None while it is ended.
    server: Option<Server>,
    address: String,
    start: Start,
    admin: String,
    pub(super) receiver: Receiver,
    pub(super) places: Vec<Place>,
}

impl House {
    pub(super) fn open(authority: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut canaries = Canaries::default();
        let admin = canaries.word("admin key");
        let master = folder.path().join("master.key");
        std::fs::write(&master, canaries.key("master key")).expect("a file");
        let start = Start::local(&folder.path().join("data"))
            .argument(&format!("--master-key-file={}", master.display()))
            .argument(&format!("--trust-ca={}", authority.display()))
            .argument("--public-url=https://hooks.example.com")
            .argument("--log=trace")
            .variable("ANGARIUM_ADMIN_KEY", &admin);
        let receiver = Receiver::scripted(|request| {
            let path = path(request);
            let found = ENDPOINTS.iter().find(|(own, ..)| *own == path);
            found.map_or(Reply::Status(404), |(_, answer, _)| answer())
        });
        let server = start.run();
        let address = server.address.clone();
        let (server, places) = (Some(server), Vec::new());
        Self { folder, canaries, server, address, start, admin, receiver, places }
    }

    /// The admin's calls about the environment.
    pub(super) fn admin(&self) -> Api {
        self.as_key(&self.admin).with("angarium-environment", "shop")
    }

    pub(super) fn as_key(&self, key: &str) -> Api {
        Api::new(&self.address, key)
    }

    /// A call whose answer is kept; `shows` are the secrets that it is meant to show.
    pub(super) fn call(
        &mut self,
        api: &Api,
        call: &str,
        body: Option<&Value>,
        shows: &[&'static str],
    ) -> Answer {
        let (method, path) = call.split_once(' ').expect("a method and a path");
        let body = body.map(Value::to_string);
        let answer = api.call(method, path, body.as_deref().map(str::as_bytes));
        self.keep_message(format!("the answer to {call}"), &answer.message, shows);
        answer
    }

    pub(super) fn admin_call(&mut self, call: &str, body: &Value, status: u16) -> Value {
        let api = self.admin();
        let body = (!body.is_null()).then_some(body);
        self.call(&api, call, body, &[]).expect(status)
    }

    /// A call that shows secrets once: each by its kind and where it stands.
    pub(super) fn revealing(
        &mut self,
        call: &str,
        body: &Value,
        shows: &[(&'static str, &str)],
    ) -> Value {
        let kinds: Vec<_> = shows.iter().map(|(kind, _)| *kind).collect();
        let api = self.admin();
        let answer = self.call(&api, call, Some(body), &kinds);
        assert!(matches!(answer.status, 200 | 201), "{call}: {}", answer.body);
        for (kind, pointer) in shows {
            let secret = answer.body.pointer(pointer).and_then(Value::as_str);
            self.canaries.know(kind, secret.unwrap_or_else(|| panic!("{pointer} of {call}")));
        }
        answer.body
    }

    /// A command of the program; both of its outputs are kept.
    pub(super) fn command(&mut self, arguments: &[&str]) {
        let output = Command::new(executable())
            .args(arguments)
            .env("ANGARIUM_URL", format!("http://{}", self.address))
            .env("ANGARIUM_KEY", &self.admin)
            .env("ANGARIUM_ENVIRONMENT", "shop")
            .env("ANGARIUM_DATA", self.data())
            .env("ANGARIUM_MASTER_KEY_FILE", self.folder.path().join("master.key"))
            .output()
            .expect("the program starts");
        let name = format!("what `angarium {}` printed", arguments.join(" "));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {said}");
        self.keep(name, [output.stdout, output.stderr].concat(), &[]);
    }

    /// Waits until no delivery of an event goes on.
    pub(super) fn wait_until_all_ended(&self, event: &str) {
        let (api, path) = (self.admin(), format!("/v1/deliveries?event={event}"));
        eventually("all deliveries ended", SOON, || {
            std::thread::sleep(Duration::from_millis(100));
            let goes_on =
                |row: &Value| matches!(text(row, "state"), "queued" | "pending" | "in_flight");
            !api.list(&path).iter().any(goes_on)
        });
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Keeps every file of the store as it is now.
    pub(super) fn keep_files(&mut self, when: &str) {
        let files = std::fs::read_dir(self.data()).expect("the data");
        for file in files.map(|file| file.expect("a file").path()).filter(|file| file.is_file()) {
            let bytes = std::fs::read(&file).expect("a file");
            self.keep(format!("{} {when}", file.display()), bytes, &[]);
        }
    }

    /// Keeps a copy that was asked for, of a store that nobody uses.
    pub(super) fn keep_backup(&mut self) {
        let copy = self.file("copy.db");
        self.command(&["backup", &copy.display().to_string()]);
        let bytes = std::fs::read(copy).expect("the copy");
        self.keep("the backup".into(), bytes, &[]);
    }

    /// Ends the server.
    pub(super) fn end(&mut self, how: impl FnOnce(Server)) {
        how(self.server.take().expect("it runs"));
    }

    /// Starts it again on the same data.
    pub(super) fn start(&mut self) {
        let server = self.start.run();
        self.address.clone_from(&server.address);
        self.server = Some(server);
    }

    /// What the server has said in all its runs.
    pub(super) fn log(&self) -> String {
        self.server.as_ref().expect("it runs").log()
    }

    pub(super) fn keep(&mut self, name: String, bytes: Vec<u8>, shows: &[&'static str]) {
        self.places.push(Place { name, bytes, shows: shows.to_vec() });
    }

    fn keep_message(&mut self, name: String, message: &Message, shows: &[&'static str]) {
        let mut bytes = format!("{}\n", message.first_line).into_bytes();
        for (name, value) in &message.headers {
            bytes.extend(format!("{name}: {value}\n").into_bytes());
        }
        bytes.extend(&message.body);
        self.keep(name, bytes, shows);
    }

    /// Keeps every request that the receiver got; each may carry its own endpoint's secret.
    pub(super) fn keep_requests(&mut self) {
        for request in self.receiver.seen() {
            let path = path(&request);
            let own = ENDPOINTS.iter().find(|(own, ..)| *own == path);
            let shows: Vec<_> = own.and_then(|(_, _, kind)| *kind).into_iter().collect();
            self.keep_message(format!("the request to {path}"), &request, &shows);
        }
    }

    /// An endpoint for each of the receiver's paths, each with a secret of its own.
    pub(super) fn make_endpoints(&mut self) -> Vec<String> {
        let mut ids = Vec::new();
        for (path, _, kind) in &ENDPOINTS[..6] {
            let mut endpoint = json!({
                "url": self.receiver.url(path), "types": ["*"],
                "delivery": {"timeout": "1s", "retries": ["100ms"]},
            });
            let value = kind.map(|kind| self.canaries.word(kind)).unwrap_or_default();
            match *path {
                "/basic" => {
                    endpoint["auth"] =
                        json!({"type": "basic", "username": "shop", "password": value});
                }
                "/bearer" => endpoint["auth"] = json!({"type": "bearer", "token": value}),
                "/header" | "/query" => {
                    let kind = &path[1..];
                    endpoint["auth"] = json!({"type": kind, "name": "x-given", "value": value});
                }
                "/custom" => endpoint["headers"] = json!({"x-custom": value}),
                _ => {
                    let own = self.canaries.key("endpoint's secret");
                    endpoint["secret"] = json!(format!("whsec_{own}"));
                }
            }
            let api = self.admin().with("idempotency-key", &format!("made-{path}"));
            let call = "POST /v1/tenants/acme/endpoints";
            let shown: &[&'static str] =
                if *path == "/plain" { &["endpoint's secret"] } else { &["made secret"] };
            let made = self.call(&api, call, Some(&endpoint), shown).expect(201);
            if *path != "/plain" {
                self.canaries.know("made secret", text(&made, "secret"));
            }
            ids.push(text(&made, "id").to_owned());
        }
        ids
    }
}

/// The path of a request, without its query.
fn path(request: &Message) -> String {
    let target = request.first_line.split(' ').nth(1).unwrap_or_default();
    target.split('?').next().unwrap_or_default().to_owned()
}
