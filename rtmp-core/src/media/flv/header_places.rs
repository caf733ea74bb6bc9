//! Where a file has headers: an entry of its metadata, for those who go to the middle of it.

use bytes::Bytes;

use crate::amf::Value;
use crate::media::metadata::Metadata;
use crate::media::{FrameFlags, MediaKind, MediaMessage};

/// The places of codec configuration and metadata among the tags of a file, each only where it differs from the last of its
/// kind. Written into room of fixed size; a file with more of them says nothing.
#[derive(Debug, Default)]
pub(super) struct HeaderPlaces {
    places: Vec<u64>,
    too_many: bool,
    last: [Option<Bytes>; 3],
}

/// The name of the entry, as AMF0 has it, and the marker of a strict array.
const NAME: &[u8] = b"\x00\x0Cheaderplaces\x0A";
/// The same as a property.
pub(super) const PROPERTY: &str = "headerplaces";
/// Places that there is room for.
const MOST: usize = 32;
/// Bytes of a number.
const NUMBER: usize = 9;
const COUNT: usize = 4;

impl HeaderPlaces {
    /// Notes a tag whose header is at `position`.
    pub(super) fn note(&mut self, position: u64, message: &MediaMessage, flags: FrameFlags) {
        if !flags.intersects(FrameFlags::CONFIG | FrameFlags::METADATA) {
            return;
        }
        let last = match message.kind {
            MediaKind::Audio => &mut self.last[0],
            MediaKind::Video => &mut self.last[1],
            MediaKind::Data => &mut self.last[2],
        };
        if last.as_ref() == Some(&message.body) {
            return;
        }
        // A copy: what it was read from may be large.
        *last = Some(Bytes::copy_from_slice(&message.body));
        self.too_many |= self.places.len() >= MOST;
        if !self.too_many {
            self.places.push(position);
        }
    }

    /// The AMF0 property, always of the same length: how many there are plus one, and where. 0 says that nothing is known.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(NAME);
        out.extend_from_slice(&(MOST as u32 + 1).to_be_bytes());
        let count = if self.too_many { 0 } else { self.places.len() + 1 };
        let places = self.places.iter().map(|place| *place as f64);
        let numbers = std::iter::once(count as f64).chain(places.chain(std::iter::repeat(0.0)));
        for number in numbers.take(MOST + 1) {
            out.push(0);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }

    /// The property of a file of which nothing is known yet.
    pub(super) fn encode_unknown(out: &mut Vec<u8>) {
        let unknown = Self {
            too_many: true,
            ..Self::default()
        };
        unknown.encode(out);
    }

    /// Where a metadata body has room for the property.
    pub(super) fn find(body: &[u8]) -> Option<usize> {
        let at = body.windows(NAME.len()).position(|window| window == NAME)?;
        let count = body.get(at + NAME.len()..)?.get(..COUNT)?;
        let end = at + NAME.len() + COUNT + (MOST + 1) * NUMBER;
        (count == (MOST as u32 + 1).to_be_bytes() && end <= body.len()).then_some(at)
    }
}

/// Where a file has headers by its metadata, which has to be right about the size of the file; `None` if it does not say.
pub fn header_places(metadata: &Metadata, file_size: u64) -> Option<Vec<u64>> {
    let number = |value: &Value| {
        value
            .as_f64()
            .filter(|number| *number >= 0.0)
            .map(|number| number as u64)
    };
    if metadata.properties.get("filesize").and_then(number) != Some(file_size) {
        return None;
    }
    let numbers = metadata.properties.get(PROPERTY)?.as_array()?;
    let mut numbers = numbers.iter().map(number);
    let count = usize::try_from(numbers.next()??).ok()?.checked_sub(1)?;
    let places: Option<Vec<u64>> = numbers.take(count).collect();
    places.filter(|places| places.len() == count && places.is_sorted())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::Object;

    fn header(body: &'static [u8]) -> MediaMessage {
        MediaMessage::new(MediaKind::Audio, 0, body)
    }

    fn told(places: &HeaderPlaces, file_size: f64) -> Option<Vec<u64>> {
        let mut body = Vec::from(
            Metadata {
                properties: Object::new().with("filesize", file_size),
            }
            .to_body(),
        );
        body.truncate(body.len() - 3);
        assert_eq!(HeaderPlaces::find(&body), None);
        let at = body.len();
        places.encode(&mut body);
        body.extend_from_slice(&[0, 0, 9]);
        assert_eq!(HeaderPlaces::find(&body), Some(at));
        header_places(&Metadata::parse(&body).unwrap(), 1_000)
    }

    #[test]
    fn what_changes_is_noted() {
        let mut places = HeaderPlaces::default();
        assert_eq!(told(&places, 1_000.0), Some(vec![]));
        for (place, body) in [
            (13, b"\xaf\x00\x12\x10"),
            (40, b"\xaf\x00\x12\x10"),
            (90, b"\xaf\x00\x11\x90"),
        ] {
            places.note(place, &header(body), FrameFlags::CONFIG);
        }
        places.note(100, &header(b"\xaf\x01"), FrameFlags::default());
        assert_eq!(told(&places, 1_000.0), Some(vec![13, 90]));
        assert_eq!(told(&places, 999.0), None, "somebody changed the file");
    }

    #[test]
    fn a_file_with_too_many_says_nothing() {
        let mut places = HeaderPlaces::default();
        for place in 0..=MOST as u64 {
            let body: &[u8] = if place % 2 == 0 {
                b"\xaf\x00\x12\x10"
            } else {
                b"\xaf\x00\x11\x90"
            };
            places.note(
                place,
                &MediaMessage::new(MediaKind::Audio, 0, body.to_vec()),
                FrameFlags::CONFIG,
            );
        }
        assert_eq!(told(&places, 1_000.0), None);
    }
}
