//! The processes between martinet and the command: `Unshare` makes mounts and process ids, `Init` is process 1 of them, and
//! `Become` is the command before its user is set.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Gid, Pid, Uid, close, initgroups, setgid, sethostname, setuid};
use serde::{Deserialize, Serialize};

use super::OURSELVES;
use super::contain::{self, Borrowed};
use super::files::{self, Files};
use super::{ranges, seal};
use crate::error::Error;

/// The octet that starts the command. Any other octet is the number of a signal for it.
pub(super) const GO: u8 = 0;
/// What the first process reports when the files are in place.
pub(super) const PREPARED: &str = "prepared";

/// A process between martinet and the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Unshares mounts, process ids and the hostname.
    Unshare,
    /// Is process 1.
    Init,
    /// Does what process 1 does, in a container.
    Contain,
    /// Maps ranges of ids for martinet.
    Map,
    /// Sets the user and becomes the command.
    Become,
}

/// What the first process has to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Inside {
    pub(crate) files: Files,
    pub(crate) hostname: String,
    /// The user of the command; `None` leaves it as it is.
    pub(crate) user: Option<User>,
    /// Whether this is in a container, where nothing is mounted.
    pub(crate) contained: bool,
    /// Variables of the command, and those that it does not get.
    pub(crate) environment: Vec<(String, Option<String>)>,
}

/// The user of the command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The name, by which supplementary groups are found; `None` in a user namespace, which has one user only.
    pub(crate) name: Option<String>,
}

/// Continues as one of the stages. Returns the exit code.
///
/// # Errors
/// The kernel refuses, or the command does not exist.
pub(crate) fn enter(
    stage: Stage,
    control: Option<i32>,
    status: Option<i32>,
    user: Option<User>,
    command: Vec<std::ffi::OsString>,
) -> Result<u8, Error> {
    if stage == Stage::Map {
        return ranges::help();
    }
    let (Some(control), Some(status)) = (control, status) else {
        return match stage {
            Stage::Become => become_command(user.as_ref(), &command),
            _ => Err(Error::other("martinet run starts this command itself")),
        };
    };
    match stage {
        Stage::Unshare => isolate(control, status, &command),
        Stage::Init => {
            outlive_nothing()?;
            initialise(control, status, &command)
        }
        Stage::Contain => {
            block_signals()?;
            contain::adopt()?;
            initialise(control, status, &command)
        }
        Stage::Map | Stage::Become => Err(Error::other("this stage has no pipes")),
    }
}

/// Ends with martinet, whatever ends it; the signals of a terminal reach the command by themselves.
fn outlive_nothing() -> Result<(), Error> {
    set_pdeathsig(Signal::SIGKILL).map_err(|e| failed("follow martinet", e))?;
    block_signals()
}

fn block_signals() -> Result<(), Error> {
    let blocked = ended_by().thread_block();
    blocked.map_err(|e| failed("block signals", e))
}

