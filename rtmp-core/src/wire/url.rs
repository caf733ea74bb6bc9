//! RTMP URLs: `scheme://[user[:password]@]host[:port]/app[/instance]/stream[?query]`.
//!
//! No specification says where the application ends and the stream begins; tools disagree. Here the stream is what
//! follows the last `/`, unless a segment begins with a type prefix (`mp4:`, `mp3:`, `flv:`, ...): then the stream
//! begins there. A query before the last `/` belongs to the application, one after it to the stream.

mod reference;
mod shown;

use std::fmt;
use std::net::Ipv6Addr;

pub use reference::resolve;
pub use shown::{Query, masked};

/// Prefixes that begin a stream name, whatever follows them.
const PREFIXES: [&str; 6] = ["mp4:", "mp3:", "flv:", "f4v:", "id3:", "raw:"];

/// The transport a URL asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// RTMP over TCP.
    Rtmp,
    /// RTMP over TLS.
    Rtmps,
    /// RTMP tunnelled in HTTP.
    Rtmpt,
    /// RTMP tunnelled in HTTPS.
    Rtmpts,
    /// RTMP with Adobe's encryption.
    Rtmpe,
    /// RTMP with Adobe's encryption, tunnelled in HTTP.
    Rtmpte,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 6] = [
        Self::Rtmp,
        Self::Rtmps,
        Self::Rtmpt,
        Self::Rtmpts,
        Self::Rtmpe,
        Self::Rtmpte,
    ];

    /// The scheme's name in lower case, without `://`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Rtmps => "rtmps",
            Self::Rtmpt => "rtmpt",
            Self::Rtmpts => "rtmpts",
            Self::Rtmpe => "rtmpe",
            Self::Rtmpte => "rtmpte",
        }
    }

    /// The port a URL without one means.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Rtmp | Self::Rtmpe => 1935,
            Self::Rtmpt | Self::Rtmpte => 80,
            Self::Rtmps | Self::Rtmpts => 443,
        }
    }

    /// Whether the connection runs over TLS.
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Rtmps | Self::Rtmpts)
    }

    /// Whether the connection is tunnelled in HTTP requests.
    pub const fn is_tunnelled(self) -> bool {
        matches!(self, Self::Rtmpt | Self::Rtmpts | Self::Rtmpte)
    }

    /// Whether the connection uses Adobe's encryption (RTMPE).
    pub const fn is_encrypted(self) -> bool {
        matches!(self, Self::Rtmpe | Self::Rtmpte)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is not an RTMP URL. The messages never repeat credentials, paths or queries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// There is no `://`.
    #[error("URL has no scheme: begin it with rtmp://")]
    NoScheme,
    /// The scheme is not one of [`Scheme::ALL`].
    #[error("URL scheme {0:?} is not one of rtmp, rtmps, rtmpt, rtmpts, rtmpe, rtmpte")]
    UnknownScheme(String),
    /// The host is missing or not a host name, IPv4 address or bracketed IPv6 address.
    #[error("URL host {0:?} is neither a name, an IPv4 address nor an IPv6 address in brackets")]
    InvalidHost(String),
    /// The port is not a number from 1 to 65535.
    #[error("URL port {0:?} is not a number from 1 to 65535")]
    InvalidPort(String),
    /// What stands before the first `/` is no host, and an `@` comes after it.
    #[error("URL has no host where one belongs: percent-encode /, ? and # in user and password")]
    Unclear,
    /// The URL contains a control character.
    #[error("URL has a control character at byte {0}: remove or percent-encode it")]
    ControlCharacter(usize),
}

/// A parsed RTMP URL. Names are kept as written, without percent-decoding; user and password are decoded.
///
/// `Debug` hides the password and all queries, which often carry keys; `Display` writes the whole URL.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RtmpUrl {
    /// The transport.
    pub scheme: Scheme,
    /// The host, without the brackets of an IPv6 address.
    pub host: String,
    /// The port given, or the scheme's default.
    pub port: u16,
    /// Application, instance and their query, as sent in `connect`. May be empty.
    pub app: String,
    /// Stream name with prefix and query. Empty when the URL names an application only.
    pub stream_name: String,
    /// The user name before `@`.
    pub user: Option<String>,
    /// The password before `@`.
    pub password: Option<String>,
}

