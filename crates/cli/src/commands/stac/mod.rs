//! `holdall stac`.

pub(crate) mod args;
mod info;
mod input;
mod memory;
mod oauth;
mod progress;
mod search;
mod transfer;

use anyhow::Result;
use holdall::stac::multihash::Algorithm;

use self::args::{Stac, StacCommand};
use super::Context;
use crate::Exit;

/// Runs a subcommand of `holdall stac`.
pub(super) async fn run(context: &Context<'_>, args: &Stac) -> Result<Exit> {
    match &args.command {
        StacCommand::Download(args) => transfer::download(context, args).await,
        StacCommand::Upload(args) => {
            transfer::publish(context, args, Some(Algorithm::Sha256)).await
        }
        StacCommand::Copy(args) => transfer::publish(context, args, None).await,
        StacCommand::Info(args) => info::info(context, args).await,
        StacCommand::Verify(args) => info::verify(context, args).await,
        StacCommand::Search(args) => search::run(context, args).await,
    }
}
