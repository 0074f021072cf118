//! Ranges of user and group ids for an unprivileged user, mapped by `newuidmap` and `newgidmap`, because mail servers
//! use several users.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use nix::fcntl::OFlag;
use nix::unistd::{Gid, Pid, Uid, close, pipe2};

use super::fork::{Process, fork};

/// The helper process that maps ids. It stays outside of the user namespace, which those programs require.
pub(super) struct Mapper {
    process: Process,
    go: File,
}

/// The first id and the number of ids of a user.
type Range = (u32, u32);

impl Mapper {
    /// Starts the helper if the user has ranges, before this process moves into a user namespace.
    pub(super) fn start() -> Option<Self> {
        let uid = Uid::current();
        range("/etc/subuid", uid).and(range("/etc/subgid", uid))?;
        let (wait, go) = pipe2(OFlag::O_CLOEXEC).ok()?;
        let ours = go.as_raw_fd();
        let process = fork(move || {
            let _ = close(ours);
            u8::from(!help(wait.into()))
        });
        let process = process.ok()?;
        Some(Self {
            process,
            go: go.into(),
        })
    }

    /// Maps the ids of this process, which is in the user namespace. Returns whether that succeeded.
    pub(super) fn map(mut self) -> bool {
        self.go.write_all(b"\n").is_ok() && self.process.wait() == 0
    }
}

/// The helper: waits for an octet, and maps the ids of its parent. Returns whether that succeeded.
fn help(mut wait: File) -> bool {
    let (parent, uid) = (Pid::parent().to_string(), Uid::current());
    if !matches!(wait.read(&mut [0]), Ok(1)) {
        return false; // martinet has ended
    }
    let maps = [
        ("newuidmap", "/etc/subuid", uid.as_raw()),
        ("newgidmap", "/etc/subgid", Gid::current().as_raw()),
    ];
    maps.into_iter().all(|(program, file, own)| {
        let Some((first, count)) = range(file, uid) else {
            return false;
        };
        let ids = [0, own, 1, 1, first, count].map(|id| id.to_string());
        let mut command = Command::new(program);
        let ended = command
            .arg(&parent)
            .args(ids)
            .stderr(Stdio::null())
            .status();
        ended.is_ok_and(|ended| ended.success())
    })
}

/// The range of a user in a file of ranges.
fn range(file: &str, uid: Uid) -> Option<Range> {
    let text = std::fs::read_to_string(file).ok()?;
    let name = nix::unistd::User::from_uid(uid).ok().flatten();
    find(
        &text,
        name.as_ref().map(|user| user.name.as_str()),
        uid.as_raw(),
    )
}

fn find(text: &str, name: Option<&str>, uid: u32) -> Option<Range> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        if Some(owner) != name && owner.parse() != Ok(uid) {
            return None;
        }
        let (first, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (count > 0).then_some((first, count))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_names_and_numbers() {
        let text = "alice:100000:65536\n1001:200000:10\nbob:x:1\nbob:300000:0\n";
        assert_eq!(find(text, Some("alice"), 1), Some((100_000, 65_536)));
        assert_eq!(find(text, None, 1001), Some((200_000, 10)));
        assert_eq!(find(text, Some("bob"), 2), None);
        assert_eq!(find(text, Some("carol"), 3), None);
    }
}
