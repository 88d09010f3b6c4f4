//! The write-ahead log before SQLite reads it.
//!
//! SQLite takes the log up to the first frame whose checksum is wrong and forgets the rest without
//! a word: after a power cut that is the transaction that was under way. Two things are done first.
//!
//! - **Examined.** Every commit is synced before the next one begins, so a power cut leaves at most
//!   one behind a frame that is not there. Where frames that follow a bad one still make two, it
//!   was there once: it is damaged, and what was acknowledged must not be forgotten.
//! - **Settled.** After a failed sync the system may hold pages as clean that never reached the
//!   disk, and no later sync would write them. SQLite would read them, trust them, and append to
//!   them. So what is there is written once more where it stands, and synced.

use crate::error::{StoreError, StoreResult};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const HEAD: usize = 32;
const FRAME_HEAD: usize = 24;
/// `PRAGMA page_size`: what to go by when the log's head is damaged.
const PAGE: usize = 8192;
/// More pages than this (128 GiB) are taken for garbage.
const MOST_PAGES: u32 = 1 << 24;
/// How many frames behind a bad one are tried as a new beginning.
const TRIED: usize = 8;

/// Examines a log and settles it; nothing to do if there is none.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is damaged; [`StoreError::CannotOpen`] when the disk fails.
pub(super) fn settle(path: &Path) -> StoreResult<()> {
    let cannot = |error: std::io::Error| StoreError::CannotOpen {
        path: path.display().to_string(),
        reason: error.to_string(),
    };
    let mut file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot(error)),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.is_empty() {
        return Ok(());
    }
    if let Some(frame) = damage(&bytes) {
        let path = path.display();
        return Err(StoreError::Corrupt(format!(
            "{path}, frame {}: synced commits stand behind it and would be forgotten",
            frame + 1
        )));
    }
    file.write_all_at(&bytes, 0).and_then(|()| file.sync_data()).map_err(cannot)
}

/// Two running sums.
type Sum = [u32; 2];

/// A log's frames, and how they are to be read.
struct Log<'a> {
    frames: Vec<&'a [u8]>,
    salts: [u8; 8],
    big_endian: bool,
}

/// The first bad frame, if what follows it shows that it was good once.
fn damage(bytes: &[u8]) -> Option<usize> {
    let (log, start) = Log::open(bytes)?;
    let Some(start) = start else {
        // The log's head itself is bad.
        return (log.commits_after(0) >= 2).then_some(0);
    };
    let mut sum = start;
    let good = log.frames.iter().take_while(|frame| match log.follows(sum, frame) {
        Some(next) => {
            sum = next;
            true
        }
        None => false,
    });
    let bad = good.count();
    let frame = log.frames.get(bad)?;
    // The frame's own sum may be what is damaged: then the next one follows from the right one.
    let mended = log.commits_from(log.sum(sum, frame), bad + 1);
    let direct = log.commits_from(stored_sum(frame), bad + 1);
    let commits = match (mended, direct) {
        (0, 0) => log.commits_after(bad + 1),
        (0, commits) => commits + usize::from(log.ended_commit(sum, frame)),
        (commits, _) => commits + usize::from(ends_commit(frame)),
    };
    (commits >= 2).then_some(bad)
}

impl<'a> Log<'a> {
    /// A log with the sum of its head; no sum if the head is bad.
    fn open(bytes: &'a [u8]) -> Option<(Self, Option<Sum>)> {
        let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
        let magic = word(head, 0);
        let mut log = Self { frames: Vec::new(), salts: [0; 8], big_endian: magic & 1 == 1 };
        let sum = log.add([0, 0], &head[..24]);
        let is_good = magic >> 1 == 0x377f_0682 >> 1 && sum == [word(head, 24), word(head, 28)];
        let page = if is_good { word(head, 8) as usize } else { PAGE };
        log.frames = rest.chunks_exact(FRAME_HEAD + page.max(512)).collect();
        let salts = if is_good { &head[16..24] } else { log.frames.first()?.get(8..16)? };
        log.salts.copy_from_slice(salts);
        log.big_endian &= is_good;
        Some((log, is_good.then_some(sum)))
    }

    /// The sum after a frame, if it is the one that follows.
    fn follows(&self, before: Sum, frame: &[u8]) -> Option<Sum> {
        let sum = self.sum(before, frame);
        (frame[8..16] == self.salts && sum == stored_sum(frame)).then_some(sum)
    }

    /// Commits in the unbroken row of frames from `first` on that follows from a sum.
    fn commits_from(&self, mut sum: Sum, first: usize) -> usize {
        let mut commits = 0;
        for frame in self.frames.iter().skip(first) {
            let Some(next) = self.follows(sum, frame) else {
                break;
            };
            sum = next;
            commits += usize::from(ends_commit(frame));
        }
        commits
    }

