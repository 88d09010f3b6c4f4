//! What a token endpoint answers, and certificates that somebody hands in.
#![no_main]

use angarium_core::destination::Scheme;
use angarium_core::endpoint::{CertificateFacts, EndpointSecrets, EndpointTls, TlsSettings};
use angarium_core::limits::Limits;
use angarium_core::oauth2;
use angarium_core::outcome::Outcome;
use angarium_core::secret::SecretText;
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

fuzz_target!(|said: (u16, &[u8])| {
    let (status, body) = said;
    let answered = Outcome::Response { status, retry_after: None };
    match oauth2::read(&answered, body) {
        Ok(granted) => {
            assert!((200..300).contains(&status), "only success has a token");
            assert!(granted.lifetime <= Duration::from_secs(24 * 3_600));
            let value = granted.token.authorization();
            assert!(value.is_sensitive() && value.len() <= "Bearer ".len() + 8 * 1024);
        }
        Err(fault) => assert!(fault.to_string().len() < 100, "it tells nothing of the body"),
    }
    let text = String::from_utf8_lossy(body).into_owned();
    CertificateFacts::of_pem(&text);
    let tls = TlsSettings {
        client_certificate: Some(text.clone()),
        private_key: Some(SecretText::new(text.clone())),
        ca: Some(text),
    };
    let secrets = EndpointSecrets { tls: Some(tls), ..EndpointSecrets::default() };
    // A text that is a chain is no key: nothing is taken for both.
    assert!(EndpointTls::prepare(&secrets, Scheme::Https, &Limits::default()).is_err());
});
