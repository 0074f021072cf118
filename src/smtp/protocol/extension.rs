//! The extensions that a receiver can offer in its EHLO reply (RFC 5321 §2.2).

/// One extension, by the keyword of its EHLO line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extension {
    /// RFC 2920.
    Pipelining,
    /// RFC 6152.
    EightBitMime,
    /// RFC 1870.
    Size,
    /// RFC 6531.
    SmtpUtf8,
    /// RFC 2034.
    EnhancedStatusCodes,
    /// RFC 3030: BDAT.
    Chunking,
    /// RFC 3030 §3: BODY=BINARYMIME, which needs BDAT.
    BinaryMime,
    /// RFC 3461: RET, ENVID, NOTIFY, ORCPT.
    Dsn,
    /// RFC 9422.
    Limits,
    /// RFC 6710.
    MtPriority,
    /// RFC 2852.
    DeliverBy,
    /// RFC 8689; offered under TLS only.
    RequireTls,
    /// RFC 1985.
    Etrn,
}

impl Extension {
    /// Every extension, in the order of the EHLO reply.
    pub(crate) const ALL: [Self; 13] = [
        Self::Pipelining,
        Self::EightBitMime,
        Self::SmtpUtf8,
        Self::EnhancedStatusCodes,
        Self::Chunking,
        Self::BinaryMime,
        Self::Dsn,
        Self::Limits,
        Self::MtPriority,
        Self::DeliverBy,
        Self::RequireTls,
        Self::Etrn,
        Self::Size,
    ];

    /// The keyword.
    pub(crate) const fn keyword(self) -> &'static str {
        match self {
            Self::Pipelining => "PIPELINING",
            Self::EightBitMime => "8BITMIME",
            Self::Size => "SIZE",
            Self::SmtpUtf8 => "SMTPUTF8",
            Self::EnhancedStatusCodes => "ENHANCEDSTATUSCODES",
            Self::Chunking => "CHUNKING",
            Self::BinaryMime => "BINARYMIME",
            Self::Dsn => "DSN",
            Self::Limits => "LIMITS",
            Self::MtPriority => "MT-PRIORITY",
            Self::DeliverBy => "DELIVERBY",
            Self::RequireTls => "REQUIRETLS",
            Self::Etrn => "ETRN",
        }
    }

    /// The extension with this keyword.
    pub(crate) fn of_keyword(keyword: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|extension| extension.keyword() == keyword)
    }
}

/// A set of extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extensions(u16);

impl Extensions {
    /// No extensions, as after HELO.
    pub const NONE: Self = Self(0);

    /// Whether the extension is offered.
    pub(crate) const fn offers(self, extension: Extension) -> bool {
        self.0 & (1 << extension as u16) != 0
    }

    /// The set with this extension.
    #[must_use]
    pub(crate) const fn with(self, extension: Extension) -> Self {
        Self(self.0 | 1 << extension as u16)
    }

    /// The set without this extension. BINARYMIME is removed with CHUNKING, which it requires (RFC 3030 §3).
    #[must_use]
    pub(crate) const fn without(self, extension: Extension) -> Self {
        let without = Self(self.0 & !(1 << extension as u16));
        match extension {
            Extension::Chunking => Self(without.0 & !(1 << Extension::BinaryMime as u16)),
            _ => without,
        }
    }
}

impl Default for Extensions {
    /// The extensions that most receivers offer. LIMITS, MT-PRIORITY, DELIVERBY, REQUIRETLS and ETRN are offered only
    /// if the receiver file lists them.
    fn default() -> Self {
        use Extension::{
            BinaryMime, Chunking, Dsn, EightBitMime, EnhancedStatusCodes, Pipelining, Size,
            SmtpUtf8,
        };
        [
            Pipelining,
            EightBitMime,
            Size,
            SmtpUtf8,
            EnhancedStatusCodes,
            Chunking,
            BinaryMime,
            Dsn,
        ]
        .into_iter()
        .fold(Self::NONE, Self::with)
    }
}

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// RFC 4616.
    Plain,
    /// LOGIN, which many clients use.
    Login,
    /// RFC 2195.
    CramMd5,
    /// Google's and Microsoft's bearer tokens.
    XOAuth2,
}

impl Mechanism {
    /// Every mechanism.
    pub(crate) const ALL: [Self; 4] = [Self::Plain, Self::Login, Self::CramMd5, Self::XOAuth2];

    /// Whether the client sends the first message, so that AUTH can have an initial response (RFC 4954 §4). LOGIN has
    /// no specification; clients send the user name as the initial response.
    pub(crate) const fn is_client_first(self) -> bool {
        !matches!(self, Self::CramMd5)
    }

    /// The Cargo feature that the mechanism needs and this build lacks.
    pub(crate) fn missing_feature(self) -> Option<&'static str> {
        (self == Self::CramMd5 && !cfg!(feature = "cram-md5")).then_some("cram-md5")
    }

    /// The name in the EHLO reply.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::XOAuth2 => "XOAUTH2",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_read_back() {
        for extension in Extension::ALL {
            assert_eq!(Extension::of_keyword(extension.keyword()), Some(extension));
        }
        assert_eq!(Extension::of_keyword("XYZZY"), None);
    }

    #[test]
    fn binarymime_goes_with_chunking() {
        let offered = Extensions::default();
        assert!(offered.offers(Extension::BinaryMime) && !offered.offers(Extension::Etrn));
        let plain = offered.without(Extension::Chunking);
        assert!(!plain.offers(Extension::BinaryMime) && plain.offers(Extension::Dsn));
        assert!(
            Extensions::NONE
                .with(Extension::Etrn)
                .offers(Extension::Etrn)
        );
    }
}
