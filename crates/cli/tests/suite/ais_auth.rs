//! `holdall ais auth`, against a server that asks everybody who they are.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use holdall::ais_server::{AuthOptions, Options, Secret};

use super::ais::Session;

const PASSWORD: &str = "correct horse battery staple";

/// A server, an administrator who has logged in, and a bucket `b` with an object `o`.
fn session() -> Session {
    let auth = AuthOptions { password: Some(Secret::new(PASSWORD)), ..AuthOptions::default() };
    let ais = Session::with(Options { auth: Some(auth), ..Options::default() });
    for (name, content) in [("admin.pw", PASSWORD), ("jane.pw", "jane's own\n"), ("f", "content")] {
        fs::write(ais.dir.path().join(name), content).unwrap();
    }
    login(&ais, "admin");
    ais.out("--token-file admin.json bucket create b");
    ais.out("--token-file admin.json object put f b/o");
    ais
}

fn auth(ais: &Session, words: &str) -> String {
    format!("--token-file admin.json auth --authn {} {words}", ais.url)
}

/// Logs somebody in, whose token is in a file afterwards.
fn login(ais: &Session, user: &str) {
    let words = format!("login {user} --password-file {user}.pw --out {user}.json");
    assert_eq!(ais.out(&format!("auth --authn {} {words}", ais.url)), "");
}

fn jane(ais: &Session, allow: &str) {
    let cluster = ais.out(&auth(ais, &format!("cluster add here {}", ais.url)));
    assert!(!cluster.trim().is_empty());
    ais.out(&auth(ais, &format!("role add some --cluster here --allow {allow}")));
    ais.out(&auth(ais, "user add jane --role some --password-file jane.pw"));
    login(ais, "jane");
}

#[test]
fn a_token_is_kept_where_only_its_owner_reads_it() {
    let ais = session();
    ais.fails("object get b/o", "token");
    let file = ais.dir.path().join("admin.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(ais.out("--token-file admin.json object get b/o"), "content");
    // Printed, it is a token too.
    let login = format!("auth --authn {} login admin --password-file admin.pw", ais.url);
    let printed = ais.json(&format!("{login} --expires-in 1h"));
    fs::write(&file, printed[0]["token"].as_str().unwrap()).unwrap();
    assert_eq!(ais.out("--token-file admin.json object get b/o"), "content");
    fs::write(ais.dir.path().join("admin.pw"), "wrong").unwrap();
    let refused = ais.output(&login);
    assert_eq!(refused.status.code(), Some(1));
    assert!(!crate::err(&refused).contains("wrong"), "{}", crate::err(&refused));
    ais.out(&auth(&ais, "logout"));
    ais.fails("--token-file admin.json object get b/o", "token");
}

#[test]
fn users_may_do_what_their_roles_say() {
    let ais = session();
    jane(&ais, "ro,list-buckets");
    assert_eq!(ais.out("--token-file jane.json object get b/o"), "content");
    ais.fails("--token-file jane.json object put f b/p", "permission");
    let users = ais.json(&auth(&ais, "user ls"));
    let found = users.iter().find(|user| user["user"] == "jane").unwrap();
    assert_eq!(found["roles"][0], "some");
    let shown = ais.out(&auth(&ais, "role ls"));
    assert!(shown.contains("GET,OBJ_HEAD,BCK_HEAD,OBJ_LIST,LIST_BUCKETS"), "{shown}");
    ais.out(&auth(&ais, "role add more --cluster here --bucket b --allow rw --description all"));
    ais.out(&auth(&ais, "user set jane --role more"));
    login(&ais, "jane");
    ais.out("--token-file jane.json object put f b/p");
    ais.fails(&auth(&ais, "user set jane"), "nothing to change");
    ais.out(&auth(&ais, "user rm jane"));
    ais.out(&auth(&ais, "role rm more"));
    ais.fails(&auth(&ais, "user rm jane"), "jane");
    let nobody = ais.output(&auth(&ais, "role add r --cluster here --allow everything"));
    assert_eq!(nobody.status.code(), Some(2));
    assert!(crate::err(&nobody).contains("BUCKET_ADMIN"), "{}", crate::err(&nobody));
}

#[test]
fn clusters_are_known_by_their_alias() {
    let ais = session();
    let added = ais.json(&auth(&ais, &format!("cluster add here {}", ais.url)));
    let id = added[0]["cluster"].as_str().unwrap();
    ais.out(&auth(&ais, &format!("cluster set {id} --alias there")));
    let known = ais.json(&auth(&ais, "cluster ls"));
    assert_eq!(
        (&known[0]["alias"], &known[0]["urls"][0]),
        (&"there".into(), &ais.url.clone().into())
    );
    ais.fails(&auth(&ais, &format!("cluster set {id}")), "nothing to change");
    ais.out(&auth(&ais, "cluster rm there"));
    assert!(ais.json(&auth(&ais, "cluster ls")).is_empty());
}

#[test]
fn a_revoked_token_is_worth_nothing() {
    let ais = session();
    jane(&ais, "su");
    let endpoint = format!("--endpoint={}", ais.url);
    let authn = format!("--authn={}", ais.url);
    let words = ["ais", &endpoint, "--token-file=admin.json", "auth", &authn, "revoke"];
    let mut revoke = crate::command(ais.dir.path(), &words).stdin(Stdio::piped()).spawn().unwrap();
    let token = fs::read(ais.dir.path().join("jane.json")).unwrap();
    revoke.stdin.take().unwrap().write_all(&token).unwrap();
    assert!(revoke.wait().unwrap().success());
    ais.fails("--token-file jane.json object get b/o", "token");
}
