//! `martinet run`: one command in a sealed network. Only Linux has the namespaces for it.

#[cfg(target_os = "linux")]
mod linux;

use super::args::Run;
use crate::error::Error;

/// Runs the command. Returns its exit code.
#[cfg(target_os = "linux")]
pub(super) fn run(options: &Run) -> Result<u8, Error> {
    linux::run(options)
}

/// Explains the alternatives on other systems.
#[cfg(not(target_os = "linux"))]
pub(super) fn run(_: &Run) -> Result<u8, Error> {
    Err(Error::other(
        "martinet run needs Linux, whose namespaces it uses; start it in a Linux container, \
         or use martinet serve and point the sender at its ports",
    ))
}
