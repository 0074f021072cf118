//! Integration tests, one binary: dialogues by RFC section, conduct, bad input, the command line, every scenario, foreign
//! clients.

mod bad_input;
mod cli;
mod conduct;
mod docs;
mod embedding;
mod examples;
mod extensions;
mod foreign;
mod foreign_smtp;
mod http;
mod http_compatible;
mod http_guard;
mod journal_file;
mod listeners;
mod matrix;
mod rfc5321_dialogues;
mod rules_mechanics;
mod scenarios;
mod script;
mod spf;
mod world;
