//! `holdall ais cluster`.

use anyhow::{Result, bail};
use clap::Subcommand;
use holdall::ais::Nodes;
use holdall::ais::wire::cluster::Snode;
use serde_json::{Value, json};

use super::Session;
use super::table::{Table, properties};
use crate::Exit;

/// What to ask of the cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// List the nodes.
    Show,
    /// Say whether the cluster is ready; exit status 1 when it is not.
    Health,
    /// Show counters of the targets, or of one node.
    Performance {
        /// Id of the node.
        node: Option<String>,
    },
    /// Print the log of a node, or of all.
    Log {
        /// Id of the node.
        node: Option<String>,
        /// info, warning or error.
        #[arg(long, default_value = "info")]
        severity: String,
    },
}

pub(super) async fn run(ais: &Session<'_>, command: &ClusterCommand) -> Result<Exit> {
    let (cluster, printer) = (ais.client.cluster(), ais.context.printer);
    match command {
        ClusterCommand::Show => show(ais).await?,
        ClusterCommand::Health => {
            let ready = cluster.is_ready().await;
            if !ready {
                bail!("{} is not ready", ais.client.endpoint());
            }
            printer.data(|| "ready".to_owned(), || json!({"ready": ready}))?;
        }
        ClusterCommand::Performance { node: Some(node) } => {
            properties(printer, &cluster.node_status(node).await?)?;
        }
        ClusterCommand::Performance { node: None } => {
            let all: serde_json::Map<String, Value> =
                cluster.performance().await?.into_iter().collect();
            properties(printer, &Value::Object(all))?;
        }
        ClusterCommand::Log { node, severity } => {
            let logs = match node {
                Some(node) => [(node.clone(), cluster.node_log(node, severity).await?)].into(),
                None => cluster.logs(severity, Nodes::All).await?,
            };
            for (node, log) in logs {
                printer.data(
                    || format!("{node}:\n{}", log.trim_end()),
                    || json!({"node": node, "log": log}),
                )?;
            }
        }
    }
    Ok(Exit::Done)
}

async fn show(ais: &Session<'_>) -> Result<()> {
    let map = ais.client.cluster().info().await?;
    let mut table = Table::new(&["Node", "Role", "URL", "State"]);
    let mut add = |node: &Snode, role: &str| {
        let url = &node.public_net.direct_url;
        let state = if node.is_active() { "active" } else { "maintenance" };
        table.row(
            vec![node.daemon_id.clone(), role.to_owned(), url.clone(), state.to_owned()],
            json!({
                "node": node.daemon_id, "role": role, "url": url, "state": state,
                "cluster": map.uuid, "map_version": map.version,
            }),
        );
    };
    for proxy in map.pmap.values() {
        let is_primary = proxy.daemon_id == map.proxy_si.daemon_id;
        add(proxy, if is_primary { "primary" } else { "proxy" });
    }
    map.tmap.values().for_each(|target| add(target, "target"));
    table.print(ais.context.printer)?;
    ais.context.printer.note(&format!("cluster {}, map {}", map.uuid, map.version));
    Ok(())
}
