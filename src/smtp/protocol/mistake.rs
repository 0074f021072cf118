//! Mistakes in command lines.

use crate::smtp::protocol::replies::CoreReply;

/// The reply to a malformed line, with the values of its placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) reply: CoreReply,
    pub(crate) quotes: Vec<(&'static str, String)>,
}

impl Mistake {
    /// Whether the line begins with this command.
    pub(crate) fn is_of(&self, verb: &str) -> bool {
        let command = |(name, text): &(&str, String)| *name == "command" && text == verb;
        self.quotes.iter().any(command)
    }

    /// The mistake with the malformed parameter.
    pub(crate) fn quoting_parameter(self, parameter: &str) -> Self {
        let (keyword, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        self.quoting("parameter", parameter)
            .quoting("keyword", keyword)
            .quoting("value", value)
    }

    /// Whether the line has no command that the receiver implements.
    pub(crate) fn is_unrecognised(&self) -> bool {
        matches!(
            self.reply,
            CoreReply::UnknownCommand | CoreReply::EmptyLine | CoreReply::BadUtf8
        )
    }

    /// Whether the first word of the line is a command that the receiver does not know.
    pub(crate) fn is_unknown_command(&self) -> bool {
        self.is_unrecognised()
            || matches!(
                self.reply,
                CoreReply::NotImplemented | CoreReply::LhloNotOffered
            )
    }

    /// The mistake with the value of a placeholder.
    pub(crate) fn quoting(mut self, placeholder: &'static str, text: impl Into<String>) -> Self {
        self.quotes.push((placeholder, text.into()));
        self
    }
}

impl From<CoreReply> for Mistake {
    fn from(reply: CoreReply) -> Self {
        Self {
            reply,
            quotes: Vec::new(),
        }
    }
}
