//! Converts zone text to a zone. Data that no server loads is reported with its line, like a syntax error.

use std::collections::HashMap;

use super::kind;
use super::master::{MasterMistake, Row, read_master};
use super::zone::Zone;
use crate::name::Name;

impl Zone {
    /// Reads zone text (RFC 1035 §5). SOA and NS are added if the text has none.
    ///
    /// # Errors
    /// All mistakes: syntax errors, records outside the zone, and data that no server loads.
    pub fn load(text: &[u8], origin: &Name, default_ttl: u32) -> Result<Self, Vec<MasterMistake>> {
        let (zone, mistakes) = Self::load_each(text, origin, default_ttl, |_| {});
        if mistakes.is_empty() {
            Ok(zone)
        } else {
            Err(mistakes)
        }
    }

    /// Reads zone text, passes each accepted record to `seen`, and returns all mistakes in the order of lines.
    pub(crate) fn load_each(
        text: &[u8],
        origin: &Name,
        default_ttl: u32,
        mut seen: impl FnMut(&Row<'_>),
    ) -> (Self, Vec<MasterMistake>) {
        let mut zone = Self::empty(origin);
        let mut conflicts = Vec::new();
        let mut dnames = HashMap::new();
        let read = read_master(text, origin, default_ttl, |row| match zone.take(&row) {
            Ok(()) => {
                if row.kind == kind::DNAME {
                    dnames.insert(row.owner.to_ascii_lowercase(), row.line);
                }
                seen(&row);
            }
            Err(conflict) => conflicts.push((row.line, conflict)),
        });
        // Data before the DNAME in the text is found at the end, and reported at the line of the DNAME.
        for (dname, conflict) in zone.below_dnames() {
            conflicts.push((dnames.get(&*dname).copied().unwrap_or(1), conflict));
        }
        zone.complete();
        let mut mistakes = read.err().unwrap_or_default();
        mistakes.extend(conflicts.into_iter().map(|(line, conflict)| MasterMistake {
            line,
            expected: conflict.expected(),
            found: conflict.found(),
        }));
        mistakes.sort_by_key(|mistake| mistake.line);
        (zone, mistakes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name;

    #[track_caller]
    fn check(text: &str, expected: &[(usize, &str, &str)]) {
        let origin = name::absolute("example.test").expect("a name");
        let mistakes = Zone::load(text.as_bytes(), &origin, 300)
            .err()
            .unwrap_or_default();
        let got: Vec<_> = mistakes
            .iter()
            .map(|m| (m.line, m.expected.as_str(), m.found.as_str()))
            .collect();
        assert_eq!(got.len(), expected.len(), "{text}\n{got:#?}");
        for ((line, expected, found), got) in expected.iter().zip(&got) {
            let same = (*line, *found) == (got.0, got.2) && got.1.contains(expected);
            assert!(same, "{text}\nexpected {line} {expected} {found}: {got:?}");
        }
    }

    const OTHER_DATA: &str = "no other data alongside a CNAME";

    #[test]
    fn a_cname_stands_alone() {
        for (text, found) in [
            ("a CNAME b\na A 192.0.2.1", "a.example.test. A"),
            ("a A 192.0.2.1\nA CNAME b", "A.example.test. CNAME"),
            ("a CNAME b\na DNAME c", "a.example.test. DNAME"),
            ("a NS b\na CNAME b", "a.example.test. CNAME"),
            ("*.w CNAME b\n*.w TXT x", "*.w.example.test. TXT"),
            ("a CNAME b\na TYPE65280 \\# 0", "a.example.test. TYPE65280"),
        ] {
            check(text, &[(2, OTHER_DATA, found)]);
        }
        check("a CNAME b\na NSEC c A\na KEY 257 3 8 AQID", &[]);
        check("a NSEC c A\na CNAME b", &[]);
        check(
            "a CNAME b\na CNAME c",
            &[(2, "one CNAME", "a.example.test. CNAME")],
        );
        check("a CNAME b\na 60 CNAME b", &[]);
        let apex = "no CNAME at the origin";
        check("@ CNAME b", &[(1, apex, "example.test. CNAME")]);
        check(
            "@ SOA ns h 1 1 1 1 1\n@ CNAME b",
            &[(2, apex, "example.test. CNAME")],
        );
    }

    #[test]
    fn one_soa_and_one_dname() {
        let soa = "@ SOA ns h 1 1 1 1 1\n";
        check(&soa.repeat(2), &[]);
        check(
            &format!("{soa}@ SOA ns h 2 1 1 1 1"),
            &[(2, "one SOA", "example.test. SOA")],
        );
        check(
            "a SOA ns h 1 1 1 1 1",
            &[(1, "SOA at the origin", "a.example.test. SOA")],
        );
        check(
            "a DNAME b\na DNAME c",
            &[(2, "one DNAME", "a.example.test. DNAME")],
        );
        check("a DNAME b\na A 192.0.2.1\nb A 192.0.2.2", &[]);
    }

    #[test]
    fn nothing_below_a_dname() {
        let expected = "no data below the DNAME at t.example.test.";
        check(
            "t DNAME b\nx.T A 192.0.2.1",
            &[(2, expected, "x.T.example.test. A")],
        );
        check(
            "t DNAME b\nx.y.t TXT x",
            &[(2, expected, "x.y.t.example.test. TXT")],
        );
        // Reported once, at the DNAME, if the data is before it.
        check(
            "x.y.t TXT x\nz.t A 192.0.2.1\nt DNAME b\na.t TXT x",
            &[
                (3, expected, "x.y.t.example.test. TXT"),
                (4, expected, "a.t.example.test. TXT"),
            ],
        );
        check("xt A 192.0.2.1\nt DNAME b", &[]);
        check(
            "@ DNAME other.test.\nx A 192.0.2.1",
            &[(2, "the DNAME at example.test.", "x.example.test. A")],
        );
    }

    #[test]
    fn mistakes_of_text_and_data_come_in_the_order_of_lines() {
        check(
            "a CNAME b\nb A x\na A 192.0.2.1\nc.other.test. A 192.0.2.1\nd FOO 1",
            &[
                (2, "an IPv4 address", "x"),
                (3, OTHER_DATA, "a.example.test. A"),
                (4, "within the zone example.test.", "c.other.test."),
                (5, "a record type", "FOO"),
            ],
        );
    }
}
