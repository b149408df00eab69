//! AuthN from outside: logins, tokens, users, roles, clusters, and what survives a restart.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdall_ais_server::{Algorithm, AuthOptions, Options};
use holdall_ais_wire::authn::access;
use jsonwebtoken::{EncodingKey, Header};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{Ais, header};

/// A server that asks who is there.
pub(crate) struct Users {
    pub(crate) ais: Ais,
}

impl std::ops::Deref for Users {
    type Target = Ais;

    fn deref(&self) -> &Ais {
        &self.ais
    }
}

pub(crate) fn with_password(password: &str) -> AuthOptions {
    AuthOptions { password: Some(password.into()), ..AuthOptions::default() }
}

impl Users {
    pub(crate) async fn with(auth: AuthOptions) -> Self {
        Self { ais: Ais::with(Options { auth: Some(auth), ..Options::default() }).await }
    }

    pub(crate) async fn start() -> Self {
        Self::with(with_password("secret-of-admin")).await
    }

    /// AuthN on a port of its own.
    pub(crate) async fn start_apart(password: &str) -> Self {
        let listen = Some("127.0.0.1:0".parse().unwrap());
        Self::with(AuthOptions { listen, ..with_password(password) }).await
    }

    async fn in_folder(folder: &Path, auth: AuthOptions) -> Self {
        let data = Some(folder.to_owned());
        Self { ais: Ais::with(Options { data, auth: Some(auth), ..Options::default() }).await }
    }

    pub(crate) async fn try_login(&self, name: &str, body: Value) -> Response {
        let url = format!("{}/v1/users/{name}", self.server.authn_url().expect("AuthN"));
        self.client.post(url).json(&body).send().await.expect("an answer")
    }

