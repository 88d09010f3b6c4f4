//! What an endpoint may be, in words.

use super::method_name;
use crate::contract::rules::{EndpointRules, TypesRule, ValidationRule};
use crate::destination::Scheme;
use crate::time::print_span;
use std::fmt;

impl fmt::Display for EndpointRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schemes = self.schemes.iter().map(|scheme| match scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        });
        writeln!(f, "  URLs: {}", schemes.collect::<Vec<_>>().join(" or "))?;
        match self.types {
            TypesRule::Any => writeln!(f, "  types: any")?,
            TypesRule::Catalog => writeln!(f, "  types: only those that there are")?,
        }
        if let Some(most) = self.max_per_key {
            writeln!(f, "  at most {most} made with one key of a tenant")?;
        }
        if let Some(plan) = &self.plan {
            writeln!(f, "  from the plan {plan}")?;
        }
        writeln!(f, "  name: {}", self.name.describe())?;
        writeln!(f, "  description: {}", self.description.describe())?;
        match &self.validation {
            None => Ok(()),
            Some(validation) => write!(f, "{validation}"),
        }
    }
}

impl fmt::Display for ValidationRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, timeout) = (method_name(self.method), print_span(self.timeout));
        let (status, header) = (self.status, &self.written_header);
        writeln!(f, "  a new URL answers {method} with {status} and its {header} in {timeout}")
    }
}
