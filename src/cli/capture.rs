//! `martinet capture`: writes the DNS records of a client as a scenario.

use super::args::Capture;
use super::print;
use crate::error::Error;
use crate::verdict::Verdict;
use crate::{capture, name, scenario, smtp};

pub(super) fn run(options: &Capture) -> Result<bool, Error> {
    if name::absolute(&options.helo).is_none() {
        let found = format!("{:?}", options.helo);
        return Err(Error::unexpected("a domain name after --helo", found));
    }
    let sender = options.sender.clone();
    let sender =
        sender.unwrap_or_else(|| format!("postmaster@{}", options.helo.trim_end_matches('.')));
    if !smtp::is_mailbox(&sender) {
        return Err(Error::unexpected(
            "a mailbox after --from",
            format!("{sender:?}"),
        ));
    }
    let profiles = scenario::list_receivers()?;
    let captured = capture::Capture {
        client: options.client,
        helo: options.helo.clone(),
        sender,
        selectors: options.selector.clone(),
        lists: options.lists,
        resolver: options.resolver,
        timeout: options.timeout,
    }
    .run(&profiles);
    let file = options.output.display();
    std::fs::write(&options.output, &captured.text)
        .map_err(|e| Error::io(format!("cannot write {file}"), e))?;
    let accepts = captured
        .judgements
        .iter()
        .filter(|j| j.verdict == Verdict::Accept)
        .count();
    print(&format!(
        "{file}: {} questions to {}, {} failed; {accepts} of {} receivers accept\n\
         martinet check --scenario {file} --receiver all --client {} --helo {}\n",
        captured.questions,
        options.resolver,
        captured.failures,
        profiles.len(),
        options.client,
        options.helo,
    ));
    Ok(true)
}