impl RtmpUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// See [`UrlError`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if let Some(at) = text.bytes().position(|byte| byte.is_ascii_control()) {
            return Err(UrlError::ControlCharacter(at));
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::NoScheme)?;
        let scheme = parse_scheme(scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (user_info, host_port) = match authority.rsplit_once('@') {
            Some((user_info, host_port)) => (Some(user_info), host_port),
            None => (None, authority),
        };
        // Behind a slash in a password what looks like host and port is the beginning of it.
        let unclear = user_info.is_none() && rest.contains('@');
        let (host, port) = parse_host_port(host_port, scheme)
            .map_err(|error| if unclear { UrlError::Unclear } else { error })?;
        let (user, password) = match user_info.map(|info| info.split_once(':').unwrap_or((info, ""))) {
            Some((user, password)) => (
                Some(percent_decode(user)),
                Some(percent_decode(password)).filter(|text| !text.is_empty()),
            ),
            None => (None, None),
        };
        let (app, stream_name) = split_path(path.strip_prefix('/').unwrap_or(path));
        let (app, stream_name) = (app.to_owned(), stream_name.to_owned());
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port,
            app,
            stream_name,
            user,
            password,
        })
    }

    /// The same URL with the path cut after `segments` segments: those are the application, the rest is the stream.
    /// For servers whose stream names contain `/`.
    #[must_use]
    pub fn with_app_segments(mut self, segments: usize) -> Self {
        let path = self.path();
        let cut = path
            .match_indices('/')
            .nth(segments.saturating_sub(1))
            .map(|(at, _)| at);
        let (app, stream_name) = match cut.and_then(|at| path.split_at_checked(at)) {
            Some((app, stream)) => (app.to_owned(), stream.trim_start_matches('/').to_owned()),
            None => (path, String::new()),
        };
        self.app = app;
        self.stream_name = stream_name;
        self
    }

    /// The `tcUrl` to send in `connect`: no credentials, no stream, no fragment, the port only when unusual.
    pub fn tc_url(&self) -> String {
        let app = self.app.split('#').next().unwrap_or_default();
        format!("{}://{}/{app}", self.scheme, Authority(self))
    }

    /// The URL as it may be shown: with `***` for the password and for everything behind the first `?`.
    pub fn masked(&self) -> String {
        masked(&self.to_string())
    }

    /// The URL of the application, to connect to: as [`tc_url`](Self::tc_url), with user and password.
    pub fn connection_url(&self) -> String {
        let server = Self {
            app: String::new(),
            stream_name: String::new(),
            ..self.clone()
        };
        format!("{server}{}", self.app.split('#').next().unwrap_or_default())
    }

    /// Host, and port unless it is the scheme's default: `[::1]:8080`.
    pub fn authority(&self) -> String {
        Authority(self).to_string()
    }

    /// The application's name: the first segment of [`app`](Self::app), without a query.
    pub fn application(&self) -> &str {
        split_app(&self.app).0
    }

    /// The application instance: what follows the first segment of [`app`](Self::app), without a query.
    pub fn instance(&self) -> Option<&str> {
        split_app(&self.app).1
    }

    fn path(&self) -> String {
        if self.stream_name.is_empty() {
            self.app.clone()
        } else {
            format!("{}/{}", self.app, self.stream_name)
        }
    }
}

/// Splits `app` of a `connect` command into application and instance, dropping a query and needless slashes.
pub fn split_app(app: &str) -> (&str, Option<&str>) {
    let path = split_query(app).0.trim_matches('/');
    match path.split_once('/') {
        Some((name, instance)) => (
            name,
            Some(instance.trim_matches('/')).filter(|text| !text.is_empty()),
        ),
        None => (path, None),
    }
}

/// Splits a stream or application name from its query, which is returned without the `?`.
pub fn split_query(name: &str) -> (&str, Option<&str>) {
    match name.split_once('?') {
        Some((name, query)) => (name, Some(query)),
        None => (name, None),
    }
}

impl std::str::FromStr for RtmpUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl fmt::Display for RtmpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some(user) = &self.user {
            percent_encode(user, f)?;
            if let Some(password) = &self.password {
                f.write_str(":")?;
                percent_encode(password, f)?;
            }
            f.write_str("@")?;
        }
        let path = self.path();
        write!(f, "{}/{path}", Authority(self))?;
        // Without the slash the end of an application of several segments would read as the stream.
        if self.stream_name.is_empty() && split_path(&path) != (&path, "") {
            f.write_str("/")?;
        }
        Ok(())
    }
}

impl fmt::Debug for RtmpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Behind a query this may be the rest of it.
        let stream_name = match self.app.contains('?') {
            true => "***".to_owned(),
            false => masked(&self.stream_name),
        };
        f.debug_struct("RtmpUrl")
            .field("scheme", &self.scheme)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("app", &masked(&self.app))
            .field("stream_name", &stream_name)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .finish()
    }
}

/// Host and, when it is not the scheme's default, port.
struct Authority<'a>(&'a RtmpUrl);

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RtmpUrl {
            scheme, host, port, ..
        } = self.0;
        if host.contains(':') {
            write!(f, "[{host}]")?;
        } else {
            f.write_str(host)?;
        }
        if *port != scheme.default_port() {
            write!(f, ":{port}")?;
        }
        Ok(())
    }
}

