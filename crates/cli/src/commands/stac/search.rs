//! `holdall stac search`.

use anyhow::{Context as _, Result, bail};
use holdall::stac::json::{Json, Style};
use holdall::stac::{Document, Format, Kind, Pages, Request};
use serde_json::{Map, Value, json};

use super::super::Context;
use super::args::Search;
use super::input;
use super::transfer::target;
use crate::Exit;

pub(super) async fn run(context: &Context<'_>, args: &Search) -> Result<Exit> {
    let clients = input::clients(&args.client, context.common)?;
    if let Some(output) = &args.output {
        Format::of_name(output).check(Kind::ItemCollection)?;
    }
    let start = first(args)?;
    let mut skip = start.skip;
    let mut pages = Pages::new(clients.clone(), start.request);
    let (mut items, mut left) = (Vec::new(), args.max_items.unwrap_or(usize::MAX));
    if let Some(written) = start.written.filter(|written| args.output.as_ref() == Some(written)) {
        items.extend_from_slice(clients.read_document(&written).await?.objects());
    }
    let had = items.len();
    let (mut position, mut failure) = (None, None);
    while left > 0 {
        let request = pages.position().cloned();
        let page = match pages.next().await {
            Ok(Some(page)) => page,
            Ok(None) => break,
            // What was found before is kept, where another run can go on.
            Err(error) if args.resume.is_some() && items.len() > had => {
                position = request.map(|request| Position { skip, ..Position::of(request) });
                failure = Some(error);
                break;
            }
            Err(error) => return Err(error.into()),
        };
        let found = page.objects().iter().skip(skip).take(left);
        let taken = found.len();
        left -= taken;
        if args.ndjson {
            for item in found {
                let line = item.to_text(&Style::compact()).replace('\n', " ");
                context.printer.bytes(format!("{line}\n").as_bytes())?;
            }
        } else {
            items.extend(found.cloned().collect::<Vec<Json>>());
        }
        // What is left of a page that was cut short is the beginning of the next run.
        position = match skip + taken < page.objects().len() {
            true => request.map(|request| Position { skip: skip + taken, ..Position::of(request) }),
            false => pages.position().cloned().map(Position::of),
        };
        skip = 0;
        if args.ndjson {
            keep(context, position.as_ref(), args)?;
        }
    }
    if args.ndjson {
        return Ok(Exit::Done);
    }
    let count = items.len();
    context.printer.note(&format!("{count} items"));
    if let Some(output) = &args.output {
        let (content, media_type) = Document::of_items(items).to_file(output)?;
        target(context, output)?.write(content, media_type).await?;
    } else {
        let mut text = Document::of_items(items).to_text();
        text.push('\n');
        context.printer.bytes(text.as_bytes())?;
    }
    let Some(error) = failure else {
        keep(context, position.as_ref(), args)?;
        return Ok(Exit::Done);
    };
    let position = position.map(|position| Position { written: args.output.clone(), ..position });
    keep(context, position.as_ref(), args)?;
    Err(error).context(format!("the {count} items before it are written; the same command goes on"))
}

/// Where a search goes on.
struct Position {
    request: Request,
    /// Items of its page that the run before had.
    skip: usize,
    /// The file to which a run that failed has written what it had found.
    written: Option<String>,
}

impl Position {
    fn of(request: Request) -> Self {
        Self { request, skip: 0, written: None }
    }
}

/// The request of the arguments, or the one where the last run stopped.
fn first(args: &Search) -> Result<Position> {
    if let Some(file) = &args.resume
        && file.exists()
    {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let kept: Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is not what a search left", file.display()))?;
        if kept["href"].is_null() {
            bail!("the search that left {} had come to its end", file.display());
        }
        let skip = kept["skip"].as_u64().unwrap_or_default() as usize;
        let written = kept["written"].as_str().map(str::to_owned);
        let request = serde_json::from_value(kept)
            .with_context(|| format!("{} is not what a search left", file.display()))?;
        return Ok(Position { request, skip, written });
    }
    let body = body(args)?;
    // A URL with a query is a search already; the fields of a GET search go into its query.
    if args.url.contains('?') || args.url.contains("/collections/") {
        if !body.is_empty() {
            bail!(
                "{} is a page of its own: options of the search go with the root of an API",
                args.url
            );
        }
        return Ok(Position::of(Request::get(&args.url)));
    }
    Ok(Position::of(Request::search(&args.url, body)))
}

/// Writes down where the next run goes on, if it was asked for. Items that were not written yet would be lost to it.
fn keep(context: &Context<'_>, position: Option<&Position>, args: &Search) -> Result<()> {
    let Some(file) = &args.resume else { return Ok(()) };
    context.printer.flush()?;
    let kept = match position {
        Some(Position { request, skip, written }) => {
            let mut kept = serde_json::to_value(request)?;
            kept["skip"] = json!(skip);
            kept["written"] = json!(written);
            kept
        }
        None => json!({"href": null}),
    };
    std::fs::write(file, kept.to_string())
        .with_context(|| format!("cannot write {}", file.display()))
}

fn body(args: &Search) -> Result<Map<String, Value>> {
    let mut body = match &args.body {
        Some(text) => serde_json::from_str(text).context("--body is not a JSON object")?,
        None => Map::new(),
    };
    let mut set = |key: &str, value: Value| body.insert(key.to_owned(), value);
    if !args.collection.is_empty() {
        set("collections", json!(args.collection));
    }
    if !args.id.is_empty() {
        set("ids", json!(args.id));
    }
    match args.bbox.len() {
        0 => {}
        4 | 6 => {
            set("bbox", json!(args.bbox));
        }
        count => bail!("--bbox has {count} numbers: WEST,SOUTH,EAST,NORTH are four"),
    }
    if let Some(datetime) = &args.datetime {
        set("datetime", json!(datetime));
    }
    if let Some(text) = &args.intersects {
        set("intersects", serde_json::from_str(text).context("--intersects is not JSON")?);
    }
    if let Some(text) = &args.filter {
        let parsed = serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
        set("filter-lang", json!(if parsed.is_some() { "cql2-json" } else { "cql2-text" }));
        set("filter", parsed.unwrap_or_else(|| json!(text)));
    }
    if let Some(limit) = args.limit {
        set("limit", json!(limit));
    }
    Ok(body)
}
