//! The identity strip: the DNS answers about each identity of a session.

use std::net::IpAddr;

use super::Case;
use super::subject::{Subject, subject};
use crate::facts::{Dmarc, Facts, Forward, Helo, HeloKind, Iprev, Outcome, Spf, SpfResult};
use crate::name;

/// Maximum number of PTR names, addresses and lists shown of a set; the client's own is always shown.
const SHOWN: usize = 3;

/// The state of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The identity leads to the next node.
    Held,
    /// The refusing rule found the edge broken.
    Broken,
    /// The identity does not lead to the next node, but no rule refused for that reason.
    Weak,
    /// No rule examined the edge.
    NotExamined,
}

impl State {
    /// The text for screen readers.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "broken",
            Self::Weak => "did not hold, and no rule refused for it",
            Self::NotExamined => "not examined by any rule",
        }
    }

    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "broken",
            Self::Weak => "weak",
            Self::NotExamined => "unasked",
        }
    }
}

/// An edge from one node to the next.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    /// The DNS question, or the comparison.
    pub(super) question: String,
    /// The answer.
    pub(super) answer: String,
    pub(super) state: State,
    /// The rule that found the edge broken; empty if none did.
    pub(super) rule: String,
}

/// An edge with its target node, and the edges that follow.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) edge: Edge,
    pub(super) node: String,
    pub(super) next: Option<Box<Branch>>,
}

/// One identity with everything that it leads to.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) title: &'static str,
    pub(super) root: String,
    pub(super) branches: Vec<Branch>,
}

impl Lane {
    /// One sentence for each edge.
    pub(super) fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for branch in &self.branches {
            let (mut from, mut branch) = (&self.root, Some(branch));
            while let Some(Branch { edge, node, next }) = branch {
                let rule = if edge.rule.is_empty() {
                    String::new()
                } else {
                    format!(" (rule {})", edge.rule)
                };
                let answer = if edge.answer.is_empty() {
                    String::new()
                } else {
                    format!(" {}", edge.answer)
                };
                let (title, question, state) = (self.title, &edge.question, edge.state.word());
                sentences.push(format!(
                    "{title}: {from} → {question}{answer} → {node}: {state}{rule}"
                ));
                (from, branch) = (node, next.as_deref());
            }
        }
        sentences
    }
}

/// Composes the lanes of one case.
struct Strip<'a> {
    facts: &'a Facts,
    rule: &'a str,
    subject: Subject,
    client: IpAddr,
}

pub(super) fn of(case: &Case<'_>) -> Vec<Lane> {
    let subject = match case.rule {
        "" => Subject::Elsewhere,
        rule => subject(rule, case.facts),
    };
    let strip = Strip {
        facts: case.facts,
        rule: case.rule,
        subject,
        client: case.client_address,
    };
    let lanes = [
        Some(strip.client()),
        strip.helo(),
        strip.sender(),
        strip.from(),
        strip.lists(),
    ];
    lanes.into_iter().flatten().collect()
}

