//! What a specification asks for, checked.

use holdall_ais_wire::{
    Bck,
    dsort::{Algorithm, Spec},
    multi::Selection,
    template::{Ranges, Template},
    value::parse_size,
};
use holdall_archive::Format;

use crate::error::{Error, Result};

/// A checked specification.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) input: Bck,
    pub(crate) shards: Shards,
    /// Extension of the input where names do not tell, with its dot; empty when it is to be found out.
    pub(crate) input_extension: String,
    pub(crate) output: Bck,
    pub(crate) names: Names,
    /// Extension of the output with its dot.
    pub(crate) output_extension: String,
    pub(crate) output_format: Format,
    /// Bytes of content after which an output shard is closed; 0 to spread evenly over all names.
    pub(crate) shard_size: u64,
    pub(crate) order: Order,
    pub(crate) description: String,
    pub(crate) duplicated_records: Reaction,
    pub(crate) missing_shards: Reaction,
    pub(crate) ekm_malformed_line: Reaction,
    pub(crate) ekm_missing_key: Reaction,
    /// Bytes of memory that descriptions of records may take.
    pub(crate) memory: u64,
    pub(crate) readers: usize,
    pub(crate) writers: usize,
    pub(crate) dry_run: bool,
}

/// Which shards are read, in this order.
#[derive(Debug)]
pub(crate) enum Shards {
    List(Vec<String>),
    Ranges(Ranges),
    Prefix(String),
}

/// Where output shards get their names.
#[derive(Debug)]
pub(crate) enum Names {
    Template(Ranges),
    /// An external key map: where it is, and what separates the columns of its text form.
    KeyMap {
        url: String,
        separator: String,
    },
}

/// The order of records.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Order {
    /// As they were read.
    None,
    Name {
        decreasing: bool,
    },
    Md5 {
        decreasing: bool,
    },
    Shuffle {
        seed: u64,
    },
    Content {
        extension: String,
        key: KeyType,
        decreasing: bool,
    },
}

/// What the content of a key file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyType {
    Int,
    Float,
    Text,
}

/// What to do about something odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    Ignore,
    Warn,
    Abort,
}

impl Plan {
    /// Checks a specification.
    ///
    /// # Errors
    ///
    /// [`crate::error::ErrorKind::Invalid`], naming the field and what is expected there.
    pub(crate) fn new(spec: Spec) -> Result<Self> {
        if spec.input_bck.name.is_empty() {
            return Err(wrong("input_bck", "missing source bucket"));
        }
        let output = spec.output_bck.clone().filter(|bck| !bck.name.is_empty());
        let (input_extension, shards) = input(&spec)?;
        let names = names(&spec)?;
        let shard_size = size("output_shard_size", &spec.output_shard_size)?;
        let unbounded = match &names {
            Names::Template(ranges) => ranges.is_open(),
            Names::KeyMap { .. } => true,
        };
        if shard_size == 0 && unbounded {
            let text = "output shard size must be set (cannot be 0 and cannot be omitted)";
            return Err(Error::invalid(text));
        }
        let output_extension = output_extension(&spec, &names, &input_extension)?;
        let output_format = Format::of_mime(&output_extension)
            .map_err(|error| wrong("output_extension", &error.to_string()))?;
        if !["", "dsort_general", "dsort_mem"].contains(&spec.dsorter_type.as_str()) {
            return Err(wrong("dsorter_type", "expecting dsort_general or dsort_mem"));
        }
        let react = |field, one: &str, two: &str, default| {
            reaction(field, if one.is_empty() { two } else { one }, default)
        };
        let (top, config) = (&spec.reactions, &spec.config);
        Ok(Self {
            order: order(&spec.algorithm)?,
            duplicated_records: react(
                "duplicated_records",
                &top.duplicated_records,
                &config.duplicated_records,
                Reaction::Ignore,
            )?,
            missing_shards: react(
                "missing_shards",
                &top.missing_shards,
                &config.missing_shards,
                Reaction::Ignore,
            )?,
            ekm_malformed_line: react(
                "ekm_malformed_line",
                &top.ekm_malformed_line,
                &config.ekm_malformed_line,
                Reaction::Abort,
            )?,
            ekm_missing_key: react(
                "ekm_missing_key",
                &top.ekm_missing_key,
                &config.ekm_missing_key,
                Reaction::Abort,
            )?,
            memory: memory(&spec.max_mem_usage)?,
            readers: workers("extract", spec.extract_concurrency_max_limit)?,
            writers: workers("create", spec.create_concurrency_max_limit)?,
            output: output.unwrap_or_else(|| spec.input_bck.clone()),
            input: spec.input_bck,
            description: spec.description,
            dry_run: spec.dry_run,
            input_extension,
            output_extension,
            output_format,
            shards,
            names,
            shard_size,
        })
    }
}

