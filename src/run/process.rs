//! The command in its namespaces, as martinet sees it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::unistd::pipe2;

use super::OURSELVES;
use super::inside::{self, GO, Inside, PREPARED, arguments};
use crate::error::Error;

/// The processes of a command. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Sealed {
    child: Child,
    control: File,
}

impl Sealed {
    /// Makes the namespaces of a command and its files. The command starts with [`Sealed::go`].
    ///
    /// # Errors
    /// The kernel refuses.
    pub(crate) fn prepare(inside: &Inside, command: &[OsString]) -> Result<Self, Error> {
        let (control_read, control) = pipe()?;
        let (status, status_write) = pipe()?;
        inherit(&control_read)?;
        inherit(&status_write)?;
        let numbers = (control_read.as_raw_fd(), status_write.as_raw_fd());
        let mut process = Command::new(OURSELVES);
        let stage = if inside.contained {
            "contain"
        } else {
            "unshare"
        };
        process.args(arguments(stage, numbers.0, numbers.1));
        let spawned = process.args(command).spawn();
        let child = spawned.map_err(|e| Error::io("cannot start this program again", e))?;
        drop((control_read, status_write));
        let mut sealed = Self {
            child,
            control: File::from(control),
        };
        let line = serde_json::to_string(inside).map_err(|e| Error::other(e.to_string()))?;
        // Where the other end is gone, the status says why.
        let _ = sealed.control.write_all(format!("{line}\n").as_bytes());
        let mut report = String::new();
        let read = BufReader::new(File::from(status)).read_line(&mut report);
        read.map_err(|e| Error::io("cannot read from process 1", e))?;
        match report.trim_end() {
            PREPARED => Ok(sealed),
            "" => Err(Error::other("mounts and process ids cannot be made")),
            reason => Err(Error::other(reason)),
        }
    }

    /// Ends without the command, and waits until everything is as it was.
    pub(crate) fn end(mut self) {
        drop(self.control);
        let _ = self.child.wait();
    }

    /// Starts the command. Returns the way to signal it, and the wait for its exit code.
    ///
    /// # Errors
    /// Process 1 has ended.
    pub(crate) fn go(mut self) -> Result<(Control, impl FnOnce() -> u8 + Send), Error> {
        let written = self.control.write_all(&[GO]);
        written.map_err(|e| Error::io("cannot start the command", e))?;
        let wait = move || self.child.wait().map_or(1, inside::code);
        Ok((Control(self.control), wait))
    }
}

/// Signals a command. Dropping it ends the command.
#[derive(Debug)]
pub(crate) struct Control(File);

impl Control {
    /// Sends a signal to the command; one that has ended gets none.
    pub(crate) fn signal(&mut self, number: u8) {
        let _ = self.0.write_all(&[number]);
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Error> {
    pipe2(OFlag::O_CLOEXEC).map_err(|e| Error::io("cannot make a pipe", e.into()))
}

/// Leaves a descriptor open in the next program.
fn inherit(descriptor: &OwnedFd) -> Result<(), Error> {
    let set = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty()));
    set.map(drop)
        .map_err(|e| Error::io("cannot pass a pipe on", e.into()))
}
