//! A client follows the remedies that change its behaviour, over sockets, and the rule that refused it passes.

use std::time::Duration;

use martinet::World;
use martinet::expect::Sessions;
use martinet::policy::{Behaviour, Change};
use martinet::scenario::{parse_receiver, parse_scenario};
use martinet::smtp::ClientSource;
use rstest::rstest;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// The test message of RFC 8463 §A.3, with two signatures of football.example.com.
const SIGNED: &str = include_str!("../data/rfc8463-a3.eml");
const KEYS: &str = "
[[zone]]
origin = \"football.example.com\"
text = '''
brisbane._domainkey TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"
'''
";

/// The data that a client sends at once; after each item, it waits for the reply.
type Turns = Vec<String>;

fn turns(lines: &[&str]) -> Turns {
    lines.iter().map(|line| format!("{line}\r\n")).collect()
}

const GOOD: [&str; 5] = [
    "EHLO mail.example.test",
    "MAIL FROM:<a@example.test>",
    "RCPT TO:<b@contoso.test>",
    "DATA",
    "Subject: x\r\n\r\nx\r\n.",
];

/// A correct client that sends this message.
fn message(text: &str) -> Turns {
    let mut turns = turns(&GOOD);
    turns[4] = format!("{text}.\r\n");
    turns
}

/// The signed message without its signatures.
fn unsigned() -> String {
    let from = SIGNED.find("\nFrom:").expect("a From field") + 1;
    SIGNED[from..].replace('\n', "\r\n").replace("\r\r", "\r")
}

fn signed() -> String {
    SIGNED.replace('\n', "\r\n").replace("\r\r", "\r")
}

async fn world(rules: &str) -> World {
    let profile = parse_receiver("t.toml", &format!("title = \"t\"\n{rules}")).expect("a receiver");
    let scenario = format!("title = \"t\"\n[[domain]]\nname = \"contoso.test\"\n{KEYS}");
    World::builder()
        .with_scenario(parse_scenario("s.toml", &scenario).expect("a scenario"))
        .with_receiver(profile)
        .client(ClientSource::Fixed([192, 0, 2, 10].into()))
        .start()
        .await
        .expect("a world")
}

/// The next reply without its continuation lines; `None` at the end of the connection.
async fn reply(stream: &mut BufReader<TcpStream>) -> Option<String> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Some(line);
        }
    }
}

/// Plays a session up to the first refusal. Returns the last reply.
async fn play(world: &World, awaits_greeting: bool, turns: &[String]) -> String {
    let stream = TcpStream::connect(world.smtp_addr()).await;
    let mut stream = BufReader::new(stream.expect("a connection"));
    let mut last = String::new();
    if awaits_greeting {
        last = reply(&mut stream).await.expect("a greeting");
    }
    for turn in turns {
        let written = stream.get_mut().write_all(turn.as_bytes()).await;
        written.expect("written");
        last = reply(&mut stream).await.unwrap_or_default();
        if !last.starts_with(['2', '3']) {
            break;
        }
    }
    last
}

fn joined(lines: &[&str]) -> Turns {
    vec![lines.iter().map(|line| format!("{line}\r\n")).collect()]
}

fn with(at: usize, line: &str) -> Turns {
    let mut turns = turns(&GOOD);
    turns.insert(at, format!("{line}\r\n"));
    turns
}

#[rstest]
#[case::greeting("[[rule]]\ncheck = \"pregreet\"\nwait = \"200ms\"", (false, joined(&GOOD[..1])), Behaviour::AwaitGreeting)]
#[case::reply("smtp.xclient = []\n[[rule]]\ncheck = \"sync\"", (true, joined(&GOOD[..2])), Behaviour::AwaitReply("EHLO".to_owned()))]
#[case::not_smtp("[[rule]]\ncheck = \"non-smtp-command\"", (true, turns(&["GET / HTTP/1.1"])), Behaviour::SpeakSmtp)]
#[case::newline("[syntax]\nbare_lf = \"accept\"\n[[rule]]\ncheck = \"bare-lf\"", (true, message("Subject: x\r\n\r\nx\n\r\n")), Behaviour::EndLines)]
#[case::verb("[[rule]]\ncheck = \"helo-proto\"", (true, turns(&["HELO mail.example.test", GOOD[0]])), Behaviour::KeepVerb(martinet::facts::Verb::Helo))]
#[case::recipients("[[rule]]\ncheck = \"limits\"\nrecipients = 1", (true, with(3, "RCPT TO:<c@contoso.test>")), Behaviour::StayWithin { most: 1, what: "recipients" })]
#[case::messages("[[rule]]\ncheck = \"limits\"\nmessages = 1", (true, [turns(&GOOD), turns(&GOOD[1..])].concat()), Behaviour::StayWithin { most: 1, what: "messages" })]
#[case::errors("[[rule]]\ncheck = \"limits\"\nerrors = 0", (true, turns(&["FOO"])), Behaviour::StayWithin { most: 0, what: "errors" })]
#[case::rate("[[rule]]\ncheck = \"limits\"\nrate = 1\nper = \"1m\"", (true, turns(&GOOD)), Behaviour::StayWithin { most: 1, what: "connections within a time" })]
#[case::greylist("[[rule]]\ncheck = \"greylist\"\ndelay = \"5m\"", (true, turns(&GOOD)), Behaviour::RetryAfter(Duration::from_secs(300)))]
#[case::sign("[[rule]]\ncheck = \"dkim\"", (true, message(&unsigned())), Behaviour::Sign("football.example.com".to_owned()))]
#[tokio::test]
async fn a_changed_behaviour_is_accepted_over_sockets(
    #[case] rules: &str,
    #[case] (awaits, refused): (bool, Turns),
    #[case] behaviour: Behaviour,
) {
    let world = world(rules).await;
    let mut first = play(&world, awaits, &refused).await;
    if first.starts_with("250") {
        // Only the second session exceeds the limit.
        first = play(&world, awaits, &refused).await;
    }
    assert!(!first.starts_with("250"), "{first}");
    let rule = rules.split("check = \"").nth(1).expect("a rule");
    let rule = rule.split('"').next().expect("its check");
    let seen = world
        .wait_for_sessions(&Sessions::any().by_rule(rule), 1)
        .await;
    let seen = seen.expect("a refusal");
    let remedies = &seen[0].refusals()[0].remedies;
    let change = Change::Behave(behaviour.clone());
    let shown = remedies
        .iter()
        .any(|remedy| remedy.all_of == [change.clone()]);
    assert!(shown, "{remedies:?}");
    let mended = match behaviour {
        Behaviour::Sign(_) => message(&signed()),
        _ => turns(&GOOD),
    };
    if let Behaviour::RetryAfter(wait) = behaviour {
        // One second too early is still refused.
        world
            .advance(wait - Duration::from_secs(2))
            .expect("a clock");
        let early = play(&world, true, &mended).await;
        assert!(early.starts_with('4'), "{early}");
        world.advance(Duration::from_secs(2)).expect("a clock");
    }
    if rules.contains("per = ") {
        world.advance(Duration::from_secs(61)).expect("a clock");
    }
    let last = play(&world, true, &mended).await;
    assert!(last.starts_with("250"), "{behaviour:?}: {last}");
}
