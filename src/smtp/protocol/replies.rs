//! The core replies of a receiver: those that no rule determines. The table here has each text once; `[replies]` of a
//! receiver file replaces it by its key. The replies of rules are in the rules.

use std::sync::{Arc, LazyLock};

use crate::policy::Template;
use crate::reply::{Reply, ReplyCode, enhanced_prefix};

macro_rules! core_replies {
    ($($name:ident $key:literal $default:literal $doc:literal,)*) => {
        /// A core reply.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum CoreReply {
            $(#[doc = $doc] $name,)*
        }

        impl CoreReply {
            /// Every core reply, in the order of their keys in documents.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            /// The key in `[replies]`.
            pub(crate) const fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            /// The default reply without the key, as on the wire. Its enhanced code is omitted if the receiver does not
            /// offer ENHANCEDSTATUSCODES (RFC 2034).
            pub(crate) const fn default_text(self) -> &'static str {
                match self { $(Self::$name => $default,)* }
            }

            /// The default in the syntax of a receiver file.
            pub(crate) const fn quoted_default(self) -> &'static str {
                match self { $(Self::$name => concat!("\"", $default, "\""),)* }
            }

            /// The use of the reply, as a sentence.
            pub(crate) const fn sentence(self) -> &'static str {
                match self { $(Self::$name => concat!("The reply to ", $doc, "."),)* }
            }

            /// The use of the reply.
            pub(crate) const fn doc(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }
        }
    };
}

