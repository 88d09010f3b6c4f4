//! What a contract allows an endpoint to be: its address, its types, its texts, and who may have
//! one.
//!
//! The rules are plain values; the functions here judge one setting each and name the field at
//! fault. Nothing here knows who asks: the native API and a contract's own calls ask the same.

use super::Contract;
use crate::destination::Scheme;
use crate::endpoint::DeliveryMethod;
use crate::event::EventType;
use crate::limits::Limits;
use crate::refusal::{Code, Refusal};
use crate::subscription::{Subscription, TypePattern};
use http::HeaderName;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What an endpoint of a contract may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointRules {
    /// The schemes that its URL may have; at least one.
    pub schemes: Vec<Scheme>,
    /// Which types its subscription may name.
    pub types: TypesRule,
    /// Most endpoints that one tenant's API key may have made.
    pub max_per_key: Option<u16>,
    /// The lowest plan that may have endpoints; one of the contract's.
    pub plan: Option<Box<str>>,
    /// What its name may be.
    pub name: TextRule,
    /// What its description may be.
    pub description: TextRule,
    /// How a URL proves that it is meant, before it is accepted.
    pub validation: Option<ValidationRule>,
}

/// Which types a subscription may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TypesRule {
    /// Any; events of types that nobody described may be published.
    #[default]
    Any,
    /// Only types of the catalog, or of the environment; a pattern means at least one of them.
    Catalog,
}

/// Whether an endpoint must have a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextPresence {
    /// It may be absent.
    Optional,
    /// It must be there.
    Required,
}

/// What a text for people may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRule {
    /// Whether it must be there.
    pub presence: TextPresence,
    /// Its length in characters.
    pub chars: RangeInclusive<usize>,
}

impl TextRule {
    /// Any text of at most so many characters, or none.
    pub(super) fn at_most(chars: usize) -> Self {
        Self { presence: TextPresence::Optional, chars: 0..=chars }
    }

    /// Checks a text, or that there is none.
    ///
    /// # Errors
    /// [`Code::InvalidField`] on `field`, saying what is allowed.
    pub fn check(&self, field: &str, text: Option<&str>) -> Result<(), Refusal> {
        let sound = match (text, self.presence) {
            (Some(text), _) => self.chars.contains(&text.chars().count()),
            (None, TextPresence::Optional) => true,
            (None, TextPresence::Required) => false,
        };
        match sound {
            true => Ok(()),
            false => Err(Refusal::field(Code::InvalidField, field, self.describe())),
        }
    }

    /// The rule for people: `1 to 120 characters`.
    pub(super) fn describe(&self) -> String {
        let needed = match self.presence {
            TextPresence::Optional => "",
            TextPresence::Required => ", and it is needed",
        };
        match (self.chars.start(), self.chars.end()) {
            (0, most) => format!("at most {most} characters{needed}"),
            (least, most) => format!("{least} to {most} characters{needed}"),
        }
    }
}

/// How a URL proves that it is meant: it is called with a random key in a header, and answers with
/// this status and the same header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationRule {
    /// The method of the call; its body is empty.
    pub method: DeliveryMethod,
    /// The header that carries the key, there and back.
    pub header: HeaderName,
    /// The header as the file writes it.
    pub written_header: Box<str>,
    /// The only status that passes.
    pub status: u16,
    /// How long the answer may take.
    pub timeout: Duration,
}

impl Contract {
    /// Checks that a tenant of this plan may have endpoints. A tenant without a plan, or with one
    /// that this contract does not know, has the lowest (contracts.md, G6).
    ///
    /// # Errors
    /// [`Code::PlanRequired`], naming the plan that is needed.
    pub fn check_plan(&self, plan: Option<&str>) -> Result<(), Refusal> {
        let Some(needed) = self.rules.plan.as_deref() else {
            return Ok(());
        };
        let rank = |plan: &str| self.plans.iter().position(|known| **known == *plan);
        if plan.and_then(rank).unwrap_or(0) >= rank(needed).unwrap_or(0) {
            return Ok(());
        }
        let message = format!("endpoints need the plan {needed} or a higher one");
        Err(Refusal::whole(Code::PlanRequired, message))
    }

    /// Checks that each type of a subscription can ever come: it, or one below its pattern, is in
    /// the catalog or among `own`, the environment's types.
    ///
    /// # Errors
    /// [`Code::InvalidSubscription`] on `types[i]`, naming the type.
    pub fn check_types(&self, subscription: &Subscription, own: &[String]) -> Result<(), Refusal> {
        match self.rules.types {
            TypesRule::Any => return Ok(()),
            TypesRule::Catalog => {}
        }
        let comes = |pattern: &TypePattern| self.all_types(own).any(|kind| pattern.matches(kind));
        match subscription.types.iter().position(|pattern| !comes(pattern)) {
            None => Ok(()),
            Some(i) => {
                let message = no_such_type(subscription.types[i].as_str());
                Err(Refusal::field(Code::InvalidSubscription, format!("types[{i}]"), message))
            }
        }
    }

