//! The command line. Other programs call it, so it changes only with a CHANGELOG entry.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

mod values;

pub(super) use values::{
    CheckFormat, ExitAfter, Format, HttpAt, MatrixFormat, Plural, Singular, SourceAddress,
    VerifyFormat,
};

use super::world::{WorldUrl, world_url};
use crate::expect::Expectation;
use crate::http::{self, Credentials};
use crate::scenario::Placement;
use crate::smtp::ProxyMode;
use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;
use values::{
    exit_after, http_at, networks, one_line, placement, ports, proxy_mode, size, source, time,
    unescaped,
};

/// The mail server that refuses your mail on purpose, says exactly why, and says what would fix it.
#[derive(Debug, Parser)]
#[command(name = "martinet", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a short demonstration over real sockets: which clients are refused, why, and what fixes it
    Demo(Demo),
    /// Serve the DNS zones of a scenario and the SMTP server of a receiver until stopped
    Serve(Box<Serve>),
    /// Run a command in a sealed network where MX lookups, port 25 and the client addresses of a scenario are real (Linux)
    Run(Box<Run>),
    /// Show what a receiver would reply to a client, without sending mail
    Check(Check),
    /// Find which receiver gives a reply, which scenario causes it, and what fixes it
    Find(Find),
    /// Ask a resolver for the DNS records of a client, and write them as a scenario
    Capture(Capture),
    /// Show the verdict of every receiver on every client of the scenarios
    Matrix(Matrix),
    /// Run every [[expect]] of scenarios over real SMTP and DNS sockets
    Verify(Verify),
    /// Send one message in one SMTP session and print the dialogue
    Send(Send),
    /// List the built-in scenarios, receivers or checks
    List(List),
    /// Show one scenario, receiver, check or file key
    Show(Show),
    /// Report mistakes in scenario and receiver files
    Lint(Lint),
    /// Repair the file of a journal
    Journal(Journal),
    /// Ask a running server whether it is ready; exit code 0 if it is, otherwise 1
    Readyz(Readyz),
    /// Ask a running server whether it is alive; exit code 0 if it is, otherwise 1
    Livez(Health),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Keep the server running after the demonstration, with HTTP on a free port
    #[arg(long)]
    pub serve: bool,
}

/// The address of a running server.
#[derive(Debug, Args)]
pub(super) struct Health {
    /// HTTP address of the server
    #[arg(
        long,
        env = "MARTINET_HTTP",
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:8025"
    )]
    pub http: SocketAddr,
}

#[derive(Debug, Args)]
pub(super) struct Readyz {
    #[command(flatten)]
    pub health: Health,
    /// Wait until the server is ready
    #[arg(long)]
    pub wait: bool,
    /// Maximum time to wait
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub timeout: Duration,
}

