//! Remedies, and what the strip looks like once one is applied.

use super::Picture;
use crate::policy::Remedy;

/// A remedy beside the picture of the session that it makes.
#[derive(Clone, Debug)]
pub struct Cure {
    /// The remedy, as an instruction.
    pub text: String,
    /// The picture once it is applied; `None` where nothing was judged again.
    pub after: Option<Box<Picture>>,
}

impl Cure {
    /// A remedy without a picture of what it makes.
    pub fn of(remedy: &Remedy) -> Self {
        Self {
            text: remedy.to_string(),
            after: None,
        }
    }
}
