//! AuthN: `/v1/users`, `/v1/roles`, `/v1/clusters`, `/v1/tokens`, on the port of the server or one of its own.

use std::sync::Arc;

use holdall_ais_wire::authn::{Cluster, Login, PublicKey, Role, Token, TokenList, User};
use http::Method;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::access;
use super::reply::{not_allowed, ok, set};
use super::{Body, Reply, Request};
use crate::engine::Severity;
use crate::engine::authn::{Authn, Claims};
use crate::error::{Error, ErrorKind, Result};

/// Most bytes of a message here. Roles may name many buckets.
const MAX_MESSAGE: usize = 4 << 20;
/// The same for a login, which anybody may send.
const MAX_LOGIN: usize = 16 << 10;
/// Characters of a name in the log: anybody may send any.
const LOGGED: usize = 64;

/// Whether these are paths of AuthN.
pub(super) fn is_ours(resource: &str) -> bool {
    matches!(resource, "users" | "roles" | "clusters" | "tokens" | "public-key")
}

/// Everything that AuthN answers. On its own port, it also tells its configuration.
pub(super) async fn route(mut request: Request, resource: &str, rest: &str) -> Result<Reply> {
    let engine = Arc::clone(&request.engine);
    let Some(authn) = engine.authn() else {
        return Err(Error::unsupported(
            "AuthN is off: this server asks nobody who they are (start it with --auth)",
        ));
    };
    let name = rest.trim_end_matches('/');
    if is_ours(resource) && name.contains('/') {
        return Err(Error::invalid("invalid request"));
    }
    match resource {
        "users" => users(authn, &mut request, name).await,
        "roles" => roles(authn, &mut request, name).await,
        "clusters" => clusters(authn, &mut request, name).await,
        "tokens" => tokens(authn, &mut request).await,
        "public-key" => public_key(authn, &request),
        "daemon" => configuration(authn, &request),
        _ => Err(Error::new(ErrorKind::NotFound, "404 page not found")),
    }
}

fn caller(authn: &Authn, request: &Request) -> Result<Arc<Claims>> {
    let found = access::token(&request.headers);
    authn.authenticate(found).map_err(|error| {
        let text = match found {
            // Without the token, which AIStore shows.
            Some(_) => error.message().split_once(": ").map_or("", |(_, reason)| reason),
            None => return error,
        };
        Error::new(ErrorKind::Unauthorized, format!("not authorized ({text})"))
    })
}

fn administrator(authn: &Authn, request: &Request) -> Result<()> {
    let claims = caller(authn, request)?;
    if claims.admin {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unauthorized, format!("not authorized: requires admin ({claims})")))
}

/// JSON as AIStore's service writes it.
fn json(value: &impl Serialize) -> Result<Reply> {
    let mut text = serde_json::to_string(value)
        .map_err(|e| Error::internal("the reply cannot be written").with_source(e))?;
    text.push('\n');
    Ok(typed(text))
}

fn typed(text: String) -> Reply {
    let mut reply = ok();
    set(&mut reply, CONTENT_TYPE, "application/json");
    *reply.body_mut() = Body::whole(text);
    reply
}

/// The message. What is wrong with it is said without quoting it: it may hold a password.
async fn message<T: DeserializeOwned>(request: &mut Request, limit: usize) -> Result<T> {
    let (method, path) = (request.method.clone(), request.path.clone());
    let body = request.body.all(limit).await?;
    let invalid = |reason: String| {
        Error::invalid(format!("{path}: failed to unmarshal the message ({method}), err: {reason}"))
    };
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(invalid("expecting a JSON object".into()));
    }
    serde_json::from_slice(&body).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => {
                "a field of the wrong type, or one that is missing"
            }
            _ => "no valid JSON",
        };
        invalid(format!("{what} at line {} column {}", error.line(), error.column()))
    })
}

async fn users(authn: &Arc<Authn>, request: &mut Request, name: &str) -> Result<Reply> {
    match (request.method.clone(), name) {
        (Method::GET, "") => {
            administrator(authn, request)?;
            json(&authn.users())
        }
        (Method::GET, name) => {
            let claims = caller(authn, request)?;
            if !claims.admin && claims.sub != name {
                let text = "not authorized: requires admin or self";
                return Err(Error::new(ErrorKind::Unauthorized, text));
            }
            json(&authn.user(name)?)
        }
        (Method::POST, "") => {
            administrator(authn, request)?;
            let user: User = message(request, MAX_MESSAGE).await?;
            authn.add_user(user).await?;
            Ok(ok())
        }
        (Method::POST, name) => login(authn, request, name).await,
        (Method::PUT | Method::DELETE, "") => Err(super::too_short(request, 3)),
        (Method::PUT, name) => {
            let claims = caller(authn, request)?;
            let user: User = message(request, MAX_MESSAGE).await?;
            let own = claims.sub == name && user.roles.is_empty();
            if !claims.admin && !own {
                let text = format!("not authorized: ({claims})");
                return Err(Error::new(ErrorKind::Unauthorized, text));
            }
            authn.update_user(name, user).await?;
            Ok(ok())
        }
        (Method::DELETE, name) => {
            administrator(authn, request)?;
            authn.delete_user(name).await?;
            Ok(ok())
        }
        _ => Err(not_allowed("DELETE, GET, POST, PUT")),
    }
}

