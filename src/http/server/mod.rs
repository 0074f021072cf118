//! The parts of the HTTP server that every request passes: accepted connections, access control, parameters and pages,
//! blocking work, and problems (RFC 9457) as responses.

pub(crate) mod accept;
pub(crate) mod blocking;
pub(crate) mod extract;
pub(crate) mod guard;
pub(crate) mod paging;
pub(crate) mod placement;
pub(crate) mod problem;
