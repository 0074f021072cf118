//! Any octets as zone text: no panic, and loaded records are the same after printing and loading them again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use martinet::dns::Zone;
use martinet::name::absolute;

fuzz_target!(|octets: &[u8]| {
    let origin = absolute("example.test").expect("a name");
    if let Ok(zone) = Zone::load(octets, &origin, 300) {
        let printed = zone.to_master();
        let again = Zone::load(printed.as_bytes(), &origin, 300);
        assert_eq!(again.map(|zone| zone.to_master()), Ok(printed));
    }
});
