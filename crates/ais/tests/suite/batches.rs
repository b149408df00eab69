//! Get-batch: every format, as a stream and as a form; what is missing; the same for stores of all kinds.

use futures::{StreamExt, TryStreamExt};
use holdall_ais::{BatchEntry, BatchOptions, ErrorKind, PutOptions};
use holdall_store::memory::MemoryStore;
use holdall_store::{BatchOptions as StoreBatch, Store};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::support::{Ais, content};

#[tokio::test]
async fn every_format() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    let other = ais.other("other");
    other.create(Default::default()).await.unwrap();
    let large = content(3 << 20);
    for (bucket, name, bytes) in [
        (&bucket, "a", b"first".to_vec()),
        (&bucket, "d/empty", Vec::new()),
        (&other, "large", large.clone()),
    ] {
        bucket.object(name).put(bytes, &PutOptions::default()).await.unwrap();
    }
    let entries = || {
        [
            BatchEntry::new("a"),
            BatchEntry { bck: Some(other.bck().clone()), ..BatchEntry::new("large") },
            BatchEntry { opaque: "mine".into(), ..BatchEntry::new("none") },
            BatchEntry::new("d/empty"),
            BatchEntry::new("a").with_range(1, 3),
        ]
    };
    for format in [".tar", ".tgz", ".tar.gz", ".tar.lz4", ".zip"] {
        for streaming in [true, false] {
            let options = BatchOptions { format: format.into(), streaming, ..Default::default() };
            let batch = ais.client.batch(Some(&bucket)).with_options(options).with(entries());
            // Two members of one name are nothing that a zip can hold.
            let batch = match format {
                ".zip" => ais
                    .client
                    .batch(Some(&bucket))
                    .with_options(BatchOptions {
                        format: format.into(),
                        streaming,
                        ..Default::default()
                    })
                    .with(entries().into_iter().take(4)),
                _ => batch,
            };
            let items =
                batch.collect().await.unwrap_or_else(|e| panic!("{format} {streaming}: {e}"));
            assert_eq!(items.len(), batch.entries().len());
            assert_eq!(items[0].content.as_deref().unwrap(), b"first");
            assert!(items[1].content.as_ref().unwrap() == &large[..], "{format}");
            assert!(items[2].content.is_err() && !items[2].out.err_msg.is_empty());
            assert_eq!(items[2].out.objname, "none");
            assert!(items[3].content.as_ref().unwrap().is_empty());
            if let Some(last) = items.get(4) {
                assert_eq!(last.content.as_deref().unwrap(), b"irs");
            }
        }
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let ais = Ais::start().await;
    let bucket = ais.bucket().await;
    let empty = ais.client.batch(Some(&bucket)).collect().await.unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::InvalidArgument);
    let nowhere = ais.client.batch(None).with([BatchEntry::new("a")]).collect().await;
    assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::InvalidArgument);
    for streaming in [false, true] {
        let options = BatchOptions { continue_on_error: false, streaming, ..Default::default() };
        let strict = ais.client.batch(Some(&bucket)).with_options(options);
        let missing = strict.with([BatchEntry::new("none")]).collect().await.unwrap_err();
        // Whoever has begun to answer can only break off.
        let expected = [ErrorKind::ObjectNotFound, ErrorKind::Corrupt];
        assert!(expected[..=usize::from(streaming)].contains(&missing.kind()), "{missing}");
    }
}

#[tokio::test]
async fn the_same_on_every_store() {
    let ais = Ais::start().await;
    let memory = Store::new(std::sync::Arc::new(MemoryStore::new()));
    for store in [ais.bucket().await.as_store(), memory] {
        let store = store.with_prefix(&"below".into());
        let keys: Vec<Path> = (0..30).map(|i| Path::from(format!("k{i}"))).collect();
        for key in &keys {
            store.put(key, key.to_string().into()).await.unwrap();
        }
        let mut entries: Vec<_> = keys.iter().map(|key| (key.clone(), None)).collect();
        entries.push(("k1".into(), Some(0..1)));
        entries.push(("k1".into(), Some(1..2)));
        let read = store.get_batch(entries.clone(), StoreBatch::default());
        let read: Vec<_> = read.try_collect().await.unwrap();
        for (bytes, key) in read.iter().zip(&keys) {
            assert_eq!(bytes, key.as_ref().as_bytes());
        }
        assert_eq!((&read[30][..], &read[31][..]), (&b"k"[..], &b"1"[..]));
        // More is missing than a server bears; the others still come.
        for i in 0..20 {
            entries.insert(i, (format!("none{i}").into(), None));
        }
        let read: Vec<_> = store.get_batch(entries, StoreBatch::default()).collect().await;
        assert_eq!(read.len(), 52);
        for error in &read[..20] {
            let error = error.as_ref().unwrap_err();
            assert_eq!(error.kind(), holdall_store::ErrorKind::NotFound, "{error}");
        }
        assert!(read[20..].iter().all(Result::is_ok));
    }
}
