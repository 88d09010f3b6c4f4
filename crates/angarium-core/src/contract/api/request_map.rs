//! What the members of a request set.

mod field;
mod reading;

pub use self::field::{Field, FieldKind};

use self::reading::read_table;
use super::operation::Bounds;
use crate::declared::{
    Fault, Item, Piece, Read, Section, each, split, split_word, unknown_placeholder,
};
use crate::endpoint::EndpointStatus;
use crate::refusal::{Code, Refusal};
use crate::secret::SecretText;
use serde_json::{Map, Value};

/// A member of a request.
#[derive(Debug, Clone)]
pub struct RequestMember {
    /// Its name.
    pub name: String,
    /// What it sets, or the members below it.
    pub value: RequestValue,
}

/// What a member sets.
#[derive(Debug, Clone)]
pub enum RequestValue {
    /// One field.
    Field {
        /// Which.
        field: Field,
        /// The value that says that it is absent, beside null.
        absent: Option<Value>,
    },
    /// Members below it.
    Table(Vec<RequestMember>),
}

/// The members of a request.
#[derive(Debug, Clone, Default)]
pub struct RequestMap {
    members: Vec<RequestMember>,
}

/// What a request says of a field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Given<T> {
    /// Nothing: it stays, or is absent from the start.
    #[default]
    Silent,
    /// That it is absent.
    Cleared,
    /// A value.
    Value(T),
}

impl<T> Given<T> {
    /// The value, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Given::Value(value) => Some(value),
            Given::Silent | Given::Cleared => None,
        }
    }

    /// As a change: nothing, clear it, or set it.
    pub fn change(self) -> Option<Option<T>> {
        match self {
            Given::Silent => None,
            Given::Cleared => Some(None),
            Given::Value(value) => Some(Some(value)),
        }
    }
}

/// What a request sets.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is the field of its name, of an endpoint or a source")]
pub struct Fields {
    pub url: Given<String>,
    pub types: Given<Vec<String>>,
    pub subjects: Given<Vec<String>>,
    pub name: Given<String>,
    pub description: Given<String>,
    /// From `status`, or from `active`: true is active, false disabled.
    pub status: Given<EndpointStatus>,
    pub secret: Given<SecretText>,
    pub endpoint_id: Given<String>,
    pub event_type: Given<String>,
    pub event_data: Given<Value>,
    pub source_id: Given<String>,
    /// How the third party of a source signs, in its own words.
    pub scheme: Given<String>,
    pub received_body: Given<String>,
    pub received_signature: Given<String>,
    pub received_headers: Given<Vec<(String, String)>>,
}

impl RequestMap {
    pub(in crate::contract) fn parse(section: Section<'_>, bounds: &Bounds) -> Read<Self> {
        read_members(section, bounds).map(|members| Self { members })
    }

    /// That every needed field is set, and none twice.
    pub(in crate::contract) fn checked(self, bounds: &Bounds) -> Result<Self, Fault> {
        let set: Vec<_> = self.fields().into_iter().map(|(_, field)| field).collect();
        if let Some(missing) = bounds.needed.iter().find(|field| !set.contains(field)) {
            let (name, member) = (missing.name(), missing.native());
            let fault = Fault::from(format!("no member sets `{{{name}}}`, which is needed"));
            return Err(fault.cured_by(format!("add `{member} = \"{{{name}}}\"` to `request`")));
        }
        let twice = set.iter().enumerate().find(|(i, field)| set[..*i].contains(field));
        match twice {
            Some((_, field)) => {
                let fault = Fault::from(format!("two members set `{{{}}}`", field.name()));
                Err(fault.cured_by("take one of them out"))
            }
            None => Ok(self),
        }
    }

    /// The members, in the order of the file.
    pub fn members(&self) -> &[RequestMember] {
        &self.members
    }

    /// Every field with the path of its member (`hook.address`).
    pub fn fields(&self) -> Vec<(String, Field)> {
        let mut all = Vec::new();
        collect(&self.members, "", &mut all);
        all
    }

    /// Reads a request.
    ///
    /// # Errors
    /// `unknown_field`, `missing_field` and `invalid_field`, by the member at fault.
    pub fn read(&self, body: &Map<String, Value>, needed: &[Field]) -> Result<Fields, Refusal> {
        let mut fields = Fields::default();
        let mut given = Vec::new();
        read_table(&self.members, body, "", &mut fields, &mut given)?;
        let missing =
            |(_, field): &(String, Field)| needed.contains(field) && !given.contains(field);
        match self.fields().into_iter().find(missing) {
            Some((path, _)) => {
                Err(Refusal::field(Code::MissingField, path, "this member is needed"))
            }
            None => Ok(fields),
        }
    }

    /// A refusal that names the members of the native API, naming the contract's instead.
    #[must_use]
    pub fn in_own_words(&self, mut refusal: Refusal) -> Refusal {
        let own = |native: &str| {
            let rest = |field: Field| native.strip_prefix(field.native());
            let ends = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
            self.fields().into_iter().find_map(|(path, field)| {
                let rest = rest(field).filter(|rest| ends(rest))?;
                Some(format!("{path}{rest}"))
            })
        };
        if let Some(path) = refusal.field.as_deref().and_then(own) {
            refusal.field = Some(path);
        }
        refusal
    }
}

fn collect(members: &[RequestMember], below: &str, all: &mut Vec<(String, Field)>) {
    for member in members {
        let path = path(below, &member.name);
        match &member.value {
            RequestValue::Field { field, .. } => all.push((path, *field)),
            RequestValue::Table(inner) => collect(inner, &path, all),
        }
    }
}

fn path(below: &str, name: &str) -> String {
    if below.is_empty() { name.to_owned() } else { format!("{below}.{name}") }
}

fn read_members(section: Section<'_>, bounds: &Bounds) -> Read<Vec<RequestMember>> {
    each(section.entries().map(|(name, item)| {
        let value = if item.is_table() {
            RequestValue::Table(read_members(item.section()?, bounds)?)
        } else {
            field(&item, bounds)?
        };
        Ok(RequestMember { name: name.into(), value })
    }))
}

fn field(item: &Item<'_>, bounds: &Bounds) -> Read<RequestValue> {
    let text = item.text()?;
    let [Piece::Name(name)] = split(text).map_err(|fault| item.error(fault))?[..] else {
        let fault = Fault::from(format!("{text:?} is not one placeholder"));
        return Err(item.error(fault.cured_by("write it like \"{endpoint.url}\"")));
    };
    let (name, absent) = split_word(name);
    let known = bounds.fields.iter().find(|field| field.name() == name);
    match known {
        Some(field) => Ok(RequestValue::Field { field: *field, absent }),
        None => {
            let names: Vec<_> = bounds.fields.iter().map(|field| field.name()).collect();
            Err(item.error(unknown_placeholder(name, &names)))
        }
    }
}
