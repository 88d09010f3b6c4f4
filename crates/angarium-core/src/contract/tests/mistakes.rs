//! Contracts with mistakes: every reason that the grammar has, each with its line and its cure.
//!
//! A row spoils a sound file in one way; what is then said stands in the snapshot.

use super::{SOUND, parse};
use std::fmt::Write;

/// A management API that goes below [`SOUND`].
const API: &str = r#"[api]
auth = { header = "X-Key", key = { prefix = "k_", encoding = "hex", bytes = 16 } }
id = "wh_{base32}"
[api.error]
body = { error = "{error.code}" }
invalid = { status = 400 }
[api.shapes]
hook = { id = "{endpoint.id}", url = "{endpoint.url}" }
[[api.route]]
call = "POST /hooks"
does = "endpoint.create"
request = { url = "{endpoint.url}", events = "{endpoint.types}" }
response = "{hook}"
[[api.route]]
call = ["GET /hooks", "GET /v1/hooks"]
does = "endpoint.list"
response = { all = ["{hook}"] }
[[api.route]]
call = "DELETE /hooks/{id}"
does = "endpoint.delete"
[[api.route]]
call = "GET /trouble"
does = "diagnostics.show"
response = { hooks = ["{hook}"], dead = ["{dead_letter.event_id}"] }
[[api.route]]
call = "POST /in/{id}"
does = "source.receive"
response = { id = "{received.event_id}" }
[[api.route]]
call = "POST /in"
does = "source.match"
scheme = "github"
response = { id = "{received.event_id}" }
[sources]
library = "any"
default = "own"
[sources.schemes.own]
signature = [{ from = "header.S", algorithm = "hmac-sha256", content = "{body}", value = "{hex}" }]
"#;

const SIGNATURE: &str = r#"[[request.signature]]
header = "X-S"
algorithm = "hmac-sha256"
content = "{body}"
value = "{hex}"
key = { encoding = "hex", use = "text", bytes = 32 }
"#;

