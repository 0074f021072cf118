//! An unprivileged user with ranges of ids, which `newuidmap` maps.

use std::process::{Command, Stdio};

use super::{Caller, callers, ended, program, skipped};

/// Gives `nobody` ranges, and runs a script as that user. The mounts end with the namespace.
const RANGES: &str = r#"
set -e
mount -t tmpfs -o mode=1777 none /mnt
echo nobody:200000:65536 >/mnt/ranges
for file in /etc/subuid /etc/subgid; do
    [ -e $file ] || touch $file
    mount --bind /mnt/ranges $file
done
exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -eu -c "$1"
"#;

#[track_caller]
fn check(script: &str, parts: &[&str]) {
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", RANGES, "sh", script])
        .env("martinet", program())
        .env_remove("SUDO_UID")
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .expect("unshare runs");
    ended(script, &output, 0, parts);
}

#[test]
fn a_user_with_ranges_has_other_users() {
    if !callers("ranges of ids").contains(&Caller::Nobody) {
        return;
    }
    if Command::new("newuidmap").output().is_err() {
        return skipped::skip("run, ranges of ids: there is no newuidmap");
    }
    check(
        "$martinet run --probe",
        &["user-namespace: ", "newuidmap maps other users"],
    );
    // Root of the namespace changes owners and becomes others, as a mail server does.
    let root = "cd /mnt && touch file && chown 33:33 file && stat -c 'owner %u' file && setpriv --reuid=33 --clear-groups id -u";
    check(
        &format!("$martinet run --user root -- sh -ec \"{root}\""),
        &["owner 33", "\n33\n"],
    );
    // Without --user, the command keeps its own user.
    check("$martinet run -- id -u", &["65534\n"]);
    check(
        "$martinet run --user www-data -- sh -c 'id -u; id -g'",
        &["33\n33\n"],
    );
}
