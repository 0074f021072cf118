//! The data of a message: where it ends, and what it is without its transparency dots (RFC 5321 §4.5.2).

use bytes::BytesMut;
use memchr::memmem;

use super::budget::MailData;
use super::settings::BareNewline;

/// The longest text line in octets, CRLF included (RFC 5321 §4.5.3.1.6).
pub const TEXT_LINE_OCTETS: usize = 1000;
/// What ends the data.
const END: &[u8] = b"\r\n.\r\n";

/// Collects the data of one message from chunks of any size.
#[derive(Debug)]
pub(super) struct Collector {
    data: MailData,
    /// Octets taken in, also those not kept.
    received: usize,
    line_start: bool,
}

/// What is wrong with the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    TooLarge,
    NoStorage,
    LineTooLong,
    BareLf,
    BareCr,
}

impl Collector {
    /// Collects octets into `data`.
    pub(super) fn new(data: MailData) -> Self {
        Self {
            data,
            received: 0,
            line_start: true,
        }
    }

    /// Takes what it can from the input; true when the end of data was taken.
    pub(super) fn take(&mut self, input: &mut BytesMut) -> bool {
        // The data may be empty: then the CRLF before the final dot is the one that ended DATA.
        if self.received == 0 && self.line_start && input.starts_with(&END[2..]) {
            let _ = input.split_to(END.len() - 2);
            return true;
        }
        if let Some(end) = memmem::find(input, END) {
            self.keep(&input[..end + 2]);
            let _ = input.split_to(end + END.len());
            return true;
        }
        // Keep back what may be the beginning of the end.
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

    /// Appends a run of octets without the dots that begin its lines.
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

    /// The octets received so far, as they came.
    pub(super) fn received(&self) -> usize {
        self.received
    }

    /// The message, and what is wrong with it, if anything is.
    pub(super) fn into_octets(self) -> (Vec<u8>, Option<Flaw>) {
        let (octets, lost) = self.data.into_octets();
        let flaw = lost.or_else(|| flaw(&octets));
        (octets, flaw)
    }
}

/// The message, its line ends as the setting has them, or what is wrong with it that the setting does not allow.
pub(super) fn finish(
    octets: Vec<u8>,
    flaw: Option<Flaw>,
    bare_newline: BareNewline,
) -> Result<Vec<u8>, Flaw> {
    match (flaw, bare_newline) {
        (Some(flaw @ (Flaw::TooLarge | Flaw::NoStorage | Flaw::LineTooLong)), _) => Err(flaw),
        (Some(flaw), BareNewline::Reject) => Err(flaw),
        (Some(_), BareNewline::Normalize) => Ok(normalised(&octets)),
        _ => Ok(octets),
    }
}

pub(super) fn flaw(octets: &[u8]) -> Option<Flaw> {
    let (mut start, mut line_feeds, mut bare_lf) = (0, 0, false);
    for at in memchr::memchr_iter(b'\n', octets) {
        if at + 1 - start > TEXT_LINE_OCTETS {
            return Some(Flaw::LineTooLong);
        }
        let crlf = at > 0 && octets[at - 1] == b'\r';
        bare_lf |= !crlf;
        line_feeds += usize::from(crlf);
        start = at + 1;
    }
    if octets.len() - start > TEXT_LINE_OCTETS {
        return Some(Flaw::LineTooLong);
    }
    if bare_lf {
        return Some(Flaw::BareLf);
    }
    (memchr::memchr_iter(b'\r', octets).count() > line_feeds).then_some(Flaw::BareCr)
}

/// Every bare LF and bare CR as CRLF.
fn normalised(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + 64);
    let mut rest = octets;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"\r\n");
        let crlf = rest[at..].starts_with(b"\r\n");
        rest = &rest[at + 1 + usize::from(crlf)..];
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the wire octets in chunks of every size; all must give the same.
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
                    let (octets, flaw) = collector.into_octets();
                    finish(octets, flaw, mode)
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
            let (octets, flaw) = collector.into_octets();
            finish(octets, flaw, BareNewline::Reject)
        };
        assert!(finish(&line(1000), 5000).is_ok());
        assert_eq!(finish(&line(1001), 5000), Err(Flaw::LineTooLong));
        assert_eq!(finish(&line(100), 99), Err(Flaw::TooLarge));
        assert!(finish(&line(100), 100).is_ok());
    }
}
