//! What a side of a connection says it can do with Enhanced RTMP (E-RTMP v2 "Enhancing NetConnection connect
//! Command").

use std::fmt;

use crate::amf::{Array, Object, Value};
use crate::media::{FourCc, Reduction};

/// `capsEx`: extended capabilities, a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CapsEx(pub u32);

impl CapsEx {
    /// Follows requests to reconnect.
    pub const RECONNECT: Self = Self(0x01);
    /// Understands multitrack bodies.
    pub const MULTITRACK: Self = Self(0x02);
    /// Understands `ModEx` modifiers.
    pub const MOD_EX: Self = Self(0x04);
    /// Applies offsets in nanoseconds.
    pub const TIMESTAMP_NANO_OFFSET: Self = Self(0x08);
    /// All of them.
    pub const ALL: Self = Self(0x0F);

    /// Whether every bit of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What can be done with a codec, a set of bits (`FourCcInfoMask`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CodecUse(pub u32);

impl CodecUse {
    /// Can decode it.
    pub const DECODE: Self = Self(0x01);
    /// Can encode it.
    pub const ENCODE: Self = Self(0x02);
    /// Can pass it on.
    pub const FORWARD: Self = Self(0x04);
    /// All of them.
    pub const ALL: Self = Self(0x07);

    /// Whether every bit of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// `videoFourCcInfoMap` or `audioFourCcInfoMap`: what can be done with which codec. The key `*` means every codec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodecMap(Vec<(String, CodecUse)>);

impl CodecMap {
    /// The same use for every codec.
    pub fn any(uses: CodecUse) -> Self {
        Self(vec![(ANY.to_owned(), uses)])
    }

    /// The map with one more entry: a FourCC, or `*`.
    #[must_use]
    pub fn with(mut self, codec: impl Into<String>, uses: CodecUse) -> Self {
        self.0.push((codec.into(), uses));
        self
    }

    /// What can be done with a codec: its own entry and that of `*` together.
    pub fn get(&self, codec: FourCc) -> CodecUse {
        let of = |name: &str| name == ANY || codec.as_str() == Some(name);
        let entries = self.0.iter().filter(|(name, _)| of(name));
        entries.fold(CodecUse::default(), |all, (_, uses)| all.union(*uses))
    }

    /// The entries in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, CodecUse)> {
        self.0.iter().map(|(name, uses)| (name.as_str(), *uses))
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The map as an AMF object.
    pub fn to_object(&self) -> Object {
        self.iter()
            .map(|(name, uses)| (name, f64::from(uses.0)))
            .collect()
    }

    fn from_value(value: &Value) -> Option<Self> {
        let entries = value.as_object()?.iter().take(MAX_CODECS);
        let entry = |(name, value): (&str, &Value)| Some((name.to_owned(), CodecUse(bits(value)?)));
        Some(Self(entries.filter_map(entry).collect()))
    }
}

/// The Enhanced RTMP properties of a `connect` command or of its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// `fourCcList` (E-RTMP v1): codecs by FourCC, `*` for all; `None` when it was not sent.
    pub fourcc_list: Option<Vec<String>>,
    /// `videoFourCcInfoMap`; `None` when it was not sent.
    pub video: Option<CodecMap>,
    /// `audioFourCcInfoMap`; `None` when it was not sent.
    pub audio: Option<CodecMap>,
    /// `capsEx`; `None` when it was not sent.
    pub caps_ex: Option<CapsEx>,
}

/// Entries read of a list or map of codecs.
const MAX_CODECS: usize = 64;
const ANY: &str = "*";

impl Capabilities {
    /// Those of a side that does not speak Enhanced RTMP.
    #[cfg(feature = "engine")]
    pub(crate) const NONE: Self = Self {
        fourcc_list: None,
        video: None,
        audio: None,
        caps_ex: None,
    };

