//! Keys made ready to sign or to verify.

use super::{Algorithm, ContentPart, Message, SignatureForm};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA1_ASN1, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ED25519, Ed25519KeyPair,
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use aws_lc_rs::{digest, hmac};
use zeroize::Zeroizing;

/// See the module.
pub(crate) enum Material {
    Hmac(Box<hmac::Key>),
    /// The pair of a seed.
    Pair(Ed25519KeyPair),
    /// What verifies only.
    Public(&'static dyn VerificationAlgorithm, Zeroizing<Vec<u8>>),
    /// A hash of a content that has the secret in it.
    Digest,
    /// The secret itself.
    Secret(Zeroizing<Vec<u8>>),
}

impl Material {
    /// What signs, and verifies by signing again; none where the secret has not the key's form, or
    /// no secret signs.
    pub(crate) fn to_sign(form: &SignatureForm, secret: &str) -> Option<Self> {
        let bytes = form.key.material(secret)?;
        let hmac = |hash| Some(Material::Hmac(Box::new(hmac::Key::new(hash, &bytes))));
        match form.algorithm {
            Algorithm::HmacSha256 => hmac(hmac::HMAC_SHA256),
            Algorithm::HmacSha512 => hmac(hmac::HMAC_SHA512),
            Algorithm::HmacSha1 => hmac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            Algorithm::Ed25519 => {
                Some(Material::Pair(Ed25519KeyPair::from_seed_unchecked(&bytes).ok()?))
            }
            Algorithm::Sha256 => Some(Material::Digest),
            Algorithm::Secret => Some(Material::Secret(bytes)),
            Algorithm::EcdsaP256Sha256
            | Algorithm::EcdsaP256Sha1
            | Algorithm::RsaSha256
            | Algorithm::RsaSha1 => None,
        }
    }

    /// What verifies: the public key, where there is one.
    pub(crate) fn to_verify(form: &SignatureForm, secret: &str) -> Option<Self> {
        match form.algorithm.has_public_key() {
            true => Self::of_public_key(form, form.key.material(secret)?),
            false => Self::to_sign(form, secret),
        }
    }

    /// What verifies by a public key, wherever it comes from; none where nothing public verifies.
    pub(crate) fn of_public_key(form: &SignatureForm, key: Zeroizing<Vec<u8>>) -> Option<Self> {
        let public = |algorithm| Some(Material::Public(algorithm, key));
        match form.algorithm {
            Algorithm::Ed25519 => public(&ED25519),
            // A JWT has the two numbers as they are, everybody else has them in DER.
            Algorithm::EcdsaP256Sha256 if form.is_jwt() => public(&ECDSA_P256_SHA256_FIXED),
            Algorithm::EcdsaP256Sha256 => public(&ECDSA_P256_SHA256_ASN1),
            Algorithm::EcdsaP256Sha1 => public(&ECDSA_P256_SHA1_ASN1),
            Algorithm::RsaSha256 => public(&RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RsaSha1 => public(&RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY),
            Algorithm::HmacSha256
            | Algorithm::HmacSha512
            | Algorithm::HmacSha1
            | Algorithm::Sha256
            | Algorithm::Secret => None,
        }
    }

    /// Signs the parts as one message and hands the signature on; none where the message lacks a
    /// part, or nothing here signs.
    pub(crate) fn sign<R>(
        &self,
        parts: &[ContentPart],
        message: &impl Message,
        write: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        match self {
            Material::Hmac(key) => {
                let mut context = hmac::Context::with_key(key);
                for part in parts {
                    context.update(&message.part(part)?);
                }
                Some(write(context.sign().as_ref()))
            }
            Material::Pair(pair) => Some(write(pair.sign(&whole(parts, message)?).as_ref())),
            Material::Digest => {
                let mut context = digest::Context::new(&digest::SHA256);
                for part in parts {
                    context.update(&message.part(part)?);
                }
                Some(write(context.finish().as_ref()))
            }
            Material::Secret(secret) => Some(write(secret)),
            Material::Public(..) => None,
        }
    }

    /// Whether the signature is that of the parts, in constant time; none where the message lacks
    /// a part.
    pub(crate) fn verify(
        &self,
        parts: &[ContentPart],
        message: &impl Message,
        signature: &[u8],
    ) -> Option<bool> {
        match self {
            Material::Public(algorithm, key) => {
                let key = UnparsedPublicKey::new(*algorithm, &**key);
                Some(key.verify(&whole(parts, message)?, signature).is_ok())
            }
            Material::Hmac(_) | Material::Pair(_) | Material::Digest | Material::Secret(_) => {
                let is_it = |wanted: &[u8]| verify_slices_are_equal(wanted, signature).is_ok();
                self.sign(parts, message, is_it)
            }
        }
    }
}

fn whole(parts: &[ContentPart], message: &impl Message) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    for part in parts {
        whole.extend_from_slice(&message.part(part)?);
    }
    Some(whole)
}
