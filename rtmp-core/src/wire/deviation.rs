//! What peers get wrong without harm, counted; and whether it is accepted.

use std::fmt;

/// Whether harmless violations of the specifications are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Tolerance {
    /// Accept and count what deployed encoders, cameras and players get wrong: see [`Deviation`].
    #[default]
    Lenient,
    /// End the connection at the first deviation.
    Strict,
}

macro_rules! deviations {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A violation of the specifications that does no harm. Lenient sessions accept each and count it, strict ones end
        /// the connection.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Deviation {
            $($(#[$doc])* $name,)*
        }

        impl Deviation {
            /// Every deviation, in the order of their counters.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What the peer did, as text.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The name of the variant, for logs and metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }

        const COUNT: usize = [$(Deviation::$name,)*].len();
    };
}

deviations! {
    /// C0 or S0 names a reserved version, 4 to 31 (RTMP 1.0 5.2.2); it is answered with 3.
    HandshakeVersion = "the handshake begins with another version than 3",
    /// C2 or S2 neither echoes nor signs what it answers (RTMP 1.0 5.2.4).
    HandshakeEcho = "C2 or S2 is no echo of what it answers",
    /// A control message came on another chunk stream than 2 (RTMP 1.0 5.4).
    ControlChunkStream = "a control message came on another chunk stream than 2",
    /// A control message came on another message stream than 0 (RTMP 1.0 5.4).
    ControlMessageStream = "a control message came on another message stream than 0",
    /// A control message is too short for its fields; it is ignored.
    ControlTooShort = "a control message is shorter than its fields",
    /// Set Peer Bandwidth has no limit type (RTMP 1.0 5.4.5); hard is meant.
    LimitTypeMissing = "Set Peer Bandwidth has no limit type",
    /// A chunk stream begins with header format 1 (RTMP 1.0 5.3.1.2.2); message stream 0 and time 0 are inherited.
    FreshFormat1 = "a chunk stream begins with header format 1",
    /// A format 3 header leaves out the extended timestamp (RTMP 1.0 5.3.1.3).
    ExtendedTimestampAbsent = "a format 3 header leaves out the extended timestamp",
    /// A repeated extended timestamp has lost its highest bit.
    ExtendedTimestamp31Bits = "an extended timestamp has 31 bits only",
    /// An extended timestamp holds an absolute time where a delta belongs (RTMP 1.0 5.3.1.2.2).
    ExtendedTimestampAbsolute = "an extended timestamp is absolute where a delta belongs",
    /// The acknowledged sequence number goes back (RTMP 1.0 5.4.3).
    AcknowledgementRestarted = "the sequence number of acknowledgements goes back",
    /// A ping is not answered while other messages come (RTMP 1.0 7.1.7).
    PingUnanswered = "a ping is not answered while other messages come",
    /// A message of type 17 or 15 lacks its format selector.
    SelectorMissing = "an AMF3 message lacks its format selector",
    /// The last object of a message lacks its end marker (AMF0 2.5).
    ObjectEndMissing = "the last object of a message lacks its end marker",
    /// Zero bytes follow the last value of a message.
    Padding = "zero bytes follow the last value of a message",
    /// A command lacks transaction id or command object (RTMP 1.0 7.1.1).
    CommandFieldsMissing = "a command lacks its transaction id or command object",
    /// A command or data message cannot be read; it is ignored.
    Unreadable = "a command or data message cannot be read",
    /// A name or a property of connect ends with NUL.
    TrailingNul = "a text ends with NUL",
    /// A property of connect stands in quotes.
    Quoted = "a property of connect stands in quotes",
    /// `app` is missing and taken from `tcUrl`, or `tcUrl` is spelled otherwise (RTMP 1.0 7.2.1.1).
    ConnectProperty = "connect lacks app, or spells tcUrl otherwise",
    /// connect has another transaction id than 1 (RTMP 1.0 7.2.1.1).
    ConnectTransaction = "connect has another transaction id than 1",
    /// publish or play on message stream 0, or on one that was never created (RTMP 1.0 7.2.2).
    StreamNotCreated = "publish or play names a message stream that was not created",
    /// Another command of a stream on message stream 0; its first stream is meant.
    CommandOnStreamZero = "a stream's command came on message stream 0",
    /// deleteStream with something else than a stream's number (RTMP 1.0 7.2.2.3).
    StreamNumber = "deleteStream names no stream number",
    /// Audio, video or data on message stream 0; the only stream there is is meant.
    MediaOnStreamZero = "media came on message stream 0",
    /// Audio or video without a byte.
    EmptyMedia = "an audio or video message is empty",
    /// Audio or video of a codec that neither FLV 10.1 nor E-RTMP v2 define; it is passed on.
    UnknownCodec = "audio or video names a codec that nobody defines",
    /// onMetaData without values.
    NullMetadata = "onMetaData holds nothing",
    /// A back pointer in an aggregate is wrong or missing (RTMP 1.0 7.1.6).
    BackPointer = "a back pointer in an aggregate is wrong",
    /// An aggregate ends in the middle of a message; what is whole is taken.
    AggregateCut = "an aggregate ends in the middle of a message",
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

/// How often each deviation occurred.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Deviations {
    counts: [u32; COUNT],
    total: u64,
}

impl Deviations {
    /// How often `deviation` occurred.
    pub fn count(&self, deviation: Deviation) -> u32 {
        self.counts.get(deviation as usize).copied().unwrap_or_default()
    }

    /// How often any occurred.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether none occurred.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Those that occurred, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (Deviation, u32)> {
        let counts = self.counts;
        let count = move |deviation: &Deviation| {
            let count = counts.get(*deviation as usize).copied().unwrap_or_default();
            (*deviation, count)
        };
        Deviation::ALL.iter().map(count).filter(|(_, count)| *count > 0)
    }

    /// Counts one more.
    pub fn add(&mut self, deviation: Deviation) {
        if let Some(count) = self.counts.get_mut(deviation as usize) {
            *count = count.saturating_add(1);
        }
        self.total = self.total.saturating_add(1);
    }

    /// What came since an earlier reading of the same counts.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut more = *self;
        for (count, before) in more.counts.iter_mut().zip(earlier.counts) {
            *count = count.saturating_sub(before);
        }
        more.total = more.total.saturating_sub(earlier.total);
        more
    }

    /// Adds the counts of another.
    pub fn absorb(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
        self.total = self.total.saturating_add(other.total);
    }
}

