//! What a token says of its owner, and what it allows.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdall_ais_wire::Bck;
use holdall_ais_wire::authn::{BucketPerm, ClusterPerm, access};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Error, ErrorKind};

/// Permissions that are asked of clusters; all others are asked of buckets.
const OF_CLUSTERS: u64 = access::CLUSTER_RW | access::ADMIN;

/// The claims of a token, by the names that AIStore gives them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The service that made it.
    #[serde(default)]
    pub iss: String,
    /// The user.
    pub sub: String,
    /// Ids of clusters that it is for; empty for all.
    #[serde(default, deserialize_with = "one_or_many")]
    pub aud: Vec<String>,
    /// When it ends: seconds since 1970.
    pub exp: i64,
    /// When it was made: seconds since 1970.
    #[serde(default)]
    pub iat: i64,
    /// Its own name, so that no two tokens are the same.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub jti: String,
    /// Permissions in clusters.
    #[serde(default)]
    pub clusters: Option<Vec<ClusterPerm>>,
    /// Permissions in buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Vec<BucketPerm>>,
    /// Whether everything is allowed.
    #[serde(default)]
    pub admin: bool,
    /// Which credentials it was made with; only tokens of servers like this one say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdall: Option<Credentials>,
}

/// The credentials that a token was made with: it ends with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The service that knows the user.
    pub service: String,
    /// How often the user's password had been set.
    pub generation: u64,
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Option::<Either>::deserialize(deserializer)? {
        None => Vec::new(),
        Some(Either::One(one)) => vec![one],
        Some(Either::Many(many)) => many,
    })
}

/// Now: seconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// What a request needs.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Id of this cluster.
    pub cluster: &'a str,
    /// The bucket, for what is asked of one.
    pub bucket: Option<&'a Bck>,
    /// Bits of [`access`], all of them.
    pub perms: u64,
}

impl Claims {
    /// Whether it has ended.
    pub fn is_expired(&self) -> bool {
        self.exp <= now()
    }

    /// Whether it may be shown to this cluster.
    pub fn is_for(&self, cluster: &str) -> bool {
        self.aud.is_empty() || self.aud.iter().any(|id| id == cluster)
    }

    /// Checks that all that is asked is allowed. A bucket's own entry comes before that of its cluster, and a cluster's
    /// own before that of no name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Forbidden`], with AIStore's text: who, for how long, and what they may do.
    pub fn check(&self, asked: Asked<'_>) -> Result<(), Error> {
        if self.admin {
            return Ok(());
        }
        let denied = |detail: String| {
            let text = format!("user `{}` has insufficient permissions{detail}", self.sub);
            let code = if asked.bucket.is_some() { "wrapError" } else { "" };
            Error::new(ErrorKind::Forbidden, text).with_code(code)
        };
        let (of_cluster, of_bucket) = (asked.perms & OF_CLUSTERS, asked.perms & !OF_CLUSTERS);
        let in_cluster = self.in_cluster(asked.cluster);
        if of_cluster != 0 {
            let granted = in_cluster.ok_or_else(|| denied(String::new()))?;
            if granted & of_cluster != of_cluster {
                let (cluster, names) = (asked.cluster, access::describe(granted));
                return Err(denied(format!(": [cluster {cluster}, {self}, granted({names})]")));
            }
        }
        if of_bucket == 0 {
            // Nothing asked is nothing allowed: whoever asks has forgotten something.
            return if of_cluster == 0 { Err(denied(String::new())) } else { Ok(()) };
        }
        let Some(bucket) = asked.bucket else { return Err(denied(String::new())) };
        match self.in_bucket(asked.cluster, bucket) {
            Some(granted) if granted & of_bucket == of_bucket => Ok(()),
            Some(granted) => {
                let names = access::describe(granted);
                Err(denied(format!(": [{self}, bucket {bucket}, granted({names})]")))
            }
            None => {
                let granted = in_cluster.unwrap_or(0);
                if granted & of_bucket == of_bucket {
                    return Ok(());
                }
                Err(denied(format!(": [{self}, granted({})]", access::describe(granted))))
            }
        }
    }

    fn in_cluster(&self, cluster: &str) -> Option<u64> {
        let all = self.clusters.as_deref().unwrap_or_default();
        let of = |id: &str| all.iter().find(|entry| entry.id == id).map(|entry| entry.perm);
        of(cluster).or_else(|| of(""))
    }

