//! One way out (S1): who adds another client, connector or look-up does not get past the linters.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What opens a connection, sends a datagram or resolves a name, in std and tokio.
const METHODS: [&str; 8] = [
    "std::net::TcpStream::connect",
    "std::net::TcpStream::connect_timeout",
    "std::net::UdpSocket::bind",
    "std::net::ToSocketAddrs::to_socket_addrs",
    "tokio::net::TcpStream::connect",
    "tokio::net::TcpSocket::connect",
    "tokio::net::UdpSocket::bind",
    "tokio::net::lookup_host",
];

/// Clients that dial by themselves.
const CLIENTS: [&str; 11] = [
    "reqwest",
    "ureq",
    "isahc",
    "curl",
    "surf",
    "awc",
    "attohttpc",
    "minreq",
    "hyper-rustls",
    "hyper-tls",
    "tokio-socks",
];

/// The places that may, each for a reason that stands there. Only the first is of the server.
const REVIEWED: [&str; 3] = [
    "angarium-server/src/egress/dial.rs",
    "angarium/src/badhost/serve.rs",
    "angarium/src/client.rs",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &str) -> String {
    let path = root().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_other_way_out_is_named_to_the_linters() {
    let (clippy, deny, lock) = (read("clippy.toml"), read("deny.toml"), read("Cargo.lock"));
    for method in METHODS {
        assert!(clippy.contains(&format!("path = \"{method}\"")), "clippy.toml: {method}");
    }
    for client in CLIENTS {
        assert!(deny.contains(&format!("crate = \"{client}\"")), "deny.toml: {client}");
        assert!(!lock.contains(&format!("name = \"{client}\"\n")), "Cargo.lock: {client}");
    }
    let connector = "crate = \"hyper-util\"\ndeny = [\"client\", \"client-legacy\"";
    assert!(deny.contains(connector), "deny.toml: the features of hyper-util");
}

#[test]
fn only_reviewed_places_open_connections() {
    let mut found = BTreeSet::new();
    look_through(&root().join("crates"), &mut found);
    assert_eq!(found, REVIEWED.map(str::to_owned).into());
}

/// Source files of what is shipped that ask to be let past the ban on connections.
fn look_through(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.strip_prefix(root().join("crates")).expect("below it").to_string_lossy();
        let is_shipped = name.split('/').nth(1).is_none_or(|part| part == "src");
        if path.is_dir() && is_shipped {
            look_through(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && is_shipped {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let opens = ["::connect(", "lookup_host", "to_socket_addrs", "UdpSocket::bind"];
            if text.contains("disallowed_methods") && opens.iter().any(|open| text.contains(open)) {
                found.insert(name.into_owned());
            }
        }
    }
}

/// A crate that does what is forbidden, under the repository's own rules.
#[test]
fn another_connector_fails_the_linter() {
    const FORBIDDEN: &str = "
        use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
        pub fn one(to: SocketAddr) -> bool { TcpStream::connect(to).is_ok() }
        pub fn two(to: SocketAddr) -> bool {
            TcpStream::connect_timeout(&to, std::time::Duration::from_secs(1)).is_ok()
        }
        pub fn three(to: SocketAddr) -> bool { UdpSocket::bind(to).is_ok() }
        pub fn four(name: &str) -> bool { name.to_socket_addrs().is_ok() }
    ";
    let scratch = tempfile::tempdir().expect("a folder");
    let manifest = "[package]\nname = \"scratch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
                    [workspace]\n[lib]\npath = \"lib.rs\"\n";
    std::fs::write(scratch.path().join("Cargo.toml"), manifest).expect("written");
    std::fs::write(scratch.path().join("lib.rs"), FORBIDDEN).expect("written");
    let clippy = Command::new(env!("CARGO"))
        .args(["clippy", "--quiet", "--offline", "--", "-D", "clippy::disallowed_methods"])
        .current_dir(scratch.path())
        .env("CARGO_TARGET_DIR", scratch.path().join("target"))
        .env("CLIPPY_CONF_DIR", root())
        .output()
        .expect("clippy runs");
    let told = String::from_utf8_lossy(&clippy.stderr);
    assert!(!clippy.status.success(), "{told}");
    for method in METHODS.iter().filter(|method| method.starts_with("std::")) {
        assert!(
            told.contains(&format!("use of a disallowed method `{method}`")),
            "{method}: {told}"
        );
    }
}