impl Deviations {
    const NONE: Self = Self {
        counts: [0; COUNT],
        total: 0,
    };
}

impl Default for Deviations {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Debug for Deviations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Counts that take no room before there is something to count: most peers deviate from nothing.
#[derive(Debug, Default)]
pub(crate) struct Counts(Option<Box<Deviations>>);

impl Counts {
    pub(crate) fn get(&self) -> &Deviations {
        self.0.as_deref().unwrap_or(const { &Deviations::NONE })
    }

    pub(crate) fn get_mut(&mut self) -> &mut Deviations {
        self.0.get_or_insert_default()
    }

    /// What was counted since this was called last, if anything was.
    pub(crate) fn take(&mut self) -> Option<Deviations> {
        self.0.take().map(|counts| *counts)
    }
}

/// Counts of a connection, and the first one that its profile refuses.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    tolerance: Tolerance,
    counts: Counts,
    refused: Option<Deviation>,
}

impl Tally {
    pub(crate) fn new(tolerance: Tolerance) -> Self {
        Self {
            tolerance,
            ..Self::default()
        }
    }

    /// Counts what the peer did.
    pub(crate) fn note(&mut self, deviation: Deviation) {
        self.counts.get_mut().add(deviation);
        if self.tolerance == Tolerance::Strict {
            self.refused.get_or_insert(deviation);
        }
    }

    pub(crate) fn note_if(&mut self, happened: bool, deviation: Deviation) {
        if happened {
            self.note(deviation);
        }
    }

    /// Counts what the chunk reader saw.
    pub(crate) fn absorb(&mut self, seen: &Deviations) {
        self.counts.get_mut().absorb(seen);
        if self.tolerance == Tolerance::Strict && self.refused.is_none() {
            self.refused = seen.iter().next().map(|(deviation, _)| deviation);
        }
    }

    /// What ends the connection, if anything does.
    #[inline]
    pub(crate) fn refused(&self) -> Option<Deviation> {
        self.refused
    }

    pub(crate) fn counts(&self) -> &Deviations {
        self.counts.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_deviation_has_its_counter() {
        let mut all = Deviations::default();
        for (index, deviation) in Deviation::ALL.iter().enumerate() {
            for _ in 0..=index {
                all.add(*deviation);
            }
        }
        let counts: Vec<u32> = Deviation::ALL.iter().map(|d| all.count(*d)).collect();
        assert_eq!(counts, (1..=COUNT as u32).collect::<Vec<_>>());
        assert_eq!(all.iter().count(), COUNT);
        let mut twice = all;
        twice.absorb(&all);
        assert_eq!(twice.since(&all), all);
        assert_eq!(twice.total(), 2 * all.total());
        assert_eq!(twice.count(Deviation::AggregateCut), 2 * COUNT as u32);
    }

    #[test]
    fn only_the_strict_profile_refuses() {
        let mut lenient = Tally::default();
        lenient.note(Deviation::Padding);
        assert_eq!(lenient.refused(), None);
        let mut strict = Tally::new(Tolerance::Strict);
        strict.note(Deviation::Padding);
        strict.note(Deviation::Quoted);
        assert_eq!(strict.refused(), Some(Deviation::Padding));
        assert_eq!(strict.counts().total(), 2);
    }
}
