//! Audio, video and data of a stream.

use std::mem::size_of;
use std::ptr;

use bytes::Bytes;
use rtmp_core::{FourCc, Frame, FrameFlags, MediaKind, MediaMessage};

use crate::buffer::rtmpkit_buffer;
use crate::error::{Failure, rtmpkit_result};
use crate::handle::Lent;
use crate::host::{Growing, Host};

/// Names of what a media message holds: the RTMP message types, which are those of FLV tags. Since 0.1.
#[repr(C)]
pub enum rtmpkit_media_types {
    /// Audio.
    RTMPKIT_MEDIA_AUDIO = 8,
    /// Video.
    RTMPKIT_MEDIA_VIDEO = 9,
    /// A data message: an AMF name and values.
    RTMPKIT_MEDIA_DATA = 18,
}

/// Names of the flags of a media message. Since 0.1.
#[repr(C)]
pub enum rtmpkit_media_flags {
    /// Video that a decoder can start at.
    RTMPKIT_MEDIA_KEYFRAME = 1,
    /// A codec's configuration (sequence header), not media.
    RTMPKIT_MEDIA_CONFIG = 2,
    /// The track's sequence ends.
    RTMPKIT_MEDIA_END_OF_SEQUENCE = 4,
    /// Video that no other frame depends on.
    RTMPKIT_MEDIA_DISPOSABLE = 8,
    /// The body has an Enhanced RTMP header.
    RTMPKIT_MEDIA_ENHANCED = 16,
    /// Metadata: `onMetaData`, or the Enhanced kind.
    RTMPKIT_MEDIA_METADATA = 32,
    /// A video command, no picture.
    RTMPKIT_MEDIA_COMMAND = 64,
    /// The body holds several tracks; `data` is the first of them.
    RTMPKIT_MEDIA_MULTITRACK = 128,
}

/// Names of common codecs, as in `rtmpkit_media.fourcc`: the four characters, the first in the highest byte. Since 0.1.
#[repr(C)]
pub enum rtmpkit_codecs {
    /// Unknown, or data.
    RTMPKIT_CODEC_NONE = 0,
    /// H.264.
    RTMPKIT_CODEC_AVC = 0x6176_6331,
    /// H.265.
    RTMPKIT_CODEC_HEVC = 0x6876_6331,
    /// H.266.
    RTMPKIT_CODEC_VVC = 0x7676_6331,
    /// AV1.
    RTMPKIT_CODEC_AV1 = 0x6176_3031,
    /// VP8.
    RTMPKIT_CODEC_VP8 = 0x7670_3038,
    /// VP9.
    RTMPKIT_CODEC_VP9 = 0x7670_3039,
    /// AAC.
    RTMPKIT_CODEC_AAC = 0x6d70_3461,
    /// Opus.
    RTMPKIT_CODEC_OPUS = 0x4f70_7573,
    /// FLAC.
    RTMPKIT_CODEC_FLAC = 0x664c_6143,
    /// AC-3.
    RTMPKIT_CODEC_AC3 = 0x6163_2d33,
    /// E-AC-3.
    RTMPKIT_CODEC_EAC3 = 0x6563_2d33,
    /// MP3.
    RTMPKIT_CODEC_MP3 = 0x2e6d_7033,
}

/// One audio, video or data message.
///
/// Received: everything is filled in; `data` is what follows the tag header, `body` the whole message body, which is
/// that of an FLV tag. All belong to the library until the callback returns, or for as long as a reference to `buffer`
/// is held.
///
/// Written: with `body`, that is sent as it is, and of the rest only `type` and `timestamp_ms` count. Without, the tag
/// header is made of `fourcc`, `track_id`, `flags` (`KEYFRAME`, `CONFIG`, `END_OF_SEQUENCE`), `composition_ms` and
/// `timestamp_ns`, and `data` follows it. `buffer` may be NULL; if `body` or `data` lies inside it, nothing is copied.
/// A received message may be written as it came: by its pointer. Its `struct_size` is that of the library that runs: who copies
/// the struct sets that of the copy to `sizeof`. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_media {
    /// Set by `rtmpkit_media_init`.
    pub struct_size: usize,
    /// One of `rtmpkit_media_types`.
    pub r#type: u8,
    /// The track, 0 in a body that does not name one.
    pub track_id: u8,
    /// Some of `rtmpkit_media_flags`.
    pub flags: u16,
    /// The codec, see `rtmpkit_codecs`; 0 if unknown.
    pub fourcc: u32,
    /// Decoding time in milliseconds. Received: the wrap of the 32 bits on the wire is undone. Written: the wire
    /// carries it modulo 2^32.
    pub timestamp_ms: u64,
    /// Nanoseconds to add to the presentation time, 0 to 999,999.
    pub timestamp_ns: u32,
    /// Presentation less decoding time in milliseconds.
    pub composition_ms: i32,
    /// What follows the tag header.
    pub data: *const u8,
    /// Bytes of `data`.
    pub len: usize,
    /// Keeps `data` and `body`; `rtmpkit_buffer_data` of it is `data`.
    pub buffer: *mut rtmpkit_buffer,
    /// The whole message body.
    pub body: *const u8,
    /// Bytes of `body`.
    pub body_len: usize,
}

