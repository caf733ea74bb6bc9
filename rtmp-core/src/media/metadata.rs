//! Stream metadata: the `onMetaData` data message (FLV 10.1 E.5, E-RTMP v2 "Enhancing onMetaData").

use bytes::Bytes;

use super::FourCc;
use crate::amf::{Limits, Object, Value, amf0};

/// The name of the metadata message, as an AMF0 string.
const ON_META_DATA: &[u8] = b"\x02\x00\x0AonMetaData";
/// What publishers put before it so that the server keeps it, as an AMF0 string.
const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0D@setDataFrame";

/// Whether a data message body is `onMetaData`, with or without a leading `@setDataFrame`, in the AMF0 or the AMF3
/// form (leading zero byte). Reads names only.
pub fn is_metadata(body: &[u8]) -> bool {
    let body = strip_set_data_frame(body);
    body.strip_prefix(&[0]).unwrap_or(body).starts_with(ON_META_DATA)
}

/// The body without a leading `@setDataFrame`: what players receive. The AMF3 form loses its leading zero byte with
/// it; AMF3 values inside keep their own marker (AMF0 2.18). A body without the prefix comes back whole.
pub fn strip_set_data_frame(body: &[u8]) -> &[u8] {
    let amf0 = body.strip_prefix(&[0]).unwrap_or(body);
    amf0.strip_prefix(SET_DATA_FRAME).unwrap_or(body)
}

/// The properties of an `onMetaData` message, with readers for those that matter to a server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Everything the message says, in its order.
    pub properties: Object,
}

impl Metadata {
    /// Reads a data message body; `None` when it is not `onMetaData` or its properties cannot be read. Properties that
    /// end without an end marker, as some encoders write them, are taken as far as they go.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let body = strip_set_data_frame(body);
        let values = body
            .strip_prefix(&[0])
            .unwrap_or(body)
            .strip_prefix(ON_META_DATA)?;
        let value = amf0::Decoder::new(values, Limits::default())
            .allow_open_end(true)
            .decode()
            .ok()?;
        Some(Self {
            properties: value.as_object()?.clone(),
        })
    }

    /// The body of the message players receive and files hold: name and ECMA array, AMF0.
    pub fn to_body(&self) -> Bytes {
        let mut out = ON_META_DATA.to_vec();
        amf0::encode(&Value::EcmaArray(self.properties.clone()), &mut out);
        out.into()
    }

    /// The body of the message a publisher sends: `@setDataFrame` in front.
    pub fn to_set_data_frame_body(&self) -> Bytes {
        let mut out = SET_DATA_FRAME.to_vec();
        out.extend_from_slice(&self.to_body());
        out.into()
    }

    /// Total duration in seconds.
    pub fn duration(&self) -> Option<f64> {
        self.number("duration")
    }

    /// Picture width and height in pixels.
    pub fn dimensions(&self) -> Option<(u32, u32)> {
        Some((self.whole("width")?, self.whole("height")?))
    }

    /// Frames per second.
    pub fn frame_rate(&self) -> Option<f64> {
        self.number("framerate").or_else(|| self.number("videoframerate"))
    }

    /// Video data rate in kilobits per second.
    pub fn video_rate(&self) -> Option<f64> {
        self.number("videodatarate")
    }

    /// Audio data rate in kilobits per second.
    pub fn audio_rate(&self) -> Option<f64> {
        self.number("audiodatarate")
    }

    /// Audio samples per second.
    pub fn sample_rate(&self) -> Option<u32> {
        self.whole("audiosamplerate")
    }

    /// Audio channels, from the count or the stereo flag.
    pub fn channels(&self) -> Option<u32> {
        let stereo = || {
            self.properties
                .get("stereo")
                .and_then(Value::as_bool)
                .map(|stereo| 1 + u32::from(stereo))
        };
        self.whole("audiochannels").or_else(stereo)
    }

    /// The video codec: a legacy id, a FourCC as a number, or its letters.
    pub fn video_codec(&self) -> Option<FourCc> {
        codec(self.properties.get("videocodecid")?, FourCc::from_video_codec_id)
    }

    /// The audio codec: a legacy format, a FourCC as a number, or its letters.
    pub fn audio_codec(&self) -> Option<FourCc> {
        codec(self.properties.get("audiocodecid")?, FourCc::from_audio_format)
    }

    /// The keyframe index that many files carry: time in seconds and byte offset of the tag header, in file order.
    /// Untrusted: verify a tag before playing from it. Empty when there is none.
    pub fn keyframes(&self) -> Vec<(f64, u64)> {
        let index = self.properties.get("keyframes");
        let list = |key| {
            index
                .and_then(|index| index.get(key))
                .and_then(Value::as_array)
                .unwrap_or_default()
        };
        let pairs = list("times").iter().zip(list("filepositions"));
        pairs
            .filter_map(|(time, position)| Some((time.as_f64()?, to_offset(position.as_f64()?)?)))
            .collect()
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.properties
            .get(key)?
            .as_f64()
            .filter(|number| number.is_finite())
    }

    fn whole(&self, key: &str) -> Option<u32> {
        self.number(key)
            .filter(|n| (0.0..=f64::from(u32::MAX)).contains(n))
            .map(|n| n as u32)
    }
}

