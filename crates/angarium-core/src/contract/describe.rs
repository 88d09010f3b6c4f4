//! A contract in words, for `angarium contract show`: everything that its file says.

mod api;
mod endpoint;
mod sources;

use super::signature::SignatureRule;
use super::{
    Contract, DisableAfter, EventDescription, HealthPolicy, KeyPresence, KeyRule, KeyScope,
    RequestShape, WhileDisabled,
};
use crate::delivery::{DeadLetterPolicy, GonePolicy};
use crate::endpoint::DeliveryMethod;
use crate::gate::BreakerRule;
use crate::lane::Ordering;
use crate::retry::{RetryAfterBounds, RetryPolicy, RetrySpec};
use crate::signature::ValuePart;
use crate::time::print_span;
use std::fmt;

/// Catalog, request, signature, keys, schedule, rules and calls, as readable text.
impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.name, self.title)?;
        if let Some(description) = &self.description {
            writeln!(f, "{}", description.trim_end())?;
        }
        writeln!(f, "\nEvents")?;
        for event in &self.events {
            write!(f, "{event}")?;
        }
        write!(f, "\nRequest\n{}", self.request)?;
        writeln!(f, "\nSignature")?;
        for rule in &self.signatures {
            write!(f, "{rule}")?;
        }
        match &self.keys {
            None => writeln!(f, "  none")?,
            Some(keys) => write!(f, "\nKeys\n{keys}")?,
        }
        writeln!(f, "\nDelivery\n  a 2xx within {} is success", print_span(self.timeout))?;
        writeln!(f, "  {}", Schedule(&self.retry))?;
        write!(f, "{}", Answers(self))?;
        let ordering = self.ordering().unwrap_or(&Ordering::None);
        let after = self.after_dead_letter.unwrap_or_default();
        write!(f, "{}{}", Order(ordering, after), self.health)?;
        if let Some(rule) = &self.breaker {
            writeln!(f, "  {rule}")?;
        }
        writeln!(f, "\nEndpoints")?;
        if !self.plans.is_empty() {
            writeln!(f, "  plans: {}", self.plans.join(", "))?;
        }
        write!(f, "{}", self.rules)?;
        let Some(api) = &self.api else { return Ok(()) };
        if api.has_sources() {
            write!(f, "\nSources\n{}", self.sources)?;
        }
        write!(f, "\nAPI\n{api}")
    }
}

impl fmt::Display for EventDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {}\n    {}", self.name, self.description)?;
        writeln!(f, "    example: {}", self.example)?;
        match &self.schema {
            None => Ok(()),
            Some(schema) => writeln!(f, "    schema: {schema}"),
        }
    }
}

impl fmt::Display for RequestShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = self.methods.iter().map(|method| method_name(*method));
        writeln!(f, "  method: {}", methods.collect::<Vec<_>>().join(" or "))?;
        if let Some(content_type) = &self.content_type {
            writeln!(f, "  content type: {}", content_type.written)?;
        }
        if self.received_headers {
            writeln!(f, "  headers as they were received, of those that the source keeps")?;
        }
        for (written, (_, template)) in self.written_headers.iter().zip(&self.headers) {
            writeln!(f, "  header {written}: {}", template.written)?;
        }
        for (name, template) in &self.query {
            writeln!(f, "  query {name}={} (GET)", template.written)?;
        }
        if let Some(body) = &self.body {
            writeln!(f, "  body: {body} (POST)")?;
        }
        for (name, meaning) in &self.meanings {
            writeln!(f, "  {name}: {meaning}")?;
        }
        writeln!(f, "  times of the gateway: {}", self.time.name())
    }
}

impl fmt::Display for SignatureRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithm = self.form.algorithm.name();
        let content = |number: &usize| &self.form.contents[*number].written;
        write!(f, "  {}: ", self.written_header)?;
        for part in &self.form.value {
            match part {
                ValuePart::Literal(text) => f.write_str(text)?,
                ValuePart::Timestamp => f.write_str("<unix seconds>")?,
                ValuePart::Secret => f.write_str("<secret>")?,
                ValuePart::Enveloped(_) | ValuePart::Jwt => f.write_str("<token>")?,
                ValuePart::Hex(number) => write!(f, "<hex {algorithm}({})>", content(number))?,
                ValuePart::Base64(number) => {
                    write!(f, "<base64 {algorithm}({})>", content(number))?;
                }
            }
        }
        writeln!(f, "\n    with a key of {}", self.form.key.describe())?;
        match &self.form.join {
            None => Ok(()),
            Some(join) => writeln!(f, "    values of several keys are joined by {join:?}"),
        }
    }
}

