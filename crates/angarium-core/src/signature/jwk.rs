//! Public keys as JSON Web Keys (RFC 7517), one or a set of them.

use super::Algorithm;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

/// A public key, as an algorithm takes it.
pub(crate) struct PublicKey {
    /// By which a JWT names it.
    pub(crate) id: Option<Box<str>>,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// Bytes of a coordinate on P-256.
const COORDINATE: usize = 32;
/// What stands before the coordinates of a point (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 4;

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<Box<str>>,
    crv: Option<String>,
    alg: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys in a text that fit the algorithm.
pub(crate) fn read(text: &str, algorithm: Algorithm) -> Vec<PublicKey> {
    let keys = match serde_json::from_str::<Set>(text) {
        Ok(set) => set.keys,
        Err(_) => serde_json::from_str::<Jwk>(text).into_iter().collect(),
    };
    keys.into_iter().filter_map(|key| key.public(algorithm)).collect()
}

impl Jwk {
    fn public(self, algorithm: Algorithm) -> Option<PublicKey> {
        if self.alg.as_deref().is_some_and(|named| Some(named) != algorithm.jose_name()) {
            return None;
        }
        let bytes = match (algorithm, &*self.kty, self.crv.as_deref()) {
            (Algorithm::EcdsaP256Sha256, "EC", Some("P-256")) => {
                let (x, y) = (coordinate(self.x.as_deref()?)?, coordinate(self.y.as_deref()?)?);
                [&[UNCOMPRESSED], &*x, &*y].concat()
            }
            (Algorithm::Ed25519, "OKP", Some("Ed25519")) => coordinate(self.x.as_deref()?)?,
            (_, _, _) => return None,
        };
        Some(PublicKey { id: self.kid, bytes: Zeroizing::new(bytes) })
    }
}

fn coordinate(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == COORDINATE)
}
