//! The table of permissions and routes: each cell is tried, with and without the permission.

use holdall_ais_wire::authn::access::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::header;
use crate::users::Users;

/// A request, and what it needs: all of these permissions, of the cluster and of the buckets `src` and `dst`.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) body: Value,
    needs: u64,
}

impl Route {
    /// The path with the API's version where it has one.
    pub(crate) fn full_path(&self) -> String {
        match self.path.strip_prefix('/') {
            Some(path) => format!("/{path}"),
            None => format!("/v1/{}", self.path),
        }
    }
}

fn route(method: Method, path: &'static str, needs: u64) -> Route {
    Route { method, path, body: Value::Null, needs }
}

fn act(method: Method, path: &'static str, action: &str, value: Value, needs: u64) -> Route {
    let body = json!({"action": action, "name": "o", "value": value});
    Route { method, path, body, needs }
}

fn send(method: Method, path: &'static str, body: Value, needs: u64) -> Route {
    Route { method, path, body, needs }
}

/// Every route of the server.
pub(crate) fn routes() -> Vec<Route> {
    let (get, head, put, post, patch, delete) =
        (Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::PATCH, Method::DELETE);
    let to = json!({"name": "dst", "provider": "ais"});
    let copied = json!({"objnames": ["o"], "tobck": to});
    let batch = json!({"in": [{"objname": "o"}, {"objname": "o", "bucket": "dst", "provider": "ais"}], "mime": ".tar", "strm": true});
    let sort = json!({"input_bck": {"name": "src"}, "output_bck": {"name": "dst"}, "input_format": {"template": "s-{0..1}"}, "output_format": "n-{0..1}", "input_extension": ".tar", "algorithm": {"kind": "none"}, "output_shard_size": "1MB"});
    vec![
        route(get.clone(), "objects/src/o", GET),
        route(get.clone(), "objects/src/o?archpath=x", GET),
        route(get.clone(), "objects/src/o?etl_name=some-etl", GET),
        route(head.clone(), "objects/src/o", OBJ_HEAD),
        route(put.clone(), "objects/src/n", PUT),
        route(put.clone(), "objects/src/o?append_type=append", APPEND),
        route(put.clone(), "objects/src/o?append_type=flush&append_handle=x", APPEND),
        route(put.clone(), "objects/src/o?uploadId=x&partNumber=1", PUT),
        route(put.clone(), "objects/src/o.tar?archpath=x&archmime=.tar", PUT),
        route(put.clone(), "objects/src/o?object_to=ais/@%23/dst/o", GET | PUT),
        route(patch.clone(), "objects/src/o", OBJ_UPDATE),
        route(delete.clone(), "objects/src/o", OBJ_DELETE),
        route(delete.clone(), "objects/src/o?uploadId=x", OBJ_DELETE),
        act(post.clone(), "objects/src/o", "rename-obj", Value::Null, OBJ_MOVE),
        act(post.clone(), "objects/src", "promote", json!({"src": "o"}), PROMOTE),
        act(post.clone(), "objects/src", "blob-download", Value::Null, RW),
        act(post.clone(), "objects/src/o", "mpt-upload", Value::Null, RW),
        act(post.clone(), "objects/src/o", "mpt-complete", json!([]), RW),
        act(post.clone(), "objects/src/o", "mpt-abort", Value::Null, RW),
        act(post.clone(), "objects/src/o", "check-lock", Value::Null, RO),
        act(post.clone(), "objects/src/o", "of-tomorrow", Value::Null, RW | ADMIN),
        act(get.clone(), "buckets", "list", Value::Null, LIST_BUCKETS),
        act(get.clone(), "buckets", "summary-bck", json!({"uuid": ""}), LIST_BUCKETS),
        act(get.clone(), "buckets", "of-tomorrow", Value::Null, ADMIN),
        act(get.clone(), "buckets/src", "list", json!({"prefix": ""}), OBJ_LIST),
        act(get.clone(), "buckets/src", "summary-bck", json!({"uuid": ""}), BCK_HEAD),
        act(get.clone(), "buckets/src", "show-inventory", Value::Null, BCK_HEAD | OBJ_LIST),
        act(get.clone(), "buckets/src", "of-tomorrow", Value::Null, BCK_HEAD | ADMIN),
        route(head.clone(), "buckets/src", BCK_HEAD),
        route(head.clone(), "buckets/src/l?bsumm_remote=true", BCK_HEAD),
        act(post.clone(), "buckets/fresh", "create-bck", Value::Null, CREATE_BUCKET),
        act(
            post.clone(),
            "buckets/src?bck_to=ais/@%23/fresh/",
            "move-bck",
            Value::Null,
            MOVE_BUCKET,
        ),
        act(post.clone(), "buckets/src?bck_to=ais/@%23/dst/", "copy-bck", Value::Null, RW),
        act(
            post.clone(),
            "buckets/src?bck_to=ais/@%23/fresh/",
            "copy-bck",
            Value::Null,
            RW | CREATE_BUCKET,
        ),
        act(post.clone(), "buckets/src?bck_to=ais/@%23/dst/", "etl-bck", json!({"id": "x"}), RW),
        act(post.clone(), "buckets/src", "copy-listrange", copied.clone(), RW),
        act(post.clone(), "buckets/src", "etl-listrange", copied, RW),
        act(post.clone(), "buckets/src", "prefetch-listrange", json!({"objnames": ["o"]}), RW),
        act(post.clone(), "buckets/src", "make-n-copies", json!(2), RW),
        act(post.clone(), "buckets/src", "ec-encode", Value::Null, RW),
        act(post.clone(), "buckets/src", "rechunk", Value::Null, RW),
        act(post.clone(), "buckets/src", "create-inventory", Value::Null, BCK_HEAD | ADMIN),
        act(post.clone(), "buckets/src", "of-tomorrow", Value::Null, BCK_HEAD | ADMIN),
        act(
            put.clone(),
            "buckets/src",
            "archive",
            json!({"objnames": ["o"], "archname": "a.tar", "tobck": to}),
            RW,
        ),
        act(delete.clone(), "buckets/src", "destroy-bck", Value::Null, DESTROY_BUCKET),
        act(delete.clone(), "buckets/src", "evict-remote-bck", Value::Null, DESTROY_BUCKET),
        act(
            delete.clone(),
            "buckets/src",
            "delete-listrange",
            json!({"objnames": ["o"]}),
            OBJ_DELETE,
        ),
        act(
            delete.clone(),
            "buckets/src",
            "evict-listrange",
            json!({"objnames": ["o"]}),
            OBJ_DELETE,
        ),
        act(delete.clone(), "buckets/src", "destroy-inventory", Value::Null, BCK_HEAD | ADMIN),
        act(
            patch.clone(),
            "buckets/src",
            "set-bprops",
            json!({"versioning": {"enabled": true}}),
            PATCH,
        ),
        act(
            patch.clone(),
            "buckets/src",
            "set-bprops",
            json!({"access": u64::MAX.to_string()}),
            PATCH | BCK_SET_ACL,
        ),
        act(patch, "buckets/src", "reset-bprops", Value::Null, PATCH),
        route(get.clone(), "daemon?what=smap", SHOW_CLUSTER),
        route(get.clone(), "daemon?what=config", SHOW_CLUSTER),
        act(put.clone(), "daemon", "set-config", Value::Null, ADMIN),
        route(get.clone(), "cluster?what=cluster_config", SHOW_CLUSTER),
        route(get.clone(), "cluster?what=status_all", SHOW_CLUSTER),
        act(put.clone(), "cluster", "start", json!({"Kind": "lru"}), ADMIN),
        act(put.clone(), "cluster", "stop", json!({"ID": "x"}), ADMIN),
        route(get.clone(), "reverse/daemon?what=log", SHOW_CLUSTER),
        act(put.clone(), "reverse/daemon", "stop", Value::Null, ADMIN),
        send(get.clone(), "ml/moss/src", batch, GET),
        route(get.clone(), "sort", ADMIN),
        send(post.clone(), "sort", sort, ADMIN | OBJ_LIST | GET | PUT),
        route(delete.clone(), "sort/abort?uuid=x", ADMIN),
        route(get.clone(), "etl", ADMIN),
        send(post.clone(), "etl/some-etl/start", json!({}), ADMIN),
        route(delete.clone(), "etl/some-etl", ADMIN),
        route(get.clone(), "download", ADMIN),
        route(get.clone(), "of-tomorrow", ADMIN),
        route(post.clone(), "of-tomorrow", ADMIN),
        route(get.clone(), "/of-tomorrow", ADMIN),
        route(get.clone(), "/s3", LIST_BUCKETS),
        route(put.clone(), "/s3/fresh", CREATE_BUCKET),
        route(head.clone(), "/s3/src", BCK_HEAD),
        route(get.clone(), "/s3/src?location", BCK_HEAD),
        route(get.clone(), "/s3/src?acl", BCK_HEAD),
        route(get.clone(), "/s3/src?list-type=2", OBJ_LIST),
        route(get.clone(), "/s3/src?versions", OBJ_LIST),
        route(get.clone(), "/s3/src?uploads", OBJ_LIST),
        route(put.clone(), "/s3/src?versioning", PATCH),
        route(post.clone(), "/s3/src?delete", OBJ_DELETE),
        route(delete.clone(), "/s3/src", DESTROY_BUCKET),
        route(get.clone(), "/s3/src/o", GET),
        route(get.clone(), "/s3/src/o?tagging", OBJ_HEAD),
        route(get.clone(), "/ui/api/status", SHOW_CLUSTER),
        route(get.clone(), "/ui/api/jobs", SHOW_CLUSTER),
        route(get.clone(), "/ui/api/buckets", LIST_BUCKETS),
        route(get.clone(), "/ui/api/size?bucket=src", OBJ_LIST),
        route(get.clone(), "/ui/api/objects?bucket=src", OBJ_LIST),
        route(get, "/ui/api/object?bucket=src&name=o", OBJ_HEAD),
        route(head, "/s3/src/o", OBJ_HEAD),
        route(put.clone(), "/s3/src/n", PUT),
        route(put.clone(), "/s3/src/o?tagging", OBJ_UPDATE),
        route(put, "/s3/src/o?partNumber=1&uploadId=x", PUT),
        route(post.clone(), "/s3/src/o?uploads", PUT),
        route(post, "/s3/src/o?uploadId=x", PUT),
        route(delete.clone(), "/s3/src/o?uploadId=x", PUT),
        route(delete.clone(), "/s3/src/o?tagging", OBJ_UPDATE),
        route(delete, "/s3/src/o", OBJ_DELETE),
    ]
}

