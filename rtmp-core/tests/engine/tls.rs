//! RTMPS over sockets: our server and our client, and peers that do not fit.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rtmp_core::{
    AcceptAll, ApplicationConfig, ApplicationHandler, Client, ConnectRequest, Error, NetConnectionConfig,
    Server, ServerConfig, TlsError, TlsIdentity, TlsTrust,
};

use crate::live::everybody_gets_everything_by;
use crate::support::{PATIENCE, Served, code, connect_with, connected, engine, serve, serve_with};

/// An issuer of certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("Authority {}", NUMBER.fetch_add(1, Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    fn identity_of(&self, mut params: CertificateParams, expired: bool) -> TlsIdentity {
        if expired {
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap().pem();
        TlsIdentity::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes()).unwrap()
    }

    pub(crate) fn identity(&self, name: &str) -> TlsIdentity {
        self.identity_of(CertificateParams::new([name.to_owned()]).unwrap(), false)
    }

    pub(crate) fn trust(&self) -> NetConnectionConfig {
        let mut config = NetConnectionConfig::default();
        config.tls_trust = TlsTrust::Authorities(self.pem.clone().into_bytes());
        config
    }
}

/// A server that also listens by TLS; its URL is that one.
fn serve_by_tls(handler: impl ApplicationHandler, mut config: ServerConfig, identity: TlsIdentity) -> Served {
    config.tls = vec![identity];
    let mut served = serve_with(handler, 2, config, ApplicationConfig::default());
    let address = served.server.listen("rtmps://127.0.0.1:0").unwrap();
    served.url = format!("rtmps://{address}/live");
    served
}

pub(crate) fn default_server(authority: &Authority) -> Served {
    serve_by_tls(
        AcceptAll,
        ServerConfig::default(),
        authority.identity("127.0.0.1"),
    )
}

fn raw(served: &Served) -> TcpStream {
    let rest = served.url.split_once("://").unwrap().1;
    let socket = TcpStream::connect(rest.trim_end_matches("/live")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// What the server says until it closes the connection.
fn said(mut socket: TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    match socket.read_to_end(&mut said) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("still open: {error}"),
        _ => said,
    }
}

/// How a connection that comes to nothing is explained.
fn failure(served: &Served, config: NetConnectionConfig) -> String {
    let (_connection, statuses) = connect_with(&served.engine, &served.url, config);
    let status = statuses.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        status.code, "NetConnection.Connect.Failed",
        "{}",
        status.description
    );
    status.description
}

#[test]
fn p17_what_a_client_publishes_by_tls_every_player_gets_unchanged() {
    let authority = Authority::new();
    let mut config = ServerConfig::default();
    // The film is written at once, and encrypting it takes a while: no player is to count as slow.
    config.player_limits.millis = 60_000;
    let served = serve_by_tls(AcceptAll, config, authority.identity("127.0.0.1"));
    everybody_gets_everything_by(&served, &authority.trust());
}

pub(crate) struct TellsClients(pub(crate) Mutex<Sender<Client>>);

impl ApplicationHandler for TellsClients {
    fn on_connect(&self, request: ConnectRequest) {
        self.0.lock().send(request.client().clone()).unwrap();
        request.accept();
    }
}

#[test]
fn c13_c17_a_client_by_tls_is_secure() {
    let authority = Authority::new();
    let (sender, clients): (_, Receiver<Client>) = channel();
    let handler = TellsClients(Mutex::new(sender));
    let served = serve_by_tls(handler, ServerConfig::default(), authority.identity("127.0.0.1"));
    let (connection, statuses) = connect_with(&served.engine, &served.url, authority.trust());
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    let client = clients.recv_timeout(PATIENCE).unwrap();
    assert_eq!((client.protocol(), client.is_secure()), ("rtmps", true));
    assert_eq!(client.uri(), served.url);
    assert_eq!(connection.uri(), served.url);
    connection.close();
    assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
}

#[test]
fn a_certificate_is_verified_and_the_failure_explained() {
    let (authority, other) = (Authority::new(), Authority::new());
    let served = default_server(&authority);
    let unknown = TlsError::UnknownIssuer.to_string();
    assert_eq!(failure(&served, other.trust()), unknown);
    assert_eq!(failure(&served, NetConnectionConfig::default()), unknown);
    served
        .server
        .set_tls(vec![authority.identity("a.example")])
        .unwrap();
    let description = failure(&served, authority.trust());
    assert!(description.contains("not for \"127.0.0.1\""), "{description}");
    assert!(description.contains("a.example"), "{description}");
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let expired = authority.identity_of(params, true);
    served.server.set_tls(vec![expired]).unwrap();
    assert_eq!(failure(&served, authority.trust()), TlsError::Expired.to_string());
    let mut any = NetConnectionConfig::default();
    any.tls_trust = TlsTrust::InsecureAcceptAny;
    let (_connection, statuses) = connect_with(&served.engine, &served.url, any);
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
}