fn wrong(field: &str, reason: &str) -> Error {
    Error::invalid(format!("dsort: invalid {field}: {reason}"))
}

fn input(spec: &Spec) -> Result<(String, Shards)> {
    let Selection { objnames, template } = &spec.input_format;
    let mut extension = spec.input_extension.clone();
    if !extension.is_empty() {
        let format = Format::of_mime(&extension)
            .map_err(|error| wrong("input_extension", &error.to_string()))?;
        if !extension.starts_with('.') {
            extension = format.extension().to_owned();
        }
    }
    if !objnames.is_empty() {
        return Ok((extension, Shards::List(objnames.clone())));
    }
    if let Some(found) = extension_of(template) {
        if !extension.is_empty() && Format::of_name(&extension) != Format::of_name(found) {
            return Err(wrong(
                "input_extension",
                &format!("{extension:?} vs {found:?} of the template"),
            ));
        }
        extension = found.to_owned();
    }
    let parsed =
        Template::parse(template).map_err(|error| wrong("input_format", &error.to_string()))?;
    match parsed {
        Template::Ranges(ranges) if ranges.is_open() => {
            Err(wrong("input_format", "the template has no last name"))
        }
        Template::Ranges(ranges) => Ok((extension, Shards::Ranges(ranges))),
        Template::Prefix(prefix) => Ok((extension, Shards::Prefix(prefix))),
    }
}

/// The extension of an archive that a name or template ends in.
fn extension_of(name: &str) -> Option<&'static str> {
    Format::EXTENSIONS.into_iter().find(|extension| name.ends_with(extension))
}

fn names(spec: &Spec) -> Result<Names> {
    if !spec.ekm_file.is_empty() {
        let scheme = spec.ekm_file.split_once("://").map(|(scheme, _)| scheme);
        if !matches!(scheme, Some("http" | "https")) {
            return Err(Error::invalid(format!(
                "failed to parse ekm file ('ekm_file') URL {:?}: expecting http:// or https://",
                spec.ekm_file
            )));
        }
        let separator = if spec.ekm_file_sep.is_empty() { "\t" } else { &spec.ekm_file_sep };
        return Ok(Names::KeyMap { url: spec.ekm_file.clone(), separator: separator.to_owned() });
    }
    output_template(spec.output_format.trim()).map(Names::Template)
}

/// A template that makes names, as output shards need.
pub(super) fn output_template(text: &str) -> Result<Ranges> {
    match Template::parse(text).map_err(|error| wrong("output_format", &error.to_string()))? {
        Template::Ranges(ranges) => Ok(ranges),
        Template::Prefix(_) => Err(wrong(
            "output_format",
            &format!(
                "{text:?} makes no names; expecting a range, as in shard-{{000..999}} or shard-%06d"
            ),
        )),
    }
}

fn output_extension(spec: &Spec, names: &Names, input_extension: &str) -> Result<String> {
    let mut extension = spec.output_extension.clone();
    if !extension.is_empty() && !extension.starts_with('.') {
        let format = Format::of_mime(&extension)
            .map_err(|error| wrong("output_extension", &error.to_string()))?;
        extension = format.extension().to_owned();
    }
    if matches!(names, Names::Template(_))
        && let Some(found) = extension_of(&spec.output_format)
    {
        if !extension.is_empty() && Format::of_name(&extension) != Format::of_name(found) {
            return Err(wrong(
                "output_extension",
                &format!("{extension:?} vs {found:?} of the template"),
            ));
        }
        extension = found.to_owned();
    }
    if extension.is_empty() {
        extension = input_extension.to_owned();
    }
    if extension.is_empty() {
        return Err(wrong("output_extension", "it is missing, and input_extension too"));
    }
    Ok(extension)
}