core_replies! {
    Helo "helo" "250 {mx}"
        "HELO",
    Ehlo "ehlo" "250 {mx}"
        "EHLO and LHLO: its first line; the extensions follow",
    Mail "mail" "250 2.1.0 Ok"
        "an accepted MAIL",
    Rcpt "rcpt" "250 2.1.5 Ok"
        "an accepted RCPT",
    Data "data" "354 End data with <CR><LF>.<CR><LF>"
        "an accepted DATA, before the message",
    Message "message" "250 2.0.0 Ok"
        "an accepted message",
    Chunk "chunk" "250 2.0.0 {octets} octets received"
        "an accepted chunk of BDAT that is not the last one",
    Rset "rset" "250 2.0.0 Ok"
        "RSET",
    Noop "noop" "250 2.0.0 Ok"
        "NOOP",
    Quit "quit" "221 2.0.0 Bye"
        "QUIT",
    Vrfy "vrfy" "252 2.5.2 Cannot VRFY user, but will accept message and attempt delivery"
        "VRFY",
    Expn "expn" "502 5.5.1 Error: command not implemented"
        "EXPN",
    Help "help" "214 2.0.0 martinet: HELO EHLO LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY AUTH STARTTLS HELP QUIT"
        "HELP",
    Etrn "etrn" "250 2.0.0 Queuing for the domain started"
        "ETRN if it is offered",
    EtrnNotOffered "etrn_not_offered" "502 5.5.1 Error: command not implemented"
        "ETRN if it is not offered",
    EtrnInTransaction "etrn_in_transaction" "503 5.5.1 Error: MAIL transaction in progress"
        "ETRN within a transaction",
    UnknownCommand "unknown_command" "500 5.5.2 Error: command not recognized"
        "an unknown command",
    EmptyLine "empty_line" "500 5.5.2 Error: command not recognized"
        "an empty line",
    NotImplemented "not_implemented" "502 5.5.1 Error: command not implemented"
        "TURN, ATRN, SEND, SOML, SAML and BURL",
    LhloNotOffered "lhlo_not_offered" "502 5.5.1 Error: command not implemented"
        "LHLO to a listener that speaks SMTP",
    LmtpOnly "lmtp_only" "500 5.5.1 Error: this is LMTP, say LHLO"
        "HELO or EHLO to a listener that speaks LMTP",
    LineTooLong "line_too_long" "500 5.5.2 Error: line too long"
        "a command line beyond line_octets, or a text line beyond text_line_octets",
    BareLf "bare_lf" "500 5.5.2 Error: bare <LF> received"
        "a command that ends with a bare LF, if bare LFs are refused",
    BareLfInData "bare_lf_in_data" "550 5.5.2 Error: bare <LF> received"
        "a message with a bare LF, if bare LFs are refused",
    BareCrInData "bare_cr_in_data" "550 5.5.2 Error: bare <CR> received"
        "a message with a bare CR, if bare CRs are refused",
    BadUtf8 "bad_utf8" "500 5.5.2 Error: bad UTF-8 syntax"
        "a command that is not valid UTF-8",
    ControlCharacters "control_characters" "501 5.5.4 Syntax: printable characters"
        "a command with control characters",
    HeloSyntax "helo_syntax" "501 Syntax: {command} hostname"
        "HELO, EHLO or LHLO without an argument",
    MailSyntax "mail_syntax" "501 5.5.4 Syntax: MAIL FROM:<address>"
        "MAIL without \"FROM:\"",
    MailOperand "mail_operand" "501 5.5.4 Syntax: MAIL FROM:<address>"
        "nothing after \"MAIL FROM:\"",
    RcptSyntax "rcpt_syntax" "501 5.5.4 Syntax: RCPT TO:<address>"
        "RCPT without \"TO:\"",
    RcptOperand "rcpt_operand" "501 5.5.4 Syntax: RCPT TO:<address>"
        "nothing after \"RCPT TO:\"",
    SenderBrackets "sender_brackets" "501 5.5.4 Syntax: MAIL FROM:<address>"
        "a reverse-path without angle brackets if brackets = true",
    RecipientBrackets "recipient_brackets" "501 5.5.4 Syntax: RCPT TO:<address>"
        "a forward-path without angle brackets if brackets = true",
    SenderSyntax "sender_syntax" "501 5.1.7 Bad sender address syntax"
        "a malformed reverse-path",
    SenderUnclosed "sender_unclosed" "501 5.1.7 Bad sender address syntax"
        "a reverse-path without its closing bracket",
    SenderTooLong "sender_too_long" "501 5.1.7 Bad sender address syntax"
        "a reverse-path beyond path_octets",
    SenderDomain "sender_domain" "501 5.1.7 Bad sender address syntax"
        "a reverse-path whose domain is missing or malformed",
    SenderLiteral "sender_literal" "501 5.1.7 Bad sender address syntax"
        "a reverse-path with an address literal if literals are refused",
    SenderUnqualified "sender_unqualified" "501 5.1.7 Bad sender address syntax"
        "a reverse-path without a domain if a domain is required",
    RecipientSyntax "recipient_syntax" "501 5.1.3 Bad recipient address syntax"
        "a malformed forward-path",
    RecipientUnclosed "recipient_unclosed" "501 5.1.3 Bad recipient address syntax"
        "a forward-path without its closing bracket",
    RecipientTooLong "recipient_too_long" "501 5.1.3 Bad recipient address syntax"
        "a forward-path beyond path_octets",
    RecipientDomain "recipient_domain" "501 5.1.3 Bad recipient address syntax"
        "a forward-path whose domain is missing or malformed",
    RecipientLiteral "recipient_literal" "501 5.1.3 Bad recipient address syntax"
        "a forward-path with an address literal if literals are refused",
    RecipientUnqualified "recipient_unqualified" "501 5.1.3 Bad recipient address syntax"
        "a forward-path without a domain if a domain is required",
    RecipientEmpty "recipient_empty" "501 5.1.3 Bad recipient address syntax"
        "the null path as a recipient",
    NotAscii "not_ascii" "553 5.6.7 Error: a path beyond ASCII needs SMTPUTF8 in MAIL"
        "a non-ASCII path without SMTPUTF8 in MAIL",
    NoSmtpUtf8 "smtputf8_not_offered" "555 5.6.7 Error: SMTPUTF8 is not offered"
        "SMTPUTF8 in MAIL if it is not offered",
    ParameterSyntax "parameter_syntax" "501 5.5.4 Syntax: keyword=value"
        "a malformed or repeated parameter of MAIL or RCPT",
    UnknownParameter "unknown_parameter" "555 5.5.4 Unsupported option: {parameter}"
        "a parameter of MAIL or RCPT that is unknown or not offered",
    SizeSyntax "size_syntax" "501 5.5.4 Bad message size syntax"
        "a value of SIZE that is not a number",
    BodySyntax "body_syntax" "555 5.5.4 Unsupported option: {parameter}"
        "a value of BODY that is unknown or not offered",
    RetSyntax "ret_syntax" "501 5.5.4 Bad RET parameter syntax"
        "a value of RET other than FULL and HDRS",
    EnvidSyntax "envid_syntax" "501 5.5.4 Bad ENVID parameter syntax"
        "a value of ENVID that is not xtext of 1 to 100 octets",
    NotifySyntax "notify_syntax" "501 5.5.4 Error: Bad NOTIFY parameter syntax"
        "a value of NOTIFY that RFC 3461 §4.1 does not define",
    OrcptSyntax "orcpt_syntax" "501 5.5.4 Error: Bad ORCPT parameter syntax"
        "a value of ORCPT that RFC 3461 §4.2 does not define",
    PrioritySyntax "mt_priority_syntax" "501 5.5.4 Syntax: MT-PRIORITY=-9 to 9"
        "a value of MT-PRIORITY that RFC 6710 does not define",
    DeliverBySyntax "by_syntax" "501 5.5.4 Syntax: BY=seconds;R"
        "a value of BY that RFC 2852 does not define",
    DataSyntax "data_syntax" "501 5.5.4 Syntax: DATA"
        "DATA with an argument",
    RsetSyntax "rset_syntax" "501 5.5.4 Syntax: RSET"
        "RSET with an argument",
    NoopSyntax "noop_syntax" "501 5.5.4 Syntax: NOOP"
        "NOOP with an argument if noop_argument = false",
    QuitSyntax "quit_syntax" "501 5.5.4 Syntax: QUIT"
        "QUIT with an argument",
    VrfySyntax "vrfy_syntax" "501 5.5.4 Syntax: VRFY address"
        "VRFY without an argument",
    EtrnSyntax "etrn_syntax" "501 5.5.4 Syntax: ETRN domain"
        "ETRN without an argument",
    BdatSyntax "bdat_syntax" "521 5.5.4 Syntax: BDAT octets [LAST]"
        "BDAT without a size, or with a size beyond 4 GiB; 521 closes the connection, because the octets of the chunk are not commands",
    StartTlsSyntax "starttls_syntax" "501 5.5.4 Syntax: STARTTLS"
        "STARTTLS with an argument",
    AuthSyntax "auth_syntax" "501 5.5.4 Syntax: AUTH mechanism"
        "AUTH without a mechanism, or with too many words",
    HeloFirst "helo_first" "503 5.5.1 Error: send HELO/EHLO first"
        "a command of `helo_first` before an accepted HELO or EHLO, and MAIL if a rule requires it",
    HeloRepeated "helo_repeated" "503 5.5.1 Error: HELO/EHLO was sent already"
        "HELO or EHLO after an accepted one if repeated_helo = false",
    MailFirst "mail_first" "503 5.5.1 Error: need MAIL command"
        "RCPT without MAIL",
    NestedMail "nested_mail" "503 5.5.1 Error: nested MAIL command"
        "MAIL within a transaction",
    InTransaction "in_transaction" "503 5.5.1 Error: MAIL transaction in progress"
        "AUTH or XCLIENT within a transaction",
    DataWithoutMail "data_without_mail" "503 5.5.1 Error: need MAIL command"
        "DATA or BDAT without MAIL",
    DataWithoutRcpt "data_without_rcpt" "503 5.5.1 Error: need RCPT command"
        "DATA or BDAT without RCPT",
    NoValidRecipients "no_valid_recipients" "554 5.5.1 Error: no valid recipients"
        "DATA or BDAT after every RCPT was refused",
    RcptAfterBdat "rcpt_after_bdat" "503 5.5.1 Error: RCPT after BDAT"
        "RCPT between the chunks of a message",
    DataAfterBdat "data_after_bdat" "503 5.5.1 Error: DATA after BDAT"
        "DATA between the chunks of a message",
    BinaryNeedsBdat "binary_needs_bdat" "503 5.5.1 Error: BODY=BINARYMIME needs BDAT"
        "DATA after BODY=BINARYMIME (RFC 3030 §3)",
    ChunkingNotOffered "chunking_not_offered" "502 5.5.1 Error: command not implemented"
        "BDAT if CHUNKING is not offered",
    UnknownRecipient "unknown_recipient" "550 5.1.1 <{rcpt}>: User unknown"
        "RCPT with a mailbox that the recipient domain does not have",
    RelayDenied "relay_denied" "554 5.7.1 <{rcpt}>: Relay access denied"
        "RCPT with a domain that the receiver does not serve if any_domain = false",
    TooManyRecipients "too_many_recipients" "452 4.5.3 Error: too many recipients"
        "RCPT beyond max_recipients",
    SizeTooLarge "size_too_large" "552 5.3.4 Error: message exceeds the size limit"
        "a SIZE in MAIL above the limit of the receiver",
    MessageTooLarge "message_too_large" "552 5.3.4 Error: message exceeds the size limit"
        "a message above the size limit of the receiver",
    ChunkTooLarge "chunk_too_large" "552 5.3.4 Error: message exceeds the size limit"
        "a chunk of BDAT that makes the message larger than the size limit of the receiver",
    NoStorage "no_storage" "452 4.3.1 Insufficient system storage"
        "a message that cannot be stored",
    StartTlsReady "starttls" "220 2.0.0 Ready to start TLS"
        "an accepted STARTTLS",
    StartTlsNotOffered "starttls_not_offered" "502 5.5.1 Error: STARTTLS is not offered"
        "STARTTLS if it is not offered",
    StartTlsRefused "starttls_refused" "454 4.7.0 TLS not available due to temporary reason"
        "STARTTLS if starttls = \"refused\"",
    TlsActive "tls_active" "554 5.5.1 Error: TLS already active"
        "STARTTLS under TLS",
    AuthOk "auth" "235 2.7.0 Authentication successful"
        "correct credentials",
    AuthNotOffered "auth_not_offered" "503 5.5.1 Error: authentication not enabled"
        "AUTH if it is not offered",
    AuthBeforeHelo "auth_before_helo" "503 5.5.1 Error: send HELO/EHLO first"
        "AUTH before an accepted EHLO",
    AuthRequired "auth_required" "530 5.7.0 Authentication required"
        "MAIL without AUTH if AUTH is required",
    AuthRefused "auth_refused" "535 5.7.8 Error: authentication failed"
        "wrong credentials",
    AuthTemporary "auth_temporary" "454 4.7.0 Temporary authentication failure"
        "credentials that cannot be checked",
    AuthDecoding "auth_decoding" "501 5.5.2 Error: cannot decode the response"
        "a response that is not base64, or not one of its mechanism",
    AuthInitialResponse "auth_initial_response" "501 5.5.4 Error: this mechanism takes no initial response"
        "AUTH with an initial response that the mechanism does not accept",
    AuthCancelled "auth_cancelled" "501 5.7.0 Authentication aborted"
        "the response \"*\"",
    AuthRepeated "auth_repeated" "503 5.5.1 Error: already authenticated"
        "AUTH after a successful one",
    AuthNeedsTls "auth_needs_tls" "538 5.7.11 Encryption required for requested authentication mechanism"
        "AUTH without TLS if it is offered only under TLS",
    AuthMechanism "auth_mechanism" "504 5.5.4 Unrecognized authentication type"
        "a mechanism that is not offered",
    AuthLineTooLong "auth_line_too_long" "500 5.5.6 Authentication Exchange line is too long"
        "a response beyond 12288 octets",
    XclientDenied "xclient_denied" "550 5.7.0 Error: insufficient authorization"
        "XCLIENT from a client that is not allowed to use it",
    XclientSyntax "xclient_syntax" "501 5.5.4 {what}"
        "XCLIENT with malformed attributes",
    AccessDenied "access_denied" "503 5.7.0 Error: access denied, only QUIT is accepted"
        "every command but QUIT after a refusal with after = \"503\"",
    ProxyRefused "proxy_refused" "421 4.3.0 Server local error"
        "a PROXY header that is malformed, missing or unexpected",
    TooManyErrors "too_many_errors" "421 4.7.0 Error: too many errors"
        "a client that reaches max_errors; a text with `{mistake}` takes the place of the reply to the first mistake beyond max_errors, and has the code of that reply",
    TooManyUnknown "too_many_unknown" "421 4.7.0 Error: too many errors"
        "a client that reaches max_errors by unknown commands alone; a file that sets `too_many_errors` and not this key uses the text of `too_many_errors`",
    Timeout "timeout" "421 4.4.2 Error: timeout exceeded"
        "a client that is silent too long",
    DataTimeout "data_timeout" "421 4.4.2 Error: timeout exceeded"
        "a client that is silent too long during a message; a file that sets `timeout` and not this key uses the text of `timeout`",
    Shutdown "shutdown" "421 4.3.2 Service shutting down"
        "every client when the receiver stops",
    TooManyConnections "too_many_connections" "421 4.7.0 Error: too many connections"
        "a connection beyond the limit of the listener",
}

