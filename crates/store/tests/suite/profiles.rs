//! Credentials and settings from AWS profiles, with files of the test and services on loopback.

use std::path::Path as FilePath;

use chrono::{Duration, Utc};
use holdall_store::object_store::{ObjectStoreExt, RetryConfig};
use holdall_store::{ErrorKind, OpenOptions, Registry, Result, Store};

use super::loopback::{Loopback, Request, reply};

struct Machine {
    dir: tempfile::TempDir,
    services: Loopback,
}

impl Machine {
    /// A machine whose STS, SSO and S3 are one server, with files in which `{url}` stands for it.
    async fn new(config: &str, credentials: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let services = Loopback::start(answer).await;
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text.replace("{url}", &services.url)).unwrap();
        };
        write("config", config);
        write("credentials", credentials);
        std::fs::create_dir_all(dir.path().join("sso/cache")).unwrap();
        Self { dir, services }
    }

    fn path(&self, name: &str) -> String {
        FilePath::join(self.dir.path(), name).to_str().unwrap().to_owned()
    }

    fn open(&self, profile: &str) -> Result<Store> {
        let mut options = OpenOptions::default()
            .with("profile", profile)
            .with("config_file", self.path("config"))
            .with("shared_credentials_file", self.path("credentials"))
            .with("endpoint_url_sts", format!("{}/sts", self.services.url))
            .with("allow_http", "true");
        options.use_env = false;
        options.retry = RetryConfig { max_retries: 0, ..Default::default() };
        Ok(Registry::default().open("s3://bucket", &options)?.0)
    }

    /// The Authorization header of the request for an object.
    async fn authorization(&self, profile: &str) -> Result<String> {
        let store = self.open(profile)?;
        store.get(&"k".into()).await.map_err(|e| store.error("get", &"k".into(), e))?;
        let seen = self.services.seen();
        let request = seen.iter().rev().find(|r| r.target.starts_with("/bucket/")).unwrap();
        Ok(request.header("authorization").unwrap().to_owned())
    }
}

fn answer(request: &Request) -> Vec<u8> {
    let hour = Utc::now() + Duration::hours(1);
    let target = request.target.as_str();
    let body = request.text();
    if target.starts_with("/sts") && body.contains("forbidden") {
        let document = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>";
        return reply("403 Forbidden", &[], document);
    }
    if target.starts_with("/sts") {
        let action = if body.contains("WithWebIdentity") {
            "AssumeRoleWithWebIdentity"
        } else {
            "AssumeRole"
        };
        let key = if body.contains("outer") { "AKOUTER" } else { "AKROLE" };
        let document = format!(
            "<{action}Response><{action}Result><Credentials><AccessKeyId>{key}</AccessKeyId>\
             <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>{}</Expiration>\
             </Credentials></{action}Result></{action}Response>",
            hour.to_rfc3339()
        );
        return reply("200 OK", &[], document);
    }
    if target.starts_with("/sso/federation/credentials") {
        if !["good", "renewed"].contains(&request.header("x-amz-sso_bearer_token").unwrap()) {
            return reply("401 Unauthorized", &[], "{}");
        }
        let document = format!(
            r#"{{"roleCredentials":{{"accessKeyId":"AKSSO","secretAccessKey":"s","sessionToken":"t","expiration":{}}}}}"#,
            hour.timestamp_millis()
        );
        return reply("200 OK", &[], document);
    }
    if target == "/oidc/token" {
        return reply(
            "200 OK",
            &[],
            r#"{"accessToken":"renewed","expiresIn":3600,"refreshToken":"next"}"#,
        );
    }
    reply("200 OK", &[("last-modified", "Tue, 01 Jan 2030 00:00:00 GMT"), ("etag", "\"e\"")], "x")
}

const SERVICES: &str = "\n[services here]\ns3 =\n  endpoint_url = {url}\nsso =\n  endpoint_url = {url}/sso\n\
    sso_oidc =\n  endpoint_url = {url}/oidc\n";

#[tokio::test]
async fn keys_region_and_endpoint_come_from_the_files() {
    let config = "[profile p]\nregion = eu-west-3\nendpoint_url = {url}\n";
    let machine =
        Machine::new(config, "[p]\naws_access_key_id = AKP\naws_secret_access_key = s\n").await;
    let authorization = machine.authorization("p").await.unwrap();
    assert!(authorization.contains("Credential=AKP/"), "{authorization}");
    assert!(authorization.contains("/eu-west-3/s3/"), "{authorization}");
}

#[tokio::test]
async fn a_profile_that_does_not_exist_is_an_error_with_those_that_do() {
    let machine = Machine::new("[profile one]\n[default]\n", "[two]\n").await;
    let error = machine.open("three").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    assert!(text.contains("'three'") && text.contains("default, one, two"), "{text}");
}

