//! The APIs of other test servers, for the clients that already speak them: Mailpit's and MailHog's, and the MIME
//! reading that both need.

pub(crate) mod mailhog;
pub(crate) mod mailpit;
pub(crate) mod mime;
