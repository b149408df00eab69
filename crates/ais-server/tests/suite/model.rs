//! Random operations, compared with a model that is nothing but a map.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Ais, header};

const NAMES: [&str; 12] =
    ["a", "a/b", "a/b/c", "a-", "a.", "b", "b/x", "é", "z z", "z%25", "日本", "zz"];
const STEPS: usize = 400;

#[derive(Debug, Clone, PartialEq)]
struct Object {
    content: Vec<u8>,
    version: u64,
    custom: BTreeMap<String, String>,
}

type Model = BTreeMap<String, Object>;

fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC)
        .to_string()
        .replace("%2F", "/")
}

struct Run {
    ais: Ais,
    model: Model,
    random: fastrand::Rng,
}

impl Run {
    fn name(&mut self) -> &'static str {
        NAMES[self.random.usize(..NAMES.len())]
    }

    fn path(name: &str) -> String {
        format!("/v1/objects/m/{}", encoded(name))
    }

    async fn step(&mut self) {
        let name = self.name();
        match self.random.u8(..12) {
            0..=3 => self.put(name).await,
            4 => self.delete(name).await,
            5 => self.rename(name).await,
            6 => self.custom(name).await,
            7 => self.append(name).await,
            8 => self.multipart(name).await,
            9 => self.range(name).await,
            10 => self.get(name).await,
            _ => self.list().await,
        }
    }

    fn content(&mut self) -> Vec<u8> {
        let len = self.random.usize(..40);
        std::iter::repeat_with(|| self.random.u8(..)).take(len).collect()
    }

    fn written(&mut self, name: &str, content: Vec<u8>) {
        let version = self.model.get(name).map_or(0, |object| object.version) + 1;
        self.model.insert(name.to_owned(), Object { content, version, custom: BTreeMap::new() });
    }

    async fn put(&mut self, name: &str) {
        let content = self.content();
        let reply = self
            .ais
            .request(Method::PUT, &Self::path(name))
            .body(content.clone())
            .send()
            .await
            .unwrap();
        assert_eq!(reply.status(), 200);
        self.written(name, content);
        assert_eq!(header(&reply, "ais-version"), self.model[name].version.to_string());
    }

    async fn delete(&mut self, name: &str) {
        let reply = self.ais.send(Method::DELETE, &Self::path(name)).await;
        let expected = if self.model.remove(name).is_some() { 200 } else { 404 };
        assert_eq!(reply.status(), expected, "delete {name}");
    }

    async fn rename(&mut self, name: &str) {
        let to = self.name();
        let message = json!({"action": "rename-obj", "name": to});
        let reply =
            self.ais.request(Method::POST, &Self::path(name)).json(&message).send().await.unwrap();
        if name == to {
            assert_eq!(reply.status(), 400);
        } else if let Some(object) = self.model.remove(name) {
            assert_eq!(reply.status(), 200);
            self.model.insert(to.to_owned(), object);
        } else {
            assert_eq!(reply.status(), 404, "rename {name}");
        }
    }

    async fn custom(&mut self, name: &str) {
        let (key, value) =
            (format!("k{}", self.random.u8(..3)), format!("v{}", self.random.u8(..)));
        let replace = self.random.bool();
        let target = format!("{}?set-new-custom={replace}", Self::path(name));
        let reply =
            self.ais.act(Method::PATCH, &target, "", json!({key.clone(): value.clone()})).await;
        match self.model.get_mut(name) {
            None => assert_eq!(reply.status(), 404),
            Some(object) => {
                assert_eq!(reply.status(), 200);
                if replace {
                    object.custom.clear();
                }
                object.custom.insert(key, value);
            }
        }
    }

    async fn append(&mut self, name: &str) {
        let mut content =
            self.model.get(name).map(|object| object.content.clone()).unwrap_or_default();
        let mut handle = String::new();
        for _ in 0..self.random.usize(1..4) {
            let piece = self.content();
            let target = format!(
                "{}?append_type=append&append_handle={}",
                Self::path(name),
                encoded(&handle)
            );
            let reply =
                self.ais.request(Method::PUT, &target).body(piece.clone()).send().await.unwrap();
            assert_eq!(reply.status(), 200);
            handle = header(&reply, "ais-append-handle").to_owned();
            content.extend(piece);
        }
        let target =
            format!("{}?append_type=flush&append_handle={}", Self::path(name), encoded(&handle));
        assert_eq!(self.ais.send(Method::PUT, &target).await.status(), 200);
        self.written(name, content);
    }

    async fn multipart(&mut self, name: &str) {
        let path = Self::path(name);
        let id = self
            .ais
            .act(Method::POST, &path, "mpt-upload", Value::Null)
            .await
            .text()
            .await
            .unwrap();
        let mut parts = BTreeMap::new();
        for _ in 0..self.random.usize(1..5) {
            let number = self.random.u32(1..6);
            let content = [self.content(), vec![7]].concat();
            let target = format!("{path}?uploadId={id}&partNumber={number}");
            let reply =
                self.ais.request(Method::PUT, &target).body(content.clone()).send().await.unwrap();
            assert_eq!(reply.status(), 200);
            parts.insert(number, content);
        }
        let mut named: Vec<Value> =
            parts.keys().map(|number| json!({"part-number": number, "etag": ""})).collect();
        self.random.shuffle(&mut named);
        let complete = format!("{path}?uploadId={id}");
        assert_eq!(
            self.ais.act(Method::POST, &complete, "mpt-complete", json!(named)).await.status(),
            200
        );
        self.written(name, parts.into_values().flatten().collect());
    }

    async fn get(&mut self, name: &str) {
        let reply = self.ais.send(Method::GET, &Self::path(name)).await;
        let Some(object) = self.model.get(name) else {
            assert_eq!(reply.status(), 404, "get {name}");
            return;
        };
        assert_eq!(header(&reply, "ais-version"), object.version.to_string());
        let mut hasher = xxhash_rust::xxh64::Xxh64::new(0);
        hasher.update(&object.content);
        assert_eq!(header(&reply, "ais-checksum-value"), format!("{:016x}", hasher.digest()));
        let custom: BTreeMap<String, String> = reply
            .headers()
            .get_all("ais-custom-md")
            .iter()
            .filter_map(|value| value.to_str().unwrap().split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(custom, object.custom);
        assert_eq!(reply.bytes().await.unwrap(), object.content);
    }

    async fn range(&mut self, name: &str) {
        let (start, end) = (self.random.usize(..45), self.random.usize(..45));
        let range = format!("bytes={start}-{end}");
        let reply = self
            .ais
            .request(Method::GET, &Self::path(name))
            .header("Range", range)
            .send()
            .await
            .unwrap();
        match self.model.get(name) {
            Some(object) if start < object.content.len() && start <= end => {
                assert_eq!(reply.status(), 206);
                let last = end.min(object.content.len() - 1);
                assert_eq!(reply.bytes().await.unwrap(), &object.content[start..=last]);
            }
            None if start <= end => assert_eq!(reply.status(), 404),
            _ => assert_eq!(reply.status(), 416),
        }
    }

    /// Everything with a prefix, in pages of a random length, on one level or all.
    async fn list(&mut self) {
        let prefix = ["", "a", "a/", "b", "none", "é"][self.random.usize(..6)];
        let flat = self.random.bool() && (prefix.is_empty() || prefix.ends_with('/'));
        let page_size = self.random.usize(1..6);
        let (mut names, mut token, mut uuid) = (Vec::new(), String::new(), String::new());
        loop {
            let value = json!({
                "prefix": prefix, "pagesize": page_size, "uuid": uuid, "continuation_token": token,
                "flags": if flat { "2048" } else { "0" }, "props": "name,size",
            });
            let reply = self.ais.act(Method::GET, "/v1/buckets/m", "list", value).await;
            let page: Value = reply.json().await.unwrap();
            for entry in page["entries"].as_array().into_iter().flatten() {
                names.push(entry["name"].as_str().unwrap().to_owned());
            }
            token = page["continuation_token"].as_str().unwrap().to_owned();
            uuid = page["uuid"].as_str().unwrap().to_owned();
            if token.is_empty() {
                break;
            }
        }
        let mut expected: Vec<String> = self
            .model
            .keys()
            .filter(|name| name.starts_with(prefix))
            .map(|name| match name[prefix.len()..].find('/') {
                Some(slash) if flat => name[..=prefix.len() + slash].to_owned(),
                _ => name.clone(),
            })
            .collect();
        expected.sort();
        expected.dedup();
        assert_eq!(names, expected, "prefix {prefix:?}, pages of {page_size}, one level: {flat}");
    }
}

#[tokio::test]
async fn the_server_does_as_the_model() {
    let (servers, _folder) = Ais::both().await;
    for (seed, ais) in servers.into_iter().enumerate() {
        ais.create("m").await;
        let mut run =
            Run { ais, model: Model::new(), random: fastrand::Rng::with_seed(seed as u64) };
        for _ in 0..STEPS {
            run.step().await;
        }
        for name in NAMES {
            run.get(name).await;
        }
    }
}