/// The scenario and receiver of a world.
#[derive(Debug, Args)]
pub(super) struct Play {
    /// Scenario, by built-in name or as a file
    #[arg(
        long,
        env = "MARTINET_SCENARIO",
        value_name = "NAME|FILE",
        default_value = "one-to-one"
    )]
    pub scenario: String,
    /// Receiver, by built-in name or as a file [default: the receiver of the scenario]
    #[arg(long, env = "MARTINET_RECEIVER", value_name = "NAME|FILE")]
    pub receiver: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    pub play: Play,
    /// Listen for SMTP on this address; port 0 picks a free port
    #[arg(
        long,
        env = "MARTINET_SMTP",
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:1025"
    )]
    pub smtp: SocketAddr,
    /// Serve DNS on this address, over UDP and TCP; port 0 picks a free port
    #[arg(
        long,
        env = "MARTINET_DNS",
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:1053"
    )]
    pub dns: SocketAddr,
    /// Loopback network, or ports of the SMTP address, for the mail servers of domains with receivers of their own
    /// [default: 127.0.25.0/24, or free ports where SMTP is not on loopback]
    #[arg(long, env = "MARTINET_EXCHANGES", value_name = "NETWORK|FIRST-LAST", value_parser = placement)]
    pub exchanges: Option<Placement>,
    /// Serve HTTP on this address, or not at all
    #[arg(long, env = "MARTINET_HTTP", value_name = "ADDR:PORT|off", default_value = "127.0.0.1:8025", value_parser = http_at)]
    pub http: HttpAt,
    /// Listen for SMTP, DNS and HTTP on this address instead of 127.0.0.1
    #[arg(long, env = "MARTINET_BIND", value_name = "IP")]
    pub bind: Option<IpAddr>,
    /// Listen on this address for the worlds that are created over HTTP [default: that of --bind]
    #[arg(long, env = "MARTINET_WORLDS_BIND", value_name = "IP")]
    pub worlds_bind: Option<IpAddr>,
    /// Use these ports for the worlds that are created over HTTP [default: free ports]
    #[arg(long, env = "MARTINET_WORLDS_PORTS", value_name = "FIRST-LAST", value_parser = ports)]
    pub worlds_ports: Option<RangeInclusive<u16>>,
    /// Host name or address to show for servers on 0.0.0.0 or :: [default: that of the request]; an address is also that of the SMTP
    /// server in the DNS [default: that of the DNS server, or of this machine]
    #[arg(long, env = "MARTINET_ADVERTISE", value_name = "HOST")]
    pub advertise: Option<String>,
    /// Store the journal in this SQLite file, and messages in FILE.mail; both are loaded at the next start
    #[arg(long, env = "MARTINET_JOURNAL", value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Keep at most this much of the journal, in memory and in the journal file; the oldest entries go first
    #[arg(long, env = "MARTINET_KEEP", value_name = "SIZE", default_value = "360MiB", value_parser = size)]
    pub keep: usize,
    /// Require HTTP Basic credentials; can be given more than once
    #[arg(long, env = "MARTINET_HTTP_AUTH", value_name = "USER:PASSWORD", value_parser = Credentials::basic, hide_env_values = true)]
    pub http_auth: Vec<Credentials>,
    /// Require this HTTP bearer token; can be given more than once
    #[arg(
        long,
        env = "MARTINET_HTTP_TOKEN",
        value_name = "TOKEN",
        value_parser = Credentials::bearer,
        hide_env_values = true
    )]
    pub http_token: Vec<Credentials>,
    /// Accept this name in the Host header, in addition to localhost and addresses (the service name of a container)
    #[arg(
        long,
        env = "MARTINET_HTTP_HOST",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = http::host_name
    )]
    pub http_host: Vec<String>,
    /// Allow requests from web pages of this origin (CORS)
    #[arg(
        long,
        env = "MARTINET_HTTP_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ',',
        value_parser = http::origin
    )]
    pub http_origin: Vec<String>,
    /// Log to standard error at this level, or by filters such as martinet=debug
    #[arg(
        long,
        env = "MARTINET_LOG",
        value_name = "LEVEL",
        default_value = "warn"
    )]
    pub log: String,
    /// Format of the log
    #[arg(long, env = "MARTINET_LOG_FORMAT", value_enum, default_value_t = Format::Human)]
    pub log_format: Format,
    /// Format of the startup message and of the line for each session
    #[arg(long, env = "MARTINET_FORMAT", value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Write the startup message, as JSON, to this file when every listener accepts connections
    #[arg(long, env = "MARTINET_READY_FILE", value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// Listen for SMTP over implicit TLS on this address
    #[arg(long, env = "MARTINET_SMTPS", value_name = "ADDRESS:PORT")]
    pub smtps: Option<SocketAddr>,
    /// Listen for LMTP on this address
    #[arg(long, env = "MARTINET_LMTP", value_name = "ADDRESS:PORT")]
    pub lmtp: Option<SocketAddr>,
    /// PROXY header at the start of connections to --smtp: off, optional or required
    #[arg(long, env = "MARTINET_PROXY", value_name = "MODE", default_value = "off", value_parser = proxy_mode)]
    pub proxy: ProxyMode,
    /// Networks and addresses that may use XCLIENT, separated by commas; an empty list allows no client [default: those of the
    /// receiver, which are loopback unless its file says otherwise]
    #[arg(long, env = "MARTINET_XCLIENT_FROM", value_name = "NETWORKS", value_parser = networks)]
    pub xclient_from: Option<Arc<[IpNet]>>,
    /// Offer STARTTLS even if the receiver does not
    #[arg(long, env = "MARTINET_STARTTLS")]
    pub starttls: bool,
    /// Write the CA certificate that clients must trust to ca.pem in this directory
    #[arg(long, env = "MARTINET_TLS_DIR", value_name = "DIRECTORY")]
    pub tls_dir: Option<PathBuf>,
    /// Certificate chain of the server, PEM [default: generated]
    #[arg(
        long,
        env = "MARTINET_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(
        long,
        env = "MARTINET_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,
    /// Maximum number of concurrent SMTP connections of each listener; further connections get a 421 reply
    #[arg(long, env = "MARTINET_CONNECTIONS", value_name = "NUMBER", default_value_t = crate::harness::CONNECTIONS)]
    pub connections: usize,
    /// Stop after a number of sessions (10) or a time (30s)
    #[arg(long, env = "MARTINET_EXIT_AFTER", value_name = "SESSIONS|TIME", value_parser = exit_after)]
    pub exit_after: Option<ExitAfter>,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub play: Play,
    /// Source address of connections that the command does not bind to an address; random takes another address of the
    /// scenario for each connection [default: the first client of the scenario]
    #[arg(long, value_name = "IP|random[:SEED]", value_parser = source)]
    pub source: Option<SourceAddress>,
    /// Exit with 1 unless the command meets the [[expect]] entries of the scenario for the receivers of this run
    #[arg(long)]
    pub verify: bool,
    /// Exit with 1 unless sessions match: NAME=VALUE conditions, for example 'client=192.0.2.1 verdict=reject rule=iprev times=2';
    /// can be given more than once
    #[arg(long, value_name = "CONDITIONS")]
    pub expect: Vec<Expectation>,
    /// Run the command as this user [default: the user who called martinet, also through sudo]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Serve HTTP on this address of the machine, or not at all; port 0 picks a free port
    #[arg(long, value_name = "ADDR:PORT|off", default_value = "127.0.0.1:0", value_parser = http_at)]
    pub http: HttpAt,
    /// Only show how the network can be sealed on this machine; exit code 0 if it can, otherwise 2
    #[arg(long)]
    pub probe: bool,
    /// The command and its arguments [default: a shell]
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Scenario, by built-in name or as a file
    #[arg(
        long,
        env = "MARTINET_SCENARIO",
        value_name = "NAME|FILE",
        default_value = "one-to-one"
    )]
    pub scenario: String,
    /// Receiver, by built-in name or as a file, or all [default: the receiver of the scenario, or of the world]
    #[arg(long, env = "MARTINET_RECEIVER", value_name = "NAME|FILE|all")]
    pub receiver: Option<String>,
    /// World of a running server to ask: http://HOST:PORT, or http://HOST:PORT/worlds/NAME
    #[arg(long, value_name = "URL", value_parser = world_url, conflicts_with = "scenario")]
    pub world: Option<WorldUrl>,
    /// Resolver to ask, in place of the zones of a scenario
    #[arg(long, value_name = "ADDR:PORT", conflicts_with_all = ["scenario", "world"])]
    pub resolver: Option<SocketAddr>,
    /// Client address [default with --world: the address that the next connection gets]
    #[arg(long, value_name = "IP", required_unless_present = "world")]
    pub client: Option<IpAddr>,
    /// HELO name: the argument of EHLO
    #[arg(long, value_name = "NAME", value_parser = one_line)]
    pub helo: String,
    /// Envelope sender, "" for the null sender [default: the sender of the scenario]
    #[arg(long = "from", value_name = "ADDRESS", value_parser = one_line)]
    pub sender: Option<String>,
    /// Envelope recipient [default: postmaster at the first domain of the scenario]
    #[arg(long = "to", value_name = "ADDRESS", value_parser = one_line)]
    pub recipient: Option<String>,
    /// Output format; svg and html draw the judgement of one receiver
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    pub format: CheckFormat,
}

