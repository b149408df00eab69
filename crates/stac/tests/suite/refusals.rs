//! Logins and tokens that are refused, or run out: how often services are asked, and what is said.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use holdall_stac::{
    ClientConfig, Clients, Depth, ErrorKind, Kind, Location, OAuth2, Place, PlanOptions, Report,
    TransferOptions, info, transfer,
};
use holdall_store::Store;
use holdall_store::memory::MemoryStore;
use serde_json::{Value, json};

use crate::server::{Reply, Request, Server};
use crate::{document, item, nobody};

async fn download(config: &ClientConfig, item: &Value, to: &Path) -> Report {
    let clients = Clients::new(config.clone()).unwrap();
    let options = TransferOptions::download(Kind::Item, None);
    let place = Place::Local(to.to_owned());
    transfer(&clients, &mut document(item), &place, &options, nobody()).await.unwrap()
}

fn failures(report: &Report) -> Vec<String> {
    report.failures().map(|(_, error)| error.to_string()).collect()
}

fn assets(count: usize, href: impl Fn(usize) -> String) -> Value {
    let assets = (0..count).map(|n| (format!("a{n}"), json!({"href": href(n)})));
    item("i", Value::Object(assets.collect()))
}

fn location(href: &str) -> Location {
    Location { href: href.to_owned(), ..Location::default() }
}

/// An archive of Earthdata that sends whoever lacks the token to the login page, which is a page for people.
async fn earthdata() -> (Server, Server) {
    let (archive, login) = (Server::start().await, Server::start().await);
    login.add("/oauth/authorize", "<html>Earthdata Login</html>", "text/html; charset=utf-8");
    let large = vec![7; 9 << 20];
    for (path, data) in [("/a.tif", vec![1; 20]), ("/n.h5", vec![2; 20]), ("/large.tif", large)] {
        let page = format!("{}/oauth/authorize?client_id=x", login.url);
        archive.on(path, move |request| match request.header("authorization") {
            Some("Bearer right") => Reply { status: 200, body: data.clone(), ..Reply::default() },
            _ => {
                Reply { headers: vec![("Location".to_owned(), page.clone())], ..Reply::status(302) }
            }
        });
    }
    (archive, login)
}

#[tokio::test]
async fn a_login_page_is_no_asset() {
    let (archive, login) = earthdata().await;
    let href = |name: &str| format!("{}/{name}", archive.url);
    let item = item(
        "i",
        json!({
            "tif": {"href": href("a.tif"), "type": "image/tiff"},
            "untyped": {"href": href("n.h5")},
            "large": {"href": href("large.tif"), "file:size": 9 << 20},
        }),
    );
    let config = ClientConfig {
        client_override: Some("earthdata".to_owned()),
        earthdata_token: Some("st4le".to_owned()),
        earthdata_login: Some(login.url.clone()),
        ..ClientConfig::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let plain = ClientConfig { client_override: None, ..config.clone() };
    for config in [&config, &plain] {
        let report = download(config, &item, dir.path()).await;
        assert_eq!(report.failures().count(), 3, "{:?}", report.outcomes);
        for (_, error) in report.failures() {
            assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
            let text = error.to_string();
            assert!(text.contains("make a new token") && text.contains("~/.netrc"), "{text}");
            assert!(text.contains(&archive.url) && !text.contains("st4le"), "{text}");
        }
        assert!(crate::names(&dir).iter().all(|name| name.ends_with(".json")), "{dir:?}");

        let clients = Clients::new(config.clone()).unwrap();
        let there = location(&href("a.tif"));
        let errors = [
            clients.read(&there, 0, None).await.unwrap_err(),
            clients.read(&there, 2, Some(4)).await.unwrap_err(),
            clients.open(&there, None).await.unwrap_err(),
            clients.assert_exists(&there).await.unwrap_err(),
            clients.read_document(&there.href).await.unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.kind() == ErrorKind::Authentication), "{errors:?}");
        for depth in [Depth::Existence, Depth::Content] {
            let found = info(&clients, &document(&item), &PlanOptions::default(), depth).await;
            assert!(found.unwrap().iter().all(|found| found.exists == Some(false)));
        }
    }

    let right = ClientConfig { earthdata_token: Some("right".to_owned()), ..config };
    let report = download(&right, &item, dir.path()).await;
    assert_eq!(failures(&report), [""; 0]);
    assert_eq!(std::fs::read(dir.path().join("a.tif")).unwrap(), [1; 20]);
    assert_eq!(std::fs::read(dir.path().join("large.tif")).unwrap(), vec![7; 9 << 20]);
}

