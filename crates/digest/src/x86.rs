//! The compression function (FIPS 180-4, 6.2.2) on the SHA extensions (Intel, "Intel SHA
//! Extensions", 2013), for any number of independent states in lockstep.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8,
    _mm_shuffle_epi32,
};

use crate::lanes::{Block, State};

/// The round constants (FIPS 180-4, 4.2.2).
#[rustfmt::skip]
const K: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

/// Proof that the processor has what the kernel needs.
#[derive(Clone, Copy)]
pub(crate) struct Kernel(());

impl Kernel {
    /// Asks the processor.
    pub(crate) fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("sha")
            && is_x86_feature_detected!("sse4.1")
            && is_x86_feature_detected!("ssse3");
        has.then_some(Self(()))
    }

    /// Adds blocks to one state.
    pub(crate) fn one(self, state: &mut State, blocks: &[Block]) {
        self.run([state], [blocks]);
    }

    /// Adds to each state its blocks; both have as many.
    pub(crate) fn two(self, states: [&mut State; 2], blocks: [&[Block]; 2]) {
        self.run(states, blocks);
    }

    #[allow(unsafe_code)]
    fn run<const N: usize>(self, states: [&mut State; N], blocks: [&[Block]; N]) {
        // SAFETY: the only demand of `compress` is that the processor has its target features, and
        // only `detect`, which has asked for them, makes a `Kernel`.
        unsafe { compress(states, blocks) }
    }
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
fn compress<const N: usize>(states: [&mut State; N], blocks: [&[Block]; N]) {
    let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
    let blocks = blocks.map(|blocks| blocks.split_at(count).0);
    // The instructions want the eight words as (a, b, e, f) and (c, d, g, h).
    let mut halves = [(words([0; 4]), words([0; 4])); N];
    for (half, state) in halves.iter_mut().zip(&states) {
        let [a, b, c, d, e, f, g, h] = **state;
        *half = (words([f, e, b, a]), words([h, g, d, c]));
    }
    for index in 0..count {
        let mut next = [&[0; 64]; N];
        for (block, blocks) in next.iter_mut().zip(&blocks) {
            if let Some(found) = blocks.get(index) {
                *block = found;
            }
        }
        rounds(&mut halves, next);
    }
    for (state, (abef, cdgh)) in states.into_iter().zip(halves) {
        let ([f, e, b, a], [h, g, d, c]) = (unpacked(abef), unpacked(cdgh));
        *state = [a, b, c, d, e, f, g, h];
    }
}

/// One block in all lanes.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn rounds<const N: usize>(halves: &mut [(__m128i, __m128i); N], blocks: [&Block; N]) {
    let begin = *halves;
    // The last sixteen words of the message schedule, four in each vector.
    let mut schedule = [[words([0; 4]); 4]; N];
    for (words, block) in schedule.iter_mut().zip(blocks) {
        *words = load(block);
    }
    // Written out: a loop would keep the schedule in memory, which takes as long as the rounds do.
    four_rounds::<N, 0>(halves, &mut schedule);
    four_rounds::<N, 1>(halves, &mut schedule);
    four_rounds::<N, 2>(halves, &mut schedule);
    four_rounds::<N, 3>(halves, &mut schedule);
    four_rounds::<N, 4>(halves, &mut schedule);
    four_rounds::<N, 5>(halves, &mut schedule);
    four_rounds::<N, 6>(halves, &mut schedule);
    four_rounds::<N, 7>(halves, &mut schedule);
    four_rounds::<N, 8>(halves, &mut schedule);
    four_rounds::<N, 9>(halves, &mut schedule);
    four_rounds::<N, 10>(halves, &mut schedule);
    four_rounds::<N, 11>(halves, &mut schedule);
    four_rounds::<N, 12>(halves, &mut schedule);
    four_rounds::<N, 13>(halves, &mut schedule);
    four_rounds::<N, 14>(halves, &mut schedule);
    four_rounds::<N, 15>(halves, &mut schedule);
    for ((abef, cdgh), before) in halves.iter_mut().zip(begin) {
        *abef = _mm_add_epi32(*abef, before.0);
        *cdgh = _mm_add_epi32(*cdgh, before.1);
    }
}

/// Rounds `4 * STEP` to `4 * STEP + 3`; their words of the schedule give way to those of sixteen
/// rounds later.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn four_rounds<const N: usize, const STEP: usize>(
    halves: &mut [(__m128i, __m128i); N],
    schedule: &mut [[__m128i; 4]; N],
) {
    let constants = words(K[STEP]);
    for ((abef, cdgh), schedule) in halves.iter_mut().zip(schedule) {
        let word = _mm_add_epi32(schedule[STEP % 4], constants);
        *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, word);
        *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32::<0x0e>(word));
        if STEP < 12 {
            let (second, third, last) = ((STEP + 1) % 4, (STEP + 2) % 4, (STEP + 3) % 4);
            let sum = _mm_add_epi32(
                _mm_sha256msg1_epu32(schedule[STEP % 4], schedule[second]),
                _mm_alignr_epi8::<4>(schedule[last], schedule[third]),
            );
            schedule[STEP % 4] = _mm_sha256msg2_epu32(sum, schedule[last]);
        }
    }
}

/// A block's sixteen words, which it holds with the most significant byte first.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn load(block: &Block) -> [__m128i; 4] {
    let swapped = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let (halves, _) = block.as_chunks::<8>();
    let mut loaded = [words([0; 4]); 4];
    for (four, halves) in loaded.iter_mut().zip(halves.as_chunks::<2>().0) {
        let [low, high] = halves.map(i64::from_le_bytes);
        *four = _mm_shuffle_epi8(_mm_set_epi64x(high, low), swapped);
    }
    loaded
}

/// Four words in a vector, the first in its lowest lane.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn words(words: [u32; 4]) -> __m128i {
    let [w0, w1, w2, w3] = words.map(u32::cast_signed);
    _mm_set_epi32(w3, w2, w1, w0)
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn unpacked(vector: __m128i) -> [u32; 4] {
    [
        _mm_extract_epi32::<0>(vector),
        _mm_extract_epi32::<1>(vector),
        _mm_extract_epi32::<2>(vector),
        _mm_extract_epi32::<3>(vector),
    ]
    .map(i32::cast_unsigned)
}
