//! Any octets as zone text: no panic, and what is loaded is printed and read back as it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use martinet::dns::{Zone, read_master};
use martinet::name::absolute;

fuzz_target!(|octets: &[u8]| {
    let origin = absolute("example.test").expect("a name");
    let mut zone = Zone::empty(&origin);
    let _ = read_master(octets, &origin, 300, |row| zone.take(&row));
    let printed = zone.to_master();
    let mut again = Zone::empty(&origin);
    let read = read_master(printed.as_bytes(), &origin, 300, |row| again.take(&row));
    assert_eq!((read, again.to_master()), (Ok(()), printed));
});
