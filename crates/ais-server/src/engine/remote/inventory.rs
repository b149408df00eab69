//! Inventories: listings of backends that were made before, in chunks, and are read from here.
//!
//! An inventory is an object of a bucket of the system: what it is, and the first name of each chunk. Chunks are objects
//! beside it. It appears when it is whole.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use holdall_ais_wire::Bck;
use holdall_ais_wire::inventory::{
    DEFAULT_NAMES_PER_CHUNK, InventoryInfo, InventoryMsg, MAX_NAMES_PER_CHUNK, MIN_NAMES_PER_CHUNK,
};
use holdall_ais_wire::job::kind;
use holdall_ais_wire::name::check_prefix;
use holdall_ais_wire::props::BucketProps;
use serde::{Deserialize, Serialize};

use super::{RemoteEntry, RemotePage, RemoteQuery};
use crate::engine::{Bucket, Engine, PutOptions, now};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::{Job, NewJob};
use crate::storage::{BucketRecord, ObjectMeta};

/// The bucket that holds inventories. Names with a dot are the system's.
const SYSTEM: &str = ".sys-inventory";
/// Keys of one page of the backend.
const PAGE: usize = 1000;
/// Versions of the cluster map: this server has one.
const SMAP_VERSION: i64 = 1;

/// Buckets whose inventory is being made in this process.
static MAKING: Mutex<Option<HashSet<(usize, String)>>> = Mutex::new(None);

/// A page out of an inventory.
pub type InventoryPage = RemotePage;

/// The object of an inventory.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Index {
    info: InventoryInfo,
    /// First name of each chunk.
    firsts: Vec<String>,
}

/// One line of a chunk: name, bytes, custom properties.
type Row = (String, u64, Vec<(String, String)>);

impl Engine {
    fn system_bucket(&self) -> Result<Bucket> {
        self.bucket(&Bck::ais(SYSTEM))
    }

    async fn make_system_bucket(&self) -> Result<Bucket> {
        let bck = Bck::ais(SYSTEM);
        if let Ok(bucket) = self.bucket(&bck) {
            return Ok(bucket);
        }
        let props = BucketProps::new(&bck, 0, now());
        match self.insert_bucket(BucketRecord { bck: bck.clone(), props }).await {
            // Another request was faster.
            Err(error) if error.kind() == ErrorKind::Conflict => self.bucket(&bck),
            made => made,
        }
    }

