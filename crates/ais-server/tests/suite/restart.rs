//! Folders: what is there after a restart, and who may use one.

use holdall_ais_server::{Fsync, Options, Server};
use reqwest::Method;

use crate::support::{Ais, header};

#[tokio::test]
async fn objects_are_there_after_a_restart() {
    for fsync in [Fsync::Always, Fsync::Commit, Fsync::Never] {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { data: Some(folder.path().to_owned()), fsync, ..Options::default() };
        let ais = Ais::with(options.clone()).await;
        let uuid = ais.server.engine().identity().uuid.clone();
        ais.create("b").await;
        ais.put("b/o", "abc").await;
        ais.put("b/o", "abcd").await;
        ais.put("b/gone", "x").await;
        assert_eq!(ais.send(Method::DELETE, "/v1/objects/b/gone").await.status(), 200);
        ais.server.shutdown().await;
        let ais = Ais::with(options).await;
        assert_eq!(ais.server.engine().identity().uuid, uuid);
        let reply = ais.get("b/o").await;
        assert_eq!(header(&reply, "ais-version"), "2");
        assert_eq!(reply.text().await.unwrap(), "abcd");
        assert_eq!(ais.get("b/gone").await.status(), 404);
    }
}

#[tokio::test]
async fn a_folder_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { data: Some(folder.path().to_owned()), ..Options::default() };
    let first = Server::start(options.clone()).await.unwrap();
    let error = Server::start(options.clone()).await.err().expect("the second is refused");
    assert!(error.to_string().contains("another process uses the data folder"), "{error}");
    first.shutdown().await;
    Server::start(options).await.unwrap().shutdown().await;
}
