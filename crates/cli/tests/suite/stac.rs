//! `holdall stac`, with local files.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{command, err, holdall, json as lines, out, s3, with};

/// The SHA-256 of "image" as a multihash: `printf image | sha256sum`.
const IMAGE: &str = "12206105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d";

fn item(id: &str, assets: &Value) -> Value {
    json!({
        "type": "Feature", "stac_version": "1.1.0", "id": id, "geometry": null,
        "properties": {"datetime": "2024-03-05T10:20:30Z"}, "links": [], "assets": assets,
    })
}

fn write(path: &Path, json: &Value) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, json.to_string()).unwrap();
}

/// An item with two assets beside it, and one that is missing.
fn tree() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let assets = json!({
        "data": {"href": "./image.tif", "roles": ["data"], "file:size": 5, "file:checksum": IMAGE},
        "meta": {"href": "meta.txt", "type": "text/plain"},
        "gone": {"href": "gone.txt"},
    });
    write(&dir.path().join("in/item.json"), &item("one", &assets));
    fs::write(dir.path().join("in/image.tif"), "image").unwrap();
    fs::write(dir.path().join("in/meta.txt"), "meta").unwrap();
    dir
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn downloads_what_is_there_and_says_what_is_not() {
    let dir = tree();
    let done = holdall(dir.path(), &["stac", "download", "in/item.json", "out"]);
    assert_eq!(done.status.code(), Some(3));
    assert!(err(&done).contains("one[gone]"), "{}", err(&done));
    let document: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(document["assets"].as_object().unwrap().len(), 2);
    assert_eq!(document["assets"]["meta"]["href"], "out/meta.txt");
    assert_eq!(names(&dir.path().join("out")), ["image.tif", "meta.txt"]);
    let lenient = ["stac", "download", "in/item.json", "out", "--lenient", "-q"];
    assert_eq!(out(&holdall(dir.path(), &lenient)), "");
    let fast = ["stac", "download", "in/item.json", "fast", "--fail-fast", "-i", "gone"];
    let failed = holdall(dir.path(), &fast);
    assert_eq!(failed.status.code(), Some(1));
    assert!(!err(&failed).contains("panicked"), "{}", err(&failed));
}

