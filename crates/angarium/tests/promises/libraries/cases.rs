//! What is made of a signed message: itself, and what every library must refuse.

use super::library::{Answer, Library, Question};
use crate::support::message::Message;
use std::collections::BTreeMap;

/// The header that each thing that is signed stands in.
pub(crate) const ID: &str = "webhook-id";
pub(crate) const TIMESTAMP: &str = "webhook-timestamp";
pub(crate) const SIGNATURE: &str = "webhook-signature";

/// A secret that signs nothing here; of the specification's example.
pub(crate) const STRANGER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What Standard Webhooks says of a request.
#[derive(Clone)]
pub(crate) struct Signed {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Signed {
    /// A request as it arrived.
    pub(crate) fn of(message: &Message) -> Self {
        let body = String::from_utf8(message.body.clone()).expect("a body of text");
        Self { headers: message.headers.iter().cloned().collect(), body }
    }

    /// The value of a header that it has.
    pub(crate) fn header(&mut self, name: &str) -> &mut String {
        self.headers.get_mut(name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn changed(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut signed = self.clone();
        change(&mut signed);
        signed
    }
}

/// A question to a library, and what it must say.
pub(crate) struct Case {
    pub(crate) what: String,
    pub(crate) genuine: bool,
    pub(crate) secret: String,
    pub(crate) signed: Signed,
}

/// A message with each of the secrets that it is signed with, and with everything changed.
pub(crate) fn of(what: &str, signed: &Signed, secrets: &[&str]) -> Vec<Case> {
    let case = |how: &str, genuine: bool, secret: &str, signed: Signed| {
        let (what, secret) = (format!("{what}: {how}"), secret.to_owned());
        Case { what, genuine, secret, signed }
    };
    let mut cases = vec![case("another secret", false, STRANGER, signed.clone())];
    for secret in secrets {
        cases.push(case("as it arrived", true, secret, signed.clone()));
        let wrong = changes(signed).into_iter();
        cases.extend(wrong.map(|(how, changed)| case(&how, false, secret, changed)));
    }
    cases
}

/// Everything that its signature must not stand for, each with what was changed.
pub(crate) fn changes(signed: &Signed) -> Vec<(String, Signed)> {
    let mut changes = Vec::new();
    let mut change = |how: &str, change: &dyn Fn(&mut Signed)| {
        changes.push((how.to_owned(), signed.changed(change)));
    };
    change("a space before the body", &|it| it.body.insert(0, ' '));
    change("a space after the body", &|it| it.body.push(' '));
    change("the body's end cut off", &|it| {
        it.body.pop();
    });
    change("another letter in the body", &|it| {
        let end = it.body.pop().expect("a body");
        it.body.push(if end == 'x' { 'y' } else { 'x' });
    });
    change("no body", &|it| it.body.clear());
    change("another id", &|it| it.header(ID).push('x'));
    for seconds in [-400, -1, 1, 400] {
        change(&format!("{seconds} s in the timestamp"), &|it| {
            let time = it.header(TIMESTAMP);
            *time = (time.parse::<i64>().expect("unix seconds") + seconds).to_string();
        });
    }
    change("another digit in each signature", &|it| {
        let other = |part: &str| {
            let (version, digits) = part.split_once(',').expect("a version");
            let digit = if digits.starts_with('A') { "B" } else { "A" };
            format!("{version},{digit}{}", &digits[1..])
        };
        let signature = it.header(SIGNATURE);
        *signature = signature.split(' ').map(other).collect::<Vec<_>>().join(" ");
    });
    change("another version", &|it| {
        let signature = it.header(SIGNATURE);
        *signature = signature.replace("v1,", "v2,");
    });
    for name in [ID, TIMESTAMP, SIGNATURE] {
        change(&format!("no {name}"), &|it| {
            it.headers.remove(name);
        });
    }
    changes
}

/// Asks every library everything; answers with how much was asked, for a figure.
#[track_caller]
pub(crate) fn judged(cases: &[Case]) -> String {
    let question = |case: &Case| Question::Verify {
        secret: case.secret.clone(),
        headers: case.signed.headers.clone(),
        body: case.signed.body.clone(),
    };
    let questions: Vec<Question> = cases.iter().map(question).collect();
    let mut wrong = Vec::new();
    for library in Library::all() {
        for (case, answer) in cases.iter().zip(library.ask(&questions)) {
            if matches!(answer, Answer::Verified) != case.genuine {
                wrong.push(format!("{}: {}: {answer}", library.name, case.what));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let genuine = cases.iter().filter(|case| case.genuine).count();
    let names: Vec<&str> = Library::all().iter().map(|library| &*library.name).collect();
    format!(
        "{} libraries ({}) × {} cases, {genuine} of them genuine: {} wrong",
        names.len(),
        names.join(", "),
        cases.len(),
        wrong.len()
    )
}
