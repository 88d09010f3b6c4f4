//! Weak choices: a contract without one, and each of them made in it.

use super::parse;
use crate::contract::{ContractLibrary, Weakness};
use crate::limits::Limits;
use std::fmt::Write;

const STRONG: &str = r#"contract = "x"
title = "X"
[events."a.b"]
description = "d"
example = {}
schema = { type = "object" }
[request]
body = { type = "{event.type}" }
[request.headers]
X-Time = "{timestamp}"
[[request.signature]]
header = "X-Signature"
algorithm = "hmac-sha256"
content = "{timestamp}.{body}"
value = "v1={hex}"
join = " "
key = { encoding = "hex", use = "text", bytes = 32 }
[keys]
scope = "endpoint"
overlap = "24h"
[delivery]
timeout = "10s"
retries = ["5m", "1h", "12h"]
jitter = 0.2
[endpoint]
schemes = ["https"]
max_per_key = 20
[api]
auth = { header = "X-Key" }
[[api.route]]
call = "POST /hooks"
does = "endpoint.create"
request = { url = "{endpoint.url}", events = "{endpoint.types}" }
response = { id = "{endpoint.id}" }
"#;

/// Lines, and what is weak there.
type Weak = &'static [(usize, Weakness)];

/// What the strong contract is changed from and to, and what is then weak.
const WEAKENED: &[(&str, &str, Weak)] = &[
    ("", "", &[]),
    ("schema = { type = \"object\" }", "", &[(3, Weakness::NoSchema)]),
    ("{timestamp}.{body}", "{body}", &[(14, Weakness::TimestampNotSigned)]),
    (
        "{timestamp}.{body}",
        "{timestamp}",
        &[(11, Weakness::Unverifiable), (14, Weakness::BodyNotSigned)],
    ),
    ("bytes = 32", "bytes = 23", &[(17, Weakness::ShortKey)]),
    ("bytes = 32", "bytes = 32, accepts = [16, 64]", &[(17, Weakness::ShortKey)]),
    ("overlap = \"24h\"", "", &[(18, Weakness::NoOverlap)]),
    ("[\"5m\", \"1h\", \"12h\"]", "[]", &[(23, Weakness::NoRetries)]),
    ("[\"5m\", \"1h\", \"12h\"]", "[\"5m\", \"54m\"]", &[(23, Weakness::ShortRetryWindow)]),
    ("jitter = 0.2", "", &[(23, Weakness::RetriesWithoutJitter)]),
    ("[\"https\"]", "[\"https\", \"http\"]", &[(26, Weakness::PlainHttp)]),
    ("max_per_key = 20", "", &[(25, Weakness::EndpointsUnlimited)]),
];

#[test]
fn a_weak_choice_is_named_with_its_line_and_a_strong_contract_has_none() {
    for (from, to, weak) in WEAKENED {
        let contract = parse(&STRONG.replacen(from, to, 1)).expect(to);
        let warnings = contract.warnings();
        let found: Vec<_> =
            warnings.iter().map(|warning| (warning.line, warning.weakness)).collect();
        assert_eq!(found, *weak, "{to}");
    }
}

#[test]
fn a_contract_that_signs_nothing_and_one_that_sends_no_time_are_weak() {
    let (before, rest) = STRONG.split_once("[[request.signature]]").expect("a signature");
    let (_, after) = rest.split_once("overlap = \"24h\"").expect("an overlap");
    let unsigned = parse(&format!("{before}{after}")).expect("a contract");
    let found: Vec<_> = unsigned.warnings().iter().map(|warning| warning.weakness).collect();
    assert_eq!(found, [Weakness::NotSigned]);

    let timeless =
        STRONG.replace("{timestamp}.{body}", "{body}").replace("{timestamp}", "{event.id}");
    let timeless = parse(&timeless).expect("a contract");
    let found: Vec<_> = timeless.warnings().iter().map(|warning| warning.weakness).collect();
    assert_eq!(found, [Weakness::NoTimestamp]);
}

#[test]
fn names_are_unique_in_kebab_case_and_in_the_language_s_page() {
    let page = include_str!("../../../../../docs/contract-language.md");
    let mut seen = std::collections::BTreeSet::new();
    for weakness in Weakness::ALL {
        assert!(seen.insert(weakness.as_str()), "{} twice", weakness.as_str());
        assert!(page.contains(&format!("| `{}` |", weakness.as_str())), "{weakness:?}");
        assert!(weakness.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
    }
}

#[test]
fn what_the_built_in_contracts_leave_weak_is_known() {
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    let mut all = String::new();
    for warning in library.iter().flat_map(|contract| contract.warnings()) {
        writeln!(all, "{warning}").expect("a String takes it");
    }
    insta::assert_snapshot!(all);
}

#[test]
fn what_the_built_in_contracts_say_is_said_in_words() {
    let library = ContractLibrary::built_in(&Limits::default()).expect("built-in contracts");
    for contract in library.iter() {
        insta::assert_snapshot!(format!("{}_in_words", contract.name()), contract.to_string());
    }
}
