//! Documents after their assets have moved.

use std::collections::{HashMap, HashSet};

use crate::asset::text;
use crate::document::{self, Document, Kind};
use crate::href;
use crate::json::Json;
use crate::place::Place;
use crate::plan::{Plan, base};
use crate::run::Outcome;

/// How hrefs of moved assets are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Hrefs {
    /// Absolute paths and URLs.
    #[default]
    Absolute,
    /// As seen from the document.
    Relative,
    /// As the directory was given.
    AsGiven,
}

/// How a document is rewritten.
#[derive(Debug, Clone, Default)]
pub struct RewriteOptions {
    /// How hrefs of moved assets are written.
    pub hrefs: Hrefs,
    /// Where the document will be, which is its new link to itself.
    pub self_place: Option<Place>,
    /// Keep assets that failed, with their absolute hrefs, in place of removing them.
    pub keep_failed: bool,
    /// Keep assets that were not selected, with their absolute hrefs, in place of removing them.
    pub keep_unselected: bool,
    /// Keep the old href of every moved asset as an alternate under this key.
    pub alternate: Option<String>,
    /// Write `file:size`, and `file:checksum` where one was computed.
    pub describe_files: bool,
}

/// Rewrites `document` after `plan` was run. Objects that stay as they are keep their text.
pub fn rewrite(
    document: &mut Document,
    plan: &Plan,
    outcomes: &[Outcome],
    options: &RewriteOptions,
) {
    let bases: Vec<Option<String>> =
        document.objects().iter().map(|object| base(object, document)).collect();
    let kind = document.kind();
    let mut jobs: Vec<HashMap<&str, usize>> = vec![HashMap::new(); bases.len()];
    for (at, job) in plan.jobs.iter().enumerate() {
        jobs[job.object].insert(&job.key, at);
    }
    let self_place = options.self_place.as_ref();
    let changes: Vec<(Option<Vec<Json>>, bool)> = document
        .objects()
        .iter()
        .enumerate()
        .map(|(at, object)| {
            let base = bases[at].as_deref();
            (
                links(object, kind, base, self_place),
                stirs(object, base, &jobs[at], outcomes, options),
            )
        })
        .collect();
    if changes.iter().all(|(links, stirs)| links.is_none() && !stirs) {
        return;
    }
    for (at, (object, (links, stirs))) in document.objects_mut().iter_mut().zip(changes).enumerate()
    {
        if let Some(links) = links {
            object.set("links", links);
        }
        if stirs {
            assets(object, bases[at].as_deref(), &jobs[at], plan, outcomes, options);
        }
    }
}

/// Whether any asset is changed or removed.
fn stirs(
    object: &Json,
    base: Option<&str>,
    jobs: &HashMap<&str, usize>,
    outcomes: &[Outcome],
    options: &RewriteOptions,
) -> bool {
    let assets = object.get("assets").and_then(Json::as_object);
    assets.into_iter().flatten().any(|(key, asset)| {
        let stays = match jobs.get(key.as_str()).map(|&at| &outcomes[at]) {
            None => options.keep_unselected,
            Some(Err(_)) => options.keep_failed,
            Some(Ok(_)) => false,
        };
        !stays || moves(asset, base) || document::alternates(asset).any(|other| moves(other, base))
    })
}

/// Whether a place has a relative href, which is another one as soon as the document moves.
fn moves(place: &Json, base: Option<&str>) -> bool {
    let Some(written) = place.get("href").and_then(text) else { return false };
    href::of_asset(&written, base).is_some_and(|found| found != written)
}

/// Makes the relative hrefs of alternates absolute.
fn locate_alternates(asset: &mut Json, base: Option<&str>) {
    if !document::alternates(asset).any(|other| moves(other, base)) {
        return;
    }
    let Some(others) = asset.get_mut("alternate").and_then(Json::as_object_mut) else { return };
    for other in others.values_mut() {
        let written = other.get("href").and_then(text);
        set_href(other, written.and_then(|written| href::of_asset(&written, base)));
    }
}

