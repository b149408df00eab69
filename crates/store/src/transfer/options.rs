//! How transfers are made.

use std::path::PathBuf;
use std::time::Duration;

use object_store::path::Path;
use object_store::{Attributes, CopyMode, TagSet};

use super::Verb;

/// Smallest part that services take in an upload, but for the last one (S3).
pub(super) const LEAST_PART_BYTES: u64 = 5 * MIB;

/// Most parts of an upload; all providers allow 10,000 or more.
const MOST_PARTS: u64 = 10_000;

const MIB: u64 = 1024 * 1024;

/// Objects at once, unless another number is given: small ones are a round trip each, and services answer many at a time.
const WORKERS: usize = 128;

/// Parts at once, unless another number is given.
const PARTS: usize = 8;

/// Bytes of a part, unless another number is given.
const PART_BYTES: u64 = 8 * MIB;

/// Largest part that is chosen for parts that need no memory.
const MOST_PLACED_BYTES: u64 = 32 * MIB;

/// How much is checked, beyond what is always checked: that every reply is the range that was asked for, that all
/// are of one version, and that the length is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Verify {
    /// The content, against the checksum that the service states, where it states one.
    #[default]
    Checksum,
    /// The content as above; an object without a checksum is an error.
    Required,
    /// The length only.
    Length,
}

/// How transfers are made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TransferOptions {
    /// Objects at once. Default 128.
    pub workers: usize,
    /// Requests at once for one object. Default 8.
    pub parts: usize,
    /// Bytes of a part. Objects of no more than a part are moved by one request. Default 8 MiB, or all memory of the
    /// budget where that is less; large objects are then read in parts of up to 32 MiB, which costs no memory and saves
    /// requests. Parts are larger where an object would have more than 10,000.
    pub part_bytes: Option<u64>,
    /// Whether an object in the target is replaced. Default yes.
    pub mode: CopyMode,
    /// Whether uploads go in parts even where one request would do. Default no. Empty objects never have parts.
    pub always_parts: bool,
    /// Copy or move. Default copy.
    pub verb: Verb,
    /// What is checked. Default: the stated checksum, where there is one.
    pub verify: Verify,
    /// Whether a transfer that was cut off is continued, and what an interrupted one has moved is kept. Default no:
    /// leftovers are removed and the transfer begins anew.
    pub resume: bool,
    /// Force files to the disk before they take their name. Default no.
    pub fsync: bool,
    /// Attempts without a single byte of progress, after those that the store makes itself. Default 4.
    pub retries: u32,
    /// Ask a second time when a reply takes longer than this to begin, and take what comes first. The second request is
    /// made only where the budget has one to spare. Default: never.
    pub hedge: Option<Duration>,
    /// Where uploads are remembered until they end, in place of `HOLDALL_STATE_DIR` or `holdall` in the user's directory
    /// for state.
    pub state_dir: Option<PathBuf>,
    /// Attributes of the new object in place of those of the source.
    pub attributes: Option<Attributes>,
    /// Tags of the new object.
    pub tags: TagSet,
    /// A prefix of the target below which no job may write, as the source of the jobs is there:
    /// [`Overlap::SourceInside`](super::Overlap::SourceInside). Default none.
    pub spared: Option<Path>,
    /// The most memory that the budget has for one part.
    pub(super) room: u64,
}

impl Default for TransferOptions {
    fn default() -> Self {
        Self {
            workers: WORKERS,
            parts: PARTS,
            part_bytes: None,
            mode: CopyMode::Overwrite,
            always_parts: false,
            verb: Verb::Copy,
            verify: Verify::default(),
            resume: false,
            fsync: false,
            retries: 4,
            hedge: None,
            state_dir: None,
            attributes: None,
            tags: TagSet::default(),
            spared: None,
            room: u64::MAX,
        }
    }
}

macro_rules! setters {
    ($($name:ident: $field:ident $type:ty = $value:expr;)*) => {$(
        #[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
        #[must_use]
        pub fn $name(mut self, $field: $type) -> Self {
            self.$field = $value;
            self
        }
    )*};
}