    /// Inventories of a bucket: of this name, or all.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn inventories(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
    ) -> Result<Vec<InventoryInfo>> {
        let all = self.indexes(bucket, name).await?;
        Ok(all.into_iter().map(|index| index.info).collect())
    }

    async fn indexes(self: &Arc<Self>, bucket: &Bucket, name: &str) -> Result<Vec<Index>> {
        let Ok(system) = self.system_bucket() else { return Ok(Vec::new()) };
        let prefix = bucket.bck().uname("");
        let mut found = Vec::new();
        for (object, _) in self.scan(&system, &prefix, None, usize::MAX).await? {
            let rest = &object[prefix.len()..];
            if rest.contains('/') || !(name.is_empty() || rest == name) {
                continue;
            }
            let mut index: Index = serde_json::from_slice(&self.whole(&system, &object).await?)?;
            index.info.obj_name = object;
            found.push(index);
        }
        Ok(found)
    }

    async fn whole(self: &Arc<Self>, bucket: &Bucket, name: &str) -> Result<Bytes> {
        let (_, content) = self.open(bucket, name).await?;
        super::super::Work::blocking(self, move |_| Ok(content.read_range(0..content.size())?))
            .await
    }

    /// Starts to make an inventory; the id of the job.
    ///
    /// # Errors
    ///
    /// When the bucket is none of a backend, it has an inventory that may not be replaced, or the numbers cannot be.
    pub async fn create_inventory(
        self: &Arc<Self>,
        bucket: &Bucket,
        message: InventoryMsg,
    ) -> Result<String> {
        self.remote(bucket)?;
        check_prefix(&message.prefix)?;
        let per_chunk = match message.names_per_chunk {
            0 => DEFAULT_NAMES_PER_CHUNK,
            names => names,
        };
        if !(MIN_NAMES_PER_CHUNK..=MAX_NAMES_PER_CHUNK).contains(&per_chunk) {
            return Err(Error::invalid(format!(
                "create-inventory: invalid number of names per chunk {per_chunk}: expecting {MIN_NAMES_PER_CHUNK} to {MAX_NAMES_PER_CHUNK}"
            )));
        }
        let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if message.name.contains(odd) {
            let name = &message.name;
            return Err(Error::invalid(format!(
                "create-inventory: invalid name {name:?}: expecting letters, digits, dashes, underscores and dots"
            )));
        }
        let bck = bucket.bck();
        let making = Making::begin(self, bck).ok_or_else(|| {
            let text = format!("inventory for bucket {bck} is being created");
            Error::new(ErrorKind::Conflict, text)
        })?;
        let present = self.indexes(bucket, "").await?;
        if !present.is_empty() && !message.force {
            let names: Vec<&str> =
                present.iter().map(|index| index.info.obj_name.as_str()).collect();
            return Err(Error::invalid(format!(
                "inventory for bucket {bck} already exists: [{}]\n(only one inventory per bucket is supported, use CLI '--force' or 'CreateNBIMsg.Force' to override)",
                names.join(" ")
            )));
        }
        let system = self.make_system_bucket().await?;
        let new = NewJob::on(kind::CREATE_INVENTORY, bck).about(format!(
            "create-inventory {bck}{}{}",
            if message.prefix.is_empty() { "" } else { "/" },
            message.prefix
        ));
        let (engine, bucket) = (Arc::clone(self), bucket.clone());
        let per_chunk = usize::try_from(per_chunk).unwrap_or(PAGE);
        Ok(self.jobs().spawn(new, |job| async move {
            let _making = making;
            // What is there, or was begun and not ended, makes room.
            engine.destroy_inventories(&bucket, "").await?;
            let name = match message.name.as_str() {
                "" => job.id().to_owned(),
                name => name.to_owned(),
            };
            let place = (&system, bucket.bck().uname(&name));
            let made =
                engine.make_inventory(&job, &bucket, place, (name, message.prefix), per_chunk);
            let made = made.await;
            if made.is_err() {
                // Chunks of nothing.
                engine.destroy_inventories(&bucket, "").await?;
            }
            made
        }))
    }

    async fn make_inventory(
        self: &Arc<Self>,
        job: &Job,
        bucket: &Bucket,
        (system, object): (&Bucket, String),
        (name, prefix): (String, String),
        per_chunk: usize,
    ) -> Result<()> {
        let info = InventoryInfo {
            bucket: bucket.bck().to_string(),
            name,
            prefix: prefix.clone(),
            started: now(),
            smap_ver: SMAP_VERSION,
            nat: 1,
            ..InventoryInfo::default()
        };
        let mut index = Index { info, ..Index::default() };
        let mut rows: Vec<Row> = Vec::new();
        let mut query = RemoteQuery { prefix, limit: PAGE, ..RemoteQuery::default() };
        loop {
            job.check()?;
            let page = self.list_there(bucket, &query).await?;
            for entry in page.entries {
                if let Some(there) = entry.there {
                    job.count(there.size);
                    rows.push((entry.name, there.size, there.custom));
                }
                if rows.len() == per_chunk {
                    let full = std::mem::take(&mut rows);
                    self.write_chunk(system, &object, &mut index, full).await?;
                }
            }
            if page.token.is_empty() {
                break;
            }
            query.token = page.token;
        }
        if !rows.is_empty() {
            self.write_chunk(system, &object, &mut index, rows).await?;
        }
        index.info.finished = now();
        index.info.chunks = i64::try_from(index.firsts.len()).unwrap_or(i64::MAX);
        let bytes = serde_json::to_vec(&index)?;
        self.put(system, &object, bytes.into(), PutOptions::default()).await?;
        Ok(())
    }

    async fn write_chunk(
        self: &Arc<Self>,
        system: &Bucket,
        object: &str,
        index: &mut Index,
        rows: Vec<Row>,
    ) -> Result<()> {
        let Some(first) = rows.first().map(|(name, ..)| name.clone()) else { return Ok(()) };
        index.info.ntotal += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let bytes = rmp_serde::to_vec(&rows).map_err(|e| {
            Error::internal("a chunk of an inventory cannot be written").with_source(e)
        })?;
        index.info.size += i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let name = chunk_name(object, index.firsts.len());
        self.put(system, &name, bytes.into(), PutOptions::default()).await?;
        index.firsts.push(first);
        Ok(())
    }

    /// Destroys the inventory of this name, or all of the bucket.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn destroy_inventories(self: &Arc<Self>, bucket: &Bucket, name: &str) -> Result<()> {
        let Ok(system) = self.system_bucket() else { return Ok(()) };
        let prefix = bucket.bck().uname("");
        let all = self.scan(&system, &prefix, None, usize::MAX).await?;
        let belongs = |object: &String| {
            let rest = &object[prefix.len()..];
            name.is_empty() || rest.split('/').next() == Some(name)
        };
        let names = all.into_iter().map(|(object, _)| object).filter(belongs).collect();
        self.delete_here(&system, names).await.map(drop)
    }

    /// A page out of an inventory: of this name, or the only one.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn list_inventory(
        self: &Arc<Self>,
        bucket: &Bucket,
        name: &str,
        query: &RemoteQuery,
    ) -> Result<InventoryPage> {
        self.remote(bucket)?;
        let missing = || {
            let text = match name {
                "" => format!("bucket \"{}\" has no inventories", bucket.bck()),
                name => {
                    format!("inventory \"{name}\" of bucket \"{}\" does not exist", bucket.bck())
                }
            };
            Error::not_found(text)
        };
        let index = self.indexes(bucket, name).await?.into_iter().next().ok_or_else(missing)?;
        let system = self.system_bucket()?;
        let from = query.token.as_str().max(query.prefix.as_str());
        let mut chunk =
            index.firsts.partition_point(|first| first.as_str() <= from).saturating_sub(1);
        let mut page = InventoryPage::default();
        'chunks: while chunk < index.firsts.len() {
            let bytes = self.whole(&system, &chunk_name(&index.info.obj_name, chunk)).await?;
            let rows: Vec<Row> = rmp_serde::from_slice(&bytes).map_err(|e| {
                Error::internal("a chunk of an inventory is damaged").with_source(e)
            })?;
            for row in rows {
                match add_row(&mut page, row, query) {
                    Next::More => {}
                    Next::Full => {
                        page.token =
                            page.entries.last().map(|e| e.name.clone()).unwrap_or_default();
                        break 'chunks;
                    }
                    Next::Behind => break 'chunks,
                }
            }
            chunk += 1;
        }
        self.add_here(bucket, &mut page.entries).await?;
        Ok(page)
    }
}

