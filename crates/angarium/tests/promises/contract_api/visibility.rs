//! Who sees what: keys, tenants, contracts and environments, two of each.

use super::stage::{PAGES, Platforms, page, refused, webhooks};
use crate::support::client::Api;
use crate::support::shop::text;
use serde_json::json;

/// That an id does not exist for a caller: exactly as one that was never made.
fn does_not_exist(caller: &Api, path: &str, id: &str, change: Option<(&str, serde_json::Value)>) {
    let calls = |id: &str| {
        let own = format!("{path}/{id}");
        let mut answers = vec![caller.delete(&own)];
        if let Some((method, change)) = &change {
            answers.push(caller.get(&own));
            answers.push(caller.call(method, &own, Some(change.to_string().as_bytes())));
        }
        answers
    };
    let never = calls("wh_00000000000000000000000000");
    for (answer, never) in calls(id).iter().zip(&never) {
        assert_eq!((answer.status, &answer.body), (404, &never.body));
        refused(answer, 404, "not_found");
    }
}

#[test]
fn a_webhook_exists_for_its_own_tenant_and_environment_only() {
    let platforms = Platforms::open();
    for page in PAGES {
        let path = format!("/e/{}{}", page.contract, page.path);
        let owner = platforms.customer(page, "acme");
        let id = text(&owner.post(&path, &page.webhook()).expect(201), "id").to_owned();
        let change = || page.change.map(|(method, change)| (method, change()));
        let other = platforms.customer(page, "other");
        does_not_exist(&other, &path, &id, change());
        assert!(webhooks(&other, &path).is_empty());
        for elsewhere in PAGES.iter().filter(|elsewhere| elsewhere.contract != page.contract) {
            let foreign = platforms.customer(elsewhere, "acme");
            let there = format!("/e/{}{}", elsewhere.contract, elsewhere.path);
            does_not_exist(&foreign, &there, &id, elsewhere.change.map(|(m, c)| (m, c())));
        }
        assert_eq!(webhooks(&owner, &path).len(), 1, "nothing happened to it");
    }
}

#[test]
fn a_key_sees_what_was_made_with_it_where_the_page_says_so() {
    let platforms = Platforms::open();
    for page in PAGES {
        let path = format!("/e/{}{}", page.contract, page.path);
        let (one, two) = (platforms.customer(page, "acme"), platforms.customer(page, "acme"));
        let id = text(&one.post(&path, &page.webhook()).expect(201), "id").to_owned();
        let made_natively = json!({
            "url": page.webhook()["url"], "types": page.webhook()["events"],
            "contract": page.contract,
        });
        let native = platforms.native(page.contract);
        native.post("/v1/tenants/acme/endpoints", &made_natively).expect(201);
        if page.contract == "aioka" {
            assert_eq!(webhooks(&one, &path).len(), 1);
            assert!(webhooks(&two, &path).is_empty());
            does_not_exist(&two, &path, &id, None);
        } else {
            assert_eq!(webhooks(&one, &path).len(), 2);
            assert_eq!(webhooks(&one, &path), webhooks(&two, &path));
        }
    }
}

#[test]
fn contracts_side_by_side_show_only_their_own_webhooks() {
    let platforms = Platforms::bare();
    let (aleta, anduin) = (page("aleta"), page("anduin"));
    platforms.environment("both", &["aleta", "anduin"], &[]).expect(201);
    platforms.tenant("both", "acme");
    let key = platforms.key("both", Some("acme"), &["manage"]);
    let caller = platforms.caller(aleta, &key);
    let paths = ["/e/both/v2/webhooks", "/e/both/api/v2/webhooks"];
    let ids = [aleta, anduin].map(|page| {
        let path = format!("/e/both{}", page.path);
        text(&caller.post(&path, &page.webhook()).expect(201), "id").to_owned()
    });
    for (own, path) in paths.iter().enumerate() {
        let listed = webhooks(&caller, path);
        assert_eq!(listed.len(), 1);
        assert_eq!(text(&listed[0], "id"), ids[own]);
        let native = platforms.native("both");
        let foreign = native.get(&format!("/v1/endpoints/{}", ids[1 - own])).expect(200);
        for id in [&*ids[1 - own], text(&foreign, "id")] {
            refused(&caller.get(&format!("{path}/{id}")), 404, "not_found");
        }
    }
}

#[test]
fn only_a_tenants_valid_key_of_this_environment_calls() {
    let platforms = Platforms::open();
    for page in PAGES {
        let path = format!("/e/{}{}", page.contract, page.path);
        let elsewhere = PAGES.iter().find(|other| other.contract != page.contract);
        let elsewhere = elsewhere.expect("another page").contract;
        let all = &["publish", "manage", "read"];
        let wrong = [
            "wrong".to_owned(),
            String::new(),
            crate::support::server::ADMIN_KEY.to_owned(),
            platforms.key(page.contract, None, all),
            platforms.key(elsewhere, Some("acme"), all),
        ];
        let mut callers: Vec<_> = wrong.iter().map(|key| platforms.caller(page, key)).collect();
        let good = platforms.key(page.contract, Some("acme"), all);
        let nameless = Api::new(&platforms.server.address, "x").without("authorization");
        callers.push(nameless.clone());
        callers.push(match page.in_own_header {
            true => nameless.with("authorization", &format!("Bearer {good}")),
            false => nameless.with("x-api-key", &good),
        });
        callers.push(nameless.with("authorization", &format!("Basic {good}")));
        for caller in callers {
            for answer in [caller.get(&path), caller.post(&path, &page.webhook())] {
                refused(&answer, 401, "unauthorized");
                let challenge = answer.message.header("www-authenticate").expect("a challenge");
                assert_eq!(challenge.starts_with("Bearer"), !page.in_own_header, "{challenge}");
            }
        }
        platforms.caller(page, &good).get(&path).expect(200);
    }
}

#[test]
fn a_revoked_key_ends_and_its_webhooks_stay() {
    let platforms = Platforms::open();
    let page = page("aioka");
    let body = json!({"name": "k", "environment": "aioka", "tenant": "acme", "scopes": ["manage"]});
    let made = platforms.server.admin().post("/v1/keys", &body).expect(201);
    let caller = platforms.caller(page, text(&made, "key"));
    let webhook = caller.post("/e/aioka/v1/webhooks", &page.webhook()).expect(201);
    let native = platforms.native("aioka");
    native.delete(&format!("/v1/keys/{}", text(&made, "id"))).expect(204);
    refused(&caller.get("/e/aioka/v1/webhooks"), 401, "unauthorized");
    native.get(&format!("/v1/endpoints/{}", text(&webhook, "id"))).expect(200);
}

#[test]
fn a_key_that_only_reads_changes_nothing_and_is_shown_no_secret() {
    let platforms = Platforms::open();
    for page in PAGES {
        let path = format!("/e/{}{}", page.contract, page.path);
        let reads = platforms.key(page.contract, Some("acme"), &["read"]);
        let reads = platforms.caller(page, &reads);
        reads.get(&path).expect(200);
        refused(&reads.post(&path, &page.webhook()), 403, "forbidden");
        refused(&reads.delete(&format!("{path}/x")), 403, "forbidden");
        let publishes = platforms.key(page.contract, Some("acme"), &["publish"]);
        refused(&platforms.caller(page, &publishes).get(&path), 403, "forbidden");
        if page.contract == "aleta" {
            refused(&reads.get("/e/aleta/v2/webhooks/keys"), 403, "forbidden");
        }
    }
}
