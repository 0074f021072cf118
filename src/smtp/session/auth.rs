//! AUTH (RFC 4954) with PLAIN (RFC 4616), LOGIN, CRAM-MD5 (RFC 2195) and XOAUTH2. Depending on the settings, AUTH
//! accepts any credentials or those of listed users, or refuses all, permanently or temporarily.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::reply::{Reply, ReplyCode};
use crate::smtp::protocol::extension::Mechanism;
use crate::smtp::protocol::mistake::Mistake;
use crate::smtp::protocol::replies::CoreReply;
use crate::smtp::script::{Point, ScriptContext};
use crate::smtp::session::{Session, State};
use crate::smtp::settings::{Auth, AuthOutcome, UnwantedResponse};

/// The maximum length of a line of the exchange, including CRLF (RFC 4954 §4).
pub(crate) const AUTH_LINE_OCTETS: usize = 12_288;

/// The state of an exchange: the response that the client must send next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// The one response of PLAIN.
    Plain,
    /// The user name of LOGIN.
    LoginName,
    /// The password of LOGIN.
    LoginPassword(String),
    /// The digest of CRAM-MD5 over this challenge.
    CramMd5(String),
    /// The token of XOAUTH2.
    XOAuth2,
    /// The empty line after the error of XOAUTH2.
    XOAuth2Error,
}

/// The credentials of the client.
#[derive(Debug)]
enum Credentials {
    Password {
        user: String,
        password: String,
    },
    Digest {
        user: String,
        digest: String,
        challenge: String,
    },
    Token {
        user: String,
    },
}

impl Session {
    /// The reason why AUTH is not possible now, whatever its mechanism.
    pub(crate) fn auth_not_possible(&self) -> Option<CoreReply> {
        if !self.client.has_helo() {
            return Some(CoreReply::AuthBeforeHelo);
        }
        let offered = self.setup.settings().auth.is_some() && self.takes_extensions();
        (!offered).then_some(CoreReply::AuthNotOffered)
    }

    /// Handles AUTH: not within a transaction, only once, and after EHLO (RFC 4954 §4).
    pub(crate) fn auth(&mut self, mechanism: &str, initial: Option<&str>, output: &mut Vec<u8>) {
        if let Some(reply) = self.auth_not_possible() {
            return self.mistake(reply, output);
        }
        let Some(settings) = self.setup.settings().auth.clone() else {
            return;
        };
        let mistake = if matches!(self.state, State::Transaction(_) | State::Chunked(..)) {
            Some(CoreReply::InTransaction)
        } else if !self.client.facts.conduct.login.is_empty() {
            Some(CoreReply::AuthRepeated)
        } else if settings.tls_only && !self.client.facts.conduct.tls {
            Some(CoreReply::AuthNeedsTls)
        } else {
            None
        };
        if let Some(mistake) = mistake {
            return self.mistake(mistake, output);
        }
        let mut offered = settings.mechanisms.iter();
        let Some(mechanism) = offered.find(|known| known.word().eq_ignore_ascii_case(mechanism))
        else {
            let mistake = Mistake::from(CoreReply::AuthMechanism).quoting("argument", mechanism);
            return self.mistake(mistake, output);
        };
        let context = ScriptContext {
            auth: Some((*mechanism, initial.is_some())),
            ..ScriptContext::default()
        };
        if self.script(Point::Auth, context, output).is_some() {
            return;
        }
        let (exchange, challenge) = self.begin(*mechanism, &settings);
        self.state = State::Auth(exchange);
        match initial {
            // "=" is an empty initial response (RFC 4954 §4).
            Some(response) if settings.initial_response.contains(mechanism) => {
                self.auth_response(
                    if response == "=" {
                        b""
                    } else {
                        response.as_bytes()
                    },
                    output,
                );
            }
            Some(_) if settings.unwanted_response == UnwantedResponse::Refused => {
                self.auth_ends(CoreReply::AuthInitialResponse, output);
            }
            Some(_) | None => self.challenge(&challenge, output),
        }
    }

