//! Remedies for a refusal. A check proposes them from the facts, `smtp::remedies` verifies them in the zones, and only
//! verified remedies are shown.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use hickory_proto::rr::RData;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize, Serializer};

use super::behaviour::Behaviour;
use crate::name::{self, Name, RecordType};

/// One action of a remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Proposes a PTR record for the client address, and an address record for its name.
    PointPtr {
        /// The client address.
        address: IpAddr,
        /// The name; `None` for one of the client's names.
        target: Option<Name>,
    },
    /// Proposes an A or AAAA record.
    PointName {
        /// The owner.
        name: Name,
        /// The address of the record.
        address: IpAddr,
    },
    /// Proposes an MX record for a domain.
    AddMx(Name),
    /// Proposes that the SPF record of a domain authorize an address.
    AuthorizeSpf {
        /// The domain.
        domain: Name,
        /// The address.
        address: IpAddr,
    },
    /// Adds a record.
    AddRecord {
        /// The owner.
        name: Name,
        /// The data.
        data: RData,
    },
    /// Replaces records.
    ReplaceRecord {
        /// The owner.
        name: Name,
        /// The records to remove.
        old: Vec<RData>,
        /// The data.
        data: RData,
    },
    /// Removes an entry from a DNS block list.
    Delist {
        /// The zone of the list.
        zone: Name,
        /// The owner of the entry.
        entry: Name,
        /// The subject of the entry.
        listed: String,
    },
    /// Makes the DNS servers for a name answer.
    MendDns(Name),
    /// Changes the argument of HELO or EHLO; `None` for one of the client's names.
    SayHelo(Option<String>),
    /// Sends from another address, or translates to it.
    SendFrom(IpAddr),
    /// Asks the receiver to exempt the client.
    AskReceiver(IpAddr),
    /// Changes the behaviour of the client in the session.
    Behave(Behaviour),
    /// A change from a journal file, in its stored form.
    Restored(ChangeView),
}

/// A change in JSON. Fields that do not apply to the action are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = RemedyChange))]
pub struct ChangeView {
    /// `add-record`, `replace-record`, `remove-from-list`, `mend-dns`, `say-helo`, `send-from`, `ask-receiver` or
    /// `change-session`.
    pub action: String,
    /// The change in words.
    pub text: String,
    /// The owner of a record, or the name whose DNS servers fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The type of a record.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub record_type: Option<String>,
    /// The data of a record in zone file format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The replaced records in zone file format.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<String>,
    /// The argument of HELO or EHLO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helo: Option<String>,
    /// A client address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PointPtr {
                address,
                target: Some(target),
            } => {
                let owner = name::reverse(*address).to_ascii();
                let target = name::display(target);
                write!(f, "add this PTR record: {owner} PTR {target}.")
            }
            Self::PointPtr { address, .. } => {
                let owner = name::reverse(*address).to_ascii();
                write!(f, "add a PTR record for {owner}")
            }
            Self::PointName { name, address } => {
                let kind = if address.is_ipv4() { "A" } else { "AAAA" };
                let name = name::display(name);
                write!(f, "add this {kind} record: {name}. {kind} {address}")
            }
            Self::AddMx(domain) => write!(f, "add an MX record for {}", name::display(domain)),
            Self::AuthorizeSpf { domain, address } => {
                let domain = name::display(domain);
                write!(f, "authorize {address} in the SPF record of {domain}")
            }
            Self::AddRecord { name, data } => {
                let (kind, name) = (data.record_type(), name::display(name));
                write!(f, "add this {kind} record: {name}. {kind} {}", text(data))
            }
            Self::ReplaceRecord { name, old, data } => {
                let (kind, name) = (data.record_type(), name::display(name));
                let old: Vec<_> = old.iter().map(text).collect();
                write!(
                    f,
                    "replace the {kind} record of {name} ({}): {name}. {kind} {}",
                    old.join(", "),
                    text(data)
                )
            }
            Self::Delist { zone, listed, .. } => {
                write!(f, "have {listed} removed from {}", name::display(zone))
            }
            Self::MendDns(name) => {
                write!(f, "make the DNS servers of {} answer", name::display(name))
            }
            Self::SayHelo(Some(argument)) => write!(f, "send EHLO {argument}"),
            Self::SayHelo(None) => f.write_str("send EHLO with the name of the host"),
            Self::SendFrom(address) => write!(f, "send from {address}, or translate to it (NAT)"),
            Self::AskReceiver(address) => {
                write!(f, "ask the receiver to allow {address} past this rule")
            }
            Self::Behave(behaviour) => behaviour.fmt(f),
            Self::Restored(view) => f.write_str(&view.text),
        }
    }
}

