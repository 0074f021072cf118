//! Integration tests, in one binary: dialogues by RFC section, conduct, mistakes in files, the command line, every
//! scenario, foreign clients.

mod bad_input;
mod bad_keys;
mod behaviours;
mod capture;
mod capture_unbound;
mod classifier;
mod cli;
mod cli_expectations;
mod conduct;
mod containers;
mod counts;
mod dns;
mod docs;
mod domains;
mod embedding;
mod examples;
mod extensions;
mod find;
mod find_bounces;
#[cfg(unix)]
mod find_commands;
mod find_played;
mod foreign;
mod foreign_smtp;
mod http;
mod http_catalogue;
mod http_compatible;
mod http_events;
mod http_guard;
mod http_mime;
mod http_problems;
mod journal_file;
#[cfg(target_os = "linux")]
mod journal_full;
mod lint;
mod listeners;
mod matrix;
#[cfg(feature = "page")]
mod page;
mod pictures;
mod reasons;
mod recipients;
mod remedies;
mod rfc5321_dialogues;
mod robustness;
mod robustness_dialogues;
mod robustness_player;
#[cfg(target_os = "linux")]
mod robustness_process;
mod robustness_sockets;
mod rules_mechanics;
mod rules_once;
mod scenarios;
mod script;
mod sent;
#[path = "../skipped/mod.rs"]
mod skipped;
mod smtp_limits;
mod smtp_settings;
mod spf;
mod tracing;
mod verdicts;
mod waits;
mod what_if;
mod world;
mod worlds;
