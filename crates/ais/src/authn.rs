//! AuthN: the service of users, roles, clusters and tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use holdall_ais_wire::authn::{BucketPerm, Cluster, ClusterPerm, Clusters, Login, Role, User};
use holdall_ais_wire::{Bck, Namespace};
use http::Method;
use serde_json::{Value, json};

use crate::call::{Call, encode_path};
use crate::client::Client;
use crate::config::{ClientConfig, Token};
use crate::error::{Error, ErrorKind, Result};

pub use holdall_ais_wire::authn::access;

/// The service tells its clusters of a revocation after it has answered. What is asked of them right away would still find
/// the token good.
const TOLD: Duration = Duration::from_millis(100);

/// A client of the service. Cloning is cheap; clones share the token.
#[derive(Debug, Clone)]
pub struct AuthnClient {
    client: Client,
}

impl AuthnClient {
    /// A client of the service at the configuration's endpoint, whose default port is 52001.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(config: ClientConfig) -> Result<Self> {
        // There is one node, and it has no map.
        Ok(Self { client: Client::new(config.with_direct_reads(false))? })
    }

    /// The client that sends the requests.
    pub fn client(&self) -> &Client {
        &self.client
    }

    fn call(&self, operation: &'static str, method: Method, path: &str, name: &str) -> Call {
        let path = match name {
            "" => format!("/v1/{path}"),
            name => format!("/v1/{path}/{}", encode_path(name)),
        };
        let target = format!("{path} of {}", self.client.endpoint());
        Call::new(operation, target, method, path)
    }

    async fn done(&self, call: &Call) -> Result<()> {
        self.client.transport.fetch(call).await.map(drop)
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, call: &Call) -> Result<T> {
        self.client.transport.json(call).await
    }

    /// Logs in, and shows the token from then on. `life` is that of the token: none for the service's default, zero for
    /// its longest.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] for a wrong name or password.
    pub async fn login(&self, user: &str, password: &str, life: Option<Duration>) -> Result<Token> {
        let message = Login {
            password: password.to_owned(),
            expires_in: life.map(|life| i64::try_from(life.as_nanos()).unwrap_or(i64::MAX)),
        };
        let call = self.call("login", Method::POST, "users", user).json(&message);
        let token: holdall_ais_wire::authn::Token = self.read(&call).await?;
        if token.token.is_empty() {
            return Err(call.error(ErrorKind::Corrupt, "the service sent no token"));
        }
        let token = Token::new(token.token);
        self.client.set_token(Some(token.clone()));
        Ok(token)
    }

    /// Revokes the token that is shown, and shows none from then on.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] when there is none.
    pub async fn logout(&self) -> Result<()> {
        let Some(token) = self.client.token() else {
            let detail = "nobody is logged in";
            return Err(Error::new(ErrorKind::Unauthenticated, "logout", "", detail));
        };
        self.tokens().revoke(&token).await?;
        self.client.set_token(None);
        Ok(())
    }

    /// The clusters.
    pub fn clusters(&self) -> ClusterManager {
        ClusterManager(self.clone())
    }

    /// The roles.
    pub fn roles(&self) -> RoleManager {
        RoleManager(self.clone())
    }

    /// The users.
    pub fn users(&self) -> UserManager {
        UserManager(self.clone())
    }

    /// The tokens.
    pub fn tokens(&self) -> TokenManager {
        TokenManager(self.clone())
    }
}

/// The clusters that the service knows.
#[derive(Debug, Clone)]
pub struct ClusterManager(AuthnClient);

impl ClusterManager {
    /// All.
    ///
    /// # Errors
    /// Those of the service.
    pub async fn list(&self) -> Result<BTreeMap<String, Cluster>> {
        let call = self.0.call("list clusters", Method::GET, "clusters", "");
        Ok(self.0.read::<Clusters>(&call).await?.clusters)
    }