#[tokio::test]
async fn nasa_s_own_login_page_is_known() {
    let proxy = Server::start().await;
    let page = "http://urs.earthdata.nasa.gov/oauth/authorize";
    proxy.on(page, |_| Reply { status: 200, body: b"<html>".to_vec(), ..Reply::default() });
    let archive = "http://data.earthdata.nasa.gov";
    for path in ["a.tif", "s3credentials"] {
        proxy.on(&format!("{archive}/{path}"), move |_| Reply {
            headers: vec![("Location".to_owned(), format!("{page}?client_id=x"))],
            ..Reply::status(302)
        });
    }
    let item = item(
        "i",
        json!({
            "http": {"href": format!("{archive}/a.tif")}, "s3": {"href": "s3://podaac-ops/b.tif"},
        }),
    );
    let told = json!({"item": item, "keys": format!("{archive}/s3credentials")});
    let user = [("http_proxy", &*proxy.url), ("EARTHDATA_TOKEN", "st4le")];
    let dir = tempfile::tempdir().unwrap();
    let failures = failures_of(told, dir.path(), &user).await;
    assert_eq!(failures.len(), 2, "{failures:?}");
    for text in failures {
        assert!(text.contains("make a new token") && !text.contains("st4le"), "{text}");
    }
}

#[tokio::test]
async fn a_page_of_another_host_may_be_an_asset() {
    let (archive, other) = (Server::start().await, Server::start().await);
    let page = other.add("/oauth/authorize", "<html>data</html>", "text/html");
    archive.on("/index.html", move |_| Reply {
        headers: vec![("Location".to_owned(), page.clone())],
        ..Reply::status(302)
    });
    let config = ClientConfig {
        client_override: Some("earthdata".to_owned()),
        earthdata_token: Some("right".to_owned()),
        ..ClientConfig::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let item = assets(1, |_| format!("{}/index.html", archive.url));
    let report = download(&config, &item, dir.path()).await;
    assert_eq!(failures(&report), [""; 0]);
    assert_eq!(std::fs::read(dir.path().join("index.html")).unwrap(), b"<html>data</html>");
}

/// A user with an environment of his own. It does nothing unless it is told to.
#[tokio::test]
async fn downloads_what_it_is_told() {
    let Ok(told) = std::env::var("HOLDALL_TEST_TOLD") else { return };
    let told: Value = serde_json::from_str(&told).unwrap();
    let text = |name: &str| told[name].as_str().map(str::to_owned);
    let config = ClientConfig {
        client_override: text("client"),
        earthdata_login: text("login"),
        earthdata_s3_credentials: text("keys"),
        sas_token_endpoint: text("tokens"),
        http_max_attempts: 2,
        ..ClientConfig::default()
    };
    let failures = match text("does").as_deref() {
        Some("copy") => failures(&copy(&config, &told["item"]).await),
        Some(_) => look(&config, &told["item"]).await,
        None => failures(&download(&config, &told["item"], Path::new(&text("to").unwrap())).await),
    };
    std::fs::write(text("failures").unwrap(), json!(failures).to_string()).unwrap();
}

async fn copy(config: &ClientConfig, item: &Value) -> Report {
    let store = Store::new(Arc::new(MemoryStore::new()));
    let (clients, place) =
        (Clients::new(config.clone()).unwrap(), Place::Store(store, "to".into()));
    let options = TransferOptions::publish(None);
    transfer(&clients, &mut document(item), &place, &options, nobody()).await.unwrap()
}

/// Opens each asset and reads a part of it, as programs do that need no more.
async fn look(config: &ClientConfig, item: &Value) -> Vec<String> {
    let clients = Clients::new(config.clone()).unwrap();
    let mut failures = Vec::new();
    for asset in item["assets"].as_object().unwrap().values() {
        let location = location(asset["href"].as_str().unwrap());
        let looked = async {
            let head = clients.head(&location).await?;
            clients.read_of(&head, &location, 1, 3).await?;
            clients.open(&location, None).await
        };
        failures.extend(looked.await.err().map(|error| error.to_string()));
    }
    failures
}

/// What failed for a user in an environment.
async fn failures_of(mut told: Value, to: &Path, environment: &[(&str, &str)]) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let failures = home.path().join("failures.json");
    told["failures"] = json!(failures);
    told["to"] = json!(to);
    let mut user = tokio::process::Command::new(std::env::current_exe().unwrap());
    user.args(["--exact", "refusals::downloads_what_it_is_told"]);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().to_uppercase();
        if ["AZURE_", "EARTHDATA_", "PC_SDK_", "NETRC"].iter().any(|own| name.starts_with(own)) {
            user.env_remove(name);
        }
    }
    user.env("HOME", home.path()).env("HOLDALL_TEST_TOLD", told.to_string());
    let done = user.envs(environment.iter().copied()).output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    serde_json::from_slice(&std::fs::read(failures).unwrap()).unwrap()
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let (archive, login) = earthdata().await;
    login.on("/api/users/find_or_create_token", |request| {
        match request.header("authorization") {
            // me:right
            Some("Basic bWU6cmlnaHQ=") => Reply::json(&json!({"access_token": "right"})),
            _ => Reply::status(401),
        }
    });
    let many = assets(10, |n| format!("{}/{n}.tif", archive.url));
    let one = assets(1, |_| format!("{}/a.tif", archive.url));
    for (password, item, failed) in [("wr0ng", many, 10), ("right", one, 0)] {
        let dir = tempfile::tempdir().unwrap();
        let user = [("EARTHDATA_USERNAME", "me"), ("EARTHDATA_PASSWORD", password)];
        let before = login.seen("/api/users/find_or_create_token").len();
        let told = json!({"item": item, "client": "earthdata", "login": login.url});
        let failures = failures_of(told, dir.path(), &user).await;
        assert_eq!(failures.len(), failed, "{failures:?}");
        for text in failures {
            for name in ["401", "EARTHDATA_USERNAME", "~/.netrc", "EARTHDATA_TOKEN"] {
                assert!(text.contains(name), "{text}");
            }
            assert!(!text.contains(password), "{text}");
        }
        assert_eq!(login.seen("/api/users/find_or_create_token").len() - before, 1);
    }
}

