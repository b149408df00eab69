//! `ais://` in the commands, against a server in this process.

use std::fs;

use holdall::ais::{Client, ClientConfig};
use holdall::ais_server::{Options, Server};

#[test]
fn buckets_are_places_like_any_other() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start(Options::default())).unwrap();
    let client = Client::new(ClientConfig::new(server.url())).unwrap();
    runtime.block_on(client.bucket("b").create(Default::default())).unwrap();
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("data/deep")).unwrap();
    for (key, text) in [("a.txt", "one"), ("deep/b #1.txt", "two")] {
        fs::write(dir.path().join("data").join(key), text).unwrap();
    }
    // More than one part.
    fs::write(dir.path().join("data/large"), vec![7; 20 << 20]).unwrap();
    let config = format!("--config=endpoint={}", server.url());
    let run = |arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.push(&config);
        crate::out(&crate::holdall(dir.path(), &all))
    };
    const KEYS: &str = "a.txt\ndeep/b #1.txt\nlarge\n";
    run(&["sync", "data", "ais://b/p"]);
    assert_eq!(run(&["ls", "-r", "ais://b/p"]), KEYS);
    assert_eq!(run(&["sync", "data", "ais://b/p", "--json"]), "");
    assert_eq!(run(&["cat", "ais://b/p/deep/b%20%231.txt"]), "two");
    run(&["cp", "-r", "ais://b/p", "ais://b/q"]);
    run(&["cp", "-r", "ais://b/q", "back"]);
    assert_eq!(crate::out(&crate::holdall(dir.path(), &["ls", "-r", "back"])), KEYS);
    run(&["mv", "ais://b/q/a.txt", "ais://b/moved.txt"]);
    assert_eq!(run(&["cat", "ais://b/moved.txt"]), "one");
    assert!(run(&["stat", "ais://b/moved.txt"]).contains("ais://b/moved.txt"));
    run(&["rm", "-r", "ais://b/q"]);
    assert_eq!(run(&["ls", "-r", "ais://b/q/"]), "");
    let missing = crate::holdall(dir.path(), &["cat", "ais://b/none", &config]);
    assert!(crate::err(&missing).contains("not found"), "{}", crate::err(&missing));
    let one = crate::holdall(dir.path(), &["sync", "ais://b/moved.txt", "one", &config]);
    assert_eq!(one.status.code(), Some(1));
    assert!(crate::err(&one).contains("moved.txt is an object"), "{}", crate::err(&one));
    let none = crate::holdall(dir.path(), &["sync", "ais://b/misspelt", "none", &config]);
    assert_eq!(none.status.code(), Some(0));
    assert!(crate::err(&none).contains("nothing is below ais://b/misspelt"), "{none:?}");
}