#[test]
fn odd_hrefs_stay_what_they_are() {
    let dir = tree();
    for name in ["a#b.txt", "a?b.txt", "a%20b.txt"] {
        fs::write(dir.path().join("in").join(name), name).unwrap();
    }
    let inline = "data:text/plain;base64,aGk=";
    let assets = json!({
        "hash": {"href": "a#b.txt"}, "question": {"href": "a?b.txt"}, "percent": {"href": "a%20b.txt"},
        "inline": {"href": inline}, "name": {"href": "urn:x:y"}, "nan": {"href": "meta.txt", "nodata": "HERE"},
    });
    let text = item("odd", &assets).to_string().replace("\"HERE\"", "NaN");
    fs::write(dir.path().join("in/odd.json"), text).unwrap();
    let arguments = [
        "stac",
        "download",
        "in/odd.json",
        "out",
        "--naming",
        "${asset.key}-${asset.name}",
        "--keep",
    ];
    let done = holdall(dir.path(), &arguments);
    assert_eq!(done.status.code(), Some(3));
    assert_eq!(err(&done).matches("could not guess client").count(), 2, "{}", err(&done));
    let expected = ["hash-a#b.txt", "nan-meta.txt", "percent-a%20b.txt", "question-a?b.txt"];
    assert_eq!(names(&dir.path().join("out")), expected);
    let written = String::from_utf8(done.stdout).unwrap();
    assert!(written.contains(r#""nodata":NaN"#), "{written}");
    let document: Value = serde_json::from_str(&written.replace("NaN", "0")).unwrap();
    assert_eq!(document["assets"]["inline"]["href"], inline);
}

#[test]
fn writes_the_document_beside_its_files() {
    let dir = tree();
    let arguments = ["stac", "download", "in/item.json", "out", "-x", "gone", "-f", "item.json"];
    let said = out(&holdall(dir.path(), &arguments));
    assert_eq!(said, "Output STAC JSON written to out/item.json\n");
    let text = fs::read_to_string(dir.path().join("out/item.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["assets"]["data"]["href"], "./image.tif");
    let own = document["links"].as_array().unwrap().iter().find(|link| link["rel"] == "self");
    assert!(Path::new(own.unwrap()["href"].as_str().unwrap()).is_absolute());
    // The document works where it is.
    assert_eq!(
        out(&holdall(dir.path(), &["stac", "verify", "out/item.json"])),
        "2 assets, 0 wrong\n"
    );
    fs::write(dir.path().join("out/image.tif"), "IMAGE").unwrap();
    let wrong = holdall(dir.path(), &["stac", "verify", "out/item.json"]);
    assert_eq!(wrong.status.code(), Some(3));
    assert!(err(&wrong).contains("file:checksum"), "{}", err(&wrong));
    let sizes = holdall(dir.path(), &["stac", "verify", "out/item.json", "--size-only"]);
    assert!(sizes.status.success());
    // What is there but wrong is fetched again, what is right is not.
    let again = lines(&holdall(dir.path(), &[&arguments[..], &["--json"]].concat()));
    let states: Vec<_> = again[0]["assets_done"].as_array().unwrap().iter().collect();
    assert_eq!((&states[0]["status"], &states[1]["status"]), (&json!("done"), &json!("skipped")));
    assert_eq!(fs::read(dir.path().join("out/image.tif")).unwrap(), b"image");
}

#[test]
fn a_wrong_checksum_publishes_nothing() {
    let dir = tree();
    fs::write(dir.path().join("in/image.tif"), "IMAGE").unwrap();
    let done = holdall(dir.path(), &["stac", "download", "in/item.json", "out", "-i", "data"]);
    assert_eq!(done.status.code(), Some(3));
    assert_eq!(names(&dir.path().join("out")), Vec::<String>::new());
    let trusting = ["stac", "download", "in/item.json", "out", "-i", "data", "--no-verify", "-q"];
    assert!(holdall(dir.path(), &trusting).status.success());
}

#[test]
fn plans_are_shown_and_collisions_found_before_anything_moves() {
    let dir = tree();
    let shown = out(&holdall(
        dir.path(),
        &["stac", "download", "in/item.json", "out", "-n", "--naming", "key", "-i", "data"],
    ));
    assert!(shown.contains("-> out/data.tif (5 B)"), "{shown}");
    assert!(!dir.path().join("out").exists());
    let same = json!({"a": {"href": "in/image.tif"}, "b": {"href": "other/image.tif"}});
    write(&dir.path().join("same.json"), &item("same", &same));
    let refused = holdall(dir.path(), &["stac", "download", "same.json", "out"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("same[a] and same[b]"), "{}", err(&refused));
    let evil = json!({"../../evil": {"href": "in/image.tif"}});
    write(&dir.path().join("evil.json"), &item("evil", &evil));
    let refused = holdall(dir.path(), &["stac", "download", "evil.json", "out", "--naming", "key"]);
    assert!(err(&refused).contains("outside of the directory"), "{}", err(&refused));
}

#[test]
fn one_asset_that_cannot_be_had_leaves_the_others() {
    let dir = tree();
    let known = "1220".to_owned() + &"0".repeat(64);
    let assets = json!({
        "none": {"title": "no href"}, "good": {"href": "in/image.tif", "file:checksum": "d41d8cd9"},
        "wrong": {"href": "in/image.tif", "file:checksum": known},
    });
    write(&dir.path().join("i.json"), &item("i", &assets));
    let run = |more: &[&str]| {
        let args = ["stac", "download", "i.json", "out", "-i", "none", "-i", "good"];
        holdall(dir.path(), &[&args[..], more].concat())
    };
    let planned = run(&["--dry-run"]);
    assert_eq!(planned.status.code(), Some(3), "{planned:?}");
    assert!(
        err(&planned).contains("i[none] - plan: asset 'none' of 'i' has no href"),
        "{planned:?}"
    );
    assert!(err(&planned).contains("1 assets, 5 B"), "{planned:?}");
    let ended = run(&[]);
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(err(&ended).contains("asset 'none' of 'i' has no href"), "{ended:?}");
    assert!(dir.path().join("out/image.tif").exists());
    // A checksum with which nothing can be compared is told, also where the file is there already.
    for again in [ended, run(&["--lenient"])] {
        let warning = "warning: i[good] - verify";
        assert!(err(&again).contains(warning) && err(&again).contains("'d41d8cd9'"), "{again:?}");
    }
    assert!(!err(&run(&["--no-verify"])).contains("warning"));
    let fast = run(&["--fail-fast", "--overwrite"]);
    assert_eq!(fast.status.code(), Some(1), "{fast:?}");
}

#[test]
fn a_selection_that_takes_nothing_is_told_and_verifies_nothing() {
    let dir = tree();
    for (option, word) in
        [("--include", "nope"), ("--role", "nope"), ("--media-type", "nope/x"), ("--band", "B99")]
    {
        let run =
            |command: &str| holdall(dir.path(), &["stac", command, "in/item.json", option, word]);
        let (info, verified) = (run("info"), run("verify"));
        assert!(info.status.success(), "{info:?}");
        assert!(
            err(&info).contains(&format!("note: {option} {word}: there is no such")),
            "{info:?}"
        );
        assert_eq!(verified.status.code(), Some(1), "{verified:?}");
        assert!(err(&verified).contains("nothing is selected"), "{verified:?}");
    }
    let small = holdall(dir.path(), &["stac", "info", "in/item.json", "--max-size", "1kiB"]);
    assert!(small.status.success() && !err(&small).contains("note"), "{small:?}");
}

#[test]
fn untouched_parts_stay_as_they_were_written() {
    let dir = tree();
    let text = "{\n    \"type\": \"Feature\", \"stac_version\": \"1.0.0\",\n    \"id\": \"x\",\n    \"geometry\": {\"type\": \"Point\", \"coordinates\": [1.10, 2e0]},\n    \"properties\": {\"a\": 12345678901234567890123, \"\\u00fc\": \"\\/\"},\n    \"links\": [],\n    \"assets\": {}\n}\n";
    fs::write(dir.path().join("x.json"), text).unwrap();
    let said = out(&holdall(dir.path(), &["stac", "download", "x.json", "out"]));
    for part in ["[1.10, 2e0]", "12345678901234567890123", r#""\u00fc": "\/""#] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn takes_standard_input_and_whole_catalogs() {
    let dir = tree();
    write(
        &dir.path().join("catalog.json"),
        &json!({
            "type": "Catalog", "stac_version": "1.1.0", "id": "c", "description": "",
            "links": [
                {"rel": "child", "href": "./sub/catalog.json"},
                {"rel": "item", "href": "in/item.json"},
            ],
        }),
    );
    write(
        &dir.path().join("sub/catalog.json"),
        &json!({
            "type": "Catalog", "stac_version": "1.1.0", "id": "s", "description": "",
            "links": [{"rel": "item", "href": "two.json"}, {"rel": "parent", "href": "../catalog.json"}],
        }),
    );
    let two = json!({"data": {"href": "../in/meta.txt"}});
    write(&dir.path().join("sub/two.json"), &item("two", &two));
    let refused = holdall(dir.path(), &["stac", "download", "catalog.json", "out"]);
    assert!(err(&refused).contains("--recursive"), "{}", err(&refused));
    let arguments =
        ["stac", "download", "catalog.json", "out", "-r", "-x", "gone", "--self-contained"];
    out(&holdall(dir.path(), &arguments));
    assert_eq!(names(&dir.path().join("out")), ["catalog.json", "one", "two"]);
    assert_eq!(names(&dir.path().join("out/one")), ["image.tif", "meta.txt", "one.json"]);
    // A tree of relative links can be moved, and read again.
    fs::rename(dir.path().join("out"), dir.path().join("moved")).unwrap();
    let arguments = ["stac", "download", "moved/catalog.json", "again", "-r", "-q"];
    out(&holdall(dir.path(), &arguments));
    assert_eq!(names(&dir.path().join("again/two")), ["meta.txt"]);
    let arguments = ["stac", "download", "moved/catalog.json", "flat", "-r", "-q", "-p", "."];
    let flat = holdall(dir.path(), &arguments);
    // Both have a `meta.txt`.
    assert!(err(&flat).contains("would overwrite each other"), "{}", err(&flat));
    out(&holdall(dir.path(), &[&arguments[..], &["--rename"]].concat()));
    assert_eq!(names(&dir.path().join("flat")), ["image.tif", "meta-data.txt", "meta.txt"]);
    let verify = ["stac", "verify", "moved/catalog.json", "-r"];
    assert_eq!(out(&holdall(dir.path(), &verify)), "3 assets, 0 wrong\n");
    // Nothing is wrong with no asset, which is not what was asked.
    for command in ["verify", "info"] {
        let refused = holdall(dir.path(), &["stac", command, "moved/catalog.json"]);
        assert!(err(&refused).contains("--recursive"), "{}", err(&refused));
    }
}

#[test]
fn what_cannot_be_read_below_a_catalog_does_not_keep_the_rest_back() {
    let dir = tree();
    let links = json!([
        {"rel": "item", "href": "nothing.json"},
        {"rel": "child", "href": "in/meta.txt"},
        {"rel": "item", "href": "in/item.json"},
    ]);
    let catalog = json!({"type": "Catalog", "stac_version": "1.1.0", "id": "c", "description": "", "links": links});
    write(&dir.path().join("catalog.json"), &catalog);
    let arguments = ["stac", "--json", "download", "catalog.json", "out", "-r", "-x", "gone"];
    let run = holdall(dir.path(), &arguments);
    assert_eq!(run.status.code(), Some(3));
    assert!(err(&run).contains("nothing.json") && err(&run).contains("meta.txt"), "{}", err(&run));
    let told: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&told["documents_unread"], &told["failed"]), (&json!(2), &json!(0)));
    assert_eq!(names(&dir.path().join("out/one")), ["image.tif", "meta.txt"]);
    let lenient = holdall(dir.path(), &[&arguments[..], &["--lenient"]].concat());
    assert_eq!(lenient.status.code(), Some(0));
    let fast = ["stac", "download", "catalog.json", "fast", "-r", "-x", "gone", "--fail-fast"];
    assert_eq!(holdall(dir.path(), &fast).status.code(), Some(1));
    assert!(!dir.path().join("fast").exists());
    let verified = holdall(dir.path(), &["stac", "verify", "catalog.json", "-r", "-x", "gone"]);
    assert_eq!(verified.status.code(), Some(3));
}

#[test]
fn what_was_asked_for_and_is_nowhere_is_told() {
    let dir = tree();
    let run = holdall(dir.path(), &["stac", "info", "in/item.json", "-i", "data", "-i", "dtaa*"]);
    assert!(err(&run).contains("--include dtaa*: there is no such asset"), "{}", err(&run));
    assert!(!err(&run).contains("--include data:"), "{}", err(&run));
    let download = ["stac", "download", "-", "out"];
    let empty = command(dir.path(), &download).stdin(Stdio::null()).output().unwrap();
    assert!(err(&empty).contains("standard input: there is nothing in it"), "{}", err(&empty));
    assert_eq!(empty.status.code(), Some(1));
}

#[test]
fn items_that_would_be_one_file_are_refused_before_anything_moves() {
    let dir = tree();
    let mut item: Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("in/item.json")).unwrap())
            .unwrap();
    item["assets"].as_object_mut().unwrap().retain(|key, _| key == "meta");
    let mut other = item.clone();
    other["assets"] = json!({"data": {"href": "./image.tif"}});
    let both = json!({"type": "FeatureCollection", "features": [item, other]});
    write(&dir.path().join("in/both.json"), &both);
    for more in [&[][..], &["--dry-run"]] {
        let arguments = ["stac", "download", "in/both.json", "out", "--self-contained"];
        let refused = holdall(dir.path(), &[&arguments[..], more].concat());
        assert_eq!(refused.status.code(), Some(1));
        assert!(err(&refused).contains("one.json"), "{}", err(&refused));
        assert!(!dir.path().join("out").exists());
    }
}

#[test]
fn uploads_describe_what_they_wrote() {
    let dir = tree();
    let arguments = [
        "stac",
        "upload",
        "in/item.json",
        "store",
        "-x",
        "gone",
        "--relative",
        "--keep-alternate",
        "origin",
    ];
    out(&holdall(dir.path(), &arguments));
    let text = fs::read_to_string(dir.path().join("store/one.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let data = &document["assets"]["data"];
    assert_eq!((&data["href"], &data["file:checksum"]), (&json!("./image.tif"), &json!(IMAGE)));
    assert!(data["alternate"]["origin"]["href"].as_str().unwrap().ends_with("in/image.tif"));
    assert_eq!(document["assets"]["meta"]["file:size"], 4);
    let plain = ["stac", "upload", "in/item.json", "plain", "-x", "gone", "--checksum", "none"];
    out(&holdall(dir.path(), &plain));
    let text = fs::read_to_string(dir.path().join("plain/one.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let meta = &document["assets"]["meta"];
    assert_eq!((&meta["file:size"], &meta["file:checksum"]), (&json!(4), &Value::Null));
}

#[test]
fn what_changed_is_uploaded_again_and_what_did_not_keeps_its_checksum() {
    let dir = tree();
    let arguments = ["stac", "upload", "in/item.json", "store", "-i", "meta", "--json"];
    let hashed = [&arguments[..], &["--checksum", "sha2-256"]].concat();
    for (content, arguments, status) in [
        ("meta", &arguments[..], "done"),
        ("longer", &arguments, "done"),
        ("longer", &arguments, "skipped"),
        ("longer", &hashed, "skipped"),
    ] {
        if fs::read_to_string(dir.path().join("in/meta.txt")).unwrap() != content {
            fs::write(dir.path().join("in/meta.txt"), content).unwrap();
        }
        let report = lines(&holdall(dir.path(), arguments));
        assert_eq!(report[0]["assets_done"][0]["status"], status, "{content}");
        assert_eq!(fs::read_to_string(dir.path().join("store/meta.txt")).unwrap(), content);
    }
    let text = fs::read_to_string(dir.path().join("store/one.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    // `printf longer | sha256sum`
    let expected = "122073834addcec75fafd7d73717ca1614a1324652ffa70b4b6c44fa359ae5a69dab";
    assert_eq!(document["assets"]["meta"]["file:checksum"], expected);
}

#[test]
fn what_a_directory_lost_since_it_was_uploaded_goes_when_it_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["1", "2", "3", "4"] {
        fs::create_dir_all(dir.path().join("x.zarr/c")).unwrap();
        fs::write(dir.path().join("x.zarr/c").join(name), "chunk").unwrap();
    }
    let assets = json!({"z": {"href": "./x.zarr"}});
    write(&dir.path().join("item.json"), &item("one", &assets));
    let local = (Vec::new(), "store".to_owned());
    let targets: Vec<_> = std::iter::once(local).chain(s3("stac::what_a_directory_lost")).collect();
    let run =
        |arguments: &[&str], settings: &[String]| holdall(dir.path(), &with(arguments, settings));
    for (settings, target) in &targets {
        out(&run(&["stac", "upload", "item.json", target], settings));
    }
    fs::remove_file(dir.path().join("x.zarr/c/4")).unwrap();
    for (settings, target) in &targets {
        let failed = run(&["stac", "upload", "item.json", target], settings);
        assert_eq!(failed.status.code(), Some(3), "{}", err(&failed));
        let said = err(&failed);
        assert!(said.contains("one[z]") && said.contains("c/4"), "{said}");
        assert!(said.contains("--overwrite replaces"), "{said}");
        out(&run(&["stac", "upload", "item.json", target, "--overwrite"], settings));
        let listed = out(&run(&["ls", "-r", &format!("{target}/x.zarr")], settings));
        assert_eq!(listed.lines().count(), 3, "{listed}");
        out(&run(&["stac", "verify", &format!("{target}/one.json")], settings));
        out(&run(&["rm", "-r", target], settings));
    }
}

#[test]
fn info_is_a_table_and_knows_what_is_missing() {
    let dir = tree();
    let shown = out(&holdall(dir.path(), &["stac", "info", "in/item.json"]));
    let rows: Vec<_> =
        shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(rows[0][..3], ["Asset", "Client", "Exists"]);
    assert_eq!(rows[2][..3], ["data", "filesystem", "True"]);
    assert_eq!(rows[3][..3], ["gone", "filesystem", "False"]);
    let offline =
        lines(&holdall(dir.path(), &["stac", "info", "in/item.json", "--offline", "--json"]));
    assert!(offline.iter().all(|asset| asset["exists"].is_null()));
}

#[test]
fn what_is_no_stac_is_said() {
    let dir = tree();
    fs::write(dir.path().join("in/no.json"), r#"{"type": "Point"}"#).unwrap();
    let failed = holdall(dir.path(), &["stac", "download", "in/no.json"]);
    assert!(err(&failed).contains("'Point'"), "{}", err(&failed));
    let failed = holdall(dir.path(), &["stac", "info", "in/meta.txt"]);
    assert!(err(&failed).contains("not JSON"), "{}", err(&failed));
    let failed = holdall(dir.path(), &["stac", "download", "in/item.json", "-i", "a", "-x", "b"]);
    assert!(err(&failed).contains("mutually exclusive"), "{}", err(&failed));
}

/// Pages of two items each, which link to each other.
fn pages(dir: &TempDir, count: usize) {
    for page in 0..count {
        let items: Vec<_> =
            [0, 1].map(|n| item(&format!("{}", 2 * page + n), &json!({}))).into_iter().collect();
        let next = json!({"rel": "next", "href": format!("{}.json", page + 1)});
        let links = if page + 1 < count { vec![next] } else { vec![] };
        let json = json!({"type": "FeatureCollection", "features": items, "links": links});
        write(&dir.path().join(format!("collections/{page}.json")), &json);
    }
}

#[test]
fn a_search_that_was_cut_short_goes_on_with_the_next_item() {
    let dir = tempfile::tempdir().unwrap();
    pages(&dir, 3);
    let start = ["stac", "search", "./collections/0.json", "--resume", "position"];
    let ids = |more: &[&str]| -> Vec<String> {
        let text = out(&holdall(dir.path(), &[&start[..], more].concat()));
        let items = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&["--ndjson", "--max-items", "3"]), ["0", "1", "2"]);
    // What could not be written is asked for again.
    let lost = [&start[..], &["-o", "collections/0.json/x.json"]].concat();
    assert_eq!(holdall(dir.path(), &lost).status.code(), Some(1));
    assert_eq!(ids(&["--ndjson"]), ["3", "4", "5"]);
    let ended = holdall(dir.path(), &start);
    assert!(err(&ended).contains("had come to its end"), "{}", err(&ended));
}

#[test]
fn what_a_search_found_before_it_failed_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    pages(&dir, 4);
    let last = dir.path().join("collections/2.json");
    let search = ["stac", "search", "./collections/0.json", "--resume", "position", "-o", "found"];
    let ids = || -> Vec<String> {
        let text = fs::read_to_string(dir.path().join("found")).unwrap();
        let found: Value = serde_json::from_str(&text).unwrap();
        let items = found["features"].as_array().unwrap();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let page = fs::read(&last).unwrap();
    fs::remove_file(&last).unwrap();
    for _ in 0..2 {
        let failed = holdall(dir.path(), &search);
        assert_eq!(failed.status.code(), Some(1));
        assert_eq!(ids(), ["0", "1", "2", "3"]);
    }
    fs::write(&last, page).unwrap();
    assert!(holdall(dir.path(), &search).status.success());
    assert_eq!(ids(), ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

fn ids_of(document: &Value) -> Vec<String> {
    let items = document["features"].as_array().unwrap();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// The ids of the items in a file of any form.
fn ids_in(dir: &Path, name: &str) -> Vec<String> {
    let info = holdall(dir, &["stac", "download", name, "none", "-i", "none"]);
    ids_of(&serde_json::from_str(&out(&info)).unwrap())
}

#[test]
fn every_run_of_a_search_adds_to_what_the_runs_before_found() {
    let dir = tempfile::tempdir().unwrap();
    pages(&dir, 3);
    for name in ["found.json", "found.geojson.gz", "found.parquet"] {
        let state = format!("{name}.state");
        let search = ["stac", "search", "./collections/0.json", "--max-items", "3", "--resume"];
        let run =
            |output: &str| holdall(dir.path(), &[&search[..], &[&state, "-o", output]].concat());
        out(&run(name));
        assert_eq!(ids_in(dir.path(), name), ["0", "1", "2"], "{name}");
        // The same file by another name.
        out(&run(&format!("./collections/../{name}")));
        assert_eq!(ids_in(dir.path(), name), ["0", "1", "2", "3", "4", "5"], "{name}");
    }
}

#[test]
fn a_search_does_not_go_on_with_what_another_one_left() {
    let dir = tempfile::tempdir().unwrap();
    pages(&dir, 2);
    let run = |more: &[&str]| {
        let resume =
            ["stac", "search", "--max-items", "1", "--resume", "state", "-o", "found.json"];
        holdall(dir.path(), &[&resume[..], more].concat())
    };
    out(&run(&["./collections/0.json"]));
    let refused = run(&["./collections/1.json"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("--resume state: another search left it"), "{}", err(&refused));
    assert_eq!(ids_in(dir.path(), "found.json"), ["0"]);
    // What it is to be added to has to be there.
    fs::write(
        dir.path().join("found.json"),
        json!({"type": "FeatureCollection", "features": []}).to_string(),
    )
    .unwrap();
    assert!(err(&run(&["./collections/0.json"])).contains("--resume state"));
    fs::remove_file(dir.path().join("found.json")).unwrap();
    let refused = run(&["./collections/0.json"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = err(&refused);
    assert!(said.contains("--resume state: the search has put 1 items into found.json"), "{said}");
    assert!(said.contains("remove state to search anew"), "{said}");
}

#[test]
fn what_a_killed_search_had_found_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/collections/a?page=0", listener.local_addr().unwrap());
    let before_it_is_killed = Arc::new(AtomicBool::new(true));
    let hangs = before_it_is_killed.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = BufReader::new(socket.unwrap());
            let lines: Vec<_> = socket
                .by_ref()
                .lines()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let Some((_, page)) = lines.first().and_then(|line| line.split_once("page=")) else {
                continue;
            };
            let page: u32 = page.split(' ').next().unwrap().parse().unwrap();
            if page == 2 && hangs.load(Ordering::SeqCst) {
                std::mem::forget(socket);
                continue;
            }
            if page == 1 {
                std::thread::sleep(std::time::Duration::from_millis(1100));
            }
            let next = json!({"rel": "next", "href": format!("?page={}", page + 1)});
            let links = if page < 3 { vec![next] } else { vec![] };
            let items = [item(&page.to_string(), &json!({}))];
            let body =
                json!({"type": "FeatureCollection", "features": items, "links": links}).to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            // A client that was killed takes nothing.
            drop(socket.get_mut().write_all(format!("{head}{body}").as_bytes()));
        }
    });
    let search = ["stac", "search", &url, "--resume", "state", "-o", "found.json"];
    let mut killed = command(dir.path(), &search).spawn().unwrap();
    while !dir.path().join("state").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    before_it_is_killed.store(false, Ordering::SeqCst);
    assert_eq!(ids_in(dir.path(), "found.json"), ["0", "1"]);
    out(&holdall(dir.path(), &search));
    assert_eq!(ids_in(dir.path(), "found.json"), ["0", "1", "2", "3"]);
}

#[test]
fn a_header_that_is_none_is_not_shown() {
    let dir = tree();
    for header in ["X-Key: SECRET", "X-Key: SECRET==", "X-Key:SECRET=="] {
        let arguments = ["stac", "info", "in/item.json", "--http-header", header];
        let failed = holdall(dir.path(), &arguments);
        assert_eq!(failed.status.code(), Some(1));
        assert!(err(&failed).contains("NAME=VALUE"), "{}", err(&failed));
        assert!(!err(&failed).contains("SECRET"), "{}", err(&failed));
    }
}

#[test]
fn the_verbosity_is_where_stac_asset_has_it() {
    let dir = tree();
    let arguments = ["stac", "-v", "DEBUG", "download", "in/item.json", "out", "-i", "meta", "-q"];
    assert_eq!(holdall(dir.path(), &arguments).status.code(), Some(0));
    let own = ["-v", "stac", "download", "in/item.json", "out", "-i", "meta", "-q"];
    assert_eq!(holdall(dir.path(), &own).status.code(), Some(0));
}

#[test]
fn what_download_prints_can_be_piped_on() {
    let dir = tree();
    let printed = holdall(dir.path(), &["stac", "download", "in/item.json", "out", "-x", "gone"]);
    let arguments = ["stac", "copy", "-", "again", "-f", "item.json"];
    let mut child = command(dir.path(), &arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&printed.stdout).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(names(&dir.path().join("again")), ["image.tif", "item.json", "meta.txt"]);
    // Without a directory the files are told with whole paths, as stac-asset tells them.
    let here = dir.path().join("here");
    fs::create_dir(&here).unwrap();
    let printed = out(&holdall(&here, &["stac", "download", "../in/item.json", "-i", "meta"]));
    let document: Value = serde_json::from_str(&printed).unwrap();
    let expected = here.canonicalize().unwrap().join("meta.txt");
    assert_eq!(document["assets"]["meta"]["href"], expected.to_str().unwrap());
}

#[test]
fn lines_of_items_may_be_one_or_none() {
    let dir = tree();
    let item: Value =
        serde_json::from_slice(&fs::read(dir.path().join("in/item.json")).unwrap()).unwrap();
    fs::write(dir.path().join("in/one.ndjson"), format!("{item}\n")).unwrap();
    fs::write(dir.path().join("none.ndjson"), "").unwrap();
    let arguments =
        ["stac", "download", "in/one.ndjson", "out", "-i", "meta", "-f", "items.ndjson"];
    out(&holdall(dir.path(), &arguments));
    assert_eq!(names(&dir.path().join("out")), ["items.ndjson", "one"]);
    assert_eq!(out(&holdall(dir.path(), &["stac", "download", "none.ndjson", "none"])), "");
}

#[test]
fn the_report_is_there_when_the_document_cannot_be_written() {
    let dir = tree();
    fs::create_dir_all(dir.path().join("out/taken.json")).unwrap();
    let arguments = ["stac", "download", "in/item.json", "out", "-i", "data", "-f", "taken.json"];
    let failed = holdall(dir.path(), &[&arguments[..], &["--report", "report"]].concat());
    assert_eq!(failed.status.code(), Some(1));
    let report = fs::read_to_string(dir.path().join("report")).unwrap();
    assert!(report.contains(r#""status":"done""#), "{report}");
}

/// A server that says seven bytes of every file, and how often it was asked.
fn seven_bytes() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = BufReader::new(socket.unwrap());
            while socket.by_ref().lines().next().is_some_and(|line| !line.unwrap().is_empty()) {}
            counter.fetch_add(1, Ordering::SeqCst);
            let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n";
            socket.get_mut().write_all(reply).unwrap();
        }
    });
    (url, asked)
}

#[test]
fn a_plan_asks_once_for_the_length_of_a_file_of_many_items() {
    let dir = tempfile::tempdir().unwrap();
    let (url, asked) = seven_bytes();
    let assets = json!({"shared": {"href": format!("{url}/shared.tif")}});
    let items: Vec<_> = (0..5).map(|n| item(&format!("i{n}"), &assets)).collect();
    write(&dir.path().join("items.json"), &json!({"type": "FeatureCollection", "features": items}));
    let planned =
        holdall(dir.path(), &["stac", "download", "items.json", "out", "--dry-run", "--json"]);
    assert!(planned.status.success(), "{}", err(&planned));
    let sizes: Vec<_> = lines(&planned).iter().map(|line| line["size"].as_u64()).collect();
    assert_eq!(sizes, [Some(7); 5]);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_server_that_only_a_document_names_gets_no_credentials() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(String::new()));
    let log = seen.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = BufReader::new(socket.unwrap());
            for line in
                socket.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty())
            {
                log.lock().unwrap().push_str(&line);
            }
            let reply = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            socket.get_mut().write_all(reply).unwrap();
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let mut json = item("i", &json!({"a": {"href": "s3://b/k", "storage:refs": ["own"]}}));
    json["properties"]["storage:schemes"] = json!({"own": {"type": "custom-s3", "platform": url}});
    json["properties"]["storage:requester_pays"] = json!(true);
    write(&dir.path().join("item.json"), &json);
    let run = |more: &[&str], endpoint: Option<&str>, token: &str| {
        seen.lock().unwrap().clear();
        let arguments = ["stac", "download", "item.json", "out", "--s3-max-attempts", "1"];
        let mut command = command(dir.path(), &[&arguments[..], more].concat());
        for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"] {
            command.env_remove(name);
        }
        for (name, value) in
            [("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "s"), ("SESSION_TOKEN", token)]
        {
            command.env(format!("AWS_{name}"), value);
        }
        command.envs(endpoint.map(|url| ("AWS_ENDPOINT_URL", url)));
        let failed = command.output().unwrap();
        (err(&failed), seen.lock().unwrap().to_ascii_lowercase())
    };
    let (said, asked) = run(&[], None, "token");
    assert!(said.contains("--s3-endpoint-url"), "{said}");
    assert!(
        asked.contains("/b/k") && !asked.contains("amz") && !asked.contains("authorization"),
        "{asked}"
    );
    // A signature by keys that last tells nothing secret, and is given to whoever refuses strangers.
    let (_, asked) = run(&[], None, "");
    let count = |what: &str| asked.matches(what).count();
    assert_eq!((count("get /b/k"), count("authorization: aws4-hmac-sha256")), (2, 1), "{asked}");
    let (_, asked) = run(&[], Some(&url), "token");
    assert!(asked.contains("x-amz-security-token: token"), "{asked}");
    let (_, asked) = run(&["--s3-endpoint-url", &url], None, "token");
    assert!(asked.contains("x-amz-security-token: token"), "{asked}");
}

#[test]
fn a_failure_that_ends_everything_is_told_once() {
    let dir = tree();
    let arguments = ["stac", "download", "in/item.json", "out", "--fail-fast", "-i", "gone"];
    let said = err(&holdall(dir.path(), &arguments));
    assert_eq!(
        (said.matches("gone.txt").count(), said.matches("one[gone] - ").count()),
        (1, 1),
        "{said}"
    );
}

#[test]
fn quiet_verification_prints_errors_only() {
    let dir = tree();
    let run = |key: &str| holdall(dir.path(), &["stac", "verify", "in/item.json", "-q", "-i", key]);
    assert_eq!(out(&run("data")), "");
    let failed = run("gone");
    assert_eq!((failed.status.code(), failed.stdout.len()), (Some(3), 0));
    assert!(err(&failed).contains("one[gone]"));
}

#[test]
fn assets_that_are_a_list_are_said() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("item.json"), &item("odd", &json!(["a.tif"])));
    for arguments in
        [&["download", "item.json", "out"][..], &["info", "item.json"], &["verify", "item.json"]]
    {
        let failed = holdall(dir.path(), &[&["stac"], arguments].concat());
        assert_eq!(failed.status.code(), Some(1));
        assert!(err(&failed).contains("the assets of 'odd' are a list"), "{}", err(&failed));
    }
    write(&dir.path().join("item.json"), &item("none", &Value::Null));
    out(&holdall(dir.path(), &["stac", "download", "item.json", "out"]));
}

#[test]
fn a_checksum_of_another_file_is_not_written_down() {
    let dir = tree();
    let wrong = json!({"data": {"href": "./image.tif", "file:size": 99, "file:checksum": IMAGE}});
    write(&dir.path().join("in/wrong.json"), &item("wrong", &wrong));
    for arguments in [&["copy"][..], &["upload", "--checksum", "none"]] {
        let rest = ["in/wrong.json", "out", "--no-verify", "-f", "item.json"];
        out(&holdall(dir.path(), &[&["stac"], arguments, &rest].concat()));
        let text = fs::read_to_string(dir.path().join("out/item.json")).unwrap();
        let written: Value = serde_json::from_str(&text).unwrap();
        let asset = &written["assets"]["data"];
        assert_eq!((&asset["file:size"], asset.get("file:checksum")), (&json!(5), None), "{text}");
    }
}

#[test]
fn help_puts_options_under_what_they_are_of() {
    let dir = tempfile::tempdir().unwrap();
    let help = out(&holdall(dir.path(), &["stac", "download", "--help"]));
    let under = |heading: &str| {
        let (_, text) = help.split_once(&format!("\n{heading}:\n")).unwrap();
        text.split("\n\n").next().unwrap().to_owned()
    };
    assert!(under("Moving").contains("--dry-run"));
    assert!(!under("OAuth2").contains("--dry-run"));
    assert!(under("Global options").contains("--json"));
}
