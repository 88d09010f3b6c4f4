//! What a request is: an event, a question, or nothing to believe.

use super::challenge::{Answer, Challenge};
use super::incoming::{Facts, Incoming};
use super::verifier::{Possession, Verifier};
use super::{Cause, Document, Evidence, Verified};
use crate::secret::SecretText;
use crate::time::Timestamp;
use std::sync::Arc;

/// What a request is.
#[derive(Debug, Clone)]
pub enum Received {
    /// A genuine event.
    Event(Verified),
    /// A third party that asks whether the receiver is there.
    Challenge(Answer),
    /// A third party that hands over the secret by which it will sign, to a source that has none:
    /// it is to be stored as the source's key before the answer is sent.
    Handshake {
        /// What it is answered.
        answer: Answer,
        /// The source's key from now on.
        secret: SecretText,
    },
    /// A third party that is told that the receiver is there by what is fetched with a GET, in its
    /// own name; it has signed that it asks.
    Visit {
        /// What is to be fetched. Its content says nothing.
        document: Document,
        /// What it is answered when that was fetched.
        answer: Answer,
    },
    /// It cannot be judged without this certificate: fetch it and ask again, once.
    Needs(Document),
    /// Nothing to believe.
    Rejected(Cause),
}

impl Verifier {
    /// What a request is. `source` is the source's id, which is the token of some challenges.
    pub fn receive(&self, incoming: Incoming<'_>, source: &str, now: Timestamp) -> Received {
        self.receive_with(incoming, source, None, now)
    }

    /// What a request is, with the certificate that was needed, if it was.
    pub fn receive_with(
        &self,
        incoming: Incoming<'_>,
        source: &str,
        evidence: Option<&Evidence>,
        now: Timestamp,
    ) -> Received {
        let mut facts = Facts::new(incoming);
        facts.source = Some(source);
        let is_asked = |challenge: &&Challenge| {
            let may_be_asked = challenge.keeps.is_none() || self.possession == Possession::Keyless;
            may_be_asked && challenge.is_asked(&facts)
        };
        let received = match self.scheme.challenges.iter().find(is_asked) {
            None => self.judge(facts, evidence, now).map(Received::Event),
            Some(challenge) if challenge.is_signed => {
                let verdict = self.judge(facts.clone(), evidence, now);
                verdict.and_then(|_| self.answer(challenge, facts))
            }
            Some(challenge) => self.answer(challenge, facts),
        };
        match received {
            Ok(received) => received,
            Err(Cause::Needs(document)) => Received::Needs(document),
            Err(cause) => Received::Rejected(cause),
        }
    }

    fn answer<'a>(
        &'a self,
        challenge: &Challenge,
        mut facts: Facts<'a>,
    ) -> Result<Received, Cause> {
        let key = self.keys.first();
        facts.secret = key.map_or("", |key| key.secret.expose());
        let repeated = || Cause::Missing("what the challenge repeats".to_owned());
        let material = key.and_then(|key| key.material.as_ref());
        let answer = challenge.answer(&facts, material).ok_or_else(repeated)?;
        if let Some(rule) = &challenge.visit {
            return Ok(Received::Visit { document: rule.document(&facts)?, answer });
        }
        let Some(origin) = &challenge.keeps else { return Ok(Received::Challenge(answer)) };
        let secret = SecretText::new(facts.text(origin).ok_or_else(repeated)?);
        let fits = Self::prepare(Arc::clone(&self.scheme), std::slice::from_ref(&secret)).has_key();
        fits.then_some(Received::Handshake { answer, secret }).ok_or(Cause::NoKey)
    }
}
