//! Runs the steps of a case, one after the other, and says at which one it failed.

use super::case::{Arrives, Call, Case, Mac, Native, Publish, Replies, Step, Texts};
use super::pattern::{fill, meet};
use super::stage::{Stage, path_of};
use crate::support::client::{Answer, Api};
use crate::support::message::Message;
use crate::support::receiver::Reply;
use angarium_core::time::parse_span;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long anything is waited for.
const SOON: Duration = Duration::from_secs(20);
/// What a slow receiver takes.
const LATE: Duration = Duration::from_millis(1500);

/// Runs a case from its setting to its end.
///
/// # Errors
/// The step that failed, and why.
pub(super) fn run(case: &Case) -> Result<(), String> {
    let mut scene =
        Scene { stage: Stage::set(case), headers: &case.setting.headers, claimed: vec![] };
    for (n, step) in case.steps.iter().enumerate() {
        scene.step(step).map_err(|why| format!("step {}: {why}", n + 1))?;
    }
    scene.quiet(Duration::ZERO).map_err(|why| format!("after the last step: {why}"))
}

/// A stage in play.
struct Scene<'a> {
    stage: Stage,
    headers: &'a Texts,
    /// Which of the receiver's requests a step told of.
    claimed: Vec<usize>,
}

type Done = Result<(), String>;

