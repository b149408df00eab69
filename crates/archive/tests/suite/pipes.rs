//! Archives to and from asynchronous code.

use std::{io, io::Write as _, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use holdall_archive::{
    ErrorKind, Format,
    pipe::{self, Piece},
};

use super::{FORMATS, Files, files, write};

fn chunks(
    bytes: Vec<u8>,
    size: usize,
) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static {
    let bytes = Bytes::from(bytes);
    let starts = (0..bytes.len()).step_by(size);
    futures::stream::iter(starts.map(move |at| Ok(bytes.slice(at..bytes.len().min(at + size)))))
}

async fn collect(
    stream: impl futures::Stream<Item = holdall_archive::Result<Piece>> + Unpin,
) -> holdall_archive::Result<Files> {
    let mut all = Files::new();
    let mut stream = stream;
    while let Some(piece) = stream.try_next().await? {
        match piece {
            Piece::Member(member) => all.push((member.name, Vec::new())),
            Piece::Content(bytes) => all.last_mut().unwrap().1.extend_from_slice(&bytes),
        }
    }
    Ok(all)
}

#[tokio::test]
async fn a_stream_is_taken_apart() {
    let all = files(&[("a", b"1"), ("b", b""), ("c", &[9; 300_000])]);
    for format in FORMATS {
        for size in [1000, 100_000] {
            let stream = pipe::pieces(chunks(write(format, &all), size), format);
            assert_eq!(collect(stream).await.unwrap(), all);
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_an_error_of_the_stream() {
    for format in FORMATS {
        let bytes = write(format, &files(&[("c", &[9; 3000])]));
        let half = bytes[..bytes.len() / 2].to_vec();
        let broken = chunks(half.clone(), 100)
            .chain(futures::stream::once(async { Err(io::Error::other("cut")) }));
        let error = collect(pipe::pieces(broken, format)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        let error = collect(pipe::pieces(chunks(half, 100), format)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
    }
}

#[tokio::test]
async fn one_member_as_a_stream() {
    let all = files(&[("a", b"1"), ("in/b.txt", &[7; 200_000])]);
    for format in FORMATS {
        let source = Arc::new(write(format, &all));
        let (member, stream) =
            pipe::member(source.clone(), format, "in/b.txt".into()).await.unwrap().unwrap();
        assert_eq!(member.size, 200_000);
        let content: Vec<Bytes> = stream.try_collect().await.unwrap();
        assert_eq!(content.concat(), vec![7; 200_000]);
        assert!(pipe::member(source, format, "none".into()).await.unwrap().is_none());
        let error = pipe::member(Arc::new(vec![1; 600]), format, "x".into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }
}

#[tokio::test]
async fn a_writer_that_ends_early_does_not_look_finished() {
    let (mut writer, stream) = pipe::channel();
    tokio::task::spawn_blocking(move || writer.write_all(b"half").and_then(|()| writer.flush()));
    let all: Vec<_> = stream.collect().await;
    assert_eq!(all[0].as_deref().unwrap(), b"half");
    assert_eq!(all[1].as_ref().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(all.len(), 2);

    let (mut writer, stream) = pipe::channel();
    tokio::task::spawn_blocking(move || writer.write_all(b"whole").and_then(|()| writer.finish()));
    assert_eq!(stream.count().await, 1);
}

#[tokio::test]
async fn a_reader_that_goes_away_stops_the_writer() {
    let (mut writer, stream) = pipe::channel();
    drop(stream);
    let result =
        tokio::task::spawn_blocking(move || writer.write_all(&[0; 1 << 20])).await.unwrap();
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);

    // Nothing is left waiting: the endless source is let go.
    let endless = futures::stream::repeat_with(|| Ok(Bytes::from_static(&[b'x'; 512])));
    let header = futures::stream::iter([Ok(Bytes::from({
        let mut tar = write(Format::Tar, &files(&[("endless", &[0; 512])]));
        tar.truncate(512);
        tar
    }))]);
    let mut stream = pipe::pieces(header.chain(endless), Format::Tar);
    assert!(matches!(stream.next().await, Some(Ok(Piece::Member(_)))));
    drop(stream);
}
