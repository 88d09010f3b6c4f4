//! A secret or public key in any form, for every built-in scheme: PEM, SPKI, JWK sets, base64, hex.
#![no_main]

use angarium_core::scheme::{Scheme, SchemeLibrary};
use angarium_core::secret::SecretText;
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

static SCHEMES: LazyLock<Vec<Arc<Scheme>>> = LazyLock::new(|| {
    SchemeLibrary::built_in().expect("built-in schemes").iter().cloned().collect()
});

fuzz_target!(|text: &str| {
    let secret = SecretText::new(text);
    for scheme in &*SCHEMES {
        if let Err(refusal) = scheme.check_secret(&secret) {
            // What is short may be a word of the message.
            assert!(text.len() < 64 || !refusal.message.contains(text), "it is never repeated");
        }
    }
});
