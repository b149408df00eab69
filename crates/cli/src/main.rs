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
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

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
    /// It was told to end, and has put things in order.
    Told(Told),
}

/// How a command was told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// By whoever sits at the terminal (SIGINT).
    Interrupted,
    /// By whoever runs it for others: a service manager, `timeout`, a container (SIGTERM).
    Terminated,
}

impl Told {
    /// Waits until it is.
    async fn to_end() -> Self {
        let interrupted = tokio::signal::ctrl_c();
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            // Nothing can be put in order then, which costs no more than a kill does.
            drop(interrupted.await);
            return Self::Interrupted;
        };
        tokio::select! {
            _ = interrupted => Self::Interrupted,
            _ = terminate.recv() => Self::Terminated,
        }
    }

    /// What is said of it, and the exit status: 128 and the number of the signal.
    fn outcome(self) -> (&'static str, u8) {
        match self {
            Self::Interrupted => ("interrupted", 130),
            Self::Terminated => ("terminated", 143),
        }
    }
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
        // A limit on the length of files (`ulimit -f`) is an error of who writes then, and not the end of the process.
        let _too_long = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()));
        if let Command::Serve(args) = &cli.command {
            // It ends by signals, in its own way.
            return commands::serve::run(args, &printer).await;
        }
        if let Command::Bench(_) = &cli.command {
            return commands::run(&cli, holdall::registry(), &printer).await;
        }
        let told = tokio::select! {
            ended = commands::run(&cli, holdall::registry(), &printer) => return ended,
            told = Told::to_end() => told,
        };
        settle().await;
        Ok(Exit::Told(told))
    });
    // Blocking reads of standard input must not hold up the end.
    runtime.shutdown_background();
    match ended {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Partial) => ExitCode::from(3),
        Err(error) if printer::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            printer.error(&format!("{error:#}"));
            ExitCode::from(1)
        }
        Ok(Exit::Told(told)) => {
            let (text, status) = told.outcome();
            printer.error(text);
            ExitCode::from(status)
        }
    }
}

/// Waits, a little, for uploads that were cut off to be aborted. Who is told a second time waits no more.
async fn settle() {
    let aborted = async {
        while aborting() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = tokio::time::timeout(commands::SETTLING, aborted) => {}
        _ = Told::to_end() => {}
    }
}