    pub(crate) async fn login(&self, name: &str, password: &str) -> String {
        let reply = self.try_login(name, json!({"password": password, "expires_in": null})).await;
        assert_eq!(reply.status(), 200);
        let token: Value = reply.json().await.unwrap();
        token["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn admin(&self) -> String {
        self.login("admin", "secret-of-admin").await
    }

    /// A request with a token to this path of AuthN.
    pub(crate) async fn manage(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> Response {
        let url = format!("{}/v1/{path}", self.server.authn_url().expect("AuthN"));
        let mut request = self.client.request(method, url).bearer_auth(token);
        if !body.is_null() {
            request = request.json(&body);
        }
        request.send().await.expect("an answer")
    }

    pub(crate) async fn done(&self, token: &str, method: Method, path: &str, body: Value) {
        let reply = self.manage(token, method, path, body).await;
        let status = reply.status();
        assert_eq!(status, 200, "{path}: {}", reply.text().await.unwrap());
    }

    pub(crate) fn uuid(&self) -> String {
        self.server.engine().identity().uuid.clone()
    }

    /// A user with a role of these permissions in the cluster; a token of the user.
    pub(crate) async fn user(
        &self,
        admin: &str,
        name: &str,
        clusters: Value,
        buckets: Value,
    ) -> String {
        let role = json!({"name": name, "desc": "", "clusters": clusters, "buckets": buckets, "admin": false});
        self.done(admin, Method::POST, "roles", role).await;
        let user = json!({"id": name, "pass": "pass", "roles": [{"name": name}]});
        self.done(admin, Method::POST, "users", user).await;
        self.login(name, "pass").await
    }

    /// The status of a listing of buckets with this token.
    async fn list(&self, token: &str) -> (u16, String) {
        let reply = self
            .request(Method::GET, "/v1/buckets")
            .bearer_auth(token)
            .json(&json!({"action": "list", "name": "", "value": null}))
            .send()
            .await
            .unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    }
}

#[tokio::test]
async fn a_password_is_made_up_once() {
    let folder = tempfile::tempdir().unwrap();
    let users = Users::in_folder(folder.path(), AuthOptions::default()).await;
    let password = users.server.admin_password().expect("a password").expose().to_owned();
    assert!(password.len() >= 20);
    let token = users.login("admin", &password).await;
    assert_eq!(users.list(&token).await.0, 200);
    users.ais.server.shutdown().await;

    let users = Users::in_folder(folder.path(), AuthOptions::default()).await;
    assert!(users.server.admin_password().is_none(), "it is told once");
    users.login("admin", &password).await;
    assert_eq!(users.list(&token).await.0, 200, "tokens survive, because the key does");
    users.ais.server.shutdown().await;

    let users = Users::in_folder(folder.path(), with_password("another")).await;
    users.login("admin", "another").await;
    assert_eq!(users.try_login("admin", json!({"password": password})).await.status(), 401);
    let (status, text) = users.list(&token).await;
    assert_eq!((status, text.contains("revoked")), (401, true), "{text}");
    users.ais.server.shutdown().await;

    for entry in std::fs::read_dir(folder.path()).unwrap().flatten().filter(|e| e.path().is_file())
    {
        let bytes = std::fs::read(entry.path()).unwrap();
        for hidden in [password.as_str(), "another"] {
            let found = bytes.windows(hidden.len()).any(|part| part == hidden.as_bytes());
            assert!(!found, "{:?} holds a password", entry.path());
        }
    }
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(folder.path().join("meta.redb")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "the key is the owner's alone");
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let users = Users::in_folder(folder.path(), with_password("secret-of-admin")).await;
    let admin = users.admin().await;
    let perms = json!([{"id": users.uuid(), "perm": access::LIST_BUCKETS.to_string()}]);
    let token = users.user(&admin, "reader", perms.clone(), Value::Null).await;
    let revoked = users.login("reader", "pass").await;
    users.done("", Method::DELETE, "tokens", json!({"token": revoked})).await;
    users.done(&admin, Method::POST, "users", json!({"id": "gone", "pass": "x"})).await;
    let gone = users.login("gone", "x").await;
    users.done(&admin, Method::DELETE, "users/gone", Value::Null).await;
    let cluster = json!({"id": users.uuid(), "alias": "here", "urls": [users.server.url()]});
    users.done(&admin, Method::POST, "clusters", cluster).await;
    users.ais.server.shutdown().await;

    let users = Users::in_folder(folder.path(), AuthOptions::default()).await;
    assert_eq!(users.list(&token).await.0, 200);
    assert_eq!(users.list(&revoked).await.0, 401);
    assert_eq!(users.list(&gone).await.0, 401);
    let role: Value =
        users.manage(&token, Method::GET, "roles/reader", Value::Null).await.json().await.unwrap();
    assert_eq!(role["clusters"][0]["alias"], "here");
    let roles: Value =
        users.manage(&token, Method::GET, "roles", Value::Null).await.json().await.unwrap();
    let names: Vec<_> =
        roles.as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Admin", "BucketOwner-here", "ClusterOwner-here", "Guest-here", "reader"]);
}

#[tokio::test]
async fn logins_and_their_lives() {
    let users = Users::start().await;
    for (name, password) in [("admin", "wrong"), ("nobody", "wrong"), ("admin", "")] {
        let reply = users.try_login(name, json!({"password": password})).await;
        assert_eq!(reply.status(), 401);
        assert_eq!(header(&reply, "www-authenticate"), "Bearer");
    }
    let minute = 60_000_000_000_i64;
    for (life, status) in
        [(0, 200), (minute, 200), (minute - 1, 400), (-1, 400), (91 * 24 * 60 * minute, 400)]
    {
        let body = json!({"password": "secret-of-admin", "expires_in": life});
        assert_eq!(users.try_login("admin", body).await.status(), status, "{life}");
    }
    let (one, other) = (users.admin().await, users.admin().await);
    assert_ne!(one, other, "tokens of the same second are two");
    users.done("", Method::DELETE, "tokens", json!({"token": one})).await;
    assert_eq!((users.list(&one).await.0, users.list(&other).await.0), (401, 200));
    users.done("", Method::DELETE, "tokens", json!({"token": one})).await;
    assert_eq!(
        users.manage("", Method::DELETE, "tokens", json!({"token": ""})).await.status(),
        400
    );
    assert_eq!(
        users.manage("", Method::DELETE, "tokens", json!({"token": "a.b.c"})).await.status(),
        401
    );
}

#[tokio::test]
async fn tokens_end_with_the_user_and_the_password() {
    let users = Users::start().await;
    let admin = users.admin().await;
    let perms = json!([{"id": users.uuid(), "perm": access::LIST_BUCKETS.to_string()}]);
    let token = users.user(&admin, "u", perms, Value::Null).await;
    assert_eq!(users.list(&token).await.0, 200);
    // Users change their own passwords, and nothing else.
    let roles = json!({"id": "u", "roles": [{"name": "Admin"}]});
    assert_eq!(users.manage(&token, Method::PUT, "users/u", roles).await.status(), 401);
    assert_eq!(
        users.manage(&token, Method::PUT, "users/admin", json!({"pass": "x"})).await.status(),
        401
    );
    assert_eq!(users.manage(&token, Method::GET, "users/admin", Value::Null).await.status(), 401);
    assert_eq!(users.manage(&token, Method::GET, "users/u", Value::Null).await.status(), 200);
    users.done(&token, Method::PUT, "users/u", json!({"pass": "new"})).await;
    assert_eq!(users.list(&token).await.0, 401);
    let token = users.login("u", "new").await;
    assert_eq!(users.list(&token).await.0, 200);
    users.done(&admin, Method::DELETE, "users/u", Value::Null).await;
    assert_eq!(users.list(&token).await.0, 401);
    // A user of the same name is another one.
    users
        .done(
            &admin,
            Method::POST,
            "users",
            json!({"id": "u", "pass": "new", "roles": [{"name": "u"}]}),
        )
        .await;
    assert_eq!(users.list(&token).await.0, 401);
}

#[tokio::test]
async fn the_administrator_stays() {
    let users = Users::start().await;
    let admin = users.admin().await;
    for (method, path, body) in [
        (Method::DELETE, "users/admin", Value::Null),
        (Method::PUT, "users/admin", json!({"roles": [{"name": "Admin"}]})),
        (Method::DELETE, "roles/Admin", Value::Null),
        (Method::PUT, "roles/Admin", json!({"name": "Admin", "desc": "x"})),
        (Method::POST, "roles", json!({"name": "root", "admin": true})),
    ] {
        assert_eq!(users.manage(&admin, method, path, body).await.status(), 403, "{path}");
    }
    assert_eq!(users.list(&admin).await.0, 200);
}

#[tokio::test]
async fn roles_change_what_later_tokens_allow() {
    let users = Users::start().await;
    let admin = users.admin().await;
    let before = users.user(&admin, "u", Value::Null, Value::Null).await;
    let perms = json!([{"id": users.uuid(), "perm": access::LIST_BUCKETS.to_string()}]);
    users.done(&admin, Method::PUT, "roles/u", json!({"name": "u", "clusters": perms})).await;
    assert_eq!(users.list(&before).await.0, 403, "a token says what it said");
    let after = users.login("u", "pass").await;
    assert_eq!(users.list(&after).await.0, 200);
    users.done(&admin, Method::DELETE, "roles/u", Value::Null).await;
    let user: Value =
        users.manage(&admin, Method::GET, "users/u", Value::Null).await.json().await.unwrap();
    assert_eq!(user, json!({"id": "u", "roles": null}));
    let unknown = json!({"id": "v", "pass": "x", "roles": [{"name": "u"}]});
    assert_eq!(users.manage(&admin, Method::POST, "users", unknown).await.status(), 404);
}

#[tokio::test]
async fn only_administrators_manage() {
    let users = Users::start().await;
    let admin = users.admin().await;
    let all = json!([{"id": users.uuid(), "perm": u64::MAX.to_string()}]);
    let owner = users.user(&admin, "owner", all, Value::Null).await;
    let cluster = json!({"id": "x", "alias": "x", "urls": ["http://127.0.0.1:1"]});
    for (method, path, body) in [
        (Method::GET, "users", Value::Null),
        (Method::GET, "users/admin", Value::Null),
        (Method::POST, "users", json!({"id": "x", "pass": "x"})),
        (Method::PUT, "users/admin", json!({"pass": "x"})),
        (Method::DELETE, "users/owner", Value::Null),
        (Method::POST, "roles", json!({"name": "x"})),
        (Method::PUT, "roles/owner", json!({"name": "owner", "desc": "x"})),
        (Method::DELETE, "roles/owner", Value::Null),
        (Method::POST, "clusters", cluster.clone()),
        (Method::PUT, "clusters/x", cluster),
        (Method::DELETE, "clusters/x", Value::Null),
        (Method::DELETE, "tokens", json!({"tokens": [admin]})),
    ] {
        for token in ["", "junk", owner.as_str()] {
            let reply = users.manage(token, method.clone(), path, body.clone()).await;
            let expected: &[u16] =
                if path == "tokens" && token == owner { &[401, 403] } else { &[401] };
            assert!(
                expected.contains(&reply.status().as_u16()),
                "{method} {path}: {}",
                reply.status()
            );
        }
    }
    assert_eq!(users.list(&admin).await.0, 200, "the administrator's token was not taken back");
}

#[tokio::test]
async fn clusters_are_asked_before_they_are_registered() {
    let users = Users::start().await;
    let admin = users.admin().await;
    let register = |id: &str, url: String| json!({"id": id, "alias": id, "urls": [url]});
    // Nobody listens there.
    let reply = users
        .manage(
            &admin,
            Method::POST,
            "clusters",
            register("a", "http://user:hush@127.0.0.1:1".into()),
        )
        .await;
    let status = reply.status();
    let text = reply.text().await.unwrap();
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("127.0.0.1:1") && !text.contains("hush"), "{text}");
    // Another server has another key.
    let other = Users::start().await;
    let stranger = register(&other.uuid(), other.server.url());
    assert_eq!(users.manage(&admin, Method::POST, "clusters", stranger).await.status(), 401);
    assert_eq!(
        users
            .manage(&admin, Method::POST, "clusters", json!({"id": "a", "alias": "a"}))
            .await
            .status(),
        400
    );
    users.done(&admin, Method::POST, "clusters", register(&users.uuid(), users.server.url())).await;
    let again =
        users.manage(&admin, Method::POST, "clusters", register("b", users.server.url())).await;
    assert_eq!(again.status(), 401, "a token for another cluster is refused");
}

#[tokio::test]
async fn clusters_with_the_same_key_hear_of_tokens_that_were_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "a secret of more than thirty-two bytes\n").unwrap();
    let shared = || AuthOptions { key: Some(key.clone()), ..with_password("secret-of-admin") };
    let (users, other) = (Users::with(shared()).await, Users::with(shared()).await);
    let mut admin = users.admin().await;
    let early = users.admin().await;
    assert_eq!(other.list(&early).await.0, 401, "it is for the other cluster only");
    let cluster = json!({"id": other.uuid(), "alias": "other", "urls": ["http://127.0.0.1:1", other.server.url()]});
    users.done(&admin, Method::POST, "clusters", cluster).await;
    admin = users.admin().await;
    let token = users.admin().await;
    assert_eq!(other.list(&token).await.0, 200);
    users.done("", Method::DELETE, "tokens", json!({"token": token})).await;
    while other.list(&token).await.0 != 401 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(other.list(&admin).await.0, 200);
}

