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

    /// What single bits are called in messages, in their order.
    pub const NAMES: [&str; 18] = [
        "GET",
        "HEAD-OBJECT",
        "PUT",
        "APPEND",
        "DELETE-OBJECT",
        "MOVE-OBJECT",
        "PROMOTE",
        "UPDATE-OBJECT",
        "HEAD-BUCKET",
        "LIST-OBJECTS",
        "PATCH",
        "SET-BUCKET-ACL",
        "LIST-BUCKETS",
        "SHOW-CLUSTER",
        "CREATE-BUCKET",
        "DESTROY-BUCKET",
        "MOVE-BUCKET",
        "ADMIN",
    ];

    /// The names of the bits, for messages: `none`, or the first four and an ellipsis.
    pub fn describe(perms: u64) -> String {
        let named = NAMES.iter().enumerate().filter(|(bit, _)| perms >> bit & 1 == 1);
        let names: Vec<&str> = named.map(|(_, name)| *name).collect();
        match names.len() {
            0 if perms == 0 => "none".to_owned(),
            0..=4 => names.join(","),
            _ => format!("{}, ...", names[..4].join(",")),
        }
    }
}

/// Permissions in a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterPerm {
    /// The cluster; empty for those that no other entry names.
    #[serde(default)]
    pub id: String,
    /// The cluster's other name; the service tells it with single roles only.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub alias: String,
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
    /// Name; changes may leave it out.
    #[serde(default)]
    pub name: String,
    /// Description.
    #[serde(default, deserialize_with = "null_default")]
    pub desc: String,
    /// Permissions in clusters.
    #[serde(default, deserialize_with = "null_default", serialize_with = "null_if_empty")]
    pub clusters: Vec<ClusterPerm>,
    /// Permissions in buckets.
    #[serde(default, deserialize_with = "null_default", serialize_with = "null_if_empty")]
    pub buckets: Vec<BucketPerm>,
    /// Whether everything is allowed.
    #[serde(default)]
    pub admin: bool,
}

/// A user as it is sent to the service. The password can not be printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Name; changes may leave it out.
    #[serde(default)]
    pub id: String,
    /// Password, blank in replies.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_default")]
    pub pass: String,
    /// Roles.
    #[serde(default, deserialize_with = "null_default", serialize_with = "null_if_empty")]
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
    #[serde(
        default,
        deserialize_with = "null_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub clusters: BTreeMap<String, Cluster>,
}

/// Revoked tokens, as the service tells them to clusters. They can not be printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenList {
    /// The tokens.
    #[serde(default, deserialize_with = "null_default")]
    pub tokens: Vec<String>,
    /// Version of the list; clusters count themselves.
    #[serde(default)]
    pub version: i64,
}

impl std::fmt::Debug for TokenList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenList").field("tokens", &self.tokens.len()).finish_non_exhaustive()
    }
}

/// The key that verifies tokens signed with RSA.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// PEM.
    pub public_key: String,
}

/// AIStore writes empty lists as `null`.
fn null_if_empty<S: serde::Serializer, T: Serialize>(
    list: &Vec<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if list.is_empty() { serializer.serialize_none() } else { list.serialize(serializer) }
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
    fn bits_are_described() {
        assert_eq!(access::describe(0), "none");
        assert_eq!(access::describe(access::CREATE_BUCKET), "CREATE-BUCKET");
        assert_eq!(access::describe(access::RW), "GET,HEAD-OBJECT,PUT,APPEND, ...");
        assert_eq!(access::describe(access::RO), "GET,HEAD-OBJECT,HEAD-BUCKET,LIST-OBJECTS");
    }

    #[test]
    fn empty_lists_are_null() {
        let role = Role { name: "r".into(), ..Role::default() };
        assert_eq!(
            serde_json::to_string(&role).unwrap(),
            r#"{"name":"r","desc":"","clusters":null,"buckets":null,"admin":false}"#
        );
        assert_eq!(serde_json::to_string(&Clusters::default()).unwrap(), "{}");
    }

    #[test]
    fn secrets_are_not_printed() {
        let user = User { id: "u".into(), pass: "hush".into(), roles: Vec::new() };
        let login = Login { password: "hush".into(), expires_in: None };
        let token = Token { token: "hush".into() };
        let list = TokenList { tokens: vec!["hush".into()], version: 0 };
        assert!(!format!("{user:?}{login:?}{token:?}{list:?}").contains("hush"));
    }
}