impl TransferOptions {
    setters! {
        with_workers: workers usize = workers.max(1);
        with_parts: parts usize = parts.max(1);
        with_part_bytes: part_bytes u64 = Some(part_bytes.max(1));
        with_mode: mode CopyMode = mode;
        with_always_parts: always_parts bool = always_parts;
        with_verb: verb Verb = verb;
        with_verify: verify Verify = verify;
        with_resume: resume bool = resume;
        with_fsync: fsync bool = fsync;
        with_retries: retries u32 = retries;
        with_hedge: hedge Option<Duration> = hedge;
        with_state_dir: state_dir Option<PathBuf> = state_dir;
        with_attributes: attributes Option<Attributes> = attributes;
        with_tags: tags TagSet = tags;
        with_spared: spared Option<Path> = spared;
    }

    /// Bytes of objects that take one request, and of the parts of larger ones unless there is reason for others.
    pub(super) fn part(&self) -> u64 {
        self.part_bytes.unwrap_or(PART_BYTES.min(self.room))
    }

    /// Bytes of each part of a read of `size` bytes, which has no more than 10,000.
    pub(super) fn read_part(&self, size: u64) -> u64 {
        fitting(self.part(), size)
    }

    /// The same for parts that stream to their final place. A request costs a service and its client as much as some
    /// MiB do, whatever it asks for; with four parts for each that is in flight, the last ones end together. That is
    /// the same for all who want few at once: a download can be continued with another number.
    pub(super) fn placed_part(&self, size: u64) -> u64 {
        let share = || size / (self.parts.max(PARTS) as u64 * 4) / MIB * MIB;
        let part = self.part_bytes.unwrap_or_else(|| share().clamp(PART_BYTES, MOST_PLACED_BYTES));
        fitting(part, size)
    }

    /// Bytes of each part of an upload of `size` bytes.
    pub(super) fn upload_part(&self, size: u64) -> u64 {
        self.read_part(size).max(LEAST_PART_BYTES)
    }

    /// Bytes of the `index`th part of an upload whose length is not known: the size doubles every thousand parts, so
    /// that 5 TiB fit into 10,000.
    pub(super) fn stream_part(&self, index: u64) -> u64 {
        self.part().max(LEAST_PART_BYTES) << (index / 1000).min(9)
    }
}

/// `part`, or what makes no more parts of `size` bytes than are allowed.
fn fitting(part: u64, size: u64) -> u64 {
    match size.div_ceil(MOST_PARTS) {
        fitting if fitting > part => fitting.next_multiple_of(MIB),
        _ => part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIB: u64 = 1 << 40;

    #[test]
    fn five_tebibytes_fit_into_ten_thousand_parts() {
        let options = TransferOptions::default();
        assert!(5 * TIB <= options.upload_part(5 * TIB) * MOST_PARTS);
        assert_eq!(options.upload_part(1), 8 * MIB);
        let streamed: u64 = (0..MOST_PARTS).map(|i| options.stream_part(i)).sum();
        assert!(streamed >= 5 * TIB);
        assert!((0..MOST_PARTS).all(|i| options.stream_part(i) <= 5 << 30));
    }

    #[test]
    fn parts_of_no_stated_size_fit_into_the_memory() {
        let options = TransferOptions { room: 6 * MIB, ..TransferOptions::default() };
        assert_eq!((options.part(), options.upload_part(100 * MIB)), (6 * MIB, 6 * MIB));
        assert_eq!(options.clone().with_part_bytes(7 * MIB).part(), 7 * MIB);
        let small = TransferOptions { room: MIB, ..options };
        assert_eq!((small.part(), small.upload_part(100 * MIB)), (MIB, LEAST_PART_BYTES));
    }

    #[test]
    fn large_objects_are_read_in_larger_parts_unless_a_size_is_given() {
        let options = TransferOptions::default();
        let read = |mebibytes: u64| options.placed_part(mebibytes * MIB) / MIB;
        assert_eq!([1, 256, 512, 1024, 1 << 16].map(read), [8, 8, 16, 32, 32]);
        assert_eq!(options.clone().with_parts(1).placed_part(1024 * MIB), 32 * MIB);
        assert_eq!(options.clone().with_parts(32).placed_part(1024 * MIB), 8 * MIB);
        assert_eq!(options.with_part_bytes(MIB).placed_part(1024 * MIB), MIB);
    }
}
