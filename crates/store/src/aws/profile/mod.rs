//! Profiles: settings and credentials that the tools of the provider share.
//!
//! A profile gives a region, an endpoint and one source of credentials: keys, a role assumed with another profile or
//! with a web identity, single sign-on, or a program that prints keys.

mod files;
mod ini;
mod process;
mod provider;
mod source;
mod sso;
mod sts;

use std::path::PathBuf;
use std::sync::Arc;

use object_store::RetryConfig;
use object_store::aws::AwsCredentialProvider;
use object_store::client::HttpClient;
use url::Url;

use self::files::Profiles;
use self::provider::ProfileCredentials;
use self::source::Source;
use self::sso::Portal;
use self::sts::Sts;
use crate::cloud::send::Sender;
use crate::config::{S3Key, Settings};
use crate::error::{Error, ErrorKind, Result};

pub(crate) use self::source::{Ambient, OpenAmbient};

/// A profile that was found in the files.
pub(crate) struct Profile {
    name: String,
    profiles: Profiles,
    use_env: bool,
}

impl Profile {
    /// The profile that the settings name, or `default` when they name none and the files have it.
    ///
    /// Without the environment, the files count only when a profile is named.
    ///
    /// # Errors
    /// When a profile is named and is not there, or the files cannot be read.
    pub(crate) fn find(settings: &Settings<S3Key>, use_env: bool) -> Result<Option<Self>> {
        let named = settings.get(S3Key::Profile).filter(|name| !name.is_empty());
        if named.is_none() && !use_env {
            return Ok(None);
        }
        let file = |key, name| {
            settings.get(key).map(files::expand).or_else(|| files::home(name)).unwrap_or_default()
        };
        let config = file(S3Key::ConfigFile, "config");
        let credentials = file(S3Key::SharedCredentialsFile, "credentials");
        let profiles = Profiles::read(&config, &credentials)?;
        let name = named.unwrap_or("default").to_owned();
        match (profiles.profile(&name), named) {
            (Some(_), _) => Ok(Some(Self { name, profiles, use_env })),
            (None, None) => Ok(None),
            (None, Some(_)) => {
                let detail = format!(
                    "no profile '{name}' in {} or {}; known are: {}",
                    config.display(),
                    credentials.display(),
                    profiles.names()
                );
                Err(Error::new(ErrorKind::Config, "open", source::target(&name), detail))
            }
        }
    }

    /// The settings of a store that the profile gives.
    pub(crate) fn settings(&self) -> Settings<S3Key> {
        let mut settings = Settings::new();
        if let Some(region) = self.get("region") {
            settings = settings.with(S3Key::Region, region);
        }
        let endpoint = self.service("s3").or_else(|| self.get("endpoint_url"));
        // The provider's own switch, for whoever wants the credentials of a profile without its endpoint.
        let ignored = self.env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|v| v == "true");
        match endpoint {
            Some(endpoint) if !ignored => settings.with(S3Key::Endpoint, endpoint),
            _ => settings,
        }
    }

    /// The credentials of the profile; `None` when it says nothing about them.
    ///
    /// `region` is that of the store, for requests to the token service.
    pub(crate) fn credentials(
        &self,
        settings: &Settings<S3Key>,
        http: HttpClient,
        retry: RetryConfig,
        ambient: OpenAmbient<'_>,
    ) -> Result<Option<AwsCredentialProvider>> {
        let Some(source) = Source::of(&self.profiles, &self.name, ambient)? else {
            return Ok(None);
        };
        let region = settings.get(S3Key::Region).or_else(|| settings.get(S3Key::DefaultRegion));
        let region = region.unwrap_or("us-east-1").to_owned();
        let sts = settings.get(S3Key::StsEndpoint).or_else(|| self.service("sts"));
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let sts = sts.map_or_else(|| format!("https://sts.{region}.{suffix}"), str::to_owned);
        let sender = Sender::new(http, retry, "AWS");
        let sts = Sts { endpoint: self.url(&sts)?, region, sender: sender.clone() };
        let endpoint = |variable, service| {
            let given = self.env(variable).or_else(|| self.service(service).map(str::to_owned));
            given.map(|text| self.url(&text)).transpose()
        };
        let portal = Portal {
            profile: self.name.clone(),
            cache: self.sso_cache(settings),
            portal: endpoint("AWS_ENDPOINT_URL_SSO", "sso")?,
            oidc: endpoint("AWS_ENDPOINT_URL_SSO_OIDC", "sso_oidc")?,
            sender,
        };
        let credentials = ProfileCredentials::new(self.name.clone(), source, sts, portal);
        Ok(Some(Arc::new(credentials)))
    }

    /// `sso/cache` beside the file with profiles: `~/.aws/sso/cache` unless that file is elsewhere.
    fn sso_cache(&self, settings: &Settings<S3Key>) -> PathBuf {
        let beside = settings.get(S3Key::ConfigFile).map(files::expand);
        let beside = beside.map(|config| config.with_file_name("sso")).filter(|sso| sso.is_dir());
        beside.or_else(|| files::home("sso")).unwrap_or_default().join("cache")
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.profiles.profile(&self.name)?.get(key)
    }

    fn service(&self, service: &str) -> Option<&str> {
        self.profiles.endpoint(self.profiles.profile(&self.name)?, service)
    }

    fn env(&self, variable: &str) -> Option<String> {
        let value = if self.use_env { std::env::var(variable).ok() } else { None };
        value.filter(|value| !value.is_empty())
    }

    fn url(&self, text: &str) -> Result<Url> {
        Url::parse(text).map_err(|e| {
            let detail = format!("the endpoint '{text}' is not a URL: {e}");
            Error::new(ErrorKind::Config, "open", source::target(&self.name), detail)
        })
    }
}
