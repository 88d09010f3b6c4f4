//! Makes the calls of a running server fail: libfiu stands between it and libc (Debian's fiu-utils,
//! which `./test` installs).

use super::preloaded;
use super::server::{Server, Start};
use std::path::{Path, PathBuf};
use std::process::Command;

const RUNTIME: &str = "/usr/lib/fiu/fiu_run_preload.so";
const CALLS: &str = "/usr/lib/fiu/fiu_posix_preload.so";

/// The way to the libfiu of one server.
pub(crate) struct Injector {
    pipe: PathBuf,
}

impl Injector {
    /// A server that can be reached by `pipe`; `first` is preloaded before libfiu.
    pub(crate) fn put_under(start: Start, first: Option<&Path>, pipe: &Path) -> Start {
        let first = first.map_or(String::new(), |path| format!("{} ", path.display()));
        let preload = format!("{first}{} {}", preloaded(RUNTIME), preloaded(CALLS));
        let pipe = pipe.display().to_string();
        start.variable("LD_PRELOAD", &preload).variable("FIU_CTRL_FIFO", &pipe)
    }

    pub(crate) fn of(server: &Server, pipe: &Path) -> Self {
        Self { pipe: PathBuf::from(format!("{}-{}", pipe.display(), server.pid())) }
    }

    /// Gives an order in the words of libfiu's remote control.
    pub(crate) fn order(&self, command: &str) {
        let output = Command::new("fiu-ctrl").args(["-c", command]).arg(&self.pipe).output();
        let output = output.expect("`fiu-ctrl` (Debian: fiu-utils) is needed");
        let said = [output.stdout, output.stderr].concat();
        assert!(said.is_empty(), "{command}: {}", String::from_utf8_lossy(&said));
    }
}
