//! For how long a token is used, and when another is asked for.
//!
//! A token is used until it ends less a margin, so that none ends on its way. A receiver that
//! answers 401 has it asked for anew, once a minute at most: who refuses every token must not send
//! us to the token endpoint with every delivery. A token endpoint that fails is left alone for a
//! second.

use super::{AccessToken, Granted, OAuth2Client, TokenFault};
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Longest part of a token's life that is left unused; of a short life a tenth.
const MARGIN: Duration = Duration::from_secs(60);
/// For so long a failure is what everybody is told who asks.
const FAILED: Duration = Duration::from_secs(1);
/// For so long at the least a token is used once it has come.
const SHARED: Duration = Duration::from_secs(1);
/// So long no other token is asked for because a receiver refused one.
const REFUSED: Duration = Duration::from_secs(60);

/// What is known of one endpoint's token.
#[derive(Debug, Default)]
pub struct TokenCache {
    kept: Option<Kept>,
    refused_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Kept {
    client: Arc<OAuth2Client>,
    found: Result<AccessToken, TokenFault>,
    since: Timestamp,
    until: Timestamp,
}

impl TokenCache {
    /// The token to use, or the failure to tell; none if the token endpoint is to be asked. A
    /// client with another secret, or of another token endpoint, is another client.
    pub fn known(
        &self,
        client: &Arc<OAuth2Client>,
        now: Timestamp,
    ) -> Option<Result<AccessToken, TokenFault>> {
        let is_same = |kept: &&Kept| {
            Arc::ptr_eq(&kept.client, client) || kept.client.settings == client.settings
        };
        // A clock that was set back tells nothing of a token's age.
        let holds = |kept: &&Kept| (kept.since..kept.until).contains(&now);
        self.kept.as_ref().filter(is_same).filter(holds).map(|kept| kept.found.clone())
    }

    /// Keeps what came of asking, from `asked_at` to `now`. A token's life is counted from when it
    /// was asked for.
    pub fn keep(
        &mut self,
        client: Arc<OAuth2Client>,
        found: Result<Granted, TokenFault>,
        asked_at: Timestamp,
        now: Timestamp,
    ) -> Result<AccessToken, TokenFault> {
        let (found, since, until) = match found {
            Ok(Granted { token, lifetime }) => {
                let until = asked_at + (lifetime - MARGIN.min(lifetime / 10));
                // Who waited meanwhile uses it too, however short its life is.
                (Ok(token), asked_at, until.max(now + SHARED))
            }
            Err(fault) => (Err(fault), now, now + FAILED),
        };
        self.kept = Some(Kept { client, found: found.clone(), since, until });
        found
    }

    /// A receiver refused a token: the next attempt uses another, unless that was tried just now.
    pub fn refuse(&mut self, token: &AccessToken, now: Timestamp) {
        let was_just_tried = self.refused_at.is_some_and(|at| (at..at + REFUSED).contains(&now));
        let is_kept = self.kept.as_ref().is_some_and(|kept| kept.found.as_ref() == Ok(token));
        if is_kept && !was_just_tried {
            self.kept = None;
            self.refused_at = Some(now);
        }
    }

    /// Whether nothing is kept that anybody could use.
    pub fn is_spent(&self, now: Timestamp) -> bool {
        let was_refused = self.refused_at.is_some_and(|at| now < at + REFUSED);
        !was_refused && self.kept.as_ref().is_none_or(|kept| now >= kept.until)
    }
}
