//! The questions, one after the other, and who answers them.

use super::answers::{Answers, Api, Keys, Retries, Signature};
use super::draft;
use angarium_core::contract::Contract;
use angarium_core::limits::Limits;
use std::io::{BufRead, Empty, Write};

/// A question whose answer is a text.
pub(super) struct Question {
    /// Its name: that of the option.
    name: &'static str,
    /// As it is asked.
    asks: &'static str,
    /// Whether it is asked after these answers.
    applies: fn(&Answers) -> bool,
    /// What is answered, or else the default.
    answer: fn(&Answers) -> String,
    /// Takes an answer; `Err` says what is allowed.
    take: fn(&mut Answers, &str) -> Result<(), String>,
}

/// The questions in their order.
pub(super) const QUESTIONS: &[Question] = &[
    Question {
        name: "name",
        asks: "Name of the contract (a-z 0-9 -)",
        applies: |_| true,
        answer: |answers| answers.name().to_owned(),
        take: |answers, text| set(&mut answers.name, text),
    },
    Question {
        name: "title",
        asks: "Name of the platform, for people",
        applies: |_| true,
        answer: Answers::title,
        take: |answers, text| set(&mut answers.title, text),
    },
    Question {
        name: "event",
        asks: "Event types, with spaces between them",
        applies: |_| true,
        answer: |answers| answers.events().join(" "),
        take: |answers, text| {
            answers.events = text.split_whitespace().map(str::to_owned).collect();
            Ok(())
        },
    },
    Question {
        name: "signature",
        asks: "Signature: standard (Standard Webhooks), hmac-hex or none",
        applies: |_| true,
        answer: |answers| name_of(Signature::NAMES, answers.signature),
        take: |answers, text| choose(&mut answers.signature, Signature::NAMES, text),
    },
    Question {
        name: "header",
        asks: "Header of the signature",
        applies: |answers| answers.signature == Signature::HmacHex,
        answer: Answers::header,
        take: |answers, text| set(&mut answers.header, text),
    },
    Question {
        name: "content",
        asks: "What is signed",
        applies: |answers| answers.signature == Signature::HmacHex,
        answer: |answers| answers.content().to_owned(),
        take: |answers, text| set(&mut answers.content, text),
    },
    Question {
        name: "retries",
        asks: "Retries: growing (for a day), waits such as 5s,5m,1h, or none",
        applies: |_| true,
        answer: |answers| match &answers.retries {
            Retries::Growing => "growing".to_owned(),
            Retries::Waits(waits) if waits.is_empty() => "none".to_owned(),
            Retries::Waits(waits) => waits.join(","),
        },
        take: |answers, text| {
            answers.retries = match text {
                "growing" => Retries::Growing,
                "none" => Retries::Waits(Vec::new()),
                waits => Retries::Waits(waits.split(',').map(|w| w.trim().to_owned()).collect()),
            };
            Ok(())
        },
    },
    Question {
        name: "keys",
        asks: "Signing key: one for each endpoint, or one for the tenant",
        applies: |answers| answers.signature != Signature::None,
        answer: |answers| name_of(Keys::NAMES, answers.keys),
        take: |answers, text| choose(&mut answers.keys, Keys::NAMES, text),
    },
    Question {
        name: "api",
        asks: "API by which customers manage endpoints: none, bearer or x-api-key",
        applies: |_| true,
        answer: |answers| name_of(Api::NAMES, answers.api),
        take: |answers, text| choose(&mut answers.api, Api::NAMES, text),
    },
];

fn set(place: &mut Option<String>, text: &str) -> Result<(), String> {
    *place = Some(text.to_owned());
    Ok(())
}

fn choose<T: Copy>(place: &mut T, names: &[(&str, T)], text: &str) -> Result<(), String> {
    let found = names.iter().find(|(name, _)| *name == text);
    *place = found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        format!("{text:?} is none of {}", names.join(", "))
    })?;
    Ok(())
}

fn name_of<T: Copy + PartialEq>(names: &[(&str, T)], value: T) -> String {
    names.iter().find(|(_, known)| *known == value).map_or("", |(name, _)| name).to_owned()
}

/// Who answers what is not on the command line.
pub(super) struct Asker<R, W> {
    /// A person's lines; without one the defaults are taken.
    person: Option<R>,
    screen: W,
}

impl<W: Write> Asker<Empty, W> {
    /// Nobody: the defaults are taken, and printed.
    pub(super) fn defaults(screen: W) -> Self {
        Self { person: None, screen }
    }
}

impl<R: BufRead, W: Write> Asker<R, W> {
    /// A person, who is asked again after a wrong answer.
    pub(super) fn person(lines: R, screen: W) -> Self {
        Self { person: Some(lines), screen }
    }

