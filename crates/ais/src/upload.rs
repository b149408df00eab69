//! Ids of uploads: the server's, and after a colon, which those never have, the custom properties that the upload began
//! with. So an upload that another process completes has them as well.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;

pub(crate) fn id(of_server: String, custom: &[(String, String)]) -> String {
    if custom.is_empty() {
        return of_server;
    }
    let text = serde_json::to_vec(custom).expect("texts are JSON");
    format!("{of_server}:{}", BASE64.encode(text))
}

/// The server's id, and the custom properties.
pub(crate) fn split(id: &str) -> (&str, Vec<(String, String)>) {
    let Some((of_server, custom)) = id.split_once(':') else { return (id, Vec::new()) };
    let custom = BASE64.decode(custom).ok().and_then(|text| serde_json::from_slice(&text).ok());
    (of_server, custom.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_properties_stay_with_the_id() {
        let custom = vec![("k".to_owned(), "v: =,\"ü".to_owned())];
        assert_eq!(split(&id("a-B_1".into(), &custom)), ("a-B_1", custom));
        assert_eq!(id("a-B_1".into(), &[]), "a-B_1");
        assert_eq!(split("a-B_1"), ("a-B_1", Vec::new()));
    }
}