#[derive(Debug, Args)]
pub(super) struct Find {
    /// A reply, a log line, or a file with a bounce message; - reads standard input
    #[arg(value_name = "TEXT|FILE|-", allow_hyphen_values = true)]
    pub what: String,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Write a scenario with the client address, HELO name and sender of the bounce
    #[arg(long, value_name = "FILE")]
    pub scenario_out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Capture {
    /// Client address
    #[arg(long, value_name = "IP")]
    pub client: IpAddr,
    /// HELO name: the argument of EHLO
    #[arg(long, value_name = "NAME", value_parser = one_line)]
    pub helo: String,
    /// Envelope sender [default: postmaster at the HELO name]
    #[arg(long = "from", value_name = "ADDRESS", value_parser = one_line)]
    pub sender: Option<String>,
    /// Resolver to ask; only capture and check --resolver ask a resolver
    #[arg(long, value_name = "ADDR:PORT")]
    pub resolver: SocketAddr,
    /// DKIM selector of the sender's domain; can be given more than once
    #[arg(long, value_name = "SELECTOR", value_parser = one_line)]
    pub selector: Vec<String>,
    /// Ask the DNS block lists of the receivers too
    #[arg(long)]
    pub lists: bool,
    /// Time to wait for each answer
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub timeout: Duration,
    /// Write the scenario to this file
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Matrix {
    /// Scenario, by name or as a file; can be given more than once [default: all built-in scenarios]
    #[arg(long, value_name = "NAME|FILE")]
    pub scenario: Vec<String>,
    /// Receiver, by name or as a file; can be given more than once [default: all built-in receivers]
    #[arg(long, value_name = "NAME|FILE")]
    pub receiver: Vec<String>,
    /// Output format; junit judges by the [[expect]] of the scenarios
    #[arg(long, value_enum, default_value_t = MatrixFormat::Human)]
    pub format: MatrixFormat,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Scenarios, by built-in name, as files, or as directories of files [default: all built-in scenarios]
    #[arg(value_name = "NAME|FILE|DIR")]
    pub scenarios: Vec<String>,
    /// Output format
    #[arg(long, value_enum, default_value_t = VerifyFormat::Human)]
    pub format: VerifyFormat,
}

#[derive(Debug, Args)]
pub(super) struct Send {
    /// Address of the SMTP server
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:1025")]
    pub smtp: SocketAddr,
    /// Client address: the source address where this machine has it, otherwise sent with XCLIENT
    #[arg(long, value_name = "IP")]
    pub client: Option<IpAddr>,
    /// HELO name: the argument of EHLO
    #[arg(long, value_name = "NAME", default_value = "localhost.localdomain", value_parser = one_line)]
    pub helo: String,
    /// Envelope sender, "" for the null sender
    #[arg(long, value_name = "ADDRESS", default_value = "sender@example.test", value_parser = one_line)]
    pub from: String,
    /// Envelope recipient; can be given more than once
    #[arg(long, value_name = "ADDRESS", default_value = "postmaster@contoso.test", value_parser = one_line)]
    pub to: Vec<String>,
    /// File with the message to send [default: a short test message]
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Text to send instead of the usual commands; can be given more than once. \r and \n are line ends; CRLF is
    /// added if the text does not end with \n
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["messages", "recipients", "file"], value_parser = unescaped)]
    pub say: Vec<String>,
    /// Send the first --say before the greeting; --client is then only the source address, never XCLIENT
    #[arg(long, requires = "say")]
    pub early: bool,
    /// Number of messages on the connection
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: u64,
    /// Number of RCPT commands for each recipient
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub recipients: u64,
    /// Number of other connections to hold open meanwhile
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub open: u64,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// What to list
    #[arg(value_enum)]
    pub what: Plural,
    /// Only receivers that give a reply with these words
    #[arg(long, value_name = "PATTERN")]
    pub reply: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Kind of thing to show
    #[arg(value_enum)]
    pub what: Singular,
    /// Name of the scenario, receiver, check or key; scenarios and receivers can be files, keys can be SECTION.KEY
    pub name: String,
}

#[derive(Debug, Args)]
pub(super) struct Journal {
    #[command(subcommand)]
    pub what: JournalCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum JournalCommand {
    /// Remove damaged records from FILE.mail, and keep a copy of FILE.mail as it was
    Repair(Repair),
}

#[derive(Debug, Args)]
pub(super) struct Repair {
    /// Journal, as given to serve --journal; no server may have it open
    #[arg(value_name = "FILE")]
    pub journal: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Lint {
    /// Scenario and receiver files, and directories with such files
    #[arg(required = true, value_name = "FILE|DIR")]
    pub files: Vec<PathBuf>,
    /// Treat warnings as mistakes (exit code 2)
    #[arg(long)]
    pub strict: bool,
}
