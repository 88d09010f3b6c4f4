//! What one side saw, a line for each fact, in a file that a killed server cannot touch.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// A file of lines; a line is there before [`Journal::note`] returns.
pub(super) struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    pub(super) fn create(path: &Path) -> Self {
        let file = File::create(path).expect("a journal");
        Self { path: path.to_owned(), file: Mutex::new(file) }
    }

    /// Writes a fact in one call, so that lines of several threads do not mix.
    pub(super) fn note(&self, words: &[&str]) {
        let line = words.join(" ") + "\n";
        let mut file = self.file.lock().expect("not poisoned");
        file.write_all(line.as_bytes()).expect("the journal can be written");
    }

    /// Waits until nothing is written any more: what a dead server had sent has been read, and
    /// counts as sent before its end.
    pub(super) fn wait_for_silence(&self) {
        let length = || std::fs::metadata(&self.path).map_or(0, |meta| meta.len());
        for _ in 0..100 {
            let before = length();
            std::thread::sleep(Duration::from_millis(60));
            if length() == before {
                return;
            }
        }
        panic!("the receivers are never silent");
    }

    /// All facts so far, synced.
    pub(super) fn read(&self) -> Vec<Vec<String>> {
        self.file.lock().expect("not poisoned").sync_all().expect("the journal can be synced");
        let text = std::fs::read_to_string(&self.path).expect("the journal");
        text.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
    }
}
