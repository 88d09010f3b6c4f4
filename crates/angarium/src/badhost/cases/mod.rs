//! The table of cases, a file a stage.

mod body;
mod connect;
mod dns;
mod head;
mod http2;
mod informational;
mod proxy;
mod status;
mod tls;

use super::case::{Case, Expected, Identity, Place, Socket, Stage};
use super::script::Step;
pub(super) use dns::answers_for;
pub(super) use status::answer_with;

/// Every case, in the order in which an attempt can meet them.
pub(super) fn all() -> Vec<Case> {
    let stages = [
        dns::cases(),
        proxy::cases(),
        connect::cases(),
        tls::cases(),
        head::cases(),
        informational::cases(),
        status::cases(),
        body::cases(),
        http2::cases(),
    ];
    stages.into_iter().flatten().collect()
}

/// A case below its own path.
fn path(
    stage: Stage,
    name: &str,
    does: &str,
    expected: Expected,
    script: impl Into<Vec<Step>>,
) -> Case {
    let script = script.into();
    Case { name: name.into(), stage, place: Place::Path, does: does.into(), expected, script }
}

/// A case on a TCP port of its own.
fn port(
    socket: Socket,
    name: &str,
    does: &str,
    expected: Expected,
    script: impl Into<Vec<Step>>,
) -> Case {
    let place = Place::Port(socket);
    Case { place, ..path(Stage::Connect, name, does, expected, script) }
}

/// A case on a TLS port of its own.
fn tls_port(
    stage: Stage,
    identity: Identity,
    name: &str,
    does: &str,
    expected: Expected,
    script: impl Into<Vec<Step>>,
) -> Case {
    Case { place: Place::TlsPort(identity), ..path(stage, name, does, expected, script) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_case_has_a_name_of_its_own_that_is_a_path() {
        let cases = all();
        let names: BTreeSet<&str> = cases.iter().map(|case| &*case.name).collect();
        assert_eq!(names.len(), cases.len());
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(names.iter().all(|name| name.chars().all(is_plain)), "{names:?}");
    }
}
