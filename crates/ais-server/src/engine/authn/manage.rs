//! Users, roles and clusters: made, changed, removed. Who may do so is checked by the callers.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdall_ais_wire::authn::{Cluster, Clusters, Role, User};

use super::state::{self, ADMIN_ROLE, Account, Change, State};
use super::{Authn, Secret, password};
use crate::error::{Error, ErrorKind, Result};

/// Longest name, and what it may hold.
const LONGEST_NAME: usize = 32;
const NICE: &str = "must be less than 32 characters and may only contain letters, numbers, dashes (-), underscores (_)";

/// Whether this can be a name; nothing can be one, too.
fn is_nice(name: &str) -> bool {
    let inner = |byte: u8| byte == b'-' || byte == b'_';
    name.len() <= LONGEST_NAME
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || inner(byte))
        && !name.starts_with(['-', '_'])
        && !name.ends_with(['-', '_'])
}

fn failed(action: &str, what: &str) -> impl Fn(Error) -> Error {
    move |error| {
        let text = format!("AuthN: failed to {action} {what}, err: {error}");
        Error::new(error.kind(), text).with_code("ErrFailedTo")
    }
}

fn forbidden(text: String) -> Error {
    Error::new(ErrorKind::Forbidden, text)
}

fn conflict(text: String) -> Error {
    Error::new(ErrorKind::Conflict, text)
}

fn no_user(name: &str) -> Error {
    Error::not_found(format!("user \"{name}\" does not exist"))
}

fn no_role(name: &str) -> Error {
    Error::not_found(format!("role \"{name}\" does not exist"))
}

fn no_cluster(name: &str) -> Error {
    Error::not_found(format!("AuthN: cluster {name} does not exist"))
}

/// The names of these roles, all of which there are.
fn names(state: &State, roles: &[Role]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for role in roles {
        if !state.roles.contains_key(&role.name) {
            return Err(no_role(&role.name));
        }
        if !names.contains(&role.name) {
            names.push(role.name.clone());
        }
    }
    Ok(names)
}

fn check_password(password: &str) -> Result<()> {
    if password.len() > password::LONGEST {
        return Err(Error::invalid(format!(
            "the password has {} bytes: {} are the most",
            password.len(),
            password::LONGEST
        )));
    }
    Ok(())
}

impl Authn {
    /// All users, without their passwords.
    pub fn users(&self) -> BTreeMap<String, User> {
        let state = self.state();
        state.users.values().map(|account| (account.id.clone(), state.shown(account))).collect()
    }

    /// A user, without the password.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`].
    pub fn user(&self, name: &str) -> Result<User> {
        let state = self.state();
        state.users.get(name).map(|account| state.shown(account)).ok_or_else(|| no_user(name))
    }

    /// Makes a user.
    ///
    /// # Errors
    ///
    /// When the name or the password is missing or cannot be, there is such a user, or a role is not there.
    pub async fn add_user(&self, user: User) -> Result<()> {
        let fail = failed("add user", &user.id);
        let add = async {
            if user.id.is_empty() || user.pass.is_empty() {
                return Err(Error::invalid("invalid credentials"));
            }
            if !is_nice(&user.id) {
                return Err(Error::invalid(format!("user ID {:?} is invalid: {NICE}", user.id)));
            }
            let hash = self.hash(&user.pass).await?;
            let _changing = self.changing.lock().await;
            let roles = {
                let state = self.state();
                if state.users.contains_key(&user.id) {
                    return Err(conflict(format!("AuthN: user {} already exists", user.id)));
                }
                names(&state, &user.roles)?
            };
            let generation = self.next_generation();
            let account = Account { id: user.id.clone(), hash, generation, roles };
            self.change(vec![Change::User(account)]).await?;
            self.tokens.set_generation(&user.id, Some(generation));
            Ok(())
        };
        add.await.map_err(fail)
    }

    /// Changes a user's password or roles, where the new ones say something. A new password ends the user's tokens.
    ///
    /// # Errors
    ///
    /// When there is no such user or role, or it is the administrator whose roles would change.
    pub async fn update_user(&self, name: &str, with: User) -> Result<()> {
        let fail = failed("update user", name);
        let update = async {
            if name == self.admin && !with.roles.is_empty() {
                return Err(forbidden("cannot change administrator's role".into()));
            }
            let hash = match with.pass.as_str() {
                "" => None,
                password => Some(self.hash(password).await?),
            };
            let _changing = self.changing.lock().await;
            let mut account = {
                let state = self.state();
                let mut account = state.users.get(name).cloned().ok_or_else(|| no_user(name))?;
                if !with.roles.is_empty() {
                    account.roles = names(&state, &with.roles)?;
                }
                account
            };
            if let Some(hash) = hash {
                account.hash = hash;
                account.generation = self.next_generation();
            }
            let generation = account.generation;
            self.change(vec![Change::User(account)]).await?;
            self.tokens.set_generation(name, Some(generation));
            Ok(())
        };
        update.await.map_err(fail)
    }

