//! Random numbers from a seed: a run that failed can be run again.

/// SplitMix64: small, and good enough to choose moments and faults.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed in `SEED`, else one of this process and moment; printed, so that it can be set.
    pub(crate) fn from_environment(test: &str) -> (Self, u64) {
        let chosen = std::env::var("SEED").ok().and_then(|text| text.parse().ok());
        let seed = chosen.unwrap_or_else(|| {
            let moment = std::time::UNIX_EPOCH.elapsed().map_or(0, |span| span.as_nanos());
            u64::from(std::process::id()) ^ u64::try_from(moment & 0xffff_ffff).unwrap_or_default()
        });
        println!("{test}: SEED={seed}");
        (Self::new(seed), seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `0` to `end - 1`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// True in `percent` of a hundred throws.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
