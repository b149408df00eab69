//! AuthN: users, roles, clusters, tokens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bucket::Bck;
use crate::value::{decimal, null_default};

/// Permissions, as bits.
pub mod access {
    #![allow(missing_docs, reason = "the names are the wire's own words")]

    pub const GET: u64 = 1;
    pub const OBJ_HEAD: u64 = 1 << 1;
    pub const PUT: u64 = 1 << 2;
    pub const APPEND: u64 = 1 << 3;
    pub const OBJ_DELETE: u64 = 1 << 4;
    pub const OBJ_MOVE: u64 = 1 << 5;
    pub const PROMOTE: u64 = 1 << 6;
    pub const OBJ_UPDATE: u64 = 1 << 7;
    pub const BCK_HEAD: u64 = 1 << 8;
    pub const OBJ_LIST: u64 = 1 << 9;
    pub const PATCH: u64 = 1 << 10;
    pub const BCK_SET_ACL: u64 = 1 << 11;
    pub const LIST_BUCKETS: u64 = 1 << 12;
    pub const SHOW_CLUSTER: u64 = 1 << 13;
    pub const CREATE_BUCKET: u64 = 1 << 14;
    pub const DESTROY_BUCKET: u64 = 1 << 15;
    pub const MOVE_BUCKET: u64 = 1 << 16;
    pub const ADMIN: u64 = 1 << 17;

    /// To read objects.
    pub const RO: u64 = GET | OBJ_HEAD | BCK_HEAD | OBJ_LIST;
    /// To read and write objects.
    pub const RW: u64 = RO | PUT | APPEND | OBJ_DELETE | OBJ_MOVE;
    /// To look at the cluster.
    pub const CLUSTER_RO: u64 = LIST_BUCKETS | SHOW_CLUSTER;
    /// To change the cluster.
    pub const CLUSTER_RW: u64 = CLUSTER_RO | CREATE_BUCKET | DESTROY_BUCKET | MOVE_BUCKET;
    /// To own a bucket.
    pub const BUCKET_ADMIN: u64 = OBJ_UPDATE | PATCH | BCK_SET_ACL;
    /// Everything.
    pub const ALL: u64 = (1 << 18) - 1;
}

/// Permissions in a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterPerm {
    /// The cluster.
    pub id: String,
    /// Bits of [`access`].
    #[serde(default, with = "decimal")]
    pub perm: u64,
}

/// Permissions in a bucket; the namespace's uuid names the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketPerm {
    /// The bucket.
    pub bck: Bck,
    /// Bits of [`access`].
    #[serde(default, with = "decimal")]
    pub perm: u64,
}

/// A role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Name.
    pub name: String,
    /// Description.
    #[serde(default, deserialize_with = "null_default")]
    pub desc: String,
    /// Permissions in clusters.
    #[serde(default, deserialize_with = "null_default")]
    pub clusters: Vec<ClusterPerm>,
    /// Permissions in buckets.
    #[serde(default, deserialize_with = "null_default")]
    pub buckets: Vec<BucketPerm>,
    /// Whether everything is allowed.
    #[serde(default)]
    pub admin: bool,
}

/// A user as it is sent to the service. The password can not be printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Name.
    pub id: String,
    /// Password, blank in replies.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub pass: String,
    /// Roles.
    #[serde(default, deserialize_with = "null_default")]
    pub roles: Vec<Role>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

/// A login. The password can not be printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Password.
    #[serde(default, deserialize_with = "null_default")]
    pub password: String,
    /// Life of the token in nanoseconds; none for the service's default, 0 for its longest.
    #[serde(default)]
    pub expires_in: Option<i64>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// A token. It can not be printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The token.
    #[serde(default, deserialize_with = "null_default")]
    pub token: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

/// A cluster that the service knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its uuid.
    #[serde(default)]
    pub id: String,
    /// Another name.
    #[serde(default, deserialize_with = "null_default")]
    pub alias: String,
    /// Where it is.
    #[serde(default, deserialize_with = "null_default")]
    pub urls: Vec<String>,
}

/// All clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clusters {
    /// By uuid.
    #[serde(default, deserialize_with = "null_default")]
    pub clusters: BTreeMap<String, Cluster>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_of_permissions() {
        assert_eq!((access::RO, access::RW), (771, 831));
        assert_eq!((access::CLUSTER_RO, access::CLUSTER_RW), (12_288, 126_976));
        assert_eq!((access::BUCKET_ADMIN, access::ALL), (3_200, 262_143));
    }

    #[test]
    fn secrets_are_not_printed() {
        let user = User { id: "u".into(), pass: "hush".into(), roles: Vec::new() };
        let login = Login { password: "hush".into(), expires_in: None };
        let token = Token { token: "hush".into() };
        assert!(!format!("{user:?}{login:?}{token:?}").contains("hush"));
    }
}