    /// In a token, the uuid of a bucket's namespace is the cluster's: buckets of other namespaces have no entry.
    fn in_bucket(&self, cluster: &str, bucket: &Bck) -> Option<u64> {
        let all = self.buckets.as_deref().unwrap_or_default();
        let same = |entry: &&BucketPerm| {
            entry.bck.namespace.uuid == cluster
                && bucket.namespace.is_global()
                && entry.bck.name == bucket.name
                && entry.bck.provider == bucket.provider
        };
        all.iter().find(same).map(|entry| entry.perm)
    }
}

/// `user NAME, token expires in 23h59m59s`.
impl std::fmt::Display for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let left = u64::try_from(self.exp.saturating_sub(now())).unwrap_or(0);
        write!(f, "user {}, ", self.sub)?;
        if left == 0 {
            return f.write_str("token expired");
        }
        write!(f, "token expires in {}", go_duration(Duration::from_secs(left)))
    }
}

/// Whole seconds as Go writes them: `24h0m0s`, `1m30s`, `5s`.
pub(super) fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(clusters: &[(&str, u64)], buckets: &[(&str, &str, u64)]) -> Claims {
        let clusters = clusters.iter().map(|(id, perm)| ClusterPerm {
            id: (*id).into(),
            perm: *perm,
            ..ClusterPerm::default()
        });
        let buckets = buckets.iter().map(|(cluster, name, perm)| {
            let mut bck = Bck::ais(*name);
            bck.namespace.uuid = (*cluster).into();
            BucketPerm { bck, perm: *perm }
        });
        Claims {
            iss: String::new(),
            sub: "u".into(),
            aud: Vec::new(),
            exp: now() + 60,
            iat: 0,
            jti: String::new(),
            clusters: Some(clusters.collect()),
            buckets: Some(buckets.collect()),
            admin: false,
            holdall: None,
        }
    }

    fn allowed(claims: &Claims, bucket: Option<&Bck>, perms: u64) -> bool {
        claims.check(Asked { cluster: "C", bucket, perms }).is_ok()
    }

    #[test]
    fn the_nearest_entry_decides() {
        let (bucket, other) = (Bck::ais("b"), Bck::ais("other"));
        let user = claims(&[("C", access::RW), ("", access::ALL)], &[("C", "b", access::GET)]);
        assert!(allowed(&user, Some(&bucket), access::GET));
        assert!(
            !allowed(&user, Some(&bucket), access::PUT),
            "the bucket's entry is before the cluster's"
        );
        assert!(allowed(&user, Some(&other), access::PUT));
        assert!(!allowed(&user, None, access::ADMIN), "the cluster's entry is before the default");
        let user = claims(&[("", access::CLUSTER_RO)], &[("D", "b", access::ALL)]);
        assert!(allowed(&user, None, access::SHOW_CLUSTER));
        assert!(!allowed(&user, Some(&bucket), access::GET), "a bucket of another cluster");
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        let bucket = Bck::ais("b");
        let none = claims(&[], &[]);
        for bit in 0..18 {
            assert!(!allowed(&none, Some(&bucket), 1 << bit));
        }
        let all = claims(&[("C", u64::MAX)], &[]);
        assert!(!allowed(&all, Some(&bucket), 0), "asking for nothing is a mistake");
        assert!(!allowed(&all, None, access::GET), "of which bucket?");
        assert!(allowed(&all, Some(&bucket), access::ALL));
        let mut remote = bucket.clone();
        remote.provider = holdall_ais_wire::Provider::Aws;
        let mine = claims(&[], &[("C", "b", access::GET)]);
        assert!(
            allowed(&mine, Some(&bucket), access::GET)
                && !allowed(&mine, Some(&remote), access::GET)
        );
    }

    #[test]
    fn texts_are_those_of_a_recorded_refusal() {
        let user = claims(&[("C", access::LIST_BUCKETS)], &[]);
        let text = |bucket, perms| {
            user.check(Asked { cluster: "C", bucket, perms }).unwrap_err().message().to_owned()
        };
        let refused = text(None, access::CREATE_BUCKET);
        assert!(refused.starts_with(
            "user `u` has insufficient permissions: [cluster C, user u, token expires in "
        ));
        assert!(refused.ends_with(", granted(LIST-BUCKETS)]"), "{refused}");
        assert_eq!(go_duration(Duration::from_secs(86_400)), "24h0m0s");
        assert_eq!(go_duration(Duration::from_secs(59)), "59s");
    }

    #[test]
    fn audiences() {
        let mut user = claims(&[], &[]);
        assert!(user.is_for("C"));
        user.aud = vec!["D".into()];
        assert!(!user.is_for("C") && user.is_for("D"));
        let one: Claims = serde_json::from_str(r#"{"sub": "u", "exp": 1, "aud": "D"}"#).unwrap();
        assert_eq!(one.aud, ["D"]);
        assert!(one.is_expired());
    }
}
