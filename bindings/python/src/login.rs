//! Logging in to applications, by Adobe's or Limelight's authentication.

use pyo3::prelude::*;
use rtmp_core as core;

use crate::errors::config_error;

/// A hash to keep in place of a user's password: `Secret.hashed("adobe", user, salt, password)`. Who has it can log in.
#[pyclass(frozen, eq, module = "rtmpkit._rtmpkit")]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    salt: String,
    hash: String,
}

#[pymethods]
impl Secret {
    /// A hash that was kept, with its salt.
    #[new]
    fn new(salt: String, hash: String) -> Self {
        Self { salt, hash }
    }

    /// The hash of a password, for `adobe` or `llnw`, which does not use the salt.
    #[staticmethod]
    fn hashed(method: &str, user: &str, salt: &str, password: &str) -> PyResult<Self> {
        match core::Secret::hashed(method_named(method)?, user, salt, password) {
            core::Secret::Hash { salt, hash } => Ok(Self { salt, hash }),
            _ => Err(config_error("a secret without a hash")),
        }
    }

    /// What went into the hash beside the password.
    #[getter]
    fn salt(&self) -> &str {
        &self.salt
    }

    /// The hash.
    #[getter]
    fn hash(&self) -> &str {
        &self.hash
    }

    fn __repr__(&self) -> &'static str {
        "<Secret>"
    }
}

/// How a client tries to log in, and as whom. By itself this proves nothing.
#[pyclass(frozen, module = "rtmpkit._rtmpkit")]
pub(crate) struct LoginAttempt {
    core: core::LoginAttempt,
}

impl From<core::LoginAttempt> for LoginAttempt {
    fn from(core: core::LoginAttempt) -> Self {
        Self { core }
    }
}

#[pymethods]
impl LoginAttempt {
    /// `adobe` or `llnw`.
    #[getter]
    fn method(&self) -> &'static str {
        self.core.method.name()
    }

    /// Who it says it is.
    #[getter]
    fn user(&self) -> &str {
        &self.core.user
    }

    fn __repr__(&self) -> String {
        format!("<LoginAttempt of {:?}>", self.core.user)
    }
}

/// What is known of a user: a password, a hash, or nothing.
#[derive(FromPyObject)]
pub(crate) enum Known<'py> {
    /// The password.
    Password(String),
    /// Its hash.
    Hash(PyRef<'py, Secret>),
}

impl Known<'_> {
    pub(crate) fn core(&self) -> core::Secret {
        match self {
            Self::Password(password) => core::Secret::Password(password.clone()),
            Self::Hash(secret) => core::Secret::of_hash(&secret.salt, &secret.hash),
        }
    }
}

/// `adobe` or `llnw`.
pub(crate) fn method_named(name: &str) -> PyResult<core::LoginMethod> {
    core::LoginMethod::parse(name).ok_or_else(|| config_error(format!("login {name:?}: use adobe or llnw")))
}