    /// One, by its id or alias.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub async fn get(&self, name: &str) -> Result<Cluster> {
        let call = self.0.call("get cluster", Method::GET, "clusters", name);
        let mut found = self.0.read::<Clusters>(&call).await?.clusters;
        let first = found.pop_first().map(|(_, cluster)| cluster);
        first.ok_or_else(|| call.error(ErrorKind::NotFound, "the service told of no cluster"))
    }

    /// Makes a cluster known by its URLs; the first is asked for the cluster's id, with this client's token if it asks
    /// for one.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when it or the alias is known already; what the cluster's map could not be had for.
    pub async fn register(&self, alias: &str, urls: &[String]) -> Result<Cluster> {
        let call = self.0.call("register cluster", Method::POST, "clusters", "");
        let Some(url) = urls.first() else {
            return Err(call.error(ErrorKind::InvalidArgument, "a cluster needs a URL"));
        };
        let mut config = self.0.client.config().clone();
        config.endpoint.clone_from(url);
        // A cluster that tells everybody its map need not see the administrator's token.
        config.token = None;
        let cluster = Client::new(config)?;
        let map = match (cluster.smap(true).await, self.0.client.token()) {
            (Err(refused), Some(token)) if refused.kind() == ErrorKind::Unauthenticated => {
                cluster.set_token(Some(token));
                cluster.smap(true).await?
            }
            (found, _) => found?,
        };
        let id = map.uuid.clone();
        let cluster = Cluster { id: id.clone(), alias: alias.to_owned(), urls: urls.to_vec() };
        self.0.done(&call.json(&cluster)).await?;
        self.get(&id).await
    }

    /// Changes alias and URLs; what is empty stays.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub async fn update(&self, id: &str, alias: &str, urls: &[String]) -> Result<Cluster> {
        let cluster = Cluster { id: id.to_owned(), alias: alias.to_owned(), urls: urls.to_vec() };
        let call = self.0.call("update cluster", Method::PUT, "clusters", id).json(&cluster);
        self.0.done(&call).await?;
        self.get(id).await
    }

    /// Forgets a cluster, by its id or alias.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.0.done(&self.0.call("delete cluster", Method::DELETE, "clusters", name)).await
    }
}

/// The roles.
#[derive(Debug, Clone)]
pub struct RoleManager(AuthnClient);

impl RoleManager {
    /// All.
    ///
    /// # Errors
    /// Those of the service.
    pub async fn list(&self) -> Result<Vec<Role>> {
        let call = self.0.call("list roles", Method::GET, "roles", "");
        Ok(self.0.read::<Option<Vec<Role>>>(&call).await?.unwrap_or_default())
    }

    /// One.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub async fn get(&self, name: &str) -> Result<Role> {
        self.0.read(&self.0.call("get role", Method::GET, "roles", name)).await
    }

    /// Makes a role as it is told.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when there is one of that name.
    pub async fn put(&self, role: &Role) -> Result<()> {
        self.0.done(&self.0.call("create role", Method::POST, "roles", "").json(role)).await
    }

    /// Makes a role that allows `perm` in a cluster, or in one of its buckets.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when there is one of that name; [`ErrorKind::NotFound`] for unknown clusters.
    pub async fn create(
        &self,
        name: &str,
        desc: &str,
        cluster: &str,
        perm: u64,
        bucket: Option<&str>,
    ) -> Result<Role> {
        let cluster = self.0.clusters().get(cluster).await?.id;
        let role = Role { name: name.to_owned(), desc: desc.to_owned(), ..Role::default() };
        self.put(&allowing(role, cluster, perm, bucket)).await?;
        self.get(name).await
    }

    /// Changes a role: the description, and what it allows, as far as they are told.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::PermissionDenied`] for the administrators' role.
    pub async fn update(
        &self,
        name: &str,
        desc: Option<&str>,
        allow: Option<(&str, u64, Option<&str>)>,
    ) -> Result<Role> {
        let mut role = self.get(name).await?;
        if let Some(desc) = desc {
            desc.clone_into(&mut role.desc);
        }
        if let Some((cluster, perm, bucket)) = allow {
            let cluster = self.0.clusters().get(cluster).await?.id;
            role = allowing(role, cluster, perm, bucket);
        }
        self.0.done(&self.0.call("update role", Method::PUT, "roles", name).json(&role)).await?;
        self.get(name).await
    }

    /// Removes a role.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.0.done(&self.0.call("delete role", Method::DELETE, "roles", name)).await
    }
}

