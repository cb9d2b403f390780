//! splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
//!
//! Own code, because a library's generator may give other numbers in its next version.

/// A stream of numbers that the seed and the record's number decide.
pub(super) struct Random {
    state: u64,
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The stream of record `number` under `seed`.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let mut seeded = Self { state: seed };
        let start = seeded.next();
        Self {
            state: start ^ number.wrapping_mul(0xd134_2543_de82_ef95),
        }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 where that is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product: no bias that a test could notice, and no division.
        let product = u128::from(self.next()) * u128::from(bound);
        (product >> 64) as u64
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T; 7]) -> &'a T {
        let index = usize::try_from(self.below(7)).unwrap_or(0);
        from.get(index).unwrap_or(&from[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_splitmix64s() {
        // The reference implementation's first numbers for the seed 1234567.
        let mut random = Random { state: 1_234_567 };
        let first: Vec<u64> = (0..5).map(|_| random.next()).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
        assert!((0..1000).all(|_| random.below(7) < 7));
        assert_eq!(random.below(0), 0);
    }
}