    /// Goes through the questions. `given` are the answers of the command line, in their order.
    ///
    /// # Errors
    /// A given answer makes no contract, the terminal is gone, or the person hung up.
    pub(super) fn ask(
        mut self,
        given: &[Option<String>],
        limits: &Limits,
    ) -> anyhow::Result<Answers> {
        let mut answers = Answers::default();
        for (question, given) in QUESTIONS.iter().zip(given) {
            if let Some(text) = given {
                take(question, &mut answers, text, limits)
                    .map_err(|wrong| anyhow::anyhow!("--{}: {wrong}", question.name))?;
            }
        }
        // An answer may decide what is asked after it.
        for (question, given) in QUESTIONS.iter().zip(given) {
            match (given, (question.applies)(&answers)) {
                (None, true) => self.ask_one(question, &mut answers, limits)?,
                (Some(_), false) => anyhow::bail!(
                    "--{} says nothing with --signature {}",
                    question.name,
                    name_of(Signature::NAMES, answers.signature)
                ),
                (None, false) | (Some(_), true) => {}
            }
        }
        Ok(answers)
    }

    fn ask_one(
        &mut self,
        question: &Question,
        answers: &mut Answers,
        limits: &Limits,
    ) -> anyhow::Result<()> {
        let default = (question.answer)(answers);
        let Some(lines) = &mut self.person else {
            writeln!(self.screen, "{}: {default} (the default of --{0})", question.name)?;
            return Ok(());
        };
        loop {
            write!(self.screen, "{} [{default}]: ", question.asks)?;
            self.screen.flush()?;
            let mut text = String::new();
            anyhow::ensure!(lines.read_line(&mut text)? > 0, "no answer");
            let text = text.trim();
            if text.is_empty() {
                return Ok(());
            }
            match take(question, answers, text, limits) {
                Ok(()) => return Ok(()),
                Err(wrong) => writeln!(self.screen, "  {wrong}")?,
            }
        }
    }
}

/// Takes an answer if it makes a contract; else the answers stay.
fn take(
    question: &Question,
    answers: &mut Answers,
    text: &str,
    limits: &Limits,
) -> Result<(), String> {
    let mut next = answers.clone();
    (question.take)(&mut next, text)?;
    if let Err(mistakes) = Contract::parse("", &draft::text(&next), limits) {
        let reasons: Vec<_> = mistakes.iter().map(|mistake| mistake.reason.as_str()).collect();
        return Err(reasons.join("; "));
    }
    *answers = next;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(lines: &str, given: &[(&str, &str)]) -> (anyhow::Result<Answers>, String) {
        let given: Vec<_> = QUESTIONS
            .iter()
            .map(|question| given.iter().find(|(name, _)| *name == question.name))
            .map(|given| given.map(|(_, text)| (*text).to_owned()))
            .collect();
        let mut screen = Vec::new();
        let asker = Asker::person(lines.as_bytes(), &mut screen);
        let answers = asker.ask(&given, &Limits::default());
        (answers, String::from_utf8(screen).expect("text"))
    }

    #[test]
    fn a_person_is_asked_for_what_was_not_given_and_again_after_a_wrong_answer() {
        let lines =
            "Acme!\nacme\n\norder.paid order.lost\nhmac-hex\n\nX-Acme{\n\n\n5s\n\n\nbearer\n";
        let (answers, screen) = ask(lines, &[("title", "Acme Ltd")]);
        let answers = answers.expect(&screen);
        assert_eq!((answers.name(), &*answers.title()), ("acme", "Acme Ltd"));
        assert!(screen.contains("1 to 63 characters of a-z"), "{screen}");
        assert!(!screen.contains("Name of the platform"), "{screen}");
    }

    #[test]
    fn an_empty_answer_takes_the_default_that_is_shown() {
        let (answers, screen) = ask(&"\n".repeat(9), &[]);
        let answers = answers.expect(&screen);
        assert_eq!(answers.name(), "my-platform");
        assert!(screen.contains("Name of the platform, for people [My Platform]: "), "{screen}");
    }

    #[test]
    fn an_answer_that_would_say_nothing_is_refused() {
        let error = ask(&"\n".repeat(9), &[("signature", "none"), ("keys", "tenant")])
            .0
            .expect_err("refused");
        assert_eq!(error.to_string(), "--keys says nothing with --signature none");
    }

    #[test]
    fn a_given_answer_that_makes_no_contract_is_refused_with_its_option() {
        for (name, text, why) in [
            ("event", "order paid{", "an event type has"),
            ("signature", "sha1", "none of standard, hmac-hex, none"),
            ("retries", "soon", "is not a span"),
            ("content", "{bodi}", "unknown placeholder"),
            ("header", "Host", "not a header"),
        ] {
            let signed = [("signature", "hmac-hex"), (name, text)];
            let given = if name == "signature" { &signed[1..] } else { &signed[..] };
            let error = ask("", given).0.expect_err(text).to_string();
            assert!(error.starts_with(&format!("--{name}: ")) && error.contains(why), "{error}");
        }
    }
}
