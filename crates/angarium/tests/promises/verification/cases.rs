//! What is made of a delivery: itself, and everything that must be refused.

use super::deliveries::Delivery;
use std::fmt;

/// How far a timestamp may be off.
const TOLERANCE: i64 = 300;

/// One question to the printed code.
#[derive(Clone)]
pub(crate) struct Case {
    /// Delivery and change, for people.
    pub(crate) what: String,
    pub(crate) contract: &'static str,
    /// Whether it must be accepted.
    pub(crate) genuine: bool,
    pub(crate) method: &'static str,
    /// Names in lower case; bytes, since an attacker may send any.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) query: Vec<u8>,
    pub(crate) secrets: Vec<String>,
    /// Unix seconds.
    pub(crate) now: i64,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wish = if self.genuine { "accept" } else { "refuse" };
        write!(f, "[{}] {wish}", self.what)
    }
}

/// Every case of a delivery.
pub(crate) fn of(delivery: &Delivery) -> Vec<Case> {
    let header = |name: &str| {
        let value = delivery.message.header(name);
        value.unwrap_or_else(|| panic!("{}: no {name}", delivery.what)).to_owned()
    };
    let others = delivery.message.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
    let genuine = Case {
        what: delivery.what.clone(),
        contract: delivery.contract,
        genuine: true,
        method: delivery.method,
        headers: others.map(|(name, value)| (name, value.into_bytes())).collect(),
        body: delivery.message.body.clone(),
        query: delivery.query.clone().into_bytes(),
        secrets: delivery.secrets.clone(),
        now: delivery.timestamp.unwrap_or(1_800_000_000),
    };
    let mut cases = Cases { genuine, all: Vec::new() };
    cases.accept("as it arrived", |_| {});
    cases.keys(&delivery.secrets);
    cases.carrier();
    if delivery.timestamp.is_some() {
        cases.times();
    }
    cases.signature(delivery.headers[0], &header(delivery.headers[0]));
    for name in delivery.headers {
        cases.header(name, &header(name));
    }
    if delivery.contract == "aleta" {
        let value = header("aleta-signature");
        let weak = value.split(",v2=").next().unwrap_or_default().to_owned();
        cases.refuse("only the weaker signature", |case| case.set("aleta-signature", &weak));
    }
    cases.all
}

struct Cases {
    genuine: Case,
    all: Vec<Case>,
}

impl Cases {
    fn accept(&mut self, what: &str, change: impl FnOnce(&mut Case)) {
        let mut case = self.genuine.clone();
        change(&mut case);
        case.what = format!("{}: {what}", case.what);
        self.all.push(case);
    }

    fn refuse(&mut self, what: &str, change: impl FnOnce(&mut Case)) {
        self.accept(what, |case| {
            change(case);
            case.genuine = false;
        });
    }

    fn keys(&mut self, secrets: &[String]) {
        for secret in secrets {
            let other = another(secret);
            self.accept("each key alone", |case| case.secrets = vec![secret.clone()]);
            self.accept("the good key last", |case| {
                case.secrets = vec![other.clone(), secret.clone()];
            });
            self.accept("the good key first", |case| {
                case.secrets = vec![secret.clone(), other.clone()];
            });
        }
        self.refuse("another key", |case| {
            case.secrets.iter_mut().for_each(|secret| *secret = another(secret));
        });
        self.refuse("no key", |case| case.secrets.clear());
    }

    /// The bytes that carry the event, changed.
    fn carrier(&mut self) {
        let length = self.genuine.carrier().len();
        for at in [0, 1, length / 3, length / 2, length - 2, length - 1] {
            self.refuse(&format!("byte {at} changed"), |case| case.carrier()[at] ^= 1);
        }
        self.refuse("a byte more", |case| case.carrier().push(b' '));
        self.refuse("a byte less", |case| {
            case.carrier().pop();
        });
        self.refuse("a byte before", |case| case.carrier().insert(0, b' '));
        self.refuse("nothing carried", |case| case.carrier().clear());
        self.refuse("not UTF-8", |case| case.carrier()[length / 2] = 0xff);
        self.refuse("deep JSON", |case| *case.carrier() = vec![b'['; 200_000]);
    }

