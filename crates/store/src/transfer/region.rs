//! Memory for large results.

use bytes::Bytes;

/// From this size on the system is asked for memory in large pages.
const HUGE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes to be filled and handed on without a copy.
pub(super) struct Region(Inner);

enum Inner {
    Heap(Vec<u8>),
    #[cfg(target_os = "linux")]
    Mapped(mapped::Map),
}

impl Region {
    /// Zeroed bytes. Fresh pages of 4 KiB cost more than the copy into them: 1.5 GB/s against 4.
    pub(super) fn new(length: usize) -> Self {
        #[cfg(target_os = "linux")]
        if length >= HUGE_BYTES
            && let Some(map) = mapped::Map::new(length)
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

#[cfg(target_os = "linux")]
mod mapped {
    #![expect(unsafe_code, reason = "memory mappings are made and unmade by hand")]

    use std::ffi::c_void;
    use std::ptr::NonNull;

    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

    /// Anonymous private memory.
    pub(super) struct Map {
        start: NonNull<c_void>,
        length: usize,
    }

    // SAFETY: nobody else knows the mapping.
    unsafe impl Send for Map {}
    // SAFETY: shared references only read.
    unsafe impl Sync for Map {}

    impl Map {
        pub(super) fn new(length: usize) -> Option<Self> {
            let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
            // SAFETY: a new mapping at an address that the system chooses.
            let start = unsafe { mmap_anonymous(std::ptr::null_mut(), length, protection, flags) };
            let map = Self { start: NonNull::new(start.ok()?)?, length };
            // SAFETY: advice does not change what the memory holds. Systems without large pages refuse it.
            let _ = unsafe { madvise(map.start.as_ptr(), length, Advice::LinuxHugepage) };
            Some(map)
        }

        pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
            // SAFETY: the mapping has this length and lives as long as `self`.
            unsafe { std::slice::from_raw_parts_mut(self.start.cast().as_ptr(), self.length) }
        }
    }

    impl AsRef<[u8]> for Map {
        fn as_ref(&self) -> &[u8] {
            // SAFETY: the mapping has this length and lives as long as `self`.
            unsafe { std::slice::from_raw_parts(self.start.cast().as_ptr(), self.length) }
        }
    }

    impl Drop for Map {
        fn drop(&mut self) {
            // SAFETY: nobody holds a reference any more.
            let _ = unsafe { munmap(self.start.as_ptr(), self.length) };
        }
    }
}