fn assets(
    object: &mut Json,
    base: Option<&str>,
    jobs: &HashMap<&str, usize>,
    plan: &Plan,
    outcomes: &[Outcome],
    options: &RewriteOptions,
) {
    let (mut described, mut has_alternates) = (false, false);
    if let Some(assets) = object.get_mut("assets").and_then(Json::as_object_mut) {
        let mut removed = HashSet::new();
        for (key, asset) in assets.iter_mut() {
            let old =
                asset.get("href").and_then(text).and_then(|written| href::of_asset(&written, base));
            let done = match jobs.get(key.as_str()).map(|&at| (at, &outcomes[at])) {
                None if options.keep_unselected => None,
                Some((_, Err(_))) if options.keep_failed => None,
                None | Some((_, Err(_))) => {
                    removed.insert(key.clone());
                    continue;
                }
                Some((at, Ok(done))) => Some((&plan.jobs[at], done)),
            };
            locate_alternates(asset, base);
            let Some((job, done)) = done else {
                set_href(asset, old);
                continue;
            };
            if let (Some(name), Some(old)) = (&options.alternate, &old) {
                keep_alternate(asset, name, old);
                has_alternates = true;
            }
            let mut new = new_href(&job.target, options);
            // The slash says that it is a directory, to web servers' readers above all.
            if done.files.is_some() && old.as_deref().is_some_and(href::is_directory) {
                new.push('/');
            }
            set_href(asset, Some(new));
            if options.describe_files {
                described = true;
                asset.set("file:size", done.bytes);
                if let Some(checksum) = &done.checksum {
                    asset.set("file:checksum", checksum.to_string());
                } else if job.size.is_some_and(|size| size != done.bytes) {
                    // It was not compared, and is of another file.
                    asset.remove("file:checksum");
                    asset.remove("checksum:multihash");
                }
            }
        }
        if !removed.is_empty() {
            assets.retain(|key, _| !removed.contains(key));
        }
    }
    if described {
        declare(object, "https://stac-extensions.github.io/file/v2.1.0/schema.json");
    }
    if has_alternates {
        declare(object, "https://stac-extensions.github.io/alternate-assets/v1.2.0/schema.json");
    }
}

fn new_href(target: &Place, options: &RewriteOptions) -> String {
    match (options.hrefs, &options.self_place) {
        (Hrefs::Relative, Some(place)) => {
            href::relative(&target.absolute_href(), &place.absolute_href())
        }
        (Hrefs::AsGiven, _) => target.href(),
        _ => target.absolute_href(),
    }
}

/// Sets an href where it is another one, so that what stays the same stays as it was written.
fn set_href(asset: &mut Json, href: Option<String>) {
    let Some(href) = href else { return };
    if asset.get("href").and_then(text).as_deref() != Some(&href) {
        asset.set("href", href);
    }
}

fn keep_alternate(asset: &mut Json, name: &str, old: &str) {
    if asset.get("alternate").and_then(Json::as_object).is_none() {
        asset.set("alternate", Json::object());
    }
    let Some(alternates) = asset.get_mut("alternate").and_then(Json::as_object_mut) else { return };
    // The bytes may have been kept under this name before; that place is as good.
    if !alternates.values().any(|known| known.get("href").and_then(text).as_deref() == Some(old)) {
        let mut alternate = Json::object();
        alternate.set("href", old);
        alternates.insert(free_name(alternates, name), alternate);
    }
}

fn free_name(alternates: &crate::json::Members, name: &str) -> String {
    let numbered = (1..).map(|at| if at == 1 { name.to_owned() } else { format!("{name}-{at}") });
    numbered.into_iter().find(|name| !alternates.contains_key(name)).unwrap_or_default()
}

/// Adds an extension to those that an object declares, unless some version of it is there.
fn declare(object: &mut Json, schema: &str) {
    let family = schema.split("/v").next().unwrap_or(schema).to_owned();
    let declared = object.get("stac_extensions").and_then(Json::as_array);
    if declared.is_some_and(|list| {
        list.iter().any(|known| text(known).is_some_and(|known| known.starts_with(&family)))
    }) {
        return;
    }
    match object.get_mut("stac_extensions").and_then(Json::as_array_mut) {
        Some(list) => list.push(schema.into()),
        None => object.set("stac_extensions", vec![Json::from(schema)]),
    }
}

/// The links as they are to be, where any is to be changed: absolute, since the document moves, the one to itself to its new
/// place, and the old one remembered.
fn links(
    object: &Json,
    kind: Kind,
    base: Option<&str>,
    self_place: Option<&Place>,
) -> Option<Vec<Json>> {
    let old_self = base.filter(|_| kind != Kind::ItemCollection);
    let mut fresh = Vec::new();
    let mut changed = false;
    let empty = Vec::new();
    let links = object.get("links").and_then(Json::as_array).unwrap_or(&empty);
    for link in links {
        let is_self = link.get("rel").and_then(text).as_deref() == Some("self");
        let written = link.get("href").and_then(text);
        // Items of a collection have no place of their own any more.
        if is_self {
            changed = true;
            continue;
        }
        let mut link = link.clone();
        if let Some(written) = written
            && let Some(resolved) = href::absolute(&written, base)
            && resolved != written
        {
            link.set("href", resolved);
            changed = true;
        }
        fresh.push(link);
    }
    // A document that stays where it was is not derived from itself.
    let stays = |old: &&str| self_place.is_none_or(|place| place.absolute_href() != **old);
    if let Some(old) = old_self.filter(stays)
        && !fresh.iter().any(|link| {
            link.get("rel").and_then(text).as_deref() == Some("derived_from")
                && link.get("href").and_then(text).as_deref() == Some(old)
        })
    {
        fresh.push(new_link("derived_from", old, None));
        changed = true;
    }
    if let Some(place) = self_place.filter(|_| kind != Kind::ItemCollection) {
        // Links to themselves are absolute (STAC, relation types): a path as it was given is one from the working directory.
        fresh.push(new_link("self", &place.absolute_href(), Some("application/json")));
        changed = true;
    }
    changed.then_some(fresh)
}

