//! Measures how soon `martinet run` starts its command. `cargo bench --bench run`, as root or as a user who can make
//! namespaces.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 50;

fn main() {
    let martinet = env!("CARGO_BIN_EXE_martinet");
    let probe = Command::new(martinet).args(["run", "--probe"]).output();
    let probe = probe.expect("martinet runs");
    if !probe.status.success() {
        println!("{}", String::from_utf8_lossy(&probe.stderr).trim());
        return;
    }
    print!("{}", String::from_utf8_lossy(&probe.stdout));
    for scenario in ["one-to-one", "office365", "internet-2026"] {
        // Alternating, so that a slow moment of the machine affects both.
        let (mut alone, mut inside) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            alone.push(time_to_line(&mut Command::new("echo")));
            let mut run = Command::new(martinet);
            run.args(["run", "--scenario", scenario, "--", "echo"]);
            inside.push(time_to_line(&mut run));
        }
        let (alone, inside) = (median(alone), median(inside));
        println!(
            "{scenario}: from start to the output of the command {inside:?}, without martinet {alone:?} (medians of {RUNS})"
        );
    }
}

/// The time until the first line of output.
fn time_to_line(command: &mut Command) -> Duration {
    let start = Instant::now();
    let mut child = command
        .arg("up")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command runs");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("stdout"));
    out.read_line(&mut line).expect("a line");
    let elapsed = start.elapsed();
    assert_eq!(line, "up\n");
    child.wait().expect("ended");
    elapsed
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
