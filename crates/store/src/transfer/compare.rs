//! Whether two objects are the same.

use chrono::{DateTime, SubsecRound, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use sha2::{Digest, Sha256};

use crate::checksum::Checksum;
use crate::error::Result;
use crate::store::Store;

/// How objects are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compare {
    /// The same size, and the target is not older.
    #[default]
    SizeAndTime,
    /// The same size.
    Size,
    /// The same size and the same entity tag: for copies made inside one service, or from S3 to S3 in one piece.
    ETag,
    /// The same content: by the MD5 in the entity tags where both have one, by checksums of one kind that both services
    /// keep, by reading both otherwise.
    Checksum,
}

impl Compare {
    pub(super) async fn same(
        self,
        source: &Store,
        from: &ObjectMeta,
        target: &Store,
        to: &ObjectMeta,
    ) -> Result<bool> {
        if from.size != to.size {
            return Ok(false);
        }
        match self {
            Self::Size => Ok(true),
            Self::ETag => Ok(from.e_tag.is_some() && from.e_tag == to.e_tag),
            Self::SizeAndTime => Ok(!is_older(to.last_modified, from.last_modified)),
            Self::Checksum => match (md5_of(from), md5_of(to)) {
                (Some(a), Some(b)) => Ok(a == b),
                _ => same_content(source, from, target, to).await,
            },
        }
    }
}

async fn same_content(
    source: &Store,
    from: &ObjectMeta,
    target: &Store,
    to: &ObjectMeta,
) -> Result<bool> {
    let (a, b) = futures::join!(
        source.checksums(&from.location, from.e_tag.as_deref()),
        target.checksums(&to.location, to.e_tag.as_deref())
    );
    // A service that does not tell its checksums is read.
    let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
    let of_one_kind = |a: &Checksum| b.iter().find(|b| b.algorithm() == a.algorithm());
    if let Some((a, b)) = a.iter().find_map(|a| Some((a, of_one_kind(a)?))) {
        return Ok(a == b);
    }
    let (a, b) = futures::try_join!(hash(source, &from.location), hash(target, &to.location))?;
    Ok(a == b)
}

/// Whether a target is older than a source, as far as its clock can tell: S3, Azure and HTTP give whole seconds, Cloud
/// Storage milliseconds. Without this, an object copied in the second in which it was written would look older than its
/// source for ever.
pub fn is_older(target: DateTime<Utc>, source: DateTime<Utc>) -> bool {
    let digits = match target.timestamp_subsec_nanos() {
        0 => 0,
        nanos if nanos % 1_000_000 == 0 => 3,
        _ => 9,
    };
    target < source.trunc_subsecs(digits)
}

/// The MD5 of an object whose entity tag is one: 32 hexadecimal digits, as S3 gives to objects written in one piece
/// without encryption by its own keys.
fn md5_of(meta: &ObjectMeta) -> Option<&str> {
    let tag = meta.e_tag.as_deref()?.trim_matches('"');
    (tag.len() == 32 && tag.bytes().all(|b| b.is_ascii_hexdigit())).then_some(tag)
}

async fn hash(store: &Store, location: &Path) -> Result<[u8; 32]> {
    let read = async {
        let mut stream = store.get(location).await?.into_stream();
        let mut hasher = Sha256::new();
        while let Some(piece) = stream.try_next().await? {
            hasher.update(&piece);
        }
        Ok(hasher.finalize().into())
    };
    read.await.map_err(|e| store.error("compare", location, e))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::is_older;

    #[test]
    fn times_are_compared_as_precisely_as_the_target_keeps_them() {
        let at = |nanos| DateTime::from_timestamp(1_700_000_000, nanos).unwrap();
        assert!(!is_older(at(0), at(900_000_000)));
        assert!(!is_older(at(123_000_000), at(123_999_999)));
        assert!(is_older(at(123_000_000), at(124_000_000)));
        assert!(is_older(at(123_456_789), at(123_456_790)));
        assert!(is_older(at(0), DateTime::from_timestamp(1_700_000_001, 0).unwrap()));
    }
}
