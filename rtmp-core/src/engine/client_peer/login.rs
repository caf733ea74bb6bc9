//! Logging in: a connection that was refused with what it takes is made again, with that, in the same place. What the host
//! asked for meanwhile waits on.

use std::net::SocketAddr;

use super::ClientPeer;
use crate::session::auth::Login;
use crate::session::{ClientSession, ClientSessionConfig};
use crate::wire::status::Status;

/// What a connection needs to be made again.
pub(super) struct Rounds {
    login: Login,
    /// The settings as the host gave them.
    base: ClientSessionConfig,
    addresses: Vec<SocketAddr>,
    /// What the client adds to a challenge.
    own: u32,
    /// What to add to the application's name: the connection has to be made again.
    query: Option<String>,
}

impl Rounds {
    pub(super) fn new(
        base: &ClientSessionConfig,
        addresses: &[SocketAddr],
        seed: [u8; 32],
    ) -> Option<Box<Self>> {
        let credentials = base.credentials.clone()?;
        let [.., a, b, c, d] = seed;
        Some(Box::new(Self {
            login: Login::new(credentials),
            base: base.clone(),
            addresses: addresses.to_vec(),
            own: u32::from_le_bytes([a, b, c, d]),
            query: None,
        }))
    }
}

impl ClientPeer {
    /// The settings as the host gave them, without what logging in added.
    pub(super) fn settings(&self) -> &ClientSessionConfig {
        match &self.rounds {
            Some(rounds) => &rounds.base,
            None => self.session.config(),
        }
    }

    /// Whether a refusal asks for something that this side has.
    pub(super) fn answers(&mut self, refusal: &Status) -> bool {
        let wanted = !self.follow.is_quitting();
        let Some(rounds) = self.rounds.as_mut().filter(|_| wanted) else {
            return false;
        };
        rounds.query = rounds
            .login
            .next(&rounds.base.app, &refusal.description, rounds.own);
        rounds.query.is_some()
    }

    /// Whether the connection has to be made again.
    pub(crate) fn wants_again(&self) -> bool {
        self.rounds.as_ref().is_some_and(|rounds| rounds.query.is_some())
    }

    /// Begins anew; the addresses to connect to.
    pub(crate) fn begin_again(&mut self, seed: [u8; 32], now: u64) -> Option<Vec<SocketAddr>> {
        let rounds = self.rounds.as_mut()?;
        let query = rounds.query.take()?;
        let mut config = rounds.base.clone();
        config.app.push_str(&query);
        config.tc_url.push_str(&query);
        self.session = ClientSession::new(config, seed, now);
        self.session.set_classes(self.core.classes());
        Some(rounds.addresses.clone())
    }
}