fn claims(users: &Users, ends: i64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    json!({"sub": "x", "aud": [users.uuid()], "exp": now + ends, "clusters": null, "admin": true})
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let secret = "a secret of more than thirty-two bytes";
    std::fs::write(&path, secret).unwrap();
    let users =
        Users::with(AuthOptions { key: Some(path), ..with_password("secret-of-admin") }).await;
    let key = EncodingKey::from_secret(secret.as_bytes());
    let sign =
        |claims: &Value, header: Header| jsonwebtoken::encode(&header, claims, &key).unwrap();
    let plain = || Header::new(jsonwebtoken::Algorithm::HS256);
    let good = sign(&claims(&users, 60), plain());
    assert_eq!(
        users.list(&good).await.0,
        200,
        "tokens of other services with the same key are good"
    );

    let (mut stranger, mut endless, mut nobody, mut later) =
        (claims(&users, 60), claims(&users, 60), claims(&users, 60), claims(&users, 60));
    stranger["aud"] = json!(["another"]);
    endless.as_object_mut().unwrap().remove("exp");
    nobody["sub"] = json!("");
    later["nbf"] = json!(claims(&users, 50)["exp"]);
    let other = EncodingKey::from_secret(b"another secret of more than 32 bytes");
    let parts: Vec<&str> = good.split('.').collect();
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]);
    for (what, token, says) in [
        ("expired", sign(&claims(&users, -1), plain()), "token expired"),
        ("another audience", sign(&stranger, plain()), "audience"),
        ("without an end", sign(&endless, plain()), "malformed"),
        ("of nobody", sign(&nobody, plain()), "malformed"),
        ("not yet", sign(&later, plain()), "malformed"),
        (
            "another algorithm",
            sign(&claims(&users, 60), Header::new(jsonwebtoken::Algorithm::HS512)),
            "signature",
        ),
        (
            "another key",
            jsonwebtoken::encode(&plain(), &claims(&users, 60), &other).unwrap(),
            "signature",
        ),
        ("no algorithm", none, "malformed"),
        ("no signature", format!("{}.{}.", parts[0], parts[1]), "signature"),
        ("another content", format!("{}.{}x.{}", parts[0], parts[1], parts[2]), ""),
        ("two parts", format!("{}.{}", parts[0], parts[1]), "segments"),
        ("long", "x".repeat(100_000), "too long"),
    ] {
        let (status, text) = users.list(&token).await;
        assert!(status == 401 && text.contains(says), "{what}: {status} {text}");
        assert!(!text.contains(&token), "{what}: the token is not told");
    }
    // Where a token may be, and where not.
    let at = |name: &'static str, value: String| {
        let request = users.request(Method::GET, "/v1/daemon?what=smap").header(name, value);
        async { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(at("authorization", format!("Bearer {good}")).await, 200);
    assert_eq!(at("x-amz-security-token", good.clone()).await, 200);
    assert_eq!(at("authorization", good.clone()).await, 401);
    assert_eq!(at("authorization", format!("Basic {good}")).await, 401);
    assert_eq!(at("cookie", good.clone()).await, 401);
}

