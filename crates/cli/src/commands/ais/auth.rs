//! `holdall ais auth`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use holdall::ais::ClientConfig;
use holdall::ais::authn::{AuthnClient, access};
use holdall::ais::wire::Bck;
use holdall::ais::wire::authn::Role;
use serde_json::{Value, json};

use super::super::Context;
use super::args::AuthArgs;
use super::table::Table;
use crate::Exit;
use crate::printer::Printer;

/// What to do with the AuthN service.
#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Get a token, which is printed, or written to a file that only its owner can read.
    Login {
        /// Name of the user.
        user: String,
        /// Where the password is: a file, or `-` for standard input. Otherwise AIS_AUTHN_PASSWORD has it.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// How long the token is to live.
        #[arg(long, value_name = "TIME", value_parser = crate::args::duration)]
        expires_in: Option<Duration>,
        /// Write the token here instead of printing it.
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Make the present token worthless.
    Logout,
    /// Make a token worthless; it is read from standard input.
    Revoke,
    /// Users.
    #[command(subcommand)]
    User(UserCommand),
    /// Roles.
    #[command(subcommand)]
    Role(RoleCommand),
    /// Clusters that the service knows.
    #[command(subcommand)]
    Cluster(KnownCommand),
}

/// What to do with users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// List users.
    Ls,
    /// Make a user.
    Add {
        /// Name of the user.
        name: String,
        /// Its roles.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// Where the password is: a file, or `-` for standard input. Otherwise AIS_AUTHN_PASSWORD has it.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Change a user's roles, or password, or both.
    Set {
        /// Name of the user.
        name: String,
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Delete a user.
    Rm {
        /// Name of the user.
        name: String,
    },
}

/// What to do with roles.
#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// List roles.
    Ls,
    /// Make a role.
    Add {
        /// Name of the role.
        name: String,
        #[arg(long, default_value = "")]
        description: String,
        /// Alias or id of the cluster that it is about.
        #[arg(long)]
        cluster: String,
        /// Only this bucket of it.
        #[arg(long)]
        bucket: Option<String>,
        /// What it allows: GET, PUT, …, or ro, rw, cluster-ro, cluster-rw, bucket-admin, su; separated by commas.
        #[arg(long, required = true, value_delimiter = ',', value_parser = permission)]
        allow: Vec<u64>,
    },
    /// Delete a role.
    Rm {
        /// Name of the role.
        name: String,
    },
}

/// What to do with clusters.
#[derive(Debug, Subcommand)]
pub(crate) enum KnownCommand {
    /// List clusters.
    Ls,
    /// Make a cluster known.
    Add {
        /// What the cluster is called here.
        alias: String,
        /// Its gateways; the first is asked for its id.
        #[arg(required = true)]
        urls: Vec<String>,
    },
    /// Change a cluster's alias, or URLs, or both.
    Set {
        id: String,
        /// What the cluster is called here.
        #[arg(long, default_value = "")]
        alias: String,
        #[arg(long = "url", value_name = "URL")]
        urls: Vec<String>,
    },
    /// Forget a cluster, by its id or alias.
    Rm {
        /// Id or alias of the cluster.
        name: String,
    },
}

const BITS: [(&str, u64); 18] = [
    ("GET", access::GET),
    ("OBJ_HEAD", access::OBJ_HEAD),
    ("PUT", access::PUT),
    ("APPEND", access::APPEND),
    ("OBJ_DELETE", access::OBJ_DELETE),
    ("OBJ_MOVE", access::OBJ_MOVE),
    ("PROMOTE", access::PROMOTE),
    ("OBJ_UPDATE", access::OBJ_UPDATE),
    ("BCK_HEAD", access::BCK_HEAD),
    ("OBJ_LIST", access::OBJ_LIST),
    ("PATCH", access::PATCH),
    ("BCK_SET_ACL", access::BCK_SET_ACL),
    ("LIST_BUCKETS", access::LIST_BUCKETS),
    ("SHOW_CLUSTER", access::SHOW_CLUSTER),
    ("CREATE_BUCKET", access::CREATE_BUCKET),
    ("DESTROY_BUCKET", access::DESTROY_BUCKET),
    ("MOVE_BUCKET", access::MOVE_BUCKET),
    ("ADMIN", access::ADMIN),
];

