//! Proxies that do not let through: each fails its attempt, once and in time, and is not gone
//! around. The receiver behind them stands open, so whoever went around would be seen there.

use super::host::{BadHost, Case};
use super::{
    AT_ONCE_MS, Delivery, SLACK_MS, SOON, TIMEOUT_MS, assert_unharmed, delivery, has_ended,
};
use crate::support::client::Api;
use crate::support::shop::{Shop, text};
use crate::support::{eventually, figure};
use serde_json::{Value, json};

/// An environment that sends through a case's proxy, with an endpoint behind it; its API.
fn behind(shop: &Shop, case: &Case, password: Option<&str>, receiver: &str) -> Api {
    let slug = format!("{}{}", case.name, if password.is_some() { "-known" } else { "" });
    let mut proxy = json!({"url": case.url});
    if let Some(password) = password {
        proxy["username"] = "angarium".into();
        proxy["password"] = password.into();
    }
    let environment = json!({"slug": slug, "contracts": ["standard"], "egress": {"proxy": proxy}});
    let admin = shop.server.admin();
    admin.post("/v1/environments", &environment).expect(201);
    let api = admin.with("angarium-environment", &slug);
    api.put("/v1/tenants/acme", &json!({})).expect(201);
    let delivery = json!({"timeout": format!("{TIMEOUT_MS}ms"), "retries": []});
    let endpoint = json!({"url": receiver, "types": ["*"], "delivery": delivery});
    api.post("/v1/tenants/acme/endpoints", &endpoint).expect(201);
    api
}

/// How the only delivery of an event ended, and the answer to its attempt.
fn ended(api: &Api, event: &str) -> (Delivery, Value) {
    let mut rows = Vec::new();
    eventually("the delivery ended", SOON, || {
        rows = api.list(&format!("/v1/deliveries?tenant=acme&event={event}"));
        rows.iter().all(has_ended) && rows.len() == 1
    });
    let whole = api.get(&format!("/v1/deliveries/{}", text(&rows[0], "id"))).expect(200);
    (delivery(&rows[0]), whole["attempts"][0]["response"].clone())
}

#[test]
fn a_proxy_that_does_not_let_through_is_not_gone_around() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = BadHost::start(&folder.path().join("authority.pem"));
    let shop = Shop::open();
    let receiver = format!("{}/ok", host.http);
    let cases: Vec<_> = host.cases.iter().filter(|case| case.stage == "proxy").collect();
    let both = cases.iter().flat_map(|case| [None, Some("p:w")].map(|password| (*case, password)));
    let sent: Vec<_> = both
        .map(|(case, password)| {
            let api = behind(&shop, case, password, &receiver);
            let event = json!({"tenant": "acme", "type": "a", "data": 1});
            let event = api.post("/v1/events", &event).expect(202);
            (case, api, text(&event, "id").to_owned())
        })
        .collect();
    let mut wrong = Vec::new();
    for (case, api, event) in &sent {
        let (seen, response) = ended(api, event);
        println!("{:20} {:12} {:>5} ms", case.name, seen.class, seen.took_ms);
        let limit = if case.limit == "none" { AT_ONCE_MS } else { TIMEOUT_MS + SLACK_MS };
        let is_right = case.classes.contains(&seen.class)
            && (&*seen.state, seen.attempts, seen.status) == ("dead", 1, None)
            && seen.took_ms <= limit;
        // What the proxy said is nobody's answer.
        let is_silent = response["body"].as_str().is_none_or(str::is_empty);
        if !is_right || !is_silent {
            wrong.push(format!("{}: {seen:?} {response}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let is_visited = |case: &&Case| host.visits().iter().any(|visit| visit.case == case.name);
    eventually("each proxy was asked", SOON, || cases.iter().all(&is_visited));
    let visits = host.visits();
    let around = visits.iter().filter(|visit| visit.case == "ok").count();
    figure(format_args!(
        "{} proxies, each with and without a password; {around} went around",
        cases.len()
    ));
    assert_eq!((around, cases.len()), (0, 19));
    for case in cases {
        let seen = visits.iter().filter(|visit| visit.case == case.name).count();
        assert!(seen <= 2, "{}: asked {seen} times by two attempts", case.name);
    }
    assert_unharmed(&shop);
}