#[tokio::test]
async fn keys_of_rsa() {
    let options =
        AuthOptions { algorithm: Some(Algorithm::Rs256), ..with_password("secret-of-admin") };
    let users = Users::with(options).await;
    let token = users.admin().await;
    assert!(token.starts_with("eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9."));
    assert_eq!(users.list(&token).await.0, 200);
    let reply = users.manage("", Method::GET, "public-key", Value::Null).await;
    let key: Value = reply.json().await.unwrap();
    let pem = key["public_key"].as_str().unwrap();
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"));
    // Whoever has the public key cannot make tokens by taking it for a secret.
    let secret = EncodingKey::from_secret(pem.as_bytes());
    let header = Header::new(jsonwebtoken::Algorithm::HS256);
    let forged = jsonwebtoken::encode(&header, &claims(&users, 60), &secret).unwrap();
    assert_eq!(users.list(&forged).await.0, 401);
    let plain = Users::start().await;
    assert_eq!(plain.manage("", Method::GET, "public-key", Value::Null).await.status(), 400);
}

#[tokio::test]
async fn what_cannot_work_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let base = || with_password("secret-of-admin");
    for (auth, says) in [
        (AuthOptions { key: file("short", "short"), ..base() }, "at least 32"),
        (AuthOptions { key: Some("/no/such/file".into()), ..base() }, "/no/such/file"),
        (
            AuthOptions { key: file("pem", "-----BEGIN PRIVATE KEY-----\nhush\n"), ..base() },
            "no RSA key",
        ),
        (
            AuthOptions {
                key: file("s", &"x".repeat(40)),
                algorithm: Some(Algorithm::Rs256),
                ..base()
            },
            "no PEM",
        ),
        (with_password(""), "empty"),
        (AuthOptions { admin: String::new(), ..base() }, "empty"),
        (AuthOptions { life: Duration::from_secs(1), ..base() }, "at least a minute"),
        (AuthOptions { longest_life: Duration::from_secs(61), ..base() }, "longest"),
    ] {
        let options = Options { auth: Some(auth), ..Options::default() };
        let error =
            holdall_ais_server::Server::start(options).await.err().expect("refused").to_string();
        assert!(error.contains(says) && !error.contains("hush"), "{says}: {error}");
    }
    // Others could guess it.
    let options = Options {
        listen: "0.0.0.0:0".parse().unwrap(),
        auth: Some(with_password("admin")),
        ..Options::default()
    };
    let error = holdall_ais_server::Server::start(options).await.err().expect("refused");
    assert!(error.to_string().contains("loopback"), "{error}");
}

