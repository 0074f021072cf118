//! Domain names: hickory's [`Name`], which keeps the case and compares without it (RFC 4343), and a few functions that
//! mail needs.

use std::net::IpAddr;

pub use hickory_proto::rr::{Name, RecordType};
use structured_public_domains::DomainInfo;

/// Maximum length of a label in octets (RFC 1035 §2.3.4).
pub(crate) const LABEL_OCTETS: usize = 63;
/// Maximum length of a name in octets as text (RFC 1035 §2.3.4, without the length octets).
pub(crate) const NAME_OCTETS: usize = 253;

/// Parses an absolute name, with or without its final dot.
pub fn absolute(text: &str) -> Option<Name> {
    let mut name = Name::from_ascii(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// Parses labels separated by dots, without escapes, as any octets (RFC 2181 §11). SPF macros produce such names.
pub fn of_octets(text: &str) -> Option<Name> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let mut name = Name::from_labels(bare.split('.').map(str::as_bytes)).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// The name as text: without the final dot, with its case.
pub fn display(name: &Name) -> String {
    let mut text = name.to_ascii();
    if text.len() > 1 && text.ends_with('.') {
        text.pop();
    }
    text
}

/// The name of the PTR record for an address, under in-addr.arpa or ip6.arpa (RFC 1035 §3.5, RFC 3596 §2.5).
pub fn reverse(address: IpAddr) -> Name {
    let mut name = Name::from(address);
    name.set_fqdn(true);
    name
}

/// Converts an IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) to the IPv4 address.
pub(crate) fn normalise(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The organisational domain by the public suffix list: one label more than the public suffix (RFC 9091 §2.1 practice).
///
/// `None` if the name is itself a public suffix, or has one label. A top-level domain that is not on the list
/// (`example.test`) counts as a suffix of one label, by the default rule `*` of the list.
pub fn organisational_domain(name: &Name) -> Option<String> {
    let text = display(name);
    registrable(&text).map(str::to_ascii_lowercase)
}

/// The end of a name that is its organisational domain. `text` has no final dot.
pub(crate) fn registrable(text: &str) -> Option<&str> {
    let labels = public_suffix(text)?
        .registrable_domain()?
        .split('.')
        .count();
    let before = text.rmatch_indices('.').nth(labels - 1);
    Some(before.map_or(text, |(dot, _)| &text[dot + 1..]))
}

/// Whether a name is under a suffix of the public suffix list. The top-level domains that RFC 2606 reserves for tests
/// and examples count, because they represent real ones in a scenario; otherwise a receiver that requires a public
/// suffix would refuse every name.
pub(crate) fn has_public_suffix(name: &Name) -> bool {
    let text = display(name);
    let top = text.rsplit('.').next().unwrap_or_default();
    let set_aside = ["test", "example"].iter();
    set_aside
        .copied()
        .any(|word| top.eq_ignore_ascii_case(word))
        || public_suffix(&text).is_some_and(|suffix| suffix.is_known())
}

/// What the public suffix list says of a name. The list has U-labels, and names in DNS have A-labels (RFC 5890 §2.3.2.1).
fn public_suffix(text: &str) -> Option<DomainInfo> {
    let is_a_label = |label: &str| {
        label
            .as_bytes()
            .get(..4)
            .is_some_and(|ace| ace.eq_ignore_ascii_case(b"xn--"))
    };
    match text.split('.').any(is_a_label) {
        true => structured_public_domains::lookup(&idna::domain_to_unicode(text).0),
        false => structured_public_domains::lookup(text),
    }
}

/// Whether `name` equals `suffix` or is below it.
pub(crate) fn is_within(name: &Name, suffix: &Name) -> bool {
    suffix.zone_of(name)
}

/// Serializes a name as text.
pub(crate) fn as_text<S: serde::Serializer>(name: &Name, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&display(name))
}

/// Serializes a name as text, or nothing.
pub(crate) fn as_optional_text<S: serde::Serializer>(
    name: &Option<Name>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match name {
        Some(name) => serializer.serialize_str(&display(name)),
        None => serializer.serialize_none(),
    }
}

/// Serializes names as a list of texts.
pub(crate) fn as_texts<S: serde::Serializer>(
    names: &[Name],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(names.iter().map(display))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        absolute(text).expect("a valid name")
    }

    #[test]
    fn reverse_names() {
        let reversed = |a: &str| reverse(a.parse().expect("an address")).to_ascii();
        assert_eq!(reversed("192.0.2.10"), "10.2.0.192.in-addr.arpa.");
        assert_eq!(
            reversed("2001:db8::7"),
            "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."
        );
    }

    #[test]
    fn organisational_domains() {
        for (full, expected) in [
            (
                "mail-bl2.outbound.protection.Outlook.com",
                Some("outlook.com"),
            ),
            ("a.b.co.uk", Some("b.co.uk")),
            ("B.co.uk", Some("b.co.uk")),
            ("co.uk", None),
            ("uk", None),
            ("mail.example.test", Some("example.test")),
            ("test", None),
            // A wildcard rule, and its exception.
            ("a.b.c.ck", Some("b.c.ck")),
            ("a.www.ck", Some("www.ck")),
            // A rule of a private suffix.
            ("a.b.github.io", Some("b.github.io")),
            // The rules 公司.cn and 中国.
            ("a.b.xn--55qx5d.cn", Some("b.xn--55qx5d.cn")),
            ("a.b.XN--55QX5D.CN", Some("b.xn--55qx5d.cn")),
            ("a.xn--85x722f.xn--fiqs8s", Some("xn--85x722f.xn--fiqs8s")),
            // Not Punycode.
            ("a.xn--zz--.com", Some("xn--zz--.com")),
            ("_dmarc.b.co.uk", Some("b.co.uk")),
        ] {
            assert_eq!(
                organisational_domain(&name(full)).as_deref(),
                expected,
                "{full}"
            );
        }
        assert_eq!(organisational_domain(&Name::root()), None);
    }

    #[test]
    fn public_suffixes() {
        for (full, expected) in [
            ("mail.example.com", true),
            ("mail.example.Test", true),
            ("example.example", true),
            ("mail.example.localdomain", false),
            ("a.b.xn--55qx5d.cn", true),
            ("a.xn--p1ai", true),
            ("a.xn--zz--", false),
        ] {
            assert_eq!(has_public_suffix(&name(full)), expected, "{full}");
        }
    }

    #[test]
    fn names_compare_without_case_and_keep_it() {
        assert_eq!(name("Mail.Example.TEST"), name("mail.example.test."));
        assert_eq!(display(&name("Mail.Example.TEST.")), "Mail.Example.TEST");
        assert!(is_within(&name("a.Example.test"), &name("example.TEST")));
        assert!(!is_within(&name("notexample.test"), &name("example.test")));
    }
}
