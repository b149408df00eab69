//! What the server tells of itself: the cluster map, its configuration, its state.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdall_ais_wire::bucket::Bck;
use holdall_ais_wire::cluster::{
    Capacity, LoadAverage, Mountpath, NetInfo, NodeStatus, Role, Smap, Snode, SysInfo,
};
use holdall_ais_wire::hrw::node_digest;
use holdall_ais_wire::job::{Kind, kind};
use holdall_ais_wire::multi::{PrefetchMsg, Selection};
use serde_json::{Map, Value, json};

use super::remote::BlobOptions;
use super::{Bucket, Engine};
use crate::error::{Error, Result};
use crate::jobs::NewJob;

/// The version of AIStore whose wire this server speaks.
const AIS_VERSION: &str = "5.0";

impl Engine {
    fn net(&self) -> NetInfo {
        let url = self.url();
        let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
        NetInfo {
            node_ip_addr: host.to_owned(),
            daemon_port: port.to_owned(),
            direct_url: url.to_owned(),
        }
    }

    fn snode(&self, role: Role, id: &str) -> Snode {
        let net = self.net();
        Snode {
            public_net: net.clone(),
            intra_data_net: net.clone(),
            intra_control_net: net,
            daemon_type: role,
            daemon_id: id.to_owned(),
            flags: 0,
            id_digest: node_digest(id),
        }
    }

    /// The target.
    pub fn target_node(&self) -> Snode {
        self.snode(Role::Target, self.target_id())
    }

    /// The cluster map: one proxy and one target, both this server.
    pub fn smap(&self) -> Smap {
        let identity = self.identity();
        let proxy = self.snode(Role::Proxy, &identity.proxy);
        Smap {
            pmap: BTreeMap::from([(identity.proxy.clone(), proxy.clone())]),
            proxy_si: proxy,
            tmap: BTreeMap::from([(identity.target.clone(), self.target_node())]),
            uuid: identity.uuid.clone(),
            creation_time: identity.created.format("%Y-%m-%d %H:%M:%S").to_string(),
            version: 1,
        }
    }

    /// All buckets with their properties.
    pub fn bmd(&self) -> Value {
        let mut providers: BTreeMap<&str, BTreeMap<String, Map<String, Value>>> =
            BTreeMap::from([("ais", BTreeMap::new())]);
        for bucket in self.list_buckets(None) {
            let props = serde_json::to_value(bucket.props()).unwrap_or_default();
            providers
                .entry(bucket.bck().provider.as_str())
                .or_default()
                .entry(bucket.bck().namespace.uname())
                .or_default()
                .insert(bucket.bck().name.clone(), props);
        }
        json!({"providers": providers, "uuid": self.identity().uuid, "version": "1"})
    }

    /// What of AIStore's configuration has a meaning here.
    pub fn config(&self) -> Value {
        let net = self.net();
        let names = self.backends().providers().map(|provider| provider.as_str());
        let backends: BTreeMap<_, _> = names.map(|name| (name, json!({}))).collect();
        let auth = self.authn().is_some();
        json!({
            "uuid": self.identity().uuid,
            "backend": backends,
            "auth": {"enabled": auth, "client_auth_required": auth},
            "checksum": {
                "type": "xxhash2", "validate_cold_get": false, "validate_warm_get": false, "validate_obj_move": false,
                "enable_read_range": false,
            },
            "versioning": {"enabled": true, "validate_warm_get": false, "synchronize": false},
            "mirror": {"copies": 1, "burst_buffer": 512, "enabled": false},
            "ec": {"enabled": false},
            "get_batch": {"max_wait": "20s", "max_soft_errs": 8},
            "proxy": {"primary_url": net.direct_url, "original_url": net.direct_url, "discovery_url": ""},
            "host_net": {"hostname": net.node_ip_addr, "port": net.daemon_port},
            "fspaths": {self.mountpath(): ""},
        })
    }

    /// The answer to `cii`.
    pub fn cluster_info(&self) -> Value {
        let identity = self.identity();
        let url = self.url();
        json!({
            "smap": {
                "Primary": {"pub_url": url, "control_url": url, "id": identity.proxy},
                "uuid": identity.uuid, "version": "1",
            },
            "bmd": {"uuid": identity.uuid, "version": "1"},
            "rmd": {"version": "0"}, "config": {"version": "1"}, "etlmd": {"version": "0"}, "flags": 0,
        })
    }

