//! What a key may do: which scopes and which level a call needs, and which keys a key may make.

use crate::account::{ApiKey, Scope};
use crate::limits::Limits;
use crate::rate::RateLimit;
use crate::refusal::{Code, Refusal};
use crate::time::Timestamp;
use std::time::Duration;

/// How long a portal key lives that is made without an end: the visit of one customer.
const PORTAL_LIFE: Duration = Duration::from_secs(3_600);

/// How far a key reaches; each level reaches whatever the one before it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// One tenant.
    Tenant,
    /// One environment, all of its tenants.
    Environment,
    /// All environments.
    Instance,
}

/// What a call needs of the key that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Any one of these.
    pub scopes: &'static [Scope],
    /// At least this level.
    pub level: Level,
}

impl Need {
    /// Hands an event in.
    pub const PUBLISH: Need = Need::any_of(&[Scope::Publish]);
    /// Shows what a portal shows to a tenant: no secret, and nothing of the platform's own.
    pub const LOOK: Need = Need::any_of(&[Scope::Read, Scope::Manage, Scope::Portal]);
    /// Changes what a portal lets a tenant change.
    pub const OPERATE: Need = Need::any_of(&[Scope::Manage, Scope::Portal]);
    /// Shows everything but secrets. Who may manage may also read.
    pub const READ: Need = Need::any_of(&[Scope::Read, Scope::Manage]);
    /// Changes anything, and shows the secrets that can be shown.
    pub const MANAGE: Need = Need::any_of(&[Scope::Manage]);

    const fn any_of(scopes: &'static [Scope]) -> Self {
        Self { scopes, level: Level::Tenant }
    }

    /// The same, and not with a key of a lower level.
    #[must_use]
    pub const fn at(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// Refuses a key that has none of the scopes, or is of too low a level.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub fn check(self, key: &ApiKey) -> Result<(), Refusal> {
        if !self.scopes.iter().any(|scope| key.scopes.contains(scope)) {
            let message = format!("this call needs a key with the scope {}", self.scope_names());
            return Err(Refusal::whole(Code::Forbidden, message));
        }
        if key.level() < self.level {
            let message = match self.level {
                Level::Tenant | Level::Environment => "a tenant's key may not do this",
                Level::Instance => "only a key of the instance may do this",
            };
            return Err(Refusal::whole(Code::Forbidden, message));
        }
        Ok(())
    }

    /// The scopes for people: `read, manage or portal`.
    pub fn scope_names(self) -> String {
        let names: Vec<_> = self.scopes.iter().map(|scope| scope.as_str()).collect();
        match names.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }
}

/// The scopes of a new key, each once: none that would let it do what its maker may not. A portal
/// key has no other scope: it is handed to people outside the platform.
///
/// # Errors
/// [`Code::InvalidField`] for none at all, or others beside `portal`; [`Code::Forbidden`].
pub fn granted(maker: &ApiKey, asked: &[Scope]) -> Result<Vec<Scope>, Refusal> {
    let invalid = |why: &str| Refusal::field(Code::InvalidField, "scopes", why);
    let mut scopes: Vec<Scope> = Vec::new();
    for scope in asked {
        let need = match scope {
            Scope::Publish => Need::PUBLISH,
            Scope::Read => Need::READ,
            Scope::Manage | Scope::Portal => Need::MANAGE,
        };
        need.check(maker).map_err(|refusal| refusal.below("scopes"))?;
        if !scopes.contains(scope) {
            scopes.push(*scope);
        }
    }
    match &*scopes {
        [] => Err(invalid("a key has at least one scope")),
        [_, _, ..] if scopes.contains(&Scope::Portal) => {
            Err(invalid("`portal` stands alone: make another key for the other scopes"))
        }
        _ => Ok(scopes),
    }
}

/// When a new key ends by itself: the asked time, which lies ahead. A portal key always ends: after
/// an hour where none is asked, and not later than the limit allows.
///
/// # Errors
/// [`Code::InvalidField`], saying what is allowed.
pub fn end_of(
    scopes: &[Scope],
    asked: Option<Timestamp>,
    now: Timestamp,
    limits: &Limits,
) -> Result<Option<Timestamp>, Refusal> {
    let invalid = |why: String| Refusal::field(Code::InvalidField, "expires_at", why);
    if asked.is_some_and(|end| end <= now) {
        return Err(invalid("a time to come".into()));
    }
    if !scopes.contains(&Scope::Portal) {
        return Ok(asked);
    }
    let most = limits.portal_key_seconds;
    let latest = now + Duration::from_secs(u64::try_from(most).unwrap_or(u64::MAX));
    match asked {
        None => Ok(Some(latest.min(now + PORTAL_LIFE))),
        Some(end) if end <= latest => Ok(Some(end)),
        Some(_) => {
            let message = format!("a portal key ends within {most} seconds, by {latest}");
            Err(invalid(message))
        }
    }
}

