//! From the request that makes an ETL to what runs on this machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdall_ais_wire::etl::{Communication, EnvVar, InitMsg, REQUIRES_KUBERNETES, check_name};
use holdall_ais_wire::value::{parse_duration, truthy};
use sha2::{Digest as _, Sha256};

use super::options::{EtlOptions, tag, without_tag};
use super::pod::{Pod, memory};
use super::process::{Launch, Limits};
use crate::error::{Error, Result};

/// Time to start, where the request does not say.
const INIT_TIMEOUT: Duration = Duration::from_secs(45);
/// Time for an object, where the request does not say.
const OBJECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Most processes of one ETL.
const MOST_WORKERS: usize = 64;
/// The image that stands for the server's machine.
const LOCAL: &str = "local";
/// Images whose transformers this server has itself.
const STANDARD: [&str; 4] = ["echo", "hash_with_args", "hello_world", "md5"];
/// Variables of the server's environment that programs need.
const ENVIRONMENT: [&str; 20] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYENV_VERSION",
    "PYENV_ROOT",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "XDG_CACHE_HOME",
];

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Program {
    /// A class that a client sent, pickled; and the version of its Python.
    Class { payload: String, python: String },
    /// One of [`STANDARD`].
    Standard(&'static str),
    /// A command of this machine.
    Command(Vec<String>),
}

/// An ETL that can be started.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) program: Program,
    pub(super) env: Vec<EnvVar>,
    pub(super) workers: usize,
    pub(super) limits: Limits,
    pub(super) communication: Communication,
    pub(super) direct_put: bool,
    /// Objects are given as files.
    pub(super) as_file: bool,
    pub(super) init_timeout: Duration,
    pub(super) object_timeout: Duration,
    pub(super) health: String,
    /// What the operator should know.
    pub(super) notes: Vec<String>,
}

/// Where a server's transformers live.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Folder for scripts, classes, packages and files.
    pub(super) folder: PathBuf,
    /// Where transformers reach the server: `http://127.0.0.1:PORT`.
    pub(super) url: String,
}

impl Plan {
    /// What the message asks for.
    ///
    /// # Errors
    ///
    /// When it asks for nothing that can be, or for what needs Kubernetes.
    pub(super) fn of(message: &InitMsg, options: &EtlOptions) -> Result<Self> {
        check_name(&message.name).map_err(Error::invalid)?;
        let about = |text: String| Error::invalid(format!("[etl={:?}] {text}", message.name));
        if !message.code.is_empty() {
            return Err(about(
                "transformers from functions (init_code) are gone since AIStore 4.0: use init_class".into(),
            ));
        }
        let pod = match (&message.runtime, message.spec.as_str()) {
            (Some(runtime), _) if !runtime.image.is_empty() => {
                let limit = &message.resources["limits"]["memory"];
                Pod {
                    image: runtime.image.clone(),
                    command: runtime.command.clone(),
                    env: runtime.env.clone(),
                    memory_bytes: memory(limit.as_str().unwrap_or(&plain(limit)))?,
                    ..Pod::default()
                }
            }
            (_, "") => return Err(about("runtime.image must be specified".into())),
            (_, spec) => Pod::parse(spec)?,
        };
        let mut env = pod.env.clone();
        env.extend(message.env.iter().cloned());
        let value = |name: &str| {
            env.iter().rev().find(|variable| variable.name == name).map_or("", |v| v.value.as_str())
        };
        let mut notes = Vec::new();
        let program = program(&pod, value("ETL_CLASS_PAYLOAD"), options, &mut notes)?;
        let workers = match (value("NUM_WORKERS"), &program) {
            ("", Program::Class { .. }) => {
                std::thread::available_parallelism().map_or(1, |n| n.get()).min(4)
            }
            ("", _) => 1,
            (text, _) => text
                .parse()
                .ok()
                .filter(|workers| (1..=MOST_WORKERS).contains(workers))
                .ok_or_else(|| {
                about(format!("NUM_WORKERS is {text:?}: expecting 1 to {MOST_WORKERS}"))
            })?,
        };
        let duration = |text: &str, default| match text {
            "" | "0" | "0s" => Ok(default),
            text => parse_duration(text).map_err(|e| about(e.to_string())),
        };
        let least = |one: Option<u64>, two: Option<u64>| one.into_iter().chain(two).min();
        Ok(Self {
            name: message.name.clone(),
            program,
            workers,
            limits: Limits {
                memory_bytes: least(pod.memory_bytes, options.memory_bytes),
                cpu_seconds: options.cpu_seconds,
                open_files: Some(options.open_files),
            },
            communication: message.communication.or(pod.communication).unwrap_or_default(),
            direct_put: message.support_direct_put || pod.direct_put,
            as_file: truthy(value("ETL_DIRECT_FQN")),
            init_timeout: duration(&message.init_timeout, INIT_TIMEOUT)?,
            object_timeout: duration(&message.obj_timeout, OBJECT_TIMEOUT)?,
            health: if pod.health.is_empty() { "/health".to_owned() } else { pod.health },
            env,
            notes,
        })
    }

