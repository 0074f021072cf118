//! The differential test of the DNS server: NSD and Knot beside martinet, over the same random zones.
//!
//! Each question goes to all three. Header flags, RCODE, EDNS and the records of each section have to agree, but for
//! the short list of differences that are meant ([`compare`]). `MARTINET_SEED` makes other zones and questions,
//! `MARTINET_QUESTIONS` more or fewer.

mod compare;
mod exchange;
mod foreign;
mod questions;
#[path = "../skipped/mod.rs"]
mod skipped;
mod zones;

#[path = "../differential/random.rs"]
mod random;

use martinet::World;
use martinet::scenario::load_scenario;

use foreign::Server;
use random::Random;

/// The seed unless told otherwise.
const SEED: u64 = 20_261_121;
/// The number of questions unless told otherwise.
const QUESTIONS: u64 = 12_000;

#[tokio::test(flavor = "multi_thread")]
async fn real_authorities_agree() {
    let directory =
        std::env::temp_dir().join(format!("martinet-authorities-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let (seed, count) = (
        number("MARTINET_SEED", SEED),
        number("MARTINET_QUESTIONS", QUESTIONS),
    );
    let mut random = Random::new(seed);
    let zones = zones::random(&mut random);
    zones::write(&zones, &directory);
    let servers: Vec<_> = [
        Server::nsd(&directory, &zones),
        Server::knot(&directory, &zones),
    ]
    .into_iter()
    .collect();
    let mut running = Vec::new();
    for server in servers {
        match server {
            Ok(server) => running.push(server),
            Err(missing) => {
                skipped::skip(&format!("one authority to compare with: {missing}"));
            }
        }
    }
    let scenario = load_scenario(directory.join("authorities.toml").to_str().expect("a path"))
        .expect("a scenario");
    let world = World::builder()
        .with_scenario(scenario)
        .start()
        .await
        .expect("a world");
    let ours = world.dns_addr();
    let report = tokio::task::spawn_blocking(move || {
        let mut report = compare::Report::default();
        for server in &mut running {
            server.wait(&zones[0].origin);
        }
        for _ in 0..count {
            let question = questions::random(&zones, &mut random);
            let ask = |server, tcp| exchange::ask(server, &question, tcp).expect("an answer");
            let said = ask(ours, question.tcp);
            for server in &running {
                let theirs = ask(server.address, question.tcp);
                let again = || (ask(ours, true), ask(server.address, true));
                report.compare(server.name, &question, (&said, &theirs), again);
            }
        }
        report
    });
    let report = report.await.expect("the comparison ends");
    let _ = std::fs::remove_dir_all(&directory);
    println!("{count} questions of MARTINET_SEED={seed}\n{report}");
    assert!(
        report.disagreements.is_empty(),
        "{} disagreements",
        report.disagreements.len()
    );
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")),
        Err(_) => default,
    }
}
