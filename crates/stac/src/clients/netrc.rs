//! User and password of a host from the netrc file.

use std::path::PathBuf;

/// What `NETRC`, `~/.netrc` or `~/_netrc` has for `host`, or for every host.
pub(super) fn lookup(host: &str) -> Option<(String, String)> {
    let named = std::env::var_os("NETRC").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let files = named
        .into_iter()
        .chain([".netrc", "_netrc"].into_iter().filter_map(|name| Some(home.as_ref()?.join(name))));
    files.filter_map(|file| std::fs::read_to_string(file).ok()).find_map(|text| find(&text, host))
}

fn find(text: &str, host: &str) -> Option<(String, String)> {
    let mut words = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let words: Vec<&str> = words.by_ref().flat_map(str::split_whitespace).collect();
    let (mut user, mut password, mut here) = (None, None, false);
    let mut at = 0;
    while at < words.len() {
        let value = words.get(at + 1).copied().unwrap_or_default();
        match words[at] {
            "machine" | "default" => {
                if here && password.is_some() {
                    break;
                }
                here = words[at] == "default" || value.eq_ignore_ascii_case(host);
                (user, password) = (None, None);
                at += usize::from(words[at] == "machine");
            }
            "login" | "user" if here => user = Some(value.to_owned()),
            "password" | "passwd" if here => password = Some(value.to_owned()),
            _ => {}
        }
        if matches!(words.get(at), Some(&("login" | "user" | "password" | "passwd" | "account"))) {
            at += 1;
        }
        at += 1;
    }
    here.then_some((user.unwrap_or_default(), password?))
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn the_machine_or_the_default_is_found() {
        let text = "machine a login u password p # note\nmachine b\n  login v\n  password q\ndefault login d password e";
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(find(text, "a"), pair("u", "p"));
        assert_eq!(find(text, "B"), pair("v", "q"));
        assert_eq!(find(text, "c"), pair("d", "e"));
        assert_eq!(find("machine a login u password p", "c"), None);
    }
}
