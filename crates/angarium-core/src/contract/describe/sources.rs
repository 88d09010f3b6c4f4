//! What a source may be, in words.

use crate::contract::sources::{LibraryRule, SourceRules};
use std::fmt;

impl fmt::Display for SourceRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let library = match &self.library {
            LibraryRule::Any => "all of the library".to_owned(),
            LibraryRule::Only(names) => names.join(", "),
        };
        let own = self.schemes.iter().map(|scheme| scheme.name());
        let all: Vec<_> = own.chain([&*library]).filter(|name| !name.is_empty()).collect();
        writeln!(f, "  schemes: {}", all.join(", "))?;
        if let Some(default) = &self.default {
            writeln!(f, "  the scheme of a source that names no other: {default}")?;
        }
        writeln!(f, "  scheme: {}", self.scheme.describe())?;
        writeln!(f, "  name: {}", self.name.describe())?;
        writeln!(f, "  description: {}", self.description.describe())
    }
}
