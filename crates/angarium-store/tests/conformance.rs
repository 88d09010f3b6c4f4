//! The conformance suite on each form of the embedded store.

use angarium_store::conformance::{Harness, Restarts};
use angarium_store::seal::MasterKey;
use angarium_store::sqlite::{Mode, SqliteConfig, SqliteStore, Synchronous};
use angarium_store::{SharedStore, restart_cases, store_cases};
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

fn open(path: Option<PathBuf>, mode: Mode) -> SharedStore {
    let config = SqliteConfig {
        path,
        master_key: MasterKey::from_bytes([5; 32]),
        next_master_key: None,
        synchronous: Synchronous::Full,
        mode,
    };
    Arc::new(SqliteStore::open(config).expect("a store"))
}

struct Files {
    directory: TempDir,
    mode: Mode,
}

impl Files {
    fn new(mode: Mode) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory, mode }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

#[async_trait]
impl Harness for Files {
    async fn store(&self) -> SharedStore {
        open(Some(self.data()), self.mode)
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("copy.db")
    }
}

#[async_trait]
impl Restarts for Files {
    async fn restart(&self, store: SharedStore) -> SharedStore {
        store.close().await;
        open(Some(self.data()), self.mode)
    }

    async fn open_copy(&self, copy: &Path) -> SharedStore {
        let directory = self.directory.path().join("restored");
        std::fs::create_dir(&directory).expect("a directory");
        std::fs::copy(copy, directory.join("angarium.db")).expect("copied");
        open(Some(directory), self.mode)
    }

    async fn bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.data()).expect("a directory");
        files.flat_map(|file| std::fs::read(file.expect("a file").path()).expect("bytes")).collect()
    }
}

struct Memory {
    directory: TempDir,
    mode: Mode,
}

impl Memory {
    fn new(mode: Mode) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory, mode }
    }
}

#[async_trait]
impl Harness for Memory {
    async fn store(&self) -> SharedStore {
        open(None, self.mode)
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("copy.db")
    }
}

mod sqlite_file {
    use super::*;
    store_cases!(Files::new(Mode::Threads));
    restart_cases!(Files::new(Mode::Threads));
}

mod sqlite_file_in_place {
    use super::*;
    store_cases!(Files::new(Mode::InPlace));
    restart_cases!(Files::new(Mode::InPlace));
}

mod sqlite_memory {
    use super::*;
    store_cases!(Memory::new(Mode::Threads));
}

mod sqlite_memory_in_place {
    use super::*;
    store_cases!(Memory::new(Mode::InPlace));
}
