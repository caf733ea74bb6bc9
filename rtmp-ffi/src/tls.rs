//! Certificates of servers.

use std::ffi::c_char;

use rtmp_core::TlsIdentity;

use crate::error::{Failure, rtmpkit_result};
use crate::server::rtmpkit_server;

/// A certificate chain and its private key. Passed as an array: it has no size and never changes. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_tls_identity {
    /// PEM text: the server's own certificate, then those that lead to its issuer.
    pub chain: *const c_char,
    /// PEM text: the key of the first, not encrypted by a pass phrase.
    pub key: *const c_char,
}

/// Sets, or changes, the certificates of `rtmps` and `rtmpts`: clients are shown the first that is for the name they ask for,
/// else the first of all. Connections made from now on are shown the new ones, those that stand stay: so a certificate is
/// renewed. Texts are copied. Errors: `RTMPKIT_ERR_TLS`, and then nothing changes; `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_server_set_tls(
    server: *mut rtmpkit_server,
    identities: *const rtmpkit_tls_identity,
    count: usize,
) -> rtmpkit_result {
    entry!(|host| {
        let server = host.handle(server)?.server()?;
        let given = host.identities(identities, count)?;
        let identities = given.iter().map(|identity| {
            let chain = host.text(identity.chain, "chain")?;
            let key = host.text(identity.key, "key")?;
            Ok::<_, Failure>(TlsIdentity::from_pem(chain.as_bytes(), key.as_bytes())?)
        });
        server.set_tls(identities.collect::<Result<_, _>>()?)?;
        Ok(0)
    })
}

/// The same with one identity in PEM files; `key` may be NULL when it is in the same file as the chain.
/// Threads: reads the files on this one. Errors: `RTMPKIT_ERR_IO`, `RTMPKIT_ERR_TLS`, and then nothing changes;
/// `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_server_set_tls_files(
    server: *mut rtmpkit_server,
    chain: *const c_char,
    key: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let server = host.handle(server)?.server()?;
        let chain = host.text(chain, "chain")?;
        let key = host.optional_text(key, "key")?.unwrap_or(chain);
        server.set_tls(vec![TlsIdentity::from_files(chain, key)?])?;
        Ok(0)
    })
}
