//! Chunks to messages.

use bytes::{Buf, Bytes, BytesMut};

use super::error::ChunkError;
use super::extended::{ExtendedTimestamps, Reading};
use super::header::{BasicHeader, EXTENDED, MAX_HEADER, be, message_header_len};
use super::{DEFAULT_CHUNK_SIZE, MAX_CHUNK_SIZE, Message, MessageType, Pieces, csid};
use crate::wire::deviation::{Counts, Deviation, Deviations};

/// The smallest buffer for a message that comes in pieces, when it is not shorter itself.
const FIRST_BUFFER: usize = 4096;
/// How many times what has arrived of a message it may get room for at once.
const MOST_AHEAD: usize = 4;

/// What a [`ChunkReader`] accepts from its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderLimits {
    /// The longest message in bytes.
    pub max_message: usize,
    /// The bytes all half-received messages may hold together, the one that is being received included.
    pub max_partial_bytes: usize,
    /// The number of different chunk streams.
    pub max_chunk_streams: usize,
}

impl Default for ReaderLimits {
    /// Messages of 0xFFFFFF bytes, 32 MiB of half-received ones, 64 chunk streams.
    fn default() -> Self {
        Self {
            max_message: MAX_CHUNK_SIZE as usize,
            max_partial_bytes: 32 << 20,
            max_chunk_streams: 64,
        }
    }
}

/// The receiving side of a chunk stream connection.
///
/// Memory grows with the bytes received, never with a declared length.
#[derive(Debug)]
pub struct ChunkReader {
    limits: ReaderLimits,
    chunk_size: u32,
    streams: Vec<ChunkStream>,
    /// The stream of the last chunk: the next chunk is mostly on it, too.
    last: usize,
    /// Payload bytes still to come of the chunk on `last`; `None` between chunks.
    chunk_left: Option<usize>,
    partial_bytes: usize,
    pieces: Pieces,
    extended: ExtendedTimestamps,
    deviations: Counts,
    /// The beginning of a header whose rest has not arrived.
    carry: [u8; MAX_HEADER],
    carried: usize,
}

/// What is remembered of a chunk stream, for headers that leave fields out.
#[derive(Debug)]
struct ChunkStream {
    csid: u32,
    timestamp: u32,
    /// The last timestamp field sent: absolute after format 0, a delta after formats 1 and 2.
    field: u32,
    length: u32,
    stream_id: u32,
    kind: u8,
    is_extended: bool,
    /// Whether `field` is a time rather than a delta.
    is_absolute: bool,
    /// The payload received so far of a message that is not complete.
    partial: Option<BytesMut>,
}

/// A header that is complete, and the message it starts or continues.
struct Header {
    stream: usize,
    len: usize,
}

impl ChunkReader {
    /// A reader at the start of a chunk stream, with the default chunk size of 128 bytes.
    pub fn new(limits: ReaderLimits) -> Self {
        Self {
            limits,
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: Vec::new(),
            last: 0,
            chunk_left: None,
            partial_bytes: 0,
            pieces: Pieces::default(),
            extended: ExtendedTimestamps::default(),
            deviations: Counts::default(),
            carry: [0; MAX_HEADER],
            carried: 0,
        }
    }

    /// Takes chunks from the front of `input` until a message is complete or the input is used up (`Ok(None)`).
    ///
    /// Call again with the rest: one message is returned at a time, so that a Set Chunk Size or Abort message can be
    /// applied before the next chunk. A message that is whole in `input` and in one chunk is returned as a slice of it.
    ///
    /// # Errors
    /// When the peer broke the protocol or a limit. Nothing more can be read from this peer then.
    #[inline]
    pub fn read(&mut self, input: &mut Bytes) -> Result<Option<Message>, ChunkError> {
        loop {
            if let Some(left) = self.chunk_left {
                if let Some(message) = self.read_payload(left, input)? {
                    if message.kind <= MessageType::SET_PEER_BANDWIDTH {
                        self.check_control(&message);
                    }
                    return Ok(Some(message));
                }
                if self.chunk_left.is_some() {
                    return Ok(None);
                }
            }
            if !self.read_header(input)? {
                return Ok(None);
            }
        }
    }

