//! `holdall stac search`.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use holdall::stac::json::{Json, Style};
use holdall::stac::{Document, Format, Kind, Pages, Place, Request};
use holdall::store::object_store::ObjectStoreExt;
use holdall::store::redacted;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::Context;
use super::args::Search;
use super::input;
use super::transfer::target;
use crate::Exit;

/// Shortest time between two times that what was found so far is written for whoever is killed.
const SAVED_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn run(context: &Context<'_>, args: &Search) -> Result<Exit> {
    let clients = input::clients(&args.client, context.common)?;
    if let Some(output) = &args.output {
        Format::of_name(output).check(Kind::ItemCollection)?;
    }
    let search = Running::of(context, args)?;
    let start = search.start()?;
    let mut skip = start.skip;
    let (mut items, mut left) = (search.found_before(&start).await?, args.max_items);
    let mut pages = Pages::new(clients, start.request);
    let had = items.len();
    let (mut position, mut failure) = (None, None);
    let (mut saved, mut pause) = (Instant::now(), SAVED_EVERY);
    while left != Some(0) {
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
        let found = page.objects().iter().skip(skip).take(left.unwrap_or(usize::MAX));
        let taken = found.len();
        left = left.map(|left| left - taken);
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
            search.keep(position.as_ref(), None).await?;
        } else if args.resume.is_some() && args.output.is_some() && saved.elapsed() > pause {
            let began = Instant::now();
            search.save(items.clone(), position.as_ref()).await?;
            saved = Instant::now();
            // Most of the time is for the search, however long the file has become.
            pause = SAVED_EVERY.max(20 * (saved - began));
        }
    }
    if args.ndjson {
        return Ok(Exit::Done);
    }
    let count = items.len();
    context.printer.note(&format!("{count} items"));
    search.save(items, position.as_ref()).await?;
    let Some(error) = failure else { return Ok(Exit::Done) };
    Err(error).context(format!("the {count} items before it are written; the same command goes on"))
}

/// One run of a search.
struct Running<'a> {
    context: &'a Context<'a>,
    args: &'a Search,
    /// The first request of the search, whichever run this is.
    first: Request,
    /// Where its items are written, if not to standard output.
    output: Option<Place>,
}

impl<'a> Running<'a> {
    fn of(context: &'a Context<'a>, args: &'a Search) -> Result<Self> {
        let output = args.output.as_deref().map(|output| target(context, output)).transpose()?;
        Ok(Self { context, args, first: first(args)?, output })
    }

    /// What tells the search from others: pages of another length are of the same one.
    fn mark(&self) -> Result<Value> {
        let mut first = self.first.clone();
        if let Some(Value::Object(fields)) = &mut first.body {
            fields.remove("limit");
        }
        Ok(serde_json::to_value(first)?)
    }

    /// Where it begins, or where the last run stopped.
    fn start(&self) -> Result<Position> {
        let Some(file) = self.args.resume.as_ref().filter(|file| file.exists()) else {
            return Ok(Position::of(self.first.clone()));
        };
        let name = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
        let left: Left = serde_json::from_str(&text).with_context(|| {
            format!("--resume {name}: it is not what a search left; remove it to search anew")
        })?;
        if left.of != self.mark()? {
            let other = left.of["href"].as_str().map(redacted).unwrap_or_default();
            bail!(
                "--resume {name}: another search left it, at {other}; give this one a file of its own, or remove it to search anew"
            );
        }
        left.position.with_context(|| {
            format!("the search that left {name} had come to its end; remove it to search anew")
        })
    }

    /// The items to which those of this run are added.
    async fn found_before(&self, start: &Position) -> Result<Vec<Json>> {
        let (Some(written), Some(place), Some(name), Some(state)) =
            (&start.written, &self.output, &self.args.output, &self.args.resume)
        else {
            return Ok(Vec::new());
        };
        if name_of(place) != written.to {
            return Ok(Vec::new());
        }
        let remedy = || {
            let (state, count) = (state.display(), written.items);
            format!(
                "--resume {state}: the search has put {count} items into {name}, to which the rest is to be added; bring them \
                 back, or remove {state} to search anew"
            )
        };
        let data = read(place).await.with_context(remedy)?;
        let document = Document::from_file(name, &data).with_context(remedy)?;
        let there = document.objects();
        // A run that was killed may have written more than it could tell of.
        match there.get(..written.items) {
            Some(items) => Ok(items.to_vec()),
            None => Err(anyhow!("it has {} items", there.len()).context(remedy())),
        }
    }

    /// Writes what was found, and then where the next run goes on: what was not written would be lost to it.
    async fn save(&self, items: Vec<Json>, position: Option<&Position>) -> Result<()> {
        let count = items.len();
        let document = Document::of_items(items);
        let written = match (&self.output, &self.args.output) {
            (Some(place), Some(name)) => {
                let (content, media_type) = document.to_file(name)?;
                place.write(content, media_type).await?;
                Some(Found { to: name_of(place), items: count })
            }
            _ => {
                let mut text = document.to_text();
                text.push('\n');
                self.context.printer.bytes(text.as_bytes())?;
                None
            }
        };
        self.keep(position, written).await
    }

    /// Writes down where the next run goes on, if it was asked for.
    async fn keep(&self, position: Option<&Position>, written: Option<Found>) -> Result<()> {
        let Some(file) = &self.args.resume else { return Ok(()) };
        self.context.printer.flush()?;
        let position = position.map(|position| Position { written, ..position.clone() });
        let text = serde_json::to_string(&Left { of: self.mark()?, position })?;
        let place = Place::Local(file.clone());
        let kept = place.write(text, "application/json").await;
        kept.with_context(|| format!("cannot write {}", file.display()))
    }
}

/// What tells a place from others, however it is spelled.
fn name_of(place: &Place) -> String {
    match place.local().map(std::fs::canonicalize) {
        Some(Ok(path)) => path.to_string_lossy().into_owned(),
        _ => place.absolute_href(),
    }
}

async fn read(place: &Place) -> Result<Bytes> {
    Ok(match place {
        Place::Local(path) => std::fs::read(path)?.into(),
        Place::Store(store, key) => store.get(key).await?.bytes().await?,
    })
}

/// What a run leaves to the next.
#[derive(Serialize, Deserialize)]
struct Left {
    /// The search that it is of; see [`Running::mark`].
    of: Value,
    /// Nothing once it has come to its end.
    position: Option<Position>,
}

/// Where a search goes on.
#[derive(Clone, Serialize, Deserialize)]
struct Position {
    request: Request,
    /// Items of its page that the run before had.
    skip: usize,
    /// Where the items before it are.
    written: Option<Found>,
}

impl Position {
    fn of(request: Request) -> Self {
        Self { request, skip: 0, written: None }
    }
}

/// Items in a file.
#[derive(Clone, Serialize, Deserialize)]
struct Found {
    to: String,
    items: usize,
}

/// The request of the arguments.
fn first(args: &Search) -> Result<Request> {
    let body = body(args)?;
    // A URL with a query is a search already; the fields of a GET search go into its query.
    if args.url.contains('?') || args.url.contains("/collections/") {
        if !body.is_empty() {
            bail!(
                "{} is a page of its own: options of the search go with the root of an API",
                args.url
            );
        }
        return Ok(Request::get(&args.url));
    }
    Ok(Request::search(&args.url, body))
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
