//! The secret of a source: what a scheme takes for one, and a new one where the third party lets us
//! choose.

use super::{Scheme, Verifier};
use crate::refusal::{Code, Refusal};
use crate::secret::SecretText;
use crate::signature::Algorithm;
use std::sync::Arc;

impl Scheme {
    /// Checks a secret that comes from outside.
    ///
    /// # Errors
    /// [`Code::InvalidSecret`], naming what is allowed and not the secret.
    pub fn check_secret(self: &Arc<Self>, secret: &SecretText) -> Result<(), Refusal> {
        if Verifier::prepare(Arc::clone(self), std::slice::from_ref(secret)).has_key() {
            return Ok(());
        }
        let mut forms: Vec<_> = self.signatures.iter().map(|one| one.form.key.describe()).collect();
        forms.dedup();
        let message = format!("a secret of {} is {}", self.title(), forms.join(", or "));
        Err(Refusal::field(Code::InvalidSecret, "secret", message))
    }

    /// Whether the third party hands its secret over, to a source that has none.
    pub fn hands_over_its_secret(&self) -> bool {
        self.challenges.iter().any(|challenge| challenge.keeps.is_some())
    }

    /// A new secret; none where only the third party can make one: it has a key pair, or hands
    /// its secret over.
    pub fn new_secret(&self, random: &[u8; 64]) -> Option<SecretText> {
        if self.hands_over_its_secret() {
            return None;
        }
        let signature = self.signatures.first()?;
        match signature.form.algorithm {
            Algorithm::HmacSha256
            | Algorithm::HmacSha512
            | Algorithm::HmacSha1
            | Algorithm::Sha256
            | Algorithm::Secret => {}
            Algorithm::Ed25519
            | Algorithm::EcdsaP256Sha256
            | Algorithm::EcdsaP256Sha1
            | Algorithm::RsaSha256
            | Algorithm::RsaSha1 => return None,
        }
        let form = &signature.form.key;
        let text = form.encoding.encode(&random[..form.bytes.min(random.len())]);
        Some(SecretText::new(format!("{}{}", form.prefix, *text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheme::SchemeLibrary;

    #[test]
    fn a_new_secret_is_one_that_its_scheme_takes() {
        let library = SchemeLibrary::built_in().expect("the built-in schemes");
        let mut made = 0;
        for scheme in library.iter() {
            if let Some(secret) = scheme.new_secret(&[7; 64]) {
                assert_eq!(scheme.check_secret(&secret), Ok(()), "{}", scheme.name());
                made += 1;
            }
        }
        assert!(made > 30, "{made}");
        for name in ["asana", "aws-sns", "ebay", "paypal", "plaid"] {
            let scheme = library.get(name).expect("a scheme");
            assert!(scheme.new_secret(&[7; 64]).is_none(), "{name}");
        }
        let discord = library.get("discord").expect("a scheme");
        assert!(discord.new_secret(&[7; 64]).is_none());
        let refusal = discord.check_secret(&SecretText::new("no key")).expect_err("no key");
        assert_eq!(refusal.code, Code::InvalidSecret);
    }
}
