//! Settings as they come from Python.

use std::collections::BTreeMap;
use std::time::Duration;

use holdall::stac::multihash::Algorithm;
use holdall::stac::{
    ClientConfig, Collision, Credential, Error, ErrorKind, Hrefs, Naming, OAuth2, Place,
    PlanOptions, RewriteOptions, RunOptions, Selection, Stores, Template,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::errors::StacError;

/// Reads settings out of JSON. What Python has and Rust does not know is an error of this package.
pub(super) fn read<T: DeserializeOwned>(json: &str) -> PyResult<T> {
    serde_json::from_str(json).map_err(|e| PyValueError::new_err(format!("invalid settings: {e}")))
}

/// Settings of clients.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clients {
    client_override: Option<String>,
    http_timeout: Option<f64>,
    http_max_attempts: u32,
    http_assert_content_type: bool,
    http_headers: Vec<(String, String)>,
    earthdata_token: Option<String>,
    earthdata_s3_credentials: Option<String>,
    s3_region_name: Option<String>,
    s3_requester_pays: bool,
    s3_max_attempts: u32,
    s3_endpoint_url: Option<String>,
    sas_token_endpoint: Option<String>,
    oauth2: Option<OAuth>,
    credentials: BTreeMap<String, String>,
    store_config: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OAuth {
    grant: String,
    token_url: Option<String>,
    authorization_url: Option<String>,
    device_authorization_url: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    username: Option<String>,
    password: Option<String>,
    pkce: bool,
    extra: BTreeMap<String, String>,
}

/// Shows a line where the interpreter writes its messages, which notebooks show too.
fn show(text: &str) {
    Python::attach(|py| {
        let shown = py.import("sys").and_then(|sys| {
            let stderr = sys.getattr("stderr")?;
            stderr.call_method1("write", (format!("{text}\n"),))?;
            stderr.call_method0("flush")
        });
        // Programs without a standard error have None there.
        drop(shown);
    });
}

/// Ten years stand for "no limit".
const NO_LIMIT: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Clients {
    pub(super) fn config(self) -> PyResult<ClientConfig> {
        let mut config = ClientConfig::default();
        let seconds = self.http_timeout.map(|seconds| {
            Duration::try_from_secs_f64(seconds).map_err(|_| {
                PyValueError::new_err(format!(
                    "http_client_timeout is {seconds}: it is a number of seconds"
                ))
            })
        });
        // 0 means "none" to aiohttp.
        config.http_timeout =
            seconds.transpose()?.filter(|time| !time.is_zero()).unwrap_or(NO_LIMIT);
        config.client_override = self.client_override;
        config.http_max_attempts = self.http_max_attempts;
        config.http_assert_content_type = self.http_assert_content_type;
        config.http_headers = self.http_headers;
        config.earthdata_token = self.earthdata_token;
        config.earthdata_s3_credentials = self.earthdata_s3_credentials;
        config.s3_region = self.s3_region_name;
        config.s3_requester_pays = self.s3_requester_pays;
        config.s3_max_attempts = self.s3_max_attempts;
        config.s3_endpoint_url = self.s3_endpoint_url;
        config.sas_token_endpoint = self.sas_token_endpoint;
        config.store_settings = self.store_config.into_iter().collect();
        config.oauth2 = self.oauth2.map(|oauth| OAuth2 {
            grant: oauth.grant,
            token_url: oauth.token_url,
            authorization_url: oauth.authorization_url,
            device_authorization_url: oauth.device_authorization_url,
            client_id: oauth.client_id,
            client_secret: oauth.client_secret,
            username: oauth.username,
            password: oauth.password,
            pkce: oauth.pkce,
            extra: oauth.extra.into_iter().collect(),
        });
        config.prompt = Some(std::sync::Arc::new(show));
        for (key, text) in self.credentials {
            let credential = Credential::parse(&text).ok_or_else(|| {
                // The text is not repeated: it holds a secret.
                PyValueError::new_err(format!(
                    "the credential for {key:?} is none of bearer:TOKEN, basic:USER:PASSWORD and key:VALUE"
                ))
            })?;
            config.credentials.push((key, credential));
        }
        Ok(config)
    }
}

/// The place of a path or URL, with settings for stores.
pub(super) fn place(text: &str, config: &BTreeMap<String, String>) -> Result<Place, StacError> {
    let settings: Vec<_> = config.clone().into_iter().collect();
    Ok(Place::open_among(&Stores::default(), text, &settings)?)
}

/// Settings of a plan.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    #[serde(default)]
    pub(super) target_config: BTreeMap<String, String>,
    include: Vec<String>,
    exclude: Vec<String>,
    roles: Vec<String>,
    media_types: Vec<String>,
    bands: Vec<String>,
    max_size: Option<u64>,
    naming: String,
    path_template: Option<String>,
    subdirectories: bool,
    rename: bool,
    alternate_assets: Vec<String>,
    fallback: bool,
}

