//! The commands. Each takes its arguments, the registry of stores and the printer, and says how it ended.

pub(crate) mod ais;
pub(crate) mod bench;
mod cat;
pub(crate) mod completions;
mod copy;
mod deletion;
mod du;
mod listing;
mod rm;
pub(crate) mod serve;
mod sign;
pub(crate) mod stac;
mod stat;
mod sync;

use std::time::Duration;

use anyhow::Result;
use holdall::store::Registry;
use holdall::store::transfer::Verb;

use crate::Exit;
use crate::args::{Cli, Command, Copy};
use crate::printer::{Printer, is_closed_pipe};

/// How long an interrupted command waits for uploads in parts to be aborted. What is left then the next upload to the
/// same place finds.
pub(crate) const SETTLING: Duration = Duration::from_secs(2);

/// Runs the command of the command line.
pub(crate) async fn run(cli: &Cli, registry: &Registry, printer: &Printer) -> Result<Exit> {
    let context = Context { common: &cli.common, registry, printer };
    let exit = match &cli.command {
        Command::Ls(args) => listing::ls(&context, args).await,
        Command::Find(args) => listing::find(&context, args).await,
        Command::Cat(args) => cat::run(&context, args).await,
        Command::Stat(args) => stat::run(&context, args).await,
        Command::Du(args) => du::run(&context, args).await,
        Command::Get(args) => {
            let args = Copy {
                source: args.source.clone(),
                target: args.target.clone(),
                transfer: args.transfer.clone(),
            };
            copy::run(&context, &args, Verb::Copy).await
        }
        Command::Put(args) => {
            let args = Copy {
                source: args.source.clone(),
                target: args.target.clone(),
                transfer: args.transfer.clone(),
            };
            copy::run(&context, &args, Verb::Copy).await
        }
        Command::Cp(args) => copy::run(&context, args, Verb::Copy).await,
        Command::Mv(args) => copy::run(&context, args, Verb::Move).await,
        Command::Rm(args) => rm::run(&context, args).await,
        Command::Sync(args) => sync::run(&context, args).await,
        Command::Sign(args) => sign::run(&context, args).await,
        Command::Stac(args) => stac::run(&context, args).await,
        Command::Ais(args) => ais::run(&context, args).await,
        // These two are run by `main`.
        Command::Bench(args) => bench::run(&context, args).await,
        Command::Completions(_) | Command::Serve(_) => Ok(Exit::Done),
    }?;
    match printer.flush() {
        Err(error) if !is_closed_pipe(&error) => Err(error),
        _ => Ok(exit),
    }
}

/// What all commands need.
pub(crate) struct Context<'a> {
    pub(crate) common: &'a crate::args::Common,
    pub(crate) registry: &'a Registry,
    pub(crate) printer: &'a Printer,
}

impl Context<'_> {
    fn place(&self, text: &str, end: crate::place::End) -> Result<crate::place::Place> {
        crate::place::Place::open(text, end, self.common, self.registry)
    }
}