fn codec(value: &Value, legacy: fn(u8) -> Option<FourCc>) -> Option<FourCc> {
    if let Some(name) = value.as_str() {
        return <[u8; 4]>::try_from(name.as_bytes()).ok().map(FourCc);
    }
    let number = value
        .as_f64()
        .filter(|n| (0.0..=f64::from(u32::MAX)).contains(n))? as u32;
    match u8::try_from(number) {
        Ok(id) => legacy(id),
        Err(_) => Some(FourCc::from_u32(number)),
    }
}

fn to_offset(number: f64) -> Option<u64> {
    const EXACT: f64 = (1u64 << 53) as f64;
    (0.0..EXACT).contains(&number).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `onMetaData`, an ECMA array of one property, `duration` 2.5.
    const BODY: &[u8] =
        b"\x02\x00\x0AonMetaData\x08\0\0\0\x01\x00\x08duration\x00\x40\x04\0\0\0\0\0\0\0\0\x09";

    fn with(key: &str, value: impl Into<Value>) -> Metadata {
        Metadata {
            properties: Object::new().with(key, value),
        }
    }

    #[test]
    fn the_same_metadata_with_and_without_prefixes() {
        let set = [SET_DATA_FRAME, BODY].concat();
        let amf3 = [&[0][..], &set].concat();
        for body in [BODY, &set, &amf3, &[&[0][..], BODY].concat()] {
            assert!(is_metadata(body));
            assert_eq!(Metadata::parse(body).unwrap().duration(), Some(2.5));
        }
        assert_eq!(strip_set_data_frame(&set), BODY);
        assert_eq!(strip_set_data_frame(&amf3), BODY);
        assert_eq!(strip_set_data_frame(BODY), BODY);
    }

    #[test]
    fn other_data_messages_are_not_metadata() {
        for body in [
            &b""[..],
            b"\0",
            b"\x02",
            b"\x02\x00\x0AonTextData\x03\0\0\x09",
            SET_DATA_FRAME,
        ] {
            assert!(!is_metadata(body));
            assert_eq!(Metadata::parse(body), None);
        }
    }

    #[test]
    fn bodies_are_built_as_they_are_read() {
        assert_eq!(with("duration", 2.5).to_body(), BODY);
        assert_eq!(
            with("duration", 2.5).to_set_data_frame_body(),
            [SET_DATA_FRAME, BODY].concat()
        );
    }

    #[test]
    fn a_missing_end_marker_is_tolerated() {
        assert_eq!(
            Metadata::parse(&BODY[..BODY.len() - 3]).unwrap().duration(),
            Some(2.5)
        );
    }

    #[test]
    fn codecs_come_as_ids_numbers_and_letters() {
        assert_eq!(with("videocodecid", 7.0).video_codec(), Some(FourCc::AVC1));
        assert_eq!(
            with("videocodecid", 1_635_135_537.0).video_codec(),
            Some(FourCc::AV01)
        );
        assert_eq!(with("videocodecid", "avc1").video_codec(), Some(FourCc::AVC1));
        assert_eq!(with("audiocodecid", 10.0).audio_codec(), Some(FourCc::MP4A));
        assert_eq!(with("audiocodecid", f64::NAN).audio_codec(), None);
        assert_eq!(with("stereo", true).channels(), Some(2));
    }

    #[test]
    fn impossible_numbers_are_absent() {
        assert_eq!(with("duration", f64::INFINITY).duration(), None);
        assert_eq!(with("width", -1.0).dimensions(), None);
        let index = Object::new()
            .with("times", vec![Value::from(0.0), Value::from(1.0)])
            .with("filepositions", vec![Value::from(100.0), Value::from(-1.0)]);
        assert_eq!(with("keyframes", index).keyframes(), [(0.0, 100)]);
    }
}
