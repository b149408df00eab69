//! Somebody who sees objects on their way, and has a say before they are published.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::{Attributes, ObjectMeta};

use crate::error::Result;

/// Sees one object on its way.
///
/// A transfer that begins anew begins with another inspector. What the service states of the object is checked as well.
pub trait Inspector: Send {
    /// The object has answered; nothing of it has been written.
    ///
    /// # Errors
    /// Why it is not wanted, which ends the transfer.
    fn begin(&mut self, meta: &ObjectMeta, attributes: &Attributes) -> Result<()> {
        let _ = (meta, attributes);
        Ok(())
    }

    /// Whether [`update`](Self::update) is to be called. Content that moves in parts is read again for it, from memory or
    /// from the file that it was written to.
    fn sees_content(&self) -> bool {
        true
    }

    /// Takes the next bytes; all of them come, in their order.
    fn update(&mut self, data: &[u8]);

    /// All bytes have been seen.
    ///
    /// # Errors
    /// What is wrong with them; nothing is published then. [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) says that
    /// they are of no use to a later transfer either.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Makes inspectors, one for each beginning of a transfer.
pub type Inspect = Arc<dyn Fn() -> Box<dyn Inspector> + Send + Sync>;

/// The inspectors of a transfer, if there are any.
#[derive(Clone, Default)]
pub(super) struct Inspection(pub(super) Option<Inspect>);

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Inspection" } else { "None" })
    }
}

impl Inspection {
    /// The inspector of an object that has answered.
    pub(super) fn begin(&self, meta: &ObjectMeta, attributes: &Attributes) -> Result<Inspected> {
        let Some(inspect) = &self.0 else { return Ok(Inspected::default()) };
        let mut inspector = inspect();
        inspector.begin(meta, attributes)?;
        Ok(Inspected(Mutex::new(Some(inspector))))
    }
}

/// The inspector of one object, or nobody.
#[derive(Default)]
pub(super) struct Inspected(Mutex<Option<Box<dyn Inspector>>>);

impl Inspected {
    pub(super) fn sees_content(&self) -> bool {
        let inspector = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inspector.as_ref().is_some_and(|inspector| inspector.sees_content())
    }

    /// Takes the inspector, to be fed elsewhere.
    pub(super) fn take(&self) -> Option<Box<dyn Inspector>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn update(&self, data: &[u8]) {
        let mut inspector = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inspector) = inspector.as_mut().filter(|inspector| inspector.sees_content()) {
            inspector.update(data);
        }
    }

    pub(super) fn finish(&self) -> Result<()> {
        self.take().map_or(Ok(()), Inspector::finish)
    }
}
