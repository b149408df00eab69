//! Who may do what: every request passes here before a handler sees it.
//!
//! [`check`] looks at the method, the path, the query and, for control messages, the action, and says which permissions
//! are needed of which bucket or of the cluster. What it does not know needs the permission of an administrator, so
//! that a route that nobody thought of is closed, not open.
//!
//! Without AuthN, only the buckets' own lists (`access` of their properties) count.

use std::sync::Arc;

use holdall_ais_wire::action::{ActMsg, names};
use holdall_ais_wire::authn::access;
use holdall_ais_wire::batch::Request as BatchRequest;
use holdall_ais_wire::dsort::Spec;
use holdall_ais_wire::multi::{ArchiveMsg, ObjectsCopyMsg};
use holdall_ais_wire::{Bck, query};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;

use super::Request;
use super::request::MAX_MESSAGE;
use crate::engine::Bucket;
use crate::engine::authn::{Asked, Claims};
use crate::engine::batch::place;
use crate::error::{Error, ErrorKind, Result};

/// Most bytes of a message that are read of somebody who has not proved who it is.
const STRANGERS: usize = 64 << 10;
/// Where clients of S3 put the token.
const AMZ_TOKEN: &str = "X-Amz-Security-Token";

/// What a request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// Nothing.
    Public,
    /// Somebody whom we know.
    Known,
    /// All of these.
    All(Vec<Need>),
}

/// Permissions, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    on: On,
    perms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum On {
    Cluster,
    /// A bucket that must be there.
    Bucket(Bck),
    /// A bucket that is written to, or made where it is not there.
    Destination(Bck),
}

impl Need {
    fn cluster(perms: u64) -> Self {
        Self { on: On::Cluster, perms }
    }

    fn bucket(bck: Bck, perms: u64) -> Self {
        Self { on: On::Bucket(bck), perms }
    }

    fn destination(bck: Bck) -> Self {
        Self { on: On::Destination(bck), perms: access::PUT }
    }
}

impl Rule {
    fn cluster(perms: u64) -> Self {
        Self::All(vec![Need::cluster(perms)])
    }

    fn bucket(bck: Bck, perms: u64) -> Self {
        Self::All(vec![Need::bucket(bck, perms)])
    }

    /// What nobody thought of.
    fn administrator() -> Self {
        Self::cluster(access::ADMIN)
    }
}

/// The header with the token, and the token.
pub(super) fn token(headers: &HeaderMap) -> Option<(&'static str, &str)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(AUTHORIZATION.as_str())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty());
    match bearer {
        Some((_, token)) => Some(("Authorization", token.trim())),
        None => text(AMZ_TOKEN).filter(|token| !token.is_empty()).map(|token| (AMZ_TOKEN, token)),
    }
}

/// Refuses a request that whoever sent it may not make.
pub(super) async fn check(request: &mut Request) -> Result<()> {
    let engine = Arc::clone(&request.engine);
    let Some(authn) = engine.authn() else { return check_lists(request).await };
    // Asked first, told later: buckets that are not there are not there for anybody.
    let caller = authn.authenticate(token(&request.headers));
    let limit = if caller.is_ok() { MAX_MESSAGE } else { STRANGERS };
    let rule = match rule(request, limit).await {
        Ok(rule) => rule,
        // Strangers are told about their messages only if these are short.
        Err(error) if error.kind() == ErrorKind::TooLarge => {
            return Err(caller.err().unwrap_or(error));
        }
        Err(error) => return Err(error),
    };
    let needs = match rule {
        Rule::Public => return Ok(()),
        Rule::Known => return caller.map(drop),
        Rule::All(needs) => needs,
    };
    for need in &needs {
        let bucket = need.resolve(request)?;
        let Ok(claims) = &caller else { return caller.map(drop) };
        need.check(request, claims, bucket.as_ref())?;
    }
    Ok(())
}

/// Checks a permission outside the table: for faces with requests of their own kind.
pub(crate) fn allow(request: &Request, bck: Option<&Bck>, perms: u64) -> Result<()> {
    allow_as(request, None, bck, perms)
}

