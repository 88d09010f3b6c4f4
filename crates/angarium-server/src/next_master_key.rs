//! Where the next master key is found. It reaches the server by a file or the environment, as the
//! present one does; it stands in no call, answer, command line or log.

use angarium_core::secret::SecretText;
use angarium_store::seal::{MasterKey, NotAMasterKey};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// Where the next master key is, if there is one.
#[derive(Debug, Clone, Default)]
pub enum NextMasterKey {
    /// Nobody said where it might be.
    #[default]
    Nowhere,
    /// It was given with the start, by what is named.
    Given(MasterKey, &'static str),
    /// In this file, once it is there: it is read each time anew.
    File(PathBuf),
}

/// A next master key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NextMasterKeyError {
    /// The file is there and cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The file holds something else.
    #[error("{path} is not a master key: {reason}")]
    NotAKey {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: NotAMasterKey,
    },
}

impl NextMasterKey {
    /// The key, if it is there now.
    ///
    /// # Errors
    /// [`NextMasterKeyError`].
    pub fn find(&self) -> Result<Option<MasterKey>, NextMasterKeyError> {
        let path = match self {
            Self::Nowhere => return Ok(None),
            Self::Given(key, _) => return Ok(Some(key.clone())),
            Self::File(path) => path,
        };
        let text = match durable_text(path) {
            Ok(text) => SecretText::new(text),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(reason) => {
                return Err(NextMasterKeyError::Unreadable { path: path.clone(), reason });
            }
        };
        let key = MasterKey::from_base64(text.expose());
        key.map(Some).map_err(|reason| NextMasterKeyError::NotAKey { path: path.clone(), reason })
    }

    /// Where it is looked for, for people.
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Nowhere => None,
            Self::Given(_, name) => Some((*name).to_owned()),
            Self::File(path) => Some(path.display().to_string()),
        }
    }
}

/// What stands in a file, once it cannot be lost any more: a store that is put under a key must not
/// outlive it, and who has just written a file seldom syncs it.
fn durable_text(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    file.sync_all()?;
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(directory)?.sync_all()?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_each_time_and_what_is_wrong_with_it_is_said_without_its_text() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("master.key.next");
        let next = NextMasterKey::File(path.clone());
        assert!(next.find().expect("none is no error").is_none());
        let key = MasterKey::from_bytes([3; 32]);
        std::fs::write(&path, format!("{}\n", *key.to_base64())).expect("written");
        let found = next.find().expect("a key").expect("it is there");
        assert_eq!(found.id(), key.id());
        std::fs::write(&path, "c2VjcmV0\n").expect("written");
        let error = next.find().expect_err("too short").to_string();
        assert!(error.ends_with("master.key.next is not a master key: it has 6 bytes, not 32"));
        assert!(!error.contains("c2VjcmV0"), "{error}");
    }
}