/// The placeholders of core replies beside those of rules, and what each stands for.
pub(crate) const CORE_PLACEHOLDERS: &[(&str, &str)] = &[
    ("command", "the command, in capitals"),
    (
        "argument",
        "the text after the command and, for MAIL and RCPT, after the colon",
    ),
    (
        "line",
        "the line as sent, if the command is unknown or malformed",
    ),
    (
        "beginning",
        "the first 64 octets of the path of MAIL or RCPT, without its angle bracket",
    ),
    (
        "mistake",
        "the text of the reply to the last mistake, in `too_many_errors`",
    ),
    ("path", "the path of MAIL or RCPT as sent"),
    ("parameter", "the parameter of MAIL or RCPT as sent"),
    ("keyword", "the parameter without its value"),
    ("value", "the value of the parameter"),
    ("octets", "the number of octets of a chunk"),
    (
        "refused",
        "the reply to the last refused RCPT of the transaction, without its code",
    ),
    ("what", "the malformed part of XCLIENT"),
];

impl CoreReply {
    /// Whether a reply may have this code: the class of a greeting, an intermediate reply, a success or a refusal
    /// cannot change. A command that is not offered or accepted can still get a 2yz reply (VRFY, EXPN, HELP, ETRN), and
    /// the other way round.
    pub(crate) fn may_have(self, code: ReplyCode) -> bool {
        let default = self.default_code().class();
        match self {
            Self::Vrfy
            | Self::Expn
            | Self::Help
            | Self::Etrn
            | Self::EtrnNotOffered
            | Self::EtrnInTransaction => code.class() != 3,
            _ if default >= 4 => code.is_refusal() || code.get() == 221,
            _ => code.class() == default,
        }
    }