#[test]
fn a_renewed_certificate_is_for_new_connections_and_leaves_the_old_ones() {
    let (old, new) = (Authority::new(), Authority::new());
    let served = default_server(&old);
    let (before, statuses) = connect_with(&served.engine, &served.url, old.trust());
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    assert!(served.server.set_tls(Vec::new()).is_err());
    served.server.set_tls(vec![new.identity("127.0.0.1")]).unwrap();
    let (_after, statuses) = connect_with(&served.engine, &served.url, new.trust());
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    failure(&served, old.trust());
    assert!(before.is_connected());
}

#[test]
fn the_certificate_is_chosen_by_the_name_that_is_asked_for() {
    let authority = Authority::new();
    let served = default_server(&authority);
    let identities = ["127.0.0.1", "localhost"].map(|name| authority.identity(name));
    served.server.set_tls(identities.to_vec()).unwrap();
    for host in ["127.0.0.1", "localhost"] {
        let url = served.url.replace("127.0.0.1", host);
        let (_connection, statuses) = connect_with(&served.engine, &url, authority.trust());
        assert_eq!(code(&statuses), "NetConnection.Connect.Success", "{host}");
    }
}

#[test]
fn a_server_without_a_certificate_cannot_listen_by_tls() {
    let server = Server::new(&engine(1), ServerConfig::default()).unwrap();
    assert!(matches!(
        server.listen("rtmps://127.0.0.1:0"),
        Err(Error::Tls(TlsError::NoIdentity))
    ));
}

#[test]
fn what_is_no_tls_ends_its_own_connection_only() {
    let authority = Authority::new();
    let served = default_server(&authority);
    let (good, statuses) = connect_with(&served.engine, &served.url, authority.trust());
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
    let mut hello = vec![3];
    hello.resize(1537, 0);
    for nonsense in [
        hello,
        b"POST /open/1 HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; 4000],
        // A handshake record longer than any may be, one that says nothing, and a ClientHello that is none.
        [&[22, 3, 1, 0xff, 0xff][..], &[0; 4000]].concat(),
        [22, 3, 1, 0, 0].repeat(200),
        [&[22, 3, 1, 0, 40, 1, 0, 0, 36][..], &[0xff; 36]].concat(),
        // A handshake message that would need 16 MiB to be put together.
        [&[22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff][..], &[0; 0x3ffc]]
            .concat()
            .repeat(8),
    ] {
        let mut socket = raw(&served);
        let _ = socket.write_all(&nonsense);
        // What is said, if anything, is an alert.
        let said = said(socket);
        assert!(
            said.is_empty() || said[0] == 21,
            "{said:?} to {:?}",
            &nonsense[..9]
        );
    }
    assert!(good.is_connected());
}

#[test]
fn tls_on_a_plain_port_and_plain_on_a_tls_port_fail_at_once() {
    let authority = Authority::new();
    let mut plain = serve(AcceptAll, 1);
    let (good, _statuses) = connected(&plain.engine, &plain.url);
    plain.url = plain.url.replace("rtmp://", "rtmps://");
    let description = failure(&plain, authority.trust());
    assert!(
        description == TlsError::Closed.to_string() || description.contains("reset"),
        "{description}"
    );
    assert!(good.is_connected());
    let mut served = default_server(&authority);
    served.url = served.url.replace("rtmps://", "rtmp://");
    failure(&served, NetConnectionConfig::default());
}

#[test]
fn a_silent_or_slow_handshake_is_cut_off() {
    let authority = Authority::new();
    let mut config = ServerConfig::default();
    config.session.timeouts.handshake_ms = 200;
    let served = serve_by_tls(AcceptAll, config, authority.identity("127.0.0.1"));
    let silent = raw(&served);
    let mut begun = raw(&served);
    begun.write_all(&[22, 3, 1, 0, 200, 1, 0, 0, 196]).unwrap();
    // An alert that says goodbye: close_notify (RFC 8446 6.1).
    assert_eq!(said(silent), [21, 3, 3, 0, 2, 1, 0]);
    assert_eq!(said(begun), [21, 3, 3, 0, 2, 1, 0]);
}

#[test]
fn a_server_that_never_answers_by_tls_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = NetConnectionConfig::default();
    let mut session = rtmp_core::session::ClientSessionConfig::new("live", "rtmps://x/live");
    session.timeouts.handshake_ms = 200;
    config.session = Some(session);
    let url = format!("rtmps://{}/live", listener.local_addr().unwrap());
    let engine = engine(1);
    let (_connection, statuses) = connect_with(&engine, &url, config);
    assert_eq!(code(&statuses), "NetConnection.Connect.Failed");
}