impl Strip<'_> {
    /// An edge about a subject: broken if the refusing rule is about it, otherwise as observed.
    fn edge(&self, about: Subject, held: bool, question: &str, answer: impl Into<String>) -> Edge {
        let broken = !held && self.subject == about;
        let state = match (held, broken) {
            (true, _) => State::Held,
            (false, true) => State::Broken,
            (false, false) => State::Weak,
        };
        Edge {
            question: question.to_owned(),
            answer: answer.into(),
            state,
            rule: if broken {
                self.rule.to_owned()
            } else {
                String::new()
            },
        }
    }

    fn client(&self) -> Lane {
        let branches = match &self.facts.iprev {
            None => vec![unexamined("PTR", "PTR names")],
            Some(iprev) if iprev.ptr_names.is_empty() => vec![Branch {
                edge: self.edge(Subject::Ptr, false, "PTR", iprev.reverse.word()),
                node: "no PTR name".to_owned(),
                next: None,
            }],
            Some(iprev) => self.ptr_names(iprev),
        };
        Lane {
            title: "client address",
            root: self.client.to_string(),
            branches,
        }
    }

    fn ptr_names(&self, iprev: &Iprev) -> Vec<Branch> {
        // A rule about the names themselves breaks the edge to the first name, even if that name leads back.
        let names_held = self.subject != Subject::Ptr;
        let confirmed = |name: &&name::Name| {
            let forward = iprev.forwards.iter().find(|f| f.name == **name);
            !forward.is_some_and(|f| f.confirms)
        };
        let mut names: Vec<_> = iprev.ptr_names.iter().collect();
        names.sort_by_key(confirmed);
        let more = names.len().saturating_sub(SHOWN);
        let mut branches: Vec<_> = names
            .into_iter()
            .take(SHOWN)
            .map(|name| Branch {
                edge: self.edge(Subject::Ptr, names_held, "PTR", ""),
                node: name::display(name),
                next: Some(Box::new(
                    match iprev.forwards.iter().find(|f| f.name == *name) {
                        Some(forward) => self.forward(iprev, forward),
                        None => unexamined("A, AAAA", "addresses"),
                    },
                )),
            })
            .collect();
        if more > 0 {
            branches.push(Branch {
                edge: self.edge(Subject::Elsewhere, true, "PTR", ""),
                node: format!("and {more} more names"),
                next: None,
            });
        }
        branches
    }

    fn forward(&self, iprev: &Iprev, forward: &Forward) -> Branch {
        let answer = match forward.outcome {
            Outcome::Data => String::new(),
            outcome => outcome.word().to_owned(),
        };
        let about = match iprev.verified_name {
            // Another name leads back, so this edge is not the broken one.
            Some(_) => Subject::Elsewhere,
            None => Subject::Forward,
        };
        let mut edge = self.edge(about, forward.confirms, "A, AAAA", answer);
        if self.subject == Subject::Forward && iprev.verified_name.is_some() && !forward.confirms {
            // The receiver requires every name, or a certain one, to lead back.
            edge = self.edge(Subject::Forward, false, "A, AAAA", edge.answer);
        }
        Branch {
            edge,
            node: addresses(&forward.addresses, self.client),
            next: None,
        }
    }

    fn helo(&self) -> Option<Lane> {
        let helo = self.facts.helo.as_ref()?;
        let mut branches = Vec::new();
        if self.subject == Subject::HeloForm {
            let wrong = match helo.kind {
                HeloKind::Name => "a name that the rule refuses",
                HeloKind::Literal => "an address literal",
                HeloKind::BareIp => "an address without brackets",
                HeloKind::Invalid => "not a legal argument",
            };
            branches.push(Branch {
                edge: self.edge(Subject::HeloForm, false, "form", ""),
                node: wrong.to_owned(),
                next: None,
            });
        }
        branches.push(self.helo_addresses(helo));
        branches.extend(self.helo_and_ptr(helo));
        branches.extend(
            self.facts
                .spf_helo
                .as_deref()
                .map(|spf| self.spf(Subject::HeloSpf, spf)),
        );
        Some(Lane {
            title: "HELO name",
            root: if helo.argument.is_empty() {
                "(empty)".to_owned()
            } else {
                helo.argument.clone()
            },
            branches,
        })
    }

    fn helo_addresses(&self, helo: &Helo) -> Branch {
        let Some(outcome) = helo.addresses_outcome else {
            return unexamined("A, AAAA", "addresses");
        };
        let answer = match outcome {
            Outcome::Data => "",
            other => other.word(),
        };
        let held = outcome == Outcome::Data && self.subject != Subject::HeloAddress;
        Branch {
            edge: self.edge(Subject::HeloAddress, held, "A, AAAA", answer),
            node: addresses(&helo.addresses, self.client),
            next: None,
        }
    }

    /// Compares the HELO name with the PTR names, if both are known.
    fn helo_and_ptr(&self, helo: &Helo) -> Option<Branch> {
        let iprev = self.facts.iprev.as_ref()?;
        let name = helo.name();
        let equal = name.and_then(|name| iprev.ptr_names.iter().find(|ptr| *ptr == name));
        let held = self.subject != Subject::HeloPtr;
        if held && equal.is_none() {
            return None;
        }
        let shown = equal.or(iprev.ptr_names.first());
        let node = shown.map_or("no PTR name".to_owned(), name::display);
        let answer = if equal.is_some() { "yes" } else { "no" };
        Some(Branch {
            edge: self.edge(Subject::HeloPtr, held, "equals a PTR name?", answer),
            node,
            next: None,
        })
    }

    fn spf(&self, about: Subject, spf: &Spf) -> Branch {
        let passes = matches!(
            spf.result,
            SpfResult::Pass | SpfResult::None | SpfResult::Neutral
        ) && self.subject != about;
        let by = if spf.mechanism.is_empty() {
            String::new()
        } else {
            format!(" by {}", spf.mechanism)
        };
        Branch {
            edge: self.edge(about, passes, "SPF", spf.domain.clone()),
            node: format!("{}{by}", spf.result.word()),
            next: None,
        }
    }

    fn sender(&self) -> Option<Lane> {
        let sender = self.facts.sender.as_ref()?;
        let mut branches: Vec<_> = self
            .facts
            .spf_sender
            .as_ref()
            .map(|spf| self.spf(Subject::SenderSpf, spf))
            .into_iter()
            .collect();
        if let Some(domain) = &self.facts.sender_domain {
            let held = domain.mx == Outcome::Data && !domain.null_mx
                || domain.addresses.is_some_and(|a| a == Outcome::Data);
            let answer = if domain.null_mx {
                "null MX"
            } else {
                domain.mx.word()
            };
            branches.push(Branch {
                edge: self.edge(Subject::SenderDomain, held, "MX, A, AAAA", answer),
                node: name::display(&domain.domain),
                next: None,
            });
        }
        if branches.is_empty() {
            branches.push(unexamined("SPF", "result"));
        }
        Some(Lane {
            title: "MAIL FROM",
            root: format!("<{sender}>"),
            branches,
        })
    }

    fn from(&self) -> Option<Lane> {
        let dmarc = self.facts.dmarc.as_ref()?;
        let mut branches: Vec<_> = self
            .facts
            .dkim
            .iter()
            .flatten()
            .take(SHOWN)
            .map(|dkim| Branch {
                edge: self.edge(
                    Subject::Dkim,
                    dkim.result.word() == "pass" && self.subject != Subject::Dkim,
                    "DKIM",
                    format!("d={}", dkim.domain),
                ),
                node: dkim.result.word().to_owned(),
                next: None,
            })
            .collect();
        if branches.is_empty() && self.subject == Subject::Dkim {
            branches.push(Branch {
                edge: self.edge(Subject::Dkim, false, "DKIM", ""),
                node: "no signature".to_owned(),
                next: None,
            });
        }
        branches.push(self.dmarc(dmarc));
        Some(Lane {
            title: "From",
            root: if dmarc.from_domain.is_empty() {
                "(no single domain)".to_owned()
            } else {
                dmarc.from_domain.clone()
            },
            branches,
        })
    }

    fn dmarc(&self, dmarc: &Dmarc) -> Branch {
        let held = dmarc.result.word() == "pass" && self.subject != Subject::Dmarc;
        let answer = if dmarc.record {
            format!("p={}", dmarc.policy)
        } else {
            "no record".to_owned()
        };
        Branch {
            edge: self.edge(Subject::Dmarc, held, "DMARC", answer),
            node: dmarc.result.word().to_owned(),
            next: None,
        }
    }

    fn lists(&self) -> Option<Lane> {
        let mut listings: Vec<_> = self.facts.listings.iter().collect();
        if listings.is_empty() {
            return None;
        }
        listings.sort_by_key(|listing| !listing.is_listed());
        let more = listings.len().saturating_sub(SHOWN);
        let mut branches: Vec<_> = listings
            .into_iter()
            .take(SHOWN)
            .map(|listing| {
                let held = !listing.is_listed() && !listing.is_unknown();
                let codes: Vec<_> = listing.codes.iter().map(ToString::to_string).collect();
                let node = match (listing.is_listed(), listing.is_unknown()) {
                    (true, _) => format!("listed: {}", codes.join(", ")),
                    (false, true) => "unknown".to_owned(),
                    (false, false) => "not listed".to_owned(),
                };
                Branch {
                    edge: self.edge(Subject::Lists, held, "list", name::display(&listing.zone)),
                    node,
                    next: None,
                }
            })
            .collect();
        if more > 0 {
            branches.push(unexamined_more(more));
        }
        Some(Lane {
            title: "block lists",
            root: self.client.to_string(),
            branches,
        })
    }
}