    fn begin(&self, mechanism: Mechanism, settings: &Auth) -> (Exchange, String) {
        match mechanism {
            Mechanism::Plain => (Exchange::Plain, String::new()),
            Mechanism::Login => (Exchange::LoginName, settings.login_challenges[0].clone()),
            Mechanism::XOAuth2 => (Exchange::XOAuth2, String::new()),
            Mechanism::CramMd5 => {
                let challenge = format!(
                    "<{}.{}@{}>",
                    self.setup.id,
                    self.setup.token,
                    self.setup.settings().hostname
                );
                (Exchange::CramMd5(challenge.clone()), challenge)
            }
        }
    }

    fn challenge(&mut self, text: &str, output: &mut Vec<u8>) {
        let code = ReplyCode::new(334).expect("334 is a reply code");
        self.dialogue.say(
            &Reply::from_lines(code, vec![STANDARD.encode(text)]),
            output,
        );
    }

    /// Handles one line of the exchange.
    pub(crate) fn auth_response(&mut self, line: &[u8], output: &mut Vec<u8>) {
        let State::Auth(exchange) = std::mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        let Some(settings) = self.setup.settings().auth.clone() else {
            return;
        };
        if line == b"*" {
            return self.auth_ends(CoreReply::AuthCancelled, output);
        }
        let Some(text) = STANDARD
            .decode(line)
            .ok()
            .and_then(|octets| String::from_utf8(octets).ok())
        else {
            return self.auth_ends(CoreReply::AuthDecoding, output);
        };
        let credentials = match exchange {
            Exchange::LoginName => {
                self.state = State::Auth(Exchange::LoginPassword(text));
                let [_, challenge] = settings.login_challenges;
                return self.challenge(&challenge, output);
            }
            Exchange::XOAuth2Error => return self.auth_ends(CoreReply::AuthRefused, output),
            Exchange::LoginPassword(user) => Some(Credentials::Password {
                user,
                password: text,
            }),
            Exchange::Plain => plain(&text),
            Exchange::CramMd5(challenge) => cram_md5(&text, challenge),
            Exchange::XOAuth2 => xoauth2(&text),
        };
        match credentials {
            Some(credentials) => self.decide(credentials, output),
            None => self.auth_ends(CoreReply::AuthDecoding, output),
        }
    }

    fn decide(&mut self, credentials: Credentials, output: &mut Vec<u8>) {
        let Some(settings) = self.setup.settings().auth.clone() else {
            return;
        };
        let accepted = match &settings.outcome {
            AuthOutcome::Any => true,
            AuthOutcome::Refuse => false,
            AuthOutcome::Temporary => return self.auth_ends(CoreReply::AuthTemporary, output),
            AuthOutcome::Users(users) => {
                credentials.holds(|user| users.get(user).map(String::as_str))
            }
        };
        if accepted {
            self.client.facts.conduct.login = credentials.user().to_owned();
            self.dialogue.observed(&self.client.facts);
            return self.answer(CoreReply::AuthOk, output);
        }
        if let Credentials::Token { .. } = credentials {
            self.state = State::Auth(Exchange::XOAuth2Error);
            return self.challenge(
                "{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}",
                output,
            );
        }
        self.auth_ends(CoreReply::AuthRefused, output);
    }

    fn auth_ends(&mut self, reply: CoreReply, output: &mut Vec<u8>) {
        self.state = State::Idle;
        self.mistake(reply, output);
    }

    /// The AUTH line of the EHLO reply.
    pub(crate) fn auth_line(&self) -> Option<String> {
        let settings = self.setup.settings().auth.as_ref()?;
        if settings.tls_only && !self.client.facts.conduct.tls {
            return None;
        }
        let words: Vec<_> = settings
            .mechanisms
            .iter()
            .map(|mechanism| mechanism.word())
            .collect();
        Some(format!("AUTH {}", words.join(" ")))
    }
}

