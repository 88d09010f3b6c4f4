//! Endpoints that prove who sends to them: with a token of their token endpoint, with a client
//! certificate, and towards a receiver whom a private authority vouches for. What tells is the
//! token endpoint and the receivers.

mod canary;
mod forbidden;
mod oauth2;
mod stage;
mod tls;

use crate::support::shop::{Shop, text};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// What goes with an endpoint: it gets everything, and is tried again after each of `retries`.
fn endpoint(url: &str, retries: &[&str], more: &Value) -> Value {
    let delivery = json!({"timeout": "2s", "retries": retries});
    let mut endpoint = json!({"url": url, "types": ["*"], "delivery": delivery});
    for (name, value) in more.as_object().into_iter().flatten() {
        endpoint[name] = value.clone();
    }
    endpoint
}

/// Publishes, and answers how the only delivery ended, with its attempts.
fn outcome(shop: &Shop, state: &str) -> Value {
    let event = shop.publish("a", &json!(1));
    shop.wait_for_state(text(&event, "id"), state)
}