fn parse_scheme(text: &str) -> Result<Scheme, UrlError> {
    let found = Scheme::ALL
        .into_iter()
        .find(|scheme| scheme.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| UrlError::UnknownScheme(text.chars().take(32).collect()))
}

fn parse_host_port(text: &str, scheme: Scheme) -> Result<(&str, u16), UrlError> {
    let bad_host = || UrlError::InvalidHost(text.chars().take(256).collect());
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(bad_host)?;
        let address = host.split('%').next().unwrap_or_default();
        address.parse::<Ipv6Addr>().map_err(|_| bad_host())?;
        match after.strip_prefix(':') {
            None if !after.is_empty() => return Err(bad_host()),
            port => (host, port),
        }
    } else {
        let (host, port) = text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port)));
        if host.is_empty() || host.contains([' ', '[', ']', '\\', '"', '<', '>', '^', '|']) {
            return Err(bad_host());
        }
        (host, port)
    };
    let port = match port {
        None | Some("") => scheme.default_port(),
        Some(digits) => digits
            .parse()
            .ok()
            .filter(|port| *port > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or_else(|| UrlError::InvalidPort(digits.chars().take(32).collect()))?,
    };
    Ok((host, port))
}

/// Splits a path without its leading slash into application and stream.
fn split_path(path: &str) -> (&str, &str) {
    let starts = std::iter::once(0).chain(path.match_indices('/').map(|(at, _)| at + 1));
    let prefixed = |at: &usize| {
        path.get(*at..)
            .is_some_and(|rest| PREFIXES.iter().any(|p| rest.starts_with(p)))
    };
    let start = starts
        .into_iter()
        .find(prefixed)
        .or_else(|| path.rfind('/').map(|at| at + 1));
    match start.and_then(|at| path.split_at_checked(at)) {
        Some((app, stream)) => (app.trim_end_matches('/'), stream),
        None => (path, ""),
    }
}

