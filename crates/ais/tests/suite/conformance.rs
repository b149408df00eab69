//! The conformance functions of `object_store`.
//!
//! Left out, because AIStore has nothing of the kind: `put_opts` (writes on a condition), `copy_if_not_exists`.

use std::sync::Arc;

use futures::TryStreamExt;
use holdall_store::Store;
use object_store::{ObjectStore, ObjectStoreExt, integration};

use crate::support::Ais;

async fn clear(store: &Arc<dyn ObjectStore>) {
    let keys: Vec<_> = store.list(None).map_ok(|meta| meta.location).try_collect().await.unwrap();
    for key in keys {
        store.delete(&key).await.unwrap();
    }
}

async fn conforms(store: Store) {
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let store = &store;
    integration::put_get_delete_list(store).await;
    clear(store).await;
    integration::get_opts(store).await;
    clear(store).await;
    integration::put_get_attributes(store).await;
    clear(store).await;
    integration::list_uses_directories_correctly(store).await;
    clear(store).await;
    integration::list_with_delimiter(store).await;
    clear(store).await;
    integration::list_with_offset_exclusivity(store).await;
    clear(store).await;
    integration::rename_and_copy(store).await;
    clear(store).await;
    integration::stream_get(store).await;
    clear(store).await;
    integration::multipart_out_of_order(store).await;
    clear(store).await;
}

#[tokio::test]
async fn the_whole_bucket() {
    let ais = Ais::start().await;
    conforms(ais.bucket().await.as_store()).await;
}

#[tokio::test]
async fn below_a_prefix() {
    let ais = Ais::start().await;
    conforms(ais.bucket().await.as_store().with_prefix(&"a/b".into())).await;
}
