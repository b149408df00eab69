//! Who is told which secret, and logins.

use std::sync::{Arc, Mutex};

use holdall_stac::asset::AssetView;
use holdall_stac::{
    ClientConfig, Clients, Credential, ErrorKind, Hints, Kind, Location, OAuth2, Report,
    TransferOptions, transfer,
};
use serde_json::{Value, json};

use crate::server::{Reply, Request, Server};
use crate::{document, item, nobody, place};

async fn download(clients: &Clients, json: &Value) -> (Report, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut document = document(json);
    let options = TransferOptions::download(Kind::Item, None);
    let report = transfer(clients, &mut document, &place(&dir), &options, nobody()).await.unwrap();
    (report, dir)
}

fn signing(api: &str, method: &str, parameters: Value, field: Option<&str>) -> Value {
    let mut flow = json!({"authorizationApi": api, "method": method, "parameters": parameters});
    if let Some(field) = field {
        flow["responseField"] = field.into();
    }
    json!({"type": "signedUrl", "flows": {"authorizationCode": flow}})
}

fn signed_item(href: &str, scheme: Value) -> Value {
    let mut item = item("i", json!({"data": {"href": href, "auth:refs": ["sign"]}}));
    item["properties"]["auth:schemes"] = json!({"sign": scheme});
    item
}

#[tokio::test]
async fn hrefs_are_signed_by_the_service_of_their_document() {
    let (site, signer) = (Server::start().await, Server::start().await);
    let target = site.url.clone();
    site.on("/bucket/a%20b.bin", |request| match request.target.contains("sig=1") {
        true => Reply { status: 200, body: b"data".to_vec(), ..Reply::default() },
        false => Reply::status(403),
    });
    signer.on("/sign", move |request: &Request| {
        let asked: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(asked, json!({"bucket": "bucket", "key": "a b.bin"}));
        assert_eq!(request.header("authorization"), Some("Bearer t0ken"));
        assert_eq!(request.header("x-mine"), None, "headers of the user are not the signer's");
        Reply::json(&json!({"signed": format!("{target}/bucket/a%20b.bin?sig=1")}))
    });
    let parameters = json!({
        "bucket": {"in": "body", "required": true}, "key": {"in": "body", "required": true},
        "duration": {"in": "body", "required": false},
    });
    let scheme = signing(&format!("{}/sign", signer.url), "POST", parameters, Some("signed"));
    let item = signed_item("s3://bucket/a%20b.bin", scheme);
    let clients = Clients::new(ClientConfig {
        http_headers: vec![("X-Mine".to_owned(), "1".to_owned())],
        credentials: vec![("sign".to_owned(), Credential::Bearer("t0ken".to_owned()))],
        ..ClientConfig::default()
    });
    let clients = clients.unwrap();
    let (report, dir) = download(&clients, &item).await;
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    assert_eq!(std::fs::read(dir.path().join("a b.bin")).unwrap(), b"data");
    let seen = site.seen("/bucket/a%20b.bin");
    assert!(seen.iter().all(|request| request.header("authorization").is_none()));
    assert!(seen.iter().all(|request| request.header("x-mine").is_none()));
}

#[tokio::test]
async fn a_signature_is_asked_for_once_and_its_failure_says_what_to_do() {
    let server = Server::start().await;
    let href = server.add("/a.bin", "data", "text/plain");
    let signed = format!("{href}?sig=1");
    server.on("/sign", move |request| {
        assert!(request.target.contains("href=http%3A%2F%2F"), "{}", request.target);
        Reply::json(&json!({"href": signed}))
    });
    let parameters = json!({"href": {"in": "query", "required": true}});
    let scheme = signing(&format!("{}/sign", server.url), "get", parameters, None);
    let clients = crate::clients();
    for _ in 0..3 {
        let (report, _dir) = download(&clients, &signed_item(&href, scheme.clone())).await;
        assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    }
    assert_eq!(server.seen("/sign").len(), 1);

    server.on("/refuse", |_| Reply::status(401));
    let refusing = signing(&format!("{}/refuse", server.url), "GET", json!({}), None);
    let (report, _dir) = download(&clients, &signed_item(&href, refusing)).await;
    let error = report.failures().next().unwrap().1.to_string();
    assert!(error.contains("give a credential for 'sign'"), "{error}");

    let unknown = json!({"licence": {"in": "query", "required": true}});
    let unknown = signing(&format!("{}/sign", server.url), "GET", unknown, None);
    let (report, _dir) = download(&clients, &signed_item(&href, unknown)).await;
    let (_, error) = report.failures().next().unwrap();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.to_string().contains("wants 'licence'"), "{error}");
}

