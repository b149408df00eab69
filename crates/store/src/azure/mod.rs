//! Azure Blob Storage, Data Lake Storage and OneLake.

mod attributes;
mod copy;
mod request;
mod sas;
mod tags;
mod upload;
mod versions;

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use http::HeaderMap;
use object_store::azure::{
    AzureConfigKey, AzureCredentialProvider, MicrosoftAzure, MicrosoftAzureBuilder,
};
use object_store::list::PaginatedListStore;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{Attributes, CopyMode, CopyOptions, MultipartId, ObjectStore, PutResult};

use self::request::Place;
use crate::client::{SharedConnector, shared_client};
use crate::cloud::send::Sender;
use crate::cloud::{CloudOptions, delegate_object_store, open_error};
use crate::config::{AzureKey, ConfigKey, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::provider::{CopyOutcome, Provider, Tags, VersionEntry};

/// How to open a store on Azure.
pub type AzureOptions = CloudOptions<AzureKey, AzureCredentialProvider>;

/// A container of Azure Blob Storage.
#[derive(Debug, Clone)]
pub struct AzureStore {
    inner: Arc<MicrosoftAzure>,
    sender: Sender,
    headers: HeaderMap,
    /// A provider of credentials that the caller gave.
    given: Option<AzureCredentialProvider>,
    place: Place,
    container: String,
    settings: Settings<AzureKey>,
}

impl AzureStore {
    /// Opens the container that the settings name. No request is sent.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when account or container are missing or a value does not fit its key.
    pub fn open(options: AzureOptions) -> Result<Self> {
        let (settings, mut client) = options.resolve()?;
        let container = settings.get(AzureKey::ContainerName).unwrap_or_default().to_owned();
        let target = format!("az://{container}");
        if container.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "open",
                "az://",
                "no container is named (source: MissingContainerName): give `container_name`, a URL, or AZURE_CONTAINER_NAME",
            ));
        }
        // The emulator listens on plain HTTP; object_store makes the same exception.
        client.allow_http |= settings.flag(AzureKey::UseEmulator)?;
        let mut builder = MicrosoftAzureBuilder::new()
            .with_client_options(client.to_object_store())
            .with_http_connector(SharedConnector::new(client.clone()))
            .with_retry(options.retry.clone());
        for (key, value) in settings.iter() {
            if let Some(key) = upstream(key) {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(credentials) = &options.credentials {
            builder = builder.with_credentials(credentials.clone());
        }
        let inner = builder.build().map_err(|e| open_error(&target, e))?;
        let sender = Sender::new(shared_client(&client)?, options.retry, "Azure");
        let place = Place::of(&settings, &container)?;
        let (headers, given) = (client.header_map(), options.credentials);
        let inner = Arc::new(inner);
        Ok(Self { inner, sender, headers, given, place, container, settings })
    }

    /// Refuses keys that the service would take for others: it reads a backslash as a slash.
    fn check_key(&self, location: &Path) -> object_store::Result<()> {
        if !location.as_ref().contains('\\') {
            return Ok(());
        }
        let target = format!("{}/{location}", self.location());
        let detail = "Azure reads the backslash as `/`, which is the name of another blob: choose a name without it";
        Err(Error::new(ErrorKind::InvalidPath, "check", target, detail).into())
    }

    async fn copy_inside(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        // With a customer's key the client inside chooses another request, which is done when it is answered.
        if self.settings.get(AzureKey::EncryptionKey).is_some() {
            return self.inner.copy_opts(from, to, options).await;
        }
        self.copy_in_container(from, to, options.mode).await
    }

    /// The name of the container.
    pub fn container(&self) -> &str {
        &self.container
    }

    /// The settings in force: explicit ones, those of the URL, those of the environment.
    pub fn settings(&self) -> &Settings<AzureKey> {
        &self.settings
    }
}

/// The key of `object_store` for one of ours; `None` for keys that it does not have.
fn upstream(key: AzureKey) -> Option<AzureConfigKey> {
    let name = key.name();
    ["", "azure_", "azure_storage_"]
        .iter()
        .find_map(|prefix| format!("{prefix}{name}").parse().ok())
}

delegate_object_store!(AzureStore);

#[async_trait]
impl Provider for AzureStore {
    fn scheme(&self) -> &'static str {
        "az"
    }

    fn location(&self) -> String {
        format!("az://{}", self.container)
    }

    fn identity(&self) -> String {
        let settings = self.settings();
        let given = |key| settings.get(key).unwrap_or_default();
        let account = [AzureKey::AccountName, AzureKey::Endpoint].map(given).join(" ");
        format!("{} {account}", self.location())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn signer(&self) -> Option<&dyn Signer> {
        Some(self)
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        Some(self)
    }

    async fn complete_new(
        &self,
        location: &Path,
        id: &MultipartId,
        parts: &[PartId],
    ) -> object_store::Result<Option<PutResult>> {
        self.write_new(location, id, parts).await
    }

    fn paginated(&self) -> Option<&dyn PaginatedListStore> {
        Some(&*self.inner)
    }
    fn list_versions(
        &self,
        prefix: Option<&Path>,
    ) -> BoxStream<'static, object_store::Result<VersionEntry>> {
        self.versions(prefix)
    }

    async fn delete_marker(&self, key: &str) -> object_store::Result<()> {
        self.delete_with_slash(&Path::parse(key)?).await
    }

    async fn delete_version(&self, location: &Path, version: &str) -> object_store::Result<()> {
        self.delete_one_version(location, version).await
    }

    async fn restore_version(&self, location: &Path, version: &str) -> object_store::Result<()> {
        self.restore(location, version).await
    }

    async fn get_tags(&self, location: &Path) -> object_store::Result<Tags> {
        self.tags(location).await
    }

    async fn put_tags(&self, location: &Path, tags: &Tags) -> object_store::Result<()> {
        self.replace_tags(location, tags).await
    }

    async fn put_attributes(
        &self,
        location: &Path,
        attributes: Attributes,
    ) -> object_store::Result<()> {
        self.replace_attributes(location, &attributes).await
    }

    async fn copy_from(
        &self,
        source: &dyn Provider,
        from: &Path,
        to: &Path,
        mode: CopyMode,
    ) -> object_store::Result<CopyOutcome> {
        match source.as_any().downcast_ref::<Self>() {
            Some(source) => self.copy_from_container(source, from, to, mode).await,
            None => Ok(CopyOutcome::NotPossible),
        }
    }
}
