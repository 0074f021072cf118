//! The `martinet` command: parse arguments, call one function, map the outcome to an exit code.

use std::process::ExitCode;

use clap::Parser;
use martinet::cli;

/// Sessions and messages make many small allocations; glibc's allocator takes a sixth of the CPU of short sessions.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match cli::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap uses exit code 2 for mistakes and 0 for --help, which is the contract here too.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match cli::run(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            cli::complain(&error);
            ExitCode::from(2)
        }
    }
}