#[tokio::test]
async fn a_role_is_assumed_once_with_the_keys_of_the_source_profile() {
    let config = format!(
        "[profile base]\naws_access_key_id = AKBASE\naws_secret_access_key = s\n[profile p]\nservices = here\n\
         region = eu-west-1\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\nexternal_id = x&1\n\
         role_session_name = me\nduration_seconds = 900\n{SERVICES}"
    );
    let machine = Machine::new(&config, "").await;
    let store = machine.open("p").unwrap();
    let key = "k".into();
    let (one, two) = tokio::join!(store.get(&key), store.get(&key));
    one.unwrap();
    two.unwrap();
    let seen = machine.services.seen();
    let sts: Vec<_> = seen.iter().filter(|r| r.target.starts_with("/sts")).collect();
    assert_eq!(sts.len(), 1, "one renewal serves all callers");
    let body = sts[0].text();
    for part in
        ["Action=AssumeRole&", "ExternalId=x%261", "RoleSessionName=me", "DurationSeconds=900"]
    {
        assert!(body.contains(part), "{body}");
    }
    let signed = sts[0].header("authorization").unwrap();
    assert!(
        signed.contains("Credential=AKBASE/") && signed.contains("/eu-west-1/sts/"),
        "{signed}"
    );
    let request = seen.iter().rev().find(|r| r.target.starts_with("/bucket/")).unwrap();
    assert!(request.header("authorization").unwrap().contains("Credential=AKROLE/"));
    assert_eq!(request.header("x-amz-security-token"), Some("t"));
}

#[tokio::test]
async fn roles_chain() {
    let config = format!(
        "[profile a]\naws_access_key_id = AKA\naws_secret_access_key = s\n[profile b]\nrole_arn = arn:inner\n\
         source_profile = a\n[profile c]\nservices = here\nrole_arn = arn:outer\nsource_profile = b\n{SERVICES}"
    );
    let machine = Machine::new(&config, "").await;
    assert!(machine.authorization("c").await.unwrap().contains("Credential=AKOUTER/"));
    let seen = machine.services.seen();
    assert!(seen[1].header("authorization").unwrap().contains("Credential=AKROLE/"));
}

#[tokio::test]
async fn a_role_that_is_refused_is_named() {
    let config = format!(
        "[profile p]\nservices = here\naws_access_key_id = AK\naws_secret_access_key = hush\nrole_arn = arn:forbidden\n\
         source_profile = p\n{SERVICES}"
    );
    let error = Machine::new(&config, "").await.authorization("p").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let text = error.to_string();
    for part in ["get s3://bucket/k", "'p'", "arn:forbidden", "AccessDenied: not you"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("hush"), "{text}");
}

#[tokio::test]
async fn a_web_identity_needs_no_keys() {
    let config = format!(
        "[profile p]\nservices = here\nrole_arn = arn:w\nweb_identity_token_file = TOKENFILE\n{SERVICES}"
    );
    let machine = Machine::new(&config, "").await;
    std::fs::write(machine.path("token"), "the-token\n").unwrap();
    let text = std::fs::read_to_string(machine.path("config")).unwrap();
    let text = text.replace("TOKENFILE", &machine.path("token"));
    std::fs::write(machine.path("config"), text).unwrap();
    assert!(machine.authorization("p").await.unwrap().contains("Credential=AKROLE/"));
    let sts = &machine.services.seen()[0];
    assert!(sts.text().contains("WebIdentityToken=the-token"));
    assert_eq!(sts.header("authorization"), None);
}

fn sso_config(profile: &str) -> String {
    format!(
        "[profile p]\nservices = here\n{profile}sso_account_id = 12\nsso_role_name = reader\n\
         [sso-session s]\nsso_start_url = https://start/\nsso_region = eu-west-1\n{SERVICES}"
    )
}

fn write_token(machine: &Machine, token: &str, expires: Duration, rest: &str) {
    let at = (Utc::now() + expires).format("%Y-%m-%dT%H:%M:%SZ");
    let text = format!(
        r#"{{"startUrl":"https://start","region":"eu-west-1","accessToken":"{token}","expiresAt":"{at}"{rest}}}"#
    );
    std::fs::write(machine.path("sso/cache/0123.json"), text).unwrap();
}

#[tokio::test]
async fn single_sign_on_uses_the_token_of_the_last_login() {
    for profile in ["sso_session = s\n", "sso_start_url = https://start\nsso_region = eu-west-1\n"]
    {
        let machine = Machine::new(&sso_config(profile), "").await;
        write_token(&machine, "good", Duration::hours(1), "");
        assert!(machine.authorization("p").await.unwrap().contains("Credential=AKSSO/"));
        let asked = &machine.services.seen()[0].target;
        assert!(asked.contains("role_name=reader") && asked.contains("account_id=12"), "{asked}");
    }
}

#[tokio::test]
async fn an_expired_login_is_renewed_and_kept() {
    let machine = Machine::new(&sso_config("sso_session = s\n"), "").await;
    let rest = r#","clientId":"c","clientSecret":"cs","refreshToken":"r","other":1"#;
    write_token(&machine, "old", -Duration::hours(1), rest);
    assert!(machine.authorization("p").await.unwrap().contains("Credential=AKSSO/"));
    let kept = std::fs::read_to_string(machine.path("sso/cache/0123.json")).unwrap();
    assert!(kept.contains("renewed") && kept.contains("next") && kept.contains("other"), "{kept}");
}