/// Record data in zone file format.
fn text(data: &RData) -> String {
    match data {
        RData::TXT(txt) => {
            let octets: Vec<u8> = txt.txt_data.iter().flatten().copied().collect();
            format!("{:?}", String::from_utf8_lossy(&octets))
        }
        RData::MX(mx) => format!("{} {}.", mx.preference, name::display(&mx.exchange)),
        data => data.to_string(),
    }
}

impl Change {
    /// Whether the change is only one of the client or the receiver in the session, so that no lookup changes.
    pub(crate) fn changes_no_lookup(&self) -> bool {
        matches!(self, Self::Behave(_) | Self::AskReceiver(_))
    }

    /// The change in JSON.
    pub fn view(&self) -> ChangeView {
        let of = |action: &str| ChangeView {
            action: action.to_owned(),
            text: self.to_string(),
            ..ChangeView::default()
        };
        let record = |action, name: &Name, data: String, record_type: RecordType| ChangeView {
            name: Some(format!("{}.", name::display(name))),
            record_type: Some(record_type.to_string()),
            data: Some(data),
            ..of(action)
        };
        match self {
            Self::AddRecord { name, data } => {
                record("add-record", name, text(data), data.record_type())
            }
            Self::ReplaceRecord { name, old, data } => ChangeView {
                replaced: old.iter().map(text).collect(),
                ..record("replace-record", name, text(data), data.record_type())
            },
            Self::PointPtr { address, target } => ChangeView {
                name: Some(name::reverse(*address).to_ascii()),
                record_type: Some("PTR".to_owned()),
                data: target.as_ref().map(Name::to_ascii),
                ..of("add-record")
            },
            Self::PointName { name, address } => {
                let kind = if address.is_ipv4() {
                    RecordType::A
                } else {
                    RecordType::AAAA
                };
                record("add-record", name, address.to_string(), kind)
            }
            Self::AddMx(name) | Self::AuthorizeSpf { domain: name, .. } => ChangeView {
                name: Some(name.to_ascii()),
                ..of("add-record")
            },
            Self::Delist { entry, .. } => ChangeView {
                name: Some(entry.to_ascii()),
                ..of("remove-from-list")
            },
            Self::MendDns(name) => ChangeView {
                name: Some(name.to_ascii()),
                ..of("mend-dns")
            },
            Self::SayHelo(helo) => ChangeView {
                helo: helo.clone(),
                ..of("say-helo")
            },
            Self::SendFrom(address) => ChangeView {
                address: Some(address.to_string()),
                ..of("send-from")
            },
            Self::AskReceiver(address) => ChangeView {
                address: Some(address.to_string()),
                ..of("ask-receiver")
            },
            Self::Behave(_) => of("change-session"),
            Self::Restored(view) => view.clone(),
        }
    }
}

/// A way to fix a refusal; all of its changes are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// The changes, in any order.
    pub all_of: Vec<Change>,
}

impl From<Change> for Remedy {
    fn from(change: Change) -> Self {
        Self {
            all_of: vec![change],
        }
    }
}

impl fmt::Display for Remedy {
    /// The changes on one line, joined by "and".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, change) in self.all_of.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; and " };
            write!(f, "{separator}{change}")?;
        }
        Ok(())
    }
}

/// The changes of remedies with their labels: "remedy" for the first, "and" for a further change of the same remedy,
/// and "or" for the first change of an alternative.
pub(crate) fn labelled(remedies: &[Remedy]) -> impl Iterator<Item = (&'static str, &Change)> {
    remedies.iter().enumerate().flat_map(|(nth, remedy)| {
        let label = move |place| match (nth, place) {
            (0, 0) => "remedy",
            (_, 0) => "or",
            _ => "and",
        };
        let changes = remedy.all_of.iter().enumerate();
        changes.map(move |(place, change)| (label(place), change))
    })
}

