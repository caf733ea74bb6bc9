//! Message type ids.

use std::fmt;

/// The type of a message. Ids without a constant are legal on the wire; receivers ignore their messages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageType(pub u8);

macro_rules! message_types {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $text:literal;)*) => {
        impl MessageType {
            $($(#[$doc])* pub const $name: Self = Self($id);)*

            /// The type's name, `None` for ids without a meaning.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($id => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

message_types! {
    /// Set Chunk Size (RTMP 1.0 5.4.1).
    SET_CHUNK_SIZE = 1, "SetChunkSize";
    /// Abort Message (RTMP 1.0 5.4.2).
    ABORT = 2, "Abort";
    /// Acknowledgement (RTMP 1.0 5.4.3).
    ACKNOWLEDGEMENT = 3, "Acknowledgement";
    /// User Control Message (RTMP 1.0 6.2).
    USER_CONTROL = 4, "UserControl";
    /// Window Acknowledgement Size (RTMP 1.0 5.4.4).
    WINDOW_ACK_SIZE = 5, "WindowAckSize";
    /// Set Peer Bandwidth (RTMP 1.0 5.4.5).
    SET_PEER_BANDWIDTH = 6, "SetPeerBandwidth";
    /// Audio (RTMP 1.0 7.1.4): an FLV audio tag body.
    AUDIO = 8, "Audio";
    /// Video (RTMP 1.0 7.1.5): an FLV video tag body.
    VIDEO = 9, "Video";
    /// Data with AMF3 allowed (RTMP 1.0 7.1.2).
    DATA_AMF3 = 15, "DataAmf3";
    /// Shared object with AMF3 allowed (RTMP 1.0 7.1.3).
    SHARED_OBJECT_AMF3 = 16, "SharedObjectAmf3";
    /// Command with AMF3 allowed (RTMP 1.0 7.1.1).
    COMMAND_AMF3 = 17, "CommandAmf3";
    /// Data in AMF0 (RTMP 1.0 7.1.2).
    DATA = 18, "Data";
    /// Shared object in AMF0 (RTMP 1.0 7.1.3).
    SHARED_OBJECT = 19, "SharedObject";
    /// Command in AMF0 (RTMP 1.0 7.1.1).
    COMMAND = 20, "Command";
    /// Aggregate (RTMP 1.0 7.1.6).
    AGGREGATE = 22, "Aggregate";
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "MessageType({})", self.0),
        }
    }
}
