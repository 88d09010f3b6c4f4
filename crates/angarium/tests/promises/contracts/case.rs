//! What a file of `tests/contracts/` says: the promises that it shows, where it plays, its steps.
//!
//! `setting.toml` of a folder says where all its cases play; a case may add to it. What the steps
//! mean stands with their types; `tests/contracts/README.md` is the page for people.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One file.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) path: PathBuf,
    /// The rows of the list of promises that it shows.
    pub(super) shows: Vec<String>,
    pub(super) setting: Setting,
    pub(super) steps: Vec<Step>,
}

/// Where a case plays: a server with one environment, tenants with keys, a receiver.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setting {
    /// The environment's contracts, the first of which is the default.
    #[serde(default)]
    pub(super) contracts: Vec<String>,
    /// Names under which the environment is the root of the server.
    #[serde(default)]
    pub(super) hosts: Vec<String>,
    /// A contract of the folder's own, beside the built-in ones.
    pub(super) contract_file: Option<String>,
    /// The moment at which the clock stands.
    pub(super) clock: Option<String>,
    /// Headers of every `call`, where a step does not say otherwise.
    #[serde(default)]
    pub(super) headers: Texts,
    /// Proxies whose word for the address of a call is taken.
    #[serde(default)]
    pub(super) trusted_proxies: Vec<String>,
    /// A header of GET requests that the receiver sends back.
    pub(super) echo: Option<String>,
    #[serde(default)]
    pub(super) tenants: BTreeMap<String, Tenant>,
}

/// A tenant with API keys, which are bound to their names.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tenant {
    pub(super) plan: Option<String>,
    #[serde(default)]
    pub(super) keys: Vec<String>,
}

/// Names and texts.
pub(super) type Texts = BTreeMap<String, String>;

/// What is done, or awaited.
#[derive(Debug)]
pub(super) enum Step {
    Call(Call),
    Native(Native),
    Publish(Publish),
    Arrives(Arrives),
    Replies(Replies),
    Passes(Passes),
    Quiet(Quiet),
    Mac(Mac),
}

/// A call of a customer, under the environment's own URL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    /// `POST /v1/webhooks`.
    pub(super) call: String,
    /// At the root of this host, instead of below the environment's URL.
    pub(super) host: Option<String>,
    /// Over those of the setting; an empty one is not sent.
    #[serde(default)]
    pub(super) headers: Texts,
    pub(super) body: Option<String>,
    pub(super) status: u16,
    #[serde(default)]
    pub(super) answer_headers: Texts,
    /// The whole answer: JSON with these members in this order, whatever the space between them.
    pub(super) answer: Option<String>,
}

/// A call of the platform's own, by the native API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Native {
    pub(super) native: String,
    #[serde(default)]
    pub(super) headers: Texts,
    pub(super) body: Option<String>,
    pub(super) status: Option<u16>,
    /// Some of the answer's members, by JSON pointer; asked again until they are so.
    #[serde(default)]
    pub(super) holds: toml::Table,
    /// JSON pointers to what must not be there.
    #[serde(default)]
    pub(super) lacks: Vec<String>,
}

/// An event, by `POST /v1/events`; the text is sent as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Publish {
    pub(super) publish: String,
    #[serde(default = "accepted")]
    pub(super) status: u16,
    /// How many endpoints it goes to.
    pub(super) endpoints: Option<u64>,
    /// What its id is bound to.
    pub(super) id: Option<String>,
}

/// The next request at a path of the receiver.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arrives {
    /// `POST /hook?a=b`.
    pub(super) arrives: String,
    #[serde(default)]
    pub(super) headers: Texts,
    /// Headers that it must not have.
    #[serde(default)]
    pub(super) without: Vec<String>,
    /// Byte for byte. `<body>` is bound to it.
    pub(super) body: Option<String>,
}

/// How the receiver answers the next requests at its paths; then with 200 again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replies {
    /// By path: statuses, `"hang up"`, `"late"` (200 in 1.5 seconds), `"11s late"`.
    pub(super) replies: BTreeMap<String, Vec<toml::Value>>,
}

/// The clock goes forward.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Passes {
    pub(super) passes: String,
}

/// Nothing arrives that was not told of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quiet {
    /// How long it is listened for, in real milliseconds.
    pub(super) quiet: u64,
}

/// A signature is computed, without the product, and compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mac {
    /// `hmac-sha256` or `hmac-sha512`, and `hex` or `base64`.
    pub(super) mac: String,
    /// Its text is the key; `base64:` before it says that it is decoded first.
    pub(super) key: String,
    pub(super) content: String,
    pub(super) is: String,
}

fn accepted() -> u16 {
    202
}

/// The folder of all cases.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contracts")
}

/// The cases of a folder, in the order of their names.
pub(super) fn of_folder(folder: &str) -> Vec<Case> {
    let folder = root().join(folder);
    let setting = read(&folder.join("setting.toml"));
    let entries = std::fs::read_dir(&folder).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    let is_case = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.ends_with(".toml") && !["setting.toml", "contract.toml"].contains(&name)
    };
    paths.retain(is_case);
    paths.sort();
    paths.into_iter().map(|path| parse(path, &setting)).collect()
}

fn read(path: &Path) -> toml::Table {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn parse(path: PathBuf, setting: &toml::Table) -> Case {
    let mut table = read(&path);
    let at = path.display().to_string();
    let shows = take(&mut table, "shows").unwrap_or_else(|| panic!("{at}: it shows nothing"));
    let steps = take(&mut table, "step").unwrap_or_else(|| panic!("{at}: it has no steps"));
    let shows = typed(&at, shows);
    let steps: Vec<toml::Table> = typed(&at, steps);
    let steps = steps.into_iter().enumerate();
    let steps = steps.map(|(n, step)| parse_step(&format!("{at}, step {}", n + 1), step)).collect();
    let mut whole = setting.clone();
    merge(&mut whole, table);
    let setting = typed(&at, toml::Value::Table(whole));
    Case { path, shows, setting, steps }
}

fn take(table: &mut toml::Table, name: &str) -> Option<toml::Value> {
    table.remove(name)
}

/// Tables grow, everything else is replaced.
fn merge(into: &mut toml::Table, from: toml::Table) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(toml::Value::Table(known)), toml::Value::Table(more)) => merge(known, more),
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

fn parse_step(at: &str, step: toml::Table) -> Step {
    let is = |verb: &str| step.contains_key(verb);
    let value = toml::Value::Table(step.clone());
    match () {
        () if is("call") => Step::Call(typed(at, value)),
        () if is("native") => Step::Native(typed(at, value)),
        () if is("publish") => Step::Publish(typed(at, value)),
        () if is("arrives") => Step::Arrives(typed(at, value)),
        () if is("replies") => Step::Replies(typed(at, value)),
        () if is("passes") => Step::Passes(typed(at, value)),
        () if is("quiet") => Step::Quiet(typed(at, value)),
        () if is("mac") => Step::Mac(typed(at, value)),
        () => panic!("{at}: nothing is done in it"),
    }
}

fn typed<T: serde::de::DeserializeOwned>(at: &str, value: toml::Value) -> T {
    value.try_into().unwrap_or_else(|error| panic!("{at}: {error}"))
}