/// A provider of tokens, which checks the proof of whoever redeems a code.
async fn provider(server: &Server) -> Arc<Mutex<Vec<String>>> {
    let forms = Arc::new(Mutex::new(Vec::new()));
    let seen = forms.clone();
    server.on("/token", move |request| {
        let mut seen = seen.lock().unwrap();
        seen.push(request.body.clone());
        let waits = request.body.contains("device_code") && seen.len() < 2;
        if waits {
            return Reply {
                status: 400,
                ..Reply::json(&json!({"error": "authorization_pending"}))
            };
        }
        Reply::json(&json!({"access_token": format!("t{}", seen.len()), "expires_in": 3600}))
    });
    forms
}

fn field(text: &str, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn challenge_of(verifier: &str) -> String {
    use base64::Engine;
    use sha2::Digest;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier.as_bytes()))
}

fn prompted(config: &mut ClientConfig) -> Arc<Mutex<Vec<String>>> {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let own = shown.clone();
    config.prompt = Some(Arc::new(move |text: &str| own.lock().unwrap().push(text.to_owned())));
    shown
}

#[tokio::test]
async fn a_code_is_typed_on_another_device() {
    let server = Server::start().await;
    let forms = provider(&server).await;
    server.on("/device", |_| {
        Reply::json(&json!({
            "device_code": "d", "user_code": "ABCD", "verification_uri": "https://h/activate", "interval": 0.01,
        }))
    });
    let href = server.add("/a.bin", "data", "");
    let mut config = ClientConfig {
        oauth2: Some(OAuth2 {
            grant: "device_code".to_owned(),
            token_url: Some(format!("{}/token", server.url)),
            device_authorization_url: Some(format!("{}/device", server.url)),
            client_id: Some("me".to_owned()),
            pkce: true,
            extra: vec![("scope".to_owned(), "read".to_owned())],
            ..OAuth2::default()
        }),
        ..ClientConfig::default()
    };
    let shown = prompted(&mut config);
    let clients = Clients::new(config).unwrap();
    let (report, _dir) = download(&clients, &item("i", json!({"a": {"href": href}}))).await;
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    assert_eq!(*shown.lock().unwrap(), ["log in at https://h/activate with the code ABCD"]);
    let asked = &server.seen("/device")[0].body;
    assert_eq!(field(asked, "scope").as_deref(), Some("read"));
    let forms = forms.lock().unwrap();
    let verifier = field(&forms[1], "code_verifier").unwrap();
    assert_eq!(field(asked, "code_challenge"), Some(challenge_of(&verifier)));
    assert_eq!(server.seen("/a.bin")[0].header("authorization"), Some("Bearer t2"));
}

