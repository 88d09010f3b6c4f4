//! The only source of randomness: ids, keys, jitter.

use angarium_core::time::Jitter;
use std::fmt::Debug;

/// Draws random numbers; the simulator and the tests replace it.
pub trait Entropy: Debug + Send + Sync + 'static {
    /// Fills a buffer with random bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// A jitter.
    fn jitter(&self) -> Jitter {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        Jitter::from_bits(u32::from_le_bytes(bytes))
    }
}

/// The operating system's randomness.
#[derive(Debug, Default, Clone, Copy)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// A value of so many random bytes.
pub fn random<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}
