//! Memory for large results.

use bytes::Bytes;

#[cfg(target_os = "linux")]
use super::mapped::Map;
#[cfg(target_os = "linux")]
use crate::pages::LARGE_BYTES;

/// Bytes to be filled and handed on without a copy.
pub(super) struct Region(Inner);

enum Inner {
    Heap(Vec<u8>),
    #[cfg(target_os = "linux")]
    Mapped(Map),
}

impl Region {
    /// Bytes without a meaning yet, in large pages where there are many.
    pub(super) fn new(length: usize) -> Self {
        #[cfg(target_os = "linux")]
        if length >= LARGE_BYTES
            && let Some(map) = Map::new(length)
        {
            return Self(Inner::Mapped(map));
        }
        Self(Inner::Heap(vec![0; length]))
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Inner::Heap(bytes) => bytes,
            #[cfg(target_os = "linux")]
            Inner::Mapped(map) => map.as_mut_slice(),
        }
    }
}

impl From<Region> for Bytes {
    fn from(region: Region) -> Self {
        match region.0 {
            Inner::Heap(bytes) => bytes.into(),
            #[cfg(target_os = "linux")]
            Inner::Mapped(map) => Self::from_owner(map),
        }
    }
}
