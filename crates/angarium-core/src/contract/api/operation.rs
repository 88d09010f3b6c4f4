//! What a route can do: a closed set, each with what it reads and what it can answer.

use super::request_map::Field;

/// Most dead letters that one answer shows.
pub const MOST_DEAD_LETTERS: usize = 100;

/// An operation of the gateway that a contract's route may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Makes an endpoint.
    EndpointCreate,
    /// Lists endpoints, newest first.
    EndpointList,
    /// Shows an endpoint.
    EndpointGet,
    /// Changes an endpoint.
    EndpointUpdate,
    /// Deletes an endpoint.
    EndpointDelete,
    /// Sends a test event.
    EndpointTest,
    /// Shows what goes wrong: endpoints with their health, and dead letters.
    DiagnosticsShow,
    /// Lists signing keys.
    KeysList,
    /// Makes a new signing key.
    KeysRotate,
}

/// What an operation takes and gives.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Whether `{id}` stands in the path.
    pub id: IdInPath,
    /// What the request may set.
    pub fields: &'static [Field],
    /// What the request must set.
    pub needed: &'static [Field],
    /// Whether it only reads, that is, is called by GET.
    pub access: Access,
}

/// Whether `{id}` stands in an operation's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdInPath {
    /// Always.
    Needed,
    /// It may.
    Optional,
    /// Never.
    Never,
}

/// Whether an operation only reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It is called by GET.
    Reads,
    /// It is not.
    Changes,
}

impl Operation {
    pub(in crate::contract) const NAMES: &[(&str, Operation)] = &[
        ("endpoint.create", Operation::EndpointCreate),
        ("endpoint.list", Operation::EndpointList),
        ("endpoint.get", Operation::EndpointGet),
        ("endpoint.update", Operation::EndpointUpdate),
        ("endpoint.delete", Operation::EndpointDelete),
        ("endpoint.test", Operation::EndpointTest),
        ("diagnostics.show", Operation::DiagnosticsShow),
        ("keys.list", Operation::KeysList),
        ("keys.rotate", Operation::KeysRotate),
    ];

    /// As a contract writes it.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, operation)| *operation == self);
        found.map_or("", |(name, _)| name)
    }

    /// What it takes and gives.
    pub fn bounds(self) -> Bounds {
        use Field as F;
        const SETTINGS: &[Field] = &[
            F::Url,
            F::Types,
            F::Subjects,
            F::Name,
            F::Description,
            F::Active,
            F::Status,
            F::Secret,
        ];
        const TEST: &[Field] = &[F::EndpointId, F::EventType, F::EventData];
        let (id, fields, access): (_, &[Field], _) = match self {
            Operation::EndpointCreate => (IdInPath::Never, SETTINGS, Access::Changes),
            Operation::EndpointList | Operation::DiagnosticsShow => {
                (IdInPath::Never, &[], Access::Reads)
            }
            Operation::EndpointGet => (IdInPath::Needed, &[], Access::Reads),
            Operation::EndpointUpdate => {
                (IdInPath::Needed, SETTINGS.split_at(SETTINGS.len() - 1).0, Access::Changes)
            }
            Operation::EndpointDelete => (IdInPath::Needed, &[], Access::Changes),
            Operation::EndpointTest => (IdInPath::Optional, TEST, Access::Changes),
            Operation::KeysList => (IdInPath::Optional, &[], Access::Reads),
            Operation::KeysRotate => (IdInPath::Optional, &[F::Secret], Access::Changes),
        };
        let needed: &[Field] = match self {
            Operation::EndpointCreate => &[F::Url, F::Types],
            Operation::EndpointList
            | Operation::EndpointGet
            | Operation::EndpointUpdate
            | Operation::EndpointDelete
            | Operation::EndpointTest
            | Operation::DiagnosticsShow
            | Operation::KeysList
            | Operation::KeysRotate => &[],
        };
        Bounds { id, fields, needed, access }
    }
}
