//! The differential test: real mail servers and martinet's profiles of them, in the same random worlds.
//!
//! All of them use martinet's DNS server, in a network with nothing else, and get the same sessions from the same
//! addresses. Codes and enhanced codes must agree everywhere, texts where the profile has them. `MARTINET_SEED` selects
//! other worlds, `MARTINET_WORLDS` their number; `MARTINET_PROGRAMS` names the programs.

mod commands;
mod compare;
mod dialogue;
mod exim;
mod foreign;
mod haraka;
mod helo;
mod intended;
mod intended_haraka;
mod intended_sendmail;
mod limits;
mod opensmtpd;
mod postfix;
mod random;
mod receivers;
mod reverse;
mod rspamd;
mod scores;
mod scores_compare;
mod scores_intended;
mod scores_worlds;
mod sendmail;
#[path = "../skipped/mod.rs"]
mod skipped;
mod spamassassin;
mod worlds;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use random::{Random, number};
use receivers::Receiver;
use worlds::{ROUND, SOUND, World};

/// The default seed.
const SEED: u64 = 20_261_121;
/// The default number of worlds.
const WORLDS: usize = 400;
/// Number of worlds played at the same time. Most of the time is spent on lookups that time out.
const AT_A_TIME: usize = 24;

#[test]
fn real_receivers_agree() {
    foreign::agree_within_namespaces("real mail servers", "within_the_lab", || {
        let (here, missing) = receivers::here(receivers::PROGRAMS);
        (here.len(), missing)
    });
}

/// The part of [`real_receivers_agree`] that runs in the namespaces.
#[test]
#[ignore = "runs within the namespaces that real_receivers_agree makes"]
fn within_the_lab() {
    foreign::run_in_the_lab(async |lab| {
        let (programs, _) = receivers::here(receivers::PROGRAMS);
        let (seed, worlds) = (
            number("MARTINET_SEED", SEED),
            number("MARTINET_WORLDS", WORLDS as u64),
        );
        let mut random = Random::new(seed);
        let count = usize::try_from(worlds).expect("a number of worlds");
        let worlds: Vec<_> = (0..count)
            .map(|number| World::random(number, &mut random))
            .collect();
        let slow = worlds.iter().filter(|w| w.faults.contains("drop")).count();
        println!(
            "{count} worlds of MARTINET_SEED={seed}, {slow} of them with a name that times out"
        );
        let began = Instant::now();
        let _real = receivers::real(&programs, lab).await;
        let sound = commands::scripts(SOUND).into_iter().enumerate();
        let mut worlds: Vec<_> = sound
            .map(|(number, commands)| World::sound(number, commands))
            .chain(worlds)
            .collect();
        let mut report = compare::Report::default();
        while !worlds.is_empty() {
            let round: Vec<_> = worlds.drain(..worlds.len().min(ROUND)).collect();
            let receivers = receivers::start(&programs, &round).await;
            report.add(play_all(round, receivers).await);
            println!(
                "{} sessions, {} disagreements, {} s",
                report.sessions,
                report.disagreements.len(),
                began.elapsed().as_secs()
            );
        }
        println!("{} s", began.elapsed().as_secs());
        println!("{report}");
        assert!(
            report.disagreements.is_empty(),
            "{} disagreements",
            report.disagreements.len()
        );
    });
}

async fn play_all(worlds: Vec<World>, receivers: Vec<Receiver>) -> compare::Report {
    let receivers = Arc::new(receivers);
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut tasks = JoinSet::new();
    for world in worlds {
        let place = Arc::clone(&places)
            .acquire_owned()
            .await
            .expect("the semaphore stays open");
        let receivers = Arc::clone(&receivers);
        tasks.spawn(async move {
            let mut report = compare::Report::default();
            let slow = world.faults.contains("drop");
            for receiver in receivers
                .iter()
                .filter(|receiver| receiver.can_time_out || !slow)
            {
                let commands = &world.commands;
                let place = receiver.places.acquire().await;
                let real = dialogue::play(receiver.real(world.client), world.client, commands);
                let ours = dialogue::play(receiver.ours(world.client), world.client, commands);
                let (real, ours) = tokio::join!(real, ours);
                drop(place);
                report.compare(&world, &receiver.profile.name, &real, &ours);
            }
            drop(place);
            report
        });
    }
    let mut report = compare::Report::default();
    while let Some(one) = tasks.join_next().await {
        report.add(one.expect("a world is played"));
    }
    if let Some(receivers) = Arc::into_inner(receivers) {
        receivers::stop(receivers).await;
    }
    report
}
