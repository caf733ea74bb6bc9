//! What a server is to listen on.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::error::{Error, Result};
use crate::wire::url::Scheme;

/// The schemes that can be listened for.
const LISTENABLE: [Scheme; 4] = [Scheme::Rtmp, Scheme::Rtmps, Scheme::Rtmpt, Scheme::Rtmpts];

/// What [`Server::listen`](crate::Server::listen) is given, taken apart. A name is looked up on this thread.
pub(crate) fn listen_address(url: &str) -> Result<(Scheme, SocketAddr)> {
    let bad = |why: &str| {
        Error::InvalidArgument(format!(
            "listen address {url:?}: {why}; use host:port, or rtmp, rtmps, rtmpt or rtmpts in front of ://host:port"
        ))
    };
    let (scheme, authority) = match url.split_once("://") {
        Some((name, rest)) => {
            let scheme = LISTENABLE.into_iter().find(|scheme| scheme.as_str() == name);
            (
                scheme.ok_or_else(|| bad("one cannot listen for this scheme"))?,
                rest.trim_end_matches('/'),
            )
        }
        None => (Scheme::Rtmp, url),
    };
    if authority.is_empty() {
        return Err(bad("it names neither host nor port"));
    }
    if authority.contains('/') {
        return Err(bad("applications have no part in it"));
    }
    // The last colon is the port's, unless it is within the brackets of an IPv6 address.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            let port = port
                .parse()
                .map_err(|_| bad("the port is not a number from 0 to 65535"))?;
            (host, port)
        }
        _ => (authority, scheme.default_port()),
    };
    if host.is_empty() {
        return Ok((scheme, SocketAddr::new(IpAddr::from([0; 16]), port)));
    }
    if host.contains(':') && !host.starts_with('[') {
        return Err(bad("an IPv6 address goes in brackets"));
    }
    let looked_up = (host.trim_start_matches('[').trim_end_matches(']'), port).to_socket_addrs();
    let mut found = looked_up.map_err(|error| Error::io(format!("look up {host} to listen on"), error))?;
    let none = || Error::io(format!("look up {host} to listen on"), ErrorKind::NotFound.into());
    Ok((scheme, found.next().ok_or_else(none)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> (Scheme, String) {
        let (scheme, address) = listen_address(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        (scheme, address.to_string())
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        for (url, scheme, address) in [
            ("rtmp://127.0.0.1:7", Scheme::Rtmp, "127.0.0.1:7"),
            ("rtmp://127.0.0.1/", Scheme::Rtmp, "127.0.0.1:1935"),
            ("127.0.0.1", Scheme::Rtmp, "127.0.0.1:1935"),
            (":0", Scheme::Rtmp, "[::]:0"),
            ("rtmps://127.0.0.1", Scheme::Rtmps, "127.0.0.1:443"),
            ("rtmpt://[::1]", Scheme::Rtmpt, "[::1]:80"),
            ("[::1]:9", Scheme::Rtmp, "[::1]:9"),
        ] {
            assert_eq!(read(url), (scheme, address.to_owned()), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_listened_on_is_told_with_the_reason() {
        for (url, why) in [
            ("", "neither host nor port"),
            ("rtmp://", "neither host nor port"),
            ("http://127.0.0.1", "cannot listen for this scheme"),
            ("127.0.0.1:99999", "the port is not a number from 0 to 65535"),
            ("127.0.0.1:", "the port is not a number from 0 to 65535"),
            ("rtmp://127.0.0.1:1935/live", "applications have no part in it"),
            ("fe80::1:1935", "an IPv6 address goes in brackets"),
        ] {
            let error = listen_address(url).expect_err(url);
            assert!(matches!(error, Error::InvalidArgument(_)), "{url}: {error:?}");
            assert!(error.to_string().contains(why), "{url}: {error}");
        }
    }

    #[test]
    fn a_name_that_nobody_knows_is_the_systems_to_refuse() {
        let error = listen_address("rtmp://nobody.invalid:1935").expect_err("reserved by RFC 6761");
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        assert!(error.to_string().contains("look up nobody.invalid"), "{error}");
    }
}