    /// Every codec in the same use, and all extended capabilities.
    pub fn any(uses: CodecUse) -> Self {
        Self {
            fourcc_list: Some(vec![ANY.to_owned()]),
            video: Some(CodecMap::any(uses)),
            audio: Some(CodecMap::any(uses)),
            caps_ex: Some(CapsEx::ALL),
        }
    }

    /// Reads the command object of `connect`, or the objects of its answer. Properties of another type than the
    /// specification's count as sent, but say nothing.
    pub fn from_object(object: &Object) -> Self {
        let map = |key: &str| {
            object
                .get(key)
                .map(|value| CodecMap::from_value(value).unwrap_or_default())
        };
        Self {
            fourcc_list: object.get("fourCcList").map(fourcc_list),
            video: map("videoFourCcInfoMap"),
            audio: map("audioFourCcInfoMap"),
            caps_ex: object.get("capsEx").map(|value| CapsEx(bits(value).unwrap_or(0))),
        }
    }

    /// Adds the properties that are there to a command object or an answer.
    pub fn add_to(&self, object: &mut Object) {
        if let Some(list) = &self.fourcc_list {
            let codecs: Array = list.iter().map(|codec| Value::from(codec.as_str())).collect();
            object.insert("fourCcList", Value::Array(codecs));
        }
        for (key, map) in [
            ("videoFourCcInfoMap", &self.video),
            ("audioFourCcInfoMap", &self.audio),
        ] {
            if let Some(map) = map {
                object.insert(key, map.to_object());
            }
        }
        if let Some(caps) = self.caps_ex {
            object.insert("capsEx", f64::from(caps.0));
        }
    }

    /// These, and where they are silent those of `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            fourcc_list: self.fourcc_list.or(other.fourcc_list),
            video: self.video.or(other.video),
            audio: self.audio.or(other.audio),
            caps_ex: self.caps_ex.or(other.caps_ex),
        }
    }

    /// Whether anything of Enhanced RTMP was announced.
    pub fn is_enhanced(&self) -> bool {
        let maps = self.video.is_some() || self.audio.is_some();
        self.fourcc_list.is_some() || maps || self.caps_ex.is_some()
    }

    /// Whether an extended capability was announced.
    pub fn supports(&self, caps: CapsEx) -> bool {
        self.caps_ex.is_some_and(|announced| announced.contains(caps))
    }

    /// What was announced for a video codec; a codec in `fourCcList` counts as decoded.
    pub fn video_codec(&self, codec: FourCc) -> CodecUse {
        self.listed(codec).union(
            self.video
                .as_ref()
                .map_or(CodecUse::default(), |map| map.get(codec)),
        )
    }

    /// What was announced for an audio codec; a codec in `fourCcList` counts as decoded.
    pub fn audio_codec(&self, codec: FourCc) -> CodecUse {
        self.listed(codec).union(
            self.audio
                .as_ref()
                .map_or(CodecUse::default(), |map| map.get(codec)),
        )
    }

    /// What media bodies have to lose so that whoever announced this can read them.
    pub fn reduction(&self) -> Option<Reduction> {
        match (self.supports(CapsEx::MULTITRACK), self.supports(CapsEx::MOD_EX)) {
            (true, true) => None,
            (true, false) => Some(Reduction::Modifiers),
            _ if self.is_enhanced() => Some(Reduction::Multitrack),
            _ => Some(Reduction::Enhanced),
        }
    }

    fn listed(&self, codec: FourCc) -> CodecUse {
        let named = |name: &String| name == ANY || codec.as_str() == Some(name);
        match &self.fourcc_list {
            Some(list) if list.iter().any(named) => CodecUse::DECODE,
            _ => CodecUse::default(),
        }
    }
}

impl fmt::Display for CapsEx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

fn bits(value: &Value) -> Option<u32> {
    let number = value.as_f64()?;
    (0.0..=f64::from(u32::MAX))
        .contains(&number)
        .then_some(number as u32)
}

