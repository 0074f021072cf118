//! A container that has a network of its own already, and may not make another one: martinet serves in that network, and the
//! files that decide how names are looked up are rewritten and put back.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use parking_lot::Mutex;

use super::files::Files;
use crate::error::Error;

/// Files that container engines make, and variables that they set.
const MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];
const VARIABLES: [&str; 2] = ["container", "KUBERNETES_SERVICE_HOST"];

/// Whether this process is in a container.
pub(super) fn is_container() -> bool {
    MARKS.iter().any(|mark| Path::new(mark).exists())
        || VARIABLES
            .iter()
            .any(|name| std::env::var_os(name).is_some())
}

/// Whether every network interface ends in another network namespace, as those of a container do. On the machine itself, and with
/// `--network host`, there are interfaces that do not.
pub(super) fn owns_network() -> bool {
    let Ok(interfaces) = fs::read_dir("/sys/class/net") else {
        return false;
    };
    let number = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u32>().ok();
    interfaces.flatten().map(|entry| entry.path()).all(|path| {
        let loopback = path.file_name().is_some_and(|name| name == "lo");
        let up =
            fs::read_to_string(path.join("operstate")).is_ok_and(|state| state.trim() != "down");
        loopback || !up || number(path.join("ifindex")) != number(path.join("iflink"))
    })
}

/// Files that are rewritten until the command has ended.
#[derive(Debug)]
pub(super) struct Borrowed {
    /// Each file with what it had; `None` where there was none.
    originals: Mutex<Vec<(PathBuf, Option<Vec<u8>>)>>,
}

impl Borrowed {
    /// Rewrites the files in place: an engine mounts some of them, so that they cannot be replaced.
    ///
    /// # Errors
    /// A file cannot be written. What was written is put back.
    pub(super) fn take(files: &Files) -> Result<Self, Error> {
        let borrowed = Self {
            originals: Mutex::default(),
        };
        for (path, text) in files.in_place() {
            let original = fs::read(path).ok();
            borrowed.originals.lock().push((path.to_owned(), original));
            if let Err(error) = fs::write(path, text) {
                borrowed.put_back();
                return Err(Error::io(format!("cannot write {}", path.display()), error));
            }
        }
        Ok(borrowed)
    }

    /// Puts the files back, once.
    fn put_back(&self) {
        let mut originals = self.originals.lock();
        for (path, original) in originals.drain(..) {
            // Nobody is left to tell of a failure.
            let _ = match original {
                Some(octets) => fs::write(&path, octets),
                None => fs::remove_file(&path),
            };
        }
    }

    /// Ends every process of the command, and puts the files back.
    pub(super) fn end(&self) {
        end_descendants();
        self.put_back();
    }
}

/// Makes this process the parent of every process of the command that loses its own.
pub(super) fn adopt() -> Result<(), Error> {
    set_child_subreaper(true).map_err(|e| Error::io("cannot adopt processes", e.into()))
}

/// Kills children until there are none: a process whose parent is killed becomes a child.
fn end_descendants() {
    loop {
        for child in children() {
            let _ = kill(child, Signal::SIGKILL);
        }
        match waitpid(None, None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => break,
        }
    }
}

fn children() -> Vec<Pid> {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pid = |entry: fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        (parent.trim() == own).then(|| Pid::from_raw(pid))
    };
    processes.filter_map(pid).collect()
}
