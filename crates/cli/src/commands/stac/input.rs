//! From arguments to clients, selections and documents.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use holdall::stac::asset::AssetView;
use holdall::stac::json::Json;
use holdall::stac::{
    ClientConfig, Clients, Crawl, Credential, Document, Kind, PlanOptions, Selection, href,
};

use super::super::Context;
use super::args::{ClientArgs, SelectArgs};
use crate::args::Common;

/// The clients that the arguments describe.
pub(super) fn clients(args: &ClientArgs, common: &Common) -> Result<Clients> {
    let mut config = ClientConfig {
        client_override: args.client.clone(),
        http_max_attempts: args.http_max_attempts,
        http_assert_content_type: args.http_assert_content_type,
        s3_requester_pays: args.s3_requester_pays,
        s3_max_attempts: args.s3_max_attempts,
        s3_region: args.s3_region.clone(),
        s3_endpoint_url: args.s3_endpoint_url.clone(),
        earthdata_s3_credentials: args.earthdata_s3_credentials.clone(),
        sas_token_endpoint: args.sas_token_endpoint.clone(),
        oauth2: args.oauth2.settings()?,
        prompt: Some(std::sync::Arc::new(crate::printer::ask)),
        store_settings: common.config.iter().chain(&common.source_config).cloned().collect(),
        ..ClientConfig::default()
    };
    config.http_timeout = Duration::try_from_secs_f64(args.http_timeout)
        .ok()
        .filter(|time| !time.is_zero())
        .context("--http-timeout is a positive number of seconds")?;
    for header in &args.http_header {
        // The text is not repeated: it may hold a secret.
        let (name, value) = header.split_once('=').context("--http-header is NAME=VALUE")?;
        config.http_headers.push((name.to_owned(), value.to_owned()));
    }
    for text in args.credential.iter().filter(|text| !text.trim().is_empty()) {
        let parsed = text
            .split_once('=')
            .and_then(|(key, value)| Some((key.trim().to_owned(), Credential::parse(value)?)));
        // The text is not repeated: it holds a secret.
        config.credentials.push(parsed.context(
            "a credential is KEY=bearer:TOKEN, KEY=basic:USER:PASSWORD or KEY=key:VALUE",
        )?);
    }
    Ok(Clients::new(config)?)
}

/// The part of a plan that selections make.
pub(super) fn plan(args: &SelectArgs) -> Result<PlanOptions> {
    let selection = Selection::keys(&args.include, &args.exclude)?
        .with_roles(args.role.clone())
        .with_media_types(&args.media_type)?
        .with_bands(args.band.clone())
        .with_max_size_bytes(args.max_size);
    Ok(PlanOptions {
        selection,
        alternate_assets: args.alternate_assets.clone(),
        fallback: args.fallback,
        ..PlanOptions::default()
    })
}

/// Reads the document, from standard input where no href is given.
pub(super) async fn document(clients: &Clients, href: Option<&str>) -> Result<Document> {
    match href {
        None | Some("-") => {
            let read = tokio::task::spawn_blocking(|| {
                let mut text = Vec::new();
                std::io::stdin().lock().read_to_end(&mut text).map(|_| text)
            });
            let data = read.await?.context("cannot read standard input")?;
            if data.trim_ascii().is_empty() {
                bail!(
                    "standard input: there is nothing in it: what comes before in the pipe found nothing, or has failed"
                );
            }
            let mut document = Document::from_bytes(&data).context("standard input")?;
            from_here(&mut document);
            Ok(document)
        }
        Some(href) => Ok(clients.read_document(href).await?),
    }
}

/// Makes relative hrefs of assets absolute that lead to files from here: a document that comes through a pipe tells nothing of
/// where it was, and what `download` prints names its files as they were given.
fn from_here(document: &mut Document) {
    for object in document.objects_mut() {
        if holdall::stac::link(object, "self").is_some_and(|own| href::is_absolute(&own)) {
            continue;
        }
        let assets = object.get_mut("assets").and_then(Json::as_object_mut);
        for asset in assets.into_iter().flat_map(|assets| assets.values_mut()) {
            let written = asset.get("href").and_then(Json::as_str).map(|href| href.into_owned());
            let relative = written.filter(|written| !href::is_absolute(written));
            let found = relative.and_then(|path| std::path::absolute(path).ok());
            if let Some(path) = found.filter(|path| path.exists()) {
                asset.set("href", path.to_string_lossy().into_owned());
            }
        }
    }
}

/// What a command works on.
pub(super) struct Input {
    pub(super) document: Document,
    /// Documents below the one that was given that could not be read, and were told of.
    pub(super) unread: usize,
}

/// The document, or all items below it; with `fail_fast` the first of those that cannot be read ends it.
pub(super) async fn items(
    context: &Context<'_>,
    clients: &Clients,
    document: Document,
    recursive: bool,
    fail_fast: bool,
) -> Result<Input> {
    if !recursive {
        if document.kind() == Kind::Catalog && document.json().get("assets").is_none() {
            bail!("a catalog has no assets of its own: take the items below it with --recursive");
        }
        return Ok(Input { document, unread: 0 });
    }
    let mut crawl = Crawl::new(clients.clone(), document);
    let (mut items, mut unread) = (Vec::new(), 0);
    loop {
        match crawl.next().await {
            Ok(Some(item)) => items.push(item.detached()),
            Ok(None) => return Ok(Input { document: Document::of_items(items), unread }),
            Err(error) if fail_fast => return Err(error.into()),
            Err(error) => {
                unread += 1;
                context.printer.error(&error.to_string());
            }
        }
    }
}

/// Says which words of a selection fit no asset.
pub(super) fn note_unmatched(context: &Context<'_>, document: &Document, args: &SelectArgs) {
    let all = Selection::default;
    let one = |word: &String| vec![word.clone()];
    let words = [
        ("include", &args.include),
        ("role", &args.role),
        ("media-type", &args.media_type),
        ("band", &args.band),
    ];
    for (option, words) in words {
        for word in words {
            let selection = match option {
                "include" => Selection::keys(&one(word), &[]),
                "role" => Ok(all().with_roles(one(word))),
                "media-type" => all().with_media_types(&one(word)),
                _ => Ok(all().with_bands(one(word))),
            };
            if selection.is_ok_and(|selection| !takes_any(document, &selection)) {
                context.printer.note(&format!("note: --{option} {word}: there is no such asset"));
            }
        }
    }
}

fn takes_any(document: &Document, selection: &Selection) -> bool {
    let assets = document.objects().iter().filter_map(|object| object.get("assets"));
    let mut assets = assets.filter_map(Json::as_object).flatten();
    assets.any(|(key, asset)| selection.has_key(key) && selection.holds(key, &AssetView::of(asset)))
}

/// Whether a document has assets at all.
pub(super) fn has_assets(document: &Document) -> bool {
    takes_any(document, &Selection::default())
}
