//! What a sound contract says; and what is said of one with mistakes.

use super::*;
use crate::declared::Mistakes;
use crate::id::SigningKeyId;
use crate::limits::Limits;
use crate::refusal::Code;
use crate::secret::{SecretText, SigningKey};
use crate::time::Timestamp;

mod mistakes;
mod weaknesses;

const SOUND: &str = r#"contract = "x"
title = "X"
[events."a.b"]
description = "d"
example = { z = 1, a = 0.50, t = 2026-01-02T03:04:05Z }
[request]
body = { type = "{event.type}" }
[[request.signature]]
header = "X-S"
algorithm = "hmac-sha256"
content = "{body}"
value = "{hex}"
key = { encoding = "hex", use = "text", bytes = 32 }
[keys]
scope = "endpoint"
[delivery]
timeout = "10s"
retries = ["5s"]
[endpoint]
schemes = ["https"]
"#;

fn parse(text: &str) -> Result<Contract, Mistakes> {
    Contract::parse("contracts/x.toml", text, &Limits::default())
}

#[test]
fn every_built_in_contract_is_sound_and_shows_itself() {
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    let names: Vec<_> = library.iter().map(|contract| contract.name()).collect();
    let all = [
        "aioka",
        "alumia",
        "anduin",
        "anduin-legacy",
        "aleta",
        "forward",
        "quantfolio",
        "standard",
    ];
    assert_eq!(names.len(), all.len());
    for name in all {
        let contract = library.get(name).expect(name);
        let shown = contract.to_string();
        for event in contract.events() {
            assert!(shown.contains(event.name.as_str()), "{shown}");
        }
    }
}

