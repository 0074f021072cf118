//! One command line: it is parsed or refused, and what is kept of it holds no control characters.
#![no_main]

libfuzzer_sys::fuzz_target!(|line: &[u8]| martinet::fuzzing::command(line));
