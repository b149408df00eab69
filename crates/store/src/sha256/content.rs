//! Content on its way into a hash.

use object_store::PutPayload;

use super::lanes::{Block, INITIAL, State};

/// How far the hash of some content is.
pub(super) struct Content {
    payload: PutPayload,
    pub(super) state: State,
    /// Where the rest begins: a piece, and a byte of it.
    piece: usize,
    at: usize,
    /// Bytes in front of the rest: a block that spans pieces, and at the end what is left, with the padding.
    edge: [u8; 128],
    edge_bytes: usize,
    padded: bool,
}

impl Content {
    pub(super) fn new(payload: PutPayload) -> Self {
        let (edge, edge_bytes) = ([0; 128], 0);
        Self { payload, state: INITIAL, piece: 0, at: 0, edge, edge_bytes, padded: false }
    }

    /// The state, and the blocks that go into it next; none at the end.
    pub(super) fn next(&mut self) -> (&mut State, &[Block]) {
        while !(self.has_blocks() || self.has_ended()) {
            self.fill_edge();
        }
        let blocks = match self.edge_bytes {
            0 => self.payload.as_ref().get(self.piece).map_or(&[][..], |piece| &piece[self.at..]),
            filled => &self.edge[..filled],
        };
        (&mut self.state, blocks.as_chunks().0)
    }

    /// Goes on behind the first `blocks` of [`next`](Self::next).
    pub(super) fn passed(&mut self, blocks: usize) {
        let bytes = blocks * size_of::<Block>();
        if self.edge_bytes == 0 {
            self.at += bytes;
        } else {
            self.edge.copy_within(bytes..self.edge_bytes, 0);
            self.edge_bytes -= bytes;
        }
    }

    /// The hash, once there are no blocks left.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = [0; 32];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
        digest
    }

    fn has_ended(&self) -> bool {
        self.padded && self.edge_bytes == 0
    }

    /// Whether there are whole blocks, in the edge or else in the piece.
    fn has_blocks(&self) -> bool {
        let bytes = match self.edge_bytes {
            0 => self.payload.as_ref().get(self.piece).map_or(0, |piece| piece.len() - self.at),
            filled => filled,
        };
        bytes >= size_of::<Block>()
    }

    /// Moves what is left of a piece into the edge, or puts the padding there.
    fn fill_edge(&mut self) {
        let Some(piece) = self.payload.as_ref().get(self.piece) else { return self.pad() };
        let rest = &piece[self.at..];
        let bytes = rest.len().min(size_of::<Block>() - self.edge_bytes);
        self.edge[self.edge_bytes..][..bytes].copy_from_slice(&rest[..bytes]);
        self.edge_bytes += bytes;
        self.at += bytes;
        if bytes == rest.len() {
            (self.piece, self.at) = (self.piece + 1, 0);
        }
    }

    fn pad(&mut self) {
        let bits = self.payload.content_length() as u64 * 8;
        // A bit, zeros, and the length in eight bytes, up to the end of a block.
        let end = (self.edge_bytes + 1 + 8).next_multiple_of(size_of::<Block>());
        self.edge[self.edge_bytes..end].fill(0);
        self.edge[self.edge_bytes] = 0x80;
        self.edge[end - 8..end].copy_from_slice(&bits.to_be_bytes());
        (self.edge_bytes, self.padded) = (end, true);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::super::lanes::{are_fast, compress};
    use super::*;
    use crate::checksum::{Algorithm, Checksum};

    fn contents() -> impl Strategy<Value = PutPayload> {
        let piece = prop::collection::vec(any::<u8>(), 0..300);
        let pieces = prop::collection::vec(piece.prop_map(Bytes::from), 0..5);
        pieces.prop_map(|pieces| pieces.into_iter().collect())
    }

    fn known(payload: &PutPayload) -> Vec<u8> {
        let whole: Vec<u8> = payload.iter().flatten().copied().collect();
        Checksum::of(Algorithm::Sha256, &whole).as_bytes().to_vec()
    }

    proptest! {
        #[test]
        fn pieces_of_any_length_give_the_hash_of_the_whole(
            payload in contents(),
            steps in prop::collection::vec(1_usize..4, 1..4),
        ) {
            if !are_fast() {
                return Ok(());
            }
            let mut content = Content::new(payload.clone());
            for step in steps.iter().cycle() {
                let (state, blocks) = content.next();
                let taken = blocks.len().min(*step);
                compress([state], [&blocks[..taken]]);
                if taken == 0 {
                    break;
                }
                content.passed(taken);
            }
            prop_assert_eq!(content.digest().to_vec(), known(&payload));
        }
    }
}
