//! Which headers of a request may be kept: those that the scheme reads, but for passwords.

use super::origin::Origin;
use super::{Place, Scheme};
use crate::signature::{Algorithm, ContentPart};
use http::{HeaderMap, HeaderName, HeaderValue};

impl Scheme {
    /// The headers of a request that the scheme reads, in the request's order. One that is a mere
    /// password is left out: what is kept can be shown.
    pub fn kept<'a>(
        &'a self,
        headers: &'a HeaderMap,
    ) -> impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> {
        headers.iter().filter(|(name, _)| self.reads(name) && !self.is_password(name))
    }

    /// Whether whoever has the header could send what he likes: the secret itself, or a token that
    /// does not vouch for the body.
    pub fn is_password(&self, name: &HeaderName) -> bool {
        let mut signatures = self.signatures.iter();
        signatures.any(|signature| {
            let bears = signature.form.algorithm == Algorithm::Secret
                || signature.form.is_jwt() && !signature.covers_body();
            bears && signature.place.is_header(name)
        })
    }

    fn reads(&self, name: &HeaderName) -> bool {
        let is_it = |origin: &Origin| matches!(origin, Origin::Header(header) if header == name);
        let own = self.signatures.iter().filter_map(|signature| signature.timestamp.as_ref());
        let timestamp = self.timestamp.iter().chain(own).map(|rule| &rule.from);
        let certificate = self.certificate.iter().map(|rule| &rule.url.from);
        let mut origins = timestamp.chain(certificate).chain(&self.ids).chain(&self.types);
        let signed =
            |part: &ContentPart| matches!(part, ContentPart::Header(header) if header == name);
        let signs = |signature: &super::SchemeSignature| {
            let content = signature.form.contents.get(signature.content);
            signature.place.is_header(name)
                || content.is_some_and(|content| content.parts.iter().any(signed))
        };
        origins.any(is_it) || self.signatures.iter().any(signs)
    }
}

impl Place {
    fn is_header(&self, name: &HeaderName) -> bool {
        match self {
            Place::HeadersLike(begin) => name.as_str().starts_with(begin.as_str()),
            Place::One(origin) => match origin {
                Origin::Header(header) => header == name,
                Origin::Value | Origin::Parameter(_) | Origin::Member(_) | Origin::Claim(_) => {
                    false
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scheme::SchemeLibrary;
    use http::HeaderMap;

    #[test]
    fn what_the_scheme_reads_is_kept_and_a_password_never() {
        let library = SchemeLibrary::built_in().expect("the built-in schemes");
        let rows = [
            ("github", "x-hub-signature-256", true),
            ("github", "x-github-event", true),
            ("github", "x-github-delivery", true),
            ("github", "authorization", false),
            ("docusign", "x-docusign-signature-1", true),
            ("gitlab", "x-gitlab-token", false),
            ("gitlab", "x-gitlab-event", true),
            ("standard", "webhook-timestamp", true),
            ("standard", "cookie", false),
            ("paypal", "paypal-cert-url", true),
            ("plaid", "plaid-verification", true),
            ("monday", "authorization", false),
            ("asana", "x-hook-secret", false),
        ];
        for (scheme, header, expected) in rows {
            let scheme = library.get(scheme).expect("a scheme");
            let mut headers = HeaderMap::new();
            headers.insert(header, "1".parse().expect("a value"));
            assert_eq!(scheme.kept(&headers).count() == 1, expected, "{header}");
        }
    }
}
