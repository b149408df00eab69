//! What there is to know of the assets of a document without moving them, and whether it is true.

use futures::{StreamExt, stream};

use crate::asset::AssetView;
use crate::clients::{Clients, Head, Hints};
use crate::document::{Document, id};
use crate::error::{Error, ErrorKind, Result};
use crate::multihash::Multihash;
use crate::plan::{self, Location, PlanOptions, base};
use crate::transport::{unknown_checksum, unknown_size, wrong_checksum, wrong_size};

/// Questions asked at once.
const AT_ONCE: usize = 64;

/// One asset, as its document describes it and as its server does.
#[derive(Debug, Clone, Default)]
pub struct AssetInfo {
    /// The id of its object.
    pub owner: Option<String>,
    /// Its key.
    pub key: String,
    /// The absolute href that was asked.
    pub href: Option<String>,
    /// The name of the client that reads it.
    pub client: Option<&'static str>,
    /// Its media type, as the document says.
    pub media_type: Option<String>,
    /// Its length in bytes, as the server says, or else the document.
    pub size: Option<u64>,
    /// How many files it is, for a directory that was counted.
    pub files: Option<u64>,
    /// Keys of its alternates.
    pub alternates: Vec<String>,
    /// What access needs, as the document says.
    pub access: Option<String>,
    /// Whether it exists; `None` when nobody asked.
    pub exists: Option<bool>,
    /// Why it cannot be read, or what is wrong with it.
    pub error: Option<crate::Error>,
}

/// What is to be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Depth {
    /// What the document says.
    Document,
    /// Whether each asset exists, and its length.
    Existence,
    /// That, and whether its length is that of `file:size`.
    Size,
    /// That, and whether its content has the `file:checksum`.
    Content,
}

/// Describes the selected assets of a document, in its order.
///
/// # Errors
/// None of single assets: these are in the result.
pub async fn info(
    clients: &Clients,
    document: &Document,
    options: &PlanOptions,
    depth: Depth,
) -> Result<Vec<AssetInfo>> {
    let mut found = Vec::new();
    for object in document.objects() {
        let base = base(object, document);
        let context = Hints::of_object(object);
        for (key, asset) in plan::assets(object)?.into_iter().flatten() {
            let asset = AssetView::of(asset);
            if !options.selection.holds(key, &asset) {
                continue;
            }
            let sources = plan::sources(object, key, &asset, base.as_deref(), options, &context);
            found.push((id(object), key.clone(), asset, sources));
        }
    }
    let described = stream::iter(found).map(|(owner, key, asset, sources)| async move {
        let mut info = AssetInfo {
            owner,
            key,
            media_type: asset.media_type.clone(),
            size: asset.size,
            alternates: asset.alternates.iter().map(|a| a.key.clone()).collect(),
            ..AssetInfo::default()
        };
        match sources {
            Ok(sources) => look(clients, &sources, &asset, depth, &mut info).await,
            Err(error) => (info.exists, info.error) = (Some(false), Some(error)),
        }
        info
    });
    Ok(described.buffered(AT_ONCE).collect().await)
}

async fn look(
    clients: &Clients,
    sources: &[Location],
    asset: &AssetView,
    depth: Depth,
    info: &mut AssetInfo,
) {
    let mut first = None;
    for source in sources {
        let kind = clients.kind(&source.href);
        if info.href.is_none() {
            info.href = Some(source.href.clone());
            info.access = source.hints.describe();
            info.client = kind.as_ref().ok().map(|kind| kind.name());
        }
        if depth == Depth::Document {
            return;
        }
        let asked = match depth {
            Depth::Document | Depth::Existence => clients.assert_exists(source).await,
            Depth::Size | Depth::Content => clients.measure(source).await,
        };
        match asked {
            Ok(head) => {
                info.exists = Some(true);
                info.size = head.size.or(info.size);
                info.href = Some(source.href.clone());
                info.client = kind.ok().map(|kind| kind.name());
                info.files = head.files;
                info.error = check(clients, source, asset, &head, depth).await.err();
                return;
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    (info.exists, info.error) = (Some(false), first);
}

async fn check(
    clients: &Clients,
    source: &Location,
    asset: &AssetView,
    head: &Head,
    depth: Depth,
) -> Result<()> {
    if matches!(depth, Depth::Size | Depth::Content)
        && let (Some(actual), Some(expected)) = (head.size, asset.size)
        && actual != expected
    {
        return Err(wrong_size(&source.href, actual, expected));
    }
    if matches!(depth, Depth::Size | Depth::Content)
        && let Some(written) = &asset.unknown_size
    {
        return Err(unknown_size(&source.href, written));
    }
    match (&asset.checksum, depth) {
        (Some(_), Depth::Content) if head.files.is_some() => {
            let detail = "it is a directory, which can have no file:checksum to be compared with";
            Err(Error::new(ErrorKind::Integrity, "verify", &source.href, detail))
        }
        (Some(expected), Depth::Content) => {
            let actual = hash(clients, source, expected).await?;
            if expected.matches(&actual) {
                Ok(())
            } else {
                Err(wrong_checksum(&source.href, &actual, expected))
            }
        }
        (None, Depth::Content) if asset.checksum_text.is_some() => {
            let written = asset.checksum_text.as_deref().unwrap_or_default();
            Err(unknown_checksum(&source.href, written))
        }
        _ => Ok(()),
    }
}

async fn hash(clients: &Clients, source: &Location, like: &Multihash) -> Result<Multihash> {
    let mut hasher = crate::multihash::Hasher::new(like.algorithm());
    let mut body = clients.open(source, None).await?;
    while let Some(piece) = body.pieces.next().await {
        hasher.update(&piece?);
    }
    Ok(hasher.finish())
}