const CONTAINER: &str = "http://acc.blob.core.windows.net/c";

/// The Planetary Computer: its tokens, each of another signature, and a proxy behind which its blobs are.
struct Planetary {
    server: Server,
    given: Arc<AtomicUsize>,
}

impl Planetary {
    async fn start() -> Self {
        let (server, given) = (Server::start().await, Arc::new(AtomicUsize::new(0)));
        let own = given.clone();
        server.on("/tokens/acc/c", move |_| {
            let sig = format!("sp=r&sig=s3cret{}", own.fetch_add(1, Ordering::SeqCst) + 1);
            Reply::json(&json!({"msft:expiry": "2999-01-01T00:00:00Z", "token": sig}))
        });
        Self { server, given }
    }

    /// A blob of which requests are answered that `takes` takes.
    fn blob(
        &self,
        name: &str,
        data: &[u8],
        takes: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
    ) {
        let data = data.to_vec();
        self.server.on(&format!("{CONTAINER}/{name}"), move |request| {
            takes(request).unwrap_or_else(|| ranged(request, &data))
        });
    }

    async fn failures(&self, item: &Value, to: &Path) -> Vec<String> {
        self.failures_of(item, to, None).await
    }

    async fn failures_of(&self, item: &Value, to: &Path, does: Option<&str>) -> Vec<String> {
        let tokens = format!("{}/tokens", self.server.url);
        let told = json!({"item": item, "tokens": tokens, "does": does});
        let proxy = [("http_proxy", &*self.server.url), ("no_proxy", "127.0.0.1")];
        failures_of(told, to, &proxy).await
    }
}

fn ranged(request: &Request, data: &[u8]) -> Reply {
    let tag = ("ETag".to_owned(), "\"1\"".to_owned());
    let range = request.header("range").and_then(|range| range.strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
        return Reply { status: 200, headers: vec![tag], body: data.to_vec(), ..Reply::default() };
    };
    let (start, last) = (first.parse().unwrap(), last.parse().unwrap_or(data.len() - 1));
    let end = data.len().min(last + 1);
    let range = format!("bytes {start}-{}/{}", end - 1, data.len());
    let headers = vec![tag, ("Content-Range".to_owned(), range)];
    Reply { status: 206, headers, body: data[start..end].to_vec(), ..Reply::default() }
}

fn is_signed(request: &Request, number: usize) -> bool {
    request.target.ends_with(&format!("sig=s3cret{number}"))
}

