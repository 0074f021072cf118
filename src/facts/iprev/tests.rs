use super::*;
use crate::facts::lookup::table::Table;

const CLIENT: &str = "192.0.2.10";

#[track_caller]
fn check(world: &str, settings: IprevSettings, expected: IprevResult) {
    check_client(CLIENT, world, settings, expected);
}

#[track_caller]
fn check_client(client: &str, world: &str, settings: IprevSettings, expected: IprevResult) {
    let client = client.parse().expect("an address");
    let mut evidence = Vec::new();
    let (iprev, _) = observe(client, &settings, &Table::new(world), &mut evidence);
    assert_eq!(iprev.result, expected, "{world}: {}", iprev.explanation);
    assert_eq!(
        iprev.verified_name.is_some(),
        iprev.forwards.iter().any(|f| f.confirms)
    );
    assert_eq!(evidence[0].record_type, RecordType::PTR);
}

fn settings(change: impl FnOnce(&mut IprevSettings)) -> IprevSettings {
    let mut settings = IprevSettings::default();
    change(&mut settings);
    settings
}

const PTR: &str = "10.2.0.192.in-addr.arpa PTR";

/// Rows 1 to 13 of the matrix of real receivers, with the parameters that make them differ.
#[test]
fn rows_of_the_matrix() {
    use IprevResult::{Fail, Pass, Permerror, Temperror};
    let rfc = IprevSettings::default;
    let exim = || {
        settings(|s| (s.forward_family, s.any_tempfail) = (ForwardFamily::Both, AnyTempfail::Wins))
    };
    let mail_auth =
        || settings(|s| (s.ptr_names, s.forward_nxdomain) = (2, ForwardNxdomain::Permerror));
    let one_ptr_name = || settings(|s| s.ptr_names = 1);

    check("", rfc(), Permerror);
    check(&format!("{PTR} NODATA"), rfc(), Permerror);
    check(&format!("{PTR} SERVFAIL"), rfc(), Temperror);
    check(&format!("{PTR} timeout"), rfc(), Temperror);
    check(&format!("{PTR} REFUSED"), rfc(), Temperror);
    check(&format!("{PTR} m.test\nm.test A 192.0.2.10"), rfc(), Pass);
    check(&format!("{PTR} m.test\nm.test A 192.0.2.99"), rfc(), Fail);
    check(&format!("{PTR} m.test"), rfc(), Fail);
    check(&format!("{PTR} m.test"), mail_auth(), Permerror);
    check(
        &format!("{PTR} m.test\nm.test A SERVFAIL"),
        rfc(),
        Temperror,
    );
    let aaaa_only = format!("{PTR} m.test\nm.test A NODATA\nm.test AAAA 2001:db8::1");
    check(&aaaa_only, rfc(), Fail);
    check(&aaaa_only, mail_auth(), Permerror);
    check(&aaaa_only, exim(), Fail);
    check(
        &format!("{PTR} m.test\nm.test A 192.0.2.10\nm.test AAAA SERVFAIL"),
        exim(),
        Pass,
    );
    check(
        &format!("{PTR} m.test\nm.test A NODATA\nm.test AAAA SERVFAIL"),
        exim(),
        Temperror,
    );
    check(
        &format!("{PTR} 10.1.2.3\n10.1.2.3 A 192.0.2.10"),
        rfc(),
        Fail,
    );
    check(&format!("{PTR} m-.test\nm-.test A SERVFAIL"), exim(), Fail);
    check(
        &format!("{PTR} m_1.test\nm_1.test A 192.0.2.10"),
        rfc(),
        Pass,
    );
    let second = format!("{PTR} a.test b.test\na.test A 192.0.2.99\nb.test A 192.0.2.10");
    check(&second, rfc(), Pass);
    check(&second, one_ptr_name(), Fail);
    let third = format!(
        "{PTR} a.test b.test c.test\na.test A 192.0.2.98\nb.test A 192.0.2.99\nc.test A 192.0.2.10"
    );
    check(&third, rfc(), Pass);
    check(&third, mail_auth(), Fail);
    let good_and_servfail = format!("{PTR} a.test b.test\na.test A 192.0.2.10\nb.test A SERVFAIL");
    check(&good_and_servfail, rfc(), Pass);
    check(&good_and_servfail, exim(), Temperror);
    let mismatch_and_nxdomain = format!("{PTR} a.test b.test\na.test A 192.0.2.99");
    check(&mismatch_and_nxdomain, rfc(), Fail);
    check(&mismatch_and_nxdomain, mail_auth(), Permerror);
}

#[test]
fn relaxed_and_ipv6() {
    let near = settings(|s| s.relaxed = Relaxed::SameNetwork);
    check(
        &format!("{PTR} m.test\nm.test A 192.0.2.99"),
        near,
        IprevResult::Pass,
    );
    check(
        &format!("{PTR} m.test\nm.test A 198.51.100.9"),
        near,
        IprevResult::Fail,
    );
    let reverse = name::display(&name::reverse("2001:db8::7".parse().expect("an address")));
    let world = format!("{reverse} PTR m.test\nm.test AAAA 2001:db8::7");
    check_client(
        "2001:db8::7",
        &world,
        IprevSettings::default(),
        IprevResult::Pass,
    );
}

#[test]
fn the_slowest_forward_lookup_counts_once() {
    let world = format!("{PTR} a.test b.test\na.test A timeout\nb.test A timeout");
    let mut evidence = Vec::new();
    let client = CLIENT.parse().expect("an address");
    let (_, elapsed) = observe(
        client,
        &IprevSettings::default(),
        &Table::new(&world),
        &mut evidence,
    );
    assert_eq!(elapsed, Table::TIMEOUT);
}
