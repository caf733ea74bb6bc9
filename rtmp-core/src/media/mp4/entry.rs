//! Sample entries: the codec of a track and what its decoder is set up with (ISO/IEC 14496-12 8.5.2, 14496-14, -15).

use super::boxes::Fields;
use crate::media::{FourCc, MediaKind};

/// What the samples of a track are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SampleEntry {
    pub(super) codec: FourCc,
    /// The configuration as RTMP carries it; empty for codecs that have none.
    pub(super) config: Vec<u8>,
    /// Pixels; 0 for audio.
    pub(super) width: u16,
    pub(super) height: u16,
    /// Of audio, as the entry says it; the configuration may know better.
    pub(super) sample_rate: u32,
    pub(super) channels: u32,
}

/// Entries that are looked at.
const MAX_ENTRIES: usize = 32;
/// Bytes of a video entry before its boxes, and of an audio entry.
const VIDEO_FIELDS: usize = 78;
const AUDIO_FIELDS: usize = 28;
/// What versions 1 and 2 of QuickTime's audio entries have more.
const QUICKTIME_1: usize = 16;
const QUICKTIME_2: usize = 36;
/// Version and flags of a full box.
const FULL: usize = 4;

/// The entries of an `stsd` body; `None` for codecs that RTMP does not carry.
pub(super) fn entries(stsd: &[u8], kind: MediaKind) -> Vec<Option<SampleEntry>> {
    let mut fields = Fields(stsd);
    let Some((version, _)) = fields.full() else {
        return Vec::new();
    };
    fields.u32();
    let boxes = std::iter::from_fn(|| fields.child()).take(MAX_ENTRIES);
    let entry = |(format, body): ([u8; 4], &[u8])| match kind {
        MediaKind::Video => video(format, body),
        MediaKind::Audio => audio(format, body, version),
        MediaKind::Data => None,
    };
    boxes.map(entry).collect()
}

fn video(format: [u8; 4], body: &[u8]) -> Option<SampleEntry> {
    let mut fields = Fields(body);
    let head = fields.bytes(VIDEO_FIELDS)?;
    let mut size = Fields(head.get(24..28)?);
    let (width, height) = (size.u16()?, size.u16()?);
    let (codec, record) = match &format {
        b"avc1" | b"avc3" => (FourCc::AVC1, fields.find(*b"avcC")),
        b"hvc1" | b"hev1" => (FourCc::HVC1, fields.find(*b"hvcC")),
        b"av01" => (FourCc::AV01, fields.find(*b"av1C")),
        b"vp08" => (FourCc::VP08, fields.find(*b"vpcC")),
        b"vp09" => (FourCc::VP09, fields.find(*b"vpcC")),
        b"vvc1" | b"vvi1" => (
            FourCc::VVC1,
            fields.find(*b"vvcC").and_then(|full| full.get(FULL..)),
        ),
        _ => return None,
    };
    Some(SampleEntry {
        codec,
        config: record?.to_vec(),
        width,
        height,
        sample_rate: 0,
        channels: 0,
    })
}

fn audio(format: [u8; 4], body: &[u8], version: u8) -> Option<SampleEntry> {
    let mut fields = Fields(body);
    let mut head = Fields(fields.bytes(AUDIO_FIELDS)?.get(8..)?);
    let layout = head.u16()?;
    head.bytes(6)?;
    let channels = u32::from(head.u16()?);
    head.bytes(6)?;
    let sample_rate = u32::from(head.u16()?);
    match (version, layout) {
        (0, 1) => fields.bytes(QUICKTIME_1)?,
        (0, 2) => fields.bytes(QUICKTIME_2)?,
        _ => &[],
    };
    let (codec, config) = match &format {
        b"mp4a" => elementary(fields)?,
        b".mp3" | b"ms\0\x55" => (FourCc::MP3, Vec::new()),
        b"Opus" => (FourCc::OPUS, opus_head(fields.find(*b"dOps")?)?),
        b"fLaC" => {
            let blocks = fields.find(*b"dfLa")?.get(FULL..)?;
            (FourCc::FLAC, [b"fLaC", blocks].concat())
        }
        b"ac-3" => (FourCc::AC3, Vec::new()),
        b"ec-3" => (FourCc::EC3, Vec::new()),
        _ => return None,
    };
    Some(SampleEntry {
        codec,
        config,
        width: 0,
        height: 0,
        sample_rate,
        channels,
    })
}