    /// The process that listens on `port`.
    ///
    /// # Errors
    ///
    /// When there is no Python, or its files cannot be written.
    pub(super) fn launch(
        &self,
        place: &Place,
        options: &EtlOptions,
        port: u16,
        secret: &str,
    ) -> Result<Launch> {
        let target = format!("{}/v1/etl/_object/{}/{secret}", place.url, self.name);
        let mut launch = self.python(place, options, &[])?;
        match &self.program {
            Program::Class { .. } => launch.arguments.push("class".into()),
            Program::Standard(name) => launch.arguments.extend(["standard".into(), (*name).into()]),
            Program::Command(command) => {
                let fill = |argument: &String| with_port(argument, port);
                let mut words = command.iter().map(fill);
                let program = words.next().unwrap_or_default();
                launch.program = find(&program).ok_or_else(|| {
                    Error::invalid(format!(
                        "[etl={:?}] there is no program {program:?} on the server's machine",
                        self.name
                    ))
                })?;
                launch.arguments = words.map(OsString::from).collect();
            }
        }
        let ours = [
            ("AIS_TARGET_URL", target),
            ("DIRECT_PUT", self.direct_put.to_string()),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", port.to_string()),
            ("PYTHONUNBUFFERED", "1".to_owned()),
        ];
        launch.env.extend(ours.into_iter().map(|(name, value)| (name.to_owned(), value.into())));
        Ok(launch)
    }

    /// What looks whether a class can run, and gets its packages; none for other programs.
    ///
    /// # Errors
    ///
    /// As [`launch`](Self::launch).
    pub(super) fn preparation(
        &self,
        place: &Place,
        options: &EtlOptions,
    ) -> Result<Option<Launch>> {
        let Program::Class { .. } = &self.program else { return Ok(None) };
        self.python(place, options, &["prepare"]).map(Some)
    }

    fn python(&self, place: &Place, options: &EtlOptions, arguments: &[&str]) -> Result<Launch> {
        let script = include_str!("runner.py");
        let runner = place.folder.join(format!("runner-{}.py", digest(script)));
        let mut env: Vec<(String, OsString)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| {
                ENVIRONMENT.contains(&name.as_str())
                    || options.pass_env.iter().any(|pass| pass == name)
            })
            .collect();
        let theirs = self.env.iter().filter(|variable| variable.name != "ETL_CLASS_PAYLOAD");
        env.extend(theirs.map(|variable| (variable.name.clone(), OsString::from(&variable.value))));
        let (mut program, mut all) = (PathBuf::new(), Vec::new());
        if !matches!(self.program, Program::Command(_)) {
            let version = match &self.program {
                Program::Class { python, .. } => python.as_str(),
                _ => "",
            };
            program = interpreter(options, version)?;
            write_new(&runner, script.as_bytes())?;
            all.push(runner.into_os_string());
        }
        if let Program::Class { payload, python } = &self.program {
            // A variable of the environment holds at most 128 KiB.
            let file = place.folder.join(format!("class-{}", digest(payload)));
            write_new(&file, payload.as_bytes())?;
            let packages =
                self.env.iter().find(|v| v.name == "PACKAGES").map_or("", |v| v.value.as_str());
            let folder =
                place.folder.join(format!("packages-{}", digest(&format!("{python} {packages}"))));
            env.push(("HOLDALL_ETL_PAYLOAD".into(), file.into()));
            env.push(("HOLDALL_ETL_PACKAGES".into(), folder.into()));
            env.push(("HOLDALL_ETL_PYTHON".into(), python.into()));
        }
        all.extend(arguments.iter().map(OsString::from));
        Ok(Launch {
            program,
            arguments: all,
            env,
            folder: place.folder.clone(),
            limits: self.limits,
        })
    }
}

