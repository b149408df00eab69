//! Highest random weight: which target an object belongs to.

use xxhash_rust::xxh64::xxh64;

use crate::bucket::Bck;
use crate::cluster::{Smap, Snode};

/// Seed of the hashes.
pub const SEED: u64 = 1_103_515_245;

/// The digest of a node's id.
pub fn node_digest(id: &str) -> u64 {
    xxh64(id.as_bytes(), SEED)
}

/// The digest of an object's unique name.
pub fn object_digest(bck: &Bck, object: &str) -> u64 {
    xxh64(bck.uname(object).as_bytes(), SEED)
}

/// The target that an object belongs to: of those not in maintenance, the one of greatest weight. None without
/// targets.
pub fn target<'a>(smap: &'a Smap, bck: &Bck, object: &str) -> Option<&'a Snode> {
    let digest = object_digest(bck, object);
    let mut best: Option<(u64, &Snode)> = None;
    for node in smap.tmap.values().filter(|node| node.is_active()) {
        let weight = mix(node.digest() ^ digest);
        if best.is_none_or(|(greatest, _)| weight > greatest) {
            best = Some((weight, node));
        }
    }
    best.map(|(_, node)| node)
}

/// The mixing of AIStore: xoshiro256**'s output function over two rounds of splitmix64, the second of which starts from
/// the output of the first.
pub fn mix(seed: u64) -> u64 {
    let round = |state: u64| {
        let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    round(round(seed)).wrapping_mul(5).rotate_left(7).wrapping_mul(9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors() {
        for (seed, hash) in [(4_573_842, 5_026_071_747_115_404_967), (0, 1_905_207_664_160_064_169)]
        {
            assert_eq!(mix(seed), hash, "{seed}");
        }
    }

    #[test]
    fn digests_of_recorded_nodes() {
        assert_eq!(node_digest("Yydp8080"), 12_477_673_118_563_459_389);
        assert_eq!(node_digest("Wytt8081"), 9_609_583_472_054_543_896);
    }
}