/// What an `esds` box says, that QuickTime puts into a `wave` box (ISO/IEC 14496-1 7.2.6).
fn elementary(boxes: Fields<'_>) -> Option<(FourCc, Vec<u8>)> {
    let in_wave = || Fields(boxes.find(*b"wave")?).find(*b"esds");
    let mut fields = Fields(boxes.find(*b"esds").or_else(in_wave)?);
    fields.full()?;
    let mut stream = Fields(descriptor(&mut fields, 3)?);
    stream.u16()?;
    let flags = stream.u8()?;
    if flags & 0x80 != 0 {
        stream.u16()?;
    }
    if flags & 0x40 != 0 {
        let length = stream.u8()?;
        stream.bytes(usize::from(length))?;
    }
    if flags & 0x20 != 0 {
        stream.u16()?;
    }
    let mut decoder = Fields(descriptor(&mut stream, 4)?);
    let object_type = decoder.u8()?;
    decoder.bytes(12)?;
    match object_type {
        // AAC of MPEG-4 and MPEG-2.
        0x40 | 0x66..=0x68 => Some((FourCc::MP4A, descriptor(&mut decoder, 5)?.to_vec())),
        // MPEG-2 and MPEG-1 audio.
        0x69 | 0x6B => Some((FourCc::MP3, Vec::new())),
        0xA5 => Some((FourCc::AC3, Vec::new())),
        0xA6 => Some((FourCc::EC3, Vec::new())),
        _ => None,
    }
}

/// The body of the next descriptor, if it has this tag; its length comes seven bits a byte.
fn descriptor<'a>(fields: &mut Fields<'a>, tag: u8) -> Option<&'a [u8]> {
    if fields.u8()? != tag {
        return None;
    }
    let mut length = 0_usize;
    for _ in 0..4 {
        let byte = fields.u8()?;
        length = length << 7 | usize::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            break;
        }
    }
    // Lengths that say too much are common.
    let length = length.min(fields.0.len());
    fields.bytes(length)
}

