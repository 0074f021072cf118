//! One command line: it is parsed or refused, and the stored parts have no control characters.
#![no_main]

libfuzzer_sys::fuzz_target!(|line: &[u8]| martinet::fuzzing::command(line));
