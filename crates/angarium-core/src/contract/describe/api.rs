//! The management API in words.

use super::columns;
use crate::contract::api::{
    Authentication, ErrorShape, ManagementApi, RequestMember, RequestValue, Route, Visibility,
};
use std::fmt;

/// How it is called, and its routes as a table.
impl fmt::Display for ManagementApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.auth)?;
        writeln!(f, "  ids: {}", self.id)?;
        writeln!(f, "  times: {}", self.time.name())?;
        match &self.error {
            None => writeln!(f, "  errors: RFC 9457")?,
            Some(error) => write!(f, "{error}")?,
        }
        if self.routes().is_empty() {
            return writeln!(f, "  no calls of its own");
        }
        writeln!(f)?;
        f.write_str(&columns(self.routes().iter().flat_map(rows)))
    }
}

/// A row for each call: call, operation, status and members; what a route's calls share stands
/// once.
fn rows(route: &Route) -> impl Iterator<Item = Vec<String>> {
    let mut members = Vec::new();
    collect(route.request.members(), "", &mut members);
    route.calls.iter().enumerate().map(move |(number, call)| match number {
        0 => {
            let does = route.operation.name().to_owned();
            let status = route.status.to_string();
            vec![call.to_string(), does, status, members.join(", ")]
        }
        _ => vec![call.to_string(), "the same".to_owned()],
    })
}

fn collect(members: &[RequestMember], below: &str, all: &mut Vec<String>) {
    for member in members {
        let path = format!("{below}{}", member.name);
        match &member.value {
            RequestValue::Field { .. } => all.push(path),
            RequestValue::Table(inner) => collect(inner, &format!("{path}."), all),
        }
    }
}

impl fmt::Display for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme.as_deref().map(|scheme| format!("{scheme} ")).unwrap_or_default();
        writeln!(f, "  key: {}: {scheme}<API key>", self.written_header)?;
        if let Some(form) = &self.key {
            writeln!(f, "  a new key begins with {}", form.prefix)?;
        }
        match self.sees {
            Visibility::Tenant => writeln!(f, "  a key sees all of its tenant's endpoints"),
            Visibility::Key => writeln!(f, "  a key sees the endpoints that were made with it"),
        }
    }
}

impl fmt::Display for ErrorShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  errors: in the contract's own shape")?;
        for (kind, words) in &self.kinds {
            let status = words.status.map(|status| status.to_string());
            let code = words.code.as_deref().map(str::to_owned);
            let words: Vec<_> = status.into_iter().chain(code).collect();
            writeln!(f, "    {}: {}", kind.name(), words.join(" "))?;
        }
        Ok(())
    }
}