    /// Applies a Set Chunk Size message of the peer: all chunks that follow have up to `size` bytes.
    ///
    /// # Errors
    /// [`ChunkError::InvalidChunkSize`] for 0 and for sizes above 0x7FFFFFFF (RTMP 1.0 5.4.1).
    pub fn set_chunk_size(&mut self, size: u32) -> Result<(), ChunkError> {
        if size == 0 || size > 0x7FFF_FFFF {
            return Err(ChunkError::InvalidChunkSize(size));
        }
        self.chunk_size = size.min(MAX_CHUNK_SIZE);
        Ok(())
    }

    /// The chunk size in force, in bytes.
    pub fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    /// Applies an Abort message of the peer: drops what has arrived of the message on `csid`. A chunk stream that is
    /// unknown or has no message under way is left alone.
    pub fn abort(&mut self, csid: u32) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.csid == csid)
            && let Some(partial) = stream.partial.take()
        {
            self.partial_bytes = self.partial_bytes.saturating_sub(partial.len());
        }
    }

    /// The harmless violations seen since the last call; `None` when there were none.
    #[inline]
    pub fn take_deviations(&mut self) -> Option<Deviations> {
        self.deviations.take()
    }

    /// Changes the longest message accepted from now on, in bytes.
    pub fn set_max_message(&mut self, max_message: usize) {
        self.limits.max_message = max_message;
    }

    /// A copy of a short message body, beside those of messages that came in pieces: unlike a slice it does not keep the
    /// input it came in.
    pub fn copy(&mut self, body: &[u8]) -> Bytes {
        self.pieces.copy(body)
    }

    /// How many payload bytes of incomplete messages are held.
    pub fn partial_bytes(&self) -> usize {
        self.partial_bytes
    }

    /// Reads one header, across inputs if need be; false when bytes are missing.
    fn read_header(&mut self, input: &mut Bytes) -> Result<bool, ChunkError> {
        let header = if self.carried == 0 {
            if input.is_empty() {
                return Ok(false);
            }
            let Some(header) = self.parse_header(input)? else {
                self.carry_over(input);
                return Ok(false);
            };
            input.advance(header.len);
            header
        } else {
            let before = self.carried;
            let more = self.carry_over(&mut input.clone());
            let bytes = self.carry;
            let Some(header) = self.parse_header(bytes.get(..self.carried).unwrap_or_default())? else {
                input.advance(more);
                return Ok(false);
            };
            self.carried = 0;
            if header.len >= before {
                input.advance(header.len - before);
            } else {
                give_back(bytes.get(header.len..before).unwrap_or_default(), input);
            }
            header
        };
        self.begin_chunk(header.stream);
        Ok(true)
    }

    /// Moves the start of a header from `input` into the carry; returns how many bytes.
    fn carry_over(&mut self, input: &mut Bytes) -> usize {
        let more = input.len().min(MAX_HEADER - self.carried);
        if let Some(room) = self.carry.get_mut(self.carried..self.carried + more) {
            input.copy_to_slice(room);
            self.carried += more;
        }
        more
    }

    /// Parses the header at the start of `bytes` and applies it to its chunk stream; `None` when bytes are missing.
    fn parse_header(&mut self, bytes: &[u8]) -> Result<Option<Header>, ChunkError> {
        let Some(basic) = BasicHeader::parse(bytes) else {
            return Ok(None);
        };
        let fields_end = basic.len + message_header_len(basic.format);
        let Some(fields) = bytes.get(basic.len..fields_end) else {
            return Ok(None);
        };
        let rest = bytes.get(fields_end..).unwrap_or_default();
        let known = self.find(basic.csid);
        let extended_len = if basic.format == 3 {
            let Some(index) = known else {
                return Err(ChunkError::NothingToInherit {
                    csid: basic.csid,
                    format: 3,
                });
            };
            let Some(len) = self.continue_or_repeat(index, rest)? else {
                return Ok(None);
            };
            len
        } else {
            let extended_len = if fields.get(..3) == Some(&[0xFF; 3]) { 4 } else { 0 };
            let Some(extended) = rest.get(..extended_len) else {
                return Ok(None);
            };
            self.start_message(basic, known, fields, extended)?;
            extended_len
        };
        let stream = known.unwrap_or(self.streams.len().saturating_sub(1));
        Ok(Some(Header {
            stream,
            len: fields_end + extended_len,
        }))
    }

    #[inline]
    fn find(&self, csid: u32) -> Option<usize> {
        match self.streams.get(self.last) {
            Some(stream) if stream.csid == csid => Some(self.last),
            _ => self.streams.iter().position(|stream| stream.csid == csid),
        }
    }

    /// Formats 0, 1 and 2: a new message with fields of its own.
    fn start_message(
        &mut self,
        basic: BasicHeader,
        known: Option<usize>,
        fields: &[u8],
        extended: &[u8],
    ) -> Result<(), ChunkError> {
        let BasicHeader { format, csid, .. } = basic;
        let is_extended = !extended.is_empty();
        let field = if is_extended {
            be(extended)
        } else {
            be(fields.get(..3).unwrap_or_default())
        };
        let index = match known {
            Some(index) => index,
            // librtmp starts chunk stream 2 with format 1: the message stream is then 0, the time counts from 0.
            None if format < 2 => {
                if format == 1 {
                    self.deviations.get_mut().add(Deviation::FreshFormat1);
                }
                self.add(csid)?
            }
            None => return Err(ChunkError::NothingToInherit { csid, format }),
        };
        let Some(stream) = self.streams.get_mut(index) else {
            return Ok(());
        };
        if let Some(partial) = &stream.partial {
            let (received, length) = (partial.len(), stream.length as usize);
            return Err(ChunkError::MessageInterrupted {
                csid,
                format,
                received,
                length,
            });
        }
        if let Some(bytes) = fields.get(3..7) {
            stream.length = be(bytes.get(..3).unwrap_or_default());
            stream.kind = bytes.last().copied().unwrap_or_default();
        }
        if let Some(id) = fields.get(7..).and_then(|bytes| bytes.first_chunk::<4>()) {
            stream.stream_id = u32::from_le_bytes(*id);
        }
        stream.timestamp = match (format, is_extended) {
            (0, _) => field,
            (_, false) => stream.timestamp.wrapping_add(field),
            (_, true) => {
                if ExtendedTimestamps::is_no_delta(field) {
                    self.deviations
                        .get_mut()
                        .add(Deviation::ExtendedTimestampAbsolute);
                }
                ExtendedTimestamps::advance(stream.timestamp, field)
            }
        };
        stream.field = field;
        stream.is_extended = is_extended;
        stream.is_absolute = format == 0;
        self.check_length(index)
    }

    /// Format 3: the next chunk of a message, or a message like the one before. Returns how many bytes the extended
    /// timestamp takes; `None` when more bytes are needed to know.
    fn continue_or_repeat(&mut self, index: usize, rest: &[u8]) -> Result<Option<usize>, ChunkError> {
        let Some(stream) = self.streams.get_mut(index) else {
            return Ok(None);
        };
        let is_continuation = stream.partial.is_some();
        let mut field = None;
        let mut extended_len = 0;
        if stream.is_extended {
            let reading = if is_continuation {
                self.extended.in_continuation(rest, stream.field)
            } else {
                self.extended.in_new_message(rest, stream.field, stream.timestamp)
            };
            match reading {
                Reading::Unknown => return Ok(None),
                Reading::Absent => self.deviations.get_mut().add(Deviation::ExtendedTimestampAbsent),
                Reading::Present(value) => {
                    if let Some(deviation) = ExtendedTimestamps::deviation(value, stream.field) {
                        self.deviations.get_mut().add(deviation);
                    }
                    extended_len = 4;
                    field = Some(value);
                }
            }
        }
        if is_continuation {
            return Ok(Some(extended_len));
        }
        stream.timestamp = match field {
            // No message is 4.6 hours after the one before: peers that repeat an absolute time mean the same time.
            _ if stream.is_extended && stream.is_absolute => field.unwrap_or(stream.timestamp),
            Some(value) if value != stream.field => ExtendedTimestamps::nearest(stream.timestamp, value),
            Some(value) => ExtendedTimestamps::advance(stream.timestamp, value),
            None => stream.timestamp.wrapping_add(stream.field),
        };
        self.check_length(index)?;
        Ok(Some(extended_len))
    }

    /// Control messages belong on chunk stream 2 and message stream 0 (RTMP 1.0 5.4).
    fn check_control(&mut self, message: &Message) {
        let csid = self.streams.get(self.last).map(|stream| stream.csid);
        if csid != Some(csid::CONTROL) {
            self.deviations.get_mut().add(Deviation::ControlChunkStream);
        }
        if message.stream_id != 0 {
            self.deviations.get_mut().add(Deviation::ControlMessageStream);
        }
    }

    fn check_length(&self, index: usize) -> Result<(), ChunkError> {
        let Some(stream) = self.streams.get(index) else {
            return Ok(());
        };
        let (length, limit) = (stream.length as usize, self.limits.max_message);
        if length > limit {
            return Err(ChunkError::MessageTooLong {
                csid: stream.csid,
                length,
                limit,
            });
        }
        Ok(())
    }

    fn add(&mut self, csid: u32) -> Result<usize, ChunkError> {
        let limit = self.limits.max_chunk_streams;
        if self.streams.len() >= limit {
            return Err(ChunkError::TooManyChunkStreams { csid, limit });
        }
        // Few peers use more than three; none shall pay for more than it uses.
        self.streams.reserve_exact(1);
        self.streams.push(ChunkStream {
            csid,
            timestamp: 0,
            field: 0,
            length: 0,
            stream_id: 0,
            kind: 0,
            is_extended: false,
            is_absolute: false,
            partial: None,
        });
        Ok(self.streams.len() - 1)
    }

    fn begin_chunk(&mut self, index: usize) {
        self.last = index;
        if let Some(stream) = self.streams.get(index) {
            let missing = stream.length as usize - stream.received().min(stream.length as usize);
            self.chunk_left = Some(missing.min(self.chunk_size as usize));
        }
    }

    /// Takes payload of the chunk under way. Leaves `chunk_left` set when input ran out.
    fn read_payload(&mut self, left: usize, input: &mut Bytes) -> Result<Option<Message>, ChunkError> {
        let Some(stream) = self.streams.get_mut(self.last) else {
            return Ok(None);
        };
        let length = stream.length as usize;
        let take = left.min(input.len());
        // What comes whole counts too: how the transport cuts the bytes makes no difference.
        let partial_bytes = self.partial_bytes + take;
        if partial_bytes > self.limits.max_partial_bytes {
            return Err(ChunkError::TooMuchPartialData {
                limit: self.limits.max_partial_bytes,
            });
        }
        if stream.partial.is_none() && take == length {
            self.chunk_left = None;
            return Ok(Some(stream.message(input.split_to(length))));
        }
        if take == 0 {
            return Ok(None);
        }
        self.partial_bytes = partial_bytes;
        let partial = stream
            .partial
            .get_or_insert_with(|| match MessageType(stream.kind) {
                MessageType::AUDIO | MessageType::VIDEO => begin(&mut self.pieces, length, input.len()),
                // Commands are few, and what they say may live long.
                _ => BytesMut::new(),
            });
        if partial.capacity() - partial.len() < take {
            grow(partial, length, input.len());
        }
        partial.extend_from_slice(input.get(..take).unwrap_or_default());
        input.advance(take);
        if partial.len() == length {
            self.chunk_left = None;
            self.partial_bytes -= length.min(self.partial_bytes);
            let payload = stream.partial.take().unwrap_or_default().freeze();
            return Ok(Some(stream.message(payload)));
        }
        self.chunk_left = (take < left).then(|| left - take);
        Ok(None)
    }
}

