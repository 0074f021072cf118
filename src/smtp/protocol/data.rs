//! The data of a message: its end, and its text without the dots of transparency (RFC 5321 §4.5.2).

use bytes::BytesMut;
use memchr::memmem;

use crate::smtp::budget::{Flaw, MailData};
use crate::smtp::protocol::syntax::{BareNewline, Syntax};

/// The end of the data.
const END: &[u8] = b"\r\n.\r\n";

/// Collects the data of one message from chunks of any size.
#[derive(Debug)]
pub(crate) struct Collector {
    data: MailData,
    /// The number of octets received, including discarded ones.
    received: usize,
    line_start: bool,
}

impl Collector {
    /// Collects octets into `data`.
    pub(crate) fn new(data: MailData) -> Self {
        Self {
            data,
            received: 0,
            line_start: true,
        }
    }

    /// Takes as much of the input as possible. Returns true at the end of the data.
    pub(crate) fn take(&mut self, input: &mut BytesMut) -> bool {
        // In an empty message, the final dot follows the CRLF of the DATA command.
        if self.received == 0 && self.line_start && input.starts_with(&END[2..]) {
            let _ = input.split_to(END.len() - 2);
            return true;
        }
        if let Some(end) = memmem::find(input, END) {
            self.keep(&input[..end + 2]);
            let _ = input.split_to(end + END.len());
            return true;
        }
        // Keep octets that could be the beginning of the end of the data.
        let mut cut = input.len().saturating_sub(END.len() - 1);
        if self.received == 0 && cut < END.len() {
            return false;
        }
        if cut > 0 && input[cut - 1] == b'\r' {
            cut -= 1;
        }
        let taken = input.split_to(cut);
        self.keep(&taken);
        false
    }

    /// Appends octets without the transparency dots at the beginning of lines.
    fn keep(&mut self, mut run: &[u8]) {
        if run.is_empty() {
            return;
        }
        self.received += run.len();
        let ends_line = run.ends_with(b"\r\n");
        if self.line_start && run[0] == b'.' {
            run = &run[1..];
        }
        while let Some(at) = memmem::find(run, b"\r\n.") {
            self.data.push(&run[..at + 2]);
            run = &run[at + 3..];
        }
        self.data.push(run);
        self.line_start = ends_line;
    }

    /// The number of octets received so far, as sent.
    pub(crate) fn received(&self) -> usize {
        self.received
    }

    /// The message, and its flaw if it has one.
    pub(crate) fn into_octets(self, line_octets: usize) -> (Vec<u8>, Option<Flaw>) {
        let (octets, lost) = self.data.into_octets();
        let flaw = lost.or_else(|| flaw(&octets, line_octets));
        (octets, flaw)
    }
}

/// The message with line ends converted as the settings require, or the flaw that the settings do not accept.
pub(crate) fn finish(
    octets: Vec<u8>,
    flaw: Option<Flaw>,
    syntax: &Syntax,
) -> Result<Vec<u8>, Flaw> {
    let setting = match flaw {
        None => return Ok(octets),
        Some(Flaw::BareCr) => syntax.bare_cr,
        Some(Flaw::BareLf) => {
            let rejected = syntax.bare_cr == BareNewline::Reject;
            if syntax.bare_lf != BareNewline::Reject && rejected && has_bare_cr(&octets) {
                return Err(Flaw::BareCr);
            }
            syntax.bare_lf
        }
        Some(flaw) => return Err(flaw),
    };
    match (setting, flaw) {
        (BareNewline::Reject, Some(flaw)) => Err(flaw),
        _ => Ok(normalised(octets, syntax)),
    }
}

fn has_bare_cr(octets: &[u8]) -> bool {
    memchr::memchr_iter(b'\r', octets).any(|at| octets.get(at + 1) != Some(&b'\n'))
}