    fn times(&mut self) {
        for off in [-TOLERANCE, -1, 1, TOLERANCE] {
            self.accept(&format!("{off} s off"), |case| case.now += off);
        }
        for off in [-TOLERANCE - 1, TOLERANCE + 1, 86_400, -86_400] {
            self.refuse(&format!("{off} s off"), |case| case.now += off);
        }
    }

    /// The header with the signature, cut and bent.
    fn signature(&mut self, name: &str, value: &str) {
        let length = value.len();
        for keep in [1, 2, 8, length / 4, length / 3] {
            self.refuse(&format!("{name} cut to {keep}"), |case| case.set(name, &value[..keep]));
        }
        // Where several keys sign, the rest would still be good.
        if self.genuine.secrets.len() == 1 {
            for keep in [length / 2, length - 8, length - 2, length - 1] {
                self.refuse(&format!("{name} cut to {keep}"), |case| {
                    case.set(name, &value[..keep])
                });
            }
            self.refuse("without its beginning", |case| case.set(name, &value[1..]));
            self.refuse("in capitals", |case| case.set(name, &value.to_uppercase()));
            let changed = format!("{}{}", &value[..length - 5], another(&value[length - 5..]));
            self.refuse("one digit changed", |case| case.set(name, &changed));
        }
    }

    /// A header that is needed, missing or with anything else in it.
    fn header(&mut self, name: &str, value: &str) {
        self.refuse(&format!("without {name}"), |case| case.headers.retain(|(it, _)| it != name));
        let digits = "1".repeat(6000);
        let long = "a".repeat(9000);
        let texts = [
            "",
            " ",
            ",",
            "=",
            ",=,;==& ;",
            "v1",
            "v1,",
            "t=",
            "t=,v1=,v2=",
            "t=abc,v2=00",
            "time=1;",
            "p:/",
            "p:1/00~$1",
            "-1",
            "0",
            "1e9",
            "NaN",
            "Infinity",
            "99999999999999999999",
            "9223372036854775807",
            "-9223372036854775808",
            "sha256=",
            "null",
            "🦀 é",
            &digits,
            &long,
        ];
        for text in texts {
            let shown: String = text.chars().take(24).collect();
            self.refuse(&format!("{name} is {shown:?}"), |case| case.set(name, text));
        }
        for bytes in [&b"\xff\xfe"[..], b"t=\xff,v2=\xff", b"\xff v1,\xff", b"p:1/\xff~$1"] {
            self.refuse(&format!("{name} is {bytes:?}"), |case| case.put(name, bytes));
        }
        let many = format!("t={digits},time={digits};p:{digits}/");
        self.refuse(&format!("{name} is long digits"), |case| case.set(name, &many));
        let digit = value.find(|c: char| c.is_ascii_digit()).filter(|_| !name.ends_with("-id"));
        if let Some(at) = digit.filter(|_| !name.contains("signature")) {
            let other = if value.as_bytes()[at] == b'9' { "8" } else { "9" };
            let changed = format!("{}{other}{}", &value[..at], &value[at + 1..]);
            self.refuse(&format!("{name} with another digit"), |case| case.set(name, &changed));
        }
        if name.ends_with("-id") || name.ends_with("time") || name.ends_with("timestamp") {
            self.refuse(&format!("{name} with a letter more"), |case| {
                case.set(name, &format!("{value}x"));
            });
            self.refuse(&format!("{name} without its last letter"), |case| {
                case.set(name, &value[..value.len() - 1]);
            });
        }
    }
}

impl Case {
    fn carrier(&mut self) -> &mut Vec<u8> {
        match self.method {
            "GET" => &mut self.query,
            _ => &mut self.body,
        }
    }

    /// What stands for the body of a POST and for the query of a GET.
    pub(crate) fn payload(&self) -> &[u8] {
        match self.method {
            "GET" => &self.query,
            _ => &self.body,
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.put(name, value.as_bytes());
    }

    fn put(&mut self, name: &str, value: &[u8]) {
        self.headers.retain(|(it, _)| it != name);
        self.headers.push((name.to_owned(), value.to_vec()));
    }
}

/// A text of the same form with one other letter, which hex, base64 and plain text may have.
fn another(text: &str) -> String {
    let at = text.len() / 2;
    let other = if text.as_bytes()[at] == b'a' { "b" } else { "a" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}
