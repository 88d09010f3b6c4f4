//! Contracts with a mistake, each with its line and reason; and what a sound one says.

use super::*;
use crate::limits::Limits;
use crate::refusal::Code;

mod api;

const SOUND: &str = r#"contract = "x"
title = "X"
[events."a.b"]
description = "d"
example = { z = 1, a = 0.50, t = 2026-01-02T03:04:05Z }
[request]
body = { type = "{event.type}" }
[[request.signature]]
header = "X-S"
algorithm = "hmac-sha256"
content = "{body}"
value = "{hex}"
key = { encoding = "hex", use = "text", bytes = 32 }
[keys]
scope = "endpoint"
[delivery]
timeout = "10s"
retries = ["5s"]
[endpoint]
schemes = ["https"]
"#;

fn parse(text: &str) -> Result<Contract, ContractMistakes> {
    Contract::parse("contracts/x.toml", text, &Limits::default())
}

#[test]
fn every_built_in_contract_is_sound_and_shows_itself() {
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    let names: Vec<_> = library.iter().map(|contract| contract.name()).collect();
    let all = ["aioka", "alumia", "anduin", "anduin-legacy", "aleta", "quantfolio", "standard"];
    assert_eq!(names.len(), all.len());
    for name in all {
        let contract = library.get(name).expect(name);
        let shown = contract.to_string();
        for event in contract.events() {
            assert!(shown.contains(event.name.as_str()), "{shown}");
        }
    }
}

