//! Who asks: AWS signatures, version 4, in the header or in the URL; in URLs also those of version 2.
//!
//! Without keys every signature is accepted, and none is needed. Where AuthN asks, a request needs a token, or a signature
//! with a key: that acts as the user of the same name.

use aws_lc_rs::{constant_time, digest, hmac};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::checksum::hex;
use super::fault::{Fault, Result};
use super::operation::Operation;
use super::{old_urls, permissions};
use crate::http::Request;
use crate::s3_keys::S3Keys;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Clocks may differ by this much, as at AWS.
const SKEW: TimeDelta = TimeDelta::minutes(15);
/// Signed URLs live this long at most.
const WEEK: i64 = 7 * 24 * 3600;
/// What AWS does not encode.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Who asks, as far as a signature says.
#[derive(Default)]
pub(crate) struct Caller {
    /// The access key; none where signatures are not checked.
    pub(super) key: Option<String>,
    /// What signs the pieces of the body, where it may be signed piece by piece.
    pub(super) chain: Option<Chain>,
}

/// What signs the pieces of a body: made from a request whose signature was right.
#[derive(Clone)]
pub(crate) struct Chain {
    access: String,
    key: hmac::Key,
    date: String,
    scope: String,
    /// The signature before.
    last: String,
}

/// Checks that the request may be made.
///
/// # Errors
///
/// `NoSuchBucket`, `AccessDenied`, `SignatureDoesNotMatch` and their like.
pub(crate) async fn check(request: &Request, operation: &Operation) -> Result<Caller> {
    let target = permissions::target(request, operation)?;
    let caller = caller(request)?;
    permissions::check(request, operation.kind, target, &caller).await?;
    Ok(caller)
}

fn caller(request: &Request) -> Result<Caller> {
    let keys = request.engine.s3_keys();
    if keys.is_empty() {
        return Ok(Caller::default());
    }
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let message =
        Message { method: request.method.as_str(), path, query, headers: &request.headers };
    if old_urls::is_signed(query) {
        let key = old_urls::verify(&message, keys, Utc::now())?;
        return Ok(Caller { key: Some(key), chain: None });
    }
    let chain = verify(&message, keys, Utc::now())?;
    Ok(Caller { key: Some(chain.access.clone()), chain: Some(chain) })
}

/// What is signed.
pub(super) struct Message<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
}

/// The parts of a signature.
struct Signature {
    access: String,
    scope: String,
    signed: Vec<String>,
    value: String,
    date: String,
    payload: String,
    /// Seconds that a signed URL lives.
    expires: Option<i64>,
}

fn verify(message: &Message<'_>, keys: &S3Keys, now: DateTime<Utc>) -> Result<Chain> {
    let signature = if parameter(message.query, "X-Amz-Algorithm").is_some() {
        of_url(message.query)?
    } else {
        of_header(message.headers)?
    };
    check_time(&signature, now)?;
    let secret = keys.secret(&signature.access).ok_or_else(|| {
        denied("InvalidAccessKeyId", "the access key that you provided is not known here")
    })?;
    check_signed(message.headers, &signature.signed)?;
    let key = signing_key(secret, &signature.scope);
    let request = canonical(message, &signature);
    let hash = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
    let text = format!("{ALGORITHM}\n{}\n{}\n{hash}", signature.date, signature.scope);
    let expected = hex(hmac::sign(&key, text.as_bytes()).as_ref());
    if !same(&expected, &signature.value) {
        return Err(denied(
            "SignatureDoesNotMatch",
            "the signature does not match the one computed here: check the secret key, the path (it begins with /s3) and the signing method",
        ));
    }
    let Signature { access, scope, date, value, .. } = signature;
    Ok(Chain { access, key, date, scope, last: value })
}

pub(super) fn denied(code: &'static str, text: &str) -> Fault {
    Fault::new(403, code, text)
}

