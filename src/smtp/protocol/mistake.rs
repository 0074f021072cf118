//! What is wrong with a command line.

use crate::smtp::protocol::replies::CoreReply;

/// Why a line is no command: the reply, and what its placeholders stand for.
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

    /// The mistake with the parameter that is at fault.
    pub(crate) fn quoting_parameter(self, said: &str) -> Self {
        let (keyword, value) = said.split_once('=').unwrap_or((said, ""));
        self.quoting("parameter", said)
            .quoting("keyword", keyword)
            .quoting("value", value)
    }

    /// Whether the line has no command that the receiver knows.
    pub(crate) fn is_unrecognised(&self) -> bool {
        matches!(
            self.reply,
            CoreReply::UnknownCommand | CoreReply::EmptyLine | CoreReply::BadUtf8
        )
    }

    /// The mistake with what a placeholder stands for.
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