fn order(algorithm: &Algorithm) -> Result<Order> {
    let decreasing = algorithm.decreasing;
    let seed = match algorithm.seed.as_str() {
        "" => None,
        text => {
            Some(text.parse::<i64>().ok().and_then(|seed| u64::try_from(seed).ok()).ok_or_else(
                || Error::invalid(format!("invalid seed {text:?} (expecting integer value)")),
            )?)
        }
    };
    Ok(match algorithm.kind.as_str() {
        "" | "alphanumeric" => Order::Name { decreasing },
        "none" => Order::None,
        "md5" => Order::Md5 { decreasing },
        "shuffle" => Order::Shuffle { seed: seed.unwrap_or_else(|| fastrand::u64(..)) },
        "content" => {
            let extension = algorithm.extension.trim();
            if !extension.starts_with('.') || extension.contains('/') {
                let text =
                    format!("algorithm: invalid extension {extension:?}: expecting a dot first");
                return Err(Error::invalid(text));
            }
            let key = match algorithm.content_key_type.as_str() {
                "int" => KeyType::Int,
                "float" => KeyType::Float,
                "string" => KeyType::Text,
                other => {
                    return Err(Error::invalid(format!(
                        "invalid content sorting key {other:?}, expecting one of: 'int', 'float', 'string'"
                    )));
                }
            };
            Order::Content { extension: extension.to_owned(), key, decreasing }
        }
        _ => {
            return Err(Error::invalid(
                "invalid sorting algorithm (expecting one of: [alphanumeric none md5 shuffle content])",
            ));
        }
    })
}

fn reaction(field: &str, text: &str, default: Reaction) -> Result<Reaction> {
    match text {
        "" => Ok(default),
        "ignore" => Ok(Reaction::Ignore),
        "warn" => Ok(Reaction::Warn),
        "abort" => Ok(Reaction::Abort),
        other => Err(wrong(field, &format!("{other:?}, expecting one of: ignore, warn, abort"))),
    }
}

/// A size; dSort takes `KB` for `KiB`.
fn size(field: &str, text: &str) -> Result<u64> {
    let upper = text.trim().to_ascii_uppercase();
    if upper.is_empty() {
        return Ok(0);
    }
    if upper.starts_with('-') {
        return Err(Error::invalid(format!("output shard size must be >= 0 (got {text})")));
    }
    let binary = match upper.strip_suffix('B') {
        Some(rest) if rest.ends_with(['K', 'M', 'G', 'T']) => format!("{rest}iB"),
        _ => upper.replace("IB", "iB"),
    };
    parse_size(&binary).map_err(|error| wrong(field, &error.to_string()))
}

/// `80%` of the machine's memory (the default), or a size.
fn memory(text: &str) -> Result<u64> {
    let text = if text.is_empty() { "80%" } else { text };
    let Some(percent) = text.trim().strip_suffix('%') else {
        return size("max_mem_usage", text);
    };
    let share = percent.trim().parse::<u64>().ok().filter(|share| (1..100).contains(share));
    let share = share.ok_or_else(|| wrong("max_mem_usage", "expecting 1% to 99%, or a size"))?;
    let system = rustix::system::sysinfo();
    let total = (system.totalram as u64).saturating_mul(u64::from(system.mem_unit));
    Ok(total / 100 * share)
}

