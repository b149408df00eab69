//! Buckets: made, changed, renamed and destroyed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use holdall_ais_wire::bucket::{Bck, Provider};
use holdall_ais_wire::error::code;
use holdall_ais_wire::job::kind;
use holdall_ais_wire::name::check_bucket;
use holdall_ais_wire::props::BucketProps;
use serde_json::Value;

use super::remote::Admission;
use super::{Engine, Severity};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::NewJob;
use crate::storage::BucketRecord;

/// A bucket as it was when it was looked up.
#[derive(Debug, Clone)]
pub struct Bucket(Arc<BucketRecord>);

impl Bucket {
    /// Name, provider, namespace.
    pub fn bck(&self) -> &Bck {
        &self.0.bck
    }

    /// Key of its objects.
    pub fn bid(&self) -> u64 {
        self.0.props.bid
    }

    /// Properties.
    pub fn props(&self) -> &BucketProps {
        &self.0.props
    }

    /// A bucket that nobody remembers.
    pub(super) fn passing(record: BucketRecord) -> Self {
        Self(Arc::new(record))
    }

    /// The bucket of a backend that holds its objects: itself, or the one behind it; none when they live here.
    pub fn backing(&self) -> Option<Bck> {
        if self.bck().is_remote() {
            return Some(self.bck().clone());
        }
        if self.props().backend_bck["name"].as_str().is_none_or(str::is_empty) {
            return None;
        }
        let behind = serde_json::from_value::<Bck>(self.props().backend_bck.clone()).ok();
        behind.filter(Bck::is_remote)
    }

    /// Whether its objects live elsewhere, and copies of some here.
    pub fn is_remote(&self) -> bool {
        self.backing().is_some()
    }

    /// Type of its checksums.
    pub fn checksum_type(&self) -> &str {
        &self.0.props.checksum.kind
    }
}

/// All buckets, in memory.
pub(super) struct Buckets {
    known: RwLock<HashMap<Bck, Bucket>>,
    /// Ids of buckets that have not been destroyed; changed by the thread that commits, in the order of commits.
    alive: Arc<Mutex<HashSet<u64>>>,
    /// Held while buckets change.
    changing: tokio::sync::Mutex<()>,
}

impl Buckets {
    pub(super) fn new(records: BTreeMap<String, BucketRecord>) -> Self {
        let alive = records.values().map(|record| record.props.bid).collect();
        let known = records.into_values();
        let known = known.map(|record| (record.bck.clone(), Bucket(Arc::new(record)))).collect();
        Self {
            known: RwLock::new(known),
            alive: Arc::new(Mutex::new(alive)),
            changing: tokio::sync::Mutex::new(()),
        }
    }

    fn get(&self, bck: &Bck) -> Option<Bucket> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(bck).cloned()
    }

    fn set(&self, bck: &Bck, bucket: Option<Bucket>) {
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match bucket {
            Some(bucket) => all.insert(bck.clone(), bucket),
            None => all.remove(bck),
        };
    }
}

/// First id of a bucket: AIStore marks buckets of its own by the highest bit.
const FIRST_BID: u64 = (1 << 63) + 1;
/// The fact that holds the last id given.
const LAST_BID: &str = "last-bid";

impl Engine {
    /// The bucket.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is none of this name.
    pub fn bucket(&self, bck: &Bck) -> Result<Bucket> {
        self.buckets.get(&self.canonical_now(bck)).ok_or_else(|| Error::no_bucket(bck))
    }

    /// The buckets of a provider, or all, in the order of their unique names.
    pub fn list_buckets(&self, provider: Option<Provider>) -> Vec<Bucket> {
        let all = self.buckets.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut listed: Vec<_> = all
            .values()
            .filter(|bucket| provider.is_none_or(|p| bucket.bck().provider == p))
            // Names with a dot are the system's.
            .filter(|bucket| !bucket.bck().name.starts_with('.'))
            .cloned()
            .collect();
        drop(all);
        listed.sort_by_cached_key(|bucket| bucket.bck().uname(""));
        listed
    }

    /// Makes a bucket, with these properties changed.
    ///
    /// # Errors
    ///
    /// When the name cannot be, there is such a bucket, the properties are wrong, or the provider is one that this
    /// server has no backend for.
    pub async fn create_bucket(&self, bck: &Bck, changes: &Value) -> Result<Bucket> {
        check_bucket(&bck.name)?;
        if bck.is_remote() {
            self.check_backend(bck, "create")?;
            return self.create_remote(bck, changes, true).await;
        }
        if self.buckets.get(bck).is_some() {
            return Err(already_exists(bck));
        }
        let mut record =
            BucketRecord { bck: bck.clone(), props: BucketProps::new(bck, 0, super::now()) };
        if !changes.is_null() {
            record.props =
                record.props.updated(changes).map_err(|e| Error::invalid(e.to_string()))?;
            check_one_disk(bck, &record.props)?;
            self.check_behind(&record).await?;
        }
        let bucket = self.insert_bucket(record).await?;
        self.log().add(Severity::Info, format!("created bucket {bck}"));
        Ok(bucket)
    }

