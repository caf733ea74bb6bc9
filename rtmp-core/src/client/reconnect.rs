//! Requests of a server to reconnect elsewhere (E-RTMP v2 "Reconnect Request"), and refusals that say where: which are followed,
//! and to where.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::amf::{Object, Value};
use crate::client::{ConnectionCore, NetConnection};
use crate::engine::{ClientCommand, Route, TunnelStart};
use crate::error::{Error, Result};
use crate::session::ClientSessionConfig;
use crate::wire::status::{Code, Status};
use crate::wire::url::{RtmpUrl, Scheme, resolve as resolve_reference};

/// What is done when the server asks to reconnect, or refuses the connection and says where to connect instead
/// (`ex.redirect` of NetConnection.Connect.Rejected, as Flash Media Server does).
///
/// A refusal that is followed is not told: the connection is made there, with all that was asked of it so far, and
/// [`NetConnection::uri`] says where it is. One that is not, or that leads to nothing, is told as any other. It counts as a
/// request.
///
/// Following opens a second connection while the first goes on. Once it is accepted, commands go to it and every stream
/// is opened there again with its last publish or play. A player gets frames of the old connection until the first video
/// keyframe of the new one (the first audio if the stream has shown no video), a publisher's messages go there from its
/// next keyframe on (audio alone: the next message), after its metadata and sequence headers. Timestamps are left alone.
/// Then the old connection is closed without a word. Should the new one fail, NetConnection.Connect.ReconnectFailed, a
/// warning, says why and the old one stays.
///
/// Whatever is chosen here, a target that protects less than the present connection is never followed, and arguments and
/// additional properties of `connect`, user and password are not told to another host. Names of streams,
/// keys in their queries included, are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reconnect {
    /// It is reported and the connection stays, or is refused; the host may call [`NetConnection::reconnect_to`]. The default, because
    /// the server chooses the target.
    #[default]
    Report,
    /// It is followed; a request is reported.
    Follow {
        /// How many requests in a row are followed; a connection that stood for a minute begins a new row.
        max_hops: u32,
        /// Follow to any host, not only to the one connected to (on whichever port).
        other_hosts: bool,
    },
}

impl Reconnect {
    /// Follows to the same host, five times in a row.
    pub const FOLLOW: Self = Self::Follow {
        max_hops: 5,
        other_hosts: false,
    };
}

impl NetConnection {
    /// Where to connect instead, when `status` is the server's request to reconnect (NetConnection.Connect.ReconnectRequest,
    /// E-RTMP v2 "Reconnect Request"); `None` for any other status. A relative URL is resolved against the one connected
    /// to, and without one it is that. An error if the target is no RTMP URL or protects less than the present
    /// connection does.
    pub fn reconnect_target(&self, status: &Status) -> Result<Option<String>> {
        target(&self.uri(), status)
    }

    /// Moves to another server as [`Reconnect::Follow`] does, to the URL that [`reconnect_target`](Self::reconnect_target)
    /// gave or any other, however often. What becomes of it comes as a status: NetConnection.Connect.Success of the new
    /// connection, or .ReconnectFailed. Nothing happens while the connection is not accepted or moves already.
    pub fn reconnect_to(&self, url: &str) -> Result<()> {
        let target = redirected(&self.uri(), url)?;
        self.core().send(ClientCommand::Reconnect(target))
    }
}

/// Where a request to reconnect leads to; `None` if it is none.
pub(crate) fn target(current: &str, status: &Status) -> Result<Option<String>> {
    if !status.is(Code::ConnectReconnectRequest) {
        return Ok(None);
    }
    let reference = status.info.get("tcUrl").and_then(Value::as_str);
    redirected(current, reference.unwrap_or_default()).map(Some)
}

/// Whether a target may be followed after so many before it.
pub(crate) fn permit(policy: Reconnect, current: &str, target: &str, hops: u32) -> Result<()> {
    let Reconnect::Follow {
        max_hops,
        other_hosts,
    } = policy
    else {
        return Err(Error::WrongState("requests are only reported".to_owned()));
    };
    if hops >= max_hops {
        let text = format!("a request to reconnect is not followed after {hops} others in a row");
        return Err(Error::InvalidArgument(text));
    }
    let (from, to) = (RtmpUrl::parse(current)?, RtmpUrl::parse(target)?);
    if !other_hosts && !is_same_host(&from, &to) {
        let text = format!("{}: to be sent to another host needs `other_hosts`", to.host);
        return Err(Error::InvalidArgument(text));
    }
    Ok(())
}

/// The settings of a connection as they are for another target.
pub(crate) fn readdressed(before: &ClientSessionConfig, target: &RtmpUrl) -> Result<ClientSessionConfig> {
    let mut session = before.clone();
    session.app.clone_from(&target.app);
    session.tc_url = target.tc_url();
    #[cfg(feature = "rtmpe")]
    {
        session.encrypted = target.scheme.is_encrypted();
    }
    if !is_same_host(&RtmpUrl::parse(&before.tc_url)?, target) {
        session.connect_args = Vec::new();
        session.properties = Object::new();
        session.credentials = None;
    }
    Ok(session)
}

