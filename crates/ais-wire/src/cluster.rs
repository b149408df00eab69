//! The cluster map, and what a node tells of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hrw;
use crate::value::decimal;

/// Where a node listens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetInfo {
    /// Host or address.
    #[serde(default)]
    pub node_ip_addr: String,
    /// Port, as text.
    #[serde(default)]
    pub daemon_port: String,
    /// URL of the node.
    #[serde(default)]
    pub direct_url: String,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Answers control requests and redirects the others.
    Proxy,
    /// Holds objects.
    Target,
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snode {
    /// For clients.
    #[serde(default)]
    pub public_net: NetInfo,
    /// For data between nodes.
    #[serde(default)]
    pub intra_data_net: NetInfo,
    /// For control between nodes.
    #[serde(default)]
    pub intra_control_net: NetInfo,
    /// Its role.
    pub daemon_type: Role,
    /// Its id.
    pub daemon_id: String,
    /// Bits of [`flags`].
    #[serde(default)]
    pub flags: u64,
    /// [`hrw::node_digest`] of the id.
    #[serde(default)]
    pub id_digest: u64,
}

/// Bits of [`Snode::flags`].
pub mod flags {
    /// Can not become primary.
    pub const NON_ELECTABLE: u64 = 1;
    /// Keeps track of jobs.
    pub const IC: u64 = 1 << 1;
    /// In maintenance.
    pub const MAINTENANCE: u64 = 1 << 2;
    /// Being removed.
    pub const DECOMMISSION: u64 = 1 << 3;
}

impl Snode {
    /// Whether the node takes objects.
    pub fn is_active(&self) -> bool {
        self.flags & (flags::MAINTENANCE | flags::DECOMMISSION) == 0
    }

    /// The digest of the id; computed where the map does not tell it.
    pub fn digest(&self) -> u64 {
        if self.id_digest == 0 { hrw::node_digest(&self.daemon_id) } else { self.id_digest }
    }
}

/// The cluster map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smap {
    /// Proxies by id.
    pub pmap: BTreeMap<String, Snode>,
    /// The primary proxy.
    pub proxy_si: Snode,
    /// Targets by id.
    pub tmap: BTreeMap<String, Snode>,
    /// Id of the cluster.
    #[serde(default)]
    pub uuid: String,
    /// When the cluster was made, `2006-01-02 15:04:05`.
    #[serde(default)]
    pub creation_time: String,
    /// Grows with each change.
    #[serde(default, with = "decimal")]
    pub version: u64,
}

/// Space of one mountpath. Sizes are decimal strings of bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mountpath {
    /// A label, or nothing.
    pub mountpath_label: String,
    /// The file system.
    pub fs: Value,
    /// Names of disks.
    pub disks: Vec<String>,
    /// Bytes used.
    #[serde(with = "decimal")]
    pub used: u64,
    /// Bytes free.
    #[serde(with = "decimal")]
    pub avail: u64,
    /// Used, in percent.
    pub pct_used: i64,
}

/// Space of a target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// By path.
    pub mountpaths: Option<BTreeMap<String, Mountpath>>,
    /// What is wrong, or nothing.
    pub cs_err: String,
    /// Bytes used.
    #[serde(with = "decimal")]
    pub total_used: u64,
    /// Bytes free.
    #[serde(with = "decimal")]
    pub total_avail: u64,
    /// Fullest mountpath, percent.
    pub pct_max: i64,
    /// Average, percent.
    pub pct_avg: i64,
    /// Emptiest mountpath, percent.
    pub pct_min: i64,
}

/// Load averages of the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LoadAverage {
    /// Over one minute.
    pub one: f64,
    /// Over five.
    pub five: f64,
    /// Over fifteen.
    pub fifteen: f64,
}

/// Memory and load of the machine and the process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SysInfo {
    /// Bytes the process uses.
    pub mem_used: u64,
    /// Bytes available.
    pub mem_avail: u64,
    /// Share of the process, percent.
    pub pct_mem_used: f64,
    /// CPU of the process, percent.
    pub pct_cpu_used: f64,
    /// Load.
    pub load_avg: LoadAverage,
    /// CPU of the machine, percent.
    pub cpu_util: i64,
}

/// The answer to `what=node_status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// `online`, or nothing.
    pub status: String,
    /// Kind of deployment.
    pub deployment: String,
    /// Version of the server.
    pub ais_version: String,
    /// When it was built.
    pub build_time: String,
    /// Always empty outside Kubernetes.
    pub k8s_pod_name: String,
    /// The node.
    pub snode: Snode,
    /// Metrics by name.
    pub tracker: BTreeMap<String, i64>,
    /// Space.
    pub capacity: Capacity,
    /// Memory and load.
    pub sys_info: SysInfo,
    /// Version of the cluster map.
    #[serde(with = "decimal")]
    pub smap_version: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, flags: u64) -> Snode {
        Snode {
            public_net: NetInfo::default(),
            intra_data_net: NetInfo::default(),
            intra_control_net: NetInfo::default(),
            daemon_type: Role::Target,
            daemon_id: id.into(),
            flags,
            id_digest: 0,
        }
    }

    #[test]
    fn versions_are_strings() {
        let smap = Smap {
            pmap: BTreeMap::new(),
            proxy_si: node("p", 0),
            tmap: BTreeMap::from([
                ("a".into(), node("a", 0)),
                ("b".into(), node("b", flags::MAINTENANCE)),
            ]),
            uuid: "u".into(),
            creation_time: String::new(),
            version: 4,
        };
        let text = serde_json::to_string(&smap).unwrap();
        assert!(text.contains(r#""version":"4""#), "{text}");
        assert_eq!(serde_json::from_str::<Smap>(&text).unwrap(), smap);
        let bck = crate::Bck::ais("x");
        assert_eq!(hrw::target(&smap, &bck, "o").unwrap().daemon_id, "a");
    }
}