fn new_link(rel: &str, href: &str, media_type: Option<&str>) -> Json {
    let mut link = Json::object();
    link.set("rel", rel);
    link.set("href", href);
    if let Some(media_type) = media_type {
        link.set("type", media_type);
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlanOptions;
    use crate::run::Done;

    const ITEM: &str = r#"{"type": "Feature", "stac_version": "1.0.0", "id": "i", "geometry": {"coordinates": [1.10, 2e0]},
 "properties": {"a": 1.0}, "links": [{"rel": "self", "href": "https://h/d/i.json"}, {"rel": "parent", "href": "../c.json"}],
 "assets": {"a": {"href": "./a.tif"}, "b": {"href": "b.tif", "x": 1.50}, "c": {"href": "c.tif"}}}"#;

    fn after(outcomes: &[Outcome], options: &RewriteOptions) -> String {
        let mut document = Document::parse(ITEM).unwrap();
        let plan = PlanOptions {
            selection: crate::select::Selection::keys(&[], &["c".to_owned()]).unwrap(),
            ..PlanOptions::default()
        };
        let plan = Plan::make(&document, &Place::Local("/out".into()), &plan).unwrap();
        rewrite(&mut document, &plan, outcomes, options);
        document.to_text()
    }

    fn failed() -> Outcome {
        Err(crate::Error::new(crate::ErrorKind::Href, "x", "", ""))
    }

    #[test]
    fn a_downloaded_item_points_to_its_files_and_its_origin() {
        let options = RewriteOptions {
            hrefs: Hrefs::Relative,
            self_place: Some(Place::Local("/out/i.json".into())),
            ..RewriteOptions::default()
        };
        let text = after(&[Ok(Done::default()), failed()], &options);
        assert!(text.contains(r#""a": {"href": "./a.tif"}"#), "{text}");
        assert!(!text.contains("b.tif") && !text.contains("c.tif"), "{text}");
        assert!(text.contains(r#"{"coordinates": [1.10, 2e0]}"#), "{text}");
        assert!(text.contains(r#"{"rel": "parent", "href": "https://h/c.json"}"#), "{text}");
        assert!(
            text.contains(r#"{"rel": "derived_from", "href": "https://h/d/i.json"}"#),
            "{text}"
        );
        assert!(
            text.contains(r#"{"rel": "self", "href": "/out/i.json", "type": "application/json"}"#),
            "{text}"
        );
    }

    #[test]
    fn alternates_stay_where_they_were() {
        let item = ITEM.replace(
            r#"{"href": "./a.tif"}"#,
            r#"{"href": "./a.tif", "alternate": {"x": {"href": "../x.tif", "y": 1}, "z": {"href": "s3://b/k"}}}"#,
        );
        let mut document = Document::parse(&item).unwrap();
        let place = Place::Local("/out".into());
        let plan = Plan::make(&document, &place, &PlanOptions::default()).unwrap();
        let outcomes = [Ok(Done::default()), failed(), failed()];
        rewrite(&mut document, &plan, &outcomes, &RewriteOptions::default());
        let expected = r#"{"href": "/out/a.tif", "alternate": {"x": {"href": "https://h/x.tif", "y": 1}, "z": {"href": "s3://b/k"}}}"#;
        assert!(document.to_text().contains(expected), "{}", document.to_text());
    }

    #[test]
    fn what_a_slash_says_to_be_a_directory_stays_one() {
        let item = ITEM.replace("./a.tif", "./a/");
        for (files, href) in [(Some(3), "/out/a/"), (None, "/out/a")] {
            let mut document = Document::parse(&item).unwrap();
            let place = Place::Local("/out".into());
            let plan = Plan::make(&document, &place, &PlanOptions::default()).unwrap();
            let outcomes = [Ok(Done { files, ..Done::default() }), failed(), failed()];
            rewrite(&mut document, &plan, &outcomes, &RewriteOptions::default());
            let expected = format!(r#""a": {{"href": "{href}"}}"#);
            assert!(document.to_text().contains(&expected), "{}", document.to_text());
        }
    }

    #[test]
    fn what_was_not_moved_can_stay_with_absolute_hrefs() {
        let options = RewriteOptions {
            keep_failed: true,
            keep_unselected: true,
            describe_files: true,
            alternate: Some("source".to_owned()),
            ..RewriteOptions::default()
        };
        let done = Done { bytes: 7, ..Done::default() };
        let text = after(&[Ok(done), failed()], &options);
        assert!(text.contains(r#""b": {"href": "https://h/d/b.tif", "x": 1.50}"#), "{text}");
        assert!(text.contains(r#""c": {"href": "https://h/d/c.tif"}"#), "{text}");
        assert!(text.contains(r#"{"href": "/out/a.tif", "alternate": {"source": {"href": "https://h/d/a.tif"}}, "file:size": 7}"#), "{text}");
        assert!(text.contains("stac-extensions.github.io/file/"), "{text}");
    }
}