    /// Removes a user, whose tokens end.
    ///
    /// # Errors
    ///
    /// When there is no such user, or it is the administrator.
    pub async fn delete_user(&self, name: &str) -> Result<()> {
        let fail = failed("delete user", name);
        let delete = async {
            if name == self.admin {
                return Err(forbidden(format!("cannot remove built-in \"{name}\" account")));
            }
            let _changing = self.changing.lock().await;
            if !self.state().users.contains_key(name) {
                return Err(no_user(name));
            }
            self.change(vec![Change::NoUser(name.to_owned())]).await?;
            self.tokens.set_generation(name, None);
            Ok(())
        };
        delete.await.map_err(fail)
    }

    async fn hash(&self, password: &str) -> Result<String> {
        check_password(password)?;
        let password = Secret::new(password);
        self.hashed(move || password::hash(&password)).await
    }

    /// A number that no credentials had before: a user made again is another one. Nanoseconds since 1970.
    fn next_generation(&self) -> u64 {
        u64::try_from(crate::engine::now()).unwrap_or(0)
    }

    /// All roles, in the order of their names.
    pub fn roles(&self) -> Vec<Role> {
        self.state().roles.values().cloned().collect()
    }

    /// A role; its clusters with their other names.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`].
    pub fn role(&self, name: &str) -> Result<Role> {
        self.state().shown_role(name).ok_or_else(|| no_role(name))
    }

    /// Makes a role.
    ///
    /// # Errors
    ///
    /// When the name is missing or cannot be, there is such a role, or it would allow everything.
    pub async fn add_role(&self, role: Role) -> Result<()> {
        let fail = failed("add role", &role.name);
        let add = async {
            if role.name.is_empty() {
                return Err(Error::invalid("role name is undefined"));
            }
            if !is_nice(&role.name) {
                return Err(Error::invalid(format!(
                    "role name {:?} is invalid: {NICE}",
                    role.name
                )));
            }
            if role.admin {
                let text = "only built-in roles can have \"admin\" permissions".to_owned();
                return Err(forbidden(text));
            }
            let _changing = self.changing.lock().await;
            if self.state().roles.contains_key(&role.name) {
                return Err(conflict(format!("AuthN: role {} already exists", role.name)));
            }
            // Through the merge, so that no cluster or bucket is there twice.
            let empty = Role { name: role.name.clone(), ..Role::default() };
            self.change(vec![Change::Role(state::updated(empty, role.clone()))]).await
        };
        add.await.map_err(fail)
    }

    /// Changes what a role says: its description, and its entries for the clusters and buckets that are named.
    ///
    /// Tokens keep what they were given until they end.
    ///
    /// # Errors
    ///
    /// When there is no such role, or it is the built-in one.
    pub async fn update_role(&self, name: &str, with: Role) -> Result<()> {
        let update = async {
            if name == ADMIN_ROLE {
                return Err(forbidden(format!("cannot modify built-in \"{name}\" role")));
            }
            let _changing = self.changing.lock().await;
            let role = self.state().roles.get(name).cloned().ok_or_else(|| no_role(name))?;
            self.change(vec![Change::Role(state::updated(role, with))]).await
        };
        update.await.map_err(failed("update role", name))
    }

    /// Removes a role, also from its users.
    ///
    /// # Errors
    ///
    /// When there is no such role, or it is the built-in one.
    pub async fn delete_role(&self, name: &str) -> Result<()> {
        let delete = async {
            if name == ADMIN_ROLE {
                return Err(forbidden(format!("cannot remove built-in \"{name}\" role")));
            }
            let _changing = self.changing.lock().await;
            let mut changes = {
                let state = self.state();
                if !state.roles.contains_key(name) {
                    return Err(no_role(name));
                }
                let having = state
                    .users
                    .values()
                    .filter(|account| account.roles.iter().any(|role| role == name));
                let without = having.map(|account| {
                    let mut account = account.clone();
                    account.roles.retain(|role| role != name);
                    Change::User(account)
                });
                without.collect::<Vec<_>>()
            };
            changes.push(Change::NoRole(name.to_owned()));
            self.change(changes).await
        };
        delete.await.map_err(failed("delete role", name))
    }

