//! The recorder's trace, and the disks that a power cut could leave behind.
//!
//! The model of the disk: what was synced is there. Of what was written later, each sector may be
//! there or not, and one may be torn; so later writes can be there without earlier ones. What a
//! sync that failed was to write is never there, whatever is synced later, unless it is written
//! again. Names (creation, removal, renaming) are taken as lasting at once: the store creates its
//! files before the first event and renames none.

use crate::support::dice::Dice;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One change of a file.
pub(crate) enum Change {
    Write { path: PathBuf, offset: usize, data: Vec<u8> },
    Truncate { path: PathBuf, length: usize },
    Sync { path: PathBuf },
    SyncFailed { path: PathBuf },
    Unlink { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf },
}

/// Every change, each with the position in the trace where its record ends.
pub(crate) fn read(trace: &Path) -> Vec<(u64, Change)> {
    let bytes = std::fs::read(trace).expect("the trace");
    let mut rest = bytes.as_slice();
    let mut changes = Vec::new();
    // A kill may cut the last record short; what it tells of had not been answered.
    while let Some((change, after)) = parse(rest) {
        rest = after;
        changes.push(((bytes.len() - rest.len()) as u64, change));
    }
    changes
}

fn parse(bytes: &[u8]) -> Option<(Change, &[u8])> {
    let (operation, rest) = bytes.split_first()?;
    let (path_length, rest) = rest.split_first_chunk::<4>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let (data_length, rest) = rest.split_first_chunk::<4>()?;
    let (path, rest) = rest.split_at_checked(u32::from_le_bytes(*path_length) as usize)?;
    let (data, rest) = rest.split_at_checked(u32::from_le_bytes(*data_length) as usize)?;
    let text = |bytes: &[u8]| PathBuf::from(String::from_utf8_lossy(bytes).into_owned());
    let offset = usize::try_from(i64::from_le_bytes(*offset)).expect("a place in a file");
    let path = text(path);
    let change = match operation {
        1 => Change::Write { path, offset, data: data.to_vec() },
        2 => Change::Truncate { path, length: offset },
        3 => Change::Sync { path },
        6 => Change::SyncFailed { path },
        4 => Change::Unlink { path },
        5 => Change::Rename { from: path, to: text(data) },
        other => panic!("the trace is damaged: operation {other}"),
    };
    Some((change, rest))
}

/// What is on the disk for certain, and what may be.
#[derive(Default)]
pub(crate) struct Disk {
    files: BTreeMap<PathBuf, FileState>,
}

#[derive(Default)]
struct FileState {
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

enum Pending {
    Write { offset: usize, data: Vec<u8> },
    Truncate { length: usize },
}

impl Disk {
    /// Takes a change over.
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { path, offset, data } => {
                let write = Pending::Write { offset: *offset, data: data.clone() };
                self.file(path).pending.push(write);
            }
            Change::Truncate { path, length } => {
                self.file(path).pending.push(Pending::Truncate { length: *length });
            }
            Change::Sync { path } => {
                let file = self.file(path);
                for pending in std::mem::take(&mut file.pending) {
                    match pending {
                        Pending::Write { offset, data } => put(&mut file.durable, offset, &data),
                        Pending::Truncate { length } => file.durable.resize(length, 0),
                    }
                }
            }
            // The system has told of the error and takes the pages for clean: they can be read, but
            // nothing writes them to the disk any more.
            Change::SyncFailed { path } => self.file(path).pending.clear(),
            Change::Unlink { path } => drop(self.files.remove(path)),
            Change::Rename { from, to } => {
                if let Some(file) = self.files.remove(from) {
                    self.files.insert(to.clone(), file);
                }
            }
        }
    }

    fn file(&mut self, path: &Path) -> &mut FileState {
        self.files.entry(path.to_owned()).or_default()
    }

    /// Writes one of the disks that a cut at this moment could leave into `folder`.
    pub(crate) fn image(&self, folder: &Path, dice: &mut Dice) {
        let sector = if dice.chance(50) { 512 } else { 4096 };
        let kept_percent = [0, 50, 90, 100][usize::try_from(dice.below(4)).unwrap_or_default()];
        for (path, file) in &self.files {
            let mut bytes = file.durable.clone();
            for pending in &file.pending {
                match pending {
                    Pending::Truncate { length } if dice.chance(kept_percent) => {
                        bytes.resize(*length, 0);
                    }
                    Pending::Truncate { .. } => {}
                    Pending::Write { offset, data } => {
                        keep_some(&mut bytes, *offset, data, sector, kept_percent, dice);
                    }
                }
            }
            let name = path.file_name().expect("a file's name");
            std::fs::write(folder.join(name), bytes).expect("an image");
        }
    }
}

/// Keeps a random part of a write's sectors, now and then only the beginning of one.
fn keep_some(
    bytes: &mut Vec<u8>,
    offset: usize,
    data: &[u8],
    sector: usize,
    kept_percent: u64,
    dice: &mut Dice,
) {
    let mut start = 0;
    while start < data.len() {
        let end = ((offset + start) / sector + 1) * sector - offset;
        let end = end.min(data.len());
        if dice.chance(kept_percent) {
            let torn = dice.chance(2);
            let length = (end - start) as u64;
            let kept = if torn { dice.below(length) } else { length };
            let kept = usize::try_from(kept).expect("a sector's length");
            put(bytes, offset + start, &data[start..start + kept]);
        }
        start = end;
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}