const SETS: [(&str, u64); 6] = [
    ("RO", access::RO),
    ("RW", access::RW),
    ("CLUSTER_RO", access::CLUSTER_RO),
    ("CLUSTER_RW", access::CLUSTER_RW),
    ("BUCKET_ADMIN", access::BUCKET_ADMIN),
    ("SU", access::ALL),
];

fn permission(text: &str) -> Result<u64, String> {
    let name = text.to_ascii_uppercase().replace('-', "_");
    let found = SETS.iter().chain(&BITS).find(|(known, _)| *known == name);
    found.map(|(_, bits)| *bits).ok_or_else(|| {
        let names: Vec<_> = SETS.iter().chain(&BITS).map(|(name, _)| *name).collect();
        format!("no such permission; there are {}", names.join(", "))
    })
}

fn described(bits: u64) -> String {
    let names = BITS.iter().filter(|(_, bit)| bits & bit != 0).map(|(name, _)| *name);
    names.collect::<Vec<_>>().join(",")
}

fn allowed(role: &Role) -> Vec<(String, u64)> {
    let clusters = role.clusters.iter().map(|of| (of.id.clone(), of.perm));
    let buckets = role
        .buckets
        .iter()
        .map(|of| (format!("{}/{}", of.bck.namespace.uuid, of.bck.name), of.perm));
    clusters.chain(buckets).collect()
}

pub(super) async fn run(
    context: &Context<'_>,
    mut config: ClientConfig,
    args: &AuthArgs,
) -> Result<Exit> {
    config.endpoint.clone_from(&args.authn);
    let (authn, printer) = (AuthnClient::new(config)?, context.printer);
    match &args.command {
        AuthCommand::Login { user, password_file, expires_in, out } => {
            let password = password(password_file.as_deref())?
                .context("a password is wanted: --password-file, or AIS_AUTHN_PASSWORD")?;
            let token = authn.login(user, &password, *expires_in).await?;
            match out {
                Some(file) => keep(file, token.reveal())?,
                None => printer
                    .data(|| token.reveal().to_owned(), || json!({"token": token.reveal()}))?,
            }
        }
        AuthCommand::Logout => authn.logout().await?,
        AuthCommand::Revoke => {
            let text = std::io::read_to_string(std::io::stdin())?;
            let token = holdall::ais::Token::new(super::token(&text)?);
            authn.tokens().revoke(&token).await?;
        }
        AuthCommand::User(command) => users(&authn, printer, command).await?,
        AuthCommand::Role(command) => roles(&authn, printer, command).await?,
        AuthCommand::Cluster(command) => clusters(&authn, printer, command).await?,
    }
    Ok(Exit::Done)
}

fn password(file: Option<&Path>) -> Result<Option<String>> {
    let text = match file {
        Some(file) if file.as_os_str() == "-" => std::io::read_to_string(std::io::stdin())?,
        Some(file) => std::fs::read_to_string(file).with_context(|| file.display().to_string())?,
        None => match std::env::var("AIS_AUTHN_PASSWORD") {
            Ok(text) => text,
            Err(_) => return Ok(None),
        },
    };
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Writes a token where only its owner can read it.
fn keep(file: &Path, token: &str) -> Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let shown = || file.display().to_string();
    let mut options = std::fs::OpenOptions::new();
    let mut open = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)
        .with_context(shown)?;
    // It may have been there, open to others.
    open.set_permissions(std::fs::Permissions::from_mode(0o600)).with_context(shown)?;
    open.write_all(json!({"token": token}).to_string().as_bytes()).with_context(shown)
}