    fn default_code(self) -> ReplyCode {
        let digits = self
            .default_text()
            .get(..3)
            .and_then(|digits| digits.parse().ok());
        digits
            .and_then(ReplyCode::new)
            .expect("the table begins each text with a code")
    }
}

/// A core reply with and without its enhanced code.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Text {
    whole: Template,
    bare: Template,
}

/// The core replies of a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreReplies {
    texts: Arc<Vec<Text>>,
    /// The replies that the receiver file sets.
    own: Vec<CoreReply>,
}

impl Default for CoreReplies {
    fn default() -> Self {
        static DEFAULT: LazyLock<Arc<Vec<Text>>> = LazyLock::new(|| {
            Arc::new(CoreReply::ALL.iter().map(|reply| default(*reply)).collect())
        });
        Self {
            texts: Arc::clone(&DEFAULT),
            own: Vec::new(),
        }
    }
}

impl CoreReplies {
    /// Replaces one reply. It is sent with exactly the enhanced code that its text has.
    pub(crate) fn set(&mut self, reply: CoreReply, template: Template) {
        let bare = template.clone();
        let text = Text {
            whole: template,
            bare,
        };
        Arc::make_mut(&mut self.texts)[reply as usize] = text;
        self.own.push(reply);
    }

    /// Whether the receiver file sets this reply.
    pub(crate) fn is_own(&self, reply: CoreReply) -> bool {
        self.own.contains(&reply)
    }