async fn login(authn: &Arc<Authn>, request: &mut Request, name: &str) -> Result<Reply> {
    let login: Login = message(request, MAX_LOGIN).await?;
    if login.password.is_empty() {
        return Err(Error::new(ErrorKind::Unauthorized, "empty password"));
    }
    match authn.login(name, &login, request.remote.ip()).await {
        // The one reply that holds a token.
        Ok(token) => Ok(typed(format!("{{\"token\": {}}}", json!(token.expose())))),
        Err(error) => {
            if error.kind() == ErrorKind::Unauthorized {
                let shown: String = name.chars().take(LOGGED).collect();
                let line =
                    format!("AuthN: a login as {shown:?} from {} was refused", request.remote.ip());
                request.engine.log().add(Severity::Warning, line);
            }
            let text = format!("AuthN: failed to generate token for {name}, err: {error}");
            Err(Error::new(error.kind(), text).with_code("ErrFailedTo"))
        }
    }
}

async fn roles(authn: &Arc<Authn>, request: &mut Request, name: &str) -> Result<Reply> {
    match (request.method.clone(), name) {
        (Method::GET, "") => json(&authn.roles()),
        (Method::GET, name) => json(&authn.role(name)?),
        (Method::POST, "") => {
            administrator(authn, request)?;
            let role: Role = message(request, MAX_MESSAGE).await?;
            authn.add_role(role).await?;
            Ok(ok())
        }
        (Method::POST, _) => Err(Error::invalid("invalid request")),
        (Method::PUT | Method::DELETE, "") => Err(super::too_short(request, 3)),
        (Method::PUT, name) => {
            administrator(authn, request)?;
            let role: Role = message(request, MAX_MESSAGE).await?;
            authn.update_role(name, role).await?;
            Ok(ok())
        }
        (Method::DELETE, name) => {
            administrator(authn, request)?;
            authn.delete_role(name).await?;
            Ok(ok())
        }
        _ => Err(not_allowed("DELETE, GET, POST, PUT")),
    }
}

async fn clusters(authn: &Arc<Authn>, request: &mut Request, name: &str) -> Result<Reply> {
    match (request.method.clone(), name) {
        (Method::GET, "") => json(&authn.clusters()),
        (Method::GET, name) => json(&authn.cluster(name)?),
        (Method::POST, "") => {
            administrator(authn, request)?;
            let cluster: Cluster = message(request, MAX_MESSAGE).await?;
            authn.add_cluster(cluster).await?;
            Ok(ok())
        }
        (Method::POST, _) => Err(Error::invalid("invalid request")),
        (Method::PUT | Method::DELETE, "") => Err(super::too_short(request, 3)),
        (Method::PUT, name) => {
            administrator(authn, request)?;
            let cluster: Cluster = message(request, MAX_MESSAGE).await?;
            authn.update_cluster(name, cluster).await?;
            Ok(ok())
        }
        (Method::DELETE, name) => {
            administrator(authn, request)?;
            authn.delete_cluster(name).await?;
            Ok(ok())
        }
        _ => Err(not_allowed("DELETE, GET, POST, PUT")),
    }
}

/// Both sides: a user takes a token back; a service asks whether we take its tokens, or tells which were taken back.
async fn tokens(authn: &Arc<Authn>, request: &mut Request) -> Result<Reply> {
    match request.method {
        Method::POST => {
            caller(authn, request)?;
            Ok(ok())
        }
        Method::DELETE => {
            let body = request.body.peek(MAX_MESSAGE).await?;
            let told = serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default();
            if told.get("tokens").is_some() {
                administrator(authn, request)?;
                let list: TokenList = message(request, MAX_MESSAGE).await?;
                authn.revoke_told(&list.tokens).await?;
                return Ok(ok());
            }
            let Token { token } = message(request, MAX_MESSAGE).await?;
            authn.revoke(&token).await?;
            Ok(ok())
        }
        _ => Err(not_allowed("DELETE, POST")),
    }
}

fn public_key(authn: &Authn, request: &Request) -> Result<Reply> {
    if request.method != Method::GET {
        return Err(not_allowed("GET"));
    }
    let missing = || Error::invalid("current signing method does not have a public key");
    let public_key = authn.public_key().ok_or_else(missing)?.to_owned();
    json(&PublicKey { public_key })
}

/// What AuthN works with, but for its secrets.
fn configuration(authn: &Authn, request: &Request) -> Result<Reply> {
    if request.method != Method::GET {
        return Err(not_allowed("GET"));
    }
    administrator(authn, request)?;
    let (life, longest) = authn.lives();
    json(&json!({
        "auth": {
            "secret": "",
            "expiration_time": format!("{}s", life.as_secs()),
            "max_token_age": format!("{}s", longest.as_secs()),
            "public_key": authn.public_key(),
            "algorithm": authn.algorithm(),
        },
        "net": {"external_url": authn.url()},
    }))
}
