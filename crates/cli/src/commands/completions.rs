//! `holdall completions`.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::{Cli, Completions};

pub(crate) fn run(args: &Completions) -> ExitCode {
    clap_complete::generate(args.shell, &mut Cli::command(), "holdall", &mut std::io::stdout());
    ExitCode::SUCCESS
}
