//! Whether two objects are the same.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use sha2::{Digest, Sha256};

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
    /// The same content: by the MD5 in the entity tags where both have one, by reading both otherwise.
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
            Self::SizeAndTime => Ok(to.last_modified >= from.last_modified),
            Self::Checksum => match (md5_of(from), md5_of(to)) {
                (Some(a), Some(b)) => Ok(a == b),
                _ => {
                    let (a, b) = futures::try_join!(
                        hash(source, &from.location),
                        hash(target, &to.location)
                    )?;
                    Ok(a == b)
                }
            },
        }
    }
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
