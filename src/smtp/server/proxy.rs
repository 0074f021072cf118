//! The PROXY protocol, versions 1 and 2 (specification by HAProxy), with which a proxy gives the address of its client.

pub(crate) mod header;

pub(crate) use header::client;

/// The use of PROXY headers by a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ProxyMode {
    /// No header is expected; a header is a mistake.
    #[default]
    Off,
    /// A header is accepted. A client without one is served after a short wait.
    Optional,
    /// Every connection must begin with a header.
    Required,
}
