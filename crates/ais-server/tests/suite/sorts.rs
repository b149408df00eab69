//! dSort.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{
    archives::{Files, files, message, pack, unpack},
    support::Ais,
};

impl Ais {
    async fn sort(&self, spec: &Value) -> Response {
        self.request(Method::POST, "/v1/sort").json(spec).send().await.unwrap()
    }

    async fn sort_info(&self, id: &str) -> Value {
        let infos: Value =
            self.send(Method::GET, &format!("/v1/sort?uuid={id}")).await.json().await.unwrap();
        infos.as_object().unwrap().values().next().unwrap().clone()
    }

    /// Starts a run and waits for its end.
    async fn sorted(&self, spec: &Value) -> Value {
        let reply = self.sort(spec).await;
        let status = reply.status();
        let id = reply.text().await.unwrap();
        assert_eq!(status, 200, "{id}");
        assert!(id.starts_with("srt-"), "{id}");
        loop {
            let info = self.sort_info(&id).await;
            if info["archived"] == true {
                return info;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn shard(&self, path: &str) -> Files {
        let reply = self.get(path).await;
        assert_eq!(reply.status(), 200, "{path}");
        let format = holdall_archive::Format::of_name(path).unwrap();
        unpack(format, &reply.bytes().await.unwrap())
    }
}

fn spec(more: Value) -> Value {
    let mut spec = json!({
        "input_bck": {"name": "in", "provider": "ais"},
        "output_bck": {"name": "out", "provider": "ais"},
        "input_format": {"template": "in-{0..9}"},
        "input_extension": ".tar",
        "output_format": "out-{00..99}",
        "output_shard_size": "1MiB",
        "algorithm": {"kind": "alphanumeric", "decreasing": false, "seed": "", "extension": null},
        "description": "a test",
    });
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

async fn sample(extension: &str) -> (Vec<Ais>, tempfile::TempDir) {
    let (servers, folder) = Ais::both().await;
    for ais in &servers {
        ais.create("in").await;
        for shard in 0..3 {
            let members: Files = (0..4)
                .flat_map(|n| {
                    let name = format!("{}-{shard}", 3 - n);
                    files(&[
                        (&format!("{name}.txt"), &format!("text {name}")),
                        (&format!("{name}.key"), &format!("{}", n * 10 + shard)),
                    ])
                })
                .collect();
            let name = format!("in-{shard}{extension}");
            ais.put(&format!("in/{name}"), pack(&name, &members)).await;
        }
    }
    (servers, folder)
}

#[tokio::test]
async fn shards_are_sorted_into_new_shards() {
    for extension in [".tar", ".tgz", ".tar.lz4", ".zip"] {
        let (servers, _folder) = sample(extension).await;
        for ais in servers {
            let info = ais
                .sorted(&spec(json!({"input_extension": extension, "output_extension": ".tar"})))
                .await;
            assert_eq!(
                (info["aborted"].as_bool(), info["loc-objs"].as_str()),
                (Some(false), Some("1"))
            );
            let metrics = &info["Metrics"];
            assert_eq!(metrics["shard_creation"]["finished"], true);
            assert_eq!(metrics["local_extraction"]["extracted_count"], "3");
            assert_eq!(metrics["local_extraction"]["extracted_record_count"], "12");
            let members = ais.shard("out/out-00.tar").await;
            assert_eq!(members.len(), 24);
            assert!(
                members.is_sorted_by_key(|(name, _)| name.split('.').next().unwrap().to_owned())
            );
            assert!(members.contains(&("2-1.txt".into(), b"text 2-1".to_vec())));
            // A job like others.
            let id = info["id"].as_str().unwrap();
            assert_eq!(ais.wait(id).await["kind"], "dsort");
        }
    }
}

#[tokio::test]
async fn other_orders_sizes_and_names() {
    let (servers, _folder) = sample(".tar").await;
    for ais in servers {
        let content = json!({"kind": "content", "extension": ".key", "content_key_type": "int"});
        let change = json!({"algorithm": content, "output_format": "k-%d", "output_extension": ".zip", "output_shard_size": "60B"});
        let info = ais.sorted(&spec(change)).await;
        let count: usize = info["loc-objs"].as_str().unwrap().parse().unwrap();
        assert!(count > 1);
        let mut keys: Vec<u32> = Vec::new();
        for shard in 0..count {
            let members = ais.shard(&format!("out/k-{shard}.zip")).await;
            let texts = members.iter().filter(|(name, _)| name.ends_with(".key"));
            keys.extend(
                texts.map(|(_, text)| String::from_utf8_lossy(text).parse::<u32>().unwrap()),
            );
        }
        assert!(keys.is_sorted() && keys.len() == 12);

        let mut shuffles = Vec::new();
        for seed in ["1", "1", "2"] {
            ais.sorted(&spec(json!({"algorithm": {"kind": "shuffle", "seed": seed}}))).await;
            let members = ais.shard("out/out-00.tar").await;
            shuffles.push(members.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
        }
        assert!(shuffles[0] == shuffles[1] && shuffles[0] != shuffles[2]);

        // Onto the shards that are read.
        let own = json!({"output_bck": {"name": "in"}, "output_format": "in-{0..9}", "algorithm": {"kind": "none"}});
        let info = ais.sorted(&spec(own)).await;
        assert_eq!(info["aborted"], false);
        assert_eq!(ais.shard("in/in-0.tar").await.len(), 24);
    }
}

#[tokio::test]
async fn a_key_map_that_is_an_object() {
    let (servers, _folder) = sample(".tar").await;
    for ais in servers {
        let map = json!({"even-%d.tar": ["^[02]-.*"], "odd-%d.tar": ["^[13]-.*"]});
        ais.put("in/ekm-file.json", map.to_string()).await;
        let url = format!("{}/v1/objects/in/ekm-file.json?provider=ais", ais.server.url());
        let change = json!({"ekm_file": url, "ekm_file_sep": "", "output_format": "", "output_extension": ".tar"});
        let info = ais.sorted(&spec(change)).await;
        assert_eq!(
            (info["aborted"].as_bool(), info["loc-objs"].as_str()),
            (Some(false), Some("2")),
            "{info}"
        );
        for (name, digits) in [("even", ['0', '2']), ("odd", ['1', '3'])] {
            let members = ais.shard(&format!("out/{name}-0.tar")).await;
            assert_eq!(members.len(), 12);
            assert!(members.iter().all(|(member, _)| member.starts_with(digits)));
        }
        let other = json!({"ekm_file": "http://127.0.0.1:9/x.json", "output_format": "", "output_extension": ".tar"});
        let info = ais.sorted(&spec(other)).await;
        let error = info["Metrics"]["errors"][0].as_str().unwrap();
        assert!(error.contains("cannot read ekm_file"), "{error}");
    }
}

#[tokio::test]
async fn what_fails_leaves_nothing() {
    let (servers, _folder) = sample(".tar").await;
    for ais in servers {
        ais.put("in/in-3.tar", "damaged".repeat(100)).await;
        let info = ais.sorted(&spec(json!({}))).await;
        assert_eq!(info["aborted"], true);
        let error = info["Metrics"]["errors"][0].as_str().unwrap();
        assert!(error.contains("in-3.tar") && error.contains("not a valid tar"), "{error}");
        assert_eq!(ais.get("out/out-00.tar").await.status(), 404);
        for (change, status) in [
            (json!({"input_bck": {"name": "none"}}), 404),
            (json!({"algorithm": {"kind": "bubble"}}), 400),
            (json!({"output_shard_size": ""}), 200),
            (json!({"output_format": "plain"}), 400),
        ] {
            assert_eq!(ais.sort(&spec(change.clone())).await.status(), status, "{change}");
        }
    }
}

#[tokio::test]
async fn runs_are_listed_stopped_and_forgotten() {
    let (servers, _folder) = sample(".tar").await;
    for ais in servers {
        let info = ais.sorted(&spec(json!({}))).await;
        let id = info["id"].as_str().unwrap();
        let list = async |query: &str| -> Vec<Value> {
            ais.send(Method::GET, &format!("/v1/sort{query}")).await.json().await.unwrap()
        };
        assert_eq!(list("?regex=a%20test").await.len(), 1);
        assert_eq!(list("?regex=other").await.len(), 0);
        assert_eq!(list("?only_active=true").await.len(), 0);
        assert_eq!(
            ais.send(Method::DELETE, &format!("/v1/sort/abort?uuid={id}")).await.status(),
            200
        );
        assert_eq!(ais.sort_info(id).await["aborted"], false, "it had ended");
        assert_eq!(ais.send(Method::DELETE, &format!("/v1/sort?uuid={id}")).await.status(), 200);
        for (method, path) in [
            (Method::GET, format!("/v1/sort?uuid={id}")),
            (Method::DELETE, format!("/v1/sort?uuid={id}")),
            (Method::DELETE, format!("/v1/sort/abort?uuid={id}")),
            (Method::DELETE, "/v1/sort/abort?uuid=".into()),
        ] {
            let (status, text) = message(ais.send(method, &path).await).await;
            assert_eq!(status, 404, "{path}");
            assert!(text.contains("does not exist"));
        }
    }
}