// SAFETY: `repr(C)`, `struct_size` first, integers and raw pointers.
unsafe impl Growing for rtmpkit_media {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            r#type: 0,
            track_id: 0,
            flags: 0,
            fourcc: 0,
            timestamp_ms: 0,
            timestamp_ns: 0,
            composition_ms: 0,
            data: ptr::null(),
            len: 0,
            buffer: ptr::null_mut(),
            body: ptr::null(),
            body_len: 0,
        }
    }
}

/// Fills in defaults: all zero. Pass `sizeof *media`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_media_init(media: *mut rtmpkit_media, struct_size: usize) -> rtmpkit_result {
    entry!(|host| host.init(media, struct_size))
}

/// A frame lent to a callback.
pub(crate) struct LentMedia {
    pub(crate) media: rtmpkit_media,
    _buffer: Lent<rtmpkit_buffer>,
}

impl LentMedia {
    pub(crate) fn new(frame: &Frame) -> Self {
        let buffer = Lent::new(rtmpkit_buffer::new(frame.payload.clone(), frame.body.clone()));
        let media = rtmpkit_media {
            struct_size: size_of::<rtmpkit_media>(),
            r#type: frame.kind.type_id(),
            track_id: frame.track_id,
            flags: frame.flags.bits(),
            fourcc: frame.codec.map_or(0, FourCc::as_u32),
            timestamp_ms: frame.timestamp_ms,
            timestamp_ns: frame.timestamp_ns,
            composition_ms: frame.composition_ms,
            data: frame.payload.as_ptr(),
            len: frame.payload.len(),
            buffer: buffer.as_ptr(),
            body: frame.body.as_ptr(),
            body_len: frame.body.len(),
        };
        Self {
            media,
            _buffer: buffer,
        }
    }
}

/// The message that a host's struct describes.
pub(crate) fn to_message(host: &Host, media: *const rtmpkit_media) -> Result<MediaMessage, Failure> {
    let media = host.read(media, "media")?;
    let kind = MediaKind::from_type_id(media.r#type)
        .ok_or_else(|| Failure::invalid(format!("media type {}: use 8, 9 or 18", media.r#type)))?;
    let buffer = host.optional_handle(media.buffer.cast_const())?;
    let buffer = buffer.as_deref().map(|handle| &**handle);
    #[allow(clippy::cast_possible_truncation, reason = "the wire carries the low half")]
    let timestamp = media.timestamp_ms as u32;
    if !media.body.is_null() {
        let body = share(buffer, host.bytes(media.body, media.body_len, "body")?);
        return Ok(MediaMessage {
            kind,
            timestamp,
            body,
        });
    }
    let data = match buffer {
        Some(buffer) if media.data.is_null() => buffer.data().clone(),
        _ => share(buffer, host.bytes(media.data, media.len, "data")?),
    };
    let body = if kind == MediaKind::Data {
        data
    } else {
        with_header(kind, &media, &data)?
    };
    Ok(MediaMessage {
        kind,
        timestamp,
        body,
    })
}

fn share(buffer: Option<&rtmpkit_buffer>, bytes: &[u8]) -> Bytes {
    buffer
        .and_then(|buffer| buffer.share(bytes))
        .unwrap_or_else(|| Bytes::copy_from_slice(bytes))
}

fn with_header(kind: MediaKind, media: &rtmpkit_media, data: &[u8]) -> Result<Bytes, Failure> {
    if media.fourcc == 0 {
        return Err(Failure::invalid(
            "media without codec: set fourcc, or body for a body with its tag header",
        ));
    }
    if media.timestamp_ns > 999_999 {
        return Err(Failure::invalid(format!(
            "timestamp_ns is {}: 999999 is the most",
            media.timestamp_ns
        )));
    }
    let (codec, time) = (FourCc::from_u32(media.fourcc), media.timestamp_ms);
    let has = |flag: FrameFlags| media.flags & flag.bits() != 0;
    let video = kind == MediaKind::Video;
    let frame = if has(FrameFlags::CONFIG) {
        if video {
            Frame::video_config(codec, data)
        } else {
            Frame::audio_config(codec, data)
        }
    } else if has(FrameFlags::END_OF_SEQUENCE) {
        Frame::sequence_end(kind, codec, time)
    } else if video {
        Frame::video(codec, time, has(FrameFlags::KEYFRAME), media.composition_ms, data)
    } else {
        Frame::audio(codec, time, data)
    };
    let frame = if media.track_id == 0 {
        frame
    } else {
        frame.with_track(media.track_id)
    };
    let frame = if media.timestamp_ns == 0 {
        frame
    } else {
        frame.with_nanos(media.timestamp_ns)
    };
    Ok(frame.body)
}
