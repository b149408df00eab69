//! Clusters that are registered: asked whether they take our tokens, and told which were taken back.

use std::sync::Arc;
use std::time::Duration;

use holdall_ais_wire::authn::{Cluster, TokenList};
use http::Method;
use reqwest::redirect::Policy;
use serde::Serialize;
use serde_json::json;

use super::{Authn, Revoked};
use crate::error::{Error, ErrorKind, Result};

/// Time for a cluster to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer that are shown.
const SHOWN: usize = 300;

fn client() -> Result<reqwest::Client> {
    // A redirect would take the token to a place that nobody named.
    let builder = reqwest::Client::builder().timeout(PATIENCE).redirect(Policy::none());
    builder.build().map_err(|e| Error::internal("no HTTP client for clusters").with_source(e))
}

/// The cluster in messages: `alias[id]`.
fn shown(cluster: &Cluster) -> String {
    format!("{}[{}]", cluster.alias, cluster.id)
}

/// Where the URL leads, without what else it may hold.
fn host(url: &str) -> String {
    let uri = url.parse::<http::Uri>().ok();
    let authority = uri.as_ref().and_then(|uri| uri.authority());
    authority.map_or_else(
        || "no URL".to_owned(),
        |authority| authority.as_str().rsplit('@').next().unwrap_or_default().to_owned(),
    )
}

impl Authn {
    /// Checks that the cluster takes tokens of this service.
    ///
    /// # Errors
    ///
    /// When no URL of it answers, or it does not take them.
    pub(super) async fn validate(&self, cluster: &Cluster) -> Result<()> {
        let ours = json!({"secret": self.keys.sum().unwrap_or_default(), "public_key": self.keys.public()});
        self.call(Method::POST, cluster, &ours, "validate-signer").await
    }

    /// Tells the cluster of all tokens that were taken back and have not ended.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub(super) async fn tell_all_revoked(&self, cluster: &Cluster) -> Result<()> {
        let kept = self.meta.blocking(|meta| meta.facts(&Revoked::fact(""))).await?;
        let now = super::claims::now();
        let revoked =
            kept.values().filter_map(|bytes| serde_json::from_slice::<Revoked>(bytes).ok());
        let tokens: Vec<_> =
            revoked.filter(|revoked| revoked.ends > now).map(|revoked| revoked.token).collect();
        if tokens.is_empty() {
            return Ok(());
        }
        self.call(Method::DELETE, cluster, &TokenList { tokens, version: 0 }, "sync-tokens").await
    }

    /// Tells all other clusters of a token that was taken back, without waiting. Those that cannot be reached are told
    /// of it when they are registered again.
    pub(super) fn tell_revoked(self: &Arc<Self>, token: &str) {
        let others: Vec<Cluster> = {
            let state = self.state();
            state.clusters.values().filter(|cluster| cluster.id != self.cluster).cloned().collect()
        };
        for cluster in others {
            let (this, list) =
                (Arc::clone(self), TokenList { tokens: vec![token.to_owned()], version: 0 });
            tokio::spawn(async move {
                let told = this.call(Method::DELETE, &cluster, &list, "broadcast-revoked").await;
                if let Err(error) = told {
                    tracing::warn!(%error, "a cluster does not know that a token was taken back");
                }
            });
        }
    }

    /// Sends to the cluster's URLs in their order, until one does what is asked.
    async fn call(
        &self,
        method: Method,
        cluster: &Cluster,
        body: &(impl Serialize + Sync),
        what: &str,
    ) -> Result<()> {
        let (client, token) = (client()?, self.service_token(&cluster.id)?);
        let mut last = Error::invalid("cluster URLs are undefined: at least one is needed");
        for url in &cluster.urls {
            let target = format!("{}/v1/tokens", url.trim_end_matches('/'));
            let request =
                client.request(method.clone(), target).bearer_auth(token.expose()).json(body);
            let (kind, text) = match request.send().await {
                Ok(reply) if reply.status().is_success() => return Ok(()),
                Ok(reply) => {
                    let kind = match reply.status().as_u16() {
                        401 => ErrorKind::Unauthorized,
                        403 => ErrorKind::Forbidden,
                        _ => ErrorKind::Invalid,
                    };
                    let status = reply.status();
                    (kind, format!("{status}: {}", answer(reply).await))
                }
                Err(error) => {
                    // The error's own text says only that it happened.
                    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                    (
                        ErrorKind::Invalid,
                        format!("{}{}", error.without_url(), cause.unwrap_or_default()),
                    )
                }
            };
            let at = host(url);
            last = Error::new(
                kind,
                format!("failed to {what} with {} at {at}: {text}", shown(cluster)),
            );
        }
        Err(last)
    }
}

/// What the cluster says about a refusal.
async fn answer(reply: reqwest::Response) -> String {
    let text = reply.text().await.unwrap_or_default();
    let said = serde_json::from_str::<holdall_ais_wire::error::WireError>(&text);
    let text = said.map_or(text, |said| said.message);
    text.chars().take(SHOWN).collect()
}
