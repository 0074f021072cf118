//! `martinet completions` and `man`, generated from the declared arguments.

use clap::CommandFactory;

use super::{Arguments, print};
use crate::error::Error;

/// Prints the completions of a shell.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<bool, Error> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "martinet", &mut out);
    print(&String::from_utf8_lossy(&out));
    Ok(true)
}

/// Prints the manual page, with one section for each subcommand.
pub(super) fn page() -> Result<bool, Error> {
    let failed = |error| Error::io("cannot write the manual page", error);
    let mut out = Vec::new();
    let mut command = Arguments::command();
    command.build();
    clap_mangen::Man::new(command.clone())
        .render(&mut out)
        .map_err(failed)?;
    for subcommand in command
        .get_subcommands()
        .filter(|subcommand| subcommand.get_name() != "help" && !subcommand.is_hide_set())
    {
        let name = format!("martinet {}", subcommand.get_name());
        let page = clap_mangen::Man::new(subcommand.clone().display_name(&name));
        out.extend(format!(".SH \"{}\"\n", name.to_uppercase()).bytes());
        page.render_description_section(&mut out).map_err(failed)?;
        page.render_options_section(&mut out).map_err(failed)?;
    }
    print(&String::from_utf8_lossy(&out));
    Ok(true)
}
