//! What every request passes through: the accepted connection, the guard against foreign pages and rebinding, its
//! parameters and pages, blocking work, and problems (RFC 9457) as answers.

pub(crate) mod accept;
pub(crate) mod blocking;
pub(crate) mod extract;
pub(crate) mod guard;
pub(crate) mod paging;
pub(crate) mod placement;
pub(crate) mod problem;