pub(super) fn same(one: &str, other: &str) -> bool {
    constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn of_header(headers: &HeaderMap) -> Result<Signature> {
    let text = header(headers, "authorization");
    if text.is_empty() {
        return Err(denied("AccessDenied", "requests without a signature are not allowed here"));
    }
    let malformed = |what: &str| {
        let text = format!("the authorization header is malformed: {what}");
        Fault::new(400, "AuthorizationHeaderMalformed", text)
    };
    let fields = text.strip_prefix(ALGORITHM).ok_or_else(|| {
        malformed("the only signature that is understood here is AWS4-HMAC-SHA256")
    })?;
    let field = |name: &str| {
        let all = fields.split(',').map(str::trim);
        let mut found = all.filter_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        found.next().ok_or_else(|| malformed(&format!("{name} is missing")))
    };
    let (access, scope) =
        credential(field("Credential")?).ok_or_else(|| malformed("Credential"))?;
    let date = header(headers, "x-amz-date");
    let date = if date.is_empty() {
        let plain = DateTime::parse_from_rfc2822(header(headers, "date")).map_err(|_| {
            denied("AccessDenied", "a signed request needs a valid Date or x-amz-date header")
        })?;
        plain.to_utc().format("%Y%m%dT%H%M%SZ").to_string()
    } else {
        date.to_owned()
    };
    let payload = header(headers, "x-amz-content-sha256");
    if payload.is_empty() {
        let text = "missing required header for this request: x-amz-content-sha256";
        return Err(Fault::new(400, "InvalidRequest", text));
    }
    Ok(Signature {
        access,
        scope,
        signed: field("SignedHeaders")?.split(';').map(str::to_owned).collect(),
        value: field("Signature")?.to_owned(),
        date,
        payload: payload.to_owned(),
        expires: None,
    })
}

fn of_url(query: &str) -> Result<Signature> {
    let malformed = |what: &str| {
        let text = format!("the signature in the URL is malformed: {what}");
        Fault::new(400, "AuthorizationQueryParametersError", text)
    };
    let field =
        |name: &str| parameter(query, name).ok_or_else(|| malformed(&format!("{name} is missing")));
    if field("X-Amz-Algorithm")? != ALGORITHM {
        return Err(malformed("X-Amz-Algorithm must be AWS4-HMAC-SHA256"));
    }
    let (access, scope) =
        credential(&field("X-Amz-Credential")?).ok_or_else(|| malformed("X-Amz-Credential"))?;
    let expires: i64 =
        field("X-Amz-Expires")?.parse().map_err(|_| malformed("X-Amz-Expires is no number"))?;
    if !(1..=WEEK).contains(&expires) {
        return Err(malformed("X-Amz-Expires must be between one second and a week"));
    }
    Ok(Signature {
        access,
        scope,
        signed: field("X-Amz-SignedHeaders")?.split(';').map(str::to_owned).collect(),
        value: field("X-Amz-Signature")?,
        date: field("X-Amz-Date")?,
        payload: parameter(query, "X-Amz-Content-Sha256")
            .unwrap_or_else(|| "UNSIGNED-PAYLOAD".to_owned()),
        expires: Some(expires),
    })
}

/// Access key and scope: `key/20260102/region/s3/aws4_request`.
fn credential(text: &str) -> Option<(String, String)> {
    let (access, scope) = text.split_once('/')?;
    let parts: Vec<&str> = scope.split('/').collect();
    let fits = parts.len() == 4 && parts[2] == "s3" && parts[3] == "aws4_request";
    fits.then(|| (access.to_owned(), scope.to_owned()))
}

fn check_time(signature: &Signature, now: DateTime<Utc>) -> Result<()> {
    let date = NaiveDateTime::parse_from_str(&signature.date, "%Y%m%dT%H%M%SZ")
        .map_err(|_| denied("AccessDenied", "the date of the signature is none"))?
        .and_utc();
    if !signature.scope.starts_with(&signature.date[..8]) {
        let text = "the date of the credential is not that of the request";
        return Err(denied("SignatureDoesNotMatch", text));
    }
    let skewed = match signature.expires {
        Some(expires) if now > date + TimeDelta::seconds(expires) => {
            return Err(denied("AccessDenied", "Request has expired"));
        }
        Some(_) => date > now + SKEW,
        None => (now - date).abs() > SKEW,
    };
    if skewed {
        let text = "the difference between the request time and the server's time is too large: compare the clocks";
        return Err(denied("RequestTimeTooSkewed", text));
    }
    Ok(())
}

/// What changes the meaning of a request has to be signed.
fn check_signed(headers: &HeaderMap, signed: &[String]) -> Result<()> {
    let has = |name: &str| signed.iter().any(|signed| signed == name);
    let missing = headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| (*name == "host" || name.starts_with("x-amz-")) && !has(name));
    match missing.min() {
        None => Ok(()),
        Some(name) => {
            let text =
                format!("there were headers present in the request which were not signed: {name}");
            Err(denied("AccessDenied", &text))
        }
    }
}

