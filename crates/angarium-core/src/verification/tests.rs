//! The printed programs, kept as snapshots, and what no program can verify. What they do is shown
//! where they run (`crates/angarium/tests/promises/verification`).

use super::*;
use crate::contract::ContractLibrary;
use crate::limits::Limits;

const SOUND: &str = r#"contract = "x"
title = "X */ \"\"\" ?> \n"
[events."a.b"]
description = "d"
example = {}
[request]
body = { type = "{event.type}" }
headers = { X-Id = "{event.id}", X-Time = "{timestamp}" }
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

fn parse(text: &str) -> Contract {
    Contract::parse("x.toml", text, &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// What is replaced, and by what.
type Changes<'a> = &'a [(&'a str, &'a str)];

/// The sound contract with some of its lines changed.
fn changed(changes: Changes<'_>) -> Contract {
    let mut text = SOUND.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    parse(&text)
}

#[test]
fn every_signing_contract_has_code_in_every_language() {
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    for contract in library.iter() {
        let signs = contract.key_rule().is_some();
        assert_eq!(unverifiable(contract), None, "{}", contract.name());
        for language in Language::ALL {
            let code = code(contract, language);
            assert_eq!(code.is_some(), signs, "{} {}", contract.name(), language.name());
            assert_eq!(parameters(contract, language).is_empty(), !signs);
            if let Some(code) = code {
                let name = format!("{}.{}", contract.name(), language.slug());
                insta::assert_snapshot!(name, code, contract.title());
                let long = code.lines().find(|line| line.chars().count() > 100);
                assert_eq!(long, None, "{} {}", contract.name(), language.name());
            }
        }
    }
}

#[test]
fn aioka_over_plain_http_has_the_code_of_aioka() {
    let text = include_str!("../../../../contracts/aioka.toml");
    let copy = text.replacen("\"aioka\"", "\"aiokacopy\"", 1).replacen(
        "schemes = [\"https\"]",
        "schemes = [\"https\", \"http\"]",
        1,
    );
    assert_ne!(copy, text);
    for language in Language::ALL {
        assert_eq!(code(&parse(&copy), language), code(&parse(text), language));
    }
}

#[test]
fn ed25519_alone_is_verified_where_the_standard_library_has_it() {
    let contract = changed(&[("hmac-sha256", "ed25519")]);
    assert_eq!(unverifiable(&contract), None);
    let without = [Language::Python, Language::CSharp, Language::Rust];
    for language in Language::ALL {
        let code = code(&contract, language);
        assert_eq!(code.is_none(), without.contains(&language), "{}", language.name());
    }
}

#[test]
fn no_text_of_a_contract_leaves_its_comment() {
    let contract = changed(&[]);
    for language in Language::ALL {
        let code = code(&contract, language).unwrap_or_else(|| panic!("{}", language.name()));
        for end in ["X */", "\"\"\" ?>"] {
            assert!(!code.contains(end), "{}: {code}", language.name());
        }
    }
}

#[test]
fn the_arguments_are_what_the_contract_signs() {
    use Parameter::{Body, Headers, Id, Method, Now, Payload, Query, Secrets};
    let get = (
        "[request]\nbody",
        "[request]\nmethods = [\"POST\", \"GET\"]\nquery = { i = \"{event.id}\" }\nbody",
    );
    let content = "content = \"{body}\"";
    let timeless = (", X-Time = \"{timestamp}\"", "");
    let rows: [(Changes<'_>, &[Parameter]); 5] = [
        (&[], &[Headers, Body, Secrets, Now]),
        (&[timeless], &[Headers, Body, Secrets]),
        (&[timeless, get, (content, "content = \"{payload}\"")], &[Headers, Payload, Secrets]),
        (
            &[timeless, get, (content, "content = \"{body}{method}{query}{body}\"")],
            &[Headers, Method, Body, Query, Secrets],
        ),
        (
            &[
                timeless,
                (content, "content = \"{method}{id}{payload}\""),
                ("X-Id = \"{event.id}\"", "X = \"{event.id}-\""),
                ("{ type = \"{event.type}\" }", "{ a = { id = \"{event.id}\" } }"),
            ],
            &[Headers, Body, Id, Secrets],
        ),
    ];
    for (changes, expected) in rows {
        let contract = changed(changes);
        assert_eq!(parameters(&contract, Language::Java), expected, "{changes:?}");
        let without_id: Vec<_> = expected.iter().copied().filter(|it| *it != Id).collect();
        assert_eq!(parameters(&contract, Language::Python), without_id);
    }
}

#[test]
fn what_nobody_can_verify_is_said_with_its_reason() {
    let content = "content = \"{body}\"";
    let value = "value = \"{hex}\"";
    let two = "content = { a = \"{body}\", b = \"{timestamp}{body}\" }";
    let get = (
        "[request]\nbody",
        "[request]\nmethods = [\"POST\", \"GET\"]\nquery = { i = \"{event.id}\" }\nbody",
    );
    let rows: [(Changes<'_>, &str); 12] = [
        (&[(content, "content = \"{id}\"")], "not the whole of what is delivered"),
        (&[get], "a GET `{query}`"),
        (&[(content, two), (value, "value = \"{timestamp}\"")], "no signature"),
        (
            &[(content, "content = \"{timestamp}{body}\""), ("\"{timestamp}\" }", "\"1\" }")],
            "neither the signature's value nor a header",
        ),
        (&[(content, "content = \"{id}{body}\""), ("{event.id}", "1")], "neither a header nor"),
        (&[(value, "value = \"{hex}\"\njoin = \"\"")], "can stand in a value itself"),
        (&[(value, "value = \"{hex}\"\njoin = \"a\"")], "can stand in a value itself"),
        (&[(value, "value = \"v, {hex}\"\njoin = \" \"")], "can stand in a value itself"),
        (
            &[(value, "value = \"t={timestamp}, v={hex}\"\njoin = \" \"")],
            "can stand in a value itself",
        ),
        (&[(value, "value = \"{timestamp}{hex}\"")], "where `{timestamp}` ends"),
        (&[(value, "value = \"{hex}-{hex}\"")], "stands twice"),
        (&[(value, "value = \"{timestamp}-{hex}\"\njoin = \" \"")], "can be told apart only"),
    ];
    for (changes, reason) in rows {
        let contract = changed(changes);
        let said = unverifiable(&contract).unwrap_or_else(|| panic!("{changes:?}"));
        assert!(said.contains(reason), "{changes:?}: {said}");
        for language in Language::ALL {
            assert_eq!(code(&contract, language), None);
        }
    }
}
