//! TLS settings: what a server shows, and what a client trusts. The bytes are [`transport::tls`](super::transport)'s.

mod identity;
mod trust;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use identity::TlsIdentity;
pub(crate) use identity::server_config;
pub use trust::TlsTrust;
pub(crate) use trust::{TlsStart, TlsTrustCache, trusted};

/// The one implementation of the ciphers, chosen here so that a host's choice for its own TLS neither helps nor harms.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A number that nobody can guess; `None` if the system has no random numbers to give.
pub(crate) fn random_id() -> Option<u128> {
    let mut bytes = [0; 16];
    provider().secure_random.fill(&mut bytes).ok()?;
    Some(u128::from_le_bytes(bytes))
}