impl ChunkStream {
    fn received(&self) -> usize {
        self.partial.as_ref().map_or(0, BytesMut::len)
    }

    #[inline]
    fn message(&self, payload: Bytes) -> Message {
        Message {
            timestamp: self.timestamp,
            kind: MessageType(self.kind),
            stream_id: self.stream_id,
            payload,
        }
    }
}

/// Room for a message of `length` bytes, of which up to `available` have arrived: all of it when that is not much more, so
/// that a declared length alone costs nothing.
fn begin(pieces: &mut Pieces, length: usize, available: usize) -> BytesMut {
    match length <= Pieces::LONGEST.min(available.saturating_mul(MOST_AHEAD)) {
        true => pieces.take(length),
        false => BytesMut::new(),
    }
}

/// Makes room for more of a message of `length` bytes, of which up to `available` have just arrived. At most doubles
/// what was received, so that a declared length alone costs nothing.
fn grow(partial: &mut BytesMut, length: usize, available: usize) {
    let received = partial.len();
    let want = (received.saturating_add(available))
        .max(received.saturating_mul(2))
        .max(FIRST_BUFFER);
    let mut larger = BytesMut::with_capacity(want.min(length));
    larger.extend_from_slice(partial);
    *partial = larger;
}

/// Puts bytes that looked like an extended timestamp, but are payload, back in front of the input.
fn give_back(bytes: &[u8], input: &mut Bytes) {
    let mut joined = Vec::with_capacity(bytes.len() + input.len());
    joined.extend_from_slice(bytes);
    joined.extend_from_slice(input);
    *input = Bytes::from(joined);
}

const _: () = assert!(EXTENDED == MAX_CHUNK_SIZE);