enum Next {
    More,
    /// The page is full.
    Full,
    /// No later row has the prefix.
    Behind,
}

fn add_row(page: &mut InventoryPage, (name, size, custom): Row, query: &RemoteQuery) -> Next {
    if !name.starts_with(&query.prefix) {
        return if name > query.prefix { Next::Behind } else { Next::More };
    }
    let deeper = query.flat.then(|| name[query.prefix.len()..].find('/')).flatten();
    let line = match deeper {
        Some(end) => name[..=query.prefix.len() + end].to_owned(),
        None => name,
    };
    if line <= query.token || page.entries.last().is_some_and(|last| last.name == line) {
        return Next::More;
    }
    if page.entries.len() >= query.limit {
        return Next::Full;
    }
    let there = deeper.is_none().then(|| ObjectMeta { size, custom, ..ObjectMeta::default() });
    page.entries.push(RemoteEntry { name: line, there, here: None });
    Next::More
}

fn chunk_name(object: &str, number: usize) -> String {
    format!("{object}/{number:08}")
}

/// One inventory of a bucket is made at a time.
struct Making((usize, String));

impl Making {
    fn begin(engine: &Arc<Engine>, bck: &Bck) -> Option<Self> {
        let key = (Arc::as_ptr(engine) as usize, bck.uname(""));
        let mut making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = making.get_or_insert_default().insert(key.clone());
        is_new.then_some(Self(key))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let mut making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(making) = making.as_mut() {
            making.remove(&self.0);
        }
    }
}