#[tokio::test]
async fn authn_has_the_port_that_it_was_given() {
    let users = Users::start_apart("secret-of-admin").await;
    let admin = users.admin().await;
    assert_ne!(users.server.authn_url().unwrap(), users.server.url());
    let at_cluster =
        users.request(Method::GET, "/v1/users").bearer_auth(&admin).send().await.unwrap();
    assert_eq!(at_cluster.status(), 400, "the cluster does not manage users");
    assert_eq!(users.manage(&admin, Method::GET, "buckets", Value::Null).await.status(), 404);
    assert_eq!(users.manage(&admin, Method::GET, "objects/b/o", Value::Null).await.status(), 404);
    let off = Ais::memory().await;
    let reply = off.send(Method::GET, "/v1/users").await;
    let status = reply.status();
    assert!(status == 501 && reply.text().await.unwrap().contains("--auth"), "{status}");
}

#[tokio::test]
async fn secrets_are_in_no_log() {
    let users = Users::start().await;
    let admin = users.admin().await;
    users.try_login("admin", json!({"password": "hush-1"})).await;
    users.manage("", Method::POST, "users/admin", json!({"password": 7, "hush-2": "hush-3"})).await;
    users.done(&admin, Method::POST, "users", json!({"id": "u", "pass": "hush-4"})).await;
    users.list("hush-5.hush-6.hush-7").await;
    let reply = users
        .request(Method::GET, "/v1/reverse/daemon?what=log")
        .header("ais-node-id", &users.server.engine().identity().target)
        .bearer_auth(&admin)
        .send()
        .await
        .unwrap();
    let log = reply.text().await.unwrap();
    assert!(log.contains("a login as \"admin\""), "{log}");
    assert!(!log.contains("hush") && !log.contains(&admin), "{log}");
    let configuration =
        users.manage(&admin, Method::GET, "users", Value::Null).await.text().await.unwrap();
    assert!(!configuration.contains("argon2"), "{configuration}");
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let users = Users::start().await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses
            .push(users.try_login("admin", json!({"password": "guess"})).await.status().as_u16());
    }
    assert_eq!(statuses[..6], [401; 6]);
    assert!(statuses.contains(&429), "{statuses:?}");
    // Others log in as before.
    let other = users.try_login("nobody", json!({"password": "guess"})).await;
    assert_eq!(other.status(), 401);
}
