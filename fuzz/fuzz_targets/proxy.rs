//! The first octets of a connection, as a PROXY header: the result does not depend on packet borders.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    if let Some((cut, header)) = octets.split_first() {
        martinet::fuzzing::proxy(header, usize::from(*cut));
    }
});