#[tokio::test]
async fn a_credential_is_for_a_host_or_for_one_port_of_it() {
    let (one, other) = (Server::start().await, Server::start().await);
    let server = one.url.strip_prefix("http://").unwrap().to_owned();
    let host = server.split(':').next().unwrap().to_owned();
    let bearer = |key: &str, token: &str| (key.to_owned(), Credential::Bearer(token.to_owned()));
    let config = ClientConfig {
        credentials: vec![bearer(&host, "any"), bearer(&server, "one")],
        ..ClientConfig::default()
    };
    let (a, b) = (one.add("/a.bin", "a", ""), other.add("/b.bin", "b", ""));
    let assets = json!({"a": {"href": a}, "b": {"href": b}});
    let (report, _dir) = download(&Clients::new(config).unwrap(), &item("i", assets)).await;
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    assert_eq!(one.seen("/a.bin")[0].header("authorization"), Some("Bearer one"));
    assert_eq!(other.seen("/b.bin")[0].header("authorization"), Some("Bearer any"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_comes_back_with_a_code() {
    let server = Server::start().await;
    let forms = provider(&server).await;
    let href = server.add("/a.bin", "data", "");
    let mut config = ClientConfig {
        oauth2: Some(OAuth2 {
            grant: "authorization_code".to_owned(),
            token_url: Some(format!("{}/token", server.url)),
            authorization_url: Some(format!("{}/authorize?tenant=1", server.url)),
            client_id: Some("me".to_owned()),
            pkce: true,
            ..OAuth2::default()
        }),
        ..ClientConfig::default()
    };
    let page = Arc::new(Mutex::new(None));
    let (own, runtime) = (page.clone(), tokio::runtime::Handle::current());
    // The user: opens the page and agrees, which sends the browser back.
    config.prompt = Some(Arc::new(move |text: &str| {
        let url = url::Url::parse(text.rsplit(' ').next().unwrap()).unwrap();
        *own.lock().unwrap() = Some(url.clone());
        let find = |name: &str| field(url.query().unwrap(), name).unwrap();
        let back = format!("{}?code=c0de&state={}", find("redirect_uri"), find("state"));
        let port = url::Url::parse(&back).unwrap().port().unwrap();
        runtime.spawn(async move {
            // Opened ahead, as browsers do, and never used.
            let _idle = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let clients = crate::clients();
            let forged = back.replace("state=", "state=x");
            for href in [forged, back] {
                let location = holdall_stac::Location { href, ..Default::default() };
                drop(clients.read(&location, 0, None).await);
            }
        });
    }));
    let clients = Clients::new(config).unwrap();
    let (report, _dir) = download(&clients, &item("i", json!({"a": {"href": href}}))).await;
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    let page = page.lock().unwrap().clone().unwrap();
    let query = page.query().unwrap();
    assert_eq!(field(query, "tenant").as_deref(), Some("1"));
    let forms = forms.lock().unwrap();
    assert_eq!(field(&forms[0], "code").as_deref(), Some("c0de"));
    assert_eq!(field(&forms[0], "redirect_uri"), field(query, "redirect_uri"));
    let verifier = field(&forms[0], "code_verifier").unwrap();
    assert_eq!(field(query, "code_challenge"), Some(challenge_of(&verifier)));
    assert_eq!(server.seen("/a.bin")[0].header("authorization"), Some("Bearer t1"));
}

/// An archive that gives keys to whoever has the token, and its bucket, which takes these keys.
fn archive(server: &Server) {
    server.on("/s3credentials", |request| match request.header("authorization") {
        Some("Bearer t0ken") => Reply::json(&json!({
            "accessKeyId": "ASIATEMPORARY", "secretAccessKey": "s3cret", "sessionToken": "s3ssion",
            "expiration": "2999-01-01 00:00:00+00:00",
        })),
        _ => Reply {
            headers: vec![("Location".to_owned(), "/login".to_owned())],
            ..Reply::status(302)
        },
    });
    server.add("/login", "<html>a page for people</html>", "text/html");
    for name in ["a.bin", "b.bin"] {
        server.on(&format!("/podaac-ops/{name}"), |request| {
            let signed = request.header("authorization").unwrap_or_default();
            let own =
                signed.contains("Credential=ASIATEMPORARY/") && signed.contains("/us-west-2/");
            match own && request.header("x-amz-security-token") == Some("s3ssion") {
                true => Reply {
                    headers: vec![("ETag".to_owned(), "\"1\"".to_owned())],
                    body: b"data".to_vec(),
                    ..Reply::status(200)
                },
                false => Reply::status(403),
            }
        });
    }
}

#[tokio::test]
async fn nasa_s_buckets_are_read_with_keys_for_an_hour() {
    let server = Server::start().await;
    archive(&server);
    let config = ClientConfig {
        earthdata_token: Some("t0ken".to_owned()),
        earthdata_s3_credentials: Some(format!("{}/s3credentials", server.url)),
        s3_endpoint_url: Some(server.url.clone()),
        ..ClientConfig::default()
    };
    let hrefs = json!({
        "a": {"href": "s3://podaac-ops/a.bin"}, "b": {"href": "s3://podaac-ops/b.bin"},
    });
    let clients = Clients::new(config.clone()).unwrap();
    let (report, dir) = download(&clients, &item("i", hrefs.clone())).await;
    assert_eq!(report.failures().count(), 0, "{:?}", report.outcomes);
    assert_eq!(std::fs::read(dir.path().join("b.bin")).unwrap(), b"data");
    assert_eq!(server.seen("/s3credentials").len(), 1);
    assert_eq!(server.seen("/podaac-ops/a.bin").len(), 1);

    let wrong = ClientConfig { earthdata_token: Some("old".to_owned()), ..config };
    let (report, _dir) = download(&Clients::new(wrong).unwrap(), &item("i", hrefs)).await;
    for (_, error) in report.failures() {
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
        assert!(error.to_string().contains("make a new token"), "{error}");
        assert!(!error.to_string().contains("old"), "{error}");
    }
    assert_eq!(server.seen("/s3credentials").len(), 2);
}

#[tokio::test]
async fn requests_to_buckets_are_made_as_often_as_was_said() {
    let server = Server::start().await;
    archive(&server);
    server.on("/podaac-ops/busy", |_| Reply::status(503));
    for attempts in [1, 3] {
        let config = ClientConfig {
            earthdata_token: Some("t0ken".to_owned()),
            earthdata_s3_credentials: Some(format!("{}/s3credentials", server.url)),
            s3_endpoint_url: Some(server.url.clone()),
            s3_max_attempts: attempts,
            ..ClientConfig::default()
        };
        let before = server.seen("/podaac-ops/busy").len();
        let hrefs = json!({"a": {"href": "s3://podaac-ops/busy"}});
        let (report, _dir) = download(&Clients::new(config).unwrap(), &item("i", hrefs)).await;
        assert_eq!(report.failures().count(), 1);
        // With the archive's keys, then with the user's own or none.
        assert_eq!(server.seen("/podaac-ops/busy").len() - before, 2 * attempts as usize);
    }
}

#[tokio::test]
async fn no_content_is_no_file() {
    let server = Server::start().await;
    server.on("/none", |_| Reply::status(204));
    server.on("/other", |_| Reply { status: 203, body: b"x".to_vec(), ..Reply::default() });
    let [none, other] =
        ["none", "other"].map(|name| json!({"href": format!("{}/{name}", server.url)}));
    let clients = Clients::new(ClientConfig::default()).unwrap();
    let (report, dir) = download(&clients, &item("i", json!({"a": none, "b": other}))).await;
    let failures: Vec<String> = report.failures().map(|(_, error)| error.to_string()).collect();
    assert!(failures.len() == 1 && failures[0].contains("204"), "{failures:?}");
    assert!(!dir.path().join("none").exists());
    assert_eq!(std::fs::read(dir.path().join("other")).unwrap(), b"x");
}

#[tokio::test]
async fn an_endpoint_may_have_the_bucket_in_it() {
    let server = Server::start().await;
    let platforms = [server.url.clone(), format!("{}/{{bucket}}", server.url)];
    server.add("/b/deep/k", b"k", "text/plain");
    for platform in platforms {
        let mut item = item("i", json!({"a": {"href": "s3://b/deep/k", "storage:refs": ["own"]}}));
        let scheme = json!({"type": "custom-s3", "platform": platform, "bucket": "b"});
        item["properties"]["storage:schemes"] = json!({"own": scheme});
        let clients = Clients::new(ClientConfig::default()).unwrap();
        let (report, dir) = download(&clients, &item).await;
        assert_eq!(report.failures().count(), 0, "{platform}: {:?}", report.outcomes);
        assert_eq!(std::fs::read(dir.path().join("k")).unwrap(), b"k");
    }
}

#[tokio::test]
async fn a_bucket_is_no_file() {
    let server = Server::start().await;
    archive(&server);
    server.on("/podaac-ops", |_| Reply {
        status: 200,
        body: b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".to_vec(),
        ..Reply::default()
    });
    let config = ClientConfig {
        earthdata_token: Some("t0ken".to_owned()),
        earthdata_s3_credentials: Some(format!("{}/s3credentials", server.url)),
        s3_endpoint_url: Some(server.url.clone()),
        ..ClientConfig::default()
    };
    let clients = Clients::new(config).unwrap();
    for href in ["s3://podaac-ops", "s3://podaac-ops/"] {
        let location = holdall_stac::Location { href: href.to_owned(), ..Default::default() };
        let error = clients.read(&location, 0, None).await.unwrap_err().to_string();
        assert!(error.contains("names a whole bucket"), "{error}");
        assert!(clients.assert_exists(&location).await.is_err());
    }
}

#[tokio::test]
async fn tables_of_the_planetary_computer_are_signed() {
    let server = Server::start().await;
    server.on("/token/daymet/zarr", |_| {
        Reply::json(&json!({"msft:expiry": "2999-01-01T00:00:00Z", "token": "sig=a%2Bb"}))
    });
    let config = ClientConfig {
        sas_token_endpoint: Some(format!("{}/token", server.url)),
        ..ClientConfig::default()
    };
    let clients = Clients::new(config).unwrap();
    let href = "abfs://zarr/daily/.zmetadata".to_owned();
    for asset in [
        json!({"xarray:storage_options": {"account_name": "daymet"}}),
        json!({"xarray:open_kwargs": {"storage_options": {"account_name": "daymet"}}}),
        json!({"table:storage_options": {"account_name": "daymet", "credential": null}}),
        json!({"storage:refs": ["azure"]}),
    ] {
        let json = json!({"assets": {"x": asset}, "properties": {"storage:schemes": {"azure": {
            "type": "ms-azure", "platform": "https://{account}.blob.core.windows.net", "account": "daymet",
        }}}});
        let json = holdall_stac::json::Json::from(json);
        let view = AssetView::of(json.get("assets").unwrap().get("x").unwrap());
        let hints = Hints::of_object(&json).with(&view.storage, &view.auth);
        let signed = clients.signed(&Location { href: href.clone(), hints }).await.unwrap();
        assert_eq!(signed, "https://daymet.blob.core.windows.net/zarr/daily/.zmetadata?sig=a%2Bb");
    }
    assert_eq!(server.seen("/token/daymet/zarr").len(), 1);
}
