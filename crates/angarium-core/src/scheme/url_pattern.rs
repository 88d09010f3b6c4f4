//! URLs that a scheme lets be fetched. What a request names is fetched only if it has one of the
//! forms that the scheme lists; nothing of it is parsed, so no parser can read it differently.

use crate::declared::{Fault, Piece, known, split};

/// The form of a URL: text, and placeholders for runs of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UrlPattern(Box<[UrlPart]>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum UrlPart {
    Literal(Box<str>),
    /// One character or more of a class.
    Run(Class),
}

/// Characters that a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// a to z.
    Letters,
    /// 0 to 9.
    Digits,
    /// Letters, digits, `-`, `_` and `.`: a part of a host or of a path.
    Word,
    /// Everything that may stand in a path and in a query.
    Any,
}

const CLASSES: &[(&str, Class)] = &[
    ("letters", Class::Letters),
    ("digits", Class::Digits),
    ("word", Class::Word),
    ("any", Class::Any),
];
const SCHEME: &str = "https://";
/// Longest URL that is looked at.
const MOST_CHARS: usize = 2_048;

impl UrlPattern {
    /// Reads `https://{word}.example.com/certificates/{any}`.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let part = |piece| match piece {
            Piece::Literal(text) => Ok(UrlPart::Literal(text.into())),
            Piece::Name(name) => known(CLASSES, name).map(UrlPart::Run),
        };
        let parts: Box<[_]> = split(text)?.into_iter().map(part).collect::<Result<_, _>>()?;
        let host = text.strip_prefix(SCHEME).and_then(|rest| rest.split_once('/'));
        let is_fixed = |(host, _): (&str, &str)| {
            let rest = host.strip_prefix("{word}.").unwrap_or(host);
            !host.contains("{any}") && !rest.contains("{word}") && !rest.contains(['@', ':', '?'])
        };
        if !host.is_some_and(is_fixed) {
            let fault = Fault::from(format!("{text:?} does not say whose host it is"));
            return Err(fault.cured_by("write it like \"https://{word}.example.com/{any}\""));
        }
        Ok(Self(parts))
    }

    /// Whether the URL has this form.
    pub(super) fn matches(&self, url: &str) -> bool {
        if url.len() > MOST_CHARS {
            return false;
        }
        // Where the parts so far may end: every end at once, so that no URL takes long.
        let mut ends = vec![false; url.len() + 1];
        ends[0] = true;
        for part in &self.0 {
            ends = part.step(&ends, url.as_bytes());
        }
        ends[url.len()]
    }
}

impl UrlPart {
    /// Where this part may end, from where the one before it may.
    fn step(&self, starts: &[bool], url: &[u8]) -> Vec<bool> {
        let mut ends = vec![false; starts.len()];
        match self {
            UrlPart::Literal(text) => {
                for start in (0..starts.len()).filter(|start| starts[*start]) {
                    if url[start..].starts_with(text.as_bytes()) {
                        ends[start + text.len()] = true;
                    }
                }
            }
            UrlPart::Run(class) => {
                let mut runs = false;
                for (at, byte) in url.iter().enumerate() {
                    runs = (runs || starts[at]) && class.has(*byte);
                    ends[at + 1] = runs;
                }
            }
        }
        ends
    }
}

impl Class {
    fn has(self, byte: u8) -> bool {
        match self {
            Class::Letters => byte.is_ascii_lowercase(),
            Class::Digits => byte.is_ascii_digit(),
            Class::Word => byte.is_ascii_alphanumeric() || b"-_.".contains(&byte),
            Class::Any => byte.is_ascii_graphic() && !b"\\#\"<>^`{|}".contains(&byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_says_whose_host_it_is() {
        for wrong in [
            "http://example.com/",
            "https://example.com",
            "https://{any}.example.com/",
            "https://example.{word}/",
            "https://{word}{word}.example.com/",
            "https://u@example.com/",
            "https://example.com:1/",
            "https://{digit}.example.com/",
            "{any}",
        ] {
            assert!(UrlPattern::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_urls_of_the_form_match() {
        let any = UrlPattern::parse("https://{word}.paypal.com/{any}").expect("a pattern");
        let sns = "https://sns.{letters}-{letters}-{digits}.amazonaws.com/Sns-{word}.pem";
        let sns = UrlPattern::parse(sns).expect("a pattern");
        for (pattern, url) in [
            (&any, "https://api.paypal.com/v1/notifications/certs/CERT-360caa42"),
            (&any, "https://api.sandbox.paypal.com/x?y=1"),
            (&sns, "https://sns.us-east-1.amazonaws.com/Sns-01d088a6.pem"),
            (&sns, "https://sns.ap-southeast-12.amazonaws.com/Sns-01.pem"),
        ] {
            assert!(pattern.matches(url), "{url}");
        }
        for (pattern, url) in [
            (&any, "http://api.paypal.com/x"),
            (&any, "https://api.paypal.com"),
            (&any, "https://api.paypal.com.evil.example/x"),
            (&any, "https://evil.example/.paypal.com/x"),
            (&any, "https://evil.example?.paypal.com/x"),
            (&any, "https://evil.example#.paypal.com/x"),
            (&any, "https://evil.example\\.paypal.com/x"),
            (&any, "https://u:p@api.paypal.com/x"),
            (&any, "https://api.paypal.com:8443/x"),
            (&any, "https://evilpaypal.com/x"),
            (&any, "https://.paypal.com/"),
            (&any, "HTTPS://api.paypal.com/x"),
            (&any, " https://api.paypal.com/x"),
            (&any, "https://api.paypal.com/x y"),
            (&any, "https://api.paypal.com/x\n"),
            // A bucket of somebody's own.
            (&sns, "https://sns.s3.amazonaws.com/Sns-01.pem"),
            (&sns, "https://sns.s3-us-west-2.amazonaws.com/Sns-01.pem"),
            (&sns, "https://sns.s3-external-1.amazonaws.com/Sns-01.pem"),
            // An answer of the service that says what was asked.
            (&sns, "https://sns.us-east-1.amazonaws.com/?Action=x&y=Sns-01.pem"),
            (&sns, "https://sns.us-east-1.amazonaws.com/Sns-01.pem?x=.pem"),
            (&sns, "https://sns.us-east-1.amazonaws.com/a/Sns-01.pem"),
            (&sns, "https://sns.us-east-1.amazonaws.com/Sns-.pem"),
            (&sns, "https://sns.us-east-1.amazonaws.com.cn/Sns-01.pem"),
        ] {
            assert!(!pattern.matches(url), "{url}");
        }
        let long = format!("https://api.paypal.com/{}", "x".repeat(2_048));
        assert!(!any.matches(&long), "a URL has a limit");
    }
}
