//! Creates the network of its own for this process, and explains why that is not possible.

use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use super::contain;
use super::ranges::Mapper;
use crate::error::Error;

/// The way in which the network was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    /// By root.
    Root,
    /// In a user namespace, unprivileged.
    User {
        /// The user outside.
        uid: u32,
        /// The group outside.
        gid: u32,
        /// Whether other users are mapped: ranges of ids.
        ranges: bool,
    },
    /// In a container with its own network, which is not sealed.
    Container,
}

impl Tier {
    /// The word that `--probe` prints.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::User { .. } => "user-namespace",
            Self::Container => "container",
        }
    }

    /// The reason for this tier, in one sentence.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Root => "the user is root and can make network namespaces",
            Self::User { ranges: false, .. } => {
                "the kernel lets this user make user and network namespaces"
            }
            Self::User { ranges: true, .. } => {
                "the kernel lets this user make user and network namespaces, and newuidmap maps other users"
            }
            Self::Container => {
                "no namespace can be made in this container, which has a network of its own; that network is not sealed"
            }
        }
    }
}

/// Moves this process, which must have only one thread, to a network of its own.
///
/// # Errors
/// The kernel refuses; the error says what would help on this machine.
pub(crate) fn seal() -> Result<Tier, Error> {
    if geteuid().is_root() {
        return match unshare(CloneFlags::CLONE_NEWNET) {
            Ok(()) => Ok(Tier::Root),
            Err(_) if contained() => Ok(Tier::Container),
            Err(e) => Err(unsealed("a network namespace", e.into(), true)),
        };
    }
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let mapper = Mapper::start();
    match unshare(CloneFlags::CLONE_NEWUSER) {
        Err(_) if contained() => return Ok(Tier::Container),
        made => made.map_err(|e| unsealed("a user namespace", e.into(), false))?,
    }
    let ranges = mapper.is_some_and(Mapper::map);
    if !ranges {
        map(uid, gid, 0, 0).map_err(|e| unsealed("a user namespace with this user", e, false))?;
    }
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|e| unsealed("a network namespace", e.into(), false))?;
    Ok(Tier::User { uid, gid, ranges })
}

/// Whether the network of this process belongs to a container, and to nothing else.
fn contained() -> bool {
    contain::is_container() && contain::owns_network()
}

/// Maps one user and one group into the user namespace.
pub(super) fn map(uid: u32, gid: u32, inside_uid: u32, inside_gid: u32) -> io::Result<()> {
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{inside_uid} {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{inside_gid} {gid} 1"))
}

/// Adds what would help on this machine to an error of a later step, because some security modules refuse only later
/// steps.
pub(crate) fn explained(tier: Tier, error: &Error) -> Error {
    let source = std::error::Error::source(error);
    let errno = source.and_then(|source| source.downcast_ref::<io::Error>()?.raw_os_error());
    let errno = errno.map(Errno::from_raw);
    let mut text = format!("cannot make a sealed network: {error}");
    if matches!(errno, Some(Errno::EPERM | Errno::EACCES | Errno::ENOSPC)) {
        let help = Surroundings::look().help(errno, tier == Tier::Root);
        text.push_str(&format!("; {help}"));
    }
    Error::other(text)
}

fn unsealed(what: &str, source: io::Error, root: bool) -> Error {
    let help = Surroundings::look().help(source.raw_os_error().map(Errno::from_raw), root);
    Error::other(format!(
        "cannot make a sealed network: {what} is refused ({source}); {help}"
    ))
}

/// The settings of this machine that decide whether namespaces can be created.
#[derive(Clone, Copy, Debug, Default)]
struct Surroundings {
    /// `/proc/sys/kernel/apparmor_restrict_unprivileged_userns` is 1.
    apparmor: bool,
    /// `/proc/sys/kernel/unprivileged_userns_clone` is 0.
    debian: bool,
    /// `/proc/sys/user/max_user_namespaces` is 0.
    none_allowed: bool,
    /// The process is in a container.
    container: bool,
}

impl Surroundings {
    fn look() -> Self {
        let is = |name: &str, value: &str| {
            let read = std::fs::read_to_string(Path::new("/proc/sys").join(name));
            read.is_ok_and(|text| text.trim() == value)
        };
        Self {
            apparmor: is("kernel/apparmor_restrict_unprivileged_userns", "1"),
            debian: is("kernel/unprivileged_userns_clone", "0"),
            none_allowed: is("user/max_user_namespaces", "0"),
            container: contain::is_container(),
        }
    }

    fn help(self, errno: Option<Errno>, root: bool) -> &'static str {
        if self.container {
            "start the container with: docker run --cap-add=SYS_ADMIN --cap-add=NET_ADMIN \
             --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
        } else if root {
            "root needs CAP_SYS_ADMIN and CAP_NET_ADMIN; start the command from a shell with both"
        } else if self.none_allowed || errno == Some(Errno::ENOSPC) {
            "user namespaces are switched off here; run: sudo sysctl user.max_user_namespaces=15000"
        } else if self.debian {
            "user namespaces are for root only here; run: sudo sysctl kernel.unprivileged_userns_clone=1"
        } else if self.apparmor {
            "AppArmor restricts user namespaces here; run: \
             sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        } else {
            "run the command as root: sudo -E martinet run …"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: Surroundings, errno: Errno, root: bool, expected: &str) {
        let help = found.help(Some(errno), root);
        assert!(help.contains(expected), "{found:?}: {help}");
    }

    #[test]
    fn the_help_fits_the_machine() {
        let plain = Surroundings::default();
        let container = Surroundings {
            container: true,
            ..plain
        };
        let apparmor = Surroundings {
            apparmor: true,
            ..plain
        };
        let debian = Surroundings {
            debian: true,
            ..plain
        };
        let none = Surroundings {
            none_allowed: true,
            ..plain
        };
        check(
            container,
            Errno::EPERM,
            true,
            "docker run --cap-add=SYS_ADMIN",
        );
        check(
            apparmor,
            Errno::EACCES,
            false,
            "apparmor_restrict_unprivileged_userns=0",
        );
        check(debian, Errno::EPERM, false, "unprivileged_userns_clone=1");
        check(none, Errno::ENOSPC, false, "max_user_namespaces=15000");
        check(plain, Errno::ENOSPC, false, "max_user_namespaces=15000");
        check(plain, Errno::EPERM, false, "sudo -E martinet run");
        check(plain, Errno::EPERM, true, "CAP_SYS_ADMIN");
    }
}
