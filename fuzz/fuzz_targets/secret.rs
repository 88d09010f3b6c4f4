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
    let (secret, none) = (SecretText::new(text), SecretText::new(""));
    for scheme in &*SCHEMES {
        if let Err(refusal) = scheme.check_secret(&secret) {
            let of_none = scheme.check_secret(&none).expect_err("it is none");
            assert_eq!(refusal.message, of_none.message, "it tells nothing of the secret");
        }
    }
});