/// Percent-decoded; a `+` stays one.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (*first, digit(0), digit(1)) {
            bytes.push((high * 16 + low) as u8);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn percent_encode(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte) {
            write!(f, "{}", char::from(byte))?;
        } else {
            write!(f, "%{byte:02X}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, String) {
        let url = RtmpUrl::parse(text).unwrap();
        (url.app, url.stream_name)
    }

    fn split(text: &str) -> (String, String) {
        parts(&format!("rtmp://h/{text}"))
    }

    fn pair(app: &str, stream: &str) -> (String, String) {
        (app.to_owned(), stream.to_owned())
    }

    #[test]
    fn every_scheme_has_its_default_port() {
        let ports: Vec<u16> = ["rtmp", "rtmps", "rtmpt", "rtmpts", "rtmpe", "RTMPTE"]
            .iter()
            .map(|scheme| RtmpUrl::parse(&format!("{scheme}://host/a/s")).unwrap().port)
            .collect();
        assert_eq!(ports, [1935, 443, 80, 443, 1935, 80]);
    }

    #[test]
    fn the_stream_follows_the_last_slash() {
        assert_eq!(split("live/test"), pair("live", "test"));
        assert_eq!(split("a/b/c/d"), pair("a/b/c", "d"));
        assert_eq!(split("live"), pair("live", ""));
        assert_eq!(split("live/"), pair("live", ""));
        assert_eq!(split(""), pair("", ""));
        assert_eq!(parts("rtmp://h"), pair("", ""));
    }

    #[test]
    fn a_type_prefix_begins_the_stream() {
        assert_eq!(split("vod/mp4:dir/film.mp4"), pair("vod", "mp4:dir/film.mp4"));
        assert_eq!(split("vod/inst/mp3:a/b"), pair("vod/inst", "mp3:a/b"));
        assert_eq!(split("vod/flv:a/b?x=1"), pair("vod", "flv:a/b?x=1"));
        assert_eq!(split("vod/dir/xmp4:b"), pair("vod/dir", "xmp4:b"));
    }

    #[test]
    fn a_query_belongs_to_the_part_it_stands_in() {
        assert_eq!(split("live/test?key=1"), pair("live", "test?key=1"));
        assert_eq!(split("live?key=1/test"), pair("live?key=1", "test"));
        assert_eq!(split("live?key=1"), pair("live?key=1", ""));
    }

    #[test]
    fn app_segments_move_the_cut() {
        let url = RtmpUrl::parse("rtmp://h/a/b/c/d?x").unwrap();
        assert_eq!((url.application(), url.instance()), ("a", Some("b/c")));
        let one = url.clone().with_app_segments(1);
        assert_eq!((one.app.as_str(), one.stream_name.as_str()), ("a", "b/c/d?x"));
        let many = url.with_app_segments(9);
        assert_eq!((many.app.as_str(), many.stream_name.as_str()), ("a/b/c/d?x", ""));
    }

    #[test]
    fn application_and_instance_are_split_without_the_query() {
        assert_eq!(split_app("live"), ("live", None));
        assert_eq!(split_app("live/_definst_?k=v"), ("live", Some("_definst_")));
        assert_eq!(split_app("/live/"), ("live", None));
        assert_eq!(split_query("test?a=1?b"), ("test", Some("a=1?b")));
    }

    #[test]
    fn an_application_of_several_segments_without_a_stream_is_written_with_a_slash() {
        for text in ["rtmp://h/live/inst/", "rtmp://h//live/", "rtmp://h/live"] {
            let url = RtmpUrl::parse(text).unwrap();
            assert_eq!((url.to_string().as_str(), url.stream_name.as_str()), (text, ""));
        }
    }

    #[test]
    fn ipv6_hosts_are_bracketed() {
        let url = RtmpUrl::parse("rtmp://[::1]:1936/live/test").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 1936));
        assert_eq!(url.to_string(), "rtmp://[::1]:1936/live/test");
        assert_eq!(url.tc_url(), "rtmp://[::1]:1936/live");
        assert_eq!(
            RtmpUrl::parse("rtmp://[fe80::1%eth0]/a/b").unwrap().host,
            "fe80::1%eth0"
        );
    }

    #[test]
    fn tc_url_has_neither_credentials_nor_stream_nor_the_default_port() {
        let url = RtmpUrl::parse("rtmp://me:p%40ss@example.org:1935/live/inst/key?token=1").unwrap();
        assert_eq!(url.tc_url(), "rtmp://example.org/live/inst");
        assert_eq!(
            (url.user.as_deref(), url.password.as_deref()),
            (Some("me"), Some("p@ss"))
        );
        assert_eq!(
            url.to_string(),
            "rtmp://me:p%40ss@example.org/live/inst/key?token=1"
        );
        assert_eq!(
            RtmpUrl::parse("rtmps://h:443/a/s").unwrap().tc_url(),
            "rtmps://h/a"
        );
        assert_eq!(
            RtmpUrl::parse("rtmps://h:1935/a/s").unwrap().tc_url(),
            "rtmps://h:1935/a"
        );
    }

    #[test]
    fn debug_hides_password_and_queries() {
        let url = RtmpUrl::parse("rtmp://me:secret@h/live?k=secret/sec?token=secret").unwrap();
        let text = format!("{url:?}");
        assert!(!text.contains("sec") && text.contains("live?***"), "{text}");
        let url = RtmpUrl::parse("rtmp://me:secret@h/live/key?token=secret").unwrap();
        assert_eq!(url.masked(), "rtmp://me:***@h/live/key?***");
        assert!(format!("{url:?}").contains("key?***"), "{url:?}");
    }

    #[test]
    fn errors_do_not_repeat_a_password_that_is_not_encoded() {
        for text in [
            "rtmp://me:sec/ret@h/live",
            "rtmp://me:sec?ret@h/live",
            "rtmp://me[:sec/ret@h/live",
        ] {
            let error = RtmpUrl::parse(text).unwrap_err();
            assert_eq!(error, UrlError::Unclear);
            assert!(!error.to_string().contains("sec"), "{error}");
        }
    }

    #[test]
    fn malformed_urls_are_refused() {
        let error = |text: &str| RtmpUrl::parse(text).unwrap_err();
        assert_eq!(error("live/test"), UrlError::NoScheme);
        assert_eq!(error("http://h/a"), UrlError::UnknownScheme("http".to_owned()));
        assert_eq!(error("rtmp:///a/b"), UrlError::InvalidHost(String::new()));
        assert_eq!(error("rtmp://[::g]/a"), UrlError::InvalidHost("[::g]".to_owned()));
        assert_eq!(
            error("rtmp://[::1]x/a"),
            UrlError::InvalidHost("[::1]x".to_owned())
        );
        for port in ["0", "65536", "+80", "x"] {
            assert_eq!(
                error(&format!("rtmp://h:{port}/a")),
                UrlError::InvalidPort(port.to_owned())
            );
        }
        assert_eq!(error("rtmp://h/a\0b"), UrlError::ControlCharacter(10));
        assert_eq!(error("rtmp://h/a\r\nb"), UrlError::ControlCharacter(10));
    }

    #[test]
    fn a_connection_keeps_user_and_password() {
        for (url, expected) in [
            (
                "rtmp://me:p%40ss@host:1936/live/room?k=1/cam",
                "rtmp://me:p%40ss@host:1936/live/room?k=1",
            ),
            ("rtmps://host/live/cam", "rtmps://host/live"),
        ] {
            assert_eq!(RtmpUrl::parse(url).unwrap().connection_url(), expected);
        }
    }
}
