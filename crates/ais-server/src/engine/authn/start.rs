//! The start: what is kept is read, and what is missing is made.

use std::sync::{Arc, OnceLock, RwLock};

use holdall_ais_wire::authn::Role;
use tokio::sync::Semaphore;

use super::keys::{Keys, Stored};
use super::state::{ADMIN_ROLE, Account, Change, State};
use super::{
    AuthOptions, Authn, Counts, HASHING, Revoked, SHORTEST_LIFE, Secret, claims, password, random,
    tokens,
};
use crate::error::{Error, Result};
use crate::storage::Meta;

/// The fact that holds the key that was made up.
const KEY: &str = "authn/key";

impl Authn {
    /// AuthN of this cluster, and the administrator's password if it was made up just now.
    ///
    /// # Errors
    ///
    /// When the key or what is kept cannot be used.
    pub(crate) fn start(
        meta: Arc<Meta>,
        cluster: String,
        options: &AuthOptions,
    ) -> Result<(Arc<Self>, Option<Secret>)> {
        check(options)?;
        let keys = Keys::new(&key(&meta, options)?)?;
        let mut state = State::load(&meta)?;
        let (changes, made_up) = administrator(&state, options)?;
        if !changes.is_empty() {
            let changes = Arc::new(changes);
            let kept = Arc::clone(&changes);
            meta.write_blocking(move |tx| kept.iter().try_for_each(|change| change.write(tx)))?;
            for change in Arc::into_inner(changes).unwrap_or_default() {
                state.apply(change);
            }
        }
        let tokens = tokens::Tokens::default();
        for account in state.users.values() {
            tokens.set_generation(&account.id, Some(account.generation));
        }
        for (digest, bytes) in meta.facts(&Revoked::fact(""))? {
            // One that is damaged may be any token that has not ended.
            let ends =
                serde_json::from_slice::<Revoked>(&bytes).map_or(i64::MAX, |revoked| revoked.ends);
            tokens.revoke_digest(digest, ends);
        }
        tokens.forget_expired(claims::now());
        let authn = Self {
            meta,
            cluster,
            issuer: OnceLock::new(),
            admin: options.admin.clone(),
            keys,
            life: options.life,
            longest_life: options.longest_life,
            state: RwLock::new(state),
            changing: tokio::sync::Mutex::default(),
            tokens,
            hashing: Semaphore::new(HASHING),
            attempts: super::attempts::Attempts::default(),
            decoy: password::hash(&Secret::new(random::password()?))?,
            counts: Counts::default(),
        };
        Ok((Arc::new(authn), made_up))
    }
}

fn check(options: &AuthOptions) -> Result<()> {
    if options.admin.is_empty() {
        return Err(Error::invalid("AuthN: the administrator's name is empty"));
    }
    if options.password.as_ref().is_some_and(|password| password.expose().is_empty()) {
        return Err(Error::invalid("AuthN: the administrator's password is empty"));
    }
    if options.password.as_ref().is_some_and(|password| password.expose().len() > password::LONGEST)
    {
        let text = format!(
            "AuthN: the administrator's password has more than {} bytes",
            password::LONGEST
        );
        return Err(Error::invalid(text));
    }
    if options.life < SHORTEST_LIFE || options.longest_life < options.life {
        let text = "AuthN: tokens live for at least a minute, and not longer than the longest life";
        return Err(Error::invalid(text));
    }
    Ok(())
}

/// The key: of the file, or the one that is kept, or a new one.
fn key(meta: &Meta, options: &AuthOptions) -> Result<Stored> {
    if let Some(path) = &options.key {
        return Stored::read(path, options.algorithm);
    }
    let kept = meta.fact(KEY)?.map(|bytes| serde_json::from_slice::<Stored>(&bytes));
    // The cause could quote the key.
    let kept = kept.transpose().map_err(|_| Error::internal("AuthN's key is damaged"))?;
    if let Some(kept) =
        kept.filter(|kept| options.algorithm.is_none_or(|wanted| wanted == kept.algorithm))
    {
        return Ok(kept);
    }
    let new = Stored::new(options.algorithm.unwrap_or(super::Algorithm::Hs256))?;
    let bytes = serde_json::to_vec(&new)?;
    meta.write_blocking(move |tx| tx.put_fact(KEY, &bytes))?;
    Ok(new)
}

/// What to change so that there is an administrator with the password that is wanted.
fn administrator(state: &State, options: &AuthOptions) -> Result<(Vec<Change>, Option<Secret>)> {
    let mut changes = Vec::new();
    if !state.roles.contains_key(ADMIN_ROLE) {
        changes.push(Change::Role(Role {
            name: ADMIN_ROLE.into(),
            desc: "AuthN administrator".into(),
            admin: true,
            ..Role::default()
        }));
    }
    let known = state.users.get(&options.admin);
    let keeps = match (known, &options.password) {
        (Some(_), None) => true,
        (Some(known), Some(wanted)) => password::matches(wanted, &known.hash),
        (None, _) => false,
    };
    let is_admin = known.is_some_and(|known| state.is_admin(known));
    if keeps && is_admin {
        return Ok((changes, None));
    }
    let mut made_up = None;
    let mut account = match known.filter(|_| keeps) {
        Some(known) => known.clone(),
        None => {
            let password = match &options.password {
                Some(password) => password.clone(),
                None => made_up.insert(Secret::new(random::password()?)).clone(),
            };
            Account {
                id: options.admin.clone(),
                hash: password::hash(&password)?,
                generation: u64::try_from(crate::engine::now()).unwrap_or(0),
                roles: known.map(|known| known.roles.clone()).unwrap_or_default(),
            }
        }
    };
    if !is_admin {
        account.roles.insert(0, ADMIN_ROLE.into());
    }
    changes.push(Change::User(account));
    Ok((changes, made_up))
}
