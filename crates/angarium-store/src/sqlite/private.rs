//! The files are for their owner's eyes only: secrets in them are encrypted, events are not.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

const OF_OWNER: u32 = 0o600;
const DIRECTORY_OF_OWNER: u32 = 0o700;
/// What others than the owner may do.
const OTHERS: u32 = 0o077;

/// Makes a directory if there is none; says so in the log where others may enter one that is there:
/// whoever made it may have meant it.
pub(super) fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.exists() {
        let mode = fs::metadata(directory)?.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            let path = directory.display();
            tracing::warn!(%path, "others may enter the data directory (mode {mode:o}): chmod 700");
        }
        return Ok(());
    }
    fs::create_dir_all(directory)?;
    fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_OF_OWNER))
}

/// Opens a file to write, and makes it if there is none.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let file = options.create(true).truncate(false).write(true).mode(OF_OWNER).open(path)?;
    close_to_others(path);
    Ok(file)
}

/// Makes a new file.
pub(super) fn make(path: &Path) -> io::Result<()> {
    File::options().create_new(true).write(true).mode(OF_OWNER).open(path).map(drop)
}

/// Sees to it that a database's files are private, and that those will be that are made beside it:
/// SQLite gives them the mode of the database. One that is there is not opened for that: closing it
/// would end the locks that this process has on it.
pub(super) fn keep(database: &Path) -> io::Result<()> {
    if !database.exists() {
        return make(database);
    }
    close_to_others(database);
    for extension in ["db-wal", "db-shm"] {
        close_to_others(&database.with_extension(extension));
    }
    Ok(())
}

fn close_to_others(path: &Path) {
    let closed = fs::metadata(path).and_then(|file| match file.permissions().mode() & OTHERS {
        0 => Ok(()),
        _ => fs::set_permissions(path, Permissions::from_mode(OF_OWNER)),
    });
    match closed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "others may read a file of the store");
        }
        Ok(()) | Err(_) => {}
    }
}
