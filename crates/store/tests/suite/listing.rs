//! Listing with many requests at once: the same keys as one page after the other, sooner.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use holdall_store::object_store::list::PaginatedListResult;
use holdall_store::object_store::path::Path;
use holdall_store::object_store::{ObjectMeta, ObjectStoreExt};
use holdall_store::{ErrorKind, ListOptions, ParallelOptions, Result, Store};
use proptest::prelude::*;
use tokio::time::Instant;

use super::paged::Paged;
use super::services;

async fn listed(store: &Store, options: ListOptions, how: ParallelOptions) -> Result<Vec<String>> {
    store.list_parallel(options, how).map(key).try_collect().await
}

/// The key of an item, also of one that no path can hold.
fn key(item: Result<ObjectMeta>) -> Result<String> {
    match item {
        Ok(meta) => Ok(meta.location.to_string()),
        Err(error) => error.odd_key().map(|odd| odd.key.clone()).ok_or(error),
    }
}

/// Runs with a clock that jumps to the next timer: pages take their time without anybody waiting.
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(test)
}

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[0-9]{1,3}",
        2 => "[a-f0-9]{2}",
        2 => prop::sample::select(vec!["a", "data", "2024", "z~", "ü", "日本", "𝄞", "~", "!", "a b", "%41"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec!["", ".", "..", "a\nb", "\u{1}"]).prop_map(str::to_owned),
    ]
}

/// Random keys in one of several shapes.
fn keys() -> impl Strategy<Value = BTreeSet<String>> {
    // Such a path would not be told from the key without the slash at its end.
    let any = || {
        let key = prop::collection::vec(segment(), 1..4).prop_map(|s| s.join("/"));
        key.prop_filter("an object, no directory", |key| !key.is_empty() && !key.ends_with('/'))
    };
    let deep = Just("very/deep/common/prefix/that/all/keys/share/".to_owned());
    prop_oneof![
        3 => prop::collection::btree_set(any(), 0..400),
        2 => (deep, prop::collection::btree_set(any(), 0..400))
            .prop_map(|(p, keys)| keys.into_iter().map(|k| format!("{p}{k}")).collect()),
        2 => (0..600usize).prop_map(|n| (0..n).map(|i| format!("logs/{i:08}")).collect()),
        2 => (prop::collection::btree_set(any(), 0..20), 0..500usize).prop_map(|(mut keys, n)| {
            keys.extend((0..n).map(|i| format!("m/huge/{:08x}", i * 2_654_435_761usize % 4_294_967_296)));
            keys
        }),
    ]
}

