//! A Kubernetes pod as clients of older generations describe transformers, as far as it means something without
//! Kubernetes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holdall_ais_wire::etl::{Communication, EnvVar, REQUIRES_KUBERNETES};
use holdall_ais_wire::value::parse_size;
use yaml_rust2::{Yaml, YamlLoader};

use crate::error::{Error, Result};

/// Most bytes of a specification; deep ones are refused with it.
const MAX_SPEC: usize = 256 << 10;

/// What of a pod matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) image: String,
    pub(super) command: Vec<String>,
    pub(super) env: Vec<EnvVar>,
    /// Path of the readiness probe.
    pub(super) health: String,
    pub(super) communication: Option<Communication>,
    pub(super) direct_put: bool,
    pub(super) memory_bytes: Option<u64>,
}

impl Pod {
    /// Reads a pod's YAML, base64.
    ///
    /// # Errors
    ///
    /// When it is none, or asks for what only Kubernetes has.
    pub(super) fn parse(spec: &str) -> Result<Self> {
        let bad = |why: &str| Error::invalid(format!("failed to parse pod spec: {why}"));
        if spec.len() > MAX_SPEC {
            return Err(bad("it is longer than 256 KiB"));
        }
        let bytes = STANDARD.decode(spec.trim()).map_err(|_| bad("it is not base64"))?;
        let text = String::from_utf8(bytes).map_err(|_| bad("it is not UTF-8"))?;
        if text.lines().any(|line| line.len() - line.trim_start().len() > 200) || nested(&text) > 60
        {
            return Err(bad("it is nested too deeply"));
        }
        let documents = YamlLoader::load_from_str(&text).map_err(|e| bad(&e.to_string()))?;
        let [pod] = documents.as_slice() else { return Err(bad("expecting one document")) };
        if word(&pod["kind"]) != "Pod" {
            return Err(bad(&format!("expected pod spec, got: {}", word(&pod["kind"]))));
        }
        let spec = &pod["spec"];
        for only in ["initContainers", "nodeSelector", "affinity", "serviceAccountName"] {
            if !spec[only].is_badvalue() {
                return Err(kubernetes(&format!("the pod's {only}")));
            }
        }
        let containers = spec["containers"].as_vec().map(Vec::as_slice).unwrap_or_default();
        let [container] = containers else {
            let have = containers.len();
            return Err(bad(&format!("unsupported number of containers ({have}), expected: 1")));
        };
        for volume in spec["volumes"].as_vec().into_iter().flatten() {
            // The machine's own folders are there without being mounted.
            if volume["hostPath"].is_badvalue() && volume["emptyDir"].is_badvalue() {
                return Err(kubernetes(&format!("the volume {:?}", word(&volume["name"]))));
            }
        }
        let annotations = &pod["metadata"]["annotations"];
        let communication = match word(&annotations["communication_type"]).as_str() {
            "" => None,
            "hpush" | "hpush://" => Some(Communication::Push),
            "hpull" | "hpull://" => Some(Communication::Pull),
            "ws" | "ws://" => Some(Communication::WebSocket),
            other => return Err(Error::invalid(format!("unknown comm-type {other:?}"))),
        };
        let mut command = words(&container["command"]);
        command.extend(words(&container["args"]));
        Ok(Self {
            image: word(&container["image"]),
            command,
            env: env(&container["env"])?,
            health: word(&container["readinessProbe"]["httpGet"]["path"]),
            communication,
            direct_put: word(&annotations["support_direct_put"]) == "true",
            memory_bytes: memory(&word(&container["resources"]["limits"]["memory"]))?,
        })
    }
}

/// A limit of memory in Kubernetes' words: `1Gi`, `512M`, a number of bytes.
///
/// # Errors
///
/// When it is none.
pub(super) fn memory(text: &str) -> Result<Option<u64>> {
    if text.is_empty() {
        return Ok(None);
    }
    let size = match text.as_bytes() {
        [.., b'K' | b'M' | b'G' | b'T', b'i'] => format!("{text}B"),
        [.., b'k' | b'K' | b'M' | b'G' | b'T'] => format!("{text}B"),
        _ => text.to_owned(),
    };
    let bytes = parse_size(&size);
    bytes.map(Some).map_err(|e| Error::invalid(format!("resources.limits.memory: {e}")))
}

fn env(list: &Yaml) -> Result<Vec<EnvVar>> {
    let mut all = Vec::new();
    for variable in list.as_vec().into_iter().flatten() {
        let name = word(&variable["name"]);
        if !variable["valueFrom"].is_badvalue() {
            return Err(kubernetes(&format!("the value of the variable {name:?}")));
        }
        all.push(EnvVar { name, value: word(&variable["value"]) });
    }
    Ok(all)
}

fn kubernetes(what: &str) -> Error {
    let text = format!(
        "{REQUIRES_KUBERNETES}: this server runs transformers as local processes, and {what} needs a cluster"
    );
    Error::unsupported(text)
}

fn words(list: &Yaml) -> Vec<String> {
    list.as_vec().into_iter().flatten().map(word).collect()
}

/// A scalar as text; empty for everything else.
fn word(value: &Yaml) -> String {
    match value {
        Yaml::String(text) | Yaml::Real(text) => text.clone(),
        Yaml::Integer(number) => number.to_string(),
        Yaml::Boolean(value) => value.to_string(),
        _ => String::new(),
    }
}

/// Brackets that are open at once.
fn nested(text: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ECHO: &str = r#"
apiVersion: v1
kind: Pod
metadata:
  name: transformer-echo
  annotations:
    communication_type: "hpull://"
spec:
  containers:
    - name: server
      image: aistorage/transformer_echo:latest
      ports: [{name: default, containerPort: 8000}]
      command: ["run", "--port", "8000"]
      env: [{name: A, value: "1"}]
      resources: {limits: {memory: 1Gi}}
      readinessProbe: {httpGet: {path: /health, port: default}}
"#;

    fn parse(text: &str) -> Result<Pod> {
        Pod::parse(&STANDARD.encode(text))
    }

    #[test]
    fn a_pod() {
        let pod = parse(ECHO).unwrap();
        assert_eq!(pod.image, "aistorage/transformer_echo:latest");
        assert_eq!(pod.command, ["run", "--port", "8000"]);
        assert_eq!((pod.env[0].value.as_str(), pod.health.as_str()), ("1", "/health"));
        assert_eq!(pod.communication, Some(Communication::Pull));
        assert_eq!(pod.memory_bytes, Some(1 << 30));
    }

    #[test]
    fn what_needs_kubernetes_says_so() {
        let secret = ECHO.replace("value: \"1\"", "valueFrom: {secretKeyRef: {name: s, key: k}}");
        let volume = format!("{ECHO}  volumes: [{{name: v, configMap: {{name: c}}}}]\n");
        let init = format!("{ECHO}  initContainers: []\n");
        for (text, names) in [(secret, "\"A\""), (volume, "\"v\""), (init, "initContainers")] {
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.contains(REQUIRES_KUBERNETES) && error.contains(names), "{error}");
        }
        assert!(parse("kind: Service").unwrap_err().to_string().contains("got: Service"));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,100}") {
            let _ = parse(&text);
            let _ = memory(&text);
        }
    }
}
