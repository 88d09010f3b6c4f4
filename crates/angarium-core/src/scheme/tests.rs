//! Every built-in scheme accepts its vectors, and nothing that differs from them.

mod certificates;
mod challenges;
mod items;
mod tokens;

use super::library::BUILT_IN;
use super::origin::Origin;
use super::*;
use crate::secret::SecretText;
use crate::signature::{ContentPart, KeyUse};
use crate::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A genuine request, as a scheme's file has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    /// Whether the third party's own pages have it; else it was made by `schemes/vectors.py`.
    published: bool,
    /// Whether other secrets have signed too; their signatures may be anything.
    #[serde(default)]
    rolled: bool,
    secret: String,
    #[serde(default)]
    now: Option<String>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    /// What can be fetched.
    #[serde(skip)]
    documents: Vec<Fetched>,
}

/// A document that requests name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fetched {
    url: String,
    text: String,
    /// The root that is public in the vector's world.
    #[serde(default)]
    root: Option<String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    vector: Vec<Vector>,
    #[serde(default)]
    document: Vec<Fetched>,
}

impl Fetched {
    fn evidence(&self, document: Document) -> Evidence {
        let root = |pem: &String| {
            let root = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a root");
            webpki::anchor_from_trusted_cert(&root).expect("a root").to_owned()
        };
        let roots = self.root.iter().map(root).collect();
        Evidence { document, text: self.text.clone().into_bytes().into(), roots }
    }
}

impl Vector {
    fn now(&self) -> Timestamp {
        let now = self.now.as_deref().unwrap_or("2026-01-01T00:00:00Z");
        Timestamp::parse(now).expect("a time")
    }

    fn headers(&self) -> HeaderMap {
        let header = |(name, value): (&String, &String)| {
            let name: HeaderName = name.parse().expect("a header's name");
            (name, HeaderValue::from_str(value).expect("a header's value"))
        };
        self.headers.iter().map(header).collect()
    }

    fn verify(&self, scheme: &Arc<Scheme>) -> Result<Verified, Cause> {
        self.verify_at(scheme, self.now())
    }

    fn verify_at(&self, scheme: &Arc<Scheme>, now: Timestamp) -> Result<Verified, Cause> {
        let verifier = Verifier::prepare(Arc::clone(scheme), &[SecretText::new(&self.secret)]);
        let method = self.method.as_deref().unwrap_or("POST").parse::<Method>().expect("a method");
        let url = self.url.as_deref().unwrap_or("https://angarium.example/in/src_1");
        let headers = self.headers();
        let body = self.body.as_bytes();
        let incoming = Incoming { method: &method, url, headers: &headers, body };
        // As the server does it: what is needed is fetched, and then it is asked again.
        let verdict = verifier.verify(incoming, now);
        let Err(Cause::Needs(document)) = verdict else { return verdict };
        let found = self.documents.iter().find(|fetched| fetched.url == document.url());
        let evidence = found.map(|fetched| fetched.evidence(document));
        verifier.verify_with(incoming, evidence.as_ref(), now)
    }
}

