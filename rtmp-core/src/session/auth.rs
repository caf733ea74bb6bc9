//! Authentication of publishers as Adobe's servers and Limelight's do it, in the text of a refused `connect`.
//!
//! Three connections make one login. The first is refused with the method to use, the second, which names the user, with
//! a challenge, the third proves in the query of its `app` that it knows the password. None of this is encrypted, and both
//! methods rest on MD5: it keeps strangers from publishing, it protects nothing from who listens.

mod challenges;
mod client;

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};

use crate::wire::url::percent_decode;

pub use challenges::{Challenges, Verdict};
pub use client::Login;

/// How a client proves that it knows a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoginMethod {
    /// Adobe's, `authmod=adobe`.
    Adobe,
    /// Limelight's, `authmod=llnw`: HTTP digest authentication in another place.
    Limelight,
}

/// What a server knows of a user.
///
/// `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Secret {
    /// The password.
    Password(String),
    /// What stands for it, so that the password need not be kept; see [`hashed`](Self::hashed). Whoever has it can log in
    /// by the same method.
    Hash {
        /// Goes into Adobe's hash, and is told to the client. Not used by Limelight.
        salt: String,
        /// Adobe: base64 of MD5 of user, salt and password. Limelight: MD5 of `user:live:password` in hexadecimal digits.
        hash: String,
    },
}

/// A user and its password, as a client has them.
///
/// `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

/// What a client says of itself in the query of its `app`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginAttempt {
    /// The method it uses.
    pub method: LoginMethod,
    /// The user it claims to be.
    pub user: String,
    proof: Option<Proof>,
}

/// The answer to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Proof {
    /// The name of the challenge: Adobe's `opaque`, Limelight's `nonce`.
    challenge: String,
    /// What the client added to it.
    own: String,
    /// Limelight's request counter.
    count: String,
    response: String,
}

impl LoginMethod {
    /// Its name on the wire (`authmod`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Adobe => "adobe",
            Self::Limelight => "llnw",
        }
    }

    /// The method of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Adobe, Self::Limelight]
            .into_iter()
            .find(|method| method.name() == name)
    }

    /// The description that asks a client which named no user to log in.
    pub fn demand(self) -> String {
        let name = self.name();
        format!("[ AccessManager.Reject ] : [ code=403 need auth; authmod={name} ] : ")
    }

    fn refusal(self, reason: &str) -> String {
        let name = self.name();
        format!("[ AccessManager.Reject ] : [ authmod={name} ] : ?reason={reason}")
    }

    fn hash(self, user: &str, salt: &str, password: &str) -> String {
        match self {
            Self::Adobe => base64_md5(&[user, salt, password]),
            Self::Limelight => hex_md5(&[user, ":live:", password]),
        }
    }
}

impl Secret {
    /// The hash to keep in place of a password.
    pub fn hashed(method: LoginMethod, user: &str, salt: &str, password: &str) -> Self {
        Self::Hash {
            salt: salt.to_owned(),
            hash: method.hash(user, salt, password),
        }
    }

    /// A hash that was kept, with its salt.
    pub fn of_hash(salt: impl Into<String>, hash: impl Into<String>) -> Self {
        Self::Hash {
            salt: salt.into(),
            hash: hash.into(),
        }
    }

    fn salt(&self) -> Option<&str> {
        match self {
            Self::Password(_) => None,
            Self::Hash { salt, .. } => Some(salt),
        }
    }

    fn hash(&self, method: LoginMethod, user: &str, salt: &str) -> String {
        match self {
            Self::Password(password) => method.hash(user, salt, password),
            Self::Hash { hash, .. } => hash.clone(),
        }
    }
}

impl LoginAttempt {
    /// Reads the query of `app`; `None` when the client does not try to log in.
    pub fn parse(query: &str) -> Option<Self> {
        let query = query.get(query.find("authmod=")?..)?;
        let value = |key: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(name, _)| *name == key)
                .map(|(_, value)| percent_decode(value))
        };
        let method = LoginMethod::parse(&value("authmod")?)?;
        let user = value("user").filter(|user| !user.is_empty())?;
        let (challenge, own) = match method {
            LoginMethod::Adobe => (value("opaque"), value("challenge")),
            LoginMethod::Limelight => (value("nonce"), value("cnonce")),
        };
        let proof = value("response").map(|response| Proof {
            challenge: challenge.unwrap_or_default(),
            own: own.unwrap_or_default(),
            count: value("nc").unwrap_or_default(),
            response,
        });
        Some(Self { method, user, proof })
    }

    /// Whether it answers a challenge; if not, it asks for one.
    pub fn is_answer(&self) -> bool {
        self.proof.is_some()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?}, ***)", self.user)
    }
}

/// Adobe's response: `hash` is that of user, salt and password.
fn adobe_response(hash: &str, challenge: &str, own: &str) -> String {
    base64_md5(&[hash, challenge, own])
}

/// Limelight's response: `path` is `/app/instance`.
fn limelight_response(hash: &str, nonce: &str, count: &str, own: &str, path: &str) -> String {
    let about = hex_md5(&["publish:", path]);
    hex_md5(&[hash, ":", nonce, ":", count, ":", own, ":auth:", &about])
}

fn md5(parts: &[&str]) -> [u8; 16] {
    let mut digest = Md5::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().into()
}

fn base64_md5(parts: &[&str]) -> String {
    BASE64_STANDARD.encode(md5(parts))
}

fn hex_md5(parts: &[&str]) -> String {
    hex(&md5(parts))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by Python's hashlib.
    #[test]
    fn responses_are_those_of_the_formulas() {
        let hash = base64_md5(&["user", "SALT", "pass"]);
        assert_eq!(hash, "qvP+y+weKZvTvW3c3VonGg==");
        assert_eq!(
            adobe_response(&hash, "opaque", "0a1b2c3d"),
            "w+jSK69QwSEt2DNWFaoGMQ=="
        );
        let hash = hex_md5(&["user", ":live:", "pass"]);
        assert_eq!(
            limelight_response(&hash, "nonce", "00000001", "0a1b2c3d", "/live/_definst_"),
            "c6649ea98709e1b2eea316fdb2c32758"
        );
    }

    #[test]
    fn queries_are_read_as_encoders_write_them() {
        let attempt =
            LoginAttempt::parse("key=1?authmod=adobe&user=me&challenge=abc+&response=a/b+c==&opaque=o%2Bp")
                .unwrap();
        assert_eq!((attempt.method, &*attempt.user), (LoginMethod::Adobe, "me"));
        let proof = attempt.proof.unwrap();
        assert_eq!(
            (&*proof.challenge, &*proof.own, &*proof.response),
            ("o+p", "abc+", "a/b+c==")
        );
        let first = LoginAttempt::parse("authmod=llnw&user=me").unwrap();
        assert!(first.method == LoginMethod::Limelight && !first.is_answer());
        for other in [
            "",
            "token=7",
            "authmod=other&user=me",
            "authmod=adobe",
            "authmod=adobe&user=",
        ] {
            assert_eq!(LoginAttempt::parse(other), None, "{other}");
        }
    }
}