fn signing_key(secret: &str, scope: &str) -> hmac::Key {
    let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
    scope.split('/').fold(first, |key, part| {
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
    })
}

fn canonical(message: &Message<'_>, signature: &Signature) -> String {
    let mut text = format!("{}\n{}\n", message.method, encoded_path(message.path));
    text.push_str(&canonical_query(message.query, signature.expires.is_some()));
    text.push('\n');
    for name in &signature.signed {
        let values: Vec<String> = message
            .headers
            .get_all(name)
            .iter()
            .map(|value| {
                let text = String::from_utf8_lossy(value.as_bytes());
                text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
            })
            .collect();
        text.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    text.push_str(&format!("\n{}\n{}", signature.signed.join(";"), signature.payload));
    text
}

fn encoded(bytes: &[u8]) -> String {
    percent_encode(bytes, STRICT).to_string()
}

fn encoded_path(path: &str) -> String {
    let parts = path.split('/');
    let parts: Vec<String> =
        parts.map(|part| encoded(&percent_decode_str(part).collect::<Vec<u8>>())).collect();
    parts.join("/")
}

pub(super) fn pairs(query: &str) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).collect::<Vec<u8>>();
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let found = pairs(query).find(|(found, _)| found == name.as_bytes());
    found.map(|(_, value)| String::from_utf8_lossy(&value).into_owned())
}

fn canonical_query(query: &str, is_signed: bool) -> String {
    let mut all: Vec<(String, String)> = pairs(query)
        .filter(|(name, _)| !(is_signed && name == b"X-Amz-Signature"))
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    all.sort();
    let all: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    all.join("&")
}

impl Chain {
    /// Checks the signature of the next piece of a body, whose SHA-256 this is.
    ///
    /// # Errors
    ///
    /// When it differs.
    pub(crate) fn piece(&mut self, sha256: &[u8], signature: &str) -> Result<()> {
        let empty = hex(digest::digest(&digest::SHA256, b"").as_ref());
        self.next("PAYLOAD", &format!("{empty}\n{}", hex(sha256)), signature)
    }

    /// Checks the signature of the trailer.
    ///
    /// # Errors
    ///
    /// When it differs.
    pub(crate) fn trailer(&mut self, lines: &str, signature: &str) -> Result<()> {
        let hash = hex(digest::digest(&digest::SHA256, lines.as_bytes()).as_ref());
        self.next("TRAILER", &hash, signature)
    }

    fn next(&mut self, what: &str, hash: &str, signature: &str) -> Result<()> {
        let text =
            format!("{ALGORITHM}-{what}\n{}\n{}\n{}\n{hash}", self.date, self.scope, self.last);
        let expected = hex(hmac::sign(&self.key, text.as_bytes()).as_ref());
        if !same(&expected, signature) {
            let text = "the signature of a piece of the body does not match the one computed here";
            return Err(denied("SignatureDoesNotMatch", text));
        }
        self.last = expected;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    //! The examples of "Signature Calculations for the Authorization Header", "Authenticating Requests: Using Query
    //! Parameters" and "Transferring Payload in Multiple Chunks" in the reference of Amazon S3.

    use super::*;

    const HOST: &str = "examplebucket.s3.amazonaws.com";
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn keys() -> S3Keys {
        S3Keys::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY").unwrap()
    }

    fn at(hours: i64) -> DateTime<Utc> {
        "2013-05-24T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hours)
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter()
            .map(|(name, value)| {
                (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())
            })
            .collect()
    }

    fn authorization(signed: &str, signature: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders={signed},Signature={signature}"
        )
    }

    fn get(signature: &str, hours: i64) -> Result<Chain> {
        let authorization = authorization("host;range;x-amz-content-sha256;x-amz-date", signature);
        let headers = headers(&[
            ("host", HOST),
            ("range", "bytes=0-9"),
            ("x-amz-content-sha256", EMPTY),
            ("x-amz-date", "20130524T000000Z"),
            ("authorization", &authorization),
        ]);
        let message = Message { method: "GET", path: "/test.txt", query: "", headers: &headers };
        verify(&message, &keys(), at(hours))
    }