/// The rate of a new key: not more than that of the key that makes it, which is its own where none
/// is asked.
///
/// # Errors
/// [`Code::Forbidden`], saying what is allowed.
pub fn rate_of(maker: &ApiKey, asked: Option<RateLimit>) -> Result<Option<RateLimit>, Refusal> {
    match (maker.rate, asked) {
        (Some(own), Some(asked))
            if asked.per_second() > own.per_second() || asked.burst() > own.burst() =>
        {
            let (per_second, burst) = (own.per_second(), own.burst());
            let message = format!("at most {per_second} a second and {burst} at once, as your key");
            Err(Refusal::field(Code::Forbidden, "rate", message))
        }
        (own, None) => Ok(own),
        (_, asked) => Ok(asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ApiKeyId, EnvironmentNo, TenantNo};

    const NOW: Timestamp = Timestamp::from_millis(1_776_686_400_000);

    fn key(level: Level, scopes: &[Scope]) -> ApiKey {
        let environment = (level < Level::Instance).then(|| EnvironmentNo::new(1));
        let tenant = (level < Level::Environment).then(|| TenantNo::new(1));
        ApiKey {
            id: ApiKeyId::from_bytes([1; 16]),
            hash: [1; 32],
            name: "k".into(),
            environment,
            tenant,
            scopes: scopes.to_vec(),
            rate: None,
            created_at: NOW,
            expires_at: None,
            last_used_at: None,
        }
    }

    #[test]
    fn a_key_makes_none_that_may_call_more_often_than_itself() {
        let rate = |per_second, burst| {
            let spec = crate::rate::RateSpec { per_second, burst: Some(burst) };
            RateLimit::try_new(spec).expect("a rate")
        };
        let free = key(Level::Tenant, &[Scope::Manage]);
        let slow = ApiKey { rate: Some(rate(2.0, 4)), ..free.clone() };
        assert_eq!(rate_of(&free, None), Ok(None));
        assert_eq!(rate_of(&free, Some(rate(9.0, 9))), Ok(Some(rate(9.0, 9))));
        assert_eq!(rate_of(&slow, None), Ok(slow.rate));
        assert_eq!(rate_of(&slow, slow.rate), Ok(slow.rate));
        for more in [rate(2.1, 4), rate(2.0, 5)] {
            let refusal = rate_of(&slow, Some(more)).expect_err("more than its maker's");
            assert_eq!((refusal.code, refusal.field.as_deref()), (Code::Forbidden, Some("rate")));
        }
    }

    #[test]
    fn a_need_is_met_by_any_of_its_scopes_from_its_level_upwards() {
        let levels = [Level::Tenant, Level::Environment, Level::Instance];
        // A need, and who meets it: publish, manage, read, portal.
        let rows = [
            (Need::PUBLISH, [true, false, false, false]),
            (Need::LOOK, [false, true, true, true]),
            (Need::OPERATE, [false, true, false, true]),
            (Need::READ, [false, true, true, false]),
            (Need::MANAGE, [false, true, false, false]),
        ];
        for (need, meets) in rows {
            for (scope, meets) in Scope::ALL.iter().zip(meets) {
                for (of_key, of_need) in levels.iter().flat_map(|a| levels.map(|b| (*a, b))) {
                    let checked = need.at(of_need).check(&key(of_key, &[*scope]));
                    let expected = meets && of_key >= of_need;
                    assert_eq!(checked.is_ok(), expected, "{need:?} {scope:?} {of_key:?}");
                }
            }
        }
        let refused = Need::LOOK.check(&key(Level::Tenant, &[Scope::Publish])).expect_err("no");
        assert!(refused.message.ends_with("read, manage or portal"), "{}", refused.message);
    }

    #[test]
    fn a_key_gives_no_scope_away_that_it_has_not() {
        use Scope::{Manage, Portal, Publish, Read};
        let manages = key(Level::Tenant, &[Manage]);
        let all = key(Level::Tenant, Scope::ALL);
        type Row<'a> = (&'a ApiKey, &'a [Scope], Result<&'a [Scope], Code>);
        let rows: [Row<'_>; 9] = [
            (&manages, &[Manage, Read, Manage], Ok(&[Manage, Read])),
            (&manages, &[Portal], Ok(&[Portal])),
            (&manages, &[Publish], Err(Code::Forbidden)),
            (&all, &[Publish, Read], Ok(&[Publish, Read])),
            (&all, &[], Err(Code::InvalidField)),
            (&all, &[Portal, Read], Err(Code::InvalidField)),
            (&all, &[Publish, Portal], Err(Code::InvalidField)),
            (&key(Level::Tenant, &[Read]), &[Portal], Err(Code::Forbidden)),
            (&key(Level::Tenant, &[Portal]), &[Portal], Err(Code::Forbidden)),
        ];
        for (maker, asked, expected) in rows {
            let given = granted(maker, asked).map_err(|refusal| refusal.code);
            assert_eq!(given.as_deref(), expected.as_ref().map(|scopes| *scopes), "{asked:?}");
        }
    }

    #[test]
    fn a_portal_key_ends_within_the_limit_and_any_key_in_the_future() {
        let limits = Limits::default();
        let in_seconds = |seconds| NOW + Duration::from_secs(seconds);
        let day = u64::try_from(limits.portal_key_seconds).expect("it fits");
        let rows = [
            (Scope::Read, None, Ok(None)),
            (Scope::Read, Some(in_seconds(1)), Ok(Some(in_seconds(1)))),
            (Scope::Read, Some(in_seconds(9 * day)), Ok(Some(in_seconds(9 * day)))),
            (Scope::Read, Some(NOW), Err(())),
            (Scope::Portal, None, Ok(Some(in_seconds(3_600)))),
            (Scope::Portal, Some(in_seconds(day)), Ok(Some(in_seconds(day)))),
            (Scope::Portal, Some(in_seconds(day + 1)), Err(())),
            (Scope::Portal, Some(NOW), Err(())),
        ];
        for (scope, asked, expected) in rows {
            let end = end_of(&[scope], asked, NOW, &limits);
            let refused = |refusal: Refusal| {
                assert_eq!(refusal.field.as_deref(), Some("expires_at"));
            };
            assert_eq!(end.map_err(refused), expected, "{scope:?} {asked:?}");
        }
        let short = Limits { portal_key_seconds: 60, ..limits };
        assert_eq!(end_of(&[Scope::Portal], None, NOW, &short), Ok(Some(in_seconds(60))));
    }
}
