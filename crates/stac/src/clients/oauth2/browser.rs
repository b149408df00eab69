//! Logging in with a browser (`authorization_code`, RFC 6749, section 4.1): the user agrees on a page of the provider, which
//! sends the browser back to a port of this machine with a code for a token.

use std::process::{Command, Stdio};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::pkce::{Pkce, random};
use super::{Held, Tokens};
use crate::error::{Error, ErrorKind, Result};

/// How long somebody has to log in; what stac-asset waits.
const PATIENCE: Duration = Duration::from_secs(300);

/// Longest request of a browser that is read.
const REQUEST_BYTES: usize = 16 * 1024;

/// Sends the user to the provider's page and waits for the token.
pub(super) async fn log_in(tokens: &Tokens) -> Result<Held> {
    let config = &tokens.config;
    let page = config.authorization_url.as_deref().unwrap_or_default();
    let failed = |detail: String| Error::new(ErrorKind::Authentication, "log in", page, detail);
    let listener = Listener::bind().await.map_err(|e| failed(format!("cannot listen: {e}")))?;
    let redirect = format!("http://localhost:{}/callback", listener.port);
    let (state, pkce) = (random()?, config.pkce.then(Pkce::new).transpose()?);
    let mut url = Url::parse(page)
        .map_err(|e| Error::new(ErrorKind::Config, "configure OAuth2", page, e.to_string()))?;
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("response_type", "code").append_pair("redirect_uri", &redirect);
        query.append_pair("client_id", config.client_id.as_deref().unwrap_or_default());
        query.append_pair("state", &state);
        for (name, value) in pkce.iter().flat_map(Pkce::challenge) {
            query.append_pair(name, &value);
        }
        for (name, value) in &config.extra {
            query.append_pair(name, value);
        }
    }
    let opened = open(url.as_str());
    let how = if opened { "a browser opens; if it does not, log in at" } else { "log in at" };
    tokens.prompt(format!("{how} {url}")).await;
    let answer = tokio::time::timeout(PATIENCE, listener.answer(&state)).await;
    let answer = answer.map_err(|_| failed("nobody logged in within 5 minutes".to_owned()))?;
    let code = answer.map_err(failed)?;
    let mut fields = vec![
        ("grant_type", "authorization_code".to_owned()),
        ("code", code),
        ("redirect_uri", redirect),
    ];
    fields.extend(pkce.map(|pkce| ("code_verifier", pkce.verifier)));
    tokens.ask(&tokens.form(&fields, &[])).await
}

/// Where the browser comes back to.
struct Listener {
    port: u16,
    first: TcpListener,
    /// `localhost` is this address to some browsers, where the machine has it.
    second: Option<TcpListener>,
}

impl Listener {
    async fn bind() -> std::io::Result<Self> {
        let first = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = first.local_addr()?.port();
        let second = TcpListener::bind(("::1", port)).await.ok();
        Ok(Self { port, first, second })
    }

    async fn accept(&self) -> std::io::Result<TcpStream> {
        let accepted = match &self.second {
            Some(second) => tokio::select! {
                accepted = self.first.accept() => accepted,
                accepted = second.accept() => accepted,
            },
            None => self.first.accept().await,
        };
        accepted.map(|(stream, _)| stream)
    }

    /// The code, or why there is none. Requests for anything else are refused and forgotten.
    async fn answer(&self, state: &str) -> Result<String, String> {
        // Browsers open connections ahead and may never use them: none keeps another waiting.
        let mut open = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.accept() => {
                    let stream = accepted.map_err(|e| format!("cannot listen: {e}"))?;
                    open.push(converse(stream, state));
                }
                Some(answer) = open.next() => {
                    if let Some(answer) = answer {
                        return answer;
                    }
                }
            }
        }
    }
}

/// Reads one request of a browser and answers it.
async fn converse(mut stream: TcpStream, state: &str) -> Option<Result<String, String>> {
    let mut request = Vec::new();
    let mut buffer = [0; 2048];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") && request.len() < REQUEST_BYTES {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
    }
    let answer = code_of(&String::from_utf8_lossy(&request), state);
    let (status, text) = match &answer {
        None => ("404 Not Found", "There is nothing here.".to_owned()),
        Some(Ok(_)) => ("200 OK", "You are logged in. You can close this window now.".to_owned()),
        Some(Err(why)) => ("400 Bad Request", format!("You are not logged in: {why}")),
    };
    let length = text.len();
    let reply = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{text}"
    );
    // The browser may have gone; it has said what it had to say.
    drop(stream.write_all(reply.as_bytes()).await);
    drop(stream.shutdown().await);
    answer
}

/// The code in a request for the callback. `None` for other requests, and for those that do not know the state: they were
/// not sent by the provider.
fn code_of(request: &str, state: &str) -> Option<Result<String, String>> {
    let target = request.strip_prefix("GET ")?.split(' ').next()?;
    let url = Url::parse("http://localhost").ok()?.join(target).ok()?;
    if url.path() != "/callback" {
        return None;
    }
    let find = |name: &str| {
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    if find("state").as_deref() != Some(state) {
        return None;
    }
    let refused = || {
        let why = find("error_description").or_else(|| find("error"));
        why.unwrap_or_else(|| "the provider sent no code".to_owned())
    };
    Some(find("code").ok_or_else(refused))
}

/// Opens a page in the user's browser; whether there is one. `BROWSER` names it, as for other programs: a command, with
/// `%s` for the URL or the URL at its end.
fn open(url: &str) -> bool {
    let named = std::env::var("BROWSER").ok().filter(|value| !value.is_empty());
    let system = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let command = named.as_deref().unwrap_or(system);
    let mut words: Vec<String> =
        command.split_whitespace().map(|word| word.replace("%s", url)).collect();
    if !command.contains("%s") {
        words.push(url.to_owned());
    }
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return false };
    // Somebody has to wait for it, or it stays as a zombie for as long as this process lives.
    std::thread::spawn(move || child.wait());
    true
}

#[cfg(test)]
mod tests {
    use super::code_of;

    #[test]
    fn only_the_provider_s_answer_counts() {
        let ask = |target: &str| code_of(&format!("GET {target} HTTP/1.1\r\n\r\n"), "s t");
        assert_eq!(ask("/callback?code=a%2Bb&state=s%20t"), Some(Ok("a+b".to_owned())));
        assert_eq!(ask("/callback?code=a&state=other"), None);
        assert_eq!(ask("/favicon.ico?state=s%20t"), None);
        let refused = ask("/callback?error=access_denied&state=s+t");
        assert_eq!(refused, Some(Err("access_denied".to_owned())));
        assert_eq!(code_of("", "s t"), None);
    }
}
