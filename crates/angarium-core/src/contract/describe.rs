//! A contract in words, for `angarium contract show`.

use super::rules::{EndpointRules, TypesRule, ValidationRule};
use super::signature::{Algorithm, SignatureRule, ValuePart};
use super::{Contract, KeyPresence, KeyScope};
use crate::destination::Scheme;
use crate::endpoint::DeliveryMethod;
use crate::retry::{RetryPolicy, RetrySpec};
use crate::time::print_span;
use std::fmt;

/// Catalog, request, signature and schedule, as readable text.
impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.name, self.title)?;
        writeln!(f, "\nEvents")?;
        for event in &self.events {
            writeln!(f, "  {}\n    {}", event.name, event.description)?;
            writeln!(f, "    example: {}", event.example)?;
        }
        writeln!(f, "\nRequest")?;
        let methods = self.request.methods.iter().map(|method| method_name(*method));
        writeln!(f, "  method: {}", methods.collect::<Vec<_>>().join(" or "))?;
        for (name, template) in &self.request.headers {
            writeln!(f, "  header {name}: {}", template.written)?;
        }
        for (name, template) in &self.request.query {
            writeln!(f, "  query {name}={} (GET)", template.written)?;
        }
        if let Some(body) = &self.request.body {
            writeln!(f, "  body: {body} (POST)")?;
        }
        self.describe_signature(f)?;
        writeln!(f, "\nDelivery")?;
        writeln!(f, "  a 2xx within {} is success", print_span(self.timeout))?;
        writeln!(f, "  {}", Schedule(&self.retry))?;
        writeln!(f, "\nEndpoints")?;
        if !self.plans.is_empty() {
            writeln!(f, "  plans: {}", self.plans.join(", "))?;
        }
        write!(f, "{}", self.rules)
    }
}

impl Contract {
    fn describe_signature(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nSignature")?;
        let Some(keys) = &self.keys else {
            return writeln!(f, "  none");
        };
        for rule in &self.signatures {
            write!(f, "{rule}")?;
        }
        let whose = match keys.scope {
            KeyScope::Endpoint => "each endpoint has its own key",
            KeyScope::Tenant => "a tenant's endpoints share one key",
        };
        let presence = match keys.presence {
            KeyPresence::Required => "",
            KeyPresence::Optional => "; without one, deliveries are not signed",
        };
        writeln!(f, "  {whose}{presence}")?;
        match keys.overlap.is_zero() {
            true => writeln!(f, "  a rotated key stops signing at once")?,
            false => writeln!(
                f,
                "  a rotated key signs beside the new one for {}",
                print_span(keys.overlap)
            )?,
        }
        writeln!(f, "  retired keys that stay known: {}", keys.priors)?;
        match keys.rotate_every {
            None => Ok(()),
            Some(age) => writeln!(f, "  a key is rotated when it is {} old", print_span(age)),
        }
    }
}

impl fmt::Display for SignatureRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Algorithm::NAMES.iter().find(|(_, algorithm)| *algorithm == self.algorithm);
        let algorithm = known.map_or("", |(name, _)| name);
        let content = |number: &usize| &self.contents[*number].written;
        write!(f, "  {}: ", self.header)?;
        for part in &self.value {
            match part {
                ValuePart::Literal(text) => f.write_str(text)?,
                ValuePart::Timestamp => f.write_str("<unix seconds>")?,
                ValuePart::Hex(number) => write!(f, "<hex {algorithm}({})>", content(number))?,
                ValuePart::Base64(number) => {
                    write!(f, "<base64 {algorithm}({})>", content(number))?;
                }
            }
        }
        writeln!(f, "\n    with a key of {}", self.key.describe())
    }
}

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
        let Some(validation) = &self.validation else {
            return Ok(());
        };
        let ValidationRule { method, header, status, timeout } = validation;
        let (method, timeout) = (method_name(*method), print_span(*timeout));
        writeln!(f, "  a new URL answers {method} with {status} and its {header} in {timeout}")
    }
}

fn method_name(method: DeliveryMethod) -> &'static str {
    match method {
        DeliveryMethod::Post => "POST",
        DeliveryMethod::Get => "GET",
    }
}

struct Schedule<'a>(&'a RetryPolicy);

impl fmt::Display for Schedule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_spec() {
            RetrySpec::List(waits) if waits.is_empty() => f.write_str("no retries"),
            RetrySpec::List(waits) => write!(f, "retries after {}", waits.join(", ")),
            RetrySpec::Growing(growing) => write!(
                f,
                "retries after {}, growing by {} up to {}, for {}",
                growing.base,
                growing.factor.unwrap_or(2.0),
                growing.cap,
                growing.window.unwrap_or_default()
            ),
        }
    }
}