    #[test]
    fn in_the_header() {
        let right = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        get(right, 0).map(drop).unwrap();
        let code = |result: Result<Chain>| result.map(drop).unwrap_err().code;
        assert_eq!(code(get(&right.replace('f', "e"), 0)), "SignatureDoesNotMatch");
        assert_eq!(code(get(right, 1)), "RequestTimeTooSkewed");
        assert_eq!(code(get(right, -1)), "RequestTimeTooSkewed");
    }

    #[test]
    fn in_the_url() {
        let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        let headers = headers(&[("host", HOST)]);
        let at_path = |path, hours| {
            let message = Message { method: "GET", path, query, headers: &headers };
            verify(&message, &keys(), at(hours))
                .map(drop)
                .map_err(|fault| (fault.code, fault.message))
        };
        at_path("/test.txt", 23).unwrap();
        assert_eq!(at_path("/other.txt", 23).unwrap_err().0, "SignatureDoesNotMatch");
        let expired = ("AccessDenied", "Request has expired".to_owned());
        assert_eq!(at_path("/test.txt", 25).unwrap_err(), expired);
    }

    #[test]
    fn in_pieces() {
        let signature = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
        let signed = "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class";
        let authorization = authorization(signed, signature);
        let headers = headers(&[
            ("host", "s3.amazonaws.com"),
            ("x-amz-date", "20130524T000000Z"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
            ("content-length", "66824"),
            ("authorization", &authorization),
        ]);
        let path = "/examplebucket/chunkObject.txt";
        let message = Message { method: "PUT", path, query: "", headers: &headers };
        let mut chain = verify(&message, &keys(), at(0)).map_err(|fault| fault.message).unwrap();
        for (len, signature) in [
            (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
            (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
            (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
        ] {
            let hash = digest::digest(&digest::SHA256, &vec![b'a'; len]);
            assert!(chain.clone().piece(b"other", signature).is_err());
            assert!(chain.piece(hash.as_ref(), signature).is_ok(), "{len}");
        }
    }

    #[test]
    fn in_pieces_with_a_trailer() {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let scope = "20130524/us-east-1/s3/aws4_request";
        let mut chain = Chain {
            access: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            key: signing_key(secret, scope),
            date: "20130524T000000Z".to_owned(),
            scope: scope.to_owned(),
            last: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e".to_owned(),
        };
        for (len, signature) in [
            (65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"),
            (1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"),
            (0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"),
        ] {
            let hash = digest::digest(&digest::SHA256, &vec![b'a'; len]);
            assert!(chain.piece(hash.as_ref(), signature).is_ok(), "{len}");
        }
        let signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
        assert!(chain.trailer("x-amz-checksum-crc32c:sOO8/Q==\n", signature).is_ok());
    }

    #[test]
    fn unsigned_headers_and_strangers() {
        let code = |all: &[(&'static str, &str)]| {
            let headers = headers(all);
            let message = Message { method: "GET", path: "/b", query: "", headers: &headers };
            verify(&message, &keys(), at(0)).map(drop).unwrap_err().code
        };
        assert_eq!(code(&[("host", HOST)]), "AccessDenied");
        assert_eq!(code(&[("authorization", "AWS me:sig")]), "AuthorizationHeaderMalformed");
        let (other, ours) = (
            authorization("host;x-amz-date", "00").replace("AKIA", "OTHER"),
            authorization("host", "00"),
        );
        let date = ("x-amz-date", "20130524T000000Z");
        let hash = ("x-amz-content-sha256", EMPTY);
        assert_eq!(code(&[date, hash, ("authorization", &other)]), "InvalidAccessKeyId");
        assert_eq!(code(&[("host", HOST), date, hash, ("authorization", &ours)]), "AccessDenied");
        assert_eq!(code(&[date, ("authorization", &ours)]), "InvalidRequest");
    }

    #[test]
    fn queries_are_sorted_and_encoded() {
        assert_eq!(canonical_query("b=2&a=x+y&a=%2f&c", false), "a=%2F&a=x%20y&b=2&c=");
        assert_eq!(encoded_path("/s3/b/a%20b/~%C3%A9+"), "/s3/b/a%20b/~%C3%A9%2B");
    }
}
