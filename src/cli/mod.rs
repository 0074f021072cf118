//! The subcommands: the only place that prints.
//!
//! Exit codes: 0 accepted or as expected, 1 refused or not as expected, 2 usage, scenario or environment.

mod args;
mod capture;
mod catalogue;
mod demo;
mod find;
mod health;
mod journal;
mod live;
mod manual;
mod matrix;
mod paint;
mod ready;
mod run;
mod send;
mod serve;
mod signals;
mod verify;
mod what_if;
mod world;

pub use args::Arguments;

use std::io::Write;

use args::Command;

use crate::error::Error;

/// Runs a command and returns its exit code: 0 or 1, or that of the program that `martinet run` ran.
///
/// # Errors
/// Usage, scenario and environment mistakes.
pub fn run(arguments: Arguments) -> Result<u8, Error> {
    let as_expected = match arguments.command {
        Command::Run(options) => return run::run(&options),
        Command::Demo(options) => wait_for(demo::run(options)),
        Command::Serve(options) => wait_for(serve::run(options)),
        Command::Check(options) => wait_for(what_if::run(options)),
        Command::Capture(options) => capture::run(&options),
        Command::Find(options) => find::run(&options),
        Command::Matrix(options) => matrix::run(&options),
        Command::Verify(options) => wait_for(verify::run(options)),
        Command::Send(options) => wait_for(send::run(options)),
        Command::List(options) => catalogue::list(&options),
        Command::Show(options) => catalogue::show(&options),
        Command::Lint(options) => catalogue::lint(&options),
        Command::Journal(options) => journal::run(&options),
        Command::Readyz(options) => wait_for(health::readyz(options)),
        Command::Livez(options) => wait_for(health::livez(options)),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man => manual::page(),
    };
    as_expected.map(|as_expected| u8::from(!as_expected))
}

/// Prints an error to standard error.
pub fn complain(error: &Error) {
    let mut err = anstream::stderr().lock();
    let red = paint::REFUSED;
    let _ = if error.is_scenario() {
        writeln!(err, "{error}")
    } else {
        writeln!(err, "{red}error{red:#}: {error}")
    };
}

/// Prints warnings to standard error.
fn warn(report: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{report}");
}

fn wait_for<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime
        .map_err(|e| Error::io("cannot start the runtime", e))?
        .block_on(work)
}

/// Writes to standard output; a closed pipe (`martinet list | head -1`) is not an error.
fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes to standard error in one call. The command of `run` shares standard error, and a stream that removes colours
/// would write a line in several parts, between which the command could write.
#[cfg(target_os = "linux")]
fn print_to_stderr(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = match anstream::AutoStream::choice(&err) {
        anstream::ColorChoice::Never => {
            let plain = anstream::adapter::strip_str(text).to_string();
            err.write_all(plain.as_bytes())
        }
        _ => err.write_all(text.as_bytes()),
    };
}

fn print_json(value: &impl serde::Serialize) -> Result<(), Error> {
    let text = serde_json::to_string(value).map_err(|e| Error::other(e.to_string()))?;
    print(&format!("{text}\n"));
    Ok(())
}