#[tokio::test]
async fn a_service_that_gives_no_tokens_is_asked_once_for_a_container() {
    let item = assets(40, |n| format!("{CONTAINER}/a{n}"));
    for (status, requests, failed) in [(404, 1, 0), (403, 1, 0), (429, 2, 40), (500, 2, 40)] {
        let planetary = Planetary::start().await;
        planetary.server.on("/tokens/acc/c", move |_| Reply::status(status));
        for n in 0..40 {
            planetary.blob(&format!("a{n}"), b"data", |_| None);
        }
        let dir = tempfile::tempdir().unwrap();
        let failures = planetary.failures(&item, dir.path()).await;
        // Containers that are not the Planetary Computer's can be open to all.
        assert_eq!(failures.len(), failed, "{failures:?}");
        assert!(failures.iter().all(|text| text.contains(&status.to_string())), "{failures:?}");
        assert_eq!(planetary.server.seen("/tokens/acc/c").len(), requests, "{status}");
    }
}

#[tokio::test]
async fn a_token_that_runs_out_on_the_way_is_renewed() {
    let planetary = Planetary::start().await;
    let data: Vec<u8> = (0..9 << 20).map(|n: u32| (n / 7) as u8).collect();
    let refused = |request: &Request| (!is_signed(request, 2)).then(|| Reply::status(403));
    for n in 0..10 {
        planetary.blob(&format!("a{n}"), b"data", refused);
    }
    planetary.blob("large", &data, refused);
    let (half, begun) = (data[..2000].to_vec(), AtomicUsize::new(0));
    planetary.blob("half", &data[..2000], move |request| {
        if begun.fetch_add(1, Ordering::SeqCst) > 0 {
            return (!is_signed(request, 2)).then(|| Reply::status(403));
        }
        // With the token of the beginning, whichever that is.
        Some(Reply { breaks: true, ..ranged(request, &half) })
    });
    let dir = tempfile::tempdir().unwrap();
    let mut item = assets(10, |n| format!("{CONTAINER}/a{n}"));
    item["assets"]["large"] =
        json!({"href": format!("{CONTAINER}/large"), "file:size": data.len()});
    item["assets"]["half"] = json!({"href": format!("{CONTAINER}/half")});
    assert_eq!(planetary.failures(&item, dir.path()).await, [""; 0]);
    assert_eq!(std::fs::read(dir.path().join("a9")).unwrap(), b"data");
    assert!(std::fs::read(dir.path().join("large")).unwrap() == data);
    assert!(std::fs::read(dir.path().join("half")).unwrap() == data[..2000]);
    assert_eq!(planetary.given.load(Ordering::SeqCst), 2);
    let half = planetary.server.seen(&format!("{CONTAINER}/half"));
    let last = half.last().unwrap();
    assert_eq!(
        (last.header("range"), last.header("if-range")),
        (Some("bytes=1000-"), Some("\"1\""))
    );
}

#[tokio::test]
async fn a_body_that_broke_off_goes_on_with_a_new_token() {
    let planetary = Planetary::start().await;
    let data: Vec<u8> = (0..2000).map(|n: u32| n as u8).collect();
    let whole = data.clone();
    planetary.blob("a", &data, move |request| match request.header("range") {
        None => Some(Reply { breaks: true, ..ranged(request, &whole) }),
        Some(_) => is_signed(request, 1).then(|| Reply::status(403)),
    });
    let dir = tempfile::tempdir().unwrap();
    let item = assets(1, |_| format!("{CONTAINER}/a"));
    assert_eq!(planetary.failures(&item, dir.path()).await, [""; 0]);
    assert!(std::fs::read(dir.path().join("a")).unwrap() == data);
    let seen = planetary.server.seen(&format!("{CONTAINER}/a"));
    let seen: Vec<_> = seen.iter().map(|seen| (is_signed(seen, 1), seen.header("range"))).collect();
    let rest = Some("bytes=1000-");
    assert_eq!(seen, [(true, None), (true, rest), (false, rest)]);
}

#[tokio::test]
async fn tokens_are_renewed_for_whoever_copies_or_looks_into_an_asset() {
    for does in ["copy", "look"] {
        let planetary = Planetary::start().await;
        let refused = |request: &Request| (!is_signed(request, 2)).then(|| Reply::status(403));
        let data = vec![7; 9 << 20];
        planetary.blob("small", &data[..20], refused);
        planetary.blob("large", &data, refused);
        let item = item(
            "i",
            json!({
                "small": {"href": format!("{CONTAINER}/small")},
                "large": {"href": format!("{CONTAINER}/large")},
            }),
        );
        let failures = planetary.failures_of(&item, Path::new(""), Some(does)).await;
        assert_eq!(failures, [""; 0], "{does}");
        assert_eq!(planetary.given.load(Ordering::SeqCst), 2, "{does}");
    }
}

