//! What a contract says of sources: how their third parties sign, and what may be said of them.

use super::rules::TextRule;
use crate::limits::Limits;
use crate::scheme::{Scheme, SchemeLibrary};
use std::sync::Arc;

/// What a source of a contract may be.
#[derive(Debug)]
pub struct SourceRules {
    /// Which schemes of the library there are.
    pub library: LibraryRule,
    /// The contract's own schemes.
    pub schemes: Vec<Arc<Scheme>>,
    /// The scheme, one of the contract's own, of a source that names none, or none that there is;
    /// without it, a source has to name one.
    pub default: Option<Box<str>>,
    /// What a source may call its scheme.
    pub scheme: TextRule,
    /// What its name may be.
    pub name: TextRule,
    /// What its description may be.
    pub description: TextRule,
}

/// Which schemes of the library the sources of a contract may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LibraryRule {
    /// All of them.
    Any,
    /// These.
    Only(Vec<Box<str>>),
}

impl SourceRules {
    /// Sources of all schemes of the library, as a contract has them that says nothing.
    pub(super) fn of_any(limits: &Limits) -> Self {
        let text = || TextRule::at_most(limits.text_chars);
        Self {
            library: LibraryRule::Any,
            schemes: Vec::new(),
            default: None,
            scheme: text(),
            name: text(),
            description: TextRule::at_most(limits.description_chars),
        }
    }

    /// The scheme that a source means: by its name, in whatever case, the contract's own before
    /// the library's; else the default one. None where there is no such scheme.
    pub fn meant(&self, named: &str, library: &SchemeLibrary) -> Option<Arc<Scheme>> {
        let name = named.trim().to_ascii_lowercase();
        let own = |name: &str| self.schemes.iter().find(|scheme| scheme.name() == name);
        let of_library = || match &self.library {
            LibraryRule::Any => library.get(&name),
            LibraryRule::Only(names) if names.iter().any(|known| **known == *name) => {
                library.get(&name)
            }
            LibraryRule::Only(_) => None,
        };
        let found = own(&name).or_else(of_library);
        found.or_else(|| self.default.as_deref().and_then(own)).cloned()
    }
}