impl Plan {
    pub(super) fn options(self) -> Result<PlanOptions, StacError> {
        let selection = Selection::keys(&self.include, &self.exclude)?
            .with_roles(self.roles)
            .with_media_types(&self.media_types)?
            .with_bands(self.bands)
            .with_max_size_bytes(self.max_size);
        Ok(PlanOptions {
            selection,
            naming: naming(&self.naming)?,
            path_template: self.path_template.as_deref().map(Template::parse).transpose()?,
            subdirectories: self.subdirectories,
            collision: if self.rename { Collision::Rename } else { Collision::Refuse },
            alternate_assets: self.alternate_assets,
            fallback: self.fallback,
        })
    }
}

fn naming(text: &str) -> Result<Naming, StacError> {
    Ok(match text {
        "file-name" => Naming::FileName,
        "key" => Naming::Key,
        "local-path" => Naming::LocalPath,
        template if template.contains('$') => Naming::Template(Template::parse(template)?),
        other => {
            let detail = format!(
                "'{other}' is no way of naming files: expected file-name, key, local-path or a template such as \
                 ${{asset.key}}${{asset.ext}}"
            );
            return Err(Error::new(ErrorKind::Config, "plan", "", detail).into());
        }
    })
}

/// Settings of a run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    #[serde(default)]
    pub(super) target_config: BTreeMap<String, String>,
    overwrite: bool,
    make_directory: bool,
    clean: bool,
    fail_fast: bool,
    verify: bool,
    checksum: Option<String>,
    #[serde(default)]
    compare_source: bool,
    max_concurrent: usize,
}

impl Run {
    pub(super) fn options(self) -> Result<RunOptions, StacError> {
        let compute = self.checksum.as_deref().map(|name| {
            Algorithm::of_name(name).ok_or_else(|| {
                let detail = format!(
                    "no checksum is called '{name}': known are sha2-256, sha2-512, sha3-256, sha3-512, sha1, md5, \
                     blake3 and blake2b-256"
                );
                Error::new(ErrorKind::Config, "run", "", detail)
            })
        });
        let compute = compute.transpose()?;
        Ok(RunOptions {
            overwrite: self.overwrite,
            make_directory: self.make_directory,
            clean: self.clean,
            fail_fast: self.fail_fast,
            verify: self.verify,
            compute,
            compare_source: self.compare_source,
            // Uploads and copies write the lengths down, and so does whatever computes checksums.
            describes: self.compare_source || compute.is_some(),
            max_concurrent: self.max_concurrent.max(1),
            budget: None,
        })
    }
}

/// Settings of a rewrite.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rewrite {
    pub(super) hrefs: String,
    pub(super) self_place: Option<String>,
    #[serde(default)]
    pub(super) target_config: BTreeMap<String, String>,
    keep_failed: bool,
    keep_unselected: bool,
    alternate: Option<String>,
    describe_files: bool,
}

impl Rewrite {
    pub(super) fn options(self) -> Result<RewriteOptions, StacError> {
        let hrefs = match self.hrefs.as_str() {
            "relative" => Hrefs::Relative,
            "absolute" => Hrefs::Absolute,
            _ => Hrefs::AsGiven,
        };
        Ok(RewriteOptions {
            hrefs,
            self_place: self
                .self_place
                .as_deref()
                .map(|text| place(text, &self.target_config))
                .transpose()?,
            keep_failed: self.keep_failed,
            keep_unselected: self.keep_unselected,
            alternate: self.alternate,
            describe_files: self.describe_files,
        })
    }
}
