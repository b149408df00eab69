//! Temporary credentials from the security token service.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::Method;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::HttpRequest;
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::Serializer;

use super::provider::Issued;
use super::source::Role;
use crate::cloud::send::{Call, Sender, Signing, Unsigned};

/// Where the service is and how to reach it.
#[derive(Debug, Clone)]
pub(super) struct Sts {
    pub(super) endpoint: Url,
    pub(super) region: String,
    pub(super) sender: Sender,
}

impl Sts {
    /// Assumes a role with the credentials of somebody else.
    pub(super) async fn assume_role(
        &self,
        role: &Role,
        credential: &AwsCredential,
    ) -> object_store::Result<Issued> {
        let signing = SignSts { credential, region: &self.region };
        self.ask("AssumeRole", role, None, &signing).await
    }

    /// Assumes a role with a token of an identity provider.
    pub(super) async fn assume_role_with_web_identity(
        &self,
        role: &Role,
        token: &str,
    ) -> object_store::Result<Issued> {
        self.ask("AssumeRoleWithWebIdentity", role, Some(token), &Unsigned).await
    }

    async fn ask(
        &self,
        action: &str,
        role: &Role,
        token: Option<&str>,
        signing: &dyn Signing,
    ) -> object_store::Result<Issued> {
        let call = Call::new(Method::POST, self.endpoint.clone())
            .header("content-type", "application/x-www-form-urlencoded")?
            .body(form(action, role, token))
            .idempotent(true);
        let reply = self.sender.send(&role.arn, &call, signing).await?;
        let document: Response = reply.xml("STS")?;
        Ok(document.result.credentials.into())
    }
}

fn form(action: &str, role: &Role, token: Option<&str>) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("Action", action)
        .append_pair("Version", "2011-06-15")
        .append_pair("RoleArn", &role.arn)
        .append_pair("RoleSessionName", &role.session_name);
    if let Some(seconds) = role.duration_seconds {
        form.append_pair("DurationSeconds", &seconds.to_string());
    }
    if let Some(id) = &role.external_id {
        form.append_pair("ExternalId", id);
    }
    if let Some(token) = token {
        form.append_pair("WebIdentityToken", token);
    }
    form.finish()
}

struct SignSts<'a> {
    credential: &'a AwsCredential,
    region: &'a str,
}

#[async_trait]
impl Signing for SignSts<'_> {
    async fn sign(&self, request: &mut HttpRequest) -> object_store::Result<()> {
        AwsAuthorizer::new(self.credential, "sts", self.region).try_authorize(request, None)
    }
}

/// `AssumeRoleResponse` and `AssumeRoleWithWebIdentityResponse`.
#[derive(Deserialize)]
struct Response {
    #[serde(rename = "AssumeRoleResult", alias = "AssumeRoleWithWebIdentityResult")]
    result: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(rename = "Credentials")]
    credentials: Credentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: DateTime<Utc>,
}

impl From<Credentials> for Issued {
    fn from(c: Credentials) -> Self {
        let credential = AwsCredential {
            key_id: c.access_key_id,
            secret_key: c.secret_access_key,
            token: Some(c.session_token),
        };
        Self::new(credential, Some(c.expiration))
    }
}