/// The URL of a server, its whole path being the application; an error if this build does not speak its scheme.
pub(crate) fn parse_server(url: &str) -> Result<RtmpUrl> {
    let parsed = RtmpUrl::parse(url)?.with_app_segments(usize::MAX);
    if parsed.scheme.is_encrypted() && !cfg!(feature = "rtmpe") {
        let text = format!("{}: this build was made without the feature rtmpe", parsed.scheme);
        return Err(Error::InvalidArgument(text));
    }
    Ok(parsed)
}

impl ConnectionCore {
    /// Looks up the way to a server on a thread that may block.
    pub(crate) fn look_up(
        self: &Arc<Self>,
        url: RtmpUrl,
        then: impl FnOnce(&Arc<Self>, Result<Route>) + Send + 'static,
    ) -> Result<()> {
        let core = Arc::clone(self);
        self.engine.run_blocking(move || then(&core, core.route(&url)))
    }

    fn route(&self, url: &RtmpUrl) -> Result<Route> {
        let tls = url
            .scheme
            .is_tls()
            .then(|| self.tls.start(&self.config.tls_trust, &url.host));
        let addresses = addresses(url)?;
        let tunnel = url.scheme.is_tunnelled().then(|| TunnelStart {
            host: url.authority(),
            addresses: addresses.clone(),
        });
        Ok(Route {
            addresses,
            tls: tls.transpose()?,
            tunnel,
        })
    }
}

fn addresses(url: &RtmpUrl) -> Result<Vec<SocketAddr>> {
    let what = || format!("look up {}", url.host);
    let found = (url.host.as_str(), url.port)
        .to_socket_addrs()
        .map_err(|error| Error::io(what(), error))?;
    Ok(found.collect())
}

/// Resolves where a server wants its client to connect instead; an error if it protects less than the present URL.
pub(crate) fn redirected(current: &str, reference: &str) -> Result<String> {
    let target = resolve_reference(current, reference);
    let (from, to) = (RtmpUrl::parse(current)?.scheme, RtmpUrl::parse(&target)?.scheme);
    if protection(to) < protection(from) {
        let text = format!("the server asks to reconnect by {to}, which protects less than {from}");
        return Err(Error::InvalidArgument(text));
    }
    Ok(target)
}

/// How well a scheme keeps others from listening.
const fn protection(scheme: Scheme) -> u8 {
    match scheme {
        scheme if scheme.is_tls() => 2,
        scheme if scheme.is_encrypted() => 1,
        _ => 0,
    }
}

fn is_same_host(one: &RtmpUrl, other: &RtmpUrl) -> bool {
    one.host.eq_ignore_ascii_case(&other.host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_to_reconnect_never_lower_the_protection() {
        let secure = "rtmps://host/live";
        assert_eq!(redirected(secure, "//other/live").unwrap(), "rtmps://other/live");
        assert!(redirected(secure, "rtmp://other/live").is_err());
        assert!(redirected(secure, "rtmpe://other/live").is_err());
        assert!(redirected("rtmpe://host/live", "rtmpt://other/live").is_err());
        assert_eq!(redirected("rtmp://host/live", secure).unwrap(), secure);
    }

    #[test]
    fn other_hosts_and_long_rows_need_consent() {
        let here = "rtmp://host/live";
        assert!(permit(Reconnect::Report, here, here, 0).is_err());
        assert!(permit(Reconnect::FOLLOW, here, "rtmp://HOST:1936/other", 4).is_ok());
        assert!(permit(Reconnect::FOLLOW, here, here, 5).is_err());
        assert!(permit(Reconnect::FOLLOW, here, "rtmp://other/live", 0).is_err());
        let anywhere = Reconnect::Follow {
            max_hops: 1,
            other_hosts: true,
        };
        assert!(permit(anywhere, here, "rtmp://other/live", 0).is_ok());
    }

    #[test]
    fn another_host_is_told_no_arguments_of_connect() {
        let mut before = ClientSessionConfig::new("live", "rtmp://host/live");
        before.connect_args = vec![Value::from("secret")];
        before.properties.insert("token", "secret");
        let same = parse_server("rtmp://host:1936/other").unwrap();
        let session = readdressed(&before, &same).unwrap();
        assert_eq!(
            (&*session.app, &*session.tc_url),
            ("other", "rtmp://host:1936/other")
        );
        assert_eq!((session.connect_args.len(), session.properties.len()), (1, 1));
        let other = parse_server("rtmp://other/live").unwrap();
        let session = readdressed(&before, &other).unwrap();
        assert_eq!((session.connect_args.len(), session.properties.len()), (0, 0));
    }
}