    /// Adds a bucket, and gives it its id.
    pub(super) async fn insert_bucket(&self, mut record: BucketRecord) -> Result<Bucket> {
        let bck = record.bck.clone();
        let _changing = self.buckets.changing.lock().await;
        if self.buckets.get(&bck).is_some() {
            return Err(already_exists(&bck));
        }
        let alive = Arc::clone(&self.buckets.alive);
        let record = self
            .storage()
            .meta()
            .write(move |tx| {
                let last = tx
                    .fact(LAST_BID)?
                    .and_then(|bytes| bytes.try_into().ok())
                    .map_or(FIRST_BID - 1, u64::from_be_bytes);
                record.props.bid = last + 1;
                tx.put_bucket(&record)?;
                tx.put_fact(LAST_BID, &record.props.bid.to_be_bytes())?;
                alive.lock().unwrap_or_else(PoisonError::into_inner).insert(record.props.bid);
                Ok(record)
            })
            .await?;
        let bucket = Bucket(Arc::new(record));
        self.buckets.set(&bck, Some(bucket.clone()));
        Ok(bucket)
    }

    /// The bucket; made with the properties of `like` if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`create_bucket`](Self::create_bucket).
    pub async fn bucket_or_create(&self, bck: &Bck, like: &Bucket) -> Result<Bucket> {
        if let Some(bucket) = self.buckets.get(bck) {
            return Ok(bucket);
        }
        if bck.is_remote() {
            return self.admit(bck, &Admission::default()).await;
        }
        let mut changes = serde_json::to_value(like.props())?;
        if let Value::Object(changes) = &mut changes {
            for own in ["provider", "bid", "created", "Renamed", "backend_bck", "extra"] {
                changes.remove(own);
            }
        }
        match self.create_bucket(bck, &changes).await {
            // Another job was faster.
            Err(error) if error.kind() == ErrorKind::Conflict => self.bucket(bck),
            other => other,
        }
    }

