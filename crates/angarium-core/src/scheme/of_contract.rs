//! What a contract sends, seen by who receives it: its signatures as a scheme.

use super::origin::Origin;
use super::{Answer, Coverage, Place, Scheme, SchemeSignature, TimeUnit, TimestampRule, Verifier};
use crate::contract::Contract;
use crate::signature::{ContentPart, Encoding, ValuePart};
use crate::verification::{Origin as OfDelivery, strongest};
use std::sync::Arc;
use std::time::Duration;

/// How far a delivery's time may be off, either way: what the printed programs allow.
const TOLERANCE: Duration = Duration::from_secs(300);

impl Scheme {
    /// The scheme by which a contract's deliveries are verified; none where it does not sign.
    ///
    /// # Errors
    /// Why no receiver could verify them.
    pub fn of_contract(contract: &Contract) -> Result<Option<Self>, String> {
        let Some(first) = contract.signatures.first() else {
            return Ok(None);
        };
        let time = OfDelivery::of_timestamp(contract, first);
        let signs_id = |part: &ContentPart| *part == ContentPart::Id;
        let parts = || contract.signatures.iter().flat_map(|rule| &rule.form.contents);
        let id = match parts().any(|content| content.parts.iter().any(signs_id)) {
            true => Some(OfDelivery::of_id(contract)?),
            false => OfDelivery::of_id(contract).ok(),
        };
        let signature = |rule: &crate::contract::SignatureRule| {
            let (content, encoding) = strongest(contract, rule)?;
            let writing = match encoding {
                Encoding::Hex => ValuePart::Hex(content),
                Encoding::Base64 => ValuePart::Base64(content),
            };
            let place = Place::One(Origin::Header(rule.header.clone()));
            // An endpoint's secret is what signs, a pair's seed too.
            Ok(SchemeSignature {
                has_seed: true,
                ..SchemeSignature::new(place, rule.form.clone(), writing)?
            })
        };
        Ok(Some(Self {
            name: contract.name().to_owned(),
            title: contract.title().to_owned(),
            signatures: contract.signatures.iter().map(signature).collect::<Result<_, String>>()?,
            timestamp: time.as_ref().and_then(Origin::of_delivery).map(|from| TimestampRule {
                from,
                unit: TimeUnit::Seconds,
                tolerance: TOLERANCE,
            }),
            certificate: None,
            ids: id.as_ref().and_then(Origin::of_delivery).into_iter().collect(),
            types: Vec::new(),
            challenges: Vec::new(),
            accepted: Answer::OK,
            coverage: Coverage::Body,
        }))
    }
}

impl Origin {
    fn of_delivery(origin: &OfDelivery<'_>) -> Option<Self> {
        Some(match origin {
            OfDelivery::Value => Origin::Value,
            OfDelivery::Header(name) => Origin::Header(name.parse().ok()?),
            OfDelivery::Member(names) => {
                let escaped = |name: &String| name.replace('~', "~0").replace('/', "~1");
                let names: Vec<_> = names.iter().map(escaped).collect();
                Origin::Member(format!("/{}", names.join("/")).into())
            }
        })
    }
}

impl Verifier {
    /// The verifier of a contract's deliveries; none where it does not sign.
    ///
    /// # Errors
    /// Why no receiver could verify them.
    pub fn of_contract(
        contract: &Contract,
        keys: &[crate::secret::SecretText],
    ) -> Result<Option<Self>, String> {
        let scheme = Scheme::of_contract(contract)?;
        Ok(scheme.map(|scheme| Self::prepare(Arc::new(scheme), keys)))
    }
}