/// The ID header of RFC 7845 5.1 out of the box of the Opus binding, whose numbers go the other way round.
fn opus_head(dops: &[u8]) -> Option<Vec<u8>> {
    let mut fields = Fields(dops);
    fields.u8()?;
    let channels = fields.u8()?;
    let (pre_skip, rate, gain) = (fields.u16()?, fields.u32()?, fields.u16()?);
    let family = fields.u8()?;
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels);
    head.extend_from_slice(&pre_skip.to_le_bytes());
    head.extend_from_slice(&rate.to_le_bytes());
    head.extend_from_slice(&gain.to_le_bytes());
    head.push(family);
    if family != 0 {
        head.extend_from_slice(fields.bytes(2 + usize::from(channels))?);
    }
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = (body.len() as u32 + 8).to_be_bytes();
        [&size[..], kind, body].concat()
    }

    fn stsd(format: &[u8; 4], fields: &[u8], boxes: &[Vec<u8>]) -> Vec<u8> {
        let entry = boxed(format, &[fields, &boxes.concat()[..]].concat());
        [&[0, 0, 0, 0, 0, 0, 0, 1][..], &entry].concat()
    }

    fn audio_fields(layout: u8, more: usize) -> Vec<u8> {
        let mut fields = vec![0; 28 + more];
        fields[9] = layout;
        fields[17] = 2;
        fields[24..26].copy_from_slice(&44_100_u16.to_be_bytes());
        fields
    }

    fn one(stsd: &[u8], kind: MediaKind) -> Option<SampleEntry> {
        let mut all = entries(stsd, kind);
        assert_eq!(all.len(), 1);
        all.pop().unwrap()
    }

    #[test]
    fn video_entries_give_size_and_record() {
        let mut fields = [0; 78];
        fields[24..28].copy_from_slice(&[0, 160, 0, 120]);
        let record = [1, 100, 0, 10, 0xFF, 0xE0, 0];
        for (format, record_box, codec) in [
            (b"avc1", b"avcC", FourCc::AVC1),
            (b"hev1", b"hvcC", FourCc::HVC1),
            (b"av01", b"av1C", FourCc::AV01),
        ] {
            let boxes = [boxed(b"pasp", &[0; 8]), boxed(record_box, &record)];
            let entry = one(&stsd(format, &fields, &boxes), MediaKind::Video).unwrap();
            assert_eq!((entry.codec, &entry.config[..]), (codec, &record[..]));
            assert_eq!((entry.width, entry.height), (160, 120));
        }
        let vvc = [boxed(b"vvcC", &[0, 0, 0, 0, 0xFF])];
        assert_eq!(
            one(&stsd(b"vvc1", &fields, &vvc), MediaKind::Video)
                .unwrap()
                .config,
            [0xFF]
        );
        assert_eq!(one(&stsd(b"mp4v", &fields, &[]), MediaKind::Video), None);
        assert_eq!(
            one(&stsd(b"avc1", &fields, &[]), MediaKind::Video),
            None,
            "no record"
        );
        assert_eq!(one(&stsd(b"avc1", &fields[..70], &[]), MediaKind::Video), None);
    }

    /// The descriptors of AAC, 44.1 kHz stereo, with lengths of one byte and of four.
    const ESDS: &[u8] =
        b"\0\0\0\0\x03\x19\0\0\0\x04\x11\x40\x15\0\0\0\0\0\0\0\0\0\0\0\x05\x02\x12\x10\x06\x01\x02";
    const ESDS_LONG: &[u8] =
        b"\0\0\0\0\x03\x80\x80\x80\x22\0\0\0\x04\x80\x80\x80\x14\x40\x15\0\0\0\0\0\0\0\0\0\0\0\x05\x80\x80\x80\x02\x12\x10\x06\x01\x02";

    #[test]
    fn aac_is_found_in_entries_of_all_versions() {
        let wave = boxed(b"wave", &[boxed(b"frma", b"mp4a"), boxed(b"esds", ESDS)].concat());
        for (fields, boxes) in [
            (audio_fields(0, 0), vec![boxed(b"esds", ESDS)]),
            (audio_fields(0, 0), vec![boxed(b"esds", ESDS_LONG)]),
            (audio_fields(1, 16), vec![wave.clone()]),
            (audio_fields(2, 36), vec![wave]),
        ] {
            let entry = one(&stsd(b"mp4a", &fields, &boxes), MediaKind::Audio).unwrap();
            assert_eq!(
                (entry.codec, &entry.config[..]),
                (FourCc::MP4A, &[0x12, 0x10][..])
            );
            assert_eq!((entry.sample_rate, entry.channels), (44_100, 2));
        }
        let mut mp3 = ESDS.to_vec();
        mp3[11] = 0x6B;
        let entry = one(
            &stsd(b"mp4a", &audio_fields(0, 0), &[boxed(b"esds", &mp3)]),
            MediaKind::Audio,
        );
        assert_eq!(entry.unwrap().codec, FourCc::MP3);
        mp3[11] = 0xDD;
        assert_eq!(
            one(
                &stsd(b"mp4a", &audio_fields(0, 0), &[boxed(b"esds", &mp3)]),
                MediaKind::Audio
            ),
            None
        );
    }

    #[test]
    fn opus_and_flac_get_the_headers_that_rtmp_carries() {
        let fields = audio_fields(0, 0);
        let dops = boxed(b"dOps", &[0, 2, 0x01, 0x38, 0, 0, 0xBB, 0x80, 0, 0, 0]);
        let entry = one(&stsd(b"Opus", &fields, &[dops]), MediaKind::Audio).unwrap();
        assert_eq!(entry.config, b"OpusHead\x01\x02\x38\x01\x80\xBB\0\0\0\0\0");
        let dfla = boxed(b"dfLa", &[0, 0, 0, 0, 0x80, 0, 0, 34, 7]);
        let entry = one(&stsd(b"fLaC", &fields, &[dfla]), MediaKind::Audio).unwrap();
        assert_eq!(entry.config, b"fLaC\x80\0\0\x22\x07");
        let entry = one(&stsd(b"ac-3", &fields, &[]), MediaKind::Audio).unwrap();
        assert_eq!((entry.codec, entry.config.len()), (FourCc::AC3, 0));
    }
}
