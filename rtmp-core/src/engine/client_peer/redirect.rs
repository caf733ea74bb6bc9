//! A server that refuses a connection and says where to connect instead (`ex.redirect` of NetConnection.Connect.Rejected): a
//! connection there takes the place of the refused one, as one does after a request to reconnect, with what the host has asked
//! for so far. The refused one stays as a shell while the name is looked up.

use super::{ClientPeer, Replaces, Step};
use crate::client::Reconnect;
use crate::client::reconnect::{permit, redirected};
use crate::engine::Link;
use crate::engine::connection::{End, Peer};
use crate::engine::worker::Worker;
use crate::session::redirect_target;
use crate::wire::status::Status;

/// A refusal that is followed elsewhere.
#[derive(Default)]
pub(super) struct Redirection {
    /// What the host is told if it comes to nothing.
    refusal: Option<Status>,
    /// The socket is gone.
    is_shell: bool,
}

impl ClientPeer {
    /// Whether the refusal of this connection is followed elsewhere, as the settings allow.
    pub(super) fn follows_refusal(&mut self, refusal: &Status) -> bool {
        let policy = self.core.config.reconnect;
        let Some(target) = redirect_target(refusal).filter(|_| policy != Reconnect::Report) else {
            return false;
        };
        let current = self.settings().tc_url.clone();
        let looking = redirected(&current, target)
            .and_then(|target| permit(policy, &current, &target, self.hops_in_row()).map(|()| target))
            .and_then(|target| self.look_elsewhere(&target));
        match looking {
            Ok(()) => self.redirection.refusal = Some(refusal.clone()),
            Err(error) => log::info!("a redirection is not followed: {error}"),
        }
        self.redirection.refusal.is_some()
    }

    /// The way elsewhere came to nothing: the host is told of the refusal; `false` if there was none.
    pub(super) fn redirection_failed(&mut self, why: &str) -> bool {
        let Some(refusal) = self.redirection.refusal.take() else {
            return false;
        };
        log::info!("a redirection came to nothing: {why}");
        self.answered = true;
        self.core.status(refusal);
        true
    }
}

impl Worker {
    /// Whether a connection that is over has to stay for its place to be taken.
    pub(crate) fn stays_as_shell(&mut self, key: usize) -> bool {
        let Some(connection) = self.connections.get_mut(key) else {
            return false;
        };
        let Peer::Client(peer) = &mut connection.peer else {
            return false;
        };
        peer.redirection.is_shell = peer.redirection.refusal.is_some() && peer.is_looking_elsewhere();
        peer.redirection.is_shell
    }

    /// Removes what is left of a refused connection, once nobody looks for another any more.
    pub(crate) fn remove_shell(&mut self, link: &Link) {
        let is_shell = self.with_client(link, |peer, _| {
            peer.redirection.is_shell && !peer.is_looking_elsewhere()
        });
        if is_shell == Some(true) {
            self.remove(link.key, &End::Closed);
        }
    }

    /// A candidate could not even begin.
    pub(crate) fn candidate_fails(&mut self, replaces: &Replaces, why: String) {
        self.follow(replaces.old(), Step::Failed(why));
    }
}
