//! Lays flags, environment, file and defaults over each other, and remembers which won.

use super::file::{self, FileKey, FileValue};
use super::{ConfigError, Settings};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag.
    Flag,
    /// The environment variable of this name.
    Environment(String),
    /// A line of the configuration file.
    File(usize),
    /// Nothing was said.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag => f.write_str("flag"),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::File(line) => write!(f, "file, line {line}"),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// The settings in force, and the origin of each.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) settings: Settings,
    /// Key, value as text, origin; in the order of the reference.
    pub(crate) origins: Vec<(String, String, Origin)>,
}

impl Loaded {
    /// Reads the file that flags or environment name, and puts it below them.
    ///
    /// # Errors
    /// The file cannot be read, or one of its keys or values is not allowed.
    pub(crate) fn new(given: &ArgMatches) -> Result<Self, ConfigError> {
        let path = given.get_one::<std::path::PathBuf>("config");
        let keys = match path {
            Some(path) => checked(file::read(path)?, path)?,
            None => Vec::new(),
        };
        let command = command();
        let mut arguments = Vec::new();
        let mut origins = Vec::new();
        for arg in command.get_arguments() {
            let id = arg.get_id().as_str();
            let long = arg.get_long().unwrap_or(id);
            let from_file = keys.iter().find(|key| key.name == long);
            let (values, origin) = strongest(given, arg, from_file);
            let shown: Vec<String> = values.iter().map(|v| v.display().to_string()).collect();
            origins.push((long.to_owned(), shown.join(", "), origin));
            arguments.extend(values.into_iter().map(|value| argument(long, &value)));
        }
        let matches = command
            .try_get_matches_from(arguments)
            .expect("every value was parsed before it was laid over the others");
        let settings = Settings::from_arg_matches(&matches).expect("as above");
        Ok(Self { settings, origins })
    }
}

/// The arguments alone, without environment and program name.
fn command() -> Command {
    Settings::augment_args(Command::new("angarium").no_binary_name(true))
        .mut_args(|arg| arg.env(None::<&str>))
}

fn argument(long: &str, value: &std::ffi::OsStr) -> OsString {
    let mut argument = OsString::from(format!("--{long}="));
    argument.push(value);
    argument
}

fn strongest(
    given: &ArgMatches,
    arg: &clap::Arg,
    from_file: Option<&FileKey>,
) -> (Vec<OsString>, Origin) {
    let id = arg.get_id().as_str();
    let said = || -> Vec<OsString> {
        let raw = given.get_raw(id).unwrap_or_default();
        raw.map(ToOwned::to_owned).collect()
    };
    match (given.value_source(id), from_file) {
        (Some(ValueSource::CommandLine), _) => (said(), Origin::Flag),
        (Some(ValueSource::EnvVariable), _) => {
            let name = format!("ANGARIUM_{}", id.to_uppercase());
            (said(), Origin::Environment(name))
        }
        (_, Some(key)) => {
            let values = key.values.iter().map(|v| OsString::from(&v.text)).collect();
            let line = key.values.first().map_or(0, |value| value.line);
            (values, Origin::File(line))
        }
        (_, None) => (said(), Origin::Default),
    }
}

/// Every key of the file is one of ours, and every value passes the flag's own parser.
fn checked(keys: Vec<FileKey>, path: &Path) -> Result<Vec<FileKey>, ConfigError> {
    let command = command();
    for key in &keys {
        let known = command
            .get_arguments()
            .any(|arg| arg.get_long() == Some(&key.name) && key.name != "config");
        for value in &key.values {
            let refused = |reason| ConfigError::Key {
                path: path.display().to_string(),
                line: value.line,
                key: key.name.clone(),
                reason,
            };
            if !known {
                return Err(refused(unknown_key(&command)));
            }
            check_value(&command, key, value).map_err(refused)?;
        }
    }
    Ok(keys)
}

fn check_value(command: &Command, key: &FileKey, value: &FileValue) -> Result<(), String> {
    let argument = format!("--{}={}", key.name, value.text);
    match command.clone().try_get_matches_from([argument]) {
        Ok(_) => Ok(()),
        Err(error) => {
            use std::error::Error;
            let reason = error.source().map(ToString::to_string);
            Err(reason.unwrap_or_else(|| format!("`{}` is not allowed", value.text)))
        }
    }
}

fn unknown_key(command: &Command) -> String {
    let names: Vec<&str> = command
        .get_arguments()
        .filter_map(clap::Arg::get_long)
        .filter(|name| *name != "config" && *name != "limit")
        .collect();
    format!("no such key; the keys are {} and [limits]", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(arguments: &[&str]) -> Result<Loaded, ConfigError> {
        let matches = command().try_get_matches_from(arguments).expect("the flags are right");
        Loaded::new(&matches)
    }

    fn origin(loaded: &Loaded, key: &str) -> Origin {
        let found = loaded.origins.iter().find(|(name, _, _)| name == key);
        found.expect("the key exists").2.clone()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("it can be written");
        file
    }

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
        let file = file("listen = \"127.0.0.1:1\"\ndev = true\n[limits]\npage = 7\n");
        let path = format!("--config={}", file.path().display());
        let loaded = load(&[&path, "--listen=127.0.0.1:2"]).expect("all is right");
        assert_eq!(loaded.settings.listen.port(), 2);
        assert_eq!(origin(&loaded, "listen"), Origin::Flag);
        assert!(loaded.settings.dev);
        assert_eq!(origin(&loaded, "dev"), Origin::File(2));
        assert_eq!(origin(&loaded, "grace"), Origin::Default);
        assert_eq!(loaded.settings.limits(100_000).page, 7);
    }

    #[test]
    fn what_is_wrong_in_the_file_is_named_with_key_and_line() {
        for (text, expected) in [
            ("dev = true\nlissten = \"x\"\n", "line 2: lissten: no such key"),
            ("listen = \"nowhere\"\n", "line 1: listen: "),
            ("\nstore = \"postgres://h/d\"\n", "line 2: store: this version has the embedded"),
            ("[limits]\nbody_bites = 3\n", "line 2: limit: there is no limit `body_bites`"),
            ("[limits]\npage = \"many\"\n", "line 2: limit: page takes a whole number"),
            ("allow-cidr = [\"10.0.0.0/8\", \"x\"]\n", "line 1: allow-cidr: "),
            ("config = \"other\"\n", "line 1: config: no such key"),
        ] {
            let file = file(text);
            let error = load(&[&format!("--config={}", file.path().display())])
                .expect_err("it is wrong")
                .to_string();
            assert!(error.contains(expected), "{error}\nhas no `{expected}`");
        }
    }
}