/// A program inherits which signals are blocked: the command has none of them blocked.
fn unblock_signals() -> std::io::Result<()> {
    ended_by().thread_unblock().map_err(std::io::Error::from)
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

fn isolate(control: i32, status: i32, command: &[std::ffi::OsString]) -> Result<u8, Error> {
    outlive_nothing()?;
    let flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUTS;
    unshare(flags).map_err(|e| failed("make mounts and process ids", e))?;
    let mut init = Command::new(OURSELVES);
    init.args(arguments("init", control, status)).args(command);
    let spawned = init.spawn();
    let mut init = spawned.map_err(|e| Error::io("cannot start process 1", e))?;
    // Only process 1 writes the status: its end is seen at once.
    for descriptor in [control, status] {
        close(descriptor).map_err(|e| failed("close a pipe", e))?;
    }
    let ended = init.wait().map_err(|e| Error::io("cannot wait", e))?;
    Ok(code(ended))
}

/// The arguments of a stage, up to the command.
pub(super) fn arguments(stage: &str, control: i32, status: i32) -> Vec<String> {
    vec![
        "run-inside".to_owned(),
        format!("--stage={stage}"),
        format!("--control={control}"),
        format!("--status={status}"),
        "--".to_owned(),
    ]
}

/// Opens a pipe that was inherited under a number, so that programs do not inherit it in turn.
fn inherited(descriptor: i32, write: bool) -> Result<std::fs::File, Error> {
    let path = PathBuf::from(format!("/proc/self/fd/{descriptor}"));
    let opened = std::fs::OpenOptions::new()
        .read(!write)
        .write(write)
        .open(path);
    let opened = opened.map_err(|e| Error::io("cannot open a pipe", e))?;
    close(descriptor).map_err(|e| failed("close a pipe", e))?;
    Ok(opened)
}

fn initialise(control: i32, status: i32, command: &[std::ffi::OsString]) -> Result<u8, Error> {
    let mut control = BufReader::new(inherited(control, false)?);
    let mut status = inherited(status, true)?;
    let mut line = String::new();
    let read = control.read_line(&mut line);
    read.map_err(|e| Error::io("cannot read from martinet", e))?;
    let inside: Inside =
        serde_json::from_str(&line).map_err(|e| Error::other(format!("martinet ended: {e}")))?;
    let prepared = prepare(&inside);
    let report = match &prepared {
        Ok(_) => PREPARED.to_owned(),
        Err(error) => error.to_string(),
    };
    let _ = writeln!(status, "{report}");
    drop(status);
    let borrowed = prepared?.map(Arc::new);
    let code = serve(&inside, control, borrowed.clone(), command);
    if let Some(borrowed) = borrowed {
        borrowed.end();
    }
    code
}

/// Starts the command when martinet says so, and waits for its end.
fn serve(
    inside: &Inside,
    mut control: BufReader<std::fs::File>,
    borrowed: Option<Arc<Borrowed>>,
    command: &[std::ffi::OsString],
) -> Result<u8, Error> {
    let mut go = [0];
    if !matches!(control.read(&mut go), Ok(1)) {
        return Ok(0); // --probe asks for no more, or martinet has ended
    }
    let child = match start(inside, command) {
        Ok(child) => child,
        Err(error) => {
            eprintln!("martinet: cannot run {}: {error}", command[0].display());
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            return Ok(if missing { 127 } else { 126 });
        }
    };
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    std::thread::spawn(move || forward(control, pid, borrowed));
    reap(pid)
}

fn prepare(inside: &Inside) -> Result<Option<Borrowed>, Error> {
    if inside.contained {
        return Borrowed::take(&inside.files).map(Some);
    }
    files::mount(&inside.files)?;
    sethostname(&inside.hostname).map_err(|e| failed("set the hostname", e))?;
    Ok(None)
}

fn start(inside: &Inside, command: &[std::ffi::OsString]) -> std::io::Result<Child> {
    // Process 1 of a namespace is immune to signals that it does not handle. In a container, they would end the process that
    // puts files back: there the signals are unblocked after the fork.
    let mut process = if inside.user.is_none() && !inside.contained {
        Command::new(&command[0])
    } else {
        let mut process = Command::new(OURSELVES);
        process.args(["run-inside", "--stage=become"]);
        if let Some(User { uid, gid, name }) = &inside.user {
            process
                .arg(format!("--uid={uid}"))
                .arg(format!("--gid={gid}"));
            if let Some(name) = name {
                process.arg(format!("--name={name}"));
            }
        }
        process.arg("--").arg(&command[0]);
        process
    };
    for (name, value) in &inside.environment {
        match value {
            Some(value) => process.env(name, value),
            None => process.env_remove(name),
        };
    }
    process.args(&command[1..]);
    if inside.contained {
        return process.spawn();
    }
    // A child has the signals blocked that the thread has which makes it.
    let spawned = std::thread::spawn(move || {
        unblock_signals()?;
        process.spawn()
    });
    let failed = || std::io::Error::other("a thread has failed");
    spawned.join().map_err(|_| failed())?
}

/// Forwards signals from martinet. When martinet ends, everything here ends.
fn forward(mut control: BufReader<std::fs::File>, command: Pid, borrowed: Option<Arc<Borrowed>>) {
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

/// Collects the ends of processes that lost their parents, until the command ends.
fn reap(command: Pid) -> Result<u8, Error> {
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == command => {
                return Ok(u8::try_from(code & 0xff).unwrap_or(1));
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == command => {
                return Ok(128 + signal as u8);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(failed("wait", e)),
        }
    }
}

fn become_command(user: Option<&User>, command: &[std::ffi::OsString]) -> Result<u8, Error> {
    unblock_signals().map_err(|e| Error::io("cannot unblock signals", e))?;
    if let Some(user) = user {
        become_user(user)?;
    }
    let error = Command::new(&command[0]).args(&command[1..]).exec();
    eprintln!("martinet: cannot run {}: {error}", command[0].display());
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    Ok(if missing { 127 } else { 126 })
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

/// The exit code as a shell shows it.
pub(super) fn code(ended: ExitStatus) -> u8 {
    match (ended.code(), ended.signal()) {
        (Some(code), _) => u8::try_from(code & 0xff).unwrap_or(1),
        (None, Some(signal)) => 128u8.saturating_add(u8::try_from(signal).unwrap_or(0)),
        (None, None) => 1,
    }
}

fn failed(what: &str, errno: Errno) -> Error {
    Error::io(format!("cannot {what}"), errno.into())
}
