//! What Linux says of its interfaces: notices by a netlink socket, which are counted and not read, and the state itself.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

use crate::engine::network::Interfaces;

/// Messages taken at once. More may wait: the next one is reported again.
const MOST_AT_ONCE: usize = 1024;

/// Says that something about interfaces or their addresses has changed.
pub(super) struct Notices(OwnedFd);

impl Notices {
    /// Fails where a sandbox allows no such sockets.
    pub(super) fn open(registry: &Registry, token: Token) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let protocol = SockProtocol::NetlinkRoute;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
        let groups = libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups.cast_unsigned()))?;
        registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self(socket))
    }

    /// Makes room for more. That messages were cut short or lost means nothing: none is read.
    pub(super) fn drain(&self) {
        let mut start = [0; 16];
        for _ in 0..MOST_AT_ONCE {
            match recv(self.0.as_raw_fd(), &mut start, MsgFlags::MSG_DONTWAIT) {
                Ok(_) | Err(Errno::ENOBUFS | Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }
}

/// The addresses of interfaces that are up and have a carrier. Those that reach no further than their link are left out: every
/// interface has one, also those that only connect containers to a bridge.
pub(super) fn interfaces() -> io::Result<Interfaces> {
    let works = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING;
    let entries = getifaddrs()?.filter(|entry| entry.flags.contains(works));
    let known = entries.filter_map(|entry| ip(&entry).map(|ip| (entry.interface_name, ip)));
    Ok(known.collect())
}

fn ip(entry: &InterfaceAddress) -> Option<IpAddr> {
    let address = entry.address.as_ref()?;
    if let Some(address) = address.as_sockaddr_in() {
        return Some(address.ip().into());
    }
    let address = address.as_sockaddr_in6()?.ip();
    (!address.is_unicast_link_local()).then_some(address.into())
}
