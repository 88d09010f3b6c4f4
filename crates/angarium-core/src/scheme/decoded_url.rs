//! URLs as HubSpot signs them: some escapes are decoded, all others stay.

use std::borrow::Cow;

/// The escapes, in the order of HubSpot's page.
const DECODED: &[(&str, char)] = &[
    ("%3A", ':'),
    ("%2F", '/'),
    ("%3F", '?'),
    ("%40", '@'),
    ("%21", '!'),
    ("%24", '$'),
    ("%27", '\''),
    ("%28", '('),
    ("%29", ')'),
    ("%2A", '*'),
    ("%2C", ','),
    ("%3B", ';'),
];

/// Decodes each escape once; their case says nothing.
pub(super) fn decode(url: &str) -> Cow<'_, str> {
    if !url.contains('%') {
        return Cow::Borrowed(url);
    }
    let mut decoded = String::with_capacity(url.len());
    let mut rest = url;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        decoded.push_str(before);
        let is_it = |(code, _): &&(&str, char)| {
            escape.get(..code.len()).is_some_and(|found| found.eq_ignore_ascii_case(code))
        };
        let (character, length) = match DECODED.iter().find(is_it) {
            Some((code, character)) => (*character, code.len()),
            None => ('%', 1),
        };
        decoded.push(character);
        rest = &escape[length..];
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_escapes_of_hubspot_are_decoded_and_no_others() {
        for (url, wanted) in [
            ("https://e.example/in/src_1", "https://e.example/in/src_1"),
            ("https://e.example/a?b=%3a%2F%3f%40", "https://e.example/a?b=:/?@"),
            ("%21%24%27%28%29%2A%2C%3B", "!$'()*,;"),
            ("a%20b%C3%A4%25", "a%20b%C3%A4%25"),
            ("%253A%3", "%253A%3"),
            ("%", "%"),
        ] {
            assert_eq!(decode(url), wanted);
        }
    }
}