fn fourcc_list(list: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match (list.as_array(), list.as_object()) {
        (Some(values), _) => values.iter().take(MAX_CODECS).filter_map(text).collect(),
        (None, Some(object)) => object
            .iter()
            .take(MAX_CODECS)
            .filter_map(|(_, value)| text(value))
            .collect(),
        (None, None) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::amf0;

    /// The command object properties of the specification's examples, AMF0.
    const EXAMPLE: &[u8] = b"\x03\
        \x00\x0AfourCcList\x0A\0\0\0\x02\x02\x00\x04av01\x02\x00\x04Opus\
        \x00\x12videoFourCcInfoMap\x03\x00\x01*\x00\x40\x10\0\0\0\0\0\0\x00\x04vp09\x00\x40\x08\0\0\0\0\0\0\0\0\x09\
        \x00\x12audioFourCcInfoMap\x03\x00\x01*\x00\x40\x10\0\0\0\0\0\0\0\0\x09\
        \x00\x06capsEx\x00\x40\x08\0\0\0\0\0\0\
        \0\0\x09";

    fn example() -> Capabilities {
        let vp9 = CodecUse::DECODE.union(CodecUse::ENCODE);
        Capabilities {
            fourcc_list: Some(vec!["av01".to_owned(), "Opus".to_owned()]),
            video: Some(CodecMap::any(CodecUse::FORWARD).with("vp09", vp9)),
            audio: Some(CodecMap::any(CodecUse::FORWARD)),
            caps_ex: Some(CapsEx(3)),
        }
    }

    #[test]
    fn the_properties_of_connect_are_read_and_written() {
        let value = amf0::decode_all(EXAMPLE, &crate::amf::Limits::default())
            .unwrap()
            .remove(0);
        assert_eq!(Capabilities::from_object(value.as_object().unwrap()), example());
        let (mut object, mut bytes) = (Object::new(), Vec::new());
        example().add_to(&mut object);
        amf0::encode(&object.into(), &mut bytes);
        assert_eq!(bytes, EXAMPLE);
    }

    #[test]
    fn the_wildcard_adds_to_a_codecs_own_entry() {
        let example = example();
        assert_eq!(example.video_codec(FourCc::VP09), CodecUse::ALL);
        assert_eq!(
            example.video_codec(FourCc::AV01),
            CodecUse::DECODE.union(CodecUse::FORWARD)
        );
        assert_eq!(example.video_codec(FourCc::HVC1), CodecUse::FORWARD);
        assert!(example.audio_codec(FourCc::OPUS).contains(CodecUse::DECODE));
        assert!(!example.audio_codec(FourCc::FLAC).contains(CodecUse::DECODE));
    }

    #[test]
    fn what_players_can_read_follows_from_what_they_announce() {
        let caps = |bits| Capabilities {
            caps_ex: Some(CapsEx(bits)),
            ..Capabilities::default()
        };
        assert_eq!(Capabilities::default().reduction(), Some(Reduction::Enhanced));
        assert_eq!(caps(0).reduction(), Some(Reduction::Multitrack));
        assert_eq!(caps(2).reduction(), Some(Reduction::Modifiers));
        assert_eq!(caps(6).reduction(), None);
        let list = Capabilities::from_object(&Object::new().with("fourCcList", Value::Null));
        assert_eq!(
            (list.is_enhanced(), list.reduction()),
            (true, Some(Reduction::Multitrack))
        );
    }

    #[test]
    fn wrong_types_say_nothing() {
        let object = Object::new()
            .with("capsEx", "15")
            .with("videoFourCcInfoMap", 7.0)
            .with("fourCcList", -1.0);
        let read = Capabilities::from_object(&object);
        assert_eq!(
            (read.caps_ex, read.video_codec(FourCc::AV01)),
            (Some(CapsEx(0)), CodecUse::default())
        );
        assert_eq!(
            Capabilities::from_object(&Object::new().with("capsEx", -3.0)).caps_ex,
            Some(CapsEx(0))
        );
    }
}
