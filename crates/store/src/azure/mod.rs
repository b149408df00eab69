//! Azure Blob Storage, Data Lake Storage and OneLake.

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::azure::{
    AzureConfigKey, AzureCredentialProvider, MicrosoftAzure, MicrosoftAzureBuilder,
};
use object_store::client::HttpClient;
use object_store::list::PaginatedListStore;
use object_store::multipart::MultipartStore;
use object_store::signer::Signer;

use crate::client::{SharedConnector, shared_client};
use crate::cloud::{CloudOptions, delegate_object_store, open_error};
use crate::config::{AzureKey, ConfigKey, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::provider::Provider;

/// How to open a store on Azure.
pub type AzureOptions = CloudOptions<AzureKey, AzureCredentialProvider>;

/// A container of Azure Blob Storage.
#[derive(Debug, Clone)]
pub struct AzureStore {
    inner: Arc<MicrosoftAzure>,
    http: HttpClient,
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
        Ok(Self { inner: Arc::new(inner), http: shared_client(&client)?, container, settings })
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

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn signer(&self) -> Option<&dyn Signer> {
        Some(&*self.inner)
    }

    fn multipart(&self) -> Option<&dyn MultipartStore> {
        Some(&*self.inner)
    }

    fn paginated(&self) -> Option<&dyn PaginatedListStore> {
        Some(&*self.inner)
    }
}
