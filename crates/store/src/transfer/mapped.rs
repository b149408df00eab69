//! Mappings of memory, which serve again when they are free.
//!
//! To clear fresh pages takes as long as to receive what fills them, and many times that where a hypervisor has to find
//! them first. A program that reads one large object after the other frees a mapping just before it needs the next. So
//! a free mapping is kept for a moment, its pages left to the system should that need them.

#![expect(unsafe_code, reason = "memory mappings are made and unmade by hand")]

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

use crate::pages::use_large_pages;

/// How long a free mapping is kept at least; twice that at most.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// Most bytes of free mappings.
const KEPT_BYTES: usize = 1024 * 1024 * 1024;

/// Anonymous private memory; its first bytes are in use.
pub(super) struct Map {
    /// Until it is dropped.
    mapping: Option<Mapping>,
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: nobody else knows the mapping.
unsafe impl Send for Map {}
// SAFETY: shared references only read.
unsafe impl Sync for Map {}

impl Map {
    /// Memory of this length, with any content.
    pub(super) fn new(length: usize) -> Option<Self> {
        let mapping = take(length).or_else(|| Mapping::new(length))?;
        Some(Self { start: mapping.start.cast(), mapping: Some(mapping), length })
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: the mapping has at least this length and lives as long as `self`; its bytes are those that the system
        // or an earlier owner has written.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if let Some(mapping) = self.mapping.take() {
            put(mapping);
        }
    }
}

/// What the system has mapped.
struct Mapping {
    start: NonNull<c_void>,
    length: usize,
}

// SAFETY: nobody else knows the mapping.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(length: usize) -> Option<Self> {
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: a new mapping at an address that the system chooses.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), length, protection, flags) };
        let start = NonNull::new(start.ok()?)?;
        // SAFETY: the mapping has this length, and nobody else knows it yet.
        use_large_pages(unsafe {
            std::slice::from_raw_parts_mut(start.cast::<MaybeUninit<u8>>().as_ptr(), length)
        });
        Some(Self { start, length })
    }

    /// Lets the system take the pages back, should it need them, until they are written again.
    fn leave_to_system(&self) -> bool {
        // SAFETY: nobody reads what this may change: the mapping is not in use.
        unsafe { madvise(self.start.as_ptr(), self.length, Advice::LinuxFree) }.is_ok()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nobody holds a reference any more.
        let unmapped = unsafe { munmap(self.start.as_ptr(), self.length) };
        debug_assert!(unmapped.is_ok(), "a mapping is unmapped once");
    }
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { free: Vec::new(), ended_by: None });

/// Free mappings, and since when they are.
struct Kept {
    free: Vec<(Mapping, Instant)>,
    /// The process whose thread ends those that nobody takes.
    ended_by: Option<u32>,
}

impl Kept {
    /// A mapping that is large enough, and not much larger; else all there are, which are to be given back before a new
    /// one is made: so no more memory is in use than without them.
    fn take(&mut self, length: usize) -> Result<Mapping, Vec<(Mapping, Instant)>> {
        let fits = |(free, _): &(Mapping, _)| length <= free.length && free.length / 2 <= length;
        match self.free.iter().position(fits) {
            Some(at) => Ok(self.free.swap_remove(at).0),
            None => Err(std::mem::take(&mut self.free)),
        }
    }

    fn has_room(&self, length: usize) -> bool {
        let bytes: usize = self.free.iter().map(|(free, _)| free.length).sum();
        length <= KEPT_BYTES.saturating_sub(bytes)
    }

    /// Those that nobody has taken for long.
    fn take_old(&mut self, now: Instant) -> Vec<(Mapping, Instant)> {
        self.free.extract_if(.., |(_, since)| now.duration_since(*since) >= KEPT_FOR).collect()
    }
}

/// Takes a free mapping that fits. Whoever finds the list locked does without it: in a forked child it may be for ever.
fn take(length: usize) -> Option<Mapping> {
    let taken = KEPT.try_lock().ok()?.take(length);
    taken.ok()
}

/// Keeps a mapping for a moment, or ends it.
fn put(mapping: Mapping) {
    let Ok(mut kept) = KEPT.try_lock() else { return };
    if !kept.has_room(mapping.length) || !mapping.leave_to_system() {
        return;
    }
    // A forked child has no such thread.
    let process = std::process::id();
    if kept.ended_by != Some(process) {
        let ending = thread::Builder::new().name("holdall-memory".into()).spawn(end_old);
        if ending.is_err() {
            return;
        }
        kept.ended_by = Some(process);
    }
    kept.free.push((mapping, Instant::now()));
}

/// Ends mappings that nobody takes, until there are none.
fn end_old() {
    loop {
        thread::sleep(KEPT_FOR);
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let old = kept.take_old(Instant::now());
        let is_done = kept.free.is_empty();
        if is_done {
            kept.ended_by = None;
        }
        drop(kept);
        drop(old);
        if is_done {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn kept(lengths: &[usize], since: Instant) -> Kept {
        let free = lengths.iter().map(|length| (Mapping::new(*length).unwrap(), since)).collect();
        Kept { free, ended_by: None }
    }

    #[test]
    fn a_mapping_serves_again_where_it_fits() {
        let mut kept = kept(&[16 * MIB, 40 * MIB], Instant::now());
        assert_eq!(kept.take(30 * MIB).ok().map(|mapping| mapping.length), Some(40 * MIB));
        // Neither for a longer one, nor for one that is much shorter; then it makes room.
        assert_eq!(kept.take(7 * MIB).err().map(|others| others.len()), Some(1));
        assert!(kept.free.is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let kept = kept(&[16 * MIB], Instant::now());
        assert!(kept.has_room(KEPT_BYTES - 16 * MIB));
        assert!(!kept.has_room(KEPT_BYTES - 15 * MIB));
        assert!(!kept.has_room(usize::MAX));
    }

    #[test]
    fn what_nobody_takes_is_ended() {
        let since = Instant::now();
        let mut kept = kept(&[16 * MIB], since);
        assert!(kept.take_old(since + KEPT_FOR / 2).is_empty());
        assert_eq!(kept.take_old(since + KEPT_FOR).len(), 1);
        assert!(kept.free.is_empty());
    }

    #[test]
    fn memory_that_served_before_holds_what_is_written_now() {
        for round in 0..3 {
            let mut map = Map::new(16 * MIB + round * 4096).unwrap();
            map.as_mut_slice().fill(round as u8);
            assert!(map.as_ref().iter().all(|byte| *byte == round as u8));
            assert_eq!(map.as_ref().len(), 16 * MIB + round * 4096);
        }
    }
}
