//! A third party that signs what it sends, by code that is not the product's.

use super::client::{Answer, Api, Connection};
use super::shop::{Shop, text};
use aws_lc_rs::hmac;
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "it is a secret";

/// A source of `acme`, and who sends to it as GitHub does.
pub(crate) struct Sender {
    pub(crate) source: Value,
    /// Without any key.
    pub(crate) caller: Api,
    path: String,
}

impl Sender {
    /// A source of the scheme `github` with these members beside its name and secret.
    pub(crate) fn to(shop: &Shop, members: &Value) -> Self {
        let mut body = json!({"name": "GitHub", "scheme": "github", "secret": SECRET});
        let members = members.as_object().expect("members").clone();
        body.as_object_mut().expect("an object").extend(members);
        let source = shop.api.post("/v1/tenants/acme/sources", &body).expect(201);
        Self::of(shop, source)
    }

    /// Who sends to a source that is there.
    pub(crate) fn of(shop: &Shop, source: Value) -> Self {
        let caller = Api { address: shop.server.address.clone(), headers: Vec::new() };
        Self { path: format!("/in/{}", text(&source, "id")), caller, source }
    }

    pub(crate) fn id(&self) -> &str {
        text(&self.source, "id")
    }

    /// Sends an event, signed as GitHub signs.
    pub(crate) fn send(&self, kind: &str, body: &[u8]) -> Answer {
        self.signed(kind, body, SECRET).call("POST", &self.path, Some(body))
    }

    /// As [`Sender::send`], on a connection that is kept.
    pub(crate) fn send_on(
        &self,
        connection: &mut Connection,
        body: &[u8],
    ) -> std::io::Result<Answer> {
        connection.exchange(&self.signed("push", body, SECRET), "POST", &self.path, Some(body))
    }

    /// Who signs with this secret.
    pub(crate) fn signed(&self, kind: &str, body: &[u8], secret: &str) -> Api {
        let signature = format!("sha256={}", hmac_sha256(secret, body));
        self.caller.with("x-hub-signature-256", &signature).with("x-github-event", kind)
    }

    /// What arrived, as the owner sees it.
    pub(crate) fn requests(&self, shop: &Shop) -> Vec<Value> {
        shop.api.list(&format!("/v1/sources/{}/requests", self.id()))
    }

    /// The events that the source made.
    pub(crate) fn events(&self, shop: &Shop) -> Vec<Value> {
        shop.api.list(&format!("/v1/events?tenant=acme&subject={}", self.id()))
    }
}

/// In hex.
pub(crate) fn hmac_sha256(secret: &str, content: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex::encode(hmac::sign(&key, content))
}