impl Credentials {
    fn user(&self) -> &str {
        match self {
            Self::Password { user, .. } | Self::Digest { user, .. } | Self::Token { user } => user,
        }
    }

    /// Whether the credentials are those of a listed user. A token never is.
    fn holds<'a>(&self, password_of: impl Fn(&str) -> Option<&'a str>) -> bool {
        let Some(known) = password_of(self.user()) else {
            return false;
        };
        match self {
            Self::Password { password, .. } => password == known,
            Self::Digest {
                digest, challenge, ..
            } => digest.eq_ignore_ascii_case(&hmac_md5(known, challenge)),
            Self::Token { .. } => false,
        }
    }
}

/// `authzid NUL authcid NUL passwd` (RFC 4616 §2).
fn plain(text: &str) -> Option<Credentials> {
    let mut parts = text.split('\0');
    let (_, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    let sound = parts.next().is_none() && !user.is_empty();
    sound.then(|| Credentials::Password {
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

/// `user SP digest` (RFC 2195 §2).
fn cram_md5(text: &str, challenge: String) -> Option<Credentials> {
    let (user, digest) = text.rsplit_once(' ')?;
    let sound =
        digest.len() == 32 && digest.bytes().all(|b| b.is_ascii_hexdigit()) && !user.is_empty();
    sound.then(|| Credentials::Digest {
        user: user.to_owned(),
        digest: digest.to_owned(),
        challenge,
    })
}

/// `user=… ^A auth=Bearer … ^A ^A` (documentation of Google and Microsoft).
fn xoauth2(text: &str) -> Option<Credentials> {
    let mut fields = text.strip_suffix("\u{1}\u{1}")?.split('\u{1}');
    let user = fields.next()?.strip_prefix("user=")?;
    let token = fields.next()?.strip_prefix("auth=Bearer ")?;
    (!user.is_empty() && !token.is_empty()).then(|| Credentials::Token {
        user: user.to_owned(),
    })
}

/// The keyed digest (RFC 2195 §2) in hexadecimal.
#[cfg(feature = "cram-md5")]
fn hmac_md5(key: &str, message: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};

    let mut mac =
        Hmac::<md5::Md5>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(message.as_bytes());
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect()
}

/// No digest: without the feature `cram-md5`, no receiver offers the mechanism.
#[cfg(not(feature = "cram-md5"))]
fn hmac_md5(_: &str, _: &str) -> String {
    String::new()
}

/// Whether a line is AUTH. Some receivers accept spaces before a command.
pub(super) fn is_auth(line: &[u8]) -> bool {
    line.trim_ascii_start()
        .get(..4)
        .is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "cram-md5")]
    #[test]
    fn rfc2195_example() {
        let challenge = "<1896.697170952@postoffice.reston.mci.net>".to_owned();
        let credentials =
            cram_md5("tim b913a602c7eda7a495b4e6e7334d3890", challenge).expect("credentials");
        assert!(credentials.holds(|user| (user == "tim").then_some("tanstaaftanstaaf")));
        assert!(!credentials.holds(|_| Some("other")));
    }

    #[test]
    fn responses_that_are_none() {
        for text in ["", "user", "\0user", "a\0\0password", "a\0b\0c\0d"] {
            assert!(plain(text).is_none(), "{text:?}");
        }
        for text in ["tim", "tim b913", " b913a602c7eda7a495b4e6e7334d3890"] {
            assert!(cram_md5(text, String::new()).is_none(), "{text:?}");
        }
        for text in [
            "user=a",
            "user=a\u{1}auth=Basic x\u{1}\u{1}",
            "user=\u{1}auth=Bearer x\u{1}\u{1}",
        ] {
            assert!(xoauth2(text).is_none(), "{text:?}");
        }
    }
}