fn allowing(mut role: Role, cluster: String, perm: u64, bucket: Option<&str>) -> Role {
    match bucket {
        None => {
            role.clusters.retain(|of| of.id != cluster);
            role.clusters.push(ClusterPerm { id: cluster, perm, ..ClusterPerm::default() });
        }
        Some(name) => {
            let namespace = Namespace { uuid: cluster, name: String::new() };
            let bck = Bck { namespace, ..Bck::ais(name) };
            role.buckets.retain(|of| of.bck != bck);
            role.buckets.push(BucketPerm { bck, perm });
        }
    }
    role
}

/// The users.
#[derive(Debug, Clone)]
pub struct UserManager(AuthnClient);

impl UserManager {
    /// All, by their names.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] for all but administrators.
    pub async fn list(&self) -> Result<BTreeMap<String, User>> {
        let call = self.0.call("list users", Method::GET, "users", "");
        let value: Value = self.0.read(&call).await?;
        let read = match value {
            // Older services send a list.
            Value::Array(_) => serde_json::from_value::<Vec<User>>(value)
                .map(|users| users.into_iter().map(|user| (user.id.clone(), user)).collect()),
            Value::Null => Ok(BTreeMap::new()),
            map => serde_json::from_value(map),
        };
        read.map_err(|e| call.error(ErrorKind::Corrupt, e.to_string()))
    }

    /// One, without the password.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub async fn get(&self, name: &str) -> Result<User> {
        self.0.read(&self.0.call("get user", Method::GET, "users", name)).await
    }

    async fn roles(&self, names: &[String]) -> Result<Vec<Role>> {
        let mut roles = Vec::with_capacity(names.len());
        for name in names {
            roles.push(self.0.roles().get(name).await?);
        }
        Ok(roles)
    }

    /// Makes a user.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when there is one of that name; [`ErrorKind::NotFound`] for unknown roles.
    pub async fn create(&self, name: &str, password: &str, roles: &[String]) -> Result<User> {
        let user = User {
            id: name.to_owned(),
            pass: password.to_owned(),
            roles: self.roles(roles).await?,
        };
        self.0.done(&self.0.call("create user", Method::POST, "users", "").json(&user)).await?;
        self.get(name).await
    }

    /// Changes password and roles, as far as they are told.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub async fn update(
        &self,
        name: &str,
        password: Option<&str>,
        roles: Option<&[String]>,
    ) -> Result<User> {
        let roles = match roles {
            Some(names) => self.roles(names).await?,
            None => Vec::new(),
        };
        let mut message = json!({"id": name, "roles": roles});
        if let Some(password) = password {
            message["pass"] = password.into();
        }
        self.0.done(&self.0.call("update user", Method::PUT, "users", name).json(&message)).await?;
        self.get(name).await
    }

    /// Removes a user.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.0.done(&self.0.call("delete user", Method::DELETE, "users", name)).await
    }
}

/// The tokens.
#[derive(Debug, Clone)]
pub struct TokenManager(AuthnClient);

impl TokenManager {
    /// Makes a token worthless, and waits for as long as it takes the service to tell its clusters.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] for an empty one.
    pub async fn revoke(&self, token: &Token) -> Result<()> {
        let message = json!({"token": token.reveal()});
        let call = self.0.call("revoke token", Method::DELETE, "tokens", "").json(&message);
        self.0.done(&call).await?;
        tokio::time::sleep(TOLD).await;
        Ok(())
    }
}
