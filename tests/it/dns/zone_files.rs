//! Zone files as other servers write them: loaded unchanged, printed, and loaded again.

use martinet::dns::Zone;

use super::*;

/// As BIND's `named-compilezone -s relative`, NSD and Knot write them: every type with a text form of its own.
const FILE: &str = include_str!("../../data/foreign.zone");

fn load(text: &[u8]) -> Zone {
    let origin = absolute("example.test").expect("a name");
    Zone::load(text, &origin, 300).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

#[test]
fn every_type_round_trips() {
    let zone = load(FILE.as_bytes());
    let printed = zone.to_master();
    println!("{printed}");
    assert_eq!(load(printed.as_bytes()).to_master(), printed);
    let lines = FILE
        .lines()
        .filter(|l| {
            l.split_whitespace()
                .any(|word| word == "IN" || word == "CLASS1")
        })
        .count();
    assert_eq!(zone.records(), lines, "no record is lost");
    for expected in [
        "txt.example.test. 300 IN TXT \"quoted; not a comment\" \"a \\\"quote\\\" and a \\\\\" \"plain\" \"\\000\\255\"\n",
        "ds.example.test. 300 IN DS 60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118\n",
        "unknown.example.test. 300 IN TYPE65280 \\# 3 abcdef\n",
        "known.example.test. 300 IN A 192.0.2.1\n",
        "svc.example.test. 300 IN HTTPS 1 . alpn=\"h2,h3\" port=8443 ipv4hint=192.0.2.1,192.0.2.2\n",
        "loc.example.test. 300 IN LOC 51 30 12.748 N 0 7 39.611 W 0.00m 1.00m 10000.00m 10.00m\n",
        "loc-short.example.test. 300 IN LOC 42 0 0.000 S 71 6 0.000 E -24.00m 1.00m 10000.00m 10.00m\n",
        "apl.example.test. 300 IN APL 1:192.168.32.0/21 !1:192.168.38.0/28 2:ff00::/8 1:0.0.0.0/0\n",
        "nsap.example.test. 300 IN NSAP 0x47000580005a0000000001e133ffffff00016100\n",
        "ipseckey.example.test. 300 IN IPSECKEY 10 3 0 mail.example.test.\n",
        "wks.example.test. 300 IN WKS 192.0.2.1 6 21 25 1025\n",
        "hip.example.test. 300 IN HIP 2 200100107b1a74df365639cc39f1d578 AwEAAbdxyhNuSutc5EMz rvs.example.test. mail.example.test.\n",
        "amtrelay.example.test. 300 IN AMTRELAY 128 1 0 .\n",
        "numbered.example.test. 300 IN A 192.0.2.7\n",
        "old.example.test. 0 IN A 192.0.2.7\n",
        "\\(odd\\)\\.name.example.test. 300 IN A 192.0.2.1\n",
    ] {
        assert!(printed.contains(expected), "no {expected}");
    }
}

/// Octets beyond ASCII in comments and strings need not be UTF-8.
#[test]
fn latin_1_comments() {
    let zone = load(b"a A 192.0.2.1 ; caf\xe9\nb TXT \"caf\xe9\"\n\xff\xfe A 192.0.2.2\n");
    assert!(
        zone.to_master()
            .contains("b.example.test. 300 IN TXT \"caf\\233\"\n")
    );
    assert!(
        zone.to_master()
            .contains("\\255\\254.example.test. 300 IN A 192.0.2.2\n")
    );
}

#[tokio::test]
async fn a_zone_file_relative_to_the_scenario() {
    let directory = std::env::temp_dir().join(format!("martinet-zone-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("foreign.zone"), FILE).expect("a file");
    let scenario = "title = \"t\"\n[[zone]]\norigin = \"example.test\"\nfile = \"foreign.zone\"\n";
    std::fs::write(directory.join("s.toml"), scenario).expect("a file");
    let path = directory.join("s.toml");
    let scenario =
        martinet::scenario::load_scenario(path.to_str().expect("a path")).expect("a scenario");
    std::fs::write(
        directory.join("foreign.zone"),
        "$INCLUDE other.zone\na A 1\n",
    )
    .expect("a file");
    let refused = martinet::scenario::load_scenario(path.to_str().expect("a path"))
        .expect_err("a mistake")
        .to_string();
    std::fs::remove_dir_all(&directory).expect("removed");
    assert!(
        refused.contains("$INCLUDE is refused") && refused.contains("foreign.zone line 1"),
        "{refused}"
    );
    assert!(
        refused.contains("foreign.zone line 2"),
        "all mistakes: {refused}"
    );
    let world = World::builder()
        .with_scenario(scenario)
        .start()
        .await
        .expect("a world");
    let answer = ask(world.dns_addr(), "known.example.test", Transport::Udp)
        .await
        .expect("an answer");
    assert_eq!(summary(&answer), "NoError 192.0.2.1");
}