/// The permissions that are asked of the cluster, not of a bucket.
const OF_CLUSTER: u64 = CLUSTER_RW | ADMIN;

struct Table {
    users: Users,
    admin: String,
}

impl Table {
    async fn start() -> Self {
        let users = Users::start().await;
        let admin = users.admin().await;
        Self { users, admin }
    }

    /// Makes everything as it was before the last cell.
    async fn restore(&self) {
        let ask = |method: Method, path: &str| {
            self.users.request(method, &format!("/v1/{path}")).bearer_auth(&self.admin)
        };
        let action = |name: &str| json!({"action": name, "name": "", "value": null});
        let gone = ask(Method::DELETE, "buckets/fresh").json(&action("destroy-bck"));
        gone.send().await.unwrap();
        for bucket in ["src", "dst"] {
            let path = format!("buckets/{bucket}");
            ask(Method::POST, &path).json(&action("create-bck")).send().await.unwrap();
        }
        let put = ask(Method::PUT, "objects/src/o").body("content").send().await.unwrap();
        assert_eq!(put.status(), 200);
    }

    /// Whether the request was let through, whatever came of it then.
    async fn passes(&self, route: &Route, token: Option<&str>) -> Result<bool, String> {
        let mut request = self.users.request(route.method.clone(), &route.full_path());
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if !route.body.is_null() {
            request = request.json(&route.body);
        }
        let reply = request.send().await.map_err(|e| e.to_string())?;
        let status = reply.status().as_u16();
        let told = header(&reply, "hdr-error").to_owned();
        let text = format!("{told}{}", reply.text().await.map_err(|e| e.to_string())?);
        match status {
            401 if token.is_none() && text.contains("token required") => Ok(false),
            403 if text.contains("insufficient permissions") => Ok(false),
            // Replies to these say no more.
            401 | 403 if route.method == Method::HEAD && text.is_empty() => Ok(false),
            401 | 403 => Err(format!("{status} {text}")),
            _ => Ok(true),
        }
    }

