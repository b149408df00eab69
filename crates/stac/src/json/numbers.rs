//! Numbers that JSON lacks and Python writes: `NaN`, `Infinity` and `-Infinity`.
//!
//! Parsers of JSON refuse them. They are read as strings with a mark, and written as they were.

/// What the strings begin with: the character for deletions, which nobody writes.
const MARK: char = '\u{7f}';

const WORDS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];

/// The text with strings in their place, if it has any.
pub(super) fn marked(text: &str) -> Option<String> {
    // Most that is no JSON is something else: lines of JSON, say, and long.
    WORDS.into_iter().find(|word| text.contains(word))?;
    let clean = replaced(text, |word| format!("\"{MARK}{word}\""));
    (clean != text).then_some(clean)
}

/// Whether there are marks in a text.
pub(super) fn has_marks(text: &str) -> bool {
    text.as_bytes().contains(&(MARK as u8))
}

/// The text as it was before it was marked.
pub(super) fn unmarked(text: &str) -> String {
    let plain = |text: String, word: &str| text.replace(&format!("\"{MARK}{word}\""), word);
    WORDS.into_iter().fold(text.to_owned(), plain)
}

/// The text with such numbers replaced by `null`.
pub(crate) fn without(text: &str) -> String {
    replaced(text, |_| "null".to_owned())
}

fn replaced(text: &str, by: impl Fn(&str) -> String) -> String {
    let mut clean = String::with_capacity(text.len());
    let (mut in_text, mut escaped, mut rest) = (false, false, text);
    while let Some(next) = rest.chars().next() {
        let word = || WORDS.into_iter().find(|word| rest.starts_with(word));
        if !in_text
            && matches!(next, 'N' | 'I' | '-')
            && let Some(word) = word()
        {
            clean.push_str(&by(word));
            rest = &rest[word.len()..];
            continue;
        }
        match next {
            _ if escaped => escaped = false,
            '\\' => escaped = in_text,
            '"' => in_text = !in_text,
            _ => {}
        }
        clean.push(next);
        rest = &rest[next.len_utf8()..];
    }
    clean
}
