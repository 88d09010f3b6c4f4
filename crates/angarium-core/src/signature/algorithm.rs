//! How a signature is computed.

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
    /// HMAC with SHA-1: what older providers still sign with.
    HmacSha1,
    /// Ed25519; the key is its seed where we sign, the public key where we verify.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, the signature in DER.
    EcdsaP256Sha256,
    /// The same with SHA-1: what eBay still signs with.
    EcdsaP256Sha1,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    RsaSha256,
    /// RSA (PKCS #1 v1.5) with SHA-1: SNS's first version.
    RsaSha1,
    /// SHA-256 of a content that has the secret in it.
    Sha256,
    /// The secret itself.
    Secret,
}

impl Algorithm {
    /// Those that a contract signs with.
    pub(crate) const OF_CONTRACTS: &[(&str, Algorithm)] = &[
        ("hmac-sha256", Algorithm::HmacSha256),
        ("hmac-sha512", Algorithm::HmacSha512),
        ("ed25519", Algorithm::Ed25519),
    ];

    /// Those that a scheme verifies with.
    pub(crate) const OF_SCHEMES: &[(&str, Algorithm)] = &[
        ("hmac-sha256", Algorithm::HmacSha256),
        ("hmac-sha512", Algorithm::HmacSha512),
        ("hmac-sha1", Algorithm::HmacSha1),
        ("ed25519", Algorithm::Ed25519),
        ("ecdsa-p256-sha256", Algorithm::EcdsaP256Sha256),
        ("ecdsa-p256-sha1", Algorithm::EcdsaP256Sha1),
        ("rsa-sha256", Algorithm::RsaSha256),
        ("rsa-sha1", Algorithm::RsaSha1),
        ("sha256", Algorithm::Sha256),
        ("secret", Algorithm::Secret),
    ];

    /// What a file calls it.
    pub(crate) fn name(self) -> &'static str {
        let known = Self::OF_SCHEMES.iter().find(|(_, algorithm)| *algorithm == self);
        known.map_or("", |(name, _)| name)
    }

    /// What it makes, for people.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Algorithm::HmacSha256 => "an HMAC-SHA256",
            Algorithm::HmacSha512 => "an HMAC-SHA512",
            Algorithm::HmacSha1 => "an HMAC-SHA1",
            Algorithm::Ed25519 => "an Ed25519 signature",
            Algorithm::EcdsaP256Sha256 => "an ECDSA signature (P-256, SHA-256)",
            Algorithm::EcdsaP256Sha1 => "an ECDSA signature (P-256, SHA-1)",
            Algorithm::RsaSha256 => "an RSA signature (SHA-256)",
            Algorithm::RsaSha1 => "an RSA signature (SHA-1)",
            Algorithm::Sha256 => "the SHA-256",
            Algorithm::Secret => "the secret",
        }
    }

    /// Whether who verifies has another key than who signs.
    pub(crate) fn has_public_key(self) -> bool {
        match self {
            Algorithm::Ed25519
            | Algorithm::EcdsaP256Sha256
            | Algorithm::EcdsaP256Sha1
            | Algorithm::RsaSha256
            | Algorithm::RsaSha1 => true,
            Algorithm::HmacSha256
            | Algorithm::HmacSha512
            | Algorithm::HmacSha1
            | Algorithm::Sha256
            | Algorithm::Secret => false,
        }
    }

    /// What the head of a JWT calls it (RFC 7518, RFC 8037); none where JWTs have it not.
    pub(crate) fn jose_name(self) -> Option<&'static str> {
        match self {
            Algorithm::HmacSha256 => Some("HS256"),
            Algorithm::HmacSha512 => Some("HS512"),
            Algorithm::EcdsaP256Sha256 => Some("ES256"),
            Algorithm::Ed25519 => Some("EdDSA"),
            Algorithm::RsaSha256 => Some("RS256"),
            Algorithm::HmacSha1
            | Algorithm::EcdsaP256Sha1
            | Algorithm::RsaSha1
            | Algorithm::Sha256
            | Algorithm::Secret => None,
        }
    }
}
