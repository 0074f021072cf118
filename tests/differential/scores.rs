//! Compares scoring programs with martinet's profiles of them: the symbols that they find in the same random worlds.
//!
//! rspamd and SpamAssassin judge what a mail server passes to them: the client address, its name, HELO, the envelope.
//! The name is what Postfix would pass: the name that the system's resolver has for the address, verified, as in
//! smtpd_peer.c.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use martinet::check::{Attempt, judge};
use martinet::dns::Zones;
use martinet::scenario::{ReceiverProfile, Scenario, parse_receiver, plain_message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::foreign::{self, Foreign};
use crate::random::Random;
use crate::receivers::{DNS, Daemon, HOST_4, LOOKUP_TIMEOUT, listening, scenario};
use crate::scores_compare::Report;
use crate::worlds::{ROUND, World};
use crate::{SEED, WORLDS, number, rspamd, scores_worlds, spamassassin};

/// Number of worlds at the same time, for each program.
const AT_A_TIME: usize = 16;
/// How long a program may take for one message.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A scoring program, and its profile of the same name.
pub struct Scorer {
    /// Its name, and that of the profile.
    pub name: &'static str,
    /// Its files, below the root of foreign programs.
    pub needs: &'static [&'static str],
    /// Where it listens.
    pub port: u16,
    /// Starts it, with its own directory.
    pub start: fn(&Foreign, &Path) -> Child,
    /// Requests the symbols of a case.
    pub ask: for<'a> fn(&'a Case) -> Answer<'a>,
}

/// The symbols that a program finds, or why there are none.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<BTreeSet<String>, String>> + Send + 'a>>;

const SCORERS: [Scorer; 2] = [rspamd::SCORER, spamassassin::SCORER];

/// What a mail server passes about a client and its message.
pub struct Case {
    /// The client address.
    pub client: IpAddr,
    /// The HELO name.
    pub helo: String,
    /// Its verified name, if it has one.
    pub hostname: Option<String>,
    /// The envelope sender; empty for the null one.
    pub sender: String,
    /// The envelope recipient.
    pub recipient: String,
    /// The world.
    pub world: World,
}

impl Case {
    async fn of(world: World, claims: scores_worlds::Claims) -> Self {
        Self {
            client: world.client,
            helo: claims.helo,
            hostname: verified_name(world.client).await,
            sender: claims.sender,
            recipient: "postmaster@contoso.test".to_owned(),
            world,
        }
    }

    /// The message, with the lines of its header.
    pub fn message(&self) -> String {
        String::from_utf8(plain_message(&self.sender)).expect("a message of ASCII")
    }
}

/// The name that Postfix uses for a client: the first PTR name, if it leads back to the address.
async fn verified_name(client: IpAddr) -> Option<String> {
    let name = first_words(&["hosts", &client.to_string()]).await;
    let name = name.first()?.get(1)?.clone();
    if !valid_hostname(&name) {
        return None;
    }
    let family = if client.is_ipv4() {
        "ahostsv4"
    } else {
        "ahostsv6"
    };
    let addresses = first_words(&[family, &name]).await;
    let is_own = |line: &Vec<String>| line.first().is_some_and(|a| a.parse() == Ok(client));
    addresses.iter().any(is_own).then_some(name)
}

/// Whether Postfix accepts a host name (valid_hostname.c).
fn valid_hostname(name: &str) -> bool {
    let label = |label: &str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let hyphen = label.starts_with('-') || label.ends_with('-');
        (1..=63).contains(&label.len()) && !hyphen && label.chars().all(legal)
    };
    let numeric = name.chars().all(|c| c.is_ascii_digit() || c == '.');
    name.len() <= 255 && !numeric && name.split('.').all(label)
}

/// The words in the lines that the system's resolver prints.
async fn first_words(arguments: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("getent");
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.expect("a thread").expect("getent runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines();
    lines
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// Sends a request and reads until the server closes.
pub async fn request(address: SocketAddr, request: &str) -> Result<String, String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    match timeout(TIMEOUT, exchange).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
    }
}

/// The programs on this machine, and why the others are missing.
fn programs() -> (Vec<(Scorer, Foreign)>, Vec<String>) {
    let wanted = std::env::var("MARTINET_PROGRAMS").unwrap_or_default();
    let is_wanted =
        |scorer: &Scorer| wanted.is_empty() || wanted.split(',').any(|name| name == scorer.name);
    let (mut here, mut missing) = (Vec::new(), Vec::new());
    for scorer in SCORERS.into_iter().filter(is_wanted) {
        match Foreign::find(scorer.needs) {
            Ok(foreign) => here.push((scorer, foreign)),
            Err(why) => missing.push(format!("the comparison with {}: {why}", scorer.name)),
        }
    }
    (here, missing)
}

#[test]
fn real_scores_agree() {
    foreign::agree_within_namespaces("programs that score", "scores::within_the_lab", || {
        let (here, missing) = programs();
        (here.len(), missing)
    });
}

/// The part of [`real_scores_agree`] that runs in the namespaces.
#[test]
#[ignore = "runs within the namespaces that real_scores_agree makes"]
fn within_the_lab() {
    foreign::run_in_the_lab(async |lab| {
        let report = compare_all(lab).await;
        println!("{report}");
        assert!(
            report.disagreements.is_empty(),
            "{} disagreements",
            report.disagreements.len()
        );
    });
}

