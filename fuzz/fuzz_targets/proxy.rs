//! The first octets of a connection, as a PROXY header: however they are cut, they are the same header, or none.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    if let Some((cut, header)) = octets.split_first() {
        martinet::fuzzing::proxy(header, usize::from(*cut));
    }
});
