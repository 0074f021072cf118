//! The command line: a contract, other tools call it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::http::{self, Credentials};
use crate::smtp::ProxyMode;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// The mail server that refuses your mail on purpose, says exactly why, and says what would fix it.
#[derive(Debug, Parser)]
#[command(name = "martinet", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Play the story of the README over real sockets: who is refused, why, and what cures it
    Demo(Demo),
    /// Serve a scenario's DNS and a receiver's SMTP until stopped
    Serve(Box<Serve>),
    /// Ask what a receiver would say to a client, without sending
    Check(Check),
    /// Show every scenario client against every receiver
    Matrix(Matrix),
    /// Play every [[expect]] of scenarios over real SMTP and DNS sockets
    Verify(Verify),
    /// Play one SMTP session and print the dialogue
    Send(Send),
    /// List what is built in
    List(List),
    /// Show one scenario, receiver, check, or key of files
    Show(Show),
    /// Look for mistakes in scenario and receiver files
    Lint(Lint),
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Keep the server running after the story, with HTTP on a free port
    #[arg(long)]
    pub serve: bool,
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Scenario: a built-in name, or a file
    #[arg(
        long,
        env = "MARTINET_SCENARIO",
        value_name = "NAME|FILE",
        default_value = "one-to-one"
    )]
    pub scenario: String,
    /// Receiver: a built-in name, or a file; the scenario's own where left out
    #[arg(long, env = "MARTINET_RECEIVER", value_name = "NAME|FILE")]
    pub receiver: Option<String>,
    /// Where to listen for SMTP; port 0 picks a free one
    #[arg(
        long,
        env = "MARTINET_SMTP",
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:1025"
    )]
    pub smtp: SocketAddr,
    /// Where to serve DNS, UDP and TCP; port 0 picks a free one
    #[arg(
        long,
        env = "MARTINET_DNS",
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:1053"
    )]
    pub dns: SocketAddr,
    /// Where to serve HTTP, or off
    #[arg(long, env = "MARTINET_HTTP", value_name = "ADDR:PORT|off", default_value = "127.0.0.1:8025", value_parser = http_at)]
    pub http: HttpAt,
    /// Keep the journal in this file (SQLite), and messages in FILE.mail: what was acknowledged survives, and is read again
    #[arg(long, env = "MARTINET_JOURNAL", value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Ask for these credentials; may be given several times
    #[arg(long, env = "MARTINET_HTTP_AUTH", value_name = "USER:PASSWORD", value_parser = Credentials::basic, hide_env_values = true)]
    pub http_auth: Vec<Credentials>,
    /// Ask for this bearer token; may be given several times
    #[arg(
        long,
        env = "MARTINET_HTTP_TOKEN",
        value_name = "TOKEN",
        value_parser = Credentials::bearer,
        hide_env_values = true
    )]
    pub http_token: Vec<Credentials>,
    /// Answer to this host name too, beside localhost and addresses (a container's service name)
    #[arg(
        long,
        env = "MARTINET_HTTP_HOST",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = http::host_name
    )]
    pub http_host: Vec<String>,
    /// Let pages of this origin ask (CORS)
    #[arg(
        long,
        env = "MARTINET_HTTP_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ',',
        value_parser = http::origin
    )]
    pub http_origin: Vec<String>,
    /// What to log on standard error: a level, or filters such as martinet=debug
    #[arg(
        long,
        env = "MARTINET_LOG",
        value_name = "LEVEL",
        default_value = "warn"
    )]
    pub log: String,
    /// How to log
    #[arg(long, env = "MARTINET_LOG_FORMAT", value_enum, default_value_t = Format::Human)]
    pub log_format: Format,
    /// How to say where the listeners are
    #[arg(long, env = "MARTINET_FORMAT", value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Write the ready line, as JSON, to this file once every listener accepts
    #[arg(long, env = "MARTINET_READY_FILE", value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Listen for SMTP under TLS from the first octet
    #[arg(long, env = "MARTINET_SMTPS", value_name = "ADDRESS:PORT")]
    pub smtps: Option<SocketAddr>,
    /// Listen for LMTP
    #[arg(long, env = "MARTINET_LMTP", value_name = "ADDRESS:PORT")]
    pub lmtp: Option<SocketAddr>,
    /// Have connections to --smtp begin with a PROXY header: off, optional or required
    #[arg(long, env = "MARTINET_PROXY", value_name = "MODE", default_value = "off", value_parser = proxy_mode)]
    pub proxy: ProxyMode,
    /// Offer STARTTLS, whatever the receiver says
    #[arg(long, env = "MARTINET_STARTTLS")]
    pub starttls: bool,
    /// Write the authority that clients have to trust into this directory, as ca.pem
    #[arg(long, env = "MARTINET_TLS_DIR", value_name = "DIRECTORY")]
    pub tls_dir: Option<PathBuf>,
    /// One's own certificate chain, PEM
    #[arg(
        long,
        env = "MARTINET_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,
    /// Its key, PEM
    #[arg(
        long,
        env = "MARTINET_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,
    /// Most SMTP connections at a time, of each listener; a further one gets 421
    #[arg(long, env = "MARTINET_CONNECTIONS", value_name = "NUMBER", default_value_t = crate::harness::CONNECTIONS)]
    pub connections: usize,
    /// Stop after this many sessions (10) or this time (30s)
    #[arg(long, env = "MARTINET_EXIT_AFTER", value_name = "SESSIONS|TIME", value_parser = exit_after)]
    pub exit_after: Option<ExitAfter>,
}

