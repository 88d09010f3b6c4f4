//! Secrets that are like nothing else, and every form in which one could get out.

use aho_corasick::AhoCorasick;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use std::collections::BTreeMap;

/// A secret, by what it is for.
struct Canary {
    kind: &'static str,
    /// What it is written as.
    text: String,
    /// What it stands for, where that is something else.
    bytes: Vec<u8>,
}

impl Canary {
    /// As it is, in JSON and in URLs and forms, in hex, and in base64 at each of three places in
    /// other data.
    fn forms(&self) -> Vec<Vec<u8>> {
        let json = serde_json::json!(self.text).to_string();
        let url = percent(&self.text);
        let mut forms = vec![self.text.clone(), url.replace("%20", "+"), url];
        forms.push(json.trim_matches('"').to_owned());
        let mut forms: Vec<_> = forms.into_iter().map(String::into_bytes).collect();
        for bytes in [self.text.as_bytes(), &self.bytes] {
            forms.push(bytes.to_vec());
            let hex = hex::encode(bytes);
            forms.extend([hex.to_uppercase().into_bytes(), hex.into_bytes()]);
            for engine in [STANDARD, URL_SAFE] {
                forms.extend((0..3).map(|before| middle(&engine, before, bytes)));
            }
        }
        forms.sort();
        forms.dedup();
        forms
    }
}

/// What base64 says of bytes that begin behind `before` others, without the letters that depend
/// on what stands around them.
fn middle(engine: &impl Engine, before: usize, bytes: &[u8]) -> Vec<u8> {
    let text = engine.encode([&vec![0; before], bytes].concat());
    let (first, end) = ((before * 8).div_ceil(6), (before + bytes.len()) * 8 / 6);
    text.as_bytes()[first..end].to_vec()
}

fn percent(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

/// All secrets of a run.
#[derive(Default)]
pub(crate) struct Canaries(Vec<Canary>);

impl Canaries {
    /// A word that is a secret.
    pub(crate) fn word(&mut self, kind: &'static str) -> String {
        let text = format!("Canary{}", &hex::encode(bytes_of(kind))[..26]);
        self.know(kind, &text)
    }

    /// Thirty-two bytes that are a secret, in base64.
    pub(crate) fn key(&mut self, kind: &'static str) -> String {
        self.know(kind, &STANDARD.encode(bytes_of(kind)))
    }

    /// A secret that somebody else has made.
    pub(crate) fn know(&mut self, kind: &'static str, text: &str) -> String {
        assert!(text.len() >= 12, "{kind}: {text:?} is too short to be searched for");
        if self.0.iter().any(|known| known.text == text) {
            return text.to_owned();
        }
        let bare = text.strip_prefix("whsec_").unwrap_or(text);
        let bytes = STANDARD.decode(bare).unwrap_or_else(|_| bare.as_bytes().to_vec());
        self.0.push(Canary { kind, text: text.to_owned(), bytes });
        text.to_owned()
    }
}

fn bytes_of(kind: &str) -> Vec<u8> {
    digest(&SHA256, kind.as_bytes()).as_ref().to_vec()
}

/// Where a secret could have got to.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// Secrets that belong there.
    pub(crate) shows: Vec<&'static str>,
}

/// What a search saw.
pub(crate) struct Found {
    pub(crate) bytes: usize,
    pub(crate) forms: usize,
    pub(crate) kinds: usize,
    /// Where a secret stands that does not belong there.
    pub(crate) hits: Vec<String>,
    /// How often each secret was seen where it belongs.
    pub(crate) shown: BTreeMap<&'static str, usize>,
}

/// Looks for every form of every secret everywhere.
pub(crate) fn search(canaries: &Canaries, places: &[Place]) -> Found {
    let forms: Vec<_> = canaries
        .0
        .iter()
        .flat_map(|canary| canary.forms().into_iter().map(|form| (canary.kind, form)))
        .collect();
    let machine = AhoCorasick::new(forms.iter().map(|(_, form)| form)).expect("a search");
    let mut found = Found {
        bytes: places.iter().map(|place| place.bytes.len()).sum(),
        forms: forms.len(),
        kinds: canaries.0.len(),
        hits: Vec::new(),
        shown: BTreeMap::new(),
    };
    for place in places {
        for hit in machine.find_overlapping_iter(&place.bytes) {
            let (kind, form) = &forms[hit.pattern().as_usize()];
            if place.shows.contains(kind) {
                *found.shown.entry(kind).or_default() += 1;
            } else {
                let around = &place.bytes[hit.start().saturating_sub(100)..hit.end()];
                let (form, around) =
                    (String::from_utf8_lossy(form), String::from_utf8_lossy(around));
                found.hits.push(format!("{}: {kind} as {form}: …{around}", place.name));
            }
        }
    }
    found.hits.dedup();
    found
}

#[test]
fn a_secret_is_found_in_each_form_wherever_it_stands() {
    let mut canaries = Canaries::default();
    let password = canaries.word("password");
    let key = canaries.key("key");
    let bytes = STANDARD.decode(&key).expect("base64");
    let rows: Vec<Vec<u8>> = vec![
        format!("… {password} …").into_bytes(),
        STANDARD.encode(format!("user:{password}!")).into_bytes(),
        STANDARD.encode(format!("a:{password}")).into_bytes(),
        hex::encode(&password).into_bytes(),
        [b"a\0", &bytes[..], b"b"].concat(),
        format!("whsec_{key}").into_bytes(),
        hex::encode_upper(&bytes).into_bytes(),
        URL_SAFE.encode([b"12", &bytes[..]].concat()).into_bytes(),
        percent(&key).into_bytes(),
    ];
    for bytes in rows {
        let place = Place { name: "a row".into(), bytes, shows: vec![] };
        assert!(!search(&canaries, &[place]).hits.is_empty());
    }
    let nothing = Place { name: "none".into(), bytes: b"Canary, key".to_vec(), shows: vec![] };
    assert!(search(&canaries, &[nothing]).hits.is_empty());
}