async fn compare_all(lab: &Path) -> Report {
    let (seed, count) = (
        number("MARTINET_SEED", SEED),
        number("MARTINET_WORLDS", WORLDS as u64),
    );
    let mut random = Random::new(seed);
    let count = usize::try_from(count).expect("a number of worlds");
    println!("{count} worlds of MARTINET_SEED={seed}");
    let began = Instant::now();
    let mut daemons = Vec::new();
    let mut profiles = Vec::new();
    for (scorer, foreign) in programs().0 {
        let directory = lab.join(scorer.name);
        std::fs::create_dir_all(&directory).expect("a directory");
        daemons.push(Daemon((scorer.start)(&foreign, &directory)));
        profiles.push(Profile::of(scorer));
    }
    for profile in &profiles {
        listening(SocketAddr::new(HOST_4, profile.scorer.port)).await;
    }
    let profiles = Arc::new(profiles);
    let mut report = Report::default();
    let numbers: Vec<_> = (0..count).collect();
    for round in numbers.chunks(ROUND) {
        let made = round
            .iter()
            .map(|number| scores_worlds::random(*number, &mut random))
            .collect();
        report.add(play(made, Arc::clone(&profiles)).await);
        println!("{} worlds, {} s", report.worlds, began.elapsed().as_secs());
    }
    report
}

/// A profile whose score always refuses, so that the reply contains every symbol.
pub struct Profile {
    /// The program.
    pub scorer: Scorer,
    /// The symbols in the profile.
    pub symbols: BTreeSet<String>,
    receiver: ReceiverProfile,
}

impl Profile {
    fn of(scorer: Scorer) -> Self {
        let path = format!(
            "{}/scenarios/receivers/{}.toml",
            env!("CARGO_MANIFEST_DIR"),
            scorer.name
        );
        let text = std::fs::read_to_string(&path).expect("a profile");
        let table: toml::Table = text.parse().expect("TOML");
        let weights = table["rule"][0]["weights"].as_array().expect("weights");
        let symbols = weights.iter().map(|weight| {
            let symbol = weight["symbol"].as_str().expect("a symbol");
            symbol.to_owned()
        });
        let low = |line: &str| match line.split_once(" = ") {
            Some(("reject", _)) => "reject = -1000.0\n".to_owned(),
            Some(("defer", _)) => String::new(),
            _ => format!("{line}\n"),
        };
        let lowered: String = text.lines().map(low).collect();
        Self {
            symbols: symbols.collect(),
            receiver: parse_receiver(scorer.name, &lowered).unwrap_or_else(|e| panic!("{e}")),
            scorer,
        }
    }

    /// The symbols that martinet finds, or the reply of an earlier SMTP rule that refuses.
    fn judge(
        &self,
        zones: &Zones,
        scenario: &Scenario,
        case: &Case,
    ) -> Result<BTreeSet<String>, String> {
        let attempt = Attempt {
            recipient: case.recipient.clone(),
            ..Attempt::of(scenario, case.client, &case.helo).from_sender(case.sender.clone())
        };
        let judgement = judge(&self.receiver.receiver, zones, LOOKUP_TIMEOUT, &attempt);
        if judgement.rule != Some("score") {
            return Err(judgement.reply.to_string());
        }
        let (_, symbols) = judgement.why.split_once(": ").expect("a list of symbols");
        let symbols = symbols.split(", ").filter(|symbol| !symbol.is_empty());
        Ok(symbols
            .map(|symbol| symbol.split(' ').next().unwrap_or_default().to_owned())
            .collect())
    }
}

async fn play(made: Vec<(World, scores_worlds::Claims)>, profiles: Arc<Vec<Profile>>) -> Report {
    let worlds: Vec<_> = made.iter().map(|(world, _)| world).collect();
    let scenario = Arc::new(scenario(&worlds));
    let zones = Arc::new(scenario.zones(HOST_4));
    let dns = martinet::World::builder()
        .with_scenario(Scenario::clone(&scenario))
        .dns(DNS.into())
        .start()
        .await
        .expect("a world starts");
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut tasks = JoinSet::new();
    for (world, claims) in made {
        let place = Arc::clone(&places).acquire_owned().await;
        let (profiles, zones, scenario) = (
            Arc::clone(&profiles),
            Arc::clone(&zones),
            Arc::clone(&scenario),
        );
        tasks.spawn(async move {
            let mut report = Report::default();
            let case = Case::of(world, claims).await;
            report.worlds += 1;
            for profile in profiles.iter() {
                match profile.judge(&zones, &scenario, &case) {
                    Ok(ours) => {
                        let real = (profile.scorer.ask)(&case).await;
                        report.compare(&case, profile, real, &ours);
                    }
                    Err(_) => report.unjudged += 1,
                }
            }
            drop(place);
            report
        });
    }
    let mut report = Report::default();
    while let Some(one) = tasks.join_next().await {
        report.add(one.expect("a world is played"));
    }
    dns.stop().await;
    report
}
