//! Credentials that another program prints: `credential_process`.

use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, Utc};
use object_store::aws::AwsCredential;
use serde::Deserialize;

use super::provider::Issued;
use super::source::target;
use crate::error::{Error, ErrorKind, Result};

/// How long the program may take; it may have to ask somebody.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the program of a profile and reads what it prints. It is run as it is, without a shell.
pub(super) async fn run(profile: &str, command: &str) -> Result<Issued> {
    let failed = |kind, detail: String| Error::new(kind, "authenticate", target(profile), detail);
    let config = |detail: String| failed(ErrorKind::Config, detail);
    let arguments = split(command).map_err(|e| config(format!("`credential_process`: {e}")))?;
    let Some((program, arguments)) = arguments.split_first() else {
        return Err(config("`credential_process` is empty".to_owned()));
    };
    let output = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let refused = |detail: String| failed(ErrorKind::Unauthenticated, detail);
    let output = tokio::time::timeout(TIMEOUT, output)
        .await
        .map_err(|_| {
            let detail = format!("`credential_process` did not end within {} s", TIMEOUT.as_secs());
            failed(ErrorKind::Timeout, detail)
        })?
        .map_err(|e| config(format!("`credential_process` cannot run '{program}': {e}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().lines().last().unwrap_or_default();
        return Err(refused(format!("`credential_process` ended with {}: {said}", output.status)));
    }
    // The output is secret: errors give the place in it, not the text.
    let printed: Printed = serde_json::from_slice(&output.stdout).map_err(|e| {
        let place = format!("line {}, column {}", e.line(), e.column());
        refused(format!(
            "`credential_process` printed something else than the JSON of keys ({place})"
        ))
    })?;
    if printed.version != 1 {
        let detail = format!("`credential_process` printed version {}, not 1", printed.version);
        return Err(refused(detail));
    }
    let credential = AwsCredential {
        key_id: printed.access_key_id,
        secret_key: printed.secret_access_key,
        token: printed.session_token,
    };
    Ok(Issued::new(credential, printed.expiration))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: u32,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<DateTime<Utc>>,
}

/// Splits a command at white space outside quotes. Double quotes keep `\"` and `\\`; single quotes keep everything.
fn split(command: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted(&mut chars, word.get_or_insert_default())?,
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err("a single quote is not closed"),
                    }
                }
            }
            '\\' if cfg!(unix) => {
                let escaped = chars.next().ok_or("a backslash ends the line")?;
                word.get_or_insert_default().push(escaped);
            }
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), &'static str> {
    loop {
        match chars.next() {
            Some('"') => return Ok(()),
            Some('\\') => match chars.next() {
                Some(c @ ('"' | '\\')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
                None => return Err("a double quote is not closed"),
            },
            Some(c) => word.push(c),
            None => return Err("a double quote is not closed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_like_a_shell_without_being_one() {
        let words = |text| split(text).unwrap();
        assert_eq!(words(r#"a  "b c" d\ e 'f "g' """#), ["a", "b c", "d e", "f \"g", ""]);
        assert_eq!(words(r#""C:\x \"y\"" $HOME;ls"#), [r#"C:\x "y""#, "$HOME;ls"]);
        assert!(split("a 'b").is_err() && split("a \"b").is_err());
        assert!(words("  ").is_empty());
    }
}
