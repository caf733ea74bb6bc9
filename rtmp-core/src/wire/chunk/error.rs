//! What can be wrong with a received chunk stream.

/// A violation of the chunk stream's rules or of the reader's limits. The connection cannot be read any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// A header that inherits length and type (format 2 or 3) came first on its chunk stream.
    #[error(
        "chunk stream {csid} begins with header format {format}, which inherits from a message never sent: close"
    )]
    NothingToInherit {
        /// The chunk stream.
        csid: u32,
        /// The header format, 2 or 3.
        format: u8,
    },
    /// A new message header arrived while the message before it on the same chunk stream was incomplete.
    #[error(
        "chunk stream {csid} starts a message (header format {format}) while {received} of {length} bytes of the \
         one before have arrived: close, or send Abort first"
    )]
    MessageInterrupted {
        /// The chunk stream.
        csid: u32,
        /// The header format, 0 to 2.
        format: u8,
        /// Payload bytes received of the interrupted message.
        received: usize,
        /// Its declared length.
        length: usize,
    },
    /// A message is declared longer than the reader accepts.
    #[error(
        "message of {length} bytes on chunk stream {csid} exceeds the limit of {limit}: close or raise the limit"
    )]
    MessageTooLong {
        /// The chunk stream.
        csid: u32,
        /// The declared length.
        length: usize,
        /// The limit in force.
        limit: usize,
    },
    /// The half-received messages of all chunk streams together exceed the limit.
    #[error("half-received messages hold more than {limit} bytes: close or raise the limit")]
    TooMuchPartialData {
        /// The limit in force.
        limit: usize,
    },
    /// More chunk streams are in use than the reader accepts.
    #[error("chunk stream {csid} would be one more than the {limit} allowed: close or raise the limit")]
    TooManyChunkStreams {
        /// The chunk stream that was refused.
        csid: u32,
        /// The limit in force.
        limit: usize,
    },
    /// A chunk size outside of 1 to 0x7FFFFFFF (RTMP 1.0 5.4.1).
    #[error("chunk size {0} is outside of 1 to 2147483647: close")]
    InvalidChunkSize(u32),
}
