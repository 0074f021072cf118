//! A container that already has its own network, and cannot create another one: martinet serves in that network, and
//! the files for name lookups are rewritten and later restored.

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

/// Files that container engines create, and variables that they set.
const MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];
const VARIABLES: [&str; 2] = ["container", "KUBERNETES_SERVICE_HOST"];

/// Whether this process is in a container.
pub(super) fn is_container() -> bool {
    MARKS.iter().any(|mark| Path::new(mark).exists())
        || VARIABLES
            .iter()
            .any(|name| std::env::var_os(name).is_some())
}

/// Whether every network interface has its peer in another network namespace, as in a container. On the machine itself,
/// and with `--network host`, some interfaces do not.
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
    /// The original content of each file; `None` if the file did not exist.
    originals: Mutex<Vec<(PathBuf, Option<Vec<u8>>)>>,
}

impl Borrowed {
    /// Rewrites the files in place: engines mount some of them, so they cannot be replaced.
    ///
    /// # Errors
    /// A file cannot be written. Files that were written are restored.
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

    /// Restores the files, once.
    fn put_back(&self) {
        let mut originals = self.originals.lock();
        for (path, original) in originals.drain(..) {
            // There is no way to report a failure at this point.
            let _ = match original {
                Some(octets) => fs::write(&path, octets),
                None => fs::remove_file(&path),
            };
        }
    }

    /// Ends all processes of the command, and restores the files.
    pub(super) fn end(&self) {
        end_descendants();
        self.put_back();
    }
}

/// Makes this process the parent of processes of the command whose parents end.
pub(super) fn adopt() -> Result<(), Error> {
    set_child_subreaper(true).map_err(|e| Error::io("cannot adopt processes", e.into()))
}

/// Kills child processes until there are none: a process whose parent is killed becomes a child of this one.
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
