//! Keys of the wrong kind of file, misspelt keys, and networks with host bits: each is one mistake at its line.

use super::bad_input::{receiver, scenario};

#[test]
fn a_stray_key_is_reported_with_the_kind_of_file_and_its_reason() {
    scenario(
        "title = \"t\"\n[[pool]]\nname = \"p\"\nhelo = \"h\"\naddresses = [\"192.0.2.1\"]\n[[zone]]\norigin = \"a.test\"\ntext = \"\"\n[[rule]]\ncheck = \"iprev\"",
        &[(
            9,
            "one of title",
            "\"rule\", a key of receiver files; this file is read as a scenario because it has the keys pool and zone",
        )],
    );
    receiver(
        "title = \"t\"\n[auth]\naccept = \"any\"\n[[script]]\nstage = \"mail\"\nreply = \"451 no\"\n[[pool]]\nname = \"p\"",
        &[(
            7,
            "one of title",
            "\"pool\", a key of scenario files; this file is read as a receiver because it has the keys auth and script",
        )],
    );
    scenario(
        "title = \"t\"\nkind = \"receiver\"\n[[pool]]",
        &[(
            1,
            "a scenario file",
            "a receiver file: it says kind = \"receiver\"",
        )],
    );
}

#[test]
fn a_misspelt_key_is_one_mistake_at_its_line() {
    let pool = "title = \"t\"\n[[pool]]\nname = \"p\"\nhelo = \"h\"\n";
    scenario(
        &format!("{pool}adresses = [\"192.0.2.1\"]"),
        &[(
            5,
            "a known key",
            "\"adresses\": did you mean \"addresses\"?",
        )],
    );
    receiver(
        "title = \"t\"\n[[rule]]\nchek = \"iprev\"\nfail = \"550 no\"",
        &[(3, "a known key", "\"chek\": did you mean \"check\"?")],
    );
    receiver(
        "title = \"t\"\n[[script]]\nstag = \"mail\"\nreply = \"451 no\"",
        &[(3, "a known key", "\"stag\": did you mean \"stage\"?")],
    );
    receiver(
        "title = \"t\"\n[[rule]]\ncheck = \"iprev\"\nstag = \"mail\"",
        &[(4, "a known key", "\"stag\": did you mean \"stage\"?")],
    );
}

#[test]
fn host_bits() {
    let (network, found) = (
        "the network 192.0.2.0/28 or the address 192.0.2.10",
        "beyond the first 28",
    );
    let net = "\"192.0.2.10/28\"";
    let pool = "title = \"t\"\n[[pool]]\nname = \"p\"\nhelo = \"h\"\n";
    scenario(
        &format!("{pool}addresses = [{net}]"),
        &[(5, network, found)],
    );
    scenario(
        &format!("{pool}addresses = [\"192.0.2.1\"]\nhelo_addresses = [{net}]"),
        &[(6, network, found)],
    );
    scenario(
        &format!("title = \"t\"\n[[client.nat]]\nto = \"198.51.100.1\"\nfrom = {net}"),
        &[(4, network, found)],
    );
    for text in [
        "[smtp]\n\nxclient = ",
        "[[allow]]\n\naddresses = ",
        "[[script]]\nstage = \"mail\"\nreply = \"451 no\"\nclient = ",
        "[[rule]]\ncheck = \"dnsbl\"\nzones = \"bl.test\"\nvalues = ",
    ] {
        let line = 2 + text.matches('\n').count();
        receiver(
            &format!("title = \"t\"\n{text}{net}"),
            &[(line, network, found)],
        );
    }
    receiver(
        "title = \"t\"\n[smtp]\nxclient = \"2001:db8::1/64\"",
        &[(
            3,
            "the network 2001:db8::/64 or the address 2001:db8::1",
            "beyond the first 64",
        )],
    );
}
