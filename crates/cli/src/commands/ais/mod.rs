//! `holdall ais`.

pub(crate) mod args;
mod auth;
mod bucket;
mod cluster;
mod dsort;
mod etl;
mod job;
mod object;
mod table;

use anyhow::{Context as _, Result, bail};
use holdall::ais::wire::{Bck, Provider};
use holdall::ais::{Bucket, Client, ClientConfig, Object, parse_url};

use self::args::{Ais, AisCommand};
use super::Context;
use crate::Exit;

/// Runs a subcommand of `holdall ais`.
pub(super) async fn run(context: &Context<'_>, args: &Ais) -> Result<Exit> {
    let config = config(context, args)?;
    let ais =
        || -> Result<Session<'_>> { Ok(Session { context, client: Client::new(config.clone())? }) };
    match &args.command {
        AisCommand::Bucket(command) => bucket::run(&ais()?, command).await,
        AisCommand::Object(command) => object::run(&ais()?, command).await,
        AisCommand::Job(command) => job::run(&ais()?, command).await,
        AisCommand::Cluster(command) => cluster::run(&ais()?, command).await,
        AisCommand::Etl(command) => etl::run(&ais()?, command).await,
        AisCommand::Dsort(command) => dsort::run(&ais()?, command).await,
        AisCommand::Auth(args) => auth::run(context, config.clone(), args).await,
    }
}

fn config(context: &Context<'_>, args: &Ais) -> Result<ClientConfig> {
    let mut config = ClientConfig::from_pairs(true, context.common.config.iter().cloned())?;
    if let Some(endpoint) = &args.endpoint {
        config.endpoint.clone_from(endpoint);
    }
    if let Some(file) = &args.token_file {
        let shown = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("token file {shown}"))?;
        config = config.with_token(token(&text).with_context(|| format!("token file {shown}"))?);
    }
    Ok(config)
}

/// A token from a file, where AIStore's own command keeps it in JSON.
fn token(text: &str) -> Result<String> {
    let text = text.trim();
    let token = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(object)) => {
            object.get("token").and_then(|token| token.as_str()).unwrap_or_default().to_owned()
        }
        _ => text.to_owned(),
    };
    if token.is_empty() {
        bail!("it holds no token");
    }
    Ok(token)
}

/// A cluster, and what all commands need.
struct Session<'a> {
    context: &'a Context<'a>,
    client: Client,
}

impl Session<'_> {
    fn bucket(&self, text: &str) -> Result<Bucket> {
        let (bck, rest) = place(text)?;
        if !rest.is_empty() {
            bail!("{text}: a bucket is wanted, not an object");
        }
        Ok(self.client.bucket_of(bck))
    }

    fn buckets(&self, texts: &[String]) -> Result<Vec<Bucket>> {
        texts.iter().map(|text| self.bucket(text)).collect()
    }

    fn object(&self, text: &str) -> Result<Object> {
        let (bck, name) = place(text)?;
        if name.is_empty() {
            bail!("{text}: an object is wanted: write {}/key", text.trim_end_matches('/'));
        }
        Ok(self.client.bucket_of(bck).object(name))
    }

    fn objects(&self, texts: &[String]) -> Result<Vec<Object>> {
        texts.iter().map(|text| self.object(text)).collect()
    }
}

/// Does something with each thing that was named, whatever becomes of the others. Failures are told of as they come; of a
/// single thing, it is the command that fails.
async fn each<T>(
    ais: &Session<'_>,
    things: Vec<T>,
    act: impl AsyncFn(&T) -> Result<()>,
) -> Result<Exit> {
    let mut exit = Exit::Done;
    for thing in &things {
        match act(thing).await {
            Err(error) if things.len() > 1 => {
                ais.context.printer.error(&format!("{error:#}"));
                exit = Exit::Partial;
            }
            ended => ended?,
        }
    }
    Ok(exit)
}

/// A bucket and what follows it; a text without a scheme is of AIStore's own.
fn place(text: &str) -> Result<(Bck, String)> {
    let url = if text.contains("://") { text.to_owned() } else { format!("ais://{text}") };
    Ok(parse_url(&url)?)
}

/// The new name of an object of `bck`: told alone, or by a URL.
fn new_object_name(bck: &Bck, told: &str) -> Result<String> {
    if !told.contains("://") {
        return Ok(told.to_owned());
    }
    let (to, name) = place(told)?;
    if to != *bck || name.is_empty() {
        bail!("{told}: an object keeps its bucket, {bck}: use `holdall mv` to move it elsewhere");
    }
    Ok(name)
}

/// The new name of the bucket `bck`: told alone, or by a URL.
fn new_bucket_name(bck: &Bck, told: &str) -> Result<String> {
    if !told.contains("://") {
        return Ok(told.to_owned());
    }
    let (to, rest) = place(told)?;
    if !rest.is_empty() || (to.provider, &to.namespace) != (bck.provider, &bck.namespace) {
        bail!("{told}: a bucket keeps all but its name: write it alone");
    }
    Ok(to.name)
}

fn provider(text: &str) -> Result<Provider, String> {
    text.trim_end_matches("://").parse().map_err(|e| format!("{e}"))
}

/// A time for people; empty for none.
fn time(at: Option<chrono::DateTime<chrono::Utc>>) -> String {
    at.map(|at| super::listing::time(&at)).unwrap_or_default()
}
