//! What a transformer has written, the last of it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes that are kept.
const KEPT: usize = 1 << 20;

/// The last lines of a transformer's output, over all its lives.
#[derive(Default)]
pub(super) struct Logs(Mutex<VecDeque<u8>>);

impl Logs {
    /// A line of the server's own.
    pub(super) fn say(&self, line: &str) {
        self.add(format!("[holdall] {line}\n").as_bytes());
    }

    fn add(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(bytes);
        if kept.len() > KEPT {
            let over = kept.len() - KEPT;
            // Whole lines only.
            let line = kept.range(over..).position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            kept.drain(..over + line);
        }
    }

    /// Everything that is kept.
    pub(super) fn all(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// The last lines, for errors: up to `lines` of them, not the server's own.
    pub(super) fn tail(&self, lines: usize) -> String {
        let all = String::from_utf8_lossy(&self.all()).into_owned();
        let theirs = all.lines().filter(|line| !line.starts_with("[holdall]"));
        let mut last: Vec<&str> =
            theirs.rev().filter(|line| !line.trim().is_empty()).take(lines).collect();
        last.reverse();
        last.join("\n")
    }

    /// Keeps what comes until the end.
    pub(super) async fn follow(&self, mut from: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; 8 << 10];
        while let Ok(read) = from.read(&mut buffer).await {
            if read == 0 {
                break;
            }
            self.add(&buffer[..read]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let logs = Logs::default();
        for number in 0..200_000 {
            logs.add(format!("line {number}\n").as_bytes());
        }
        let all = String::from_utf8(logs.all()).unwrap();
        assert!(all.len() <= KEPT && all.starts_with("line ") && all.ends_with("line 199999\n"));
        logs.say("restarted");
        assert_eq!(logs.tail(2), "line 199998\nline 199999");
    }
}