/// The same for a request that may have proved in another way than by a token which user it is of. A token that it has,
/// too, says what it may do.
pub(crate) fn allow_as(
    request: &Request,
    user: Option<&str>,
    bck: Option<&Bck>,
    perms: u64,
) -> Result<()> {
    let need = match bck {
        Some(bck) => Need::bucket(bck.clone(), perms),
        None => Need::cluster(perms),
    };
    let bucket = need.resolve(request)?;
    let Some(authn) = request.engine.authn() else {
        return bucket.map_or(Ok(()), |bucket| check_list(&bucket, perms & !EVERYBODY));
    };
    // A signed URL carries it as a parameter.
    let in_url = Some(request.params.get(AMZ_TOKEN)).filter(|token| !token.is_empty());
    let found = token(&request.headers).or(in_url.map(|token| (AMZ_TOKEN, token)));
    let claims = match (found, user) {
        (None, Some(user)) => Arc::new(authn.claims_of(user)?),
        (found, _) => authn.authenticate(found)?,
    };
    need.check(request, &claims, bucket.as_ref())
}

impl Need {
    /// The bucket as it is; none for the cluster, and for remote buckets that nobody has asked for yet.
    fn resolve(&self, request: &Request) -> Result<Option<Bucket>> {
        let (bck, must) = match &self.on {
            On::Cluster => return Ok(None),
            On::Bucket(bck) => (bck, !bck.is_remote()),
            On::Destination(bck) => (bck, false),
        };
        match request.engine.bucket(bck) {
            Ok(bucket) => Ok(Some(bucket)),
            Err(error) if must => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn check(&self, request: &Request, claims: &Claims, bucket: Option<&Bucket>) -> Result<()> {
        let engine = &request.engine;
        let Some(authn) = engine.authn() else { return Ok(()) };
        let cluster = engine.identity().uuid.as_str();
        let (bck, perms) = match (&self.on, bucket) {
            (On::Cluster, _) => (None, self.perms),
            (On::Destination(bck), None) if !bck.is_remote() => (None, access::CREATE_BUCKET),
            (On::Bucket(bck) | On::Destination(bck), _) => (Some(bck), self.perms),
        };
        authn.authorize(claims, Asked { cluster, bucket: bck, perms })?;
        let Some(bucket) = bucket else { return Ok(()) };
        // An administrator can open a bucket again that was closed.
        let open = if claims.admin { access::PATCH | access::BCK_SET_ACL } else { 0 };
        check_list(bucket, perms & !open)
    }
}

/// What everybody may do with buckets where nobody is asked.
const EVERYBODY: u64 = access::RO | access::PATCH | access::BCK_SET_ACL;

/// Checks the bucket's own list, which has no say in how the bucket is called.
fn check_list(bucket: &Bucket, perms: u64) -> Result<()> {
    let listed = bucket.props().access;
    let missing = perms & !listed & !access::MOVE_BUCKET;
    if missing == 0 {
        return Ok(());
    }
    let (bck, what, listed) = (bucket.bck(), access::describe(missing), access::describe(listed));
    let text = format!("bucket {bck}: {what} access denied (allowed: [{listed}])");
    Err(Error::new(ErrorKind::Forbidden, text).with_code("ErrBucketAccessDenied"))
}

/// Without AuthN: buckets' own lists, which hardly any bucket has.
async fn check_lists(request: &mut Request) -> Result<()> {
    let Some(("objects" | "buckets", rest)) = resource(&request.path) else { return Ok(()) };
    let name = rest.split('/').next().unwrap_or_default();
    let listed = |bck: &Bck| {
        request.engine.bucket(bck).is_ok_and(|bucket| bucket.props().access != u64::MAX)
    };
    let concerned = request.params.bck(name).is_ok_and(|bck| listed(&bck))
        || [query::BCK_TO, query::OBJECT_TO]
            .iter()
            .any(|to| request.params.uname(to).is_ok_and(|(bck, _)| listed(&bck)));
    if !concerned {
        return Ok(());
    }
    let Rule::All(needs) = rule(request, MAX_MESSAGE).await? else { return Ok(()) };
    for need in needs {
        if let Some(bucket) = need.resolve(request)? {
            check_list(&bucket, need.perms & !EVERYBODY)?;
        }
    }
    Ok(())
}

/// `/v1/RESOURCE/REST`, as the router takes it apart.
fn resource(path: &str) -> Option<(&str, &str)> {
    let path = path.trim_start_matches('/').strip_prefix("v1/")?;
    Some(path.split_once('/').unwrap_or((path, "")))
}

/// What the request needs. Messages of up to `limit` bytes are read.
pub(super) async fn rule(request: &mut Request, limit: usize) -> Result<Rule> {
    let path = request.path.clone();
    let trimmed = path.trim_start_matches('/');
    if matches!(trimmed, "metrics" | "metrics/") {
        return Ok(Rule::Public);
    }
    let Some((resource, rest)) = resource(&path) else {
        return Ok(match trimmed.split('/').next() {
            // They look at their own requests.
            Some("s3" | "ui" | ".well-known") => Rule::Public,
            _ => Rule::administrator(),
        });
    };
    let reads = matches!(request.method, Method::GET | Method::HEAD);
    match resource {
        "health" => Ok(Rule::Public),
        "objects" => objects(request, rest, limit).await,
        "buckets" => buckets(request, rest.trim_end_matches('/'), limit).await,
        "daemon" | "cluster" | "reverse" if reads => Ok(Rule::cluster(access::SHOW_CLUSTER)),
        "ml" => batch(request, rest, limit).await,
        "sort" => sort(request, limit).await,
        // AuthN itself looks at who asks.
        "users" | "roles" | "clusters" | "public-key" => Ok(Rule::Public),
        "tokens" => tokens(request, limit).await,
        _ => Ok(Rule::administrator()),
    }
}

/// The action of the message; nothing where it is none, which the handler will say.
async fn action(request: &mut Request, limit: usize) -> Result<ActMsg> {
    let body = request.body.peek(limit).await?;
    Ok(serde_json::from_slice(&body).unwrap_or_default())
}

fn value<T: DeserializeOwned + Default>(message: &ActMsg) -> T {
    // A value that is none is refused by the handler.
    message.value_as().unwrap_or_default()
}

async fn objects(request: &mut Request, rest: &str, limit: usize) -> Result<Rule> {
    let name = rest.split('/').next().unwrap_or_default();
    if name.is_empty() {
        // The handler says what is missing.
        return Ok(Rule::Known);
    }
    let bck = request.params.bck(name)?;
    let params = &request.params;
    let perms = match request.method {
        Method::GET => access::GET,
        Method::HEAD => access::OBJ_HEAD,
        Method::PUT if params.has(query::OBJECT_TO) => {
            let mut needs = vec![Need::bucket(bck, access::GET)];
            if let Ok((to, _)) = params.uname(query::OBJECT_TO) {
                needs.push(Need::bucket(to, access::PUT));
            }
            return Ok(Rule::All(needs));
        }
        Method::PUT if params.has(query::UPLOAD_ID) => access::PUT,
        Method::PUT if params.has(query::APPEND_TYPE) => access::APPEND,
        Method::PUT => access::PUT,
        Method::PATCH => access::OBJ_UPDATE,
        Method::DELETE => access::OBJ_DELETE,
        Method::OPTIONS => return Ok(Rule::Public),
        Method::POST => match action(request, limit).await?.action.as_str() {
            names::RENAME_OBJECT => access::OBJ_MOVE,
            names::PROMOTE => access::PROMOTE,
            names::BLOB_DOWNLOAD | names::MPT_UPLOAD | names::MPT_COMPLETE | names::MPT_ABORT => {
                access::RW
            }
            names::CHECK_LOCK => access::RO,
            _ => {
                return Ok(Rule::All(vec![
                    Need::bucket(bck, access::RW),
                    Need::cluster(access::ADMIN),
                ]));
            }
        },
        _ => return Ok(Rule::Known),
    };
    Ok(Rule::bucket(bck, perms))
}

async fn buckets(request: &mut Request, name: &str, limit: usize) -> Result<Rule> {
    // Listings and summaries may name a prefix in the path.
    let name = name.split('/').next().unwrap_or_default();
    let bck = request.params.bck(name)?;
    let method = request.method.clone();
    if method == Method::OPTIONS {
        return Ok(Rule::Public);
    }
    if method == Method::HEAD {
        return Ok(if name.is_empty() { Rule::Known } else { Rule::bucket(bck, access::BCK_HEAD) });
    }
    let message = action(request, limit).await?;
    let asks = message.action.as_str();
    if name.is_empty() {
        return Ok(match (method, asks) {
            (Method::GET, names::LIST | names::SUMMARY_BCK) => Rule::cluster(access::LIST_BUCKETS),
            _ => Rule::administrator(),
        });
    }
    let needs = match (method, asks) {
        (Method::GET, names::LIST) => vec![Need::bucket(bck, access::OBJ_LIST)],
        (Method::GET, names::SUMMARY_BCK) => vec![Need::bucket(bck, access::BCK_HEAD)],
        (Method::GET, names::INVENTORY_SHOW) => {
            vec![Need::bucket(bck, access::BCK_HEAD | access::OBJ_LIST)]
        }
        (Method::POST, names::CREATE_BCK) => vec![Need::cluster(access::CREATE_BUCKET)],
        (Method::POST, names::MOVE_BCK) => vec![Need::bucket(bck, access::MOVE_BUCKET)],
        (Method::POST, names::COPY_BCK | names::ETL_BCK) => {
            let to = request.params.uname(query::BCK_TO).ok().map(|(to, _)| to);
            both(bck, to)
        }
        (Method::POST, names::COPY_OBJECTS | names::ETL_OBJECTS) => {
            let ObjectsCopyMsg { tobck, .. } = value(&message);
            both(bck, Some(tobck))
        }
        (Method::PUT, names::ARCHIVE) => {
            let ArchiveMsg { tobck, .. } = value(&message);
            both(bck, Some(tobck))
        }
        (
            Method::POST,
            names::PREFETCH
            | names::MAKE_N_COPIES
            | names::EC_ENCODE
            | names::RECHUNK
            | names::INDEX_SHARD,
        ) => vec![Need::bucket(bck, access::RW)],
        (Method::DELETE, names::DESTROY_BCK | names::EVICT_REMOTE_BCK) => {
            vec![Need::bucket(bck, access::DESTROY_BUCKET)]
        }
        (Method::DELETE, names::DELETE_OBJECTS | names::EVICT_OBJECTS) => {
            vec![Need::bucket(bck, access::OBJ_DELETE)]
        }
        (Method::PATCH, names::SET_BPROPS | names::RESET_BPROPS) => {
            let perms = access::PATCH | of_list(request, &bck, &message);
            vec![Need::bucket(bck, perms)]
        }
        // Inventories, and what nobody thought of; of a bucket that is there.
        _ => vec![Need::bucket(bck, access::BCK_HEAD), Need::cluster(access::ADMIN)],
    };
    Ok(Rule::All(needs))
}

/// From a bucket to a bucket: what AIStore asks for.
fn both(from: Bck, to: Option<Bck>) -> Vec<Need> {
    let mut needs = vec![Need::bucket(from.clone(), access::RW)];
    if let Some(to) = to.filter(|to| !to.is_empty() && *to != from) {
        needs.push(Need::destination(to));
    }
    needs
}

/// What changing a bucket's own list needs: also where a reset would.
fn of_list(request: &Request, bck: &Bck, message: &ActMsg) -> u64 {
    let changes = match message.action.as_str() {
        names::SET_BPROPS => message.value.get("access").is_some_and(|access| !access.is_null()),
        _ => request.engine.bucket(bck).is_ok_and(|bucket| bucket.props().access != u64::MAX),
    };
    if changes { access::BCK_SET_ACL } else { 0 }
}

/// Get-batch: every bucket that an entry names.
async fn batch(request: &mut Request, rest: &str, limit: usize) -> Result<Rule> {
    let name = rest.trim_end_matches('/').split('/').nth(1).unwrap_or_default();
    let default = match name {
        "" => None,
        name => Some(request.params.bck(name)?),
    };
    let body = request.body.peek(limit).await?;
    let message: BatchRequest = serde_json::from_slice(&body).unwrap_or_default();
    let mut needs: Vec<_> =
        default.iter().map(|bck| Need::bucket(bck.clone(), access::GET)).collect();
    for entry in &message.entries {
        // An entry that names none is refused by the handler.
        if let Ok((bck, _)) = place(default.as_ref(), entry) {
            let need = Need::bucket(bck, access::GET);
            if !needs.contains(&need) {
                needs.push(need);
            }
        }
    }
    // A request that reads nothing is wrong, which is said to those whom we know.
    Ok(if needs.is_empty() { Rule::Known } else { Rule::All(needs) })
}

async fn sort(request: &mut Request, limit: usize) -> Result<Rule> {
    let mut needs = vec![Need::cluster(access::ADMIN)];
    if request.method == Method::POST {
        let body = request.body.peek(limit).await?;
        if let Ok(spec) = serde_json::from_slice::<Spec>(&body) {
            let to = spec.output_bck.filter(|to| !to.is_empty() && *to != spec.input_bck);
            needs.push(Need::bucket(spec.input_bck, access::OBJ_LIST | access::GET));
            needs.extend(to.map(Need::destination));
        }
    }
    Ok(Rule::All(needs))
}

/// A service asks whether its tokens are taken, or tells which were taken back; a user takes back one, which proves
/// itself.
async fn tokens(request: &mut Request, limit: usize) -> Result<Rule> {
    match request.method {
        Method::POST => Ok(Rule::Known),
        Method::DELETE => {
            let body = request.body.peek(limit).await?;
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            Ok(if body.get("tokens").is_some() { Rule::administrator() } else { Rule::Public })
        }
        _ => Ok(Rule::administrator()),
    }
}
