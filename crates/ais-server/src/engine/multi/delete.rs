//! Deleting many objects.

use std::sync::Arc;

use holdall_ais_wire::{job::kind, multi::EvdMsg, name::check_object};

use super::names::{Names, describe};
use crate::{
    engine::{Bucket, Engine},
    error::Result,
    jobs::{Job, NewJob},
};

impl Engine {
    /// Starts to delete objects; the id of the job.
    ///
    /// # Errors
    ///
    /// When the template is none.
    pub fn delete_objects(self: &Arc<Self>, bucket: &Bucket, message: &EvdMsg) -> Result<String> {
        let names = Names::new(&message.selection, !message.non_recursive)?;
        let new =
            NewJob::on(kind::DELETE_OBJECTS, bucket.bck()).about(describe(&message.selection));
        let (engine, bucket) = (Arc::clone(self), bucket.clone());
        Ok(self
            .jobs()
            .spawn(new, |job| async move { engine.delete_all(&job, &bucket, names).await }))
    }

    async fn delete_all(
        self: &Arc<Self>,
        job: &Job,
        bucket: &Bucket,
        mut names: Names,
    ) -> Result<()> {
        let is_list = names.is_list();
        loop {
            let (page, rest) = names.page(self, bucket).await?;
            names = rest;
            if page.is_empty() {
                return Ok(());
            }
            let (good, bad): (Vec<_>, Vec<_>) =
                page.into_iter().partition(|name| check_object(name).is_ok());
            for name in bad {
                if let Err(error) = check_object(&name) {
                    job.record(&error.into());
                }
            }
            let deleted = match self.delete_many(bucket, good).await {
                Ok(deleted) => deleted,
                // What a backend refuses does not keep the others from going.
                Err(error) if bucket.is_remote() => {
                    job.record(&error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            for (name, deleted) in deleted {
                match deleted {
                    Some(meta) => job.count(meta.size),
                    // Of ranges not every name need be there.
                    None if is_list => job.record(&self.no_object(bucket, &name)),
                    None => {}
                }
            }
        }
    }
}