/// What the sound file is changed from and to.
const SPOILT: &[(&str, &str)] = &[
    (r#"title = "X""#, r#"title = 5"#),
    (r#"title = "X""#, r#"titel = "X""#),
    (r#"title = "X""#, ""),
    (r#"title = "X""#, "title = \"X\"\nowner = \"me\""),
    (r#"title = "X""#, "title = \"X\"\nplans = []"),
    (r#"title = "X""#, "title = \"X\"\nplans = [\"a\", \"a\"]"),
    (r#"title = "X""#, "title = \"X\"\nplans = [\"\"]"),
    (r#"contract = "x""#, r#"contract = "X y""#),
    (r#"events."a.b""#, r#"events."a b""#),
    ("description", "describe"),
    (r#"description = "d""#, ""),
    (r#"example = { z = 1, a = 0.50, t = 2026-01-02T03:04:05Z }"#, ""),
    ("0.50", "18446744073709551616"),
    ("0.50", "nan"),
    ("example = {", "schema = 1\nexample = {"),
    ("{event.type}", "{event.kind}"),
    ("{event.type}", "{event.tipe}"),
    ("{event.type}", "a {event.data}"),
    ("{event.type}", "{event.type"),
    (r#"{ type = "{event.type}" }"#, r#""{event.id}""#),
    (r#"body = { type = "{event.type}" }"#, ""),
    ("[request]", "[request]\nmethods = [\"GET\"]\nquery = { a = \"b\" }"),
    ("[request]", "[request]\nmethods = \"POST\""),
    ("[request]", "[request]\nmethods = [\"PUT\"]"),
    ("[request]", "[request]\nmethods = [\"POST\", \"GET\"]"),
    ("[request]", "[request]\nquery = { a = \"b\" }"),
    ("[request]", "[request]\ntime = \"unix-seconds\""),
    ("[request]", "[request]\nheaders = { Host = \"x\" }"),
    ("[request]", "[request]\nheaders = { X = \"{event.data}\" }"),
    ("[request]", "[request]\nheaders = { X = \"ä\" }"),
    ("[request]", "[request]\nmeaning = { typ = \"The type.\" }"),
    ("hmac-sha256", "md5"),
    ("hmac-sha256", "hmac-sha265"),
    (r#"header = "X-S""#, ""),
    ("\"{body}\"", "\"{bodi}\""),
    ("\"{hex}\"", "\"{hex.v2}\""),
    ("\"{hex}\"", "\"{hexx}\""),
    ("\"{hex}\"", "\"ä{hex}\""),
    (
        "[keys]",
        "[[request.signature]]\nheader = \"X-T\"\nalgorithm = \"ed25519\"\n\
        content = \"{body}\"\nvalue = \"{hex}\"\n\
        key = { encoding = \"hex\", use = \"text\", bytes = 32 }\n[keys]",
    ),
    (SIGNATURE, ""),
    ("bytes = 32", "bytes = 8"),
    ("bytes = 32", "bytes = -8"),
    ("bytes = 32", "bytes = 32, accepts = [40, 20]"),
    (", bytes = 32", ""),
    ("\"endpoint\"", "\"world\""),
    ("scope = ", "overlap = \"1h\"\nscope = "),
    ("scope = ", "optional = 1\nscope = "),
    ("scope = ", "priors = 11\nscope = "),
    ("scope = ", "rotate_every = \"1d\"\nscope = "),
    (r#"scope = "endpoint""#, "scope = \"tenant\"\nrotate_every = \"999ms\""),
    ("[keys]\nscope = \"endpoint\"", ""),
    ("\"10s\"", "\"ten\""),
    ("\"10s\"", "\"31s\""),
    (r#"["5s"]"#, r#"["5 s"]"#),
    (r#"["5s"]"#, r#"["8d"]"#),
    (r#"["5s"]"#, r#"{ base = "2h", cap = "1h" }"#),
    (r#"["5s"]"#, r#"{ base = "1s" }"#),
    (r#"["5s"]"#, r#"{ base = "1s", cap = "1h", factor = 11 }"#),
    ("retries =", "jitter = 2\nretries ="),
    ("retries =", "jitter = \"a\"\nretries ="),
    ("retries =", "ordering = \"all\"\nretries ="),
    ("retries =", "ordering = { pointer = \"order\" }\nretries ="),
    ("retries =", "retry_after = {}\nretries ="),
    ("retries =", "retry_after = { floor = \"2h\", cap = \"1h\" }\nretries ="),
    ("retries =", "retry_after = { floor = \"1s\", cap = \"8d\" }\nretries ="),
    ("retries =", "gone = \"disabled\"\nretries ="),
    ("retries =", "after_dead_letter = \"stop\"\nretries ="),
    ("retries =", "after_dead_letter = \"hold\"\nretries ="),
    ("retries =", "ordering = \"none\"\nafter_dead_letter = \"hold\"\nretries ="),
    ("retries =", "breaker = { failures = 0, wait = \"5s\", cap = \"5m\" }\nretries ="),
    ("retries =", "breaker = { failures = 10, wait = \"1m\", cap = \"5s\" }\nretries ="),
    ("retries =", "breaker = { failures = 10, wait = \"5s\", cap = \"2h\" }\nretries ="),
    ("retries =", "breaker = { failures = 10 }\nretries ="),
    ("[endpoint]", "[health]\n[endpoint]"),
    ("[endpoint]", "[health]\ndisable_after = { failed_deliveries = 0 }\n[endpoint]"),
    (
        "[endpoint]",
        "[health]\ndisable_after = { failing_for = \"91d\", deliveries = 1 }\n[endpoint]",
    ),
    ("[endpoint]", "[health]\ndisable_after = { failing_for = \"5d\" }\n[endpoint]"),
    (
        "[endpoint]",
        "[health]\n\
        disable_after = { failing_for = \"5d\", deliveries = 0, failed_deliveries = 1 }\n\
        [endpoint]",
    ),
    ("[endpoint]", "[health]\nwhile_disabled = \"drop\"\n[endpoint]"),
    (r#"["https"]"#, r#"["ftp"]"#),
    (r#"["https"]"#, r#"["https", "https"]"#),
    (r#"["https"]"#, "[]"),
    ("[endpoint]", "[endpoint]\ntypes = \"some\""),
    ("[endpoint]", "[endpoint]\nmax_per_key = 0"),
    ("[endpoint]", "[endpoint]\nmax_per_key = 65536"),
    ("[endpoint]", "[endpoint]\nplan = \"pro\""),
    ("[endpoint]", "[endpoint]\nname = { chars = [1, 513] }"),
    ("[endpoint]", "[endpoint]\nname = { chars = [2, 1] }"),
    ("[endpoint]", "[endpoint]\nname = { chars = [1] }"),
    ("[endpoint]", "[endpoint]\nname = { required = 1 }"),
    ("[endpoint]", "[endpoint]\nname = { min = 1 }"),
    ("[endpoint]", "[endpoint]\ndescription = { chars = [0, 2001] }"),
    ("[endpoint]", "[endpoint]\nvalidation = {}"),
    (
        "[endpoint]",
        "[endpoint.validation]\nmethod = \"PUT\"\nheader = \"host\"\nstatus = 302\n\
        timeout = \"31s\"\n[endpoint]",
    ),
    ("timeout = \"10s\"", "timeout = "),
];

/// What the API is changed from and to.
const API_SPOILT: &[(&str, &str)] = &[
    ("auth = ", "oauth = "),
    (r#"header = "X-Key""#, r#"header = "host""#),
    (r#"header = "X-Key", "#, ""),
    (r#"header = "X-Key""#, r#"header = "X-Key", sees = "kee""#),
    (r#""k_", encoding = "hex","#, r#""k_","#),
    ("bytes = 16", "bytes = 15"),
    ("{base32}", "{base64}"),
    ("wh_{base32}", "wh_"),
    ("wh_{base32}", "w/{base32}"),
    ("id = ", "time = \"iso\"\nid = "),
    ("{error.code}", "{error.cod}"),
    ("{error.code}", "{endpoint.id}"),
    (r#"body = { error = "{error.code}" }"#, ""),
    ("status = 400", "status = 200"),
    ("invalid", "wrong"),
    ("{endpoint.id}", "{endpoint.idd}"),
    ("\"{endpoint.id}\"", "\"{hook}\""),
    ("\"POST /hooks\"", "\"/hooks\""),
    ("\"POST /hooks\"", "\"PIST /hooks\""),
    ("\"POST /hooks\"", "\"POST hooks\""),
    ("\"POST /hooks\"", "\"POST //x\""),
    ("\"POST /hooks\"", "\"POST /{id}/{id}\""),
    ("\"POST /hooks\"", "\"POST /{id}\""),
    ("\"POST /hooks\"", "\"GET /x\""),
    ("\"POST /hooks\"", "[]"),
    ("\"POST /hooks\"", "[\"POST /hooks\", \"GET /hooks/{id}\"]"),
    ("call = \"POST /hooks\"", ""),
    ("endpoint.create", "endpoint.creat"),
    ("does = \"endpoint.create\"", ""),
    ("url = \"{endpoint.url}\", events", "events"),
    ("url = \"{endpoint.url}\", e", "a = { b = \"{endpoint.url}\", c = \"{endpoint.url}\" }, e"),
    ("\"{endpoint.types}\"", "\"{endpoint.tipes}\""),
    ("\"{endpoint.types}\"", "\"a {endpoint.types}\""),
    ("\"{endpoint.types}\"", "5"),
    ("request = { url = \"{endpoint.url}\", events = \"{endpoint.types}\" }", ""),
    ("response = \"{hook}\"", "response = \"{hok}\""),
    ("response = \"{hook}\"", "response = \"{hook}\"\nstatus = 204"),
    ("response = \"{hook}\"", "response = \"{hook}\"\nstatus = 302"),
    ("\"GET /v1/hooks\"", "\"PUT /v1/hooks\""),
    ("{ all = [\"{hook}\"] }", "{ id = \"{endpoint.id}\", all = [\"{hook}\"] }"),
    ("DELETE /hooks/{id}", "DELETE /hooks"),
    ("DELETE /hooks/{id}", "DELETE /hooks/{name}"),
    ("DELETE /hooks/{id}", "POST /hooks"),
    ("\"endpoint.delete\"", "\"endpoint.delete\"\nresponse = \"{endpoint.id}\""),
    (
        "\"endpoint.delete\"",
        "\"endpoint.delete\"\n[[api.route]]\ncall = \"GET /hooks\"\ndoes = \"endpoint.list\"",
    ),
    ("\"endpoint.delete\"", "\"endpoint.delete\"\nsumary = \"x\""),
    ("\"{dead_letter.event_id}\"", "\"{dead_letter.id}\""),
    ("\"{dead_letter.event_id}\"", "{ a = \"{dead_letter.type}\", b = \"{hook}\" }"),
    ("\"{dead_letter.event_id}\"", "{ a = 1 }"),
    ("[\"{dead_letter.event_id}\"]", "\"{dead_letter.event_id}\""),
    ("GET /trouble", "POST /trouble"),
    ("GET /trouble", "GET /trouble/{id}"),
    ("\"diagnostics.show\"", "\"diagnostics.show\"\nrequest = { a = \"{endpoint.url}\" }"),
    ("POST /in/{id}", "POST /inn"),
    ("\"source.receive\"", "\"source.receive\"\nscheme = \"github\""),
    ("scheme = \"github\"", ""),
    ("\"{received.event_id}\"", "\"{received.type}\""),
    ("library = \"any\"", "library = \"all\""),
    ("library = \"any\"", "library = [\"github\", \"github\"]"),
    ("default = \"own\"", "default = \"oun\""),
    ("[sources.schemes.own]", "[sources.schemes.Own]"),
    (
        "[sources.schemes.own]\nsignature = [{ from = \"header.S\", algorithm = \"hmac-sha256\", \
         content = \"{body}\", value = \"{hex}\" }]",
        "",
    ),
    ("algorithm = \"hmac-sha256\", content = \"{body}\", value", "value"),
    ("signature = [{", "signatures = [{"),
    ("signature = [{", "title = \"Own\"\nsignature = [{"),
];

/// What is said of every row, below what the row writes.
fn told() -> String {
    let mut told = String::new();
    let rows = SPOILT.iter().chain(API_SPOILT);
    for (from, to) in rows {
        let sound = format!("{SOUND}{API}");
        assert!(sound.contains(from), "{from}");
        let mistakes = parse(&sound.replacen(from, to, 1)).expect_err(to);
        writeln!(told, "{from} -> {to}").expect("a String takes it");
        for mistake in mistakes.iter() {
            assert!(mistake.cure.is_some(), "{to}: {mistake}");
            writeln!(told, "    {mistake}").expect("a String takes it");
        }
    }
    told
}

#[test]
fn a_mistake_is_told_with_its_line_what_is_allowed_and_its_cure() {
    assert!(parse(&format!("{SOUND}{API}")).is_ok());
    insta::assert_snapshot!(told());
}

/// The sources that hold reasons.
const GRAMMAR: &[&str] = &[
    include_str!("../file.rs"),
    include_str!("../file/api.rs"),
    include_str!("../file/delivery.rs"),
    include_str!("../file/request.rs"),
    include_str!("../file/rules.rs"),
    include_str!("../file/signing.rs"),
    include_str!("../file/sources.rs"),
    include_str!("../api/form.rs"),
    include_str!("../api/path.rs"),
    include_str!("../api/request_map.rs"),
    include_str!("../api/template.rs"),
    include_str!("../body.rs"),
    include_str!("../../signature/value.rs"),
    include_str!("../../declared/tree.rs"),
    include_str!("../../declared/values.rs"),
    include_str!("../../declared/fault.rs"),
    include_str!("../../declared/braces.rs"),
    include_str!("../template.rs"),
];

#[test]
fn every_reason_that_the_grammar_has_is_told_to_somebody() {
    let told = told().replace("\\\"", "\"");
    for source in GRAMMAR {
        for reason in source.split("Fault::from(").skip(1) {
            let Some(reason) = reason.trim_start_matches("format!(").strip_prefix('"') else {
                continue;
            };
            let reason = reason.replace("\\\"", "\u{1}");
            let (reason, _) = reason.split_once('"').expect("the text ends");
            let reason = reason.replace('\u{1}', "\"").replace("{{", "{").replace("}}", "}");
            let fixed = reason.split(['{', '}']).step_by(2).max_by_key(|part| part.len());
            let fixed = fixed.expect("a part");
            assert!(told.contains(fixed), "no row is told `{reason}`");
        }
    }
}

/// Every part of the file is wrong somewhere; the words at the end of a line say how.
const WRONG: &str = r#"contract = "X"                 # a-z 0-9
titel = "X"                    # did you mean `title`?
[events."a b"]                 # an event type has
description = 5                # is a text
exampel = {}                   # did you mean `example`?
[request]
methods = ["PUT"]              # none of `POST`, `GET`
headers = { Host = "{event.idd}" } # not a header # did you mean `{event.id}`?
[request.body]
type = "{event.tipe}"          # did you mean `{event.type}`?
more = [{ id = "{evnt.id}" }]  # did you mean `{event.id}`?
[[request.signature]]
header = "X S"                 # not a header
algorithm = "md5"              # none of
content = "{bodi}"             # did you mean `{body}`?
value = "{heks}"
key = { encoding = "hexx", use = "txt", bytes = 8 } # `hex` # `text` # 16 to 64
[keys]
scop = "endpoint"              # did you mean `scope`?
overlap = "a day"              # is not a span
[delivery]
timeout = "1m"                 # between 1s and 30s
retries = ["5 s", "8d", "1h"]  # is not a span # at most "7d"
jitter = 7                     # between 0 and 1
[endpoint]
schemes = ["https", "ftp"]     # none of `https`
[extra]                        # unknown key `extra`
"#;

#[test]
fn every_mistake_is_told_in_one_run_and_none_that_only_follows_from_another() {
    let mistakes = parse(WRONG).expect_err("it is wrong");
    let mut told = mistakes.iter();
    for (number, line) in WRONG.lines().enumerate() {
        for words in line.split(" # ").skip(1) {
            let mistake = told.next().expect(words);
            assert_eq!(mistake.line, number + 1, "{words}: {mistakes}");
            assert!(mistake.to_string().contains(words.trim()), "{words}: {mistake}");
        }
    }
    assert_eq!(told.next(), None, "{mistakes}");
    assert_eq!(mistakes.to_string().lines().count(), mistakes.iter().count());
}

#[test]
fn the_line_that_cures_a_missing_key_cures_it() {
    let lines: Vec<&str> = SOUND.lines().collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.contains(" = ")) {
        let with = |line: &str| {
            let mut lines = lines.clone();
            lines[at] = line;
            parse(&lines.join("\n"))
        };
        let mistakes = with("").expect_err(line);
        let mistake = mistakes.iter().next().expect("a mistake");
        let cure = mistake.cure.as_deref().expect(line);
        let cure = cure.strip_prefix("add `").and_then(|c| c.strip_suffix('`')).expect(cure);
        assert!(with(cure).is_ok(), "{line}: {cure}");
    }
}

#[test]
fn a_mistake_in_a_shape_that_is_used_twice_is_told_once() {
    let wrong = API.replace("url = \"{endpoint.url}\" }", "url = \"{endpoint.address}\" }");
    let mistakes = parse(&format!("{SOUND}{wrong}")).expect_err("it is wrong");
    assert_eq!(mistakes.iter().count(), 1, "{mistakes}");
}