    /// Checks that there is an event type, as [`Contract::check_types`] does for a subscription.
    ///
    /// # Errors
    /// [`Code::InvalidEventType`] on `type`, naming it.
    pub fn check_type(&self, kind: &EventType, own: &[String]) -> Result<(), Refusal> {
        match self.rules.types {
            TypesRule::Catalog if !self.all_types(own).any(|name| name == kind.as_str()) => {
                let message = no_such_type(kind.as_str());
                Err(Refusal::field(Code::InvalidEventType, "type", message))
            }
            TypesRule::Catalog | TypesRule::Any => Ok(()),
        }
    }

    /// The type that shows best what a subscription asks for: pattern by pattern, the first of the
    /// catalog, then of `own`, that is meant; where none is, the first pattern with `test` for its
    /// star.
    ///
    /// # Errors
    /// [`Code::InvalidEventType`] when that would be longer than a type may be.
    pub fn sample_type(
        &self,
        subscription: &Subscription,
        own: &[String],
        limits: &Limits,
    ) -> Result<EventType, Refusal> {
        let meant = |pattern: &TypePattern| self.all_types(own).find(|kind| pattern.matches(kind));
        match subscription.types.iter().find_map(meant) {
            Some(kind) => EventType::try_new(kind, limits),
            None => {
                let first = subscription.types.first().map_or("*", TypePattern::as_str);
                EventType::try_new(&first.replace('*', "test"), limits)
            }
        }
    }

    /// The catalog's example of a type's data: JSON text.
    pub fn example(&self, kind: &EventType) -> Option<&str> {
        self.events.iter().find(|event| event.name == *kind).map(|event| &*event.example)
    }

    fn all_types<'a>(&'a self, own: &'a [String]) -> impl Iterator<Item = &'a str> {
        self.events.iter().map(|event| event.name.as_str()).chain(own.iter().map(String::as_str))
    }
}

fn no_such_type(name: &str) -> String {
    format!("there is no event type {name:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::ContractLibrary;

    fn contract(name: &str) -> std::sync::Arc<Contract> {
        let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
        std::sync::Arc::clone(library.get(name).expect(name))
    }

    #[test]
    fn a_plan_below_the_one_that_is_needed_has_no_endpoints_and_none_is_the_lowest() {
        let aioka = contract("aioka");
        let rows = [
            (None, false),
            (Some("free"), false),
            (Some("gold"), false),
            (Some("basic"), true),
            (Some("enterprise"), true),
        ];
        for (plan, may) in rows {
            assert_eq!(aioka.check_plan(plan).is_ok(), may, "{plan:?}");
        }
        assert_eq!(aioka.check_plan(None).expect_err("free").code, Code::PlanRequired);
        assert!(contract("standard").check_plan(None).is_ok());
    }

    #[test]
    fn a_type_that_cannot_come_is_named_with_its_place() {
        let own = ["own.thing".to_owned()];
        let rows: &[(&str, &[&str], Option<&str>)] = &[
            ("aioka", &["verdict.new", "*"], None),
            ("aioka", &["verdict.*", "own.*", "own.thing"], None),
            ("aioka", &["verdict.new", "verdict.old"], Some("types[1]")),
            ("aioka", &["verdict.new.*"], Some("types[0]")),
            ("quantfolio", &["qap.investor.advice.*"], None),
            ("standard", &["whatever"], None),
        ];
        for (name, types, at) in rows {
            let limits = Limits::default();
            let types: Vec<_> = types.iter().map(|name| (*name).to_owned()).collect();
            let wanted = Subscription::try_new(&types, None, vec![], &limits).expect("patterns");
            let refused = contract(name).check_types(&wanted, &own).err();
            assert_eq!(refused.and_then(|no| no.field).as_deref(), *at, "{types:?}");
        }
    }

    #[test]
    fn a_sample_is_the_first_type_that_is_asked_for_and_known_or_the_first_pattern_made_concrete() {
        let own = ["own.thing".to_owned()];
        let rows = [
            ("aioka", vec!["*"], "verdict.new"),
            ("aioka", vec!["macro.alert", "council.*"], "macro.alert"),
            ("aioka", vec!["own.*"], "own.thing"),
            ("standard", vec!["order.paid", "*"], "example.created"),
            ("standard", vec!["order.*"], "order.test"),
            ("standard", vec!["order.paid"], "order.paid"),
        ];
        for (name, types, expected) in rows {
            let limits = Limits::default();
            let texts: Vec<_> = types.iter().map(|name| (*name).to_owned()).collect();
            let wanted = Subscription::try_new(&texts, None, vec![], &limits).expect("patterns");
            let kind = contract(name).sample_type(&wanted, &own, &limits).expect("a type");
            assert_eq!(kind.as_str(), expected, "{types:?}");
        }
    }

    #[test]
    fn a_text_is_counted_in_characters_up_to_its_limit() {
        let rule = TextRule { presence: TextPresence::Required, chars: 1..=3 };
        for (text, sound) in
            [(Some("äöü"), true), (Some("äöüß"), false), (Some(""), false), (None, false)]
        {
            assert_eq!(rule.check("name", text).is_ok(), sound, "{text:?}");
        }
        assert_eq!(TextRule::at_most(3).check("name", None), Ok(()));
    }
}
