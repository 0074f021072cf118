//! The APIs of other test servers, Mailpit and MailHog, for their existing clients, and the MIME parser that both use.

pub(crate) mod mailhog;
pub(crate) mod mailpit;
pub(crate) mod mime;
