//! Ranges of user and group ids for an unprivileged user, which `newuidmap` and `newgidmap` map: mail servers use several users.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use nix::unistd::{Gid, Pid, Uid};

use super::OURSELVES;
use crate::error::Error;

/// The helper that maps ids. It stays outside of the user namespace, as the programs demand.
pub(super) struct Mapper(Child);

/// The first id and the number of ids of a user.
type Range = (u32, u32);

impl Mapper {
    /// Starts the helper if the user has ranges, before this process moves into a user namespace.
    pub(super) fn start() -> Option<Self> {
        let uid = Uid::current();
        range("/etc/subuid", uid).and(range("/etc/subgid", uid))?;
        let mut command = Command::new(OURSELVES);
        command.args(["run-inside", "--stage=map"]);
        let child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn();
        child.ok().map(Self)
    }

    /// Maps the ids of this process, which has moved. Returns whether that succeeded.
    pub(super) fn map(mut self) -> bool {
        let told = self.0.stdin.take().map(|mut pipe| pipe.write_all(b"\n"));
        told.is_some_and(|written| written.is_ok())
            && self.0.wait().is_ok_and(|ended| ended.success())
    }
}

/// The helper: waits for a line, and maps the ids of its parent. Returns the exit code.
///
/// # Errors
/// There is no such program, or it refuses.
pub(super) fn help() -> Result<u8, Error> {
    let (parent, uid) = (Pid::parent().to_string(), Uid::current());
    if !matches!(std::io::stdin().read(&mut [0]), Ok(1)) {
        return Ok(1); // martinet has ended
    }
    let maps = [
        ("newuidmap", "/etc/subuid", uid.as_raw()),
        ("newgidmap", "/etc/subgid", Gid::current().as_raw()),
    ];
    for (program, file, own) in maps {
        let Some((first, count)) = range(file, uid) else {
            return Ok(1);
        };
        let ids = [0, own, 1, 1, first, count].map(|id| id.to_string());
        let ended = Command::new(program).arg(&parent).args(ids).status();
        let ended = ended.map_err(|e| Error::io(format!("cannot run {program}"), e))?;
        if !ended.success() {
            return Ok(1);
        }
    }
    Ok(0)
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