fn workers(what: &str, limit: i64) -> Result<usize> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match usize::try_from(limit) {
        Ok(0) => Ok(processors),
        // More threads than this only wait for the disk.
        Ok(limit) => Ok(limit.min(64)),
        Err(_) => Err(Error::invalid(format!("negative concurrency limit ('{what}', {limit})"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(change: serde_json::Value) -> Result<Plan> {
        let mut spec = json!({
            "input_bck": {"name": "in", "provider": "ais"},
            "input_format": {"template": "in-{0..9}"},
            "input_extension": ".tar",
            "output_format": "out-{0..9}",
            "output_shard_size": "10KB",
        });
        for (key, value) in change.as_object().unwrap() {
            spec[key] = value.clone();
        }
        Plan::new(serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn defaults() {
        let plan = plan(json!({})).unwrap();
        assert_eq!((plan.input, plan.output), (Bck::ais("in"), Bck::ais("in")));
        assert_eq!((plan.shard_size, plan.output_extension.as_str()), (10_240, ".tar"));
        assert_eq!(plan.order, Order::Name { decreasing: false });
        assert_eq!(
            (plan.missing_shards, plan.ekm_missing_key),
            (Reaction::Ignore, Reaction::Abort)
        );
        assert!(plan.memory > 1 << 20 && plan.readers > 0);
    }

    #[test]
    fn what_can_be_said() {
        let content = json!({"kind": "content", "extension": ".cls", "content_key_type": "int"});
        let plan_of = |change| plan(change).unwrap();
        let order = plan_of(json!({"algorithm": content})).order;
        assert!(matches!(order, Order::Content { key: KeyType::Int, .. }));
        let order = plan_of(json!({"algorithm": {"kind": "shuffle", "seed": "7"}})).order;
        assert_eq!(order, Order::Shuffle { seed: 7 });
        let spread = plan_of(json!({"output_shard_size": ""}));
        assert_eq!(spread.shard_size, 0);
        assert_eq!(plan_of(json!({"output_extension": "tgz"})).output_format, Format::TarGz);
        let named =
            plan_of(json!({"output_format": "o-%d.zip", "input_format": {"objnames": ["a"]}}));
        assert_eq!((named.output_format, named.output_extension.as_str()), (Format::Zip, ".zip"));
        let warn = json!({"Config": {"missing_shards": "warn"}, "duplicated_records": "abort"});
        let warn = plan_of(warn);
        assert_eq!(
            (warn.missing_shards, warn.duplicated_records),
            (Reaction::Warn, Reaction::Abort)
        );
        assert_eq!(plan_of(json!({"max_mem_usage": "1MiB"})).memory, 1 << 20);
        assert!(
            matches!(plan_of(json!({"input_format": {}})).shards, Shards::Prefix(p) if p.is_empty())
        );
    }

    #[test]
    fn what_is_refused() {
        for (change, fragment) in [
            (json!({"input_bck": {"name": ""}}), "missing source bucket"),
            (json!({"input_extension": ".rar"}), "input_extension"),
            (json!({"input_format": {"template": "a-{0..x}"}}), "input_format"),
            (json!({"input_format": {"template": "a-{0..9}.zip"}}), ".zip"),
            (json!({"output_format": ""}), "output_format"),
            (json!({"output_format": "plain"}), "makes no names"),
            (json!({"output_format": "o-%d", "output_shard_size": ""}), "must be set"),
            (json!({"output_shard_size": "-1"}), ">= 0"),
            (json!({"output_shard_size": "big"}), "output_shard_size"),
            (json!({"output_extension": ".txt"}), "output_extension"),
            (json!({"algorithm": {"kind": "bubble"}}), "sorting algorithm"),
            (json!({"algorithm": {"kind": "shuffle", "seed": "-1"}}), "seed"),
            (json!({"algorithm": {"kind": "content", "extension": "cls"}}), "extension"),
            (json!({"algorithm": {"kind": "content", "extension": ".cls"}}), "sorting key"),
            (json!({"ekm_file": "ftp://x"}), "ekm_file"),
            (json!({"ekm_file": "http://x", "output_shard_size": "0"}), "must be set"),
            (json!({"missing_shards": "panic"}), "missing_shards"),
            (json!({"max_mem_usage": "100%"}), "max_mem_usage"),
            (json!({"create_concurrency_max_limit": -1}), "negative"),
            (json!({"dsorter_type": "x"}), "dsorter_type"),
        ] {
            let error = plan(change.clone()).unwrap_err();
            assert!(error.message().contains(fragment), "{change}: {error}");
            assert_eq!(error.status(), 400);
        }
    }
}
