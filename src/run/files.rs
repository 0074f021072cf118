//! The files for name lookups, private to the command.
//!
//! They are written to a memory file system and mounted over the files of the machine. Files that the machine does not
//! have remain missing: without a resolv.conf, resolvers query 127.0.0.1.

use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount as mount_at};
use serde::{Deserialize, Serialize};

use crate::error::Error;

const RESOLV_CONF: &str = "nameserver 127.0.0.1\nsearch .\noptions edns0 trust-ad\n";
const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost\n";
/// Directories of sockets through which a resolver of the machine would answer.
const MASKED: [&str; 3] = ["/run/nscd", "/var/run/nscd", "/run/systemd/resolve"];
/// Root directories of programs with chroot: Postfix as installed by Debian.
const ROOTS: [&str; 2] = ["/", "/var/spool/postfix"];
/// The certificates of the system, on Debian and Alpine, Fedora, and openSUSE.
const BUNDLES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// The files of the command.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Files {
    /// Each path with its text.
    texts: Vec<(PathBuf, String)>,
    /// The CA certificates that the command trusts, together with those of the system.
    pub(crate) bundle: Option<PathBuf>,
}

impl Files {
    /// Reads the files of the machine that are kept in part.
    pub(crate) fn new(hostname: &str, ca_pem: &str) -> Self {
        let mut texts = Vec::new();
        let nsswitch = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
        let files = [
            ("resolv.conf", RESOLV_CONF.to_owned()),
            ("hosts", HOSTS.to_owned()),
            ("nsswitch.conf", switched(&nsswitch)),
            ("hostname", format!("{hostname}\n")),
            ("mailname", format!("{hostname}\n")),
        ];
        for root in ROOTS {
            for (name, text) in &files {
                texts.push((Path::new(root).join("etc").join(name), text.clone()));
            }
        }
        let bundle = BUNDLES.iter().map(PathBuf::from).find(|path| path.exists());
        if let Some(path) = bundle.as_ref().filter(|_| !ca_pem.is_empty()) {
            let system_bundle = std::fs::read_to_string(path).unwrap_or_default();
            texts.push((
                path.clone(),
                format!("{}\n{ca_pem}", system_bundle.trim_end()),
            ));
        }
        Self { texts, bundle }
    }
}

impl Files {
    /// The files that are rewritten in place if mounting is not possible: those that every resolver reads, and the
    /// certificates.
    pub(super) fn in_place(&self) -> impl Iterator<Item = (&Path, &str)> {
        let needed = |path: &Path| {
            let resolver =
                path.ends_with("etc/resolv.conf") && path.parent().is_some_and(Path::is_dir);
            resolver || self.bundle.as_deref() == Some(path)
        };
        let texts = self.texts.iter();
        texts
            .filter(move |(path, _)| needed(path))
            .map(|(path, text)| (path.as_path(), text.as_str()))
    }
}

/// nsswitch.conf with `files` and `dns` for hosts.
fn switched(text: &str) -> String {
    let others = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("hosts:"));
    let mut switched: String = others.flat_map(|line| [line, "\n"]).collect();
    switched.push_str("hosts: files dns\n");
    switched
}

/// Mounts the files, and /proc for the process ids of this namespace.
pub(super) fn mount(files: &Files) -> Result<(), Error> {
    let (none, text) = (None::<&str>, None::<&str>);
    let attempt = |what: &str, done: nix::Result<()>| {
        done.map_err(|e| Error::io(format!("cannot mount {what}"), e.into()))
    };
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    attempt("/ privately", mount_at(none, "/", none, private, text))?;
    // The paths are resolved before anything is mounted.
    let found: Vec<_> = files
        .texts
        .iter()
        .filter_map(|(path, text)| Some((path.canonicalize().ok()?, text)))
        .collect();
    // A directory that exists on every machine and that is mounted again below.
    let store = Path::new("/proc");
    let memory = || {
        mount_at(
            Some("martinet"),
            store,
            Some("tmpfs"),
            MsFlags::empty(),
            Some("mode=755"),
        )
    };
    attempt("a memory file system", memory())?;
    for (number, (path, text)) in found.iter().enumerate() {
        let own = store.join(number.to_string());
        let written = std::fs::write(&own, text);
        written.map_err(|e| Error::io(format!("cannot write {}", path.display()), e))?;
        let bound = mount_at(Some(&own), path, none, MsFlags::MS_BIND, none);
        attempt(&path.display().to_string(), bound)?;
    }
    // The file system remains mounted below, where it is hidden: unmounting takes 2 ms.
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    attempt(
        "/proc",
        mount_at(Some("proc"), store, Some("proc"), flags, none),
    )?;
    for directory in MASKED.iter().map(Path::new).filter(|path| path.is_dir()) {
        // The resolv.conf of systemd-resolved is in that directory, and remains as mounted above.
        if found.iter().any(|(path, _)| path.starts_with(directory)) {
            continue;
        }
        let empty = mount_at(
            Some("martinet"),
            directory,
            Some("tmpfs"),
            MsFlags::empty(),
            none,
        );
        attempt(&directory.display().to_string(), empty)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_come_from_files_and_dns() {
        let text =
            "passwd: files systemd\nhosts: mymachines resolve [!UNAVAIL=return] files dns\n# end\n";
        assert_eq!(
            switched(text),
            "passwd: files systemd\n# end\nhosts: files dns\n"
        );
        assert_eq!(switched(""), "hosts: files dns\n");
    }
}
