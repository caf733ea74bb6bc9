//! What can be wrong with TLS: with what the host configured, and with what a peer shows.

use rustls::{AlertDescription, CertificateError};

/// Why TLS is not possible, or failed with a peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// There is no usable certificate in the PEM text or file.
    #[error(
        "certificate chain: {0}; give PEM, the server's own certificate first, then those that lead to its issuer"
    )]
    Certificate(String),
    /// There is no usable private key in the PEM text or file.
    #[error("private key: {0}; give PEM, not encrypted by a pass phrase")]
    Key(String),
    /// The private key does not belong to the certificate.
    #[error("the private key does not belong to the first certificate of the chain")]
    KeyMismatch,
    /// The server has no certificate to show.
    #[error("the server has no certificate: set one before it listens for rtmps or rtmpts")]
    NoIdentity,
    /// There are no certificates to verify servers by.
    #[error("no trusted certificates: {0}; install the system's (ca-certificates) or name your own")]
    NoRoots(String),
    /// The server's certificate is not valid any more.
    #[error("the server's certificate has expired")]
    Expired,
    /// The server's certificate is not valid yet.
    #[error("the server's certificate is not valid yet; is the clock right?")]
    NotYetValid,
    /// Nobody who is trusted has issued the server's certificate.
    #[error(
        "the server's certificate comes from an issuer that is not trusted; if it is your own, trust its certificate"
    )]
    UnknownIssuer,
    /// The server's certificate is for other names.
    #[error("the server's certificate is not for {expected:?}; it is for {}", names(.presented))]
    NameMismatch {
        /// The name in the URL.
        expected: String,
        /// The names in the certificate, if it tells.
        presented: Vec<String>,
    },
    /// The server's certificate was revoked.
    #[error("the server's certificate was revoked")]
    Revoked,
    /// The server's certificate cannot be used for another reason.
    #[error("the server's certificate cannot be used: {0}")]
    BadCertificate(String),
    /// The URL's host cannot be the name of a certificate.
    #[error("host {0:?} is neither a name nor an address that a certificate could be for")]
    BadName(String),
    /// The peer does not speak TLS.
    #[error("the peer does not speak TLS: its first byte is {first}, which looks like {guess}")]
    NotTls {
        /// The first byte.
        first: u8,
        /// What it may be.
        guess: &'static str,
    },
    /// The peer ended the handshake, and said why.
    #[error("the peer refused the TLS connection: {0}")]
    Refused(String),
    /// The peer ended the connection during the handshake without a word.
    #[error("the peer closed the connection during the TLS handshake")]
    Closed,
    /// The peer broke the rules of TLS, or has nothing in common with this side.
    #[error("TLS: {0}")]
    Protocol(String),
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        use CertificateError as Bad;
        match error {
            rustls::Error::InvalidCertificate(bad) => match bad {
                Bad::Expired | Bad::ExpiredContext { .. } => Self::Expired,
                Bad::NotValidYet | Bad::NotValidYetContext { .. } => Self::NotYetValid,
                Bad::UnknownIssuer => Self::UnknownIssuer,
                Bad::Revoked => Self::Revoked,
                Bad::NotValidForName => Self::NameMismatch {
                    expected: String::new(),
                    presented: Vec::new(),
                },
                Bad::NotValidForNameContext { expected, presented } => Self::NameMismatch {
                    expected: expected.to_str().into_owned(),
                    presented,
                },
                Bad::BadSignature => Self::BadCertificate(RENEWED.to_owned()),
                other => Self::BadCertificate(other.to_string()),
            },
            rustls::Error::AlertReceived(alert) => Self::Refused(alert_text(alert)),
            other => Self::Protocol(other.to_string()),
        }
    }
}

/// What a wrong signature mostly means: certificates that issued themselves have the same name after a renewal.
const RENEWED: &str =
    "its signature is wrong; if a certificate of the same name is trusted, trust the new one";

fn names(presented: &[String]) -> String {
    match presented {
        [] => "others".to_owned(),
        names => names.join(", "),
    }
}

fn alert_text(alert: AlertDescription) -> String {
    let text = match alert {
        AlertDescription::UnknownCA => "it does not trust the issuer of our certificate",
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
            "it does not accept our certificate"
        }
        AlertDescription::CertificateExpired => "our certificate has expired",
        AlertDescription::ProtocolVersion => "it speaks another version of TLS",
        AlertDescription::HandshakeFailure => "it has no method in common with us",
        AlertDescription::UnrecognisedName => "it has no certificate for this name",
        AlertDescription::CertificateRequired => "it wants a certificate of ours",
        other => return format!("{other:?}"),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_told_with_the_right_ones() {
        let text = |presented: &[&str]| {
            let error = TlsError::NameMismatch {
                expected: "a.example".to_owned(),
                presented: presented.iter().map(|name| (*name).to_owned()).collect(),
            };
            error.to_string()
        };
        assert_eq!(
            text(&["b.example", "c.example"]),
            "the server's certificate is not for \"a.example\"; it is for b.example, c.example"
        );
        assert!(text(&[]).ends_with("it is for others"));
    }

    #[test]
    fn certificate_errors_have_kinds_of_their_own() {
        let of = |bad| TlsError::from(rustls::Error::InvalidCertificate(bad));
        assert_eq!(of(CertificateError::Expired), TlsError::Expired);
        assert_eq!(of(CertificateError::NotValidYet), TlsError::NotYetValid);
        assert_eq!(of(CertificateError::UnknownIssuer), TlsError::UnknownIssuer);
        assert_eq!(of(CertificateError::Revoked), TlsError::Revoked);
        let renewed = of(CertificateError::BadSignature).to_string();
        assert!(renewed.ends_with("trust the new one"), "{renewed}");
    }
}