/// A remedy in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = Remedy))]
pub(crate) struct RemedyView {
    /// The changes as text on one line.
    pub text: String,
    /// The changes; all of them are needed.
    pub all_of: Vec<ChangeView>,
}

/// Remedies in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = Remedies))]
pub(crate) struct RemediesView {
    /// The alternatives, best first; each of them is enough.
    pub one_of: Vec<RemedyView>,
}

/// Verifies proposals: returns those that help, as concrete changes.
type Verifier = Box<dyn FnOnce(Vec<Remedy>) -> Vec<Remedy> + Send>;

/// The remedies of a refusal: alternatives, each of which fixes it.
///
/// They are verified when they are read for the first time, with the zones at the time of the refusal. A session
/// therefore only pays for keeping the data of the verification.
#[derive(Clone, Default)]
pub struct Remedies(Arc<Verification>);

#[derive(Default)]
struct Verification {
    verified: OnceLock<Vec<Remedy>>,
    open: Mutex<(Vec<Remedy>, Option<Verifier>)>,
}

impl Remedies {
    /// The proposals of a check, which are not shown before they are verified.
    pub(super) fn proposed(proposals: Vec<Remedy>) -> Self {
        Self(Arc::new(Verification {
            verified: OnceLock::new(),
            open: Mutex::new((proposals, None)),
        }))
    }

    /// Remedies that are verified already.
    pub(crate) fn verified(remedies: Vec<Remedy>) -> Self {
        Self(Arc::new(Verification {
            verified: OnceLock::from(remedies),
            open: Mutex::default(),
        }))
    }

    /// Sets the function that verifies the proposals.
    pub(crate) fn verify_with(
        &self,
        verifier: impl FnOnce(Vec<Remedy>) -> Vec<Remedy> + Send + 'static,
    ) {
        self.0.open.lock().1 = Some(Box::new(verifier));
    }

    /// Verifies the remedies, unless that is done already.
    pub(crate) fn verify(&self) {
        _ = self.len();
    }

    /// The remedies in JSON.
    pub(crate) fn view(&self) -> RemediesView {
        let one_of = self.iter().map(|remedy| RemedyView {
            text: remedy.to_string(),
            all_of: remedy.all_of.iter().map(Change::view).collect(),
        });
        RemediesView {
            one_of: one_of.collect(),
        }
    }
}

impl From<RemediesView> for Remedies {
    fn from(view: RemediesView) -> Self {
        let remedy = |remedy: RemedyView| Remedy {
            all_of: remedy.all_of.into_iter().map(Change::Restored).collect(),
        };
        Self::verified(view.one_of.into_iter().map(remedy).collect())
    }
}

impl Deref for Remedies {
    type Target = [Remedy];

    fn deref(&self) -> &[Remedy] {
        self.0.verified.get_or_init(|| {
            let (proposals, verifier) = std::mem::take(&mut *self.0.open.lock());
            verifier.map(|verify| verify(proposals)).unwrap_or_default()
        })
    }
}

impl PartialEq for Remedies {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || **self == **other
    }
}

impl Eq for Remedies {}

impl fmt::Debug for Remedies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.verified.get() {
            Some(remedies) => remedies.fmt(f),
            None => f.write_str("Remedies(not read yet)"),
        }
    }
}

impl Serialize for Remedies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.view().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_change_names() {
        let address = "192.0.2.10".parse().expect("an address");
        let name = crate::name::absolute("mail.example.test").expect("a name");
        let point = Change::PointName {
            name: name.clone(),
            address,
        };
        let view = point.view();
        assert_eq!(view.name.as_deref(), Some("mail.example.test."));
        assert_eq!(view.record_type.as_deref(), Some("A"));
        assert_eq!(view.data.as_deref(), Some("192.0.2.10"));
        let view = Change::PointPtr {
            address,
            target: Some(name),
        }
        .view();
        assert_eq!(view.record_type.as_deref(), Some("PTR"));
        let view = Change::SayHelo(Some("mail.example.test".to_owned())).view();
        assert_eq!(view.helo.as_deref(), Some("mail.example.test"));
        let view = Change::SendFrom(address).view();
        assert_eq!(view.address.as_deref(), Some("192.0.2.10"));
    }
}
