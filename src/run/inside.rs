//! The processes between martinet and the command: one creates namespaces for mounts and process ids, and its child is
//! process 1 in them, which starts the command. In a container, one process does all of this.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Gid, Pid, Uid, initgroups, setgid, sethostname, setuid};
use serde::{Deserialize, Serialize};

use super::contain::{self, Borrowed};
use super::files::{self, Files};
use super::fork::{self, fork};
use super::seal;
use crate::error::Error;

/// The octet that starts the command. Any other octet is the number of a signal for it.
pub(super) const GO: u8 = 0;
/// The report of the first process when the files are in place.
pub(super) const PREPARED: &str = "prepared";

/// The configuration for the first process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Inside {
    pub(crate) files: Files,
    pub(crate) hostname: String,
    /// The user of the command; `None` for the user of this process.
    pub(crate) user: Option<User>,
    /// Whether this is a container, where nothing is mounted.
    pub(crate) contained: bool,
    /// Variables to set for the command, and variables to remove.
    pub(crate) environment: Vec<(String, Option<String>)>,
}

/// The user of the command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The name, for supplementary groups; `None` in a user namespace with only one user.
    pub(crate) name: Option<String>,
}

/// The ends of the pipes to martinet in the first process.
#[derive(Debug)]
pub(super) struct Pipes {
    /// Receives [`Inside`] as a line of JSON, [`GO`], and signals. The command is ended when the pipe is closed.
    pub(super) control: File,
    /// Sends one line: [`PREPARED`], or an error.
    pub(super) status: File,
}

impl Pipes {
    /// Reports to martinet why the command cannot start. Returns the exit code.
    fn refuse(mut self, error: &Error) -> u8 {
        // If martinet has ended, the report is not needed.
        let _ = writeln!(self.status, "{error}");
        2
    }
}

/// Creates namespaces for mounts, process ids and the hostname, and waits for process 1 in them. Returns the exit code.
pub(super) fn isolate(pipes: Pipes, command: &[OsString]) -> u8 {
    let flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUTS;
    let unshared = end_with_martinet()
        .and_then(|()| unshare(flags).map_err(|e| failed("make mounts and process ids", e)));
    if let Err(error) = unshared {
        return pipes.refuse(&error);
    }
    // Afterwards only process 1 has the pipes, so its end is noticed at once.
    let init = fork(move || match end_with_martinet() {
        Ok(()) => initialise(pipes, command),
        Err(error) => pipes.refuse(&error),
    });
    init.map_or(2, |init| init.wait())
}

/// Does the work of process 1 in a container. Returns the exit code.
pub(super) fn contain(pipes: Pipes, command: &[OsString]) -> u8 {
    match block_signals().and_then(|()| contain::adopt()) {
        Ok(()) => initialise(pipes, command),
        Err(error) => pipes.refuse(&error),
    }
}

/// Makes this process end when martinet ends; the signals of a terminal reach the command directly.
fn end_with_martinet() -> Result<(), Error> {
    set_pdeathsig(Signal::SIGKILL).map_err(|e| failed("follow martinet", e))?;
    block_signals()
}

fn block_signals() -> Result<(), Error> {
    let blocked = ended_by().thread_block();
    blocked.map_err(|e| failed("block signals", e))
}

/// Programs inherit blocked signals, so none are blocked for the command.
fn unblock_signals() -> Result<(), Error> {
    let unblocked = ended_by().thread_unblock();
    unblocked.map_err(|e| failed("unblock signals", e))
}

/// The signals that end a command.
fn ended_by() -> SigSet {
    let signals = [
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGHUP,
    ];
    signals.into_iter().collect()
}