#[tokio::test]
async fn without_a_login_the_error_says_how_to_log_in() {
    let machine = Machine::new(&sso_config("sso_session = s\n"), "").await;
    let nobody = machine.authorization("p").await.unwrap_err();
    write_token(&machine, "old", -Duration::hours(1), "");
    let expired = machine.authorization("p").await.unwrap_err();
    write_token(&machine, "revoked", Duration::hours(1), "");
    let refused = machine.authorization("p").await.unwrap_err();
    for error in [nobody, expired, refused] {
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
        assert!(error.to_string().contains("aws sso login --profile p"), "{error}");
        assert!(!error.to_string().contains("revoked;"), "{error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_may_print_the_keys() {
    let config = |command: &str| {
        format!(
            "[profile p]\nservices = here\nregion = us-east-1\ncredential_process = {command}\n{SERVICES}"
        )
    };
    let printed =
        r#"printf '{"Version":1,"AccessKeyId":"AKPROC","SecretAccessKey":"s","SessionToken":"t"}'"#;
    let command = format!("sh -c \"{}\"", printed.replace('\\', "\\\\").replace('"', "\\\""));
    let machine = Machine::new(&config(&command), "").await;
    assert!(machine.authorization("p").await.unwrap().contains("Credential=AKPROC/"));

    let machine = Machine::new(&config("sh -c 'echo out; echo no way >&2; exit 3'"), "").await;
    let error = machine.authorization("p").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.to_string().contains("no way") && error.to_string().contains('3'), "{error}");

    let machine = Machine::new(&config("sh -c 'echo secret-but-no-json'"), "").await;
    let error = machine.authorization("p").await.unwrap_err();
    assert!(!error.to_string().contains("secret-but"), "{error}");
}

/// A program that counts its runs and prints keys that end after `seconds`; later runs fail when `once`.
#[cfg(unix)]
async fn printing(seconds: i64, once: bool) -> (Machine, impl Fn() -> usize) {
    use std::os::unix::fs::PermissionsExt;
    let config = format!(
        "[profile p]\nservices = here\nregion = us-east-1\ncredential_process = PROGRAM\n{SERVICES}"
    );
    let machine = Machine::new(&config, "").await;
    let (program, runs) = (machine.path("program"), machine.path("runs"));
    let until = (Utc::now() + Duration::seconds(seconds)).to_rfc3339();
    let fail =
        if once { format!("[ $(wc -l < '{runs}') -gt 1 ] && exit 1") } else { String::new() };
    let keys = format!(
        r#"{{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s","SessionToken":"t","Expiration":"{until}"}}"#
    );
    let text = format!("#!/bin/sh\necho run >> '{runs}'\n{fail}\necho '{keys}'\n");
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let text = std::fs::read_to_string(machine.path("config")).unwrap();
    std::fs::write(machine.path("config"), text.replace("PROGRAM", &program)).unwrap();
    let count = move || std::fs::read_to_string(&runs).unwrap().lines().count();
    (machine, count)
}

#[cfg(unix)]
#[tokio::test]
async fn credentials_are_asked_for_again_only_near_their_end() {
    for (seconds, runs) in [(3600, 1), (100, 1), (5, 3), (-5, 3)] {
        let (machine, count) = printing(seconds, false).await;
        let store = machine.open("p").unwrap();
        for _ in 0..3 {
            store.get(&"k".into()).await.unwrap();
        }
        assert_eq!(count(), runs, "valid for {seconds} s");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn credentials_at_their_end_are_not_used_when_there_are_no_new_ones() {
    let (machine, count) = printing(10, true).await;
    let store = machine.open("p").unwrap();
    store.get(&"k".into()).await.unwrap();
    let error = store.get(&"k".into()).await.unwrap_err();
    assert_eq!(store.error("get", &"k".into(), error).kind(), ErrorKind::Unauthenticated);
    assert_eq!(count(), 2);
}

#[tokio::test]
async fn what_cannot_work_is_refused_when_the_store_is_opened() {
    let role = "role_arn = arn:r\n";
    for (text, kind, says) in [
        (
            format!("{role}source_profile = p2\nmfa_serial = m\n"),
            ErrorKind::NotSupported,
            "mfa_serial",
        ),
        (role.to_owned(), ErrorKind::Config, "source_profile"),
        (format!("{role}credential_source = Moon\n"), ErrorKind::Config, "Moon"),
        (format!("{role}source_profile = q\n"), ErrorKind::Config, "circle"),
        ("aws_access_key_id = only\n".to_owned(), ErrorKind::Config, "aws_secret_access_key"),
        ("sso_session = nowhere\n".to_owned(), ErrorKind::Config, "sso-session nowhere"),
    ] {
        let config = format!(
            "[profile p]\n{text}[profile q]\n{role}source_profile = p\n[profile p2]\naws_access_key_id=a\n\
             aws_secret_access_key=b\n"
        );
        let error = Machine::new(&config, "").await.open("p").unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}
