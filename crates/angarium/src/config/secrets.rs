//! The secrets of the configuration. They are never flags: a command line is public.

use super::{ConfigError, Settings};
use angarium_core::secret::SecretText;
use angarium_server::entropy::{Entropy, OsEntropy, random};
use angarium_server::next_master_key::NextMasterKey;
use angarium_store::seal;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The environment variable of the master key.
const MASTER_KEY: &str = "ANGARIUM_MASTER_KEY";
/// The environment variable of the next master key.
const NEXT_MASTER_KEY: &str = "ANGARIUM_NEXT_MASTER_KEY";
/// The environment variable of the instance's admin key.
const ADMIN_KEY: &str = "ANGARIUM_ADMIN_KEY";
/// The fewest characters that it may have: 128 random bits in hex.
pub(super) const ADMIN_KEY_CHARS: usize = 32;
/// The file that `--dev` makes in the data directory.
const DEV_KEY_FILE: &str = "master.key";

/// What the next master key's file ends with.
const NEXT: &str = "next";

/// Said when there is no master key: what it is for and how to make one.
pub(super) const NO_MASTER_KEY: &str = "there is no master key, and without one no secret can be \
stored.
  Make one:        openssl rand -base64 32 > master.key   (or: angarium key generate-master)
  and start with:  angarium serve --master-key-file master.key
  or put its text into the environment variable ANGARIUM_MASTER_KEY.
  Keep a copy apart from the backups: without it they cannot be read.
  To try things out:  angarium serve --dev   makes one in the data directory";

/// The master key and where it came from.
pub(crate) struct MasterKey {
    /// The key itself.
    pub(crate) key: seal::MasterKey,
    /// For people.
    pub(crate) origin: String,
    /// The file that was written for it, when it was made just now.
    pub(crate) made: Option<PathBuf>,
}

/// Finds the master key: environment, file, and with `--dev` the one in the data directory, made
/// if it is not there.
///
/// # Errors
/// There is none, or it is not one.
pub(crate) fn master_key(settings: &Settings) -> Result<MasterKey, ConfigError> {
    match find_master_key(settings) {
        Err(ConfigError::NoMasterKey) if settings.dev => made(settings.data.join(DEV_KEY_FILE)),
        found => found,
    }
}

/// Finds the master key, and makes none.
///
/// # Errors
/// There is none, or it is not one.
pub(crate) fn find_master_key(settings: &Settings) -> Result<MasterKey, ConfigError> {
    if let Some(text) = variable(MASTER_KEY) {
        return decoded(&text, MASTER_KEY.to_owned());
    }
    if let Some(path) = &settings.master_key_file {
        return from_file(path);
    }
    let dev_file = settings.data.join(DEV_KEY_FILE);
    match settings.dev && dev_file.exists() {
        true => from_file(&dev_file),
        false => Err(ConfigError::NoMasterKey),
    }
}

/// Where the next master key is to be found: environment, its own file, or beside the master key's
/// file.
///
/// # Errors
/// The environment has one that is none.
pub(crate) fn next_master_key(settings: &Settings) -> Result<NextMasterKey, ConfigError> {
    if let Some(text) = variable(NEXT_MASTER_KEY) {
        let given = decoded(&text, NEXT_MASTER_KEY.to_owned())?;
        return Ok(NextMasterKey::Given(given.key, NEXT_MASTER_KEY));
    }
    let dev_file = settings.data.join(DEV_KEY_FILE);
    let present = match (&settings.master_key_file, settings.dev) {
        _ if variable(MASTER_KEY).is_some() => None,
        (Some(file), _) => Some(file.as_path()),
        (None, true) => Some(dev_file.as_path()),
        (None, false) => None,
    };
    let beside = present.map(|file| file.with_added_extension(NEXT));
    let file = settings.next_master_key_file.clone().or(beside);
    Ok(file.map_or(NextMasterKey::Nowhere, NextMasterKey::File))
}