#[test]
fn an_example_keeps_its_members_in_the_order_of_the_file() {
    let contract = parse(SOUND).expect("sound");
    assert_eq!(contract.events()[0].example, r#"{"z":1,"a":0.5,"t":"2026-01-02T03:04:05Z"}"#);
}

/// What a sound file is changed from and to, the line of the mistake, a part of the reason, and a
/// part of the cure.
const MISTAKES: &[(&str, &str, usize, &str, &str)] = &[
    ("title = \"X\"", "title = 5", 2, "`title` is a text, not integer", "write it like"),
    ("title = \"X\"", "titel = \"X\"", 2, "unknown key `titel`", "did you mean `title`?"),
    ("title = \"X\"", "", 1, "`title` is missing", "add `title = \"My Platform\"`"),
    (
        "title = \"X\"",
        "title = \"X\"\nowner = \"me\"",
        3,
        "unknown key `owner`; a contract may",
        "take `owner` out",
    ),
    ("\"x\"", "\"X y\"", 1, "a-z 0-9", "\"my-platform\""),
    ("\"a.b\"", "\"a b\"", 3, "an event type has", "[events.\"order.paid\"]"),
    ("description", "describe", 4, "unknown key `describe`", "did you mean `description`?"),
    ("description = \"d\"", "", 3, "`events.a.b.description` is missing", "add `description"),
    ("0.50", "18446744073709551616", 5, "a number that JSON does not have", "as a text"),
    ("0.50", "nan", 5, "a number that JSON does not have", "as a text"),
    (
        "example = {",
        "schema = 1\nexample = {",
        5,
        "`events.a.b.schema` is a table",
        "write it like",
    ),
    (
        "{event.type}",
        "{event.kind}",
        7,
        "unknown placeholder `{event.kind}`; there are",
        "take one",
    ),
    ("{event.type}", "{event.tipe}", 7, "unknown placeholder", "did you mean `{event.type}`?"),
    ("{event.type}", "a {event.data}", 7, "the data stands alone", "write \"{event.data}\""),
    ("{event.type}", "{event.type", 7, "without its other half", "`{{`"),
    ("{ type = \"{event.type}\" }", "\"{event.id}\"", 7, "a table of members", "write `{ data"),
    ("body = {", "headers = {", 6, "`request.body` goes with the method POST", "add `body = "),
    (
        "[request]",
        "[request]\nmethods = [\"GET\"]\nquery = { a = \"b\" }",
        9,
        "`request.body` goes",
        "add \"POST\" to `methods`",
    ),
    (
        "[request]",
        "[request]\nmethods = \"POST\"",
        7,
        "`request.methods` is a list",
        "write it like [\"this\"",
    ),
    (
        "[request]",
        "[request]\nmethods = [\"PUT\"]",
        7,
        "none of `POST`, `GET`",
        "write \"POST\" or \"GET\"",
    ),
    ("[request]", "[request]\nmethods = [\"POST\", \"GET\"]", 6, "`request.query`", "add `query"),
    (
        "[request]",
        "[request]\nheaders = { Host = \"x\" }",
        7,
        "not a header that a contract",
        "X-Event-Id",
    ),
    (
        "[request]",
        "[request]\nheaders = { X = \"{event.data}\" }",
        7,
        "only in a body",
        "{event.id}",
    ),
    ("[request]", "[request]\nheaders = { X = \"ä\" }", 7, "is not visible ASCII", "encode"),
    ("hmac-sha256", "md5", 10, "none of `hmac-sha256`, `hmac-sha512`, `ed25519`", "write \"hmac"),
    ("hmac-sha256", "hmac-sha265", 10, "\"hmac-sha265\" is none of", "did you mean `hmac-sha256`?"),
    ("\"{body}\"", "\"{bodi}\"", 11, "unknown placeholder `{bodi}`", "did you mean `{body}`?"),
    ("{hex}", "{hex.v2}", 12, "unknown placeholder `{hex.v2}`", "take one"),
    ("{hex}", "{hexx}", 12, "unknown placeholder `{hexx}`", "did you mean `{hex}`?"),
    ("{hex}", "ä{hex}", 12, "is not visible ASCII", "encode"),
    ("bytes = 32", "bytes = 8", 13, "16 to 64 bytes", "write 32"),
    ("bytes = 32", "bytes = -8", 13, "is a whole number", "write it like 32"),
    ("bytes = 32", "bytes = 32, accepts = [40, 20]", 13, "the least and the most", "around 32"),
    ("\"endpoint\"", "\"world\"", 15, "none of `endpoint`, `tenant`", "write \"endpoint\" or"),
    ("scope = ", "overlap = \"1h\"\nscope = ", 15, "needs signatures with `join`", "add `join"),
    ("scope = ", "optional = 1\nscope = ", 15, "is true or false", "without quotes"),
    ("[keys]\nscope = \"endpoint\"", "", 1, "`keys` is missing: it says who", "add `keys.scope"),
    ("\"10s\"", "\"ten\"", 17, "is not a span", "write a number and"),
    ("\"10s\"", "\"31s\"", 17, "between 1s and 30s", "\"10s\""),
    ("\"5s\"", "\"5 s\"", 18, "is not a span", "write a number and"),
    ("\"5s\"", "\"8d\"", 18, "at most \"7d\"", "\"24h\""),
    (
        "[\"5s\"]",
        "{ base = \"2h\", cap = \"1h\" }",
        18,
        "`delivery.retries.base`: the first wait",
        "{ base",
    ),
    (
        "[\"5s\"]",
        "{ base = \"1s\", cap = \"1h\", factor = 11 }",
        18,
        "between 1 and 10",
        "write 10",
    ),
    ("retries =", "jitter = 2\nretries =", 18, "a share between 0 and 1", "write 1"),
    ("retries =", "jitter = \"a\"\nretries =", 18, "is a number, not string", "write it like 0.5"),
    ("\"https\"", "\"ftp\"", 20, "none of `https`, `http`", "write \"https\" or"),
    ("\"https\"", "\"https\", \"https\"", 20, "twice", "take one out"),
    ("\"https\"", "", 20, "at least one", "write [\"https\"]"),
    ("timeout = \"10s\"", "timeout = ", 17, "", "mend this line"),
];

#[test]
fn a_mistake_is_refused_alone_with_its_line_what_is_allowed_and_its_cure() {
    for (from, to, line, reason, cure) in MISTAKES.iter().copied() {
        let text = SOUND.replacen(from, to, 1);
        let mistakes = parse(&text).expect_err(to);
        let all: Vec<_> = mistakes.iter().collect();
        let [mistake] = all[..] else { panic!("{to}: {mistakes}") };
        assert_eq!(mistake.line, line, "{to}: {mistake}");
        assert!(mistake.reason.contains(reason), "{to}: {mistake}");
        assert!(mistake.cure.as_deref().expect(to).contains(cure), "{to}: {mistake}");
        assert!(mistake.to_string().starts_with(&format!("contracts/x.toml:{line}:")));
    }
    assert!(parse(SOUND).is_ok());
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
fn a_new_key_is_accepted_by_the_contract_that_made_it() {
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    for contract in library.iter() {
        if let Some(rule) = contract.key_rule() {
            let key = rule.generate_key(&[7; 64]);
            assert_eq!(rule.check_key(key.expose()), Ok(()), "{}", contract.name());
            assert!(key.expose().starts_with("whsec_"));
        }
    }
}

#[test]
fn a_standard_secret_is_base64_of_24_to_64_bytes_or_an_ed25519_seed() {
    use base64::Engine;
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    let rule = library.get("standard").and_then(|c| c.key_rule()).expect("keys");
    let key = |prefix: &str, bytes: usize| {
        let text = base64::engine::general_purpose::STANDARD.encode(vec![1; bytes]);
        rule.check_key(&format!("{prefix}{text}")).map_err(|refusal| refusal.code)
    };
    let refused = Err(Code::InvalidSecret);
    assert_eq!(key("whsec_", 23), refused);
    assert_eq!(key("whsec_", 24), Ok(()));
    assert_eq!(key("whsec_", 64), Ok(()));
    assert_eq!(key("whsec_", 65), refused);
    assert_eq!(key("whsk_", 32), Ok(()));
    assert_eq!(key("whsk_", 31), refused);
    assert_eq!(key("", 32), refused);
    assert_eq!(rule.check_key("whsec_?").map_err(|refusal| refusal.code), refused);
}
