//! `holdall cat`.

use anyhow::{Context as _, Result, bail};
use futures::TryStreamExt;
use holdall::store::object_store::{GetOptions, GetRange, ObjectStore};
use holdall::store::transfer::Transfer;

use super::Context;
use crate::Exit;
use crate::args::Cat;
use crate::place::{End, Place};

pub(super) async fn run(context: &Context<'_>, args: &Cat) -> Result<Exit> {
    let range = args.range.as_deref().map(range).transpose()?;
    let mut exit = Exit::Done;
    for text in &args.places {
        let place = context.place(text, End::Only)?;
        let written = match &range {
            Some(range) => range_to_stdout(context, &place, range.clone()).await,
            None => to_stdout(context, &place, &Transfer::new()).await,
        };
        if let Err(error) = written {
            if crate::printer::is_closed_pipe(&error) || args.places.len() == 1 {
                return Err(error);
            }
            context.printer.error(&format!("{error:#}"));
            exit = Exit::Partial;
        }
    }
    Ok(exit)
}

/// Writes an object to standard output. Whether it is what the service states shows at its end.
pub(super) async fn to_stdout(
    context: &Context<'_>,
    place: &Place,
    transfer: &Transfer,
) -> Result<()> {
    let (_, mut content) = transfer.stream(&place.store, &place.path).await?;
    while let Some(piece) = content.try_next().await? {
        context.printer.bytes(&piece)?;
    }
    context.printer.flush()
}

/// Writes a range of an object to standard output, checking that all of it came.
async fn range_to_stdout(context: &Context<'_>, place: &Place, range: GetRange) -> Result<()> {
    let failed = |e| place.store.error("read", &place.path, e);
    let options = GetOptions { range: Some(range), ..GetOptions::default() };
    let got = place.store.get_opts(&place.path, options).await.map_err(failed)?;
    let expected = got.range.end - got.range.start;
    let mut received = 0;
    let mut stream = got.into_stream();
    while let Some(piece) = stream.try_next().await.map_err(failed)? {
        received += piece.len() as u64;
        context.printer.bytes(&piece)?;
    }
    if received != expected {
        bail!("read {}: received {received} bytes of {expected}", place.url());
    }
    context.printer.flush()
}

/// Reads `START-END` (inclusive), `START-` or `-LENGTH`.
fn range(text: &str) -> Result<GetRange> {
    let wrong = || format!("'{text}' is no range: expected START-END, START- or -LENGTH in bytes");
    let (start, end) = text.split_once('-').with_context(wrong)?;
    let number = |digits: &str| digits.parse::<u64>().with_context(wrong);
    Ok(match (start, end) {
        ("", length) => GetRange::Suffix(number(length)?),
        (start, "") => GetRange::Offset(number(start)?),
        (start, end) => {
            let (start, end) = (number(start)?, number(end)?);
            if end < start {
                bail!("{}", wrong());
            }
            GetRange::Bounded(start..end + 1)
        }
    })
}
