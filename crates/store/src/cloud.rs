//! What the cloud stores share: how they are opened, and delegation to the `object_store` client inside.

pub(crate) mod attributes;
pub(crate) mod send;
pub(crate) mod tags;
pub(crate) mod uploads;
pub(crate) mod versions;

use object_store::RetryConfig;

use crate::client::ClientOptions;
use crate::config::{ConfigKey, Settings};
use crate::error::{Error, Result};

/// Everything needed to open a cloud store with keys `K` and credentials from a provider `C`.
#[derive(Debug, Clone)]
pub struct CloudOptions<K: ConfigKey + Ord, C> {
    /// Explicit settings, stronger than all others.
    pub settings: Settings<K>,
    /// Settings read from the store's URL.
    pub url_settings: Settings<K>,
    /// Whether unset settings are looked up in the environment. Default true.
    pub use_env: bool,
    /// Settings of the HTTP client.
    pub client: ClientOptions,
    /// How often and how long failed requests are repeated.
    pub retry: RetryConfig,
    /// Where credentials come from, in place of the settings and of the provider's own chain.
    pub credentials: Option<C>,
}

impl<K: ConfigKey + Ord, C> Default for CloudOptions<K, C> {
    fn default() -> Self {
        Self {
            settings: Settings::new(),
            url_settings: Settings::new(),
            use_env: true,
            client: ClientOptions::default(),
            retry: RetryConfig::default(),
            credentials: None,
        }
    }
}

impl<K: ConfigKey + Ord, C> CloudOptions<K, C> {
    /// Settings by strength: explicit, then the URL's, then the environment's; and the client with the settings that
    /// stood among the store's. Those of the environment are for a client that nobody configured.
    pub(crate) fn resolve(&self) -> Result<(Settings<K>, ClientOptions)> {
        let settings = self.settings.clone().or(self.url_settings.clone());
        let env = if self.use_env { Settings::from_env() } else { Settings::new() };
        let mut client = self.client.clone();
        if client == ClientOptions::default() {
            for (key, value) in env.client() {
                client.set(key, value)?;
            }
        }
        for (key, value) in settings.client() {
            client.set(key, value)?;
        }
        Ok((settings.or(env), client))
    }
}

/// An error of opening a store. The builders of `object_store` keep their errors private, so the name of the variant
/// goes into the text: it is what users search for.
pub(crate) fn open_error(target: &str, source: object_store::Error) -> Error {
    let error = Error::from_store("open", target, source);
    let Some(cause) = error.store_error().and_then(std::error::Error::source) else { return error };
    let debug = format!("{cause:?}");
    let variant: String = debug.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
    if variant.is_empty() || error.kind() == crate::ErrorKind::UnknownConfigurationKey {
        return error;
    }
    let detail = format!("{} (source: {variant})", error.detail());
    Error::new(crate::ErrorKind::Config, "open", target, detail)
}

/// Implements `ObjectStore` by handing every call to the field `inner`, but for copies, which go to the method
/// `copy_inside`. Keys are shown to the method `check_key` first.
macro_rules! delegate_object_store {
    ($name:ty) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::Provider::location(self))
            }
        }

        #[async_trait::async_trait]
        impl object_store::ObjectStore for $name {
            async fn put_opts(
                &self,
                location: &object_store::path::Path,
                payload: object_store::PutPayload,
                opts: object_store::PutOptions,
            ) -> object_store::Result<object_store::PutResult> {
                self.check_key(location)?;
                $crate::cloud::attributes::check(location, &opts.attributes)?;
                self.inner.put_opts(location, payload, opts).await
            }

            async fn put_multipart_opts(
                &self,
                location: &object_store::path::Path,
                opts: object_store::PutMultipartOptions,
            ) -> object_store::Result<Box<dyn object_store::MultipartUpload>> {
                self.check_key(location)?;
                $crate::cloud::attributes::check(location, &opts.attributes)?;
                self.inner.put_multipart_opts(location, opts).await
            }

            async fn get_opts(
                &self,
                location: &object_store::path::Path,
                options: object_store::GetOptions,
            ) -> object_store::Result<object_store::GetResult> {
                self.check_key(location)?;
                self.inner.get_opts(location, options).await
            }

            async fn get_ranges(
                &self,
                location: &object_store::path::Path,
                ranges: &[std::ops::Range<u64>],
            ) -> object_store::Result<Vec<bytes::Bytes>> {
                self.check_key(location)?;
                self.inner.get_ranges(location, ranges).await
            }

            fn delete_stream(
                &self,
                locations: futures::stream::BoxStream<
                    'static,
                    object_store::Result<object_store::path::Path>,
                >,
            ) -> futures::stream::BoxStream<'static, object_store::Result<object_store::path::Path>>
            {
                let store = self.clone();
                let checked = futures::StreamExt::map(locations, move |location| {
                    let location = location?;
                    store.check_key(&location)?;
                    Ok(location)
                });
                self.inner.delete_stream(futures::StreamExt::boxed(checked))
            }

            fn list(
                &self,
                prefix: Option<&object_store::path::Path>,
            ) -> futures::stream::BoxStream<'static, object_store::Result<object_store::ObjectMeta>>
            {
                self.inner.list(prefix)
            }

            fn list_with_offset(
                &self,
                prefix: Option<&object_store::path::Path>,
                offset: &object_store::path::Path,
            ) -> futures::stream::BoxStream<'static, object_store::Result<object_store::ObjectMeta>>
            {
                self.inner.list_with_offset(prefix, offset)
            }

            async fn list_with_delimiter(
                &self,
                prefix: Option<&object_store::path::Path>,
            ) -> object_store::Result<object_store::ListResult> {
                self.inner.list_with_delimiter(prefix).await
            }

            async fn copy_opts(
                &self,
                from: &object_store::path::Path,
                to: &object_store::path::Path,
                options: object_store::CopyOptions,
            ) -> object_store::Result<()> {
                self.check_key(from)?;
                self.check_key(to)?;
                self.copy_inside(from, to, options).await
            }
        }
    };
}
pub(crate) use delegate_object_store;
