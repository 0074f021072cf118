//! `martinet find`: from a bounce to its cause, on the command line and over HTTP.

use std::process::{Command, Output};

use martinet::find::{Certainty, Finder, scenario_of};
use martinet::scenario;

fn finder() -> Finder {
    Finder::built_in().expect("the built-in files are sound")
}

fn martinet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_martinet"))
        .args(arguments)
        .output()
        .expect("martinet runs")
}

/// A receiver without its era.
fn name(receiver: &str) -> &str {
    receiver.split('@').next().unwrap_or_default()
}

const AOL: &str = "421 4.7.1 : (DNS:NR)";

#[test]
fn a_cut_reply_is_found_by_one_command() {
    let output = martinet(&["find", AOL, "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let best = &json["matches"][0];
    assert_eq!(best["receiver"], "aol-2014");
    assert_eq!(best["rule"], "iprev");
    assert_eq!(best["certainty"], "literal");
    assert_eq!(best["stage"], "connect");
    for key in ["scenario", "client", "helo"] {
        assert!(best[key].is_string(), "{key}: {best}");
    }
    assert!(best["remedies"][0]["text"].is_string(), "{best}");
    // The first command does what it says.
    let command = best["commands"][0].as_str().expect("a command");
    let words: Vec<_> = command.split(' ').skip(1).collect();
    let output = martinet(&words);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("(DNS:NR)"), "{text}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn unknown_words_are_reported_as_unknown() {
    let output = martinet(&[
        "find",
        "557 5.9.9 The weather has no PTR record of its liking today",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("no receiver is known"), "{text}");
    assert!(text.contains("a generic receiver"), "{text}");
    let kind = finder().find(b"550 Your PTR record is not to the liking of this host");
    assert!(
        !kind.matches.is_empty()
            && kind
                .matches
                .iter()
                .all(|one| one.certainty == Certainty::Kind)
    );
    // A code that no rule has: the replies with the nearest code.
    let output = martinet(&["find", "559 nothing like it"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("the nearest code") && text.contains("55"),
        "{text}"
    );
    let output = martinet(&["find", "", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn receivers_are_listed_by_their_replies() {
    let output = martinet(&["list", "receivers", "--reply", "dns ptr resource record"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("gmx") && text.contains("554-Bad DNS PTR"),
        "{text}"
    );
    assert!(!text.contains("gmail"), "{text}");
    // The replies stand in one column, however long the names of the rules are.
    let output = martinet(&["list", "receivers", "--reply", "DNS:NR"]);
    let text = String::from_utf8_lossy(&output.stdout);
    for rule in ["ptr-exists  421 ", "iprev       421 "] {
        assert!(text.contains(rule), "{text}");
    }
    let none = martinet(&["list", "receivers", "--reply", "no such words"]);
    assert_eq!(none.status.code(), Some(1));
    let wrong = martinet(&["list", "checks", "--reply", "x"]);
    assert_eq!(wrong.status.code(), Some(2));
}

/// Every form in which a reply comes, with other addresses in it, leads to the same receiver and rule.
#[test]
fn every_form_of_a_reply_is_read() {
    let lines = [
        "554-web.de (mxweb108) Nemesis ESMTP Service not available",
        "554-No SMTP service",
        "554-Bad DNS PTR resource record.",
        "554 For explanation visit http://postmaster.gmx.com/en/error-messages?ip=198.51.100.9&c=rdns",
    ];
    let joined = lines.join(" ");
    let forms = [
        lines.join("\r\n"),
        lines.join("\\n"),
        joined.clone(),
        format!("Nov 26 02:00:00 mx postfix/smtp[42]: 4A: to=<a@web.de>, relay=mx-ha.web.de[212.227.15.17]:25, delay=1, dsn=5.0.0, status=bounced (host mx-ha.web.de[212.227.15.17] refused to talk to me: {joined})"),
        format!("2026-11-26 02:00:00 1abc-0001-XY ** a@web.de R=dnslookup T=remote_smtp H=mx-ha.web.de [212.227.15.17]: SMTP error from remote mail server after initial connection: {}", lines.join("\\n")),
        format!("Nov 26 02:00:00 mx sendmail[42]: xA: to=<a@web.de>, delay=00:00:01, mailer=esmtp, relay=mx-ha.web.de. [212.227.15.17], dsn=5.0.0, stat=Service unavailable, reply={joined}"),
        format!("@400 delivery 7: failure: 212.227.15.17_does_not_like_recipient./Remote_host_said:_{}/Giving_up_on_212.227.15.17./", lines.join("/").replace(' ', "_")),
        format!("5a smtp-out permfail to=<a@web.de> rcpt=<a@web.de> source=\"192.0.2.10\" relay=\"212.227.15.17 (mx-ha.web.de)\" delay=1s stat=\"{joined}\""),
        format!("Remote Server returned '{joined}'"),
        serde_json::json!({"code": "EPROTOCOL", "response": lines.join("\n"), "responseCode": 554, "command": "CONN"}).to_string(),
        serde_json::json!([{"diagnosticcode": joined, "replycode": "554", "deliverystatus": "5.0.0", "reason": "requireptr"}]).to_string(),
        lines.iter().map(|line| format!("> {line}\n")).collect(),
        format!("<<< {}\n554 5.0.0 Service unavailable", lines.join("\n<<< ")),
    ];
    let finder = finder();
    for form in forms {
        let found = finder.find(form.as_bytes());
        let best = found
            .matches
            .first()
            .unwrap_or_else(|| panic!("nothing for {form}"));
        assert_eq!(
            (name(&best.receiver), best.rule),
            ("gmx", Some("ptr-exists")),
            "{form}"
        );
        assert!(
            best.certainty <= Certainty::Words,
            "{form}: {:?}",
            best.certainty
        );
    }
}

/// A reply that was cut anywhere, and a sentence alone, are still said to be literal.
#[test]
fn a_part_of_a_reply_is_literal() {
    let finder = finder();
    let parts = [
        (
            "gmail",
            "The IP address sending this message does not have a PTR record setup, or the corresponding forward DNS entry does not match the sending IP.",
        ),
        (
            "gmail",
            "550 5.7.25 The IP address sending this message does not have a PTR record setup",
        ),
        (
            "gmail",
            "550-5.7.25 match the sending IP. As a policy, Gmail does not accept messages",
        ),
        (
            "gmail",
            "> cord setup, or the corre-\n> sponding forward DNS entry does not\n> match the sending I",
        ),
        (
            "gmail",
            "(reason: 550-5.7.25 [2001:db8::77] The IP address sending this message does not have a PTR rec...rding forward DNS entry does not match the sending IP)",
        ),
        ("gmx", "554-Bad DNS PTR resource record."),
        (
            "comcast",
            "Comcast requires that all mail servers must have a PTR record with a valid Reverse DNS entry",
        ),
        (
            "mailru",
            "Please get a custom reverse DNS name from your ISP for your host 203.0.113.9 or contact abuse",
        ),
    ];
    for (receiver, text) in parts {
        let found = finder.receivers(text.as_bytes());
        let (best, certainty) = found
            .first()
            .unwrap_or_else(|| panic!("nothing for {text}"));
        assert_eq!(
            (best.name.as_str(), *certainty),
            (receiver, Certainty::Literal),
            "{text}"
        );
    }
    // A sentence that two receivers share is nobody's alone, and most of a text must be the receiver's.
    let none = [
        "Connection rejected. We do not accept messages from IPs with missing PTR records here, as our own policy of 2026 says at length",
        "Service unavailable; Client host [192.0.2.1] blocked using",
    ];
    for text in none {
        let found = finder.receivers(text.as_bytes());
        let literal = found
            .iter()
            .find(|(_, certainty)| *certainty == Certainty::Literal);
        let literal = literal.map(|(profile, _)| &profile.name);
        assert_eq!(literal, None, "{text}");
    }
}

/// A notification says what was sent, and the scenario written from it has that in it.
#[test]
fn a_notification_becomes_a_scenario() {
    let dsn = include_str!("../data/bounce.eml");
    let finder = finder();
    let found = finder.find(dsn.as_bytes());
    let best = found.matches.first().expect("a match");
    assert_eq!(best.receiver, "gmail@2021-2023");
    assert_eq!(best.certainty, Certainty::Literal);
    assert_eq!(found.sent.client, "203.0.113.44".parse().ok());
    assert_eq!(found.sent.helo.as_deref(), Some("out7.shop.example"));
    assert_eq!(found.sent.sender.as_deref(), Some("news@shop.example"));
    assert_eq!(
        found.sent.receiver.as_deref(),
        Some("gmail-smtp-in.l.google.com")
    );
    assert!(found.sent.time.is_some());
    let rewritten = scenario_of(&finder, &found);
    assert!(rewritten.same_reply);
    let scenario = scenario::parse_scenario("bounce", &rewritten.text).expect("a sound scenario");
    assert_eq!(scenario.receiver, "gmail@2021-2023");
    assert_eq!(
        scenario.clients()[0].address,
        "203.0.113.44"
            .parse::<std::net::IpAddr>()
            .expect("an address")
    );
    assert_eq!(scenario.clients()[0].helo, "out7.shop.example");
}

/// The case of an IPv4 client where there is one: most bounces are of IPv4.
#[test]
fn the_plainest_scenario_is_named() {
    let found = finder().find(b"554 5.7.1 Fix reverse DNS for 198.51.100.77");
    let client = found.matches.iter().find_map(|one| one.client);
    assert!(client.is_some_and(|client| client.is_ipv4()), "{client:?}");
}

/// `--scenario-out` writes a file that `verify` runs.
#[test]
fn the_scenario_of_a_bounce_is_verified() {
    let dsn = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/bounce.eml");
    let file = std::env::temp_dir().join(format!("martinet-bounce-{}.toml", std::process::id()));
    let path = file.display().to_string();
    let output = martinet(&["find", dsn, "--scenario-out", &path]);
    assert_eq!(output.status.code(), Some(0));
    let verified = martinet(&["verify", &path]);
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert_eq!(verified.status.code(), Some(0), "{text}");
    assert!(text.contains("1 as expected"), "{text}");
    std::fs::remove_file(&file).expect("the file is there");
}

/// A rule that counts: the commands repeat the session, and write the message that it needs.
#[test]
fn rules_that_count_have_a_scenario() {
    let found = finder().find(
        b"550 5.7.40 Your message was blocked because the sending domain doesn't have a DMARC record",
    );
    let best = &found.matches[0];
    assert_eq!(
        (best.receiver.as_str(), best.rule, best.sessions),
        ("gmail", Some("dmarc-record"), 3)
    );
    let commands = best.commands.join("\n");
    for part in [
        "martinet serve",
        "> message.eml",
        "$(seq 3)",
        "--file message.eml",
    ] {
        assert!(commands.contains(part), "{part}: {commands}");
    }
    assert!(best.test.contains("sessions = 3"), "{}", best.test);
    let escalated = finder()
        .find(b"553 5.7.2 [TSS09] All messages from 192.0.2.1 will be permanently deferred");
    assert_eq!(
        (
            escalated.matches[0].receiver.as_str(),
            escalated.matches[0].sessions
        ),
        ("yahoo", 4)
    );
}

/// A rule about the conduct of a client: the commands and the test say what the client does.
#[test]
fn rules_about_conduct_have_a_client() {
    let cases = [
        (
            "421 smtp.orange.fr ME Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down. OFR005_104 [104]",
            "--open 2",
            "open     = 2",
        ),
        (
            "421 Max message per connection reached, closing transmission channel",
            "--messages 21",
            "messages = 21",
        ),
        (
            "503 5.5.1 Polite people say EHLO first.",
            "--say 'MAIL FROM:<",
            "says     = [\"MAIL FROM:<",
        ),
        (
            "554 mx.test cox ESMTP no data before greeting",
            "--early --say 'EHLO ",
            "early    = true",
        ),
        (
            "500 5.5.1 Invalid command: Pipelining not supported",
            "\\r\\nMAIL FROM",
            "\\u000D\\nMAIL FROM",
        ),
    ];
    for (reply, flag, key) in cases {
        let found = finder().find(reply.as_bytes());
        let best = &found.matches[0];
        let commands = best.commands.join("\n");
        assert!(commands.contains("martinet send"), "{reply}: {commands}");
        assert!(commands.contains(flag), "{reply}: {commands}");
        assert!(best.test.contains(key), "{reply}: {}", best.test);
        // A sound client, in a scenario that is about nothing else.
        if best.receiver == "orange" {
            assert_eq!(best.scenario.as_deref(), Some("one-to-one"), "{reply}");
        }
    }
    let later = finder().find(b"550 5.7.1 Email rejected per DMARC policy for shop.example");
    let zoho = later.matches.iter().find(|one| one.receiver == "zoho");
    let zoho = zoho.expect("a match of zoho");
    assert_eq!(zoho.sessions, 2, "{zoho:?}");
    assert!(zoho.test.contains("pause    = \"300s\""), "{}", zoho.test);
    assert!(zoho.commands.join(" ").contains("sleep 300"));
}

/// Words of software are an operator's if the bounce says that the operator refused.
#[test]
fn the_domain_of_the_recipient_tells_who_refused() {
    let finder = finder();
    let words = "421 Refused. Your reverse DNS entry does not resolve.";
    let best = |text: &str| {
        let found = finder.receivers(text.as_bytes());
        let (profile, certainty) = found.first().expect("a match");
        (profile.name.clone(), *certainty)
    };
    assert_eq!(best(words).0, "spamdyke");
    let logs = [
        format!(
            "Nov 26 18:02:11 mx sendmail[4711]: 4AQI2B: to=<c@elsewhere.test>, mailer=esmtp, relay=mx1.free.fr. [212.27.48.7], dsn=4.0.0, reply={words}, stat=Deferred: {words}"
        ),
        format!(
            "Nov 26 18:02:11 mx postfix/smtp[4711]: 4A: to=<c@free.fr>, relay=none, dsn=4.0.0, status=deferred (host mx1.proxad.test[212.27.48.7] refused to talk to me: {words})"
        ),
    ];
    for log in logs {
        let free = ("free".to_owned(), Certainty::Literal);
        assert_eq!(best(&log), free, "{log}");
    }
    let log = format!("host mx.notfree.fr.test[192.0.2.1] refused to talk to me: {words}");
    assert_eq!(best(&log).0, "spamdyke");
    // The default text of a check is no match beside a receiver's own.
    let found = finder.find(words.as_bytes());
    let rules: Vec<_> = found
        .matches
        .iter()
        .map(|one| (&one.receiver, one.rule))
        .collect();
    assert!(
        !rules.iter().any(|(name, rule)| {
            name.as_str() == "spamdyke" && *rule == Some("ptr-country-and-ip")
        }),
        "{rules:?}"
    );
}

/// The scenario of a bounce has what its client does, and what its sender had sent.
#[test]
fn the_scenario_of_a_bounce_has_the_conduct_of_its_client() {
    let log = |reply: &str| {
        format!(
            "Nov 26 18:02:11 mx postfix/smtp[4711]: 4A: to=<c@isp.test>, from=<news@shop.example>, helo=<out7.shop.example>, relay=mx.isp.test[203.0.113.1]:25, status=deferred (host mx.isp.test[203.0.113.1] said: {reply})"
        )
    };
    let finder = finder();
    for (reply, part) in [
        (
            "421 smtp.orange.fr ME Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down. OFR005_104 [104]",
            "open     = 2",
        ),
        (
            "421-4.7.30 Your email has been rate limited because DKIM authentication didn't pass for this message.",
            "[[sent]]\nfrom_domain = \"shop.example\"\nmessages = 4999",
        ),
        (
            "503 5.5.1 Polite people say EHLO first.",
            "says     = [\"MAIL",
        ),
    ] {
        let found = finder.find(log(reply).as_bytes());
        let rewritten = scenario_of(&finder, &found);
        assert!(rewritten.same_reply, "{reply}: {}", rewritten.text);
        assert!(rewritten.text.contains(part), "{}", rewritten.text);
        assert!(
            rewritten.text.contains("shop.example"),
            "{}",
            rewritten.text
        );
        let scenario = scenario::parse_scenario("bounce", &rewritten.text);
        let scenario = scenario.expect("a sound scenario");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let outcomes = runtime.block_on(martinet::play::expectations(&scenario));
        let outcomes = outcomes.expect("play");
        assert_eq!(outcomes.len(), 1);
        assert!(outcomes[0].as_expected(), "{:?}", outcomes[0].mismatches);
    }
}

/// What was sent is printed, from a notification and from a log line, with or without a match.
#[test]
fn sent_lines_are_printed() {
    let dsn = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/bounce.eml");
    let output = martinet(&["find", dsn]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in [
        "client address 203.0.113.44",
        "HELO name      out7.shop.example",
        "sender         news@shop.example",
        "sent to        gmail-smtp-in.l.google.com",
        "time           ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let output = martinet(&[
        "find",
        "status=bounced (host mx.isp.test[203.0.113.1] said: 557 5.9.9 [198.51.100.7] the weather (in reply to MAIL FROM command))",
    ]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("no receiver is known"), "{text}");
    assert!(text.contains("client address 198.51.100.7"), "{text}");
    assert!(text.contains("sent to        mx.isp.test"), "{text}");
    let plain = martinet(&["find", AOL]);
    let text = String::from_utf8_lossy(&plain.stdout).into_owned();
    assert!(!text.contains("the refused message"), "{text}");
    assert!(text.contains("notes "), "{text}");
}

#[tokio::test]
async fn http_finds_too() {
    let served = crate::http::Served::start("one-to-one", "fcrdns").await;
    let body = serde_json::json!({ "text": AOL });
    let answer = served.send_json("POST", "/api/v1/find", &body).await;
    let json = answer.json();
    assert_eq!(answer.status, 200, "{json}");
    assert_eq!(json["matches"][0]["receiver"], "aol-2014");
    assert!(!json.to_string().contains(":null"), "{json}");
    let scenario = json["scenario"].as_str().expect("a scenario");
    assert!(scenario.contains("[[pool]]"), "{scenario}");
}
