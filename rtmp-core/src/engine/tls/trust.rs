//! What a client trusts.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::provider;
use crate::error::{Result, TlsError};

/// Which servers' certificates a connection by TLS accepts. The name, or address, in the URL must be one of the
/// certificate's, and the time within its validity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsTrust {
    /// Those issued by whom the system trusts, as its administrator keeps it up to date. The default.
    #[default]
    System,
    /// Those issued by one of these, a PEM text of one or more certificates, and no others.
    Authorities(Vec<u8>),
    /// Any certificate of anybody: what is sent is safe from those who only listen, but not from one who answers in the
    /// server's place. For tests, and for devices in a network of one's own.
    InsecureAcceptAny,
}

/// What a TLS connection to a server begins with.
#[derive(Debug, Clone)]
pub(crate) struct TlsStart {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) name: ServerName<'static>,
}

/// The settings that a trust leads to, made at the first connection where they read the system's certificates: that takes a
/// while.
#[derive(Debug, Default)]
pub(crate) struct TlsTrustCache(Mutex<Option<Arc<ClientConfig>>>);

impl TlsTrustCache {
    /// For certificates that the host names they are made at once, so that it learns early that they are none.
    pub(crate) fn new(trust: &TlsTrust) -> Result<Self> {
        let kept = match trust {
            TlsTrust::Authorities(_) => Some(client_config(trust)?),
            TlsTrust::System | TlsTrust::InsecureAcceptAny => None,
        };
        Ok(Self(Mutex::new(kept)))
    }

    /// May read files: not for a worker.
    pub(crate) fn start(&self, trust: &TlsTrust, host: &str) -> Result<TlsStart> {
        let bare = host.split('%').next().unwrap_or_default();
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| TlsError::BadName(host.to_owned()))?;
        let mut kept = self.0.lock();
        let config = match &*kept {
            Some(config) => Arc::clone(config),
            None => client_config(trust)?,
        };
        *kept = Some(Arc::clone(&config));
        Ok(TlsStart { config, name })
    }
}

fn client_config(trust: &TlsTrust) -> Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::from)?;
    let roots = match trust {
        TlsTrust::System => system_roots()?,
        TlsTrust::Authorities(pem) => Arc::new(own_roots(pem)?),
        TlsTrust::InsecureAcceptAny => {
            let config = builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAny(provider())))
                .with_no_client_auth();
            return Ok(Arc::new(config));
        }
    };
    Ok(Arc::new(
        builder.with_root_certificates(roots).with_no_client_auth(),
    ))
}

/// The certificates of those who are trusted; none for who accepts any.
pub(crate) fn trusted(trust: &TlsTrust) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = match trust {
        TlsTrust::System => rustls_native_certs::load_native_certs().certs,
        TlsTrust::Authorities(pem) => {
            let certificates = CertificateDer::pem_slice_iter(pem).collect::<std::result::Result<_, _>>();
            certificates.map_err(|error| TlsError::NoRoots(error.to_string()))?
        }
        TlsTrust::InsecureAcceptAny => return Ok(Vec::new()),
    };
    if certificates.is_empty() {
        return Err(TlsError::NoRoots("there is no certificate".to_owned()).into());
    }
    Ok(certificates)
}

fn own_roots(pem: &[u8]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| TlsError::NoRoots(error.to_string()))?;
        let added = roots.add(certificate);
        added.map_err(|error| TlsError::NoRoots(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(TlsError::NoRoots("there is no certificate in the PEM text".to_owned()).into());
    }
    Ok(roots)
}

/// The system's certificates, read once.
fn system_roots() -> Result<Arc<RootCertStore>> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    if let Some(roots) = ROOTS.get() {
        return Ok(Arc::clone(roots));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(ToString::to_string);
        return Err(TlsError::NoRoots(why.unwrap_or_else(|| "the system has none".to_owned())).into());
    }
    Ok(Arc::clone(ROOTS.get_or_init(|| Arc::new(roots))))
}

/// Accepts every certificate; that the server has its key is still proved.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn trusting_nobody_is_an_error() {
        for pem in [&b""[..], b"nonsense"] {
            let config = client_config(&TlsTrust::Authorities(pem.to_vec()));
            assert!(
                matches!(config, Err(Error::Tls(TlsError::NoRoots(_)))),
                "{config:?}"
            );
            let cache = TlsTrustCache::new(&TlsTrust::Authorities(pem.to_vec()));
            assert!(cache.is_err(), "{cache:?}");
        }
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        let (cache, trust) = (TlsTrustCache::default(), TlsTrust::InsecureAcceptAny);
        for host in ["a.example", "127.0.0.1", "::1", "fe80::1%eth0"] {
            cache.start(&trust, host).unwrap();
        }
        assert!(matches!(
            cache.start(&trust, "a b"),
            Err(Error::Tls(TlsError::BadName(_)))
        ));
    }
}
