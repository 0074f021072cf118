//! The addresses and routes of the sealed network, set with rtnetlink.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags};
use rtnetlink::packet_route::route::{RouteScope, RouteType};
use rtnetlink::{Handle, LinkUnspec, RouteMessageBuilder};

use super::Layout;
use crate::error::Error;

/// The index of the loopback device, which is the first device of every network.
const LOOPBACK: u32 = 1;
/// The routing table for local addresses.
const LOCAL: u32 = 255;

/// Brings the loopback device up and makes the addresses of a layout local.
///
/// # Errors
/// The kernel refuses, for example because a security module restricts the rights of user namespaces.
pub(crate) async fn set_up(layout: &Layout) -> Result<(), Error> {
    let (connection, handle, _) =
        rtnetlink::new_connection().map_err(|e| Error::io("cannot open a netlink socket", e))?;
    let connection = tokio::spawn(connection);
    let result = addresses(&handle, layout).await;
    connection.abort();
    result
}

async fn addresses(handle: &Handle, layout: &Layout) -> Result<(), Error> {
    let up = LinkUnspec::new_with_index(LOOPBACK).up().build();
    let set = handle.link().set(up).execute().await;
    set.map_err(|e| refused("bring the loopback device up", &e))?;
    // IPv6 requires that a device has the address, and a route alone does not give it one. A machine without IPv6 has
    // no such file.
    switch("net/ipv6/ip_nonlocal_bind", "1", true)?;
    // The command keeps its user, so an MTA that is no longer root must be able to listen on low ports.
    switch("net/ipv4/ip_unprivileged_port_start", "0", false)?;
    for net in &layout.clients {
        route(handle, *net, None, false).await?;
    }
    for source in &layout.sources {
        if source.is_loopback() {
            continue;
        }
        add_address(handle, *source).await?;
    }
    let exchanges = layout.exchanges.iter().chain(&layout.dead);
    for exchange in exchanges.filter(|e| !e.is_loopback()) {
        let source = layout
            .sources
            .iter()
            .find(|source| source.is_ipv4() == exchange.is_ipv4());
        route(handle, host(*exchange), source.copied(), false).await?;
    }
    Ok(())
}

/// Adds an address to the loopback device.
pub(super) async fn add_address(handle: &Handle, address: IpAddr) -> Result<(), Error> {
    let prefix = host(address).prefix_len();
    let mut add = handle.address().add(LOOPBACK, address, prefix);
    // Without this flag an IPv6 address is tentative at first, and routes cannot use it.
    let flags = AddressAttribute::Flags(AddressFlags::Nodad);
    add.message_mut().attributes.push(flags);
    let added = add.execute().await;
    added.map_err(|e| refused(&format!("add the address {address}"), &e))
}

/// Changes the source address of later connections to an exchange.
pub(super) async fn replace_route(
    handle: &Handle,
    exchange: IpAddr,
    source: IpAddr,
) -> Result<(), Error> {
    route(handle, host(exchange), Some(source), true).await
}

/// Makes a network local. Connections to it have the address `source` unless the program binds another one.
async fn route(
    handle: &Handle,
    net: IpNet,
    source: Option<IpAddr>,
    replace: bool,
) -> Result<(), Error> {
    let failed = |e: &dyn std::fmt::Display| Error::other(format!("cannot route {net}: {e}"));
    let mut route = RouteMessageBuilder::<IpAddr>::new()
        .destination_prefix(net.network(), net.prefix_len())
        .map_err(|e| failed(&e))?;
    if let Some(source) = source.filter(|source| !source.is_loopback()) {
        route = route.pref_source(source).map_err(|e| failed(&e))?;
    }
    let route = route
        .output_interface(LOOPBACK)
        .table_id(LOCAL)
        .kind(RouteType::Local)
        .scope(RouteScope::Host)
        .build();
    let mut add = handle.route().add(route);
    if replace {
        add = add.replace();
    }
    let added = add.execute().await;
    added.map_err(|e| refused(&format!("make {net} local"), &e))
}

fn host(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

fn refused(what: &str, error: &rtnetlink::Error) -> Error {
    let source = match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other.to_string()),
    };
    Error::io(format!("cannot {what}"), source)
}

fn switch(name: &str, value: &str, optional: bool) -> Result<(), Error> {
    let path = Path::new("/proc/sys").join(name);
    match std::fs::write(&path, value) {
        Err(e) if optional && e.kind() == io::ErrorKind::NotFound => Ok(()),
        written => written.map_err(|e| Error::io(format!("cannot set {}", path.display()), e)),
    }
}