fn initialise(pipes: Pipes, command: &[OsString]) -> u8 {
    let Pipes {
        control,
        mut status,
    } = pipes;
    let mut control = BufReader::new(control);
    let mut line = String::new();
    // An incomplete line means that martinet has ended.
    let read = control.read_line(&mut line);
    let Some(inside) = read.ok().and_then(|_| serde_json::from_str(&line).ok()) else {
        return 0;
    };
    let borrowed = match prepare(&inside) {
        Ok(borrowed) => borrowed.map(Arc::new),
        Err(error) => {
            return Pipes {
                control: control.into_inner(),
                status,
            }
            .refuse(&error);
        }
    };
    let _ = writeln!(status, "{PREPARED}");
    drop(status);
    let code = serve(&inside, control, borrowed.clone(), command);
    if let Some(borrowed) = borrowed {
        borrowed.end();
    }
    code
}

/// Starts the command when martinet requests it, and waits until it has ended.
fn serve(
    inside: &Inside,
    mut control: BufReader<File>,
    borrowed: Option<Arc<Borrowed>>,
    command: &[OsString],
) -> u8 {
    let mut go = [0];
    if !matches!(control.read(&mut go), Ok(1)) {
        return 0; // end of --probe, or martinet has ended
    }
    let started = fork(|| become_command(inside, command));
    let Ok(command) = started.inspect_err(complain) else {
        return 2;
    };
    let command = command.id();
    std::thread::spawn(move || forward(control, command, borrowed));
    reap(command)
}

fn prepare(inside: &Inside) -> Result<Option<Borrowed>, Error> {
    if inside.contained {
        return Borrowed::take(&inside.files).map(Some);
    }
    files::mount(&inside.files)?;
    sethostname(&inside.hostname).map_err(|e| failed("set the hostname", e))?;
    Ok(None)
}

/// Forwards signals from martinet. When martinet ends, this process and the command end.
fn forward(mut control: BufReader<File>, command: Pid, borrowed: Option<Arc<Borrowed>>) {
    let mut octet = [0];
    while let Ok(1) = control.read(&mut octet) {
        if let Ok(signal) = Signal::try_from(i32::from(octet[0])) {
            let _ = kill(command, signal);
        }
    }
    if let Some(borrowed) = borrowed {
        borrowed.end();
    }
    std::process::exit(1);
}

/// Reaps orphaned processes until the command ends. Returns its exit code.
fn reap(command: Pid) -> u8 {
    loop {
        match waitpid(None, None) {
            Ok(status) if status.pid() == Some(command) => {
                if let Some(code) = fork::code(status) {
                    return code;
                }
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return 1,
        }
    }
}

/// Executes the command as its user and with its variables. If that fails, returns an exit code like a shell.
fn become_command(inside: &Inside, command: &[OsString]) -> u8 {
    let user = inside.user.as_ref().map_or(Ok(()), become_user);
    if let Err(error) = unblock_signals().and(user) {
        complain(&error);
        return 2;
    }
    let mut process = Command::new(&command[0]);
    process.args(&command[1..]);
    for (name, value) in &inside.environment {
        match value {
            Some(value) => process.env(name, value),
            None => process.env_remove(name),
        };
    }
    let error = process.exec();
    eprintln!("martinet: cannot run {}: {error}", command[0].display());
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    if missing { 127 } else { 126 }
}

fn complain(error: &Error) {
    eprintln!("martinet: {error}");
}

fn become_user(user: &User) -> Result<(), Error> {
    match &user.name {
        None => {
            let made = unshare(CloneFlags::CLONE_NEWUSER);
            made.map_err(|e| failed("make a user namespace", e))?;
            let mapped = seal::map(0, 0, user.uid, user.gid);
            mapped.map_err(|e| Error::io("cannot map the user", e))
        }
        Some(name) => {
            let name = std::ffi::CString::new(name.as_str())
                .map_err(|_| Error::other("the name of a user has no NUL"))?;
            let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
            let set = initgroups(&name, gid)
                .and_then(|()| setgid(gid))
                .and_then(|()| setuid(uid));
            set.map_err(|e| failed("become the user", e))
        }
    }
}

fn failed(what: &str, errno: Errno) -> Error {
    Error::io(format!("cannot {what}"), errno.into())
}
