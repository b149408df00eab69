//! Bodies that are what their reply said, or end in an error.
//!
//! The transport checks a body against its Content-Length. Nothing checks the Content-Length against the range that the
//! reply claims to carry, and the bytes against the checksum that it states.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::{Error, GetResult, GetResultPayload, Result};

use crate::checksum::{Checksum, Hasher, cheapest};
use crate::client::Integrity;
use crate::error::{Error as OurError, ErrorKind};

/// The checksum of the whole object that a reply states with it, where it costs next to nothing to compare: CRC-32C, CRC-64,
/// xxHash.
pub(crate) fn fast_checksum(result: &GetResult) -> Option<Checksum> {
    let said = result.extensions.get::<Integrity>()?;
    let is_whole = result.range == (0..result.meta.size);
    cheapest(&said.checksums).filter(|sum| is_whole && sum.algorithm().is_fast())
}

/// The same, where it can be compared with parts that arrive in any order: CRC-32C, CRC-64.
pub fn stated_checksum(result: &GetResult) -> Option<Checksum> {
    fast_checksum(result).filter(|sum| sum.algorithm().is_combinable())
}

/// The same result, whose body ends in an error unless it has as many bytes as its range, and amounts to `sum`.
pub(crate) fn checked(mut result: GetResult, sum: Option<Checksum>) -> GetResult {
    if let GetResultPayload::Stream(body) = result.payload {
        let expected = Expected {
            key: result.meta.location.to_string(),
            length: result.range.end - result.range.start,
            sum: sum.map(|sum| (Hasher::new(sum.algorithm()), sum)),
        };
        result.payload = GetResultPayload::Stream(compared(body, expected));
    }
    result
}

/// What a body has to be.
struct Expected {
    key: String,
    length: u64,
    sum: Option<(Hasher, Checksum)>,
}

fn compared(
    body: BoxStream<'static, Result<Bytes>>,
    expected: Expected,
) -> BoxStream<'static, Result<Bytes>> {
    stream::unfold(Some((body, 0, expected)), |state| async move {
        let (mut body, received, mut expected) = state?;
        let Some(next) = body.next().await else {
            return expected.end(received).err().map(|error| (Err(error), None));
        };
        let received = received + next.as_ref().map_or(0, |piece| piece.len() as u64);
        match next {
            Ok(_) if received > expected.length => {
                Some((Err(wrong_length(expected.key, received, expected.length)), None))
            }
            Ok(piece) => {
                if let Some((hasher, _)) = &mut expected.sum {
                    hasher.update(&piece);
                }
                Some((Ok(piece), Some((body, received, expected))))
            }
            Err(error) => Some((Err(error), None)),
        }
    })
    .fuse()
    .boxed()
}

impl Expected {
    fn end(self, received: u64) -> Result<()> {
        if received != self.length {
            return Err(wrong_length(self.key, received, self.length));
        }
        let Some((hasher, stated)) = self.sum else { return Ok(()) };
        let found = hasher.finish();
        if found == stated {
            return Ok(());
        }
        Err(mismatch(self.key, &stated, &found).into())
    }
}

/// The error for content that is not what its checksum says.
pub(crate) fn mismatch(target: String, expected: &Checksum, found: &Checksum) -> OurError {
    let detail = format!("its checksum is {expected}, what arrived has {found}");
    OurError::new(ErrorKind::Corrupt, "get", target, detail)
}

fn wrong_length(key: String, received: u64, expected: u64) -> Error {
    let than = if received < expected { "fewer" } else { "more" };
    let detail =
        format!("the reply has {than} bytes ({received}) than the range it names ({expected})");
    OurError::new(ErrorKind::Corrupt, "get", key, detail).into()
}