fn program(
    pod: &Pod,
    payload: &str,
    options: &EtlOptions,
    notes: &mut Vec<String>,
) -> Result<Program> {
    let image = pod.image.as_str();
    let unused = |what: &str, notes: &mut Vec<String>| {
        if !pod.command.is_empty() {
            notes.push(format!("the command {:?} is not used: {what}", pod.command.join(" ")));
        }
    };
    if let Some(command) = options.image(image) {
        unused("the operator has named one for the image", notes);
        return Ok(Program::Command(command.to_vec()));
    }
    let name = without_tag(image).trim_start_matches("docker.io/");
    if name == "aistorage/runtime_python" {
        if payload.is_empty() {
            return Err(Error::invalid(
                "the image aistorage/runtime_python without a class in ETL_CLASS_PAYLOAD",
            ));
        }
        unused("the image runs a class", notes);
        return Ok(Program::Class { payload: payload.to_owned(), python: tag(image).to_owned() });
    }
    let standard = name
        .strip_prefix("aistorage/transformer_")
        .and_then(|name| STANDARD.iter().find(|known| **known == name));
    if let Some(standard) = standard {
        unused("the server has the image's transformer itself", notes);
        return Ok(Program::Standard(standard));
    }
    if image == LOCAL {
        if pod.command.is_empty() {
            return Err(Error::invalid(
                "the image \"local\" runs a command of the server's machine: name it in \"command\"",
            ));
        }
        return Ok(Program::Command(pod.command.clone()));
    }
    Err(Error::unsupported(format!(
        "{REQUIRES_KUBERNETES} to run the image {image:?}: this server runs local processes. Send a Python class \
         (init_class), name the image \"local\" and a command of the server's machine, or let the operator say what \
         stands for the image: --etl-image '{}=COMMAND'",
        without_tag(image)
    )))
}

/// A number of bytes that JSON has as a number.
fn plain(value: &serde_json::Value) -> String {
    value.as_u64().map(|number| number.to_string()).unwrap_or_default()
}

/// The argument with the port where it is asked for.
fn with_port(argument: &str, port: u16) -> String {
    let port = port.to_string();
    ["{port}", "$(PORT)", "${PORT}"]
        .iter()
        .fold(argument.to_owned(), |text, mark| text.replace(mark, &port))
}

/// The Python for a version such as `3.12`, or any.
fn interpreter(options: &EtlOptions, version: &str) -> Result<PathBuf> {
    if let Some(python) = &options.python {
        let missing = || Error::invalid(format!("--etl-python: there is no {}", python.display()));
        return find(&python.to_string_lossy()).ok_or_else(missing);
    }
    let environment =
        std::env::var_os("VIRTUAL_ENV").map(|folder| Path::new(&folder).join("bin/python"));
    let named = (!version.is_empty()).then(|| find(&format!("python{version}"))).flatten();
    let found = environment.filter(|python| python.exists()).or(named);
    found.or_else(|| find("python3")).ok_or_else(|| {
        Error::invalid(
            "there is no Python on the server's machine: install one, or name it with --etl-python",
        )
    })
}

/// The program as the shell would find it.
fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        let path = Path::new(program);
        return path
            .exists()
            .then(|| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

fn write_new(path: &Path, content: &[u8]) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    // Others may write the same at the same time.
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    std::io::Write::write_all(&mut file, content)?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdall_ais_wire::etl::Runtime;

    fn plan(image: &str, command: &[&str], env: &[(&str, &str)]) -> Result<Plan> {
        let env =
            env.iter().map(|(name, value)| EnvVar { name: (*name).into(), value: (*value).into() });
        let runtime = Runtime {
            image: image.into(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            env: env.collect(),
        };
        let message =
            InitMsg { name: "etl-test".into(), runtime: Some(runtime), ..InitMsg::default() };
        let images = vec![("mine/image".to_owned(), vec!["mine".to_owned()])];
        Plan::of(&message, &EtlOptions { images, ..EtlOptions::default() })
    }

    #[test]
    fn programs() {
        let class = plan("aistorage/runtime_python:3.12", &[], &[("ETL_CLASS_PAYLOAD", "gA==")]);
        let expected = Program::Class { payload: "gA==".into(), python: "3.12".into() };
        assert_eq!(class.unwrap().program, expected);
        let standard = plan("aistorage/transformer_md5:latest", &["uvicorn"], &[]).unwrap();
        assert_eq!(standard.program, Program::Standard("md5"));
        assert!(standard.notes[0].contains("uvicorn"));
        let local = plan("local", &["a", "{port}"], &[("NUM_WORKERS", "3")]).unwrap();
        assert_eq!(
            (local.workers, local.program),
            (3, Program::Command(vec!["a".into(), "{port}".into()]))
        );
        assert_eq!(
            plan("mine/image:1", &[], &[]).unwrap().program,
            Program::Command(vec!["mine".into()])
        );
        let refused = plan("other/image:1", &[], &[]).unwrap_err().to_string();
        assert!(refused.contains(REQUIRES_KUBERNETES) && refused.contains("other/image=COMMAND"));
        for bad in [
            plan("local", &[], &[]),
            plan("", &[], &[]),
            plan("local", &["a"], &[("NUM_WORKERS", "0")]),
        ] {
            assert!(bad.is_err());
        }
    }

    #[test]
    fn the_port_is_filled_in() {
        assert_eq!(with_port("--bind=127.0.0.1:{port}", 81), "--bind=127.0.0.1:81");
        assert_eq!(with_port("$(PORT)${PORT}", 81), "8181");
    }
}
