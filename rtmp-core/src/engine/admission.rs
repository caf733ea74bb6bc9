//! Which connections a server takes, and which of those beyond its limits are told so.

use std::collections::HashMap;
use std::net::IpAddr;

/// The connections of a server, and those that are being refused.
#[derive(Default)]
pub(crate) struct Admissions {
    count: usize,
    by_address: HashMap<IpAddr, usize>,
    refusing: usize,
    refusing_by_address: HashMap<IpAddr, usize>,
    /// A second of the engine's clock, and the refusals begun in it.
    begun: (u64, usize),
}

/// Connections at once; 0 is no limit.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) connections: usize,
    pub(crate) per_address: usize,
}

/// As what a connection was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ticket {
    /// As a client.
    Client,
    /// As one that carries requests of tunnels' clients.
    Http,
    /// To be told why it cannot be one.
    Refused(&'static str),
}

/// What may be spent on telling: whoever opens more connections than these finds them closed at once, as if nothing were
/// told.
const REFUSING: usize = 64;
const REFUSING_PER_ADDRESS: usize = 4;
const REFUSALS_PER_SECOND: usize = 100;
/// For the handshake, and again for `connect`, of a client that is refused.
pub(crate) const REFUSAL_TIMEOUT_MS: u64 = 2_000;

impl Admissions {
    /// Connections now, those that are being refused left out.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// Counts a connection in as a client, or to be refused; `None` if it is to be closed at once.
    pub(crate) fn admit(&mut self, address: IpAddr, bounds: Bounds, now: u64) -> Option<Ticket> {
        let reached = |limit: usize, count: usize| limit > 0 && count >= limit;
        let of_address = self.by_address.get(&address).copied().unwrap_or(0);
        if reached(bounds.connections, self.count) {
            return self.refuse(address, "The server takes no more connections.", now);
        }
        if reached(bounds.per_address, of_address) {
            return self.refuse(
                address,
                "The server takes no more connections from this address.",
                now,
            );
        }
        self.count += 1;
        self.by_address.insert(address, of_address + 1);
        Some(Ticket::Client)
    }

    /// Counts a connection out.
    pub(crate) fn dismiss(&mut self, address: IpAddr, ticket: Ticket) {
        let (count, by_address) = match ticket {
            Ticket::Client | Ticket::Http => (&mut self.count, &mut self.by_address),
            Ticket::Refused(_) => (&mut self.refusing, &mut self.refusing_by_address),
        };
        *count = count.saturating_sub(1);
        if let Some(of_address) = by_address.get_mut(&address) {
            *of_address -= 1;
            if *of_address == 0 {
                by_address.remove(&address);
            }
        }
    }

    fn refuse(&mut self, address: IpAddr, why: &'static str, now: u64) -> Option<Ticket> {
        let second = now / 1_000;
        if self.begun.0 != second {
            self.begun = (second, 0);
        }
        let of_address = self.refusing_by_address.get(&address).copied().unwrap_or(0);
        let affordable = self.refusing < REFUSING
            && of_address < REFUSING_PER_ADDRESS
            && self.begun.1 < REFUSALS_PER_SECOND;
        affordable.then(|| {
            self.refusing += 1;
            self.refusing_by_address.insert(address, of_address + 1);
            self.begun.1 += 1;
            Ticket::Refused(why)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NARROW: Bounds = Bounds {
        connections: 0,
        per_address: 1,
    };

    fn ip(number: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, number])
    }

    #[test]
    fn what_is_spent_on_refusals_is_bounded() {
        let mut admissions = Admissions::default();
        assert_eq!(admissions.admit(ip(1), NARROW, 0), Some(Ticket::Client));
        for _ in 0..REFUSING_PER_ADDRESS {
            assert!(matches!(
                admissions.admit(ip(1), NARROW, 0),
                Some(Ticket::Refused(_))
            ));
        }
        assert_eq!(admissions.admit(ip(1), NARROW, 0), None);
        let full = Bounds {
            connections: 1,
            per_address: 0,
        };
        for number in 2..62 {
            assert!(admissions.admit(ip(number), full, 0).is_some());
        }
        assert_eq!(admissions.admit(ip(200), full, 0), None);
        assert_eq!(admissions.count(), 1);
        admissions.dismiss(ip(1), Ticket::Refused(""));
        assert!(admissions.admit(ip(200), full, 0).is_some());
    }

    #[test]
    fn refusals_are_limited_by_the_second() {
        let mut admissions = Admissions::default();
        admissions.admit(ip(1), NARROW, 0);
        for _ in 0..REFUSALS_PER_SECOND {
            let ticket = admissions.admit(ip(1), NARROW, 500).unwrap();
            admissions.dismiss(ip(1), ticket);
        }
        assert_eq!(admissions.admit(ip(1), NARROW, 999), None);
        assert!(admissions.admit(ip(1), NARROW, 1_000).is_some());
    }
}