    async fn check(
        &self,
        routes: &[Route],
        who: &str,
        token: Option<&str>,
        granted: impl Fn(&Route) -> bool,
    ) {
        let mut wrong = Vec::new();
        self.restore().await;
        for route in routes {
            let expected = granted(route);
            match self.passes(route, token).await {
                Ok(passed) if passed == expected => {}
                other => {
                    wrong.push(format!("{} {} {}: {other:?}", route.method, route.path, route.body))
                }
            }
            if expected {
                self.restore().await;
            }
        }
        assert!(wrong.is_empty(), "{who}:\n{}", wrong.join("\n"));
    }

    async fn cluster_user(&self, name: &str, perms: u64) -> String {
        let clusters = json!([{"id": self.users.uuid(), "perm": perms.to_string()}]);
        self.users.user(&self.admin, name, clusters, Value::Null).await
    }

    async fn bucket_user(&self, name: &str, perms: u64) -> String {
        let of = |bucket: &str| {
            let namespace = json!({"uuid": self.users.uuid(), "name": ""});
            json!({"bck": {"name": bucket, "provider": "ais", "namespace": namespace}, "perm": perms.to_string()})
        };
        let buckets = json!([of("src"), of("dst")]);
        self.users.user(&self.admin, name, Value::Null, buckets).await
    }
}

