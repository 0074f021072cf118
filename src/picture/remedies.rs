//! Remedies, and the strip after each of them.

use super::{Case, Picture};
use crate::check::Judgement;
use crate::policy::{Remedies, Remedy};

/// A remedy with the picture of the session after it.
#[derive(Clone, Debug)]
pub(crate) struct RemedyPicture {
    /// The remedy, as an instruction.
    pub text: String,
    /// The picture after the remedy; `None` if the session was not judged again.
    pub after: Option<Box<Picture>>,
}

impl RemedyPicture {
    /// A remedy without a picture of its effect.
    pub(crate) fn of(remedy: &Remedy) -> Self {
        Self {
            text: remedy.to_string(),
            after: None,
        }
    }

    /// A remedy with the picture of the session that was judged again.
    fn tried(remedy: &Remedy, after: Option<&Judgement>) -> Self {
        Self {
            after: after.map(|judgement| Box::new(Picture::of(&Case::bare(judgement)))),
            ..Self::of(remedy)
        }
    }
}

impl Case<'_> {
    /// The case with each remedy tried: `judge` returns the judgement after a remedy, or `None` if the remedy cannot be
    /// tried.
    #[must_use]
    pub(crate) fn trying(
        self,
        remedies: &Remedies,
        judge: impl Fn(&Remedy) -> Option<Judgement>,
    ) -> Self {
        let tried = |remedy: &Remedy| RemedyPicture::tried(remedy, judge(remedy).as_ref());
        Self {
            remedies: remedies.iter().map(tried).collect(),
            ..self
        }
    }
}