/// The flaw of a message whose lines have at most this many octets.
pub(crate) fn flaw(octets: &[u8], line_octets: usize) -> Option<Flaw> {
    let (mut start, mut line_feeds, mut bare_lf) = (0, 0, false);
    for at in memchr::memchr_iter(b'\n', octets) {
        if at + 1 - start > line_octets {
            return Some(Flaw::LineTooLong);
        }
        let crlf = at > 0 && octets[at - 1] == b'\r';
        bare_lf |= !crlf;
        line_feeds += usize::from(crlf);
        start = at + 1;
    }
    if octets.len() - start > line_octets {
        return Some(Flaw::LineTooLong);
    }
    if bare_lf {
        return Some(Flaw::BareLf);
    }
    (memchr::memchr_iter(b'\r', octets).count() > line_feeds).then_some(Flaw::BareCr)
}

/// The message with CRLF in place of every bare LF and bare CR whose setting is `normalize`.
fn normalised(octets: Vec<u8>, syntax: &Syntax) -> Vec<u8> {
    if ![syntax.bare_lf, syntax.bare_cr].contains(&BareNewline::Normalize) {
        return octets;
    }
    let mut out = Vec::with_capacity(octets.len() + 64);
    let mut rest = octets.as_slice();
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        let crlf = rest[at..].starts_with(b"\r\n");
        let setting = if rest[at] == b'\r' {
            syntax.bare_cr
        } else {
            syntax.bare_lf
        };
        if crlf || setting == BareNewline::Normalize {
            out.extend_from_slice(b"\r\n");
        } else {
            out.push(rest[at]);
        }
        rest = &rest[at + 1 + usize::from(crlf)..];
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::protocol::syntax::TEXT_LINE_OCTETS;

    fn both(mode: BareNewline) -> Syntax {
        Syntax {
            bare_lf: mode,
            bare_cr: mode,
            ..Syntax::default()
        }
    }

    #[test]
    fn bare_lf_and_bare_cr_are_apart() {
        let message = |bare_lf, bare_cr| {
            let octets = b"a\nb\rc\r\n".to_vec();
            let flaw = flaw(&octets, TEXT_LINE_OCTETS);
            let syntax = Syntax {
                bare_lf,
                bare_cr,
                ..Syntax::default()
            };
            finish(octets, flaw, &syntax)
        };
        use BareNewline::{Accept, Normalize, Reject};
        assert_eq!(message(Reject, Accept), Err(Flaw::BareLf));
        assert_eq!(message(Accept, Reject), Err(Flaw::BareCr));
        assert_eq!(message(Normalize, Reject), Err(Flaw::BareCr));
        assert_eq!(message(Accept, Accept).as_deref(), Ok(&b"a\nb\rc\r\n"[..]));
        assert_eq!(
            message(Normalize, Accept).as_deref(),
            Ok(&b"a\r\nb\rc\r\n"[..])
        );
        assert_eq!(
            message(Accept, Normalize).as_deref(),
            Ok(&b"a\nb\r\nc\r\n"[..])
        );
    }

    /// Feeds the octets in chunks of every size; all results must be the same.
    #[track_caller]
    fn check(wire: &[u8], mode: BareNewline, expected: Result<&[u8], Flaw>, left: &[u8]) {
        for size in 1..=wire.len() {
            let mut collector = Collector::new(MailData::new(5000, None));
            let mut input = BytesMut::new();
            let mut done = false;
            for chunk in wire.chunks(size) {
                input.extend_from_slice(chunk);
                done = done || collector.take(&mut input);
            }
            assert!(done, "chunks of {size}");
            assert_eq!(&input[..], left, "chunks of {size}");
            assert_eq!(
                {
                    let (octets, flaw) = collector.into_octets(TEXT_LINE_OCTETS);
                    finish(octets, flaw, &both(mode))
                }
                .as_deref()
                .map_err(|f| *f),
                expected,
                "chunks of {size}"
            );
        }
    }

    #[test]
    fn rfc5321_4_5_2_transparency() {
        let mode = BareNewline::Reject;
        check(b".\r\n", mode, Ok(b""), b"");
        check(b"a\r\n.\r\n", mode, Ok(b"a\r\n"), b"");
        check(b"a\r\n.\r\nQUIT\r\n", mode, Ok(b"a\r\n"), b"QUIT\r\n");
        check(b"..\r\n.\r\n", mode, Ok(b".\r\n"), b"");
        check(
            b"..a\r\n..b\r\n...\r\n.\r\n",
            mode,
            Ok(b".a\r\n.b\r\n..\r\n"),
            b"",
        );
        check(b".a\r\n.\r\n", mode, Ok(b"a\r\n"), b"");
        check(b"\r\n\r\n.\r\n", mode, Ok(b"\r\n\r\n"), b"");
        check(b"a\r\n..\r\n.\r\n", mode, Ok(b"a\r\n.\r\n"), b"");
    }

    #[test]
    fn only_crlf_dot_crlf_ends_the_data() {
        for wire in [
            &b"a\n.\nb\r\n.\r\n"[..],
            b"a\n.\r\nb\r\n.\r\n",
            b"a\r\n.\nb\r\n.\r\n",
        ] {
            check(wire, BareNewline::Reject, Err(Flaw::BareLf), b"");
        }
        check(
            b"a\r.\rb\r\n.\r\n",
            BareNewline::Reject,
            Err(Flaw::BareCr),
            b"",
        );
        check(
            b"a\n.\nb\r\n.\r\n",
            BareNewline::Normalize,
            Ok(b"a\r\n.\r\nb\r\n"),
            b"",
        );
        check(
            b"a\n.\nb\r\n.\r\n",
            BareNewline::Accept,
            Ok(b"a\n.\nb\r\n"),
            b"",
        );
    }

    #[test]
    fn limits() {
        let line = |octets: usize| [vec![b'x'; octets - 2], b"\r\n.\r\n".to_vec()].concat();
        let finish = |wire: &[u8], limit| {
            let mut collector = Collector::new(MailData::new(limit, None));
            assert!(collector.take(&mut BytesMut::from(wire)));
            let (octets, flaw) = collector.into_octets(TEXT_LINE_OCTETS);
            finish(octets, flaw, &both(BareNewline::Reject))
        };
        assert!(finish(&line(1000), 5000).is_ok());
        assert_eq!(finish(&line(1001), 5000), Err(Flaw::LineTooLong));
        assert_eq!(finish(&line(100), 99), Err(Flaw::TooLarge));
        assert!(finish(&line(100), 100).is_ok());
    }

    #[test]
    fn a_last_line_without_its_end_has_the_same_limit() {
        assert_eq!(flaw(&[b'x'; 10], 10), None);
        assert_eq!(flaw(&[b'x'; 11], 10), Some(Flaw::LineTooLong));
        assert_eq!(flaw(&[b'x'; 12], 10), Some(Flaw::LineTooLong));
    }

    #[test]
    fn a_bare_lf_alone_is_no_bare_cr() {
        let syntax = Syntax {
            bare_lf: BareNewline::Accept,
            bare_cr: BareNewline::Reject,
            ..Syntax::default()
        };
        let finish = |octets: &[u8]| finish(octets.to_vec(), Some(Flaw::BareLf), &syntax);
        assert_eq!(finish(b"a\nb\r\n").as_deref(), Ok(&b"a\nb\r\n"[..]));
        assert_eq!(finish(b"a\nb\rc\r\n"), Err(Flaw::BareCr));
    }

    #[test]
    fn octets_are_kept_back_only_as_far_as_they_may_end_the_data() {
        let mut collector = Collector::new(MailData::new(5000, None));
        let mut input = BytesMut::from(&b"0123456789\r\n"[..]);
        assert!(!collector.take(&mut input));
        // CRLF may begin the end of data, and two octets before it cannot be told apart yet.
        assert_eq!((&input[..], collector.received()), (&b"89\r\n"[..], 8));
        input.extend_from_slice(b"\r\n");
        assert!(!collector.take(&mut input));
        assert_eq!((&input[..], collector.received()), (&b"\r\n\r\n"[..], 10));
        input.extend_from_slice(b".\r\nQUIT\r\n");
        assert!(collector.take(&mut input));
        assert_eq!(&input[..], b"QUIT\r\n");
        assert_eq!(collector.into_octets(1000).0, b"0123456789\r\n\r\n");
        // CR is kept back with what follows it.
        let mut collector = Collector::new(MailData::new(5000, None));
        let mut input = BytesMut::from(&b"012345\r\n.\r"[..]);
        assert!(!collector.take(&mut input));
        assert_eq!((&input[..], collector.received()), (&b"\r\n.\r"[..], 6));
    }
}
