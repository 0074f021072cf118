//! The processes of the command, from the side of martinet.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::fcntl::OFlag;
use nix::unistd::{close, pipe2};

use super::fork::{Process, fork};
use super::inside::{self, GO, Inside, PREPARED, Pipes};
use crate::error::Error;

/// The processes of a command. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Sealed {
    process: Process,
    control: File,
    status: File,
}

impl Sealed {
    /// Starts the processes between this one, which must have only one thread, and the command. They prepare while
    /// martinet prepares. `outer` is a socket that they close.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(crate) fn begin(
        contained: bool,
        command: &[OsString],
        outer: Option<RawFd>,
    ) -> Result<Self, Error> {
        let (control_read, control) = pipe()?;
        let (status, status_write) = pipe()?;
        let ours = [Some(control.as_raw_fd()), Some(status.as_raw_fd()), outer];
        let pipes = Pipes {
            control: control_read.into(),
            status: status_write.into(),
        };
        let process = fork(move || {
            for descriptor in ours.into_iter().flatten() {
                let _ = close(descriptor);
            }
            match contained {
                true => inside::contain(pipes, command),
                false => inside::isolate(pipes, command),
            }
        })?;
        Ok(Self {
            process,
            control: control.into(),
            status: status.into(),
        })
    }

    /// Prepares the files of the command, which [`Sealed::go`] starts.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(crate) fn prepare(&mut self, inside: &Inside) -> Result<(), Error> {
        let line = serde_json::to_string(inside).map_err(|e| Error::other(e.to_string()))?;
        // If the other end is closed, the status has the reason.
        let _ = self.control.write_all(format!("{line}\n").as_bytes());
        let mut report = String::new();
        let read = BufReader::new(&self.status).read_line(&mut report);
        read.map_err(|e| Error::io("cannot read from process 1", e))?;
        match report.trim_end() {
            PREPARED => Ok(()),
            "" => Err(Error::other(
                "namespaces for mounts and process ids cannot be created",
            )),
            reason => Err(Error::other(reason)),
        }
    }

    /// Ends without starting the command, and waits until everything is restored.
    pub(crate) fn end(self) {
        drop(self.control);
        self.process.wait();
    }

    /// Starts the command. Returns a handle for signals, and a function that waits for its exit code.
    ///
    /// # Errors
    /// Process 1 has ended.
    pub(crate) fn go(mut self) -> Result<(Control, impl FnOnce() -> u8 + Send), Error> {
        let written = self.control.write_all(&[GO]);
        written.map_err(|e| Error::io("cannot start the command", e))?;
        let process = self.process;
        Ok((Control(self.control), move || process.wait()))
    }
}

/// Signals a command. Dropping it ends the command.
#[derive(Debug)]
pub(crate) struct Control(File);

impl Control {
    /// Sends a signal to the command, unless it has ended.
    pub(crate) fn signal(&mut self, number: u8) {
        let _ = self.0.write_all(&[number]);
    }
}

/// Creates a pipe that programs do not inherit.
fn pipe() -> Result<(OwnedFd, OwnedFd), Error> {
    pipe2(OFlag::O_CLOEXEC).map_err(|e| Error::io("cannot make a pipe", e.into()))
}
