//! Memory that is not needed any more goes back at once, while assets are moved.

#![expect(unsafe_code, reason = "the allocator is a library in C")]

use std::ffi::{c_int, c_long};

/// How long mimalloc keeps what nobody uses, in milliseconds (`mi_option_purge_delay`, the same in its versions 2 and 3).
const PURGE_DELAY: c_int = 15;

unsafe extern "C" {
    fn mi_option_set(option: c_int, value: c_long);
}

/// Keeps little beyond what is in use. The buffers of many connections come and go: in huge pages, and with a second in which
/// the allocator keeps them, they take twice the memory, for a twentieth of the time.
pub(super) fn spare() {
    #[cfg(target_os = "linux")]
    {
        // A kernel that has none refuses, which nobody has to know.
        let _ = rustix::thread::disable_transparent_huge_pages(true);
    }
    // SAFETY: an option is a number in a table; any thread may set it at any time.
    unsafe { mi_option_set(PURGE_DELAY, 0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" {
        fn mi_option_get(option: c_int) -> c_long;
    }

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: as above.
        let get = || unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(get(), 1000, "no other option has this default");
        spare();
        assert_eq!(get(), 0);
    }
}
