//! Any octets as a DNS request: no panic, no amplification, and hickory-proto can parse the response.

#![no_main]

use std::sync::LazyLock;

use hickory_proto::op::Message;
use libfuzzer_sys::fuzz_target;
use martinet::dns::{Transport, Zones, respond};

static ZONES: LazyLock<Zones> = LazyLock::new(|| {
    let scenario = martinet::scenario::load_scenario("office365-pool").expect("a built-in scenario");
    scenario.zones([127, 0, 0, 1].into())
});

fuzz_target!(|octets: &[u8]| {
    for transport in [Transport::Udp, Transport::Tcp] {
        let response = respond(&ZONES, octets, transport);
        let real = matches!(response.rcode, 0 | 3);
        assert!(real || response.octets.len() <= octets.len(), "a refusal longer than the request");
        assert!(response.octets.is_empty() || Message::from_vec(&response.octets).is_ok(), "an unreadable answer");
    }
});
