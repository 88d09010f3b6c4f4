//! The published libraries, installed as their users install them: by pip, npm and cargo, each in a
//! folder of its own below the target, once for each version. A small program beside each of them
//! hands it the questions.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

const PYTHON: &str = "1.1.0";
const JAVASCRIPT: &str = "1.1.1";
const RUST: &str = "1.0.1";

/// What a library is asked.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Question {
    Verify { secret: String, headers: BTreeMap<String, String>, body: String },
    Sign { secret: String, id: String, timestamp: i64, body: String },
}

/// What it says; anything but its own word for a refusal ends the program.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    Verified,
    Refused(String),
    Signed(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified => f.write_str("verified"),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::Signed(signature) => write!(f, "signed: {signature}"),
        }
    }
}

/// A library that is ready to be asked.
pub(crate) struct Library {
    /// Language and version.
    pub(crate) name: String,
    folder: Folder,
    program: Vec<&'static str>,
}

impl Library {
    /// Each of them, installed by the test that comes first.
    pub(crate) fn all() -> &'static [Self] {
        static ALL: OnceLock<[Library; 3]> = OnceLock::new();
        ALL.get_or_init(|| [python(), javascript(), rust()])
    }

    /// One answer a question, in the same order.
    pub(crate) fn ask(&self, questions: &[Question]) -> Vec<Answer> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        serde_json::to_writer(&file, questions).expect("questions are JSON");
        let asked = File::open(file.path()).expect("the questions");
        let output = self.folder.call(&self.program, asked.into());
        let answers: Vec<Answer> = serde_json::from_slice(&output.stdout).expect("answers");
        assert_eq!(answers.len(), questions.len(), "{}: one answer a question", self.name);
        answers
    }
}

fn python() -> Library {
    let folder = Folder::of("python");
    let _alone = folder.alone();
    folder.write("webhooks.py", include_str!("programs/webhooks.py"));
    let package = format!("standardwebhooks=={PYTHON}");
    let pip = ["venv/bin/python", "-m", "pip", "install", "--disable-pip-version-check", &package];
    folder.install(PYTHON, &[&["python3", "-m", "venv", "--clear", "venv"], &pip]);
    let program = vec!["venv/bin/python", "-B", "webhooks.py"];
    Library { name: format!("Python {PYTHON}"), folder, program }
}

fn javascript() -> Library {
    let folder = Folder::of("javascript");
    let _alone = folder.alone();
    folder.write("webhooks.mjs", include_str!("programs/webhooks.mjs"));
    folder.write("package.json", "{ \"private\": true }\n");
    let package = format!("standardwebhooks@{JAVASCRIPT}");
    let npm = ["npm", "install", "--prefix", ".", "--no-save", "--no-audit", "--no-fund"];
    let npm = [&npm[..], &["--no-package-lock", "--ignore-scripts", &package]].concat();
    folder.install(JAVASCRIPT, &[&npm]);
    Library {
        name: format!("JavaScript {JAVASCRIPT}"),
        folder,
        program: vec!["node", "webhooks.mjs"],
    }
}

fn rust() -> Library {
    let folder = Folder::of("rust");
    let _alone = folder.alone();
    folder.write("src/main.rs", include_str!("programs/main.rs"));
    folder.write("Cargo.toml", &include_str!("programs/Cargo.toml.txt").replace("VERSION", RUST));
    // Cargo knows by itself what is installed; what it builds depends on the program too.
    folder.call(&["cargo", "build", "--quiet"], Stdio::null());
    Library { name: format!("Rust {RUST}"), folder, program: vec!["target/debug/webhooks"] }
}

/// Where one library lives.
struct Folder(PathBuf);

impl Folder {
    fn of(language: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libraries").join(language);
        std::fs::create_dir_all(path.join("src")).expect("a folder");
        Self(path)
    }

    /// Until it is dropped no other run of the tests installs here.
    fn alone(&self) -> File {
        let lock = File::create(self.0.join("lock")).expect("a file");
        lock.lock().expect("a lock");
        lock
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        if !std::fs::read_to_string(&path).is_ok_and(|there| there == text) {
            std::fs::write(path, text).expect("a file of the program");
        }
    }

    /// Does these steps, unless this version is there.
    fn install(&self, version: &str, steps: &[&[&str]]) {
        let stamp = self.0.join("installed");
        if std::fs::read_to_string(&stamp).is_ok_and(|there| there == version) {
            return;
        }
        println!("installing standardwebhooks {version} into {}", self.0.display());
        for step in steps {
            self.call(step, Stdio::null());
        }
        std::fs::write(stamp, version).expect("a file");
    }

    /// Runs a command here; a path is one below the folder.
    fn call(&self, command: &[&str], input: Stdio) -> Output {
        let (program, arguments) = command.split_first().expect("a command");
        let program =
            if program.contains('/') { self.0.join(program) } else { PathBuf::from(program) };
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", self.0.join("target"))
            .stdin(input)
            .output()
            .unwrap_or_else(|error| {
                panic!("{command:?}: {error}; ./test installs what the tests need")
            });
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?} in {}: {told}", self.0.display());
        output
    }
}
