//! Tokens in the words of servers.

use bytes::Bytes;

/// How every JSON Web Token begins: `{"` in base64.
const BEGIN: &[u8] = b"eyJ";

/// A reply without the tokens in it: AIStore repeats those that were revoked, and texts of errors go anywhere.
pub(crate) fn hidden(reply: Bytes) -> Bytes {
    let Some(mut at) = next(&reply) else { return reply };
    let mut shown = Vec::with_capacity(reply.len());
    let mut rest = &reply[..];
    loop {
        let (before, found) = rest.split_at(at);
        shown.extend_from_slice(before);
        let end = found.iter().position(|byte| !is_of_token(*byte)).unwrap_or(found.len());
        let (word, after) = found.split_at(end);
        // Header, claims, signature.
        match word.iter().filter(|byte| **byte == b'.').count() {
            2 => shown.extend_from_slice("…".as_bytes()),
            _ => shown.extend_from_slice(word),
        }
        rest = after;
        match next(rest) {
            Some(found) => at = found,
            None => break,
        }
    }
    shown.extend_from_slice(rest);
    shown.into()
}

fn next(text: &[u8]) -> Option<usize> {
    text.windows(BEGIN.len()).position(|window| window == BEGIN)
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::hidden;

    #[test]
    fn tokens_are_hidden_and_nothing_else() {
        for (reply, shown) in [
            (
                r#"{"message":"token revoked: eyJhbGci.eyJjbH-V_z.c2ln-_0\n","status":401}"#,
                r#"{"message":"token revoked: …\n","status":401}"#,
            ),
            ("eyJa.b.c and eyJd.e.f", "… and …"),
            ("ais://b/eyJ-name.txt does not exist", "ais://b/eyJ-name.txt does not exist"),
            ("eyJ", "eyJ"),
            ("", ""),
        ] {
            assert_eq!(hidden(reply.into()), shown);
        }
    }
}
