//! The `holdall` command: parse ([`args`]), resolve ([`place`]), run ([`commands`]), print ([`printer`]).

mod args;
mod auth;
mod commands;
mod place;
mod printer;
mod warnings;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use holdall::store::transfer::aborting;

use args::{Cli, Command};
use printer::Printer;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// Everything was done.
    Done,
    /// Some objects failed; the others were done.
    Partial,
    /// It was interrupted, and has put things in order.
    Interrupted,
}

fn main() -> ExitCode {
    let mut cli = Cli::parse_from(commands::stac::args::spelled(std::env::args_os().collect()));
    if let Command::Stac(stac) = &cli.command {
        cli.common.verbose |= stac.is_talkative();
    }
    if let Command::Completions(args) = &cli.command {
        return commands::completions::run(args);
    }
    let mut printer = Printer::new(&cli.common);
    if let Command::Stac(stac) = &cli.command
        && stac.is_taciturn()
    {
        printer.errors_only();
    }
    let printer = printer;
    // The server has a log.
    if printer.tells_notes() && !matches!(cli.command, Command::Serve(_)) {
        warnings::show();
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            printer.error(&format!("cannot start: {error}"));
            return ExitCode::from(1);
        }
    };
    let ended = runtime.block_on(async {
        if let Command::Serve(args) = &cli.command {
            // It ends by signals, in its own way.
            return Some(commands::serve::run(args, &printer).await);
        }
        if let Command::Bench(_) = &cli.command {
            return Some(commands::run(&cli, holdall::registry(), &printer).await);
        }
        tokio::select! {
            ended = commands::run(&cli, holdall::registry(), &printer) => Some(ended),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    if ended.is_none() {
        runtime.block_on(settle());
    }
    // Blocking reads of standard input must not hold up the end.
    runtime.shutdown_background();
    match ended {
        Some(Ok(Exit::Done)) => ExitCode::SUCCESS,
        Some(Ok(Exit::Partial)) => ExitCode::from(3),
        Some(Err(error)) if printer::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            printer.error(&format!("{error:#}"));
            ExitCode::from(1)
        }
        None | Some(Ok(Exit::Interrupted)) => {
            printer.error("interrupted");
            ExitCode::from(130)
        }
    }
}

/// Waits, a little, for uploads that were cut off to be aborted. A second interrupt ends the wait.
async fn settle() {
    let aborted = async {
        while aborting() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = tokio::time::timeout(commands::SETTLING, aborted) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