    /// Destroys a bucket and all objects. The name is free at once.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn destroy_bucket(self: &Arc<Self>, bck: &Bck) -> Result<()> {
        if bck.is_remote() {
            let what = if bck.is_remote_ais() { "remote ais" } else { "cloud" };
            let text = format!("cannot destroy {what} bucket {bck} - operation not supported");
            return Err(Error::new(ErrorKind::Method, text).with_code(code::UNSUPPORTED));
        }
        self.drop_bucket(bck).await?;
        self.log().add(Severity::Info, format!("destroyed bucket {bck}"));
        Ok(())
    }

    /// Forgets a bucket and all that is here of it.
    pub(super) async fn drop_bucket(self: &Arc<Self>, bck: &Bck) -> Result<()> {
        let _changing = self.buckets.changing.lock().await;
        let bucket = self.bucket(bck)?;
        let (bid, name) = (bucket.bid(), bck.clone());
        let alive = Arc::clone(&self.buckets.alive);
        self.storage()
            .meta()
            .write(move |tx| {
                tx.forget_bucket(&name)?;
                tx.doom_objects(bid)?;
                alive.lock().unwrap_or_else(PoisonError::into_inner).remove(&bid);
                Ok(())
            })
            .await?;
        self.buckets.set(bck, None);
        self.jobs().stop_of_bucket(bck);
        self.sweep_begun().await
    }

    /// Changes properties, or sets all to their defaults with none.
    ///
    /// # Errors
    ///
    /// When there is no such bucket or a property is wrong.
    pub async fn set_props(&self, bck: &Bck, changes: Option<&Value>) -> Result<Bucket> {
        let _changing = self.buckets.changing.lock().await;
        let bucket = self.bucket(bck)?;
        let old = bucket.props();
        let props = match changes {
            Some(changes) => old.updated(changes).map_err(|e| Error::invalid(e.to_string()))?,
            None => {
                let mut fresh = BucketProps::new(bucket.bck(), old.bid, old.created);
                if bucket.bck().is_remote() {
                    // Versions are the backend's, and so is where it is.
                    fresh.versioning.enabled = false;
                    fresh.extra = old.extra.clone();
                }
                fresh
            }
        };
        check_one_disk(bck, &props)?;
        let record = BucketRecord { bck: bucket.bck().clone(), props };
        if record.props.backend_bck != old.backend_bck || record.props.extra != old.extra {
            self.check_behind(&record).await?;
        }
        self.replace_record(&record.bck.clone(), record).await
    }

    async fn replace_record(&self, old: &Bck, record: BucketRecord) -> Result<Bucket> {
        let (stored, before) = (record.clone(), old.clone());
        self.storage()
            .meta()
            .write(move |tx| {
                if before != stored.bck {
                    tx.forget_bucket(&before)?;
                }
                tx.put_bucket(&stored)
            })
            .await?;
        let bucket = Bucket(Arc::new(record));
        if *old != *bucket.bck() {
            self.buckets.set(old, None);
        }
        self.buckets.set(bucket.bck(), Some(bucket.clone()));
        Ok(bucket)
    }

    /// Renames a bucket, and tells the id of the job that did it.
    ///
    /// # Errors
    ///
    /// When there is none, there is one of the new name, or one of them is remote.
    pub async fn rename_bucket(&self, from: &Bck, to: &Bck) -> Result<String> {
        let changing = self.buckets.changing.lock().await;
        let bucket = self.bucket(from)?;
        check_bucket(&to.name)?;
        if from == to {
            return Err(Error::invalid(format!(
                "cannot rename bucket \"{from}\" to itself (\"{to}\")"
            )));
        }
        if to.is_remote() || from.is_remote() {
            return Err(Error::unsupported(format!(
                "cannot rename bucket \"{from}\" to \"{to}\": remote buckets cannot be renamed"
            )));
        }
        if self.buckets.get(to).is_some() {
            let exists = already_exists(to);
            return Err(Error::invalid(exists.message()).with_code(code::BCK_ALREADY_EXISTS));
        }
        let record = BucketRecord { bck: to.clone(), props: bucket.props().clone() };
        self.replace_record(from, record).await?;
        drop(changing);
        let job = NewJob::between(kind::MOVE_BCK, from, to).about(format!("mv {from}=>{to}"));
        // Objects are found by the bucket's id, so there is nothing to move.
        Ok(self.jobs().spawn(job, |_| async { Ok(()) }))
    }

    /// Whether the bucket has not been destroyed. For changes of metadata: they see the order of commits.
    pub(super) fn check_alive(&self, bucket: &Bucket) -> Result<()> {
        if self.is_alive(bucket.bid()) { Ok(()) } else { Err(Error::no_bucket(bucket.bck())) }
    }

    /// Whether there is a bucket with this id.
    pub(super) fn is_alive(&self, bid: u64) -> bool {
        self.buckets.alive.lock().unwrap_or_else(PoisonError::into_inner).contains(&bid)
    }

    /// Whether the bucket behind a bucket, and one of a backend itself, can be reached.
    async fn check_behind(&self, record: &BucketRecord) -> Result<()> {
        match Bucket::passing(record.clone()).backing() {
            Some(behind) if behind != record.bck => {
                self.check_backend(&behind, "use")?;
                self.look(&behind, &record.props).await
            }
            Some(_) => self.remote(&Bucket::passing(record.clone())).map(drop),
            None => Ok(()),
        }
    }

    /// Refuses a bucket that lives where this server cannot reach.
    fn check_backend(&self, bck: &Bck, operation: &str) -> Result<()> {
        if bck.is_remote_ais() || self.backends().has(bck.provider) {
            return Ok(());
        }
        let provider = bck.provider;
        Err(Error::unsupported(format!(
            "cannot {operation} bucket \"{bck}\": {provider} bucket \"{bck}\" does not exist, and this server has no {provider} backend"
        )))
    }
}

/// Refuses what needs several disks or targets.
fn check_one_disk(bck: &Bck, props: &BucketProps) -> Result<()> {
    let copies = props.mirror.copies;
    if props.mirror.enabled && copies > 1 {
        let text = format!("not enough mountpaths (1) to configure {bck} as {copies}-way mirror");
        return Err(Error::invalid(text));
    }
    if props.ec["enabled"] == Value::Bool(true) {
        return Err(Error::invalid(format!("not enough targets (1) to erasure code bucket {bck}")));
    }
    Ok(())
}

pub(super) fn already_exists(bck: &Bck) -> Error {
    Error::new(ErrorKind::Conflict, format!("bucket \"{bck}\" already exists"))
        .with_code(code::BCK_ALREADY_EXISTS)
}
