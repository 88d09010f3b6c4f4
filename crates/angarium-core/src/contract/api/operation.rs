//! What a route can do: a closed set, each with what it reads and what it can answer.

use super::request_map::Field;

/// Most dead letters that one answer shows.
pub const MOST_DEAD_LETTERS: usize = 100;
/// Most received events, and most of their deliveries, that one answer shows.
pub const MOST_RECEIVED: usize = 100;

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
    /// Makes a source.
    SourceCreate,
    /// Lists sources, newest first.
    SourceList,
    /// Shows a source.
    SourceGet,
    /// Changes a source.
    SourceUpdate,
    /// Deletes a source, with everything that it has received.
    SourceDelete,
    /// Gives a source a new secret; the old one verifies nothing any more.
    SourceRotate,
    /// Lists what a source has received, newest first.
    SourceEvents,
    /// Lists how what a source has received was forwarded, newest first.
    SourceDeliveries,
    /// Lists what all sources have received, newest first.
    SourceRecent,
    /// Makes an event as if a source had received it.
    SourceTest,
    /// Says whether a request is genuine.
    SourceVerify,
    /// Takes in what a third party sends to a source.
    SourceReceive,
    /// Takes in what a third party sends to the source whose secret has signed it.
    SourceMatch,
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
    /// Who calls it, and what for.
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

/// Who calls an operation, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A customer, to read: it is called by GET.
    Reads,
    /// A customer, to do something: it is not called by GET.
    Changes,
    /// A third party without an API key, by whatever method it has; its signature says who it is.
    Receives,
}

impl Operation {
    pub(crate) const NAMES: &[(&str, Operation)] = &[
        ("endpoint.create", Operation::EndpointCreate),
        ("endpoint.list", Operation::EndpointList),
        ("endpoint.get", Operation::EndpointGet),
        ("endpoint.update", Operation::EndpointUpdate),
        ("endpoint.delete", Operation::EndpointDelete),
        ("endpoint.test", Operation::EndpointTest),
        ("diagnostics.show", Operation::DiagnosticsShow),
        ("keys.list", Operation::KeysList),
        ("keys.rotate", Operation::KeysRotate),
        ("source.create", Operation::SourceCreate),
        ("source.list", Operation::SourceList),
        ("source.get", Operation::SourceGet),
        ("source.update", Operation::SourceUpdate),
        ("source.delete", Operation::SourceDelete),
        ("source.rotate", Operation::SourceRotate),
        ("source.events", Operation::SourceEvents),
        ("source.deliveries", Operation::SourceDeliveries),
        ("source.recent", Operation::SourceRecent),
        ("source.test", Operation::SourceTest),
        ("source.verify", Operation::SourceVerify),
        ("source.receive", Operation::SourceReceive),
        ("source.match", Operation::SourceMatch),
    ];

    /// As a contract writes it.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, operation)| *operation == self);
        found.map_or("", |(name, _)| name)
    }

    /// Whether it is about sources, and not about endpoints.
    pub fn is_of_source(self) -> bool {
        self.name().starts_with("source.")
    }

    /// What it takes and gives.
    pub fn bounds(self) -> Bounds {
        use Field as F;
        const TEST: &[Field] = &[F::EndpointId, F::EventType, F::EventData];
        const SOURCE_TEST: &[Field] = &[F::SourceId, F::EventType, F::EventData];
        let (id, fields, access): (_, &[Field], _) = match self {
            Operation::EndpointCreate => (IdInPath::Never, SETTINGS, Access::Changes),
            Operation::EndpointList
            | Operation::DiagnosticsShow
            | Operation::SourceList
            | Operation::SourceRecent => (IdInPath::Never, &[], Access::Reads),
            Operation::EndpointGet
            | Operation::SourceGet
            | Operation::SourceEvents
            | Operation::SourceDeliveries => (IdInPath::Needed, &[], Access::Reads),
            Operation::EndpointUpdate => {
                (IdInPath::Needed, SETTINGS.split_at(SETTINGS.len() - 1).0, Access::Changes)
            }
            Operation::EndpointDelete | Operation::SourceDelete => {
                (IdInPath::Needed, &[], Access::Changes)
            }
            Operation::EndpointTest => (IdInPath::Optional, TEST, Access::Changes),
            Operation::KeysList => (IdInPath::Optional, &[], Access::Reads),
            Operation::KeysRotate => (IdInPath::Optional, &[F::Secret], Access::Changes),
            Operation::SourceCreate => (IdInPath::Never, SOURCE_SETTINGS, Access::Changes),
            Operation::SourceUpdate => (IdInPath::Needed, SOURCE_SETTINGS, Access::Changes),
            Operation::SourceRotate => (IdInPath::Needed, &[F::Secret], Access::Changes),
            Operation::SourceTest => (IdInPath::Never, SOURCE_TEST, Access::Changes),
            Operation::SourceVerify => (IdInPath::Never, RECEIVED, Access::Changes),
            Operation::SourceReceive => (IdInPath::Needed, &[], Access::Receives),
            Operation::SourceMatch => (IdInPath::Never, &[], Access::Receives),
        };
        Bounds { id, fields, needed: self.needed(), access }
    }

    /// What the request must set.
    fn needed(self) -> &'static [Field] {
        match self {
            Operation::EndpointCreate => &[Field::Url, Field::Types],
            Operation::SourceCreate => &[Field::SourceName],
            Operation::SourceTest => &[Field::SourceId],
            Operation::SourceVerify => &[Field::SourceId, Field::ReceivedBody],
            Operation::EndpointList
            | Operation::EndpointGet
            | Operation::EndpointUpdate
            | Operation::EndpointDelete
            | Operation::EndpointTest
            | Operation::DiagnosticsShow
            | Operation::KeysList
            | Operation::KeysRotate
            | Operation::SourceList
            | Operation::SourceGet
            | Operation::SourceUpdate
            | Operation::SourceDelete
            | Operation::SourceRotate
            | Operation::SourceEvents
            | Operation::SourceDeliveries
            | Operation::SourceRecent
            | Operation::SourceReceive
            | Operation::SourceMatch => &[],
        }
    }
}

/// What a call says of an endpoint.
const SETTINGS: &[Field] = &[
    Field::Url,
    Field::Types,
    Field::Subjects,
    Field::Name,
    Field::Description,
    Field::Active,
    Field::Status,
    Field::Secret,
];
/// What a call says of a source.
const SOURCE_SETTINGS: &[Field] = &[
    Field::SourceName,
    Field::SourceUrl,
    Field::SourceTypes,
    Field::SourceScheme,
    Field::SourceDescription,
    Field::SourceActive,
    Field::SourceStatus,
    Field::Secret,
];
/// What a call says of a request that a source received, or might have.
const RECEIVED: &[Field] =
    &[Field::SourceId, Field::ReceivedBody, Field::ReceivedSignature, Field::ReceivedHeaders];
