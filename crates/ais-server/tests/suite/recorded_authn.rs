//! Exchanges about authentication recorded from a real AIStore, sent again to our server, in their order.
//! `golden/differences-authn.json` lists where ours differ, and why.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::support::{Ais, header};
use crate::users::Users;

/// One exchange, as a line of `golden/recorded-authn.jsonl`.
#[derive(Deserialize)]
struct Exchange {
    /// `cluster` or `authn`.
    to: String,
    /// Whose token comes along: `nobody`, `junk`, `admin` or `user`.
    #[serde(rename = "as")]
    who: String,
    request: String,
    #[serde(default)]
    body: String,
    status: u16,
    #[serde(default)]
    error: Option<Failure>,
    /// What AuthN says.
    #[serde(default)]
    json: Option<Value>,
}

#[derive(Deserialize)]
struct Failure {
    tcode: String,
    message: String,
}

/// An intended difference.
#[derive(Deserialize)]
struct Difference {
    request: String,
    #[serde(default)]
    body: String,
    /// Our status, if it is another.
    #[serde(default)]
    status: Option<u16>,
    reason: String,
}

/// The text without the time that a token has left.
fn without_time(text: &str) -> String {
    let Some((before, rest)) = text.split_once("token expires in ") else { return text.to_owned() };
    let end = rest.find([',', ']', ')']).unwrap_or(rest.len());
    format!("{before}token expires in TIME{}", &rest[end..])
}

/// What is other than it was recorded.
async fn compare(
    ais: &Ais,
    exchange: &Exchange,
    tokens: &[(&str, String)],
) -> Option<(u16, String)> {
    let (method, path) = exchange.request.split_once(' ').expect("a method and a path");
    let base = match exchange.to.as_str() {
        "authn" => ais.server.authn_url().expect("AuthN"),
        _ => ais.server.url(),
    };
    let own = tokens.iter().find(|(who, _)| *who == exchange.who).map(|(_, token)| token.as_str());
    // A token that is taken back is the user's: that of the administrator is needed afterwards.
    let user =
        tokens.iter().find(|(who, _)| *who == "user").map_or("", |(_, token)| token.as_str());
    let body = exchange.body.replace("TOKEN", user);
    let method: Method = method.parse().expect("a method");
    let mut request = ais.client.request(method, format!("{base}{path}")).body(body);
    if let Some(token) = own {
        request = request.bearer_auth(token);
    }
    let reply = request.send().await.expect("an answer");
    let status = reply.status().as_u16();
    let told = header(&reply, "hdr-error").to_owned();
    let text = reply.text().await.expect("a body");
    let text = if told.is_empty() { text } else { told };
    if status != exchange.status {
        return Some((status, text));
    }
    if let Some(Failure { tcode, message }) = &exchange.error {
        let ours: Value = serde_json::from_str(&text).unwrap_or_default();
        let field = |name: &str| ours[name].as_str().unwrap_or_default();
        let same =
            field("tcode") == tcode && without_time(field("message")) == without_time(message);
        return (!same).then_some((status, text));
    }
    let expected = exchange.json.as_ref()?;
    let ours: Value = serde_json::from_str(&text).unwrap_or_default();
    (ours != *expected).then_some((status, text))
}

#[tokio::test]
async fn replies_are_as_recorded() {
    let ais = Users::start_apart("admin").await;
    let mut tokens =
        vec![("junk", "junk".to_owned()), ("admin", ais.login("admin", "admin").await)];
    let known: Vec<Difference> =
        serde_json::from_str(include_str!("../golden/differences-authn.json")).unwrap();
    let (mut met, mut odd) = (vec![false; known.len()], Vec::new());
    for line in include_str!("../golden/recorded-authn.jsonl").lines() {
        let exchange: Exchange = serde_json::from_str(line).expect("an exchange");
        if exchange.who == "user" && !tokens.iter().any(|(who, _)| *who == "user") {
            tokens.push(("user", ais.login("golden-user", "q").await));
        }
        let Some((status, text)) = compare(&ais.ais, &exchange, &tokens).await else { continue };
        let found = known.iter().position(|known| {
            exchange.request.starts_with(&known.request)
                && exchange.body.contains(&known.body)
                && known.status.unwrap_or(exchange.status) == status
        });
        match found {
            Some(index) => met[index] = true,
            None => odd.push(format!(
                "{} {} as {}\n  recorded {} {}, ours {status}: {text}",
                exchange.request,
                exchange.body,
                exchange.who,
                exchange.status,
                exchange.error.as_ref().map_or("", |error| error.message.as_str())
            )),
        }
    }
    for (Difference { request, reason, .. }, met) in known.iter().zip(met) {
        if !met {
            odd.push(format!("no difference any more: {request} ({reason})"));
        }
    }
    assert!(odd.is_empty(), "{} differences:\n{}", odd.len(), odd.join("\n"));
}