impl fmt::Display for KeyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self.scope {
            KeyScope::Endpoint => "each endpoint has its own key",
            KeyScope::Tenant => "a tenant's endpoints share one key",
        };
        let presence = match self.presence {
            KeyPresence::Required => "",
            KeyPresence::Optional => "; without one, deliveries are not signed",
        };
        writeln!(f, "  {whose}{presence}")?;
        match self.overlap.is_zero() {
            true => writeln!(f, "  a rotated key stops signing at once")?,
            false => {
                let overlap = print_span(self.overlap);
                writeln!(f, "  a rotated key signs beside the new one for {overlap}")?;
            }
        }
        writeln!(f, "  retired keys that stay known: {}", self.priors)?;
        match self.rotate_every {
            None => Ok(()),
            Some(age) => writeln!(f, "  a key is rotated when it is {} old", print_span(age)),
        }
    }
}

/// What is made of answers that ask for something.
struct Answers<'a>(&'a Contract);

impl fmt::Display for Answers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(RetryAfterBounds { floor, cap }) = self.0.retry_after {
            let (floor, cap) = (print_span(floor), print_span(cap));
            writeln!(f, "  a failed answer may defer a retry: Retry-After from {floor} to {cap}")?;
        }
        match self.0.gone.unwrap_or_default() {
            GonePolicy::Retry => Ok(()),
            GonePolicy::Disable => {
                writeln!(f, "  410 ends a delivery and switches its endpoint off")
            }
        }
    }
}

/// In which order deliveries go.
struct Order<'a>(&'a Ordering, DeadLetterPolicy);

impl fmt::Display for Order<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ordering::None => return writeln!(f, "  in no order"),
            Ordering::Key => f.write_str("  events of one ordering key in order"),
            Ordering::Endpoint => f.write_str("  all events of an endpoint in order"),
            Ordering::Pointer(pointer) => {
                write!(f, "  events with the same `{pointer}` of their data in order")
            }
        }?;
        match self.1 {
            DeadLetterPolicy::Continue => writeln!(f, "; after a dead letter the next one goes"),
            DeadLetterPolicy::Hold => {
                writeln!(f, "; a dead letter holds its lane until it is skipped or arrives")
            }
        }
    }
}

impl fmt::Display for HealthPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.disable_after {
            None => writeln!(f, "  an endpoint is never switched off by failing"),
            Some(after) => writeln!(f, "  an endpoint is switched off after {after}"),
        }?;
        match self.while_disabled.unwrap_or_default() {
            WhileDisabled::Suppress => Ok(()),
            WhileDisabled::Wait => {
                writeln!(f, "  what happens while it is off waits until it is switched on")
            }
        }
    }
}

impl fmt::Display for DisableAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DisableAfter::FailedDeliveries(count) => {
                write!(f, "{count} failed deliveries in a row")
            }
            DisableAfter::FailingFor { span, deliveries } => {
                let span = print_span(*span);
                write!(f, "{span} of failures only, among them {deliveries} failed deliveries")
            }
        }
    }
}

impl fmt::Display for BreakerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wait, cap) = (print_span(self.wait), print_span(self.cap));
        let failures = self.failures;
        write!(
            f,
            "after {failures} failed attempts in a row one probe at a time, {wait} to {cap} apart"
        )
    }
}

struct Schedule<'a>(&'a RetryPolicy);

impl fmt::Display for Schedule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.to_spec(), self.0) {
            (RetrySpec::List(waits), _) if waits.is_empty() => f.write_str("no retries"),
            (RetrySpec::List(waits), RetryPolicy::List { spread, .. }) if *spread > 0.0 => {
                let (waits, percent) = (waits.join(", "), spread * 100.0);
                write!(f, "retries after {waits}, each up to {percent:.0} % longer")
            }
            (RetrySpec::List(waits), _) => write!(f, "retries after {}", waits.join(", ")),
            (RetrySpec::Growing(growing), _) => write!(
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

fn method_name(method: DeliveryMethod) -> &'static str {
    match method {
        DeliveryMethod::Post => "POST",
        DeliveryMethod::Get => "GET",
    }
}

/// Rows under each other, every column as wide as its widest cell.
fn columns(rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<_> = rows.collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let line = |row: &Vec<String>| {
        let cell =
            |(column, cell): (usize, &String)| format!("{cell:width$}  ", width = width(column));
        let line: String = row.iter().enumerate().map(cell).collect();
        format!("  {}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}
