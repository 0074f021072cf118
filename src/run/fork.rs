//! Child processes that continue in this program without an exec, which takes 4 to 7 ms each time.

use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid};

use crate::error::Error;

/// A child of this process.
#[derive(Debug)]
pub(super) struct Process(Pid);

impl Process {
    pub(super) const fn id(&self) -> Pid {
        self.0
    }

    /// Waits until the child has ended. Returns its exit code like a shell.
    pub(super) fn wait(&self) -> u8 {
        loop {
            match waitpid(self.0, None) {
                Ok(status) => {
                    if let Some(code) = code(status) {
                        return code;
                    }
                }
                Err(Errno::EINTR) => {}
                Err(_) => return 1,
            }
        }
    }
}

/// The exit code of a process that has ended, like in a shell.
pub(super) fn code(status: WaitStatus) -> Option<u8> {
    match status {
        WaitStatus::Exited(_, code) => Some(u8::try_from(code & 0xff).unwrap_or(1)),
        WaitStatus::Signaled(_, signal, _) => Some(128 + signal as u8),
        _ => None,
    }
}

/// Forks a child that calls `child` and exits with the returned code. Values owned by the closure are dropped in this
/// process.
///
/// # Errors
/// This process has other threads, or the kernel refuses.
#[expect(unsafe_code, reason = "fork has no safe form")]
pub(super) fn fork(child: impl FnOnce() -> u8) -> Result<Process, Error> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads != 1 {
        return Err(Error::other(format!(
            "a process with {threads} threads cannot fork"
        )));
    }
    // SAFETY: after a fork of a process with several threads, the child can wait forever for a lock that another thread
    // held. This is the only thread, so the child can do everything that this process can do.
    let forked = unsafe { nix::unistd::fork() };
    match forked.map_err(|e| Error::io("cannot make a process", e.into()))? {
        ForkResult::Parent { child } => Ok(Process(child)),
        ForkResult::Child => {
            // A panic must not continue in the code of this process.
            let code = catch_unwind(AssertUnwindSafe(child));
            std::process::exit(i32::from(code.unwrap_or(1)))
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::Signal;

    use super::*;

    #[test]
    fn codes_of_a_shell() {
        let pid = Pid::from_raw(7);
        assert_eq!(code(WaitStatus::Exited(pid, 3)), Some(3));
        assert_eq!(
            code(WaitStatus::Signaled(pid, Signal::SIGKILL, false)),
            Some(137)
        );
        assert_eq!(code(WaitStatus::Continued(pid)), None);
    }

    #[test]
    fn a_process_of_several_threads_is_not_copied() {
        let forked = std::thread::spawn(|| fork(|| 0)).join().expect("no panic");
        let error = forked.expect_err("there are at least two threads");
        assert!(error.to_string().contains("threads"), "{error}");
    }
}