async fn users(authn: &AuthnClient, printer: &Printer, command: &UserCommand) -> Result<()> {
    match command {
        UserCommand::Ls => {
            let mut table = Table::new(&["User", "Roles"]);
            for (name, user) in authn.users().list().await? {
                let roles: Vec<_> = user.roles.into_iter().map(|role| role.name).collect();
                let object = json!({"user": name, "roles": roles});
                table.row(vec![name, roles.join(",")], object);
            }
            table.print(printer)?;
        }
        UserCommand::Add { name, roles, password_file } => {
            let password = password(password_file.as_deref())?
                .context("a password is wanted: --password-file, or AIS_AUTHN_PASSWORD")?;
            authn.users().create(name, &password, roles).await?;
        }
        UserCommand::Set { name, roles, password_file } => {
            let password = password(password_file.as_deref())?;
            if password.is_none() && roles.is_empty() {
                bail!("nothing to change: give --role, --password-file, or both");
            }
            let roles = (!roles.is_empty()).then_some(roles.as_slice());
            authn.users().update(name, password.as_deref(), roles).await?;
        }
        UserCommand::Rm { name } => authn.users().delete(name).await?,
    }
    Ok(())
}

async fn roles(authn: &AuthnClient, printer: &Printer, command: &RoleCommand) -> Result<()> {
    match command {
        RoleCommand::Ls => {
            let mut table = Table::new(&["Role", "On", "Allows", "Description"]);
            for role in authn.roles().list().await? {
                let allowed = allowed(&role);
                let rights: Vec<Value> = allowed
                    .iter()
                    .map(|(on, bits)| json!({"on": on, "allows": described(*bits)}))
                    .collect();
                let object = json!({
                    "role": role.name, "description": role.desc, "admin": role.admin, "rights": rights,
                });
                let on = match role.admin {
                    true => ("everything".to_owned(), "everything".to_owned()),
                    false => {
                        let on = allowed.iter().map(|(on, _)| on.clone()).collect::<Vec<_>>();
                        let what = allowed.iter().map(|(_, bits)| described(*bits));
                        (on.join("; "), what.collect::<Vec<_>>().join("; "))
                    }
                };
                table.row(vec![role.name, on.0, on.1, role.desc], object);
            }
            table.print(printer)?;
        }
        RoleCommand::Add { name, description, cluster, bucket, allow } => {
            let bits = allow.iter().fold(0, |all, bits| all | bits);
            let bucket = bucket.as_deref().map(bucket_name).transpose()?;
            authn.roles().create(name, description, cluster, bits, bucket.as_deref()).await?;
        }
        RoleCommand::Rm { name } => authn.roles().delete(name).await?,
    }
    Ok(())
}

async fn clusters(authn: &AuthnClient, printer: &Printer, command: &KnownCommand) -> Result<()> {
    match command {
        KnownCommand::Ls => {
            let mut table = Table::new(&["Alias", "Cluster", "URLs"]);
            for (id, cluster) in authn.clusters().list().await? {
                let object = json!({"cluster": id, "alias": cluster.alias, "urls": cluster.urls});
                table.row(vec![cluster.alias, id, cluster.urls.join(",")], object);
            }
            table.print(printer)?;
        }
        KnownCommand::Add { alias, urls } => {
            let cluster = authn.clusters().register(alias, urls).await?;
            printer
                .data(|| cluster.id.clone(), || json!({"cluster": cluster.id, "alias": alias}))?;
        }
        KnownCommand::Set { id, alias, urls } => {
            if alias.is_empty() && urls.is_empty() {
                bail!("nothing to change: give --alias, --url, or both");
            }
            authn.clusters().update(id, alias, urls).await?;
        }
        KnownCommand::Rm { name } => authn.clusters().delete(name).await?,
    }
    Ok(())
}

/// The name of a bucket of AIStore's own, told alone or by its URL: roles know no others.
fn bucket_name(told: &str) -> Result<String> {
    match super::place(told)? {
        (bck, rest) if rest.is_empty() && bck == Bck::ais(bck.name.clone()) => Ok(bck.name),
        _ => bail!("{told}: a role is about a bucket of AIStore's own: write ais://bucket"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_have_names() {
        assert_eq!(permission("rw"), Ok(access::RW));
        assert_eq!(permission("cluster-ro"), Ok(access::CLUSTER_RO));
        assert_eq!(described(access::GET | access::ADMIN), "GET,ADMIN");
        assert!(permission("all").unwrap_err().contains("BUCKET_ADMIN"));
    }
}