    /// The text of a reply, with its placeholders.
    pub(crate) fn template(&self, reply: CoreReply, enhanced: bool) -> &Template {
        let text = &self.texts[reply as usize];
        if enhanced { &text.whole } else { &text.bare }
    }
}

fn default(reply: CoreReply) -> Text {
    let text = reply.default_text();
    let (code, rest) = text.split_at(4);
    let rest = match enhanced_prefix(rest) {
        Some(_) => rest.split_once(' ').map_or("", |(_, rest)| rest),
        None => rest,
    };
    let parse = |line: &str| {
        Template::parse_with(&[line], CORE_PLACEHOLDERS).expect("the table holds sound replies")
    };
    Text {
        whole: parse(text),
        bare: parse(&format!("{code}{rest}")),
    }
}

/// The reply of a session that sent none.
pub(crate) fn shutdown() -> Reply {
    let replies = CoreReplies::default();
    replies
        .template(CoreReply::Shutdown, true)
        .pattern()
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_sound_reply() {
        let replies = CoreReplies::default();
        for reply in CoreReply::ALL {
            let whole = replies.template(*reply, true).pattern();
            let bare = replies.template(*reply, false).pattern();
            assert_eq!(whole.to_string(), reply.default_text());
            assert_eq!(bare.enhanced(), None, "{}", reply.key());
            assert!(reply.may_have(whole.code()), "{}", reply.key());
            let of_key: Vec<_> = CoreReply::ALL
                .iter()
                .filter(|other| other.key() == reply.key())
                .collect();
            assert_eq!(of_key, [reply]);
        }
    }

    #[test]
    fn a_custom_reply_is_unchanged() {
        let mut replies = CoreReplies::default();
        let own =
            Template::parse_with(&["250 {command} it is"], CORE_PLACEHOLDERS).expect("a reply");
        replies.set(CoreReply::Noop, own.clone());
        assert_eq!(replies.template(CoreReply::Noop, true), &own);
        assert_eq!(replies.template(CoreReply::Noop, false), &own);
        assert!(replies.is_own(CoreReply::Noop) && !replies.is_own(CoreReply::Rset));
        assert_ne!(replies, CoreReplies::default());
    }
}
