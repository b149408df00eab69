//! Users, roles and clusters: in memory, and in the metadata store so that they survive.

use std::collections::BTreeMap;

use holdall_ais_wire::Bck;
use holdall_ais_wire::authn::{BucketPerm, Cluster, ClusterPerm, Role, User, access};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::storage::{Meta, Tx};

/// What names of facts begin with.
pub(super) const PREFIX: &str = "authn/";
/// The role that allows everything.
pub(super) const ADMIN_ROLE: &str = "Admin";
/// Roles that come with a cluster: how their names begin, what they are, what they allow.
const OF_CLUSTERS: [(&str, &str, u64); 3] = [
    ("ClusterOwner", "Admin access to", u64::MAX),
    ("BucketOwner", "Full access to buckets in", access::RW),
    ("Guest", "Read-only access to buckets in", access::RO),
];

/// A user as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) id: String,
    /// Hash of the password.
    pub(super) hash: String,
    /// How often the password was set.
    pub(super) generation: u64,
    /// Names of roles.
    pub(super) roles: Vec<String>,
}

/// Everything that AuthN knows.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) users: BTreeMap<String, Account>,
    pub(super) roles: BTreeMap<String, Role>,
    pub(super) clusters: BTreeMap<String, Cluster>,
}

/// One thing to keep or to forget.
pub(super) enum Change {
    User(Account),
    NoUser(String),
    Role(Role),
    NoRole(String),
    Cluster(Cluster),
    NoCluster(String),
}

fn name(kind: &str, id: &str) -> String {
    format!("{PREFIX}{kind}/{id}")
}

fn all<T: DeserializeOwned>(meta: &Meta, kind: &str) -> Result<BTreeMap<String, T>> {
    let facts = meta.facts(&name(kind, ""))?;
    facts
        .into_iter()
        .map(|(id, bytes)| {
            // The cause could quote what is kept.
            let damaged = |_| Error::internal(format!("AuthN's {kind} {id:?} is damaged"));
            let value = serde_json::from_slice(&bytes).map_err(damaged)?;
            Ok((id, value))
        })
        .collect()
}

impl Change {
    pub(super) fn write(&self, tx: &mut Tx<'_>) -> Result<()> {
        match self {
            Self::User(account) => {
                tx.put_fact(&name("user", &account.id), &serde_json::to_vec(account)?)
            }
            Self::Role(role) => tx.put_fact(&name("role", &role.name), &serde_json::to_vec(role)?),
            Self::Cluster(cluster) => {
                tx.put_fact(&name("cluster", &cluster.id), &serde_json::to_vec(cluster)?)
            }
            Self::NoUser(id) => tx.remove_fact(&name("user", id)).map(drop),
            Self::NoRole(id) => tx.remove_fact(&name("role", id)).map(drop),
            Self::NoCluster(id) => tx.remove_fact(&name("cluster", id)).map(drop),
        }
    }
}

