//! Finds foreign programs, and enters the network in which they run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skipped;

/// The variable that is set when the test binary runs within its namespaces.
const INSIDE: &str = "MARTINET_LAB";
/// The variables that are passed into the namespaces.
const PASSED: [&str; 4] = [
    "MARTINET_SEED",
    "MARTINET_WORLDS",
    "MARTINET_PROGRAMS",
    "RUST_BACKTRACE",
];

/// The root directory of a program: installed by `scripts/test.sh`, or the machine's own.
pub struct Foreign {
    root: PathBuf,
}

impl Foreign {
    /// Finds the files of a program, or returns what is missing.
    pub fn find(needed: &[&str]) -> Result<Self, String> {
        let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/foreign");
        let has_all = |root: &&Path| needed.iter().all(|program| root.join(program).exists());
        match [unpacked.as_path(), Path::new("/")]
            .iter()
            .copied()
            .find(has_all)
        {
            Some(root) => Ok(Self {
                root: root.to_owned(),
            }),
            None => Err(format!(
                "no {} below {}",
                needed.join(", "),
                unpacked.display()
            )),
        }
    }

    /// The path of one of the program's files.
    pub fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// Where the dynamic linker finds the program's libraries.
    pub fn libraries(&self) -> OsString {
        let own = format!("lib/{}-linux-gnu", std::env::consts::ARCH);
        let in_usr = self.path("usr").join(&own);
        let mut paths = vec![self.path("usr/lib/postfix"), in_usr, self.path(&own)];
        paths.extend(
            std::env::var_os("LD_LIBRARY_PATH")
                .iter()
                .flat_map(std::env::split_paths),
        );
        std::env::join_paths(paths).expect("paths without colons")
    }
}

/// Sets owner and mode of a file.
pub fn chown(owner: &str, mode: &str, path: &Path) {
    for (program, argument) in [("chown", owner), ("chmod", mode)] {
        let status = Command::new(program)
            .arg(argument)
            .arg(path)
            .status()
            .expect("coreutils run");
        assert!(status.success(), "{program} {argument} {}", path.display());
    }
}

/// A command that runs this test binary's `test` in new namespaces, as root.
///
/// The variables of [`PASSED`] are passed explicitly, because sudo keeps none.
fn within_namespaces(test: &str) -> Command {
    const UNSHARE: [&str; 7] = [
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ];
    let root = user_id() == "0";
    let mut words: Vec<OsString> = Vec::new();
    if !root {
        words.extend(["sudo", "-n"].map(OsString::from));
    }
    words.push("env".into());
    words.push(format!("{INSIDE}=1").into());
    let set = PASSED
        .iter()
        .filter_map(|name| Some((name, std::env::var(name).ok()?)));
    words.extend(set.map(|(name, value)| OsString::from(format!("{name}={value}"))));
    words.extend(UNSHARE.map(OsString::from));
    words.push(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/lab.sh").into());
    words.push(std::env::current_exe().expect("the test binary").into());
    words.extend([test, "--ignored", "--exact", "--nocapture"].map(OsString::from));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// Runs this test binary's ignored `test` in namespaces, if this machine can make them and has one of the programs.
/// `programs` returns how many programs there are, and why others are missing.
pub fn agree_within_namespaces(
    what: &str,
    test: &str,
    programs: impl FnOnce() -> (usize, Vec<String>),
) {
    if let Err(missing) = namespaces() {
        return skipped::skip(&format!("the comparison with {what}: {missing}"));
    }
    let (here, missing) = programs();
    missing.iter().for_each(|why| skipped::skip(why));
    if here == 0 {
        return;
    }
    let status = within_namespaces(test).status().expect("unshare runs");
    assert!(
        status.success(),
        "disagreements, or a failure to look for them: see above"
    );
}

/// The directory of the lab, within the namespaces of [`within_namespaces`]; `None` outside.
fn lab() -> Option<PathBuf> {
    if std::env::var_os(INSIDE).is_none() {
        println!("skipped: not within the lab");
        return None;
    }
    Some(std::env::var_os("LAB").expect("lab.sh sets LAB").into())
}

/// Runs the part of a test that needs the namespaces, if this process runs in them.
pub fn run_in_the_lab(part: impl AsyncFnOnce(&Path)) {
    let Some(lab) = lab() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(part(&lab));
}

/// Whether this machine can make namespaces.
fn namespaces() -> Result<(), String> {
    let root = user_id() == "0";
    let (program, arguments): (_, &[&str]) = if root {
        ("unshare", &["--net", "ip", "link"])
    } else {
        ("sudo", &["-n", "unshare", "--net", "ip", "link"])
    };
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

fn user_id() -> String {
    let output = Command::new("id").arg("-u").output().expect("id runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
