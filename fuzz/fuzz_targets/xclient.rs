//! The argument of XCLIENT.
#![no_main]

libfuzzer_sys::fuzz_target!(|argument: &[u8]| martinet::fuzzing::xclient(argument));