    /// Where objects are, as AIStore's mountpath.
    pub fn mountpath(&self) -> String {
        self.storage().blobs().path().to_owned()
    }

    /// Where an object is: `t[ID]:mp[PATH]`.
    pub fn location(&self) -> String {
        format!("t[{}]:mp[{}]", self.target_id(), self.mountpath())
    }

    fn capacity(&self) -> Result<Capacity> {
        let space = self.storage().blobs().space()?;
        let total = (space.used + space.avail).max(1);
        let percent = i64::try_from(space.used * 100 / total).unwrap_or(100);
        let path = Mountpath {
            mountpath_label: String::new(),
            fs: Value::String(space.fs_type),
            disks: Vec::new(),
            used: space.used,
            avail: space.avail,
            pct_used: percent,
        };
        Ok(Capacity {
            mountpaths: Some(BTreeMap::from([(self.mountpath(), path)])),
            cs_err: String::new(),
            total_used: space.used,
            total_avail: space.avail,
            pct_max: percent,
            pct_avg: percent,
            pct_min: percent,
        })
    }

    /// The target's state.
    ///
    /// # Errors
    ///
    /// When the file system does not tell its space.
    pub fn node_status(&self) -> Result<NodeStatus> {
        Ok(NodeStatus {
            status: "online".into(),
            deployment: "holdall".into(),
            ais_version: AIS_VERSION.into(),
            build_time: String::new(),
            k8s_pod_name: String::new(),
            snode: self.target_node(),
            tracker: self.counters().all(),
            capacity: self.capacity()?,
            sys_info: sys_info(),
            smap_version: 1,
        })
    }

    /// Starts a job by its kind, and tells its id. On one machine some of them have no work to do. `object` is for the
    /// kinds that are about one; `force` evicts also from buckets whose properties say no.
    ///
    /// # Errors
    ///
    /// When the kind is one that would have to do something that this server cannot.
    pub fn start_job(
        self: &Arc<Self>,
        kind: Kind,
        buckets: &[Bck],
        object: &str,
        force: bool,
    ) -> Result<String> {
        let known: Vec<Bucket> =
            buckets.iter().map(|bck| self.bucket(bck)).collect::<Result<_>>()?;
        let job = match buckets {
            [bck, ..] => NewJob::on(kind.name, bck),
            [] => NewJob { kind: kind.name, workers: 1, ..NewJob::default() },
        };
        match kind.name {
            kind::LRU => Ok(self.start_lru(&known, force)),
            kind::PREFETCH => {
                let all = Selection { template: String::new(), ..Selection::default() };
                let message = PrefetchMsg { selection: all, coer: true, ..PrefetchMsg::default() };
                known.first().map_or_else(
                    || Err(Error::invalid("bucket name is missing")),
                    |bucket| self.prefetch(bucket, message),
                )
            }
            kind::BLOB_DOWNLOAD if !object.is_empty() => known.first().map_or_else(
                || Err(Error::invalid("bucket name is missing")),
                |bucket| self.blob_download(bucket, object, BlobOptions::default()),
            ),
            // There is nothing to clean up behind, or to spread over several paths.
            kind::CLEANUP | kind::RESILVER | kind::LOAD_LOM_CACHE => {
                Ok(self.jobs().spawn(job, |_| async { Ok(()) }))
            }
            name => Err(Error::unsupported(format!(
                "cannot start xaction {name} - operation not supported"
            ))),
        }
    }
}

/// Memory and load; zeros where the system does not tell.
fn sys_info() -> SysInfo {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (machine, process) = (read("/proc/meminfo"), read("/proc/self/status"));
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
    };
    let mem_used = field(&process, "VmRSS:").unwrap_or(0);
    let total = field(&machine, "MemTotal:").unwrap_or(0);
    let load = read("/proc/loadavg");
    let mut loads = load.split_whitespace().map(|n| n.parse().unwrap_or(0.0));
    let mut next = || loads.next().unwrap_or(0.0);
    SysInfo {
        mem_used,
        mem_avail: field(&machine, "MemAvailable:").unwrap_or(0),
        pct_mem_used: if total == 0 { 0.0 } else { mem_used as f64 * 100.0 / total as f64 },
        pct_cpu_used: 0.0,
        load_avg: LoadAverage { one: next(), five: next(), fifteen: next() },
        cpu_util: 0,
    }
}