impl Scene<'_> {
    fn step(&mut self, step: &Step) -> Done {
        match step {
            Step::Call(call) => self.call(call).map_err(|why| format!("{}\n{why}", call.call)),
            Step::Native(call) => {
                self.native(call).map_err(|why| format!("{}\n{why}", call.native))
            }
            Step::Publish(event) => self.publish(event),
            Step::Arrives(request) => {
                self.arrives(request).map_err(|why| format!("{}\n{why}", request.arrives))
            }
            Step::Replies(replies) => {
                self.replies(replies);
                Ok(())
            }
            Step::Passes(span) => {
                let span = parse_span(&span.passes).ok_or("no span")?;
                self.stage.clock.pass(span);
                Ok(())
            }
            Step::Quiet(quiet) => self.quiet(Duration::from_millis(quiet.quiet)),
            Step::Mac(mac) => self.mac(mac),
        }
    }

    fn fill(&self, text: &str) -> String {
        fill(text, &self.stage.bindings)
    }

    fn send(&self, api: &Api, line: &str, headers: &[&Texts], body: Option<&str>) -> Answer {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let mut api = api.clone();
        for (name, value) in headers.iter().copied().flatten() {
            let name = name.to_ascii_lowercase();
            api = api.without(&name);
            if !value.is_empty() {
                api = api.with(&name, &self.fill(value));
            }
        }
        let body = body.map(|body| self.fill(body));
        api.call(method, &self.fill(path), body.as_deref().map(str::as_bytes))
    }

    fn call(&mut self, call: &Call) -> Done {
        let (method, path) = call.call.split_once(' ').ok_or("a call is a method and a path")?;
        let (line, customer) = match &call.host {
            Some(host) => (call.call.clone(), self.stage.customer.with("host", host)),
            None => (format!("{method} {}", Stage::path(path)), self.stage.customer.clone()),
        };
        let headers = [self.headers, &call.headers];
        let answer = self.send(&customer, &line, &headers, call.body.as_deref());
        let text = String::from_utf8_lossy(&answer.message.body).into_owned();
        if answer.status != call.status {
            return Err(format!("expected {}\n   found {}: {text}", call.status, answer.status));
        }
        self.meet_headers(&call.answer_headers, &answer.message)?;
        match &call.answer {
            Some(expected) => meet(&compact(expected), &compact(&text), &mut self.stage.bindings),
            None => Ok(()),
        }
    }

    fn native(&mut self, call: &Native) -> Done {
        let started = Instant::now();
        loop {
            let api = &self.stage.platform;
            let answer = self.send(api, &call.native, &[&call.headers], call.body.as_deref());
            let met = self.meet_native(call, &answer);
            let repeats = call.native.starts_with("GET ") && started.elapsed() < SOON;
            if met.is_ok() || !repeats {
                return met;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn meet_native(&mut self, call: &Native, answer: &Answer) -> Done {
        let status = call.status.map_or(answer.status / 100 == 2, |status| answer.status == status);
        if !status {
            return Err(format!("answered {}: {}", answer.status, answer.body));
        }
        for (pointer, expected) in &call.holds {
            let found = answer.body.pointer(pointer);
            let found = found.ok_or_else(|| format!("no {pointer} in {}", answer.body))?;
            let expected = as_text(&serde_json::to_value(expected).expect("TOML is JSON, too"));
            meet(&expected, &as_text(found), &mut self.stage.bindings)
                .map_err(|why| format!("{pointer}: {why}"))?;
        }
        match call.lacks.iter().find(|pointer| answer.body.pointer(pointer).is_some()) {
            Some(pointer) => Err(format!("{pointer} is in {}", answer.body)),
            None => Ok(()),
        }
    }

    fn publish(&mut self, event: &Publish) -> Done {
        let line = "POST /v1/events";
        let answer = self.send(&self.stage.platform, line, &[], Some(&event.publish));
        if answer.status != event.status {
            return Err(format!("publishing answered {}: {}", answer.status, answer.body));
        }
        let endpoints = &answer.body["endpoints"];
        if event.endpoints.is_some_and(|expected| *endpoints != expected) {
            return Err(format!("it went to {endpoints} endpoints"));
        }
        if let (Some(name), Some(id)) = (&event.id, answer.body["id"].as_str()) {
            self.stage.bindings.insert(name.clone(), id.to_owned());
        }
        Ok(())
    }

    fn arrives(&mut self, expected: &Arrives) -> Done {
        let line = expected.arrives.clone();
        let path = line.split(' ').nth(1).ok_or("a request is a method and a path")?;
        let path = path.split('?').next().unwrap_or_default().to_owned();
        let request = self.next_at(&path)?;
        meet(&format!("{line} HTTP/1.1"), &request.first_line, &mut self.stage.bindings)?;
        self.meet_headers(&expected.headers, &request)?;
        if let Some(name) = expected.without.iter().find(|name| request.header(name).is_some()) {
            return Err(format!("it has the header {name}: {:?}", request.header(name)));
        }
        let body = String::from_utf8_lossy(&request.body).into_owned();
        if let Some(expected) = &expected.body {
            meet(expected.trim_end_matches('\n'), &body, &mut self.stage.bindings)?;
        }
        self.stage.bindings.insert("body".to_owned(), body);
        Ok(())
    }

    /// The first request at a path that no step told of yet.
    fn next_at(&mut self, path: &str) -> Result<Message, String> {
        let started = Instant::now();
        loop {
            let mut seen = self.stage.receiver.seen().into_iter().enumerate();
            let next = seen.find(|(n, r)| !self.claimed.contains(n) && path_of(r) == path);
            if let Some((n, request)) = next {
                self.claimed.push(n);
                return Ok(request);
            }
            if started.elapsed() > SOON {
                return Err("it never came".to_owned());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn meet_headers(&mut self, expected: &Texts, message: &Message) -> Done {
        for (name, value) in expected {
            let found = message.header(&name.to_ascii_lowercase());
            let found = found.ok_or_else(|| format!("no header {name}: {:?}", message.headers))?;
            meet(value, found, &mut self.stage.bindings).map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(())
    }

    fn replies(&self, replies: &Replies) {
        for (path, replies) in &replies.replies {
            let reply = |reply: &toml::Value| match (reply.as_integer(), reply.as_str()) {
                (Some(status), _) => Reply::Status(u16::try_from(status).expect("a status")),
                (None, Some("hang up")) => Reply::HangUp,
                (None, Some("late")) => Reply::Late(LATE, 200),
                (None, Some(text)) => {
                    let span = text.strip_suffix(" late").and_then(parse_span);
                    Reply::Late(span.unwrap_or_else(|| panic!("no reply: {text}")), 200)
                }
                (None, None) => panic!("no reply: {reply}"),
            };
            self.stage.script(path, replies.iter().map(reply));
        }
    }

    /// Nothing arrived that no step told of.
    fn quiet(&self, listening: Duration) -> Done {
        std::thread::sleep(listening);
        let seen = self.stage.receiver.seen().into_iter().enumerate();
        let more = seen.filter(|(n, _)| !self.claimed.contains(n));
        let lines: Vec<String> = more.map(|(_, request)| request.first_line).collect();
        match lines.is_empty() {
            true => Ok(()),
            false => Err(format!("there came more: {lines:?}")),
        }
    }

    fn mac(&mut self, mac: &Mac) -> Done {
        let (algorithm, form) =
            mac.mac.split_once(' ').ok_or("a mac is an algorithm and a form")?;
        let algorithm = match algorithm {
            "hmac-sha256" => hmac::HMAC_SHA256,
            "hmac-sha512" => hmac::HMAC_SHA512,
            other => return Err(format!("no algorithm: {other}")),
        };
        let key = self.fill(&mac.key);
        let key = match key.strip_prefix("base64:") {
            Some(text) => STANDARD.decode(text).map_err(|error| format!("{text}: {error}"))?,
            None => key.into_bytes(),
        };
        let content = self.fill(&mac.content);
        let tag = hmac::sign(&hmac::Key::new(algorithm, &key), content.as_bytes());
        let computed = match form {
            "hex" => hex::encode(tag),
            "base64" => STANDARD.encode(tag),
            other => return Err(format!("no form: {other}")),
        };
        meet(&mac.is, &computed, &mut self.stage.bindings)
    }
}

/// JSON without space between its parts; other text as it is.
fn compact(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => value.to_string(),
        Err(_) => text.trim().to_owned(),
    }
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