#[tokio::test]
async fn nobody_gets_through() {
    let table = Table::start().await;
    table.check(&routes(), "nobody", None, |_| false).await;
    let nothing = table.cluster_user("nothing", 0).await;
    table.check(&routes(), "a user without permissions", Some(&nothing), |_| false).await;
    let admin = table.admin.clone();
    table.check(&routes(), "the administrator", Some(&admin), |_| true).await;
}

#[tokio::test]
async fn each_permission_alone() {
    let table = Table::start().await;
    for (bit, name) in NAMES.iter().enumerate() {
        let token = table.cluster_user(&format!("only-{bit}"), 1 << bit).await;
        table
            .check(&routes(), &format!("{name} alone"), Some(&token), |route| {
                route.needs & !(1 << bit) == 0
            })
            .await;
    }
}

#[tokio::test]
async fn all_permissions_but_one() {
    let table = Table::start().await;
    for (bit, name) in NAMES.iter().enumerate() {
        let token = table.cluster_user(&format!("not-{bit}"), ALL & !(1 << bit)).await;
        table
            .check(&routes(), &format!("all but {name}"), Some(&token), |route| {
                route.needs >> bit & 1 == 0
            })
            .await;
    }
}

#[tokio::test]
async fn permissions_of_buckets_are_of_buckets() {
    let table = Table::start().await;
    let all = table.bucket_user("all", u64::MAX).await;
    // What is asked of the cluster is not a bucket's to give.
    table
        .check(&routes(), "all of two buckets", Some(&all), |route| route.needs & OF_CLUSTER == 0)
        .await;
    for (bit, name) in NAMES.iter().enumerate().filter(|(bit, _)| OF_CLUSTER >> bit & 1 == 0) {
        let token = table.bucket_user(&format!("only-{bit}"), 1 << bit).await;
        table
            .check(&routes(), &format!("{name} of two buckets"), Some(&token), |route| {
                route.needs & !(1 << bit) == 0
            })
            .await;
    }
    let reader = table.bucket_user("reader", RO).await;
    let other = Route { path: "objects/other/o", ..route(Method::GET, "", GET) };
    let create = table.users.request(Method::POST, "/v1/buckets/other").bearer_auth(&table.admin);
    create.json(&json!({"action": "create-bck"})).send().await.unwrap();
    assert_eq!(table.passes(&other, Some(&reader)).await, Ok(false));
}

#[tokio::test]
async fn some_things_are_for_everybody() {
    let users = Users::start().await;
    for path in ["/v1/health", "/metrics", "/v1/roles", "/v1/clusters"] {
        assert_eq!(users.send(Method::GET, path).await.status(), 200, "{path}");
    }
    let metrics = users.send(Method::GET, "/metrics").await.text().await.unwrap();
    assert!(metrics.contains("holdall_authn_requests{result=\"missing\"} "), "{metrics}");
}

