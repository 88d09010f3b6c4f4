//! Calls: a method and a path, in which one part may be an id.

use crate::declared::Fault;
use http::Method;
use std::fmt;

/// A method and a path, as the platform prints them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: RoutePath,
}

/// A path, cut at its slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePath {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Id,
}

impl Call {
    pub(in crate::contract) const METHODS: &[(&str, Method)] = &[
        ("GET", Method::GET),
        ("POST", Method::POST),
        ("PUT", Method::PUT),
        ("PATCH", Method::PATCH),
        ("DELETE", Method::DELETE),
    ];

    /// Reads `POST /v1/webhooks/{id}`.
    pub(in crate::contract) fn parse(text: &str) -> Result<Self, Fault> {
        let (method, path) = text.split_once(' ').ok_or_else(|| {
            Fault::from(format!("{text:?} is not a method and a path"))
                .cured_by("write it like \"POST /v1/webhooks\"")
        })?;
        let method = crate::declared::known(Self::METHODS, method)?;
        Ok(Self { method, path: RoutePath::parse(path)? })
    }

    /// Whether it only reads.
    pub fn reads(&self) -> bool {
        self.method == Method::GET
    }
}

/// As in the file: `POST /v1/webhooks/{id}`.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl RoutePath {
    fn parse(text: &str) -> Result<Self, Fault> {
        let parts = text.strip_prefix('/').ok_or_else(|| {
            let fault = Fault::from(format!("{text:?} does not begin with a slash"));
            fault.cured_by(format!("write {:?}", format!("/{text}")))
        })?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let part = |part: &str| match part {
            "{id}" => Ok(Part::Id),
            text if !text.is_empty() && text.bytes().all(allowed) => Ok(Part::Text(text.into())),
            other => Err(Fault::from(format!("{other:?} cannot stand in a path"))
                .cured_by("write A-Z a-z 0-9 - . _ ~ between slashes, or `{id}`")),
        };
        let parts: Vec<_> = parts.split('/').map(part).collect::<Result<_, _>>()?;
        if parts.iter().filter(|part| **part == Part::Id).count() > 1 {
            let fault = Fault::from(format!("{text:?} has more than one `{{id}}`"));
            return Err(fault.cured_by("take one out"));
        }
        Ok(Self { parts })
    }

    /// Whether `{id}` is in it.
    pub fn has_id(&self) -> bool {
        self.parts.contains(&Part::Id)
    }

    /// Whether a request's path is this one; with the id in it, if there is one.
    #[expect(clippy::option_option, reason = "no match, a match without id, a match with one")]
    pub(super) fn matches<'a>(&self, path: &'a str) -> Option<Option<&'a str>> {
        let mut id = None;
        let mut rest = path.strip_prefix('/')?.split('/');
        for part in &self.parts {
            let text = rest.next()?;
            match part {
                Part::Text(own) if **own == *text => {}
                Part::Text(_) => return None,
                Part::Id if text.is_empty() => return None,
                Part::Id => id = Some(text),
            }
        }
        rest.next().is_none().then_some(id)
    }
}

impl fmt::Display for RoutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => write!(f, "/{text}")?,
                Part::Id => f.write_str("/{id}")?,
            }
        }
        Ok(())
    }
}
