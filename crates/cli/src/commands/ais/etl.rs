//! `holdall ais etl`.

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use holdall::ais::wire::etl::{Communication, EnvVar, InitMsg, Runtime};
use serde_json::json;

use super::table::{Table, properties};
use super::{Session, each};
use crate::Exit;

/// What to do with ETLs.
#[derive(Debug, Subcommand)]
pub(crate) enum EtlCommand {
    /// List ETLs.
    Ls,
    /// Start a new ETL.
    Init(Box<Init>),
    /// Show how an ETL was made, and which objects it could not transform.
    Show {
        /// Name of the ETL.
        name: String,
        /// Of this offline job.
        #[arg(long, default_value = "")]
        job: String,
    },
    /// Start an ETL that was stopped.
    Start {
        /// Name of the ETL.
        name: String,
    },
    /// Stop an ETL.
    Stop {
        /// Name of the ETL.
        name: String,
    },
    /// Delete ETLs.
    Rm {
        /// Names of ETLs.
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Print what the transformers printed.
    Logs {
        /// Name of the ETL.
        name: String,
        /// Of this target.
        #[arg(default_value = "")]
        target: String,
    },
}

/// How contents get to a transformer.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Way {
    /// They are sent.
    Hpush,
    /// It fetches them.
    Hpull,
    /// By web socket.
    Ws,
}

/// `holdall ais etl init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// 6 to 32 lower-case letters, digits and hyphens.
    name: String,
    /// The image of its containers; servers without containers name what they can run.
    #[arg(long)]
    image: String,
    /// What the container runs.
    #[arg(long = "command", value_name = "WORD", num_args = 1.., allow_hyphen_values = true)]
    command: Vec<String>,
    /// A variable of its environment, as NAME=VALUE; repeatable.
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// How contents get to it.
    #[arg(long, default_value = "hpush")]
    comm: Way,
    /// How long to wait until it answers.
    #[arg(long, default_value = "5m", value_name = "TIME")]
    init_timeout: String,
    /// How long one object may take.
    #[arg(long, default_value = "45s", value_name = "TIME")]
    obj_timeout: String,
    /// It delivers results of offline transforms itself.
    #[arg(long)]
    direct_put: bool,
}

pub(super) async fn run(ais: &Session<'_>, command: &EtlCommand) -> Result<Exit> {
    let printer = ais.context.printer;
    match command {
        EtlCommand::Ls => ls(ais).await?,
        EtlCommand::Init(args) => {
            let job = ais.client.etl(&args.name).init(&message(args)?).await?;
            printer.data(|| job.id().to_owned(), || json!({"etl": args.name, "job": job.id()}))?;
        }
        EtlCommand::Show { name, job } => {
            let mut details = serde_json::to_value(ais.client.etl(name).view(job).await?)?;
            // Values may be secrets; names tell enough.
            for variable in
                details["init_msg"]["runtime"]["env"].as_array_mut().into_iter().flatten()
            {
                variable["value"] = json!("***");
            }
            properties(printer, &details)?;
        }
        EtlCommand::Start { name } => ais.client.etl(name).start().await?,
        EtlCommand::Stop { name } => ais.client.etl(name).stop().await?,
        EtlCommand::Rm { names } => {
            let delete = async |name: &String| Ok(ais.client.etl(name).delete().await?);
            return each(ais, names.clone(), delete).await;
        }
        EtlCommand::Logs { name, target } => {
            for (target, logs) in ais.client.etl(name).logs(target).await? {
                printer.data(
                    || format!("{target}:\n{}", logs.trim_end()),
                    || json!({"target": target, "logs": logs}),
                )?;
            }
        }
    }
    Ok(Exit::Done)
}

async fn ls(ais: &Session<'_>) -> Result<()> {
    let mut table = Table::new(&["ETL", "Stage", "Job", "Objects", "Bytes in", "Bytes out"]);
    for etl in ais.client.list_etls().await? {
        let stage = serde_json::to_value(etl.stage)?;
        table.row(
            vec![
                etl.id.clone(),
                stage.as_str().unwrap_or_default().to_owned(),
                etl.xaction_id.clone(),
                etl.obj_count.to_string(),
                etl.in_bytes.to_string(),
                etl.out_bytes.to_string(),
            ],
            json!({
                "etl": etl.id, "stage": stage, "job": etl.xaction_id, "objects": etl.obj_count,
                "in_bytes": etl.in_bytes, "out_bytes": etl.out_bytes,
            }),
        );
    }
    table.print(ais.context.printer)
}

fn message(args: &Init) -> Result<InitMsg> {
    let variable = |text: &String| {
        let (name, value) =
            text.split_once('=').with_context(|| format!("--env {text}: expected NAME=VALUE"))?;
        Ok(EnvVar { name: name.to_owned(), value: value.to_owned() })
    };
    Ok(InitMsg {
        name: args.name.clone(),
        communication: Some(match args.comm {
            Way::Hpush => Communication::Push,
            Way::Hpull => Communication::Pull,
            Way::Ws => Communication::WebSocket,
        }),
        init_timeout: args.init_timeout.clone(),
        obj_timeout: args.obj_timeout.clone(),
        support_direct_put: args.direct_put,
        runtime: Some(Runtime {
            image: args.image.clone(),
            command: args.command.clone(),
            env: args.env.iter().map(variable).collect::<Result<_>>()?,
        }),
        ..InitMsg::default()
    })
}
