//! How `object_store` gets its connections: from our pools.

use object_store::client::{HttpClient, HttpConnector};

use super::sift::Sifted;
use super::{ClientOptions, shared_client};

/// Hands the shared pool of its options to an `object_store` client.
#[derive(Debug, Clone)]
pub struct SharedConnector {
    options: ClientOptions,
}

impl SharedConnector {
    /// A connector for one set of options.
    pub fn new(options: ClientOptions) -> Self {
        Self { options }
    }
}

impl HttpConnector for SharedConnector {
    fn connect(&self, asked: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        use object_store::ClientConfigKey as Key;
        let mut options = self.options.clone();
        // Metadata endpoints are asked with plain HTTP and a short connection timeout: object_store derives such
        // options from those it was given, and they are all that it changes.
        options.allow_http = asked.get_config_value(&Key::AllowHttp).as_deref() == Some("true");
        if let Some(time) = asked.get_config_value(&Key::ConnectTimeout) {
            options.connect_timeout = humantime::parse_duration(&time).ok();
        }
        Ok(HttpClient::new(Sifted(shared_client(&options)?)))
    }
}