/// Where HTTP is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HttpAt {
    Off,
    At(SocketAddr),
}

fn http_at(text: &str) -> Result<HttpAt, String> {
    match text {
        "off" => Ok(HttpAt::Off),
        text => text
            .parse()
            .map(HttpAt::At)
            .map_err(|_| "expected an address and port such as 127.0.0.1:8025, or off".to_owned()),
    }
}

fn proxy_mode(text: &str) -> Result<ProxyMode, String> {
    match text {
        "off" => Ok(ProxyMode::Off),
        "optional" => Ok(ProxyMode::Optional),
        "required" => Ok(ProxyMode::Required),
        _ => Err("expected off, optional or required".to_owned()),
    }
}

/// When `serve` stops by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExitAfter {
    Sessions(u64),
    Time(Duration),
}

fn exit_after(text: &str) -> Result<ExitAfter, String> {
    if let Ok(sessions) = text.parse() {
        return Ok(ExitAfter::Sessions(sessions));
    }
    crate::scenario::duration(text)
        .map(ExitAfter::Time)
        .ok_or_else(|| "expected a number of sessions such as 10, or a time such as 30s".to_owned())
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Scenario: a built-in name, or a file
    #[arg(
        long,
        env = "MARTINET_SCENARIO",
        value_name = "NAME|FILE",
        default_value = "one-to-one"
    )]
    pub scenario: String,
    /// Receiver: a built-in name, a file, or all
    #[arg(long, env = "MARTINET_RECEIVER", value_name = "NAME|FILE|all")]
    pub receiver: Option<String>,
    /// The client address
    #[arg(long, value_name = "IP")]
    pub client: IpAddr,
    /// The HELO/EHLO argument
    #[arg(long, value_name = "NAME", value_parser = one_line)]
    pub helo: String,
    /// The envelope sender, "" for the null sender [default: the sender of the scenario]
    #[arg(long = "from", value_name = "ADDRESS", value_parser = one_line)]
    pub sender: Option<String>,
    /// The envelope recipient [default: postmaster at the first domain of the scenario]
    #[arg(long = "to", value_name = "ADDRESS", value_parser = one_line)]
    pub recipient: Option<String>,
    /// How to print; svg and html draw one receiver's judgement
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    pub format: CheckFormat,
}

fn one_line(text: &str) -> Result<String, String> {
    if text.contains(['\r', '\n', '\0']) {
        return Err("expected one line, found a line end or NUL in it".to_owned());
    }
    Ok(text.to_owned())
}

#[derive(Debug, Args)]
pub(super) struct Matrix {
    /// Scenarios, by name or file; all built-in ones where left out
    #[arg(long, value_name = "NAME|FILE")]
    pub scenario: Vec<String>,
    /// Receivers, by name or file; all built-in ones where left out
    #[arg(long, value_name = "NAME|FILE")]
    pub receiver: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = MatrixFormat::Human)]
    pub format: MatrixFormat,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Scenario files and directories; the built-in scenarios where left out
    #[arg(value_name = "FILE|DIR")]
    pub files: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = VerifyFormat::Human)]
    pub format: VerifyFormat,
}

#[derive(Debug, Args)]
pub(super) struct Send {
    /// The receiver
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:1025")]
    pub smtp: SocketAddr,
    /// Send from this address: bound as the source where the machine has it, else said with XCLIENT
    #[arg(long, value_name = "IP")]
    pub client: Option<IpAddr>,
    /// The EHLO argument
    #[arg(long, value_name = "NAME", default_value = "localhost.localdomain", value_parser = one_line)]
    pub helo: String,
    /// The reverse-path
    #[arg(long, value_name = "ADDRESS", default_value = "sender@example.test", value_parser = one_line)]
    pub from: String,
    /// The forward-paths
    #[arg(long, value_name = "ADDRESS", default_value = "postmaster@contoso.test", value_parser = one_line)]
    pub to: Vec<String>,
    /// The message, as a file; a short one of our own where left out
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// What to list
    #[arg(value_enum)]
    pub what: Plural,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// What it is
    #[arg(value_enum)]
    pub what: Singular,
    /// Its name; for scenarios and receivers also a file; for keys also SECTION.KEY
    pub name: String,
}

#[derive(Debug, Args)]
pub(super) struct Lint {
    /// Scenario and receiver files, and directories of them
    #[arg(required = true, value_name = "FILE|DIR")]
    pub files: Vec<PathBuf>,
    /// Treat warnings as mistakes
    #[arg(long)]
    pub strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Human,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CheckFormat {
    Human,
    Json,
    Svg,
    Html,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum MatrixFormat {
    Human,
    Json,
    Html,
    Junit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum VerifyFormat {
    Human,
    Json,
    Junit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Plural {
    Scenarios,
    Receivers,
    Checks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Singular {
    Scenario,
    Receiver,
    Check,
    Key,
}
