//! The catalogue of checks. A new check is one file here and one row in [`CATALOGUE`].

mod authentic;
mod conduct;
mod dmarc;
mod helo_bare_ip;
mod helo_conduct;
mod helo_fqdn;
mod helo_ip_match;
mod helo_is_me;
mod helo_literal;
mod helo_literal_match;
mod helo_name;
mod helo_not_reserved;
mod helo_ptr_match;
mod helo_required;
mod helo_resolves;
mod helo_syntax;
mod helo_verify;
mod iprev;
mod limits;
mod listed;
mod memory;
mod message_format;
mod name_pattern;
mod ptr_exists;
mod ptr_generic;
mod ptr_more;
mod ptr_resolves;
mod ptr_valid_name;
mod score;
mod sender_not_reserved;
mod sender_resolves;
mod spf;
#[cfg(test)]
mod test;

pub(crate) use score::REJECT;

use crate::policy::check::Check;

/// All checks, in catalogue order.
pub static CATALOGUE: &[&Check] = &[
    &conduct::PREGREET,
    &conduct::SYNC,
    &conduct::NON_SMTP,
    &conduct::BARE_LF,
    &ptr_exists::CHECK,
    &ptr_valid_name::CHECK,
    &ptr_resolves::CHECK,
    &iprev::CHECK,
    &ptr_generic::PTR,
    &name_pattern::PTR,
    &ptr_more::COUNTRY,
    &listed::CLIENT,
    &listed::HELO,
    &listed::SENDER,
    &helo_required::CHECK,
    &helo_syntax::CHECK,
    &helo_bare_ip::CHECK,
    &helo_literal::ALLOWED,
    &helo_literal_match::CHECK,
    &helo_literal::BAD_IP,
    &helo_fqdn::CHECK,
    &helo_name::TLD,
    &helo_is_me::CHECK,
    &helo_name::BADLIST,
    &helo_resolves::CHECK,
    &helo_not_reserved::CHECK,
    &helo_ip_match::CHECK,
    &helo_ptr_match::CHECK,
    &helo_verify::CHECK,
    &ptr_generic::HELO,
    &name_pattern::HELO,
    &helo_conduct::STABLE,
    &helo_conduct::PROTO,
    &spf::HELO,
    &sender_resolves::SENDER,
    &sender_not_reserved::CHECK,
    &spf::SENDER,
    &authentic::DKIM,
    &authentic::SPF_OR_DKIM,
    &authentic::DMARC,
    &dmarc::RECORD,
    &dmarc::ALIGNMENT,
    &message_format::CHECK,
    &sender_resolves::FROM,
    &ptr_more::IPV6,
    &authentic::IPV6_AUTH,
    &limits::TLS,
    &memory::GREYLIST,
    &limits::LIMITS,
    &score::CHECK,
    &memory::UNVERIFIABLE,
];

/// The check with this name.
pub fn find(name: &str) -> Option<&'static Check> {
    CATALOGUE.iter().copied().find(|check| check.name == name)
}
