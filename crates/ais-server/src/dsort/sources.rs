//! Shards from which contents are read, opened as needed.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use holdall_archive::Source;

use super::store::Shard;
use crate::error::Result;

/// How many are open at once: well below the usual limit of 1,024 files of a process.
const OPEN: usize = 128;

/// The shards of a job.
pub(super) struct Sources {
    shards: Vec<Box<dyn Shard>>,
    open: Mutex<VecDeque<(u32, Arc<dyn Source>)>>,
}

impl Sources {
    pub(super) fn new(shards: Vec<Box<dyn Shard>>) -> Self {
        Self { shards, open: Mutex::default() }
    }

    /// The bytes of a shard.
    pub(super) fn get(&self, index: u32) -> Result<Arc<dyn Source>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = open.iter().position(|(other, _)| *other == index)
            && let Some(entry) = open.remove(at)
        {
            let source = Arc::clone(&entry.1);
            open.push_back(entry);
            return Ok(source);
        }
        drop(open);
        let source = self.shards[index as usize].open()?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() == OPEN {
            open.pop_front();
        }
        open.push_back((index, Arc::clone(&source)));
        Ok(source)
    }
}