#[tokio::test]
async fn batches_read_only_what_may_be_read() {
    let table = Table::start().await;
    table.restore().await;
    let bucket = json!([{"bck": {"name": "src", "provider": "ais", "namespace": {"uuid": table.users.uuid(), "name": ""}}, "perm": GET.to_string()}]);
    let token = table.users.user(&table.admin, "src", Value::Null, bucket).await;
    let entry = |bucket: &str| json!({"objname": "o", "bucket": bucket, "provider": "ais"});
    let uname = json!({"objname": "o", "uname": "ais/@#/dst/o"});
    let ask = |entries: Value| {
        send(Method::GET, "ml/moss", json!({"in": entries, "mime": ".tar", "strm": true}), GET)
    };
    assert_eq!(table.passes(&ask(json!([entry("src")])), Some(&token)).await, Ok(true));
    assert_eq!(
        table.passes(&ask(json!([entry("src"), entry("dst")])), Some(&token)).await,
        Ok(false)
    );
    assert_eq!(table.passes(&ask(json!([entry("src"), uname])), Some(&token)).await, Ok(false));
}

#[tokio::test]
async fn clients_of_s3_bring_tokens_of_their_own_way() {
    let table = Table::start().await;
    table.restore().await;
    let src = json!([{"bck": {"name": "src", "provider": "ais", "namespace": {"uuid": table.users.uuid(), "name": ""}}, "perm": (GET | PUT).to_string()}]);
    let token = table.users.user(&table.admin, "src", Value::Null, src).await;
    let get = |path: &str| table.users.request(Method::GET, path);
    let reply = get("/s3/src/o").header("x-amz-security-token", &token).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    let signed = get(&format!("/s3/src/o?X-Amz-Security-Token={token}")).send().await.unwrap();
    assert_eq!(signed.status(), 200);
    let copy = |from: &'static str| {
        let put = table.users.request(Method::PUT, "/s3/src/copy").bearer_auth(&token);
        async move { put.header("x-amz-copy-source", from).send().await.unwrap().status().as_u16() }
    };
    assert_eq!(copy("src/o").await, 200);
    assert_eq!(copy("dst/o").await, 403, "what may not be read may not be copied");
}

/// Lists of the buckets themselves count, with and without AuthN.
#[tokio::test]
async fn buckets_have_lists_of_their_own() {
    let table = Table::start().await;
    table.restore().await;
    let plain = crate::support::Ais::memory().await;
    plain.create("src").await;
    plain.put("src/o", "content").await;
    let read_only =
        json!({"action": "set-bprops", "name": "", "value": {"access": RO.to_string()}});
    let user = table.cluster_user("owner", ALL).await;
    for (ais, token) in [(&table.users.ais, user.as_str()), (&plain, "")] {
        let ask = |method: Method, path: &str| ais.request(method, path).bearer_auth(token);
        let close = ask(Method::PATCH, "/v1/buckets/src").json(&read_only).send().await.unwrap();
        assert_eq!(close.status(), 200);
        assert_eq!(ask(Method::GET, "/v1/objects/src/o").send().await.unwrap().status(), 200);
        for (method, path) in
            [(Method::PUT, "/v1/objects/src/o"), (Method::DELETE, "/v1/objects/src/o")]
        {
            let reply = ask(method, path).body("x").send().await.unwrap();
            let status = reply.status();
            let text = reply.text().await.unwrap();
            assert!(status == 403 && text.contains("access denied"), "{status} {text}");
        }
        let destroy = json!({"action": "destroy-bck", "name": "", "value": null});
        assert_eq!(
            ask(Method::DELETE, "/v1/buckets/src").json(&destroy).send().await.unwrap().status(),
            403
        );
    }
    // Whoever may set lists can open it again, without AuthN and as the administrator.
    let open = json!({"action": "reset-bprops", "name": "", "value": null});
    for (ais, token) in [(&table.users.ais, table.admin.as_str()), (&plain, "")] {
        let reply = ais
            .request(Method::PATCH, "/v1/buckets/src")
            .bearer_auth(token)
            .json(&open)
            .send()
            .await;
        assert_eq!(reply.unwrap().status(), 200);
        let put = ais.request(Method::PUT, "/v1/objects/src/o").bearer_auth(token).body("x");
        assert_eq!(put.send().await.unwrap().status(), 200);
    }
}