/// Every scheme with its vectors.
fn all() -> Vec<(Arc<Scheme>, Vec<Vector>)> {
    let mut library = SchemeLibrary::default();
    let read = |(file, text): &(&str, &str)| {
        let scheme = library.add(file, text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let File { mut vector, document } =
            toml::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        for vector in &mut vector {
            vector.documents.clone_from(&document);
        }
        (scheme, vector)
    };
    BUILT_IN.iter().map(read).collect()
}

#[test]
fn every_scheme_accepts_its_vectors() {
    for (scheme, vectors) in all() {
        assert!(!vectors.is_empty(), "{} has no vector", scheme.name());
        for vector in vectors {
            let verified = vector.verify(&scheme);
            let verified = verified.unwrap_or_else(|cause| panic!("{}: {cause}", scheme.name()));
            assert_eq!(verified.id, vector.id, "{}", scheme.name());
            assert_eq!(verified.kind, vector.kind, "{}", scheme.name());
        }
    }
}

/// Something that is wrong with a genuine request.
struct Wrong {
    what: String,
    vector: Vector,
}

impl Vector {
    /// Every way in which a request may be wrong, from what the scheme says it needs.
    fn wrongs(&self, scheme: &Scheme) -> Vec<Wrong> {
        let mut wrongs = Vec::new();
        let mut wrong = |what: String, change: &dyn Fn(&mut Vector)| {
            let mut vector = self.clone();
            change(&mut vector);
            wrongs.push(Wrong { what, vector });
        };
        let signature = &scheme.signatures[0];
        let parts = &signature.form.contents[0].parts;
        if scheme.coverage == Coverage::Body || parts.contains(&ContentPart::BodyCrc32) {
            wrong("a byte of the body".into(), &|vector| {
                let body = &mut vector.body;
                let changed = if body.ends_with('x') { 'y' } else { 'x' };
                let last = body.pop().map_or(0, char::len_utf8);
                body.push(changed);
                assert!(last > 0, "the vector has a body");
            });
            wrong("a body that goes on".into(), &|vector| vector.body.push_str("&z=1"));
            wrong("no body".into(), &|vector| vector.body.clear());
        }
        if let Some(rule) = &scheme.timestamp {
            let (now, beyond) = (self.now(), rule.tolerance + Duration::from_secs(2));
            let times = [("a time long ago", now + beyond), ("a time to come", now - beyond)];
            for (what, now) in times {
                wrong(what.into(), &|vector| vector.now = Some(now.to_string()));
            }
        }
        for at in self.signed_of_body(scheme, signature) {
            wrong(format!("character {at} of the body"), &|vector| {
                vector.body = flipped(&self.body, at);
            });
        }
        for at in self.places_of_key(signature.form.key.usage) {
            wrong(format!("character {at} of the secret"), &|vector| {
                vector.secret = flipped(&self.secret, at);
            });
        }
        wrong("no secret".into(), &|vector| vector.secret.clear());
        for (name, value) in &self.headers {
            if !self.is_needed(scheme, name) {
                continue;
            }
            wrong(format!("no {name}"), &|vector| drop(vector.headers.remove(name)));
            wrong(format!("an empty {name}"), &|vector| {
                vector.headers.insert(name.clone(), String::new());
            });
            for at in 0..value.len() {
                wrong(format!("{name} up to character {at}"), &|vector| {
                    vector.headers.insert(name.clone(), value[..at].to_owned());
                });
            }
            for at in places_of_signature(signature, value) {
                wrong(format!("character {at} of {name}"), &|vector| {
                    vector.headers.insert(name.clone(), flipped(value, at));
                });
            }
            let before = &signature.candidate.before;
            wrong(format!("{before:?} alone in {name}"), &|vector| {
                vector.headers.insert(name.clone(), before.clone());
            });
            for other in ["null", "0", "===", "v1,", "v1a,", "t=,v1=", "sha256=", ",,,,", "\u{7f}"]
            {
                wrong(format!("{other:?} for {name}"), &|vector| {
                    vector.headers.insert(name.clone(), other.replace('\u{7f}', " "));
                });
            }
        }
        wrongs
    }

    /// Where in the body the signature stands, and what it signs of it.
    fn signed_of_body(&self, scheme: &Scheme, signature: &SchemeSignature) -> Vec<usize> {
        let Ok(json) = serde_json::from_str::<serde_json::Value>(&self.body) else {
            return Vec::new();
        };
        let item = match &signature.each {
            Some(list) => json.pointer(list).and_then(|list| list.get(0)).expect("an item"),
            None => &json,
        };
        let mut pointers: Vec<String> = Vec::new();
        if scheme.coverage == Coverage::NotTheBody {
            for part in &signature.form.contents[0].parts {
                match part {
                    ContentPart::Member(pointer) | ContentPart::MemberIfAny(pointer) => {
                        pointers.push(pointer.to_string());
                    }
                    ContentPart::Lines(lines) => {
                        pointers.extend(lines.iter().map(|line| format!("/{}", line.member)));
                    }
                    _ => {}
                }
            }
        }
        let conditions = signature.conditions.iter().map(|condition| &condition.origin);
        let place = match &signature.place {
            Place::One(origin) => Some(origin),
            Place::HeadersLike(_) => None,
        };
        pointers.extend(conditions.chain(place).filter_map(|origin| match origin {
            Origin::Member(pointer) => Some(pointer.to_string()),
            _ => None,
        }));
        let places = pointers.iter().filter_map(|pointer| {
            let text = item.pointer(pointer).filter(|value| !value.is_null())?.to_string();
            let at = self.body.find(&text).expect("the member");
            let quote = usize::from(text.starts_with('"'));
            Some(at + quote..at + text.len() - quote)
        });
        places.flatten().collect()
    }

    /// Where in the secret the key is.
    fn places_of_key(&self, usage: KeyUse) -> Vec<usize> {
        let of = |text: &str| {
            let at = self.secret.find(text).expect("a part of the secret");
            at..at + text.len()
        };
        match usage {
            KeyUse::Text | KeyUse::Bytes => (0..self.secret.len()).collect(),
            KeyUse::Pem => of(self.secret.split("-----").nth(2).expect("PEM")).collect(),
            KeyUse::Jwk => {
                let json: serde_json::Value = serde_json::from_str(&self.secret).expect("a JWK");
                let member =
                    |key: &serde_json::Value, name: &str| of(key[name].as_str().expect("a text"));
                match json.pointer("/keys/1") {
                    Some(key) => member(key, "kid").collect(),
                    None => ["kid", "kty", "alg", "crv", "x", "y"]
                        .into_iter()
                        .flat_map(|name| member(&json, name))
                        .collect(),
                }
            }
        }
    }

    /// Whether a request without this header, or with another, is not genuine.
    fn is_needed(&self, scheme: &Scheme, name: &str) -> bool {
        let is_it = |origin: &Origin| *origin == Origin::Header(name.parse().expect("a name"));
        let signs = |part: &ContentPart| match part {
            ContentPart::Header(header) => header.as_str().eq_ignore_ascii_case(name),
            ContentPart::Id => scheme.ids.iter().any(is_it),
            _ => false,
        };
        let signature = &scheme.signatures[0];
        // Of several signatures only one is ours.
        let family = self.verify_without(scheme, name);
        !family
            && (matches!(&signature.place, Place::One(origin) if is_it(origin))
                || matches!(&signature.place, Place::HeadersLike(_))
                || scheme.certificate.as_ref().is_some_and(|rule| is_it(&rule.url.from))
                || scheme.timestamp.as_ref().is_some_and(|rule| is_it(&rule.from))
                || signature.form.contents[0].parts.iter().any(signs))
    }

    /// Whether it is genuine without this header.
    fn verify_without(&self, scheme: &Scheme, name: &str) -> bool {
        let mut vector = self.clone();
        vector.headers.remove(name);
        let file =
            BUILT_IN.iter().find(|(file, _)| *file == format!("schemes/{}.toml", scheme.name()));
        let (file, text) = file.expect("a built-in scheme");
        let scheme = Arc::new(Scheme::parse(file, text).expect("a scheme"));
        vector.verify(&scheme).is_ok()
    }
}

/// Where in the header's value changes matter: around an enveloped signature they do not.
fn places_of_signature(signature: &SchemeSignature, value: &str) -> Vec<usize> {
    let ValuePart::Enveloped(pointer) = &signature.writing else {
        return (0..value.len()).collect();
    };
    let bytes = STANDARD.decode(value).expect("base64");
    let envelope: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    let inner = envelope.pointer(pointer).and_then(|inner| inner.as_str()).expect("a signature");
    let text = String::from_utf8(bytes).expect("text");
    let at = text.find(inner).expect("the signature");
    (at * 4 / 3 + 2..(at + inner.len()) * 4 / 3 - 2).collect()
}

/// The text with another character at a place; the case of hex says nothing.
fn flipped(text: &str, at: usize) -> String {
    let flip = |(place, character): (usize, char)| match (place == at, character) {
        (false, kept) => kept,
        (true, 'A' | 'a') => 'b',
        (true, '9') => '8',
        (true, digit @ '0'..='8') => char::from(digit as u8 + 1),
        (true, _) => 'a',
    };
    text.char_indices().map(flip).collect()
}

#[test]
fn nothing_that_differs_from_a_vector_is_accepted() {
    let mut cases = 0;
    let mut accepted = Vec::new();
    for (scheme, vectors) in all() {
        for vector in vectors.iter().filter(|vector| !vector.rolled) {
            for wrong in vector.wrongs(&scheme) {
                cases += 1;
                if wrong.vector.verify(&scheme).is_ok() {
                    accepted.push(format!("{}: {}", scheme.name(), wrong.what));
                }
            }
        }
    }
    let all = all();
    let published = all.iter().flat_map(|(_, vectors)| vectors).filter(|vector| vector.published);
    println!(
        "figure: {} schemes, {} published vectors, {cases} wrong requests, {} accepted",
        all.len(),
        published.count(),
        accepted.len(),
    );
    assert!(accepted.is_empty(), "{}", accepted.join("\n"));
}

#[test]
fn a_time_is_good_up_to_the_tolerance_either_way() {
    for (scheme, vectors) in all() {
        let Some(rule) = &scheme.timestamp else { continue };
        for vector in vectors {
            for now in [vector.now() + rule.tolerance, vector.now() - rule.tolerance] {
                assert!(vector.verify_at(&scheme, now).is_ok(), "{}", scheme.name());
            }
        }
    }
}

#[test]
fn what_a_scheme_signs_it_verifies_and_signs_as_the_vector_is() {
    for (scheme, vectors) in all() {
        let vector = &vectors[0];
        let signature = &scheme.signatures[0];
        if signature.form.algorithm.has_public_key() || signature.form.is_jwt() {
            continue;
        }
        let Place::One(Origin::Header(header)) = &signature.place else { continue };
        let method = vector.method.as_deref().unwrap_or("POST").parse().expect("a method");
        let mut headers = vector.headers();
        let wanted = headers.remove(header).expect("the signature");
        let url = vector.url.as_deref().unwrap_or("https://angarium.example/in/src_1");
        let draft = Draft {
            method: &method,
            url,
            headers: &headers,
            body: vector.body.as_bytes(),
            id: "",
            now: vector.now(),
        };
        let signed = scheme.sign(&SecretText::new(&vector.secret), draft).expect("signed");
        let own = signed.iter().find(|signed| signed.header.as_ref() == Some(header));
        assert_eq!(own.map(|signed| &*signed.text), wanted.to_str().ok(), "{}", scheme.name());
    }
}

#[test]
fn a_scheme_may_stand_in_a_call_and_says_what_is_wrong_with_it() {
    let signature = serde_json::json!({
        "from": "header.X-Sig", "algorithm": "hmac-sha256", "content": "{body}", "value": "{hex}",
    });
    let scheme = Scheme::from_json(&serde_json::json!({ "signature": [signature] }));
    assert_eq!(scheme.expect("a scheme").name(), "inline");
    for (described, told) in [
        (serde_json::json!(5), "a scheme is a name"),
        (serde_json::json!({}), "`signature` is missing"),
        (serde_json::json!({ "signature": [] }), "a scheme has a signature"),
        (serde_json::json!({ "signature": [signature], "x": null }), "unsupported"),
        (serde_json::json!({ "signature": [{}] }), "`signature[0].from` is missing"),
    ] {
        let reason = Scheme::from_json(&described).expect_err("a mistake");
        assert!(reason.contains(told), "{described}: {reason}");
    }
}
