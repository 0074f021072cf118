//! The differential test of the DNS server: hickory-server, NSD, Knot and martinet serve the same random zones.
//!
//! All of them get each question. Header flags, RCODE, EDNS and the records of each section must agree, except for a
//! short list of intended differences ([`intended`]). hickory-server runs in this process, on every machine; NSD and
//! Knot run if they are installed. `MARTINET_SEED` selects other zones and questions, `MARTINET_QUESTIONS` their
//! number.

mod case;
mod compare;
mod exchange;
mod foreign;
mod hickory;
mod intended;
mod questions;
#[path = "../skipped/mod.rs"]
mod skipped;
mod zones;

#[path = "../differential/random.rs"]
mod random;

use martinet::World;
use martinet::scenario::load_scenario;

use foreign::Server;
use random::{Random, number};

/// The default seed.
const SEED: u64 = 20_261_121;
/// The default number of questions.
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
    let mut foreign = Vec::new();
    for server in [
        Server::nsd(&directory, &zones),
        Server::knot(&directory, &zones),
    ] {
        match server {
            Ok(server) => foreign.push(server),
            Err(missing) => {
                skipped::skip(&format!("one authority to compare with: {missing}"));
            }
        }
    }
    let (address, _in_process) = hickory::start(&zones).await;
    let mut servers = vec![(hickory::NAME, address)];
    servers.extend(foreign.iter().map(|server| (server.name, server.address)));
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
        for server in &mut foreign {
            server.wait(&zones[0].origin);
        }
        for _ in 0..count {
            let question = &questions::random(&zones, &mut random);
            let ask = |server, tcp| exchange::ask(server, question, tcp).expect("an answer");
            let answer = &ask(ours, question.tcp);
            for (server, address) in &servers {
                let case = case::Case {
                    server,
                    question,
                    ours: answer,
                    real: &ask(*address, question.tcp),
                    zones: &zones,
                };
                let again = || (ask(ours, true), ask(*address, true));
                report.compare(&case, again);
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
