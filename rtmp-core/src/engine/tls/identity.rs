//! Certificates that a server shows.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, NoServerSessionStorage, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::provider;
use crate::error::{Error, Result, TlsError};

/// A certificate chain and its private key. Clones share them.
#[derive(Clone)]
pub struct TlsIdentity {
    key: Arc<CertifiedKey>,
}

impl TlsIdentity {
    /// Reads PEM texts: the chain, the server's own certificate first, and the key (PKCS #8, PKCS #1 or SEC 1, not
    /// encrypted).
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self> {
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| TlsError::Certificate(error.to_string()))?;
        if chain.is_empty() {
            return Err(TlsError::Certificate("there is none".to_owned()).into());
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::KeyMismatch,
            rustls::Error::InvalidCertificate(bad) => TlsError::Certificate(bad.to_string()),
            other => TlsError::Key(other.to_string()),
        })?;
        Ok(Self { key: Arc::new(key) })
    }

    /// Reads PEM files, on this thread; the key may be in the same one as the chain. [`Error::Io`] if one cannot be
    /// read, [`Error::Tls`] if it is not usable.
    pub fn from_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self> {
        Self::from_pem(&read(chain.as_ref())?, &read(key.as_ref())?)
    }

    fn is_for(&self, name: &ServerName<'_>) -> bool {
        let end_entity = self.key.cert.first();
        let parsed = end_entity.and_then(|certificate| ParsedCertificate::try_from(certificate).ok());
        parsed.is_some_and(|certificate| verify_server_name(&certificate, name).is_ok())
    }
}

/// The settings of TLS connections that show one of `identities`; an error if there is none.
pub(crate) fn server_config(identities: Vec<TlsIdentity>) -> Result<Arc<ServerConfig>> {
    if identities.is_empty() {
        return Err(TlsError::NoIdentity.into());
    }
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::from)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName(identities)));
    // Connections last: to resume sessions is worth nothing here, and librtmp fails when it is sent a ticket.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// Shows the first certificate for the name that the client asks for, else the first of all: clients of the field, those
/// that connect to an address among them, often ask for none.
#[derive(Debug)]
struct ByName(Vec<TlsIdentity>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello
            .server_name()
            .and_then(|name| ServerName::try_from(name).ok());
        let named = name.and_then(|name| self.0.iter().find(|identity| identity.is_for(&name)));
        named.or(self.0.first()).map(|identity| Arc::clone(&identity.key))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| Error::io(format!("read {}", path.display()), error))
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsIdentity({} certificates)", self.key.cert.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(result: Result<TlsIdentity>) -> TlsError {
        match result {
            Err(Error::Tls(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_identity_is_told_apart() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        assert!(TlsIdentity::from_pem(chain.as_bytes(), key.as_bytes()).is_ok());
        let none = TlsIdentity::from_pem(b"nothing", key.as_bytes());
        assert!(matches!(kind(none), TlsError::Certificate(_)));
        let none = TlsIdentity::from_pem(chain.as_bytes(), chain.as_bytes());
        assert!(matches!(kind(none), TlsError::Key(_)));
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let wrong = TlsIdentity::from_pem(chain.as_bytes(), other.as_bytes());
        assert_eq!(kind(wrong), TlsError::KeyMismatch);
        assert!(matches!(
            TlsIdentity::from_files("/nonexistent", "/nonexistent"),
            Err(Error::Io { .. })
        ));
    }

    #[test]
    fn an_identity_is_for_the_names_of_its_certificate() {
        let names = ["a.example".to_owned(), "*.b.example".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let pem = (made.cert.pem(), made.signing_key.serialize_pem());
        let identity = TlsIdentity::from_pem(pem.0.as_bytes(), pem.1.as_bytes()).unwrap();
        let is_for = |name: &str| identity.is_for(&ServerName::try_from(name.to_owned()).unwrap());
        assert!(is_for("a.example") && is_for("x.b.example"));
        assert!(!is_for("b.example") && !is_for("c.example"));
    }
}