/// The instance's admin key, if the environment has one. With `--dev` a short one is good enough,
/// and logged.
///
/// # Errors
/// It can be guessed, or cannot be sent.
pub(crate) fn admin_key(settings: &Settings) -> Result<Option<SecretText>, ConfigError> {
    let Some(text) = std::env::var_os(ADMIN_KEY).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match judged(&text.to_string_lossy()) {
        Err(weak @ ConfigError::WeakAdminKey { .. }) if settings.dev => tracing::warn!("{weak}"),
        judged => judged?,
    }
    Ok(Some(SecretText::new(text.to_string_lossy())))
}

/// Whoever has this key may do everything, and it is sent in a header.
fn judged(text: &str) -> Result<(), ConfigError> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ConfigError::UnfitAdminKey);
    }
    match text.len() {
        length if length < ADMIN_KEY_CHARS => Err(ConfigError::WeakAdminKey { length }),
        _ => Ok(()),
    }
}

/// A new master key's text.
pub(crate) fn generate(entropy: &dyn Entropy) -> String {
    seal::MasterKey::from_bytes(random(entropy)).to_base64().to_string()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn from_file(path: &Path) -> Result<MasterKey, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File {
        path: path.to_owned(),
        verb: "read",
        source,
    })?;
    decoded(&text, path.display().to_string())
}

fn decoded(text: &str, origin: String) -> Result<MasterKey, ConfigError> {
    match seal::MasterKey::from_base64(text) {
        Ok(key) => Ok(MasterKey { key, origin, made: None }),
        Err(reason) => Err(ConfigError::BadMasterKey { origin, reason }),
    }
}

fn made(path: PathBuf) -> Result<MasterKey, ConfigError> {
    let text = generate(&OsEntropy);
    write_private(&path, &text).map_err(|source| ConfigError::File {
        path: path.clone(),
        verb: "written",
        source,
    })?;
    Ok(MasterKey { made: Some(path.clone()), ..decoded(&text, path.display().to_string())? })
}

/// Writes a file that only its owner can read, and that was not there before; its directory, if
/// there is none, is for its owner too.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_key_is_32_bytes_in_base64_and_nothing_else() {
        let text = generate(&OsEntropy);
        assert!(decoded(&format!("{text}\n"), "x".to_owned()).is_ok());
        for (bad, reason) in [("§", "it is not base64"), ("AAAA", "it has 3 bytes, not 32")] {
            let error = decoded(bad, "x".to_owned()).err().expect(bad).to_string();
            assert_eq!(error, format!("x is not a master key: {reason}"));
        }
    }

    #[test]
    fn an_admin_key_is_long_enough_and_can_stand_in_a_header() {
        let says = |text: &str| judged(text).err().map(|error| error.to_string());
        assert_eq!(says(&"x".repeat(ADMIN_KEY_CHARS)), None);
        let weak = says(&"x".repeat(ADMIN_KEY_CHARS - 1)).expect("it is refused");
        assert!(weak.contains("has 31 characters") && weak.contains("openssl rand"), "{weak}");
        for unfit in ["a b", "tab\t", "line\n", "schl\u{fc}ssel"] {
            let long = unfit.repeat(ADMIN_KEY_CHARS);
            assert!(says(&long).is_some_and(|error| error.contains("visible ASCII")), "{unfit}");
        }
    }

    #[test]
    fn a_made_key_is_for_its_owner_only_and_reads_back() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("data").join(DEV_KEY_FILE);
        let key = made(path.clone()).expect("it is made");
        let mode = |path: &Path| {
            let made = std::fs::metadata(path).expect("it is there");
            made.permissions().mode() & 0o777
        };
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().expect("its directory")), 0o700);
        let read = from_file(&path).expect("it reads back").key;
        assert_eq!(*read.to_base64(), *key.key.to_base64());
    }
}