    /// Commits in the first unbroken row that begins with one of the next frames.
    fn commits_after(&self, first: usize) -> usize {
        let starts = self.frames.iter().enumerate().skip(first).take(TRIED);
        let rows = starts.map(|(at, frame)| self.commits_from(stored_sum(frame), at + 1));
        rows.into_iter().find(|commits| *commits > 0).unwrap_or_default()
    }

    fn sum(&self, before: Sum, frame: &[u8]) -> Sum {
        self.add(self.add(before, &frame[..8]), &frame[FRAME_HEAD..])
    }

    /// Whether a bad frame whose sum is good ended a commit. If its page is good too, they say what
    /// its first two words were: the head may lie on two sectors, of which one was not written.
    fn ended_commit(&self, before: Sum, frame: &[u8]) -> bool {
        let [a, b] = self.take_back(stored_sum(frame), &frame[FRAME_HEAD..]);
        let page = a.wrapping_sub(before[0]).wrapping_sub(before[1]);
        let pages = b.wrapping_sub(before[1]).wrapping_sub(a);
        // They stand there as big-endian numbers, and are far below what chance would make of them.
        let is_small =
            |word: u32| (if self.big_endian { word } else { word.swap_bytes() }) < MOST_PAGES;
        match is_small(page) && is_small(pages) {
            true => pages != 0,
            false => ends_commit(frame),
        }
    }

    /// The sum before these bytes were added.
    fn take_back(&self, [mut a, mut b]: Sum, bytes: &[u8]) -> Sum {
        let (words, _) = bytes.as_chunks::<4>();
        let (pairs, _) = words.as_chunks::<2>();
        for [first, second] in pairs.iter().rev() {
            b = b.wrapping_sub(self.number(*second)).wrapping_sub(a);
            a = a.wrapping_sub(self.number(*first)).wrapping_sub(b);
        }
        [a, b]
    }

    fn number(&self, word: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    }

    fn add(&self, [mut a, mut b]: Sum, bytes: &[u8]) -> Sum {
        let (words, _) = bytes.as_chunks::<4>();
        let (pairs, _) = words.as_chunks::<2>();
        for [first, second] in pairs {
            a = a.wrapping_add(self.number(*first)).wrapping_add(b);
            b = b.wrapping_add(self.number(*second)).wrapping_add(a);
        }
        [a, b]
    }
}

/// A frame that ends a commit says how many pages the database has then.
fn ends_commit(frame: &[u8]) -> bool {
    word(frame, 4) != 0
}

fn stored_sum(frame: &[u8]) -> Sum {
    [word(frame, 16), word(frame, 20)]
}

/// A big-endian number; 0 where there is none.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    const FRAME: usize = FRAME_HEAD + PAGE;

    /// The log of a database with a few commits, the last one of several frames.
    fn log() -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.db");
        let database = Connection::open(&file).expect("a database");
        let begin = "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; CREATE TABLE t (a)";
        database.execute_batch(begin).expect("a table");
        for size in [100, 100, 100, 60_000] {
            database.execute("INSERT INTO t VALUES (zeroblob(?1))", [size]).expect("a row");
        }
        std::fs::read(file.with_extension("db-wal")).expect("its log")
    }

    #[test]
    fn a_log_that_a_power_cut_left_is_good_and_a_damaged_one_is_not() {
        let log = log();
        let frames = (log.len() - HEAD) / FRAME;
        let frame = |at: usize| &log[HEAD + at * FRAME..HEAD + (at + 1) * FRAME];
        let last_commit =
            (0..frames - 1).rposition(|at| ends_commit(frame(at))).map_or(0, |at| at + 1);
        assert!(last_commit > 3 && last_commit + 5 < frames, "{last_commit} of {frames}");
        assert_eq!(damage(&log), None);
        assert!((0..log.len()).step_by(997).all(|cut| damage(&log[..cut]).is_none()));
        for frame in 0..frames {
            for at in [0, 5, 9, 18, 22, 3_000] {
                let mut flipped = log.clone();
                flipped[HEAD + frame * FRAME + at] ^= 0x10;
                let found = damage(&flipped);
                // The last commit may not have been synced.
                let certain = frame < last_commit;
                assert_eq!(found, certain.then_some(frame), "frame {frame} of {frames}, {at}");
            }
        }
        let mut headless = log.clone();
        headless[20] ^= 1;
        assert_eq!(damage(&headless), Some(0));
    }

    #[test]
    fn a_log_is_settled_without_a_change_and_a_damaged_one_is_refused_by_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, mut log) = (folder.path().join("angarium.db-wal"), log());
        assert!(settle(&path).is_ok(), "there is none");
        std::fs::write(&path, &log).expect("written");
        assert!(settle(&path).is_ok());
        assert_eq!(std::fs::read(&path).expect("the log"), log);
        log[HEAD + 100] ^= 1;
        std::fs::write(&path, &log).expect("written");
        let refused = settle(&path).expect_err("damaged").to_string();
        assert!(refused.contains("angarium.db-wal, frame 1"), "{refused}");
    }
}