fn unexamined(question: &str, node: &str) -> Branch {
    Branch {
        edge: Edge {
            question: question.to_owned(),
            answer: String::new(),
            state: State::NotExamined,
            rule: String::new(),
        },
        node: format!("{node}: not examined"),
        next: None,
    }
}

fn unexamined_more(more: usize) -> Branch {
    Branch {
        edge: Edge {
            question: "list".to_owned(),
            answer: String::new(),
            state: State::Held,
            rule: String::new(),
        },
        node: format!("and {more} more lists"),
        next: None,
    }
}

/// A set of addresses: the client's own first, then a few, then the number of the others.
fn addresses(all: &[IpAddr], client: IpAddr) -> String {
    if all.is_empty() {
        return "no address".to_owned();
    }
    let own = all.iter().filter(|address| **address == client);
    let others = all.iter().filter(|address| **address != client);
    let shown: Vec<_> = own
        .chain(others)
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    match all.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_sets_are_cut_and_keep_the_clients_own_address() {
        let all: Vec<IpAddr> = (1..=100).map(|n| IpAddr::from([192, 0, 2, n])).collect();
        assert_eq!(
            addresses(&all, IpAddr::from([192, 0, 2, 77])),
            "192.0.2.77, 192.0.2.1, 192.0.2.2 and 97 more"
        );
        assert_eq!(addresses(&[], IpAddr::from([192, 0, 2, 77])), "no address");
    }
}
