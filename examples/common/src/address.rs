//! Addresses on a command line.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

/// `127.0.0.1:8080`, `[::1]:8080`, or a name such as `localhost:8080`: the first of its addresses that this machine has,
/// IPv4 before IPv6.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let hint = "write it as `127.0.0.1:PORT`, `[::1]:PORT` or `localhost:PORT`, or `0.0.0.0:PORT` for all interfaces";
    let resolved = text.to_socket_addrs();
    let mut addresses: Vec<SocketAddr> = resolved
        .map_err(|error| format!("`{text}` is no address ({error}); {hint}"))?
        .collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let is_ours = |address: &&SocketAddr| TcpListener::bind((address.ip(), 0)).is_ok();
    let ours = addresses.iter().find(is_ours).copied();
    ours.ok_or_else(|| format!("this machine has none of the addresses of `{text}` ({addresses:?}); {hint}"))
}
