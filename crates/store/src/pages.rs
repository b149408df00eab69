//! Large pages of the system, for large results.

use std::mem::MaybeUninit;

/// From this size on, in bytes, the system is asked for memory in large pages: fresh pages of 4 KiB cost more than the
/// copy into them (1.5 GB/s against 4).
pub const LARGE_BYTES: usize = 4 * 1024 * 1024;

/// Asks the system to back memory with large pages, where it has [`LARGE_BYTES`] and the system knows such pages. To be
/// called before the memory is written; what it holds does not change.
pub fn use_large_pages(memory: &mut [MaybeUninit<u8>]) {
    #[cfg(target_os = "linux")]
    if memory.len() >= LARGE_BYTES {
        use rustix::mm::{Advice, madvise};
        let page = rustix::param::page_size();
        let skipped = memory.as_ptr().align_offset(page);
        // Only pages that belong to the memory as a whole.
        let whole = memory.len().saturating_sub(skipped) / page * page;
        #[expect(
            unsafe_code,
            reason = "the pages are borrowed, and advice does not change what they hold"
        )]
        // Systems without large pages refuse it.
        let _ = unsafe {
            madvise(memory.as_mut_ptr().add(skipped).cast(), whole, Advice::LinuxHugepage)
        };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}
