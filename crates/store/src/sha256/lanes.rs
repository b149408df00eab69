//! The compression function of SHA-256 (FIPS 180-4) in one or two lanes, with the instructions that processors have for it.

pub(super) type Block = [u8; 64];

/// The hash so far, in words.
pub(super) type State = [u32; 8];

/// The hash of nothing.
pub(super) const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{are_fast, compress};

/// Whether there is an implementation for this processor.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn are_fast() -> bool {
    false
}

/// To be called only where [`are_fast`].
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn compress<const N: usize>(_: [&mut State; N], _: [&[Block]; N]) {
    unreachable!("there are no lanes on this processor");
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_blend_epi16, _mm_loadu_si128, _mm_set_epi64x,
        _mm_setzero_si128, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32,
        _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_storeu_si128,
    };

    use super::{Block, State};

    const ROUNDS: [[u32; 4]; 16] = [
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

    /// Whether this processor has the instructions.
    pub(in crate::sha256) fn are_fast() -> bool {
        is_x86_feature_detected!("sha")
            && is_x86_feature_detected!("sse4.1")
            && is_x86_feature_detected!("ssse3")
    }

    /// Takes blocks into each state, as many into each. To be called only where [`are_fast`].
    pub(in crate::sha256) fn compress<const N: usize>(
        states: [&mut State; N],
        blocks: [&[Block]; N],
    ) {
        debug_assert!(are_fast());
        #[expect(unsafe_code, reason = "callers have asked for the processor's features")]
        unsafe {
            rounds(states, blocks);
        }
    }

    /// The lanes go side by side: the instructions take several cycles each, and could begin at every other one.
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn rounds<const N: usize>(states: [&mut State; N], blocks: [&[Block]; N]) {
        let big_endian = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        // The instructions want the words of a state as `abef` and `cdgh`, the last ones lowest.
        let (mut abef, mut cdgh) = ([_mm_setzero_si128(); N], [_mm_setzero_si128(); N]);
        for lane in 0..N {
            let [abcd, efgh] = [&states[lane].as_chunks().0[0], &states[lane].as_chunks().0[1]];
            let (badc, hgfe) =
                (_mm_shuffle_epi32(words(abcd), 0xB1), _mm_shuffle_epi32(words(efgh), 0x1B));
            abef[lane] = _mm_alignr_epi8(badc, hgfe, 8);
            cdgh[lane] = _mm_blend_epi16(hgfe, badc, 0xF0);
        }
        let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or_default();
        for at in 0..count {
            let block = blocks.map(|blocks| &blocks[at]);
            let before = (abef, cdgh);
            let mut schedule = [[_mm_setzero_si128(); 4]; N];
            for lane in 0..N {
                for (word, bytes) in schedule[lane].iter_mut().zip(block[lane].as_chunks().0) {
                    *word = _mm_shuffle_epi8(load(bytes), big_endian);
                }
            }
            // Written out, because a schedule at indices that are known stays in registers.
            macro_rules! four_rounds {
                ($($four:literal)*) => {$(
                    let mut sum = [words(&ROUNDS[$four]); N];
                    for lane in 0..N {
                        sum[lane] = _mm_add_epi32(schedule[lane][$four % 4], sum[lane]);
                        cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], sum[lane]);
                    }
                    for lane in 0..N {
                        sum[lane] = _mm_shuffle_epi32(sum[lane], 0x0E);
                        abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], sum[lane]);
                    }
                    if $four < 12 {
                        for words in &mut schedule {
                            let [a, b] = [words[$four % 4], words[($four + 1) % 4]];
                            let [c, d] = [words[($four + 2) % 4], words[($four + 3) % 4]];
                            let sum = _mm_sha256msg1_epu32(a, b);
                            let sum = _mm_add_epi32(sum, _mm_alignr_epi8(d, c, 4));
                            words[$four % 4] = _mm_sha256msg2_epu32(sum, d);
                        }
                    }
                )*};
            }
            four_rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            for lane in 0..N {
                abef[lane] = _mm_add_epi32(abef[lane], before.0[lane]);
                cdgh[lane] = _mm_add_epi32(cdgh[lane], before.1[lane]);
            }
        }
        for (lane, state) in states.into_iter().enumerate() {
            let (feba, dchg) =
                (_mm_shuffle_epi32(abef[lane], 0x1B), _mm_shuffle_epi32(cdgh[lane], 0xB1));
            let (abcd, efgh) = (_mm_blend_epi16(feba, dchg, 0xF0), _mm_alignr_epi8(dchg, feba, 8));
            store(abcd, efgh, state);
        }
    }

    #[inline]
    fn load(bytes: &[u8; 16]) -> __m128i {
        #[expect(unsafe_code, reason = "the reference is to as many bytes")]
        unsafe {
            _mm_loadu_si128(std::ptr::from_ref(bytes).cast())
        }
    }

    #[inline]
    fn words(words: &[u32; 4]) -> __m128i {
        #[expect(unsafe_code, reason = "the reference is to as many bytes")]
        unsafe {
            _mm_loadu_si128(std::ptr::from_ref(words).cast())
        }
    }

    #[inline]
    fn store(low: __m128i, high: __m128i, state: &mut State) {
        for (words, value) in state.as_chunks_mut::<4>().0.iter_mut().zip([low, high]) {
            #[expect(unsafe_code, reason = "the reference is to as many bytes")]
            unsafe {
                _mm_storeu_si128(std::ptr::from_mut(words).cast(), value);
            }
        }
    }
}