fn option_keys() -> impl Strategy<Value = (String, Option<String>, Option<String>)> {
    let prefix = prop_oneof![
        4 => Just(String::new()),
        2 => segment(),
        1 => Just("very/deep/common/pre".to_owned()),
        1 => Just("logs/".to_owned()),
        1 => Just("m/hu".to_owned()),
    ];
    (prefix, prop::option::weighted(0.2, segment()), prop::option::weighted(0.2, segment()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn gives_the_keys_of_a_sorted_set(
        keys in keys(),
        (prefix, after, before) in option_keys(),
        page in 1usize..20,
        workers in 2usize..20,
        buffered in 1usize..500,
        sorted in any::<bool>(),
        slow in any::<bool>(),
    ) {
        let wanted: Vec<String> = keys
            .iter()
            .filter(|key| key.starts_with(&prefix))
            .filter(|key| after.as_ref().is_none_or(|after| *key > after))
            .filter(|key| before.as_ref().is_none_or(|before| *key < before))
            .cloned()
            .collect();
        let service = Paged::new(keys, page);
        let mut options = ListOptions::default().with_prefix(prefix);
        (options.start_after, options.end_before) = (after, before);
        let how = ParallelOptions::default()
            .with_workers(workers).with_buffered_keys(buffered).with_sorted(sorted);
        let mut got = run(async {
            let listing = service.store().list_parallel(options, how);
            let pace = |item| async move {
                if slow {
                    tokio::time::sleep(Duration::from_millis(3)).await;
                }
                key(item)
            };
            listing.then(pace).try_collect::<Vec<_>>().await
        }).unwrap();
        if !sorted {
            got.sort();
        }
        prop_assert_eq!(&got, &wanted);
        let plain = wanted.len() / page;
        prop_assert!(service.pages() <= 3 * plain + 60, "{} pages for {}", service.pages(), plain);
    }

    #[test]
    fn a_wrong_page_is_never_a_shorter_or_longer_listing(
        count in 50usize..600,
        page in 2usize..20,
        wrong in 0usize..30,
        fault in 0usize..4,
        sorted in any::<bool>(),
    ) {
        let keys: Vec<String> = (0..count).map(|i| format!("k/{i:06}")).collect();
        let service = Paged::new(keys.clone(), page).with_fault(Arc::new(move |number, mut page| {
            let objects = &mut page.result.objects;
            if number == wrong && objects.len() > 1 {
                match fault {
                    // Keys twice.
                    0 => objects.insert(1, objects[0].clone()),
                    // Keys out of order.
                    1 => objects.swap(0, 1),
                    // A key of elsewhere.
                    2 => objects[0].location = "elsewhere".into(),
                    // A page that names itself: told apart by its token below.
                    _ => page.page_token = page.page_token.map(|_| "k/".to_owned()),
                }
            }
            page
        }));
        let how = ParallelOptions::default().with_sorted(sorted);
        let options = ListOptions::default().with_prefix("k/");
        match run(listed(&service.store(), options, how)) {
            Ok(mut got) => {
                got.sort();
                prop_assert_eq!(got, keys);
            }
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
                prop_assert!(error.to_string().starts_with("list paged://keys/k"), "{}", error);
            }
        }
    }
}

fn many(count: usize, key: impl Fn(usize) -> String) -> Paged {
    Paged::new((0..count).map(key), 300)
}

/// Seconds that a listing takes on the clock of the service, and the pages it took.
fn time(service: &Paged, how: &ParallelOptions) -> (f64, usize) {
    let before = service.pages();
    let seconds = run(async {
        let begin = Instant::now();
        let mut got = listed(&service.store(), ListOptions::default(), how.clone()).await.unwrap();
        if !how.sorted {
            got.sort();
        }
        assert!(got.iter().map(String::as_str).eq(service.keys()));
        begin.elapsed().as_secs_f64()
    });
    (seconds, service.pages() - before)
}

#[test]
fn is_many_times_faster_whatever_the_keys() {
    let hash = |i: usize| (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let services = [
        ("numbers", many(60_000, |i| format!("data/{i:09}"))),
        ("hexadecimal", many(60_000, |i| format!("{:016x}", hash(i)))),
        (
            "dates",
            many(60_000, |i| {
                format!("logs/2024/{:02}/{:02}/{:05}.gz", i / 5000 + 1, i / 180 % 28 + 1, i % 180)
            }),
        ),
        (
            "one huge prefix",
            many(60_000, |i| match i % 300 {
                0 => format!("{}/x", i),
                _ => format!("m/huge/one/{:016x}", hash(i)),
            }),
        ),
        ("tiles", many(60_000, |i| format!("tiles/{}/{}/{}.png", i / 6000, i / 60 % 100, i % 60))),
    ];
    for (name, service) in services {
        let (plain, pages) = time(&service, &ParallelOptions::default().with_workers(1));
        let any_order = ParallelOptions::default().with_sorted(false);
        let (unsorted, any) = time(&service, &any_order);
        let (fast, more) = time(&service, &ParallelOptions::default());
        assert!(fast * 4.0 < plain, "{name}: {fast} s against {plain} s");
        assert!(
            unsorted * 4.0 < plain && any <= 3 * pages + 30,
            "{name}: {unsorted} s and {any} pages"
        );
        assert!(more <= 3 * pages + 30, "{name}: {more} pages in place of {pages}");
    }
}

#[test]
fn a_short_listing_costs_what_a_plain_one_does() {
    let service = many(250, |i| format!("{i:04}"));
    assert_eq!(time(&service, &ParallelOptions::default()).1, 1);
    let service = many(0, |i| format!("{i:04}"));
    assert_eq!(time(&service, &ParallelOptions::default()).1, 1);
}

#[test]
fn what_waits_for_a_slow_consumer_is_bounded() {
    let service = many(90_000, |i| format!("data/{i:09}"));
    let how = ParallelOptions::default().with_workers(8).with_buffered_keys(6_000);
    run(async {
        let mut listing = service.store().list_parallel(ListOptions::default(), how);
        listing.next().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(service.pages() < 80, "{} pages wait", service.pages());
        assert_eq!(listing.count().await, 89_999);
    });
}

#[test]
fn an_end_that_comes_too_early_is_asked_about_again() {
    let keys: Vec<String> = (0..20_000).map(|i| format!("{i:06}")).collect();
    for wrong in 3..30 {
        let early = move |number: usize, mut page: PaginatedListResult| {
            if number == wrong {
                page.page_token = None;
            }
            page
        };
        let service = Paged::new(keys.clone(), 100).with_fault(Arc::new(early));
        let got = run(listed(&service.store(), ListOptions::default(), ParallelOptions::default()));
        // Where nothing is known to follow there is nothing to tell.
        let got = got.unwrap();
        assert!(
            got == keys || got.len() < 3500 && keys.starts_with(&got),
            "{wrong}: {}",
            got.len()
        );
    }
}

#[test]
fn a_service_without_an_order_is_read_page_by_page() {
    let keys: Vec<String> = (0..500).map(|i| format!("{i:06}")).collect();
    let backwards = |_, mut page: PaginatedListResult| {
        page.result.objects.reverse();
        page
    };
    let service = Paged::new(keys.clone(), 20).with_fault(Arc::new(backwards));
    let any = ParallelOptions::default().with_sorted(false);
    let mut got = run(listed(&service.store(), ListOptions::default(), any)).unwrap();
    got.sort();
    assert_eq!(got, keys);
    let own = ParallelOptions::default().with_own_order(true);
    let mut got = run(listed(&service.store(), ListOptions::default(), own)).unwrap();
    assert_eq!(got[0], keys[19], "its own order");
    got.sort();
    assert_eq!(got, keys);
    let sorted = ParallelOptions::default();
    let error = run(listed(&service.store(), ListOptions::default(), sorted)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("out of order"), "{error}");
}

#[tokio::test]
async fn services_give_the_same_keys() {
    let stores = [
        services::s3("HOLDALL_TEST_S3_ENDPOINT", "parallel listing on versitygw", "test-bucket"),
        services::s3("HOLDALL_TEST_MINIO_ENDPOINT", "parallel listing on MinIO", "test-bucket"),
        services::gcs("parallel listing on GCS"),
        services::azure("parallel listing on Azurite"),
    ];
    for store in stores.into_iter().flatten() {
        let mut keys: Vec<String> = (0..900).map(|i| format!("a/{:03}/{i:05}", i % 700)).collect();
        keys.extend(
            ["a-", "a.b/c", "a0", "b/é", "b/𝄞", "c/1/2", "~", "日本/語"].map(str::to_owned),
        );
        keys.extend((0..400).map(|i| format!("m/{:08x}", i as u64 * 0x9E3779 % 0x1000_0000)));
        keys.sort();
        let puts = futures::stream::iter(keys.clone());
        puts.for_each_concurrent(16, |key| {
            let store = store.clone();
            async move { drop(store.put(&Path::parse(key).unwrap(), "x".into()).await.unwrap()) }
        })
        .await;
        for sorted in [true, false] {
            let how = ParallelOptions::default().with_sorted(sorted);
            let mut got = listed(&store, ListOptions::default(), how.clone()).await.unwrap();
            let raw = got.clone();
            got.sort();
            assert!(!sorted || raw == got, "{store} is sorted");
            let lacks: Vec<_> = keys.iter().filter(|key| !got.contains(key)).collect();
            let more: Vec<_> = got.iter().filter(|key| !keys.contains(key)).collect();
            assert!(got == keys, "{store}: {} keys, lacks {lacks:?}, has {more:?}", got.len());
            let options = ListOptions::default().with_prefix("a/1").with_start_after("a/12");
            let wanted: Vec<_> =
                keys.iter().filter(|k| k.starts_with("a/1") && k.as_str() > "a/12").collect();
            let mut got = listed(&store, options, how.clone()).await.unwrap();
            got.sort();
            assert!(got.iter().eq(wanted), "{store}");
            let below = store.objects_parallel(Some(&"m".into()), how);
            assert_eq!(below.try_collect::<Vec<_>>().await.unwrap().len(), 400);
        }
        store.delete_prefix(None).await.unwrap();
    }
}