impl State {
    pub(super) fn load(meta: &Meta) -> Result<Self> {
        Ok(Self {
            users: all(meta, "user")?,
            roles: all(meta, "role")?,
            clusters: all(meta, "cluster")?,
        })
    }

    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::User(account) => drop(self.users.insert(account.id.clone(), account)),
            Change::Role(role) => drop(self.roles.insert(role.name.clone(), role)),
            Change::Cluster(cluster) => drop(self.clusters.insert(cluster.id.clone(), cluster)),
            Change::NoUser(id) => drop(self.users.remove(&id)),
            Change::NoRole(id) => drop(self.roles.remove(&id)),
            Change::NoCluster(id) => drop(self.clusters.remove(&id)),
        }
    }

    /// The user as clients see it: with whole roles, without the password.
    pub(super) fn shown(&self, account: &Account) -> User {
        let roles = account.roles.iter().filter_map(|name| self.roles.get(name).cloned());
        User { id: account.id.clone(), pass: String::new(), roles: roles.collect() }
    }

    /// The role as clients see it: with other names of clusters.
    pub(super) fn shown_role(&self, name: &str) -> Option<Role> {
        let mut role = self.roles.get(name)?.clone();
        for entry in &mut role.clusters {
            if let Some(cluster) = self.clusters.get(&entry.id) {
                entry.alias.clone_from(&cluster.alias);
            }
        }
        Some(role)
    }

    /// The cluster of this id or other name.
    pub(super) fn cluster(&self, name: &str) -> Option<&Cluster> {
        let named = |cluster: &&Cluster| !name.is_empty() && cluster.alias == name;
        self.clusters.get(name).or_else(|| self.clusters.values().find(named))
    }

    pub(super) fn is_admin(&self, account: &Account) -> bool {
        account.roles.iter().any(|role| role == ADMIN_ROLE)
    }

    /// What all roles of the user allow together.
    pub(super) fn granted(&self, account: &Account) -> (Vec<ClusterPerm>, Vec<BucketPerm>) {
        let (mut clusters, mut buckets) = (Vec::new(), Vec::new());
        for role in account.roles.iter().filter_map(|name| self.roles.get(name)) {
            for entry in &role.clusters {
                // A role may name a cluster by its other name.
                let id = self.cluster(&entry.id).map_or(&entry.id, |cluster| &cluster.id);
                let entry = ClusterPerm { id: id.clone(), alias: String::new(), perm: entry.perm };
                merge_cluster(&mut clusters, entry, |old, new| old | new);
            }
            for entry in &role.buckets {
                merge_bucket(&mut buckets, entry.clone(), |old, new| old | new);
            }
        }
        (clusters, buckets)
    }

    /// Roles that come with a cluster and are not there yet.
    pub(super) fn roles_for(&self, cluster: &Cluster) -> Vec<Role> {
        let (id, alias) = (&cluster.id, &cluster.alias);
        let suffix = if alias.is_empty() { id } else { alias };
        let shown = if alias.is_empty() { id.clone() } else { format!("{id}[{alias}]") };
        let roles = OF_CLUSTERS.iter().map(|(prefix, what, perm)| Role {
            name: format!("{prefix}-{suffix}"),
            desc: format!("{what} {shown}"),
            clusters: vec![ClusterPerm { id: id.clone(), alias: String::new(), perm: *perm }],
            buckets: Vec::new(),
            admin: false,
        });
        roles.filter(|role| !self.roles.contains_key(&role.name)).collect()
    }
}

fn merge_cluster(into: &mut Vec<ClusterPerm>, new: ClusterPerm, both: fn(u64, u64) -> u64) {
    match into.iter_mut().find(|old| old.id == new.id) {
        Some(old) => old.perm = both(old.perm, new.perm),
        None => into.push(new),
    }
}

fn merge_bucket(into: &mut Vec<BucketPerm>, new: BucketPerm, both: fn(u64, u64) -> u64) {
    match into.iter_mut().find(|old| old.bck == new.bck) {
        Some(old) => old.perm = both(old.perm, new.perm),
        None => into.push(new),
    }
}

/// The role with what the other one says: its text, and its entries instead of those of the same cluster or bucket.
pub(super) fn updated(mut role: Role, with: Role) -> Role {
    if !with.desc.is_empty() {
        role.desc = with.desc;
    }
    for entry in with.clusters {
        merge_cluster(&mut role.clusters, entry, |_, new| new);
    }
    for entry in with.buckets {
        merge_bucket(&mut role.buckets, entry, |_, new| new);
    }
    role
}

/// Clusters that the token is for: those that its permissions speak of.
pub(super) fn audience(clusters: &[ClusterPerm], buckets: &[BucketPerm]) -> Vec<String> {
    let of_buckets =
        buckets.iter().map(|BucketPerm { bck: Bck { namespace, .. }, .. }| &namespace.uuid);
    let mut ids: Vec<String> =
        clusters.iter().map(|entry| &entry.id).chain(of_buckets).cloned().collect();
    if ids.iter().any(String::is_empty) {
        // An entry without a name is for every cluster.
        return Vec::new();
    }
    ids.sort();
    ids.dedup();
    ids
}