#[test]
fn an_example_keeps_its_members_in_the_order_of_the_file() {
    let contract = parse(SOUND).expect("sound");
    assert_eq!(contract.events()[0].example, r#"{"z":1,"a":0.5,"t":"2026-01-02T03:04:05Z"}"#);
}

#[test]
fn a_plan_is_one_of_the_platform_s() {
    let text = SOUND.replacen("[events", "plans = [\"free\", \"pro\"]\n[events", 1);
    let error = parse(&text.replacen("[endpoint]", "[endpoint]\nplan = \"gold\"", 1));
    let error = error.expect_err("no such plan").to_string();
    assert!(error.contains("none of `free`, `pro`; add it to `plans`"), "{error}");
    let contract = parse(&text.replacen("[endpoint]", "[endpoint]\nplan = \"pro\"", 1));
    let contract = contract.expect("sound");
    assert_eq!(contract.plans(), ["free".into(), "pro".into()]);
    assert_eq!(contract.rules().plan.as_deref(), Some("pro"));
}

#[test]
fn one_retired_key_stays_known_where_nothing_is_said() {
    let keys = |text: &str| parse(text).expect("sound").key_rule().cloned().expect("keys");
    assert_eq!((keys(SOUND).priors, keys(SOUND).rotate_every), (1, None));
    let said = "scope = \"tenant\"\npriors = 0\nrotate_every = \"1s\"";
    let said = keys(&SOUND.replacen("scope = \"endpoint\"", said, 1));
    assert_eq!((said.priors, said.rotate_every), (0, Some(std::time::Duration::from_secs(1))));
}

fn signing_key(byte: u8, created_at: Timestamp) -> SigningKey {
    SigningKey {
        id: SigningKeyId::from_bytes([byte; 16]),
        secret: SecretText::new("s"),
        created_at,
        retired_at: None,
        signs_until: None,
    }
}

/// What three rotations, two days apart, leave behind under a rule.
fn rotated(rule: &KeyRule) -> Vec<u8> {
    let day = Duration::from_secs(24 * 3600);
    let mut keys = vec![signing_key(1, Timestamp::from_millis(0))];
    for (byte, age) in [(2, 2), (3, 4), (4, 6)] {
        let now = Timestamp::from_millis(0) + day * age;
        keys = rule.succeed(&keys, signing_key(byte, now), now);
        assert!(keys[0].signs(now), "the new key signs at once");
        assert_eq!(keys[1..].iter().all(|key| !key.signs(now)), rule.overlap.is_zero());
    }
    keys.iter().map(|key| key.id.to_bytes()[0]).collect()
}

#[test]
fn a_rotation_keeps_the_priors_and_whatever_still_signs() {
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    let rule = library.get("standard").and_then(|c| c.key_rule()).expect("keys").clone();
    let day = Duration::from_secs(24 * 3600);
    // Priors, overlap in days, and the keys that are left, newest first.
    let rows: &[(usize, u32, &[u8])] = &[
        (0, 0, &[4]),
        (1, 0, &[4, 3]),
        (2, 0, &[4, 3, 2]),
        (10, 0, &[4, 3, 2, 1]),
        (0, 1, &[4, 3]),
        (0, 3, &[4, 3, 2]),
        (1, 5, &[4, 3, 2, 1]),
    ];
    for (priors, overlap, left) in rows {
        let rule = KeyRule { priors: *priors, overlap: day * *overlap, ..rule.clone() };
        assert_eq!(rotated(&rule), *left, "{priors} priors, {overlap} days of overlap");
        let keys = left.iter().map(|byte| signing_key(*byte, Timestamp::from_millis(0)));
        let keys: Vec<_> = keys.collect();
        assert_eq!(rule.known(&keys).len(), left.len().min(priors + 1), "{priors} priors");
    }
}

#[test]
fn no_more_than_ten_retired_keys_sign_however_often_one_is_rotated() {
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    let rule = library.get("standard").and_then(|c| c.key_rule()).expect("keys");
    let now = Timestamp::from_millis(0);
    let mut keys = vec![signing_key(0, now)];
    for byte in 1..100 {
        keys = rule.succeed(&keys, signing_key(byte, now), now);
    }
    let left: Vec<u8> = keys.iter().map(|key| key.id.to_bytes()[0]).collect();
    assert_eq!(left, (89..100).rev().collect::<Vec<_>>());
}

#[test]
fn a_key_is_due_when_it_is_as_old_as_the_contract_lets_it_get() {
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    let rule = library.get("aleta").and_then(|c| c.key_rule()).expect("keys");
    let made = Timestamp::from_millis(1_000);
    let keys = [signing_key(2, made), signing_key(1, Timestamp::from_millis(0))];
    assert_eq!(rule.rotates_at(&keys), Some(made + Duration::from_secs(90 * 24 * 3600)));
    assert_eq!(rule.rotates_at(&[]), None);
    assert_eq!(KeyRule { rotate_every: None, ..rule.clone() }.rotates_at(&keys), None);
}

#[test]
fn a_new_key_is_accepted_by_the_contract_that_made_it() {
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    for contract in library.iter() {
        if let Some(rule) = contract.key_rule() {
            let key = rule.generate_key(&[7; 64]);
            assert_eq!(rule.check_key(key.expose()), Ok(()), "{}", contract.name());
            assert!(key.expose().starts_with("whsec_"));
        }
    }
}

#[test]
fn a_standard_secret_is_base64_of_24_to_64_bytes_or_an_ed25519_seed() {
    use base64::Engine;
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    let rule = library.get("standard").and_then(|c| c.key_rule()).expect("keys");
    let key = |prefix: &str, bytes: usize| {
        let text = base64::engine::general_purpose::STANDARD.encode(vec![1; bytes]);
        rule.check_key(&format!("{prefix}{text}")).map_err(|refusal| refusal.code)
    };
    let refused = Err(Code::InvalidSecret);
    assert_eq!(key("whsec_", 23), refused);
    assert_eq!(key("whsec_", 24), Ok(()));
    assert_eq!(key("whsec_", 64), Ok(()));
    assert_eq!(key("whsec_", 65), refused);
    assert_eq!(key("whsk_", 32), Ok(()));
    assert_eq!(key("whsk_", 31), refused);
    assert_eq!(key("", 32), refused);
    assert_eq!(rule.check_key("whsec_?").map_err(|refusal| refusal.code), refused);
}