    /// All clusters.
    pub fn clusters(&self) -> Clusters {
        Clusters { clusters: self.state().clusters.clone() }
    }

    /// The cluster of this id or other name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`].
    pub fn cluster(&self, name: &str) -> Result<Clusters> {
        let state = self.state();
        let cluster = state.cluster(name).cloned().ok_or_else(|| no_cluster(name))?;
        Ok(Clusters { clusters: BTreeMap::from([(cluster.id.clone(), cluster)]) })
    }

    /// Registers a cluster, once it takes tokens of this service and knows which were taken back. Roles for it come
    /// with it.
    ///
    /// # Errors
    ///
    /// When it is registered, cannot be asked, or does not take the tokens.
    pub async fn add_cluster(self: &Arc<Self>, cluster: Cluster) -> Result<()> {
        let fail = failed("add cluster", &cluster.id);
        let add = async {
            if cluster.id.is_empty() {
                return Err(Error::invalid("cluster UUID is undefined"));
            }
            if !is_nice(&cluster.alias) {
                return Err(Error::invalid(format!(
                    "cluster alias {:?} is invalid: {NICE}",
                    cluster.alias
                )));
            }
            if cluster.urls.is_empty() {
                return Err(Error::invalid("cluster URLs are undefined: at least one is needed"));
            }
            self.check_new(&cluster)?;
            self.validate(&cluster).await?;
            self.tell_all_revoked(&cluster).await?;
            let _changing = self.changing.lock().await;
            self.check_new(&cluster)?;
            let mut changes: Vec<_> =
                self.state().roles_for(&cluster).into_iter().map(Change::Role).collect();
            changes.push(Change::Cluster(cluster.clone()));
            self.change(changes).await
        };
        add.await.map_err(fail)
    }

    fn check_new(&self, cluster: &Cluster) -> Result<()> {
        let state = self.state();
        match state.cluster(&cluster.id).or_else(|| state.cluster(&cluster.alias)) {
            Some(known) => {
                Err(conflict(format!("cluster {}[{}] already registered", cluster.id, known.id)))
            }
            None => Ok(()),
        }
    }

    /// Changes a cluster's other name or URLs, where the new ones say something, and asks it again.
    ///
    /// # Errors
    ///
    /// As [`add_cluster`](Self::add_cluster); when there is none, or the name is another one's.
    pub async fn update_cluster(self: &Arc<Self>, name: &str, with: Cluster) -> Result<()> {
        let update = async {
            if with.id.is_empty() {
                return Err(Error::invalid("cluster ID is undefined"));
            }
            let mut cluster = {
                let state = self.state();
                let cluster = state.cluster(name).cloned().ok_or_else(|| no_cluster(name))?;
                if !is_nice(&with.alias) {
                    return Err(Error::invalid(format!(
                        "cluster alias {:?} is invalid: {NICE}",
                        with.alias
                    )));
                }
                if let Some(other) =
                    state.cluster(&with.alias).filter(|other| other.id != cluster.id)
                {
                    return Err(conflict(format!(
                        "alias \"{}\" is used for cluster \"{}\"",
                        with.alias, other.id
                    )));
                }
                cluster
            };
            if !with.alias.is_empty() {
                cluster.alias = with.alias;
            }
            if !with.urls.is_empty() {
                cluster.urls = with.urls;
            }
            self.validate(&cluster).await?;
            let _changing = self.changing.lock().await;
            if !self.state().clusters.contains_key(&cluster.id) {
                return Err(no_cluster(name));
            }
            self.change(vec![Change::Cluster(cluster)]).await
        };
        update.await.map_err(failed("update cluster", name))
    }

    /// Forgets a cluster. Roles that came with it stay.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`].
    pub async fn delete_cluster(&self, name: &str) -> Result<()> {
        let delete = async {
            let _changing = self.changing.lock().await;
            let id = self.state().cluster(name).map(|cluster| cluster.id.clone());
            let id = id.ok_or_else(|| no_cluster(name))?;
            self.change(vec![Change::NoCluster(id)]).await
        };
        delete.await.map_err(failed("delete cluster", name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["", "a", "Test-Role_1", "x".repeat(32).as_str()] {
            assert!(is_nice(good), "{good}");
        }
        for bad in ["-a", "a-", "_", "a b", "a/b", "ä", "a.b", "x".repeat(33).as_str()] {
            assert!(!is_nice(bad), "{bad}");
        }
    }
}
