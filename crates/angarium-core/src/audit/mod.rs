//! The audit log: who changed what, when and from where.
//!
//! Whoever changes something says what they do as a [`Deed`], which is committed with the change or
//! not at all ([`crate::batch::Trace`]). The store numbers deeds in the order of its commits and
//! chains them ([`chain`]), so that an entry that was altered, moved or taken away is found.

mod action;
mod chain;
mod members;

pub use action::Action;
pub use chain::{Break, Chain, Entry, EntryNo, Link, Names};
pub use members::{Audited, Change, Members};

use crate::id::{ApiKeyId, EnvironmentNo, TenantNo};
use serde::Serialize;
use std::net::IpAddr;

/// Something that is done, told before it is.
#[derive(Debug, Clone)]
pub struct Deed {
    /// Who does it.
    pub author: Author,
    /// What.
    pub action: Action,
    /// Where the object lies, and so who may read of it.
    pub place: Place,
    /// The object's public id.
    pub object: String,
    /// What becomes different.
    pub changes: Vec<Change>,
}

impl Deed {
    /// Tells what somebody does to an object.
    pub fn new(author: Author, action: Action, place: Place, object: &impl ToString) -> Self {
        Self { author, action, place, object: object.to_string(), changes: Vec::new() }
    }

    /// Something is made.
    #[must_use]
    pub fn making(self, made: &(impl Audited + ?Sized)) -> Self {
        self.with_changes(&Members::default(), &made.members())
    }

    /// Something takes another form.
    #[must_use]
    pub fn changing<T: Audited + ?Sized>(self, before: &T, after: &T) -> Self {
        self.with_changes(&before.members(), &after.members())
    }

    /// Something goes.
    #[must_use]
    pub fn removing(self, gone: &(impl Audited + ?Sized)) -> Self {
        self.with_changes(&gone.members(), &Members::default())
    }

    /// Something that is said beside.
    #[must_use]
    pub fn noting(self, member: &str, value: impl Serialize) -> Self {
        self.with_changes(&Members::default(), &Members::default().note(member, value))
    }

    /// Whether there is nothing to tell: an update that made nothing different.
    pub fn is_idle(&self) -> bool {
        self.action.is_update() && self.changes.is_empty()
    }

    fn with_changes(self, before: &Members, after: &Members) -> Self {
        Self { changes: before.changes(after), ..self }
    }
}

/// Who does something, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Who.
    pub actor: Actor,
    /// The address that the call came from; none for the server.
    pub address: Option<IpAddr>,
    /// What the caller calls the request, where they say so.
    pub request: Option<Box<str>>,
}

impl Author {
    /// What the server does by itself.
    pub const SERVER: Self = Self { actor: Actor::Server, address: None, request: None };
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Whoever holds this key.
    Key {
        /// Its public id.
        id: ApiKeyId,
        /// Its name, for people.
        name: String,
    },
    /// The server itself: keys that come of age, endpoints that fail too often.
    Server,
}

/// Where an object lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In no environment.
    Instance,
    /// In an environment, or the environment itself.
    Environment(EnvironmentNo),
    /// With a tenant, or the tenant itself.
    Tenant(TenantNo),
}