#[tokio::test]
async fn tokens_that_are_always_refused_are_renewed_once() {
    let planetary = Planetary::start().await;
    for n in 0..20 {
        planetary.blob(&format!("a{n}"), b"data", |_| Some(Reply::status(403)));
    }
    let dir = tempfile::tempdir().unwrap();
    let item = assets(20, |n| format!("{CONTAINER}/a{n}"));
    let failures = planetary.failures(&item, dir.path()).await;
    assert_eq!(failures.len(), 20);
    assert!(failures.iter().all(|text| text.contains("403") && !text.contains("s3cret")));
    assert_eq!(planetary.given.load(Ordering::SeqCst), 2);
}

fn oauth2(server: &Server, grant: &str) -> ClientConfig {
    let url = |path: &str| Some(format!("{}{path}", server.url));
    ClientConfig {
        oauth2: Some(OAuth2 {
            grant: grant.to_owned(),
            token_url: url("/token"),
            device_authorization_url: url("/device"),
            client_id: Some("me".to_owned()),
            username: Some("me".to_owned()),
            password: Some("s3cret".to_owned()),
            ..OAuth2::default()
        }),
        ..ClientConfig::default()
    }
}

fn refusal(error: &str) -> Reply {
    Reply { status: 400, ..Reply::json(&json!({"error": error})) }
}

#[tokio::test]
async fn a_login_that_was_refused_is_not_asked_for_again() {
    for (grant, error, hint) in [
        ("device_code", "access_denied", "run it again"),
        ("device_code", "expired_token", "run it again"),
        ("password", "invalid_grant", "check oauth2_username and oauth2_password"),
        ("password", "invalid_client", "check oauth2_client_id"),
    ] {
        let server = Server::start().await;
        server.on("/device", |_| {
            Reply::json(&json!({
                "device_code": "d3vice", "user_code": "ABCD", "verification_uri": "https://h/activate",
                "interval": "0.01", "expires_in": "60",
            }))
        });
        server.on("/token", move |_| refusal(error));
        let dir = tempfile::tempdir().unwrap();
        let item = assets(5, |n| server.add(&format!("/a{n}"), "data", ""));
        let report = download(&oauth2(&server, grant), &item, dir.path()).await;
        assert_eq!(report.failures().count(), 5);
        for (_, failure) in report.failures() {
            assert_eq!(failure.kind(), ErrorKind::Authentication, "{failure}");
            let text = failure.to_string();
            assert!(text.contains(error) && text.contains(hint), "{text}");
            assert!(!text.contains("s3cret") && !text.contains("d3vice"), "{text}");
        }
        assert_eq!(server.seen("/token").len(), 1, "{grant}");
        assert!(server.seen("/device").len() <= 1);
    }
}

#[tokio::test]
async fn a_token_that_is_refused_before_its_time_is_refreshed_once() {
    for (taken, failed, requests) in [("Bearer t2", 0, 2), ("Bearer never", 5, 2)] {
        let server = Server::start().await;
        let asked = AtomicUsize::new(0);
        server.on("/token", move |_| {
            let token = format!("t{}", asked.fetch_add(1, Ordering::SeqCst) + 1);
            Reply::json(&json!({
                "access_token": token, "refresh_token": "again", "expires_in": "3600",
            }))
        });
        let item = assets(5, |n| format!("{}/a{n}", server.url));
        for n in 0..5 {
            server.on(&format!("/a{n}"), move |request| {
                match request.header("authorization") == Some(taken) {
                    true => Reply { status: 200, body: b"data".to_vec(), ..Reply::default() },
                    false => Reply::status(401),
                }
            });
        }
        let dir = tempfile::tempdir().unwrap();
        let report = download(&oauth2(&server, "password"), &item, dir.path()).await;
        assert_eq!(report.failures().count(), failed, "{:?}", report.outcomes);
        let forms = server.seen("/token");
        assert_eq!(forms.len(), requests);
        assert!(forms[1].body.contains("grant_type=refresh_token&refresh_token=again"));
    }
}
