//! Video metadata packets and the colour information in them (E-RTMP v2 "Metadata Frame").

use crate::amf::{Limits, Object, Value, amf0};

/// The payload of a video metadata packet: names and values. The only name defined is `colorInfo`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VideoMetadata {
    /// The pairs in their order.
    pub entries: Vec<(String, Value)>,
}

/// How the colours of the pictures that follow are meant. What is `None` was not said; when nothing is said, the
/// colours go back to those of the bitstream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ColorInfo {
    /// `colorConfig`.
    pub config: Option<ColorConfig>,
    /// `hdrCll`: light levels of the content.
    pub light: Option<LightLevel>,
    /// `hdrMdcv`: the display that the content was mastered on.
    pub mastering: Option<MasteringDisplay>,
}

/// `colorConfig`: indices into the tables of ISO/IEC 23091-4 (ITU-T H.273).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ColorConfig {
    /// `bitDepth`: bits per colour channel, 8, 10 or 12.
    pub bit_depth: Option<f64>,
    /// `colorPrimaries`, 0 to 255.
    pub primaries: Option<f64>,
    /// `transferCharacteristics`, 0 to 255: 16 is PQ, 18 is HLG.
    pub transfer: Option<f64>,
    /// `matrixCoefficients`, 0 to 255.
    pub matrix: Option<f64>,
}

/// `hdrCll`, in cd/m2, 0.0001 to 10,000.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LightLevel {
    /// `maxFall`: the highest average of a frame.
    pub max_frame_average: Option<f64>,
    /// `maxCLL`: the brightest pixel.
    pub max_content: Option<f64>,
}

/// `hdrMdcv`: CIE 1931 coordinates and luminances in cd/m2 (SMPTE ST 2086).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MasteringDisplay {
    /// `redX`, `redY`.
    pub red: (Option<f64>, Option<f64>),
    /// `greenX`, `greenY`.
    pub green: (Option<f64>, Option<f64>),
    /// `blueX`, `blueY`.
    pub blue: (Option<f64>, Option<f64>),
    /// `whitePointX`, `whitePointY`.
    pub white_point: (Option<f64>, Option<f64>),
    /// `maxLuminance`, 5 to 10,000.
    pub max_luminance: Option<f64>,
    /// `minLuminance`, 0.0001 to 5.
    pub min_luminance: Option<f64>,
}

const COLOR_INFO: &str = "colorInfo";
/// Pairs read of one packet.
const MAX_ENTRIES: usize = 64;

impl VideoMetadata {
    /// Reads the payload of a metadata packet: AMF0, in which values may switch to AMF3. What follows a value that
    /// cannot be read is left out.
    pub fn parse(payload: &[u8]) -> Self {
        let mut decoder = amf0::Decoder::new(payload, Limits::default()).allow_open_end(true);
        let mut entries = Vec::new();
        while entries.len() < MAX_ENTRIES
            && let Ok(Value::String(name)) = decoder.decode()
            && let Ok(value) = decoder.decode()
        {
            entries.push((name.to_string(), value));
        }
        Self { entries }
    }

    /// A packet of colour information alone.
    pub fn color(info: &ColorInfo) -> Self {
        let entries = vec![(COLOR_INFO.to_owned(), info.to_value())];
        Self { entries }
    }

    /// The payload of a metadata packet, AMF0.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in &self.entries {
            amf0::encode(&Value::from(name.as_str()), &mut out);
            amf0::encode(value, &mut out);
        }
        out
    }

    /// The colour information, if the packet has some; the last when it has several.
    pub fn color_info(&self) -> Option<ColorInfo> {
        let found = self.entries.iter().rfind(|(name, _)| name == COLOR_INFO);
        found.map(|(_, value)| ColorInfo::from_value(value))
    }
}

impl ColorInfo {
    /// Reads a `colorInfo` value. Undefined, null, an empty object or anything else says nothing.
    pub fn from_value(value: &Value) -> Self {
        let part = |key: &str| value.get(key).and_then(Value::as_object);
        Self {
            config: part("colorConfig").map(ColorConfig::from_object),
            light: part("hdrCll").map(LightLevel::from_object),
            mastering: part("hdrMdcv").map(MasteringDisplay::from_object),
        }
    }

    /// The `colorInfo` value; undefined, as recommended, when nothing is said.
    pub fn to_value(&self) -> Value {
        if self.is_reset() {
            return Value::Undefined;
        }
        let mut object = Object::new();
        let parts = [
            ("colorConfig", self.config.map(|config| config.to_object())),
            ("hdrCll", self.light.map(|light| light.to_object())),
            ("hdrMdcv", self.mastering.map(|mastering| mastering.to_object())),
        ];
        for (key, part) in parts {
            if let Some(part) = part {
                object.insert(key, part);
            }
        }
        object.into()
    }

    /// Whether nothing is said: the colours go back to those of the bitstream.
    pub fn is_reset(&self) -> bool {
        *self == Self::default()
    }
}

impl ColorConfig {
    fn from_object(object: &Object) -> Self {
        Self {
            bit_depth: number(object, "bitDepth"),
            primaries: number(object, "colorPrimaries"),
            transfer: number(object, "transferCharacteristics"),
            matrix: number(object, "matrixCoefficients"),
        }
    }

    fn to_object(self) -> Object {
        numbers([
            ("bitDepth", self.bit_depth),
            ("colorPrimaries", self.primaries),
            ("transferCharacteristics", self.transfer),
            ("matrixCoefficients", self.matrix),
        ])
    }
}

impl LightLevel {
    fn from_object(object: &Object) -> Self {
        Self {
            max_frame_average: number(object, "maxFall"),
            max_content: number(object, "maxCLL"),
        }
    }

    fn to_object(self) -> Object {
        numbers([("maxFall", self.max_frame_average), ("maxCLL", self.max_content)])
    }
}

impl MasteringDisplay {
    fn from_object(object: &Object) -> Self {
        let point = |x, y| (number(object, x), number(object, y));
        Self {
            red: point("redX", "redY"),
            green: point("greenX", "greenY"),
            blue: point("blueX", "blueY"),
            white_point: point("whitePointX", "whitePointY"),
            max_luminance: number(object, "maxLuminance"),
            min_luminance: number(object, "minLuminance"),
        }
    }

    fn to_object(self) -> Object {
        numbers([
            ("redX", self.red.0),
            ("redY", self.red.1),
            ("greenX", self.green.0),
            ("greenY", self.green.1),
            ("blueX", self.blue.0),
            ("blueY", self.blue.1),
            ("whitePointX", self.white_point.0),
            ("whitePointY", self.white_point.1),
            ("maxLuminance", self.max_luminance),
            ("minLuminance", self.min_luminance),
        ])
    }
}

fn number(object: &Object, key: &str) -> Option<f64> {
    object.get(key)?.as_f64().filter(|number| number.is_finite())
}

fn numbers<const N: usize>(members: [(&str, Option<f64>); N]) -> Object {
    let said = members
        .into_iter()
        .filter_map(|(key, number)| Some((key, number?)));
    said.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `colorInfo` with BT.2020 primaries, PQ, and light levels of 1000 and 400 cd/m2.
    const PAYLOAD: &[u8] = b"\x02\x00\x09colorInfo\x03\
        \x00\x0BcolorConfig\x03\
        \x00\x08bitDepth\x00\x40\x24\0\0\0\0\0\0\
        \x00\x0EcolorPrimaries\x00\x40\x22\0\0\0\0\0\0\
        \x00\x17transferCharacteristics\x00\x40\x30\0\0\0\0\0\0\
        \x00\x12matrixCoefficients\x00\x40\x22\0\0\0\0\0\0\
        \0\0\x09\
        \x00\x06hdrCll\x03\
        \x00\x07maxFall\x00\x40\x79\0\0\0\0\0\0\
        \x00\x06maxCLL\x00\x40\x8F\x40\0\0\0\0\0\
        \0\0\x09\
        \0\0\x09";

    fn info() -> ColorInfo {
        ColorInfo {
            config: Some(ColorConfig {
                bit_depth: Some(10.0),
                primaries: Some(9.0),
                transfer: Some(16.0),
                matrix: Some(9.0),
            }),
            light: Some(LightLevel {
                max_frame_average: Some(400.0),
                max_content: Some(1000.0),
            }),
            mastering: None,
        }
    }

    #[test]
    fn colour_information_is_read_and_written() {
        assert_eq!(VideoMetadata::parse(PAYLOAD).color_info(), Some(info()));
        assert_eq!(VideoMetadata::color(&info()).to_bytes(), PAYLOAD);
    }

    #[test]
    fn every_property_of_the_mastering_display_survives() {
        let point = |x| (Some(x), Some(x / 2.0));
        let mastering = MasteringDisplay {
            red: point(0.7),
            green: point(0.2),
            blue: point(0.1),
            white_point: point(0.3),
            max_luminance: Some(1000.0),
            min_luminance: Some(0.0001),
        };
        let info = ColorInfo {
            mastering: Some(mastering),
            ..ColorInfo::default()
        };
        let read = VideoMetadata::parse(&VideoMetadata::color(&info).to_bytes());
        assert_eq!(read.color_info(), Some(info));
        let Value::Object(object) = &read.entries[0].1 else {
            panic!("{read:?}")
        };
        assert_eq!(
            object
                .get("hdrMdcv")
                .unwrap()
                .get("whitePointY")
                .unwrap()
                .as_f64(),
            Some(0.15)
        );
    }

    #[test]
    fn undefined_and_empty_reset_the_colours() {
        let reset = VideoMetadata::color(&ColorInfo::default()).to_bytes();
        assert_eq!(reset, b"\x02\x00\x09colorInfo\x06");
        for payload in [&reset[..], b"\x02\x00\x09colorInfo\x03\0\0\x09"] {
            assert!(VideoMetadata::parse(payload).color_info().unwrap().is_reset());
        }
        assert_eq!(VideoMetadata::parse(b"\x02\x00\x05other\x05").color_info(), None);
        assert_eq!(VideoMetadata::parse(b"\x02\x00\x09colorIn").color_info(), None);
    }

    #[test]
    fn values_may_be_in_the_amf3_form() {
        // The avmplus marker, a dynamic object without class, colorConfig: the same with bitDepth 8 as an integer.
        let payload =
            b"\x02\x00\x09colorInfo\x11\x0A\x0B\x01\x17colorConfig\x0A\x01\x11bitDepth\x04\x08\x01\x01";
        let config = VideoMetadata::parse(payload)
            .color_info()
            .unwrap()
            .config
            .unwrap();
        assert_eq!((config.bit_depth, config.transfer), (Some(8.0), None));
    }
}
