//! What is in a media file, packet by packet, and whether a player got what a publisher sent.

use std::path::Path;
use std::process::Command;

/// The packets of a file in the order they stand in it, and the codec configuration of its streams.
#[derive(Debug, Default)]
pub struct Packets {
    /// Codec and hash of the configuration of each stream, audio before video.
    pub streams: Vec<Stream>,
    /// Every packet.
    pub packets: Vec<Packet>,
}

/// What a decoder is set up with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stream {
    /// `audio` or `video`.
    pub kind: String,
    /// FFmpeg's name of the codec.
    pub codec: String,
    /// Hash of the sequence header, empty when the codec has none.
    pub configuration: String,
}

/// One packet. Times are milliseconds as they stand in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// `audio` or `video`.
    pub kind: String,
    /// Presentation time.
    pub pts: i64,
    /// Decoding time: the timestamp of the RTMP message.
    pub dts: i64,
    /// Whether decoding can begin here.
    pub keyframe: bool,
    /// Hash of the payload.
    pub hash: String,
}

/// How much of what was published a player did not get, all of it before it joined.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing {
    /// Video packets.
    pub video: usize,
    /// Audio packets.
    pub audio: usize,
}

impl Packets {
    /// Reads a file of any container with ffprobe, for what our server makes of it: times are rounded to milliseconds, and are
    /// later by as much as the first is below 0.
    pub fn in_ms(file: &Path) -> Self {
        Self::probe(file, "pts_time,dts_time").from_zero()
    }

    /// The same packets, later by as much as the first is below 0.
    pub fn from_zero(mut self) -> Self {
        let least = self.packets.iter().map(|packet| packet.dts).min().unwrap_or(0);
        for packet in &mut self.packets {
            packet.pts -= least.min(0);
            packet.dts -= least.min(0);
        }
        self
    }

    /// Reads an FLV file with ffprobe.
    pub fn of(file: &Path) -> Self {
        Self::probe(file, "pts,dts")
    }

    fn probe(file: &Path, times: &str) -> Self {
        let mut command = Command::new("ffprobe");
        command.args([
            "-v",
            "error",
            "-show_data_hash",
            "sha256",
            "-of",
            "compact=nokey=0:print_section=1",
        ]);
        let entries =
            format!("packet=codec_type,{times},flags,data_hash:stream=codec_type,codec_name,extradata_hash");
        command.args(["-show_entries", &entries]);
        let output = command
            .arg(file)
            .output()
            .unwrap_or_else(|e| panic!("cannot run ffprobe: {e}"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "ffprobe cannot read {}: {errors}",
            file.display()
        );
        let packets = Self::parse(&String::from_utf8_lossy(&output.stdout));
        assert!(
            !packets.packets.is_empty(),
            "no packet in {}: {errors}",
            file.display()
        );
        packets
    }

    /// Reads ffprobe's compact form, times in milliseconds or, as `pts_time`, in seconds: one `packet|key=value|...` or `stream|key=value|...` per line.
    pub fn parse(text: &str) -> Self {
        let mut all = Self::default();
        // What stands beside a packet (samples to skip) makes ffprobe break its line.
        for line in text.replace("|side_data|\n|", "|").lines() {
            let (section, rest) = line.split_once('|').unwrap_or((line, ""));
            let value = |key: &str| {
                let found = rest
                    .split('|')
                    .find_map(|f| f.strip_prefix(key)?.strip_prefix('='));
                found.unwrap_or_default().to_owned()
            };
            let time = |key: &str| {
                let seconds: Option<f64> = value(&format!("{key}_time")).parse().ok();
                let ms = seconds.map(|seconds| (seconds * 1000.0).round() as i64);
                ms.or_else(|| value(key).parse().ok()).unwrap_or(i64::MIN)
            };
            // rtmpdump also writes what a server says of itself (`onStatus`, `|RtmpSampleAccess`), which ffprobe takes for
            // streams of data and subtitles.
            if !matches!(value("codec_type").as_str(), "audio" | "video") {
                continue;
            }
            match section {
                "packet" => all.packets.push(Packet {
                    kind: value("codec_type"),
                    pts: time("pts"),
                    dts: time("dts"),
                    keyframe: value("flags").starts_with('K'),
                    hash: value("data_hash"),
                }),
                "stream" => all.streams.push(Stream {
                    kind: value("codec_type"),
                    codec: value("codec_name"),
                    configuration: value("extradata_hash"),
                }),
                _ => {}
            }
        }
        all.streams.sort();
        all
    }

    /// These without the last `most` of a kind at most, as many as make them as many as `played` has.
    pub fn cut_to(mut self, played: &Self, most: usize) -> Self {
        for kind in ["video", "audio"] {
            let missing = self.of_kind(kind).count() - played.of_kind(kind).count();
            assert!(missing <= most, "{kind}: {missing} packets are missing");
            for _ in 0..missing {
                let last = self.packets.iter().rposition(|packet| packet.kind == kind);
                self.packets.remove(last.expect("one is missing"));
            }
        }
        self
    }

    /// The packets of one kind, in order.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Packet> {
        self.packets.iter().filter(move |p| p.kind == kind)
    }
}

/// Panics unless `played` is what was `published` from a key frame on to the end: same codec configuration, and per kind
/// a contiguous tail with payload and timestamps identical. Returns what is missing before it.
pub fn assert_tail(published: &Packets, played: &Packets) -> Missing {
    assert_eq!(published.streams, played.streams, "codec configuration differs");
    let first_video = played.of_kind("video").next().expect("no video was played");
    assert!(
        first_video.keyframe,
        "the first video packet played is no key frame: {first_video:?}"
    );
    let missing = Missing {
        video: tail(published, played, "video"),
        audio: tail(published, played, "audio"),
    };
    if let Some(first_audio) = played.of_kind("audio").next() {
        let gap = first_audio.dts - first_video.dts;
        assert!(gap.abs() < 500, "audio begins {gap} ms after the first key frame");
    }
    missing
}

/// As [`assert_tail`], and nothing at all is missing.
pub fn assert_whole(published: &Packets, played: &Packets) {
    let missing = assert_tail(published, played);
    assert_eq!(
        missing,
        Missing { video: 0, audio: 0 },
        "the beginning is missing"
    );
}

fn tail(published: &Packets, played: &Packets, kind: &str) -> usize {
    let sent: Vec<&Packet> = published.of_kind(kind).collect();
    let got: Vec<&Packet> = played.of_kind(kind).collect();
    assert!(
        got.len() <= sent.len(),
        "{kind}: {} packets played of {} published",
        got.len(),
        sent.len()
    );
    assert!(
        sent.is_empty() || !got.is_empty(),
        "{kind}: nothing played of {} packets",
        sent.len()
    );
    // Where it starts is found from the front, so that a lost end is told as what it is.
    let missing = sent.iter().position(|p| got.first() == Some(p)).unwrap_or(0);
    for (i, (sent, got)) in sent[missing..].iter().zip(&got).enumerate() {
        assert_eq!(
            sent,
            got,
            "{kind}: packet {i} played differs from packet {} published",
            missing + i
        );
    }
    assert_eq!(sent.len() - missing, got.len(), "{kind}: the end is missing");
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHED: &str = "\
packet|codec_type=video|pts=67|dts=0|flags=K_|data_hash=SHA256:aa
packet|codec_type=audio|pts=46|dts=46|flags=K_|data_hash=SHA256:bb
packet|codec_type=video|pts=100|dts=33|flags=__|data_hash=SHA256:cc
packet|codec_type=video|pts=167|dts=67|flags=K_|data_hash=SHA256:dd
packet|codec_type=audio|pts=69|dts=69|flags=K_|data_hash=SHA256:ee
stream|codec_name=h264|codec_type=video|extradata_hash=SHA256:01
stream|codec_name=aac|codec_type=audio|extradata_hash=SHA256:02
";

    fn without(lines: &[usize]) -> Packets {
        let kept = PUBLISHED.lines().enumerate().filter(|(i, _)| !lines.contains(i));
        Packets::parse(&kept.map(|(_, l)| l).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn the_same_packets_are_whole() {
        assert_whole(&Packets::parse(PUBLISHED), &without(&[]));
    }

    #[test]
    fn a_tail_from_a_key_frame_tells_what_is_missing() {
        let missing = assert_tail(&Packets::parse(PUBLISHED), &without(&[0, 1, 2]));
        assert_eq!(missing, Missing { video: 2, audio: 1 });
    }

    #[test]
    #[should_panic(expected = "no key frame")]
    fn a_tail_that_begins_between_key_frames_is_refused() {
        assert_tail(&Packets::parse(PUBLISHED), &without(&[0]));
    }

    #[test]
    #[should_panic(expected = "differs from packet 1")]
    fn a_hole_is_refused() {
        assert_tail(&Packets::parse(PUBLISHED), &without(&[2]));
    }

    #[test]
    #[should_panic(expected = "the end is missing")]
    fn a_lost_end_is_refused() {
        assert_tail(&Packets::parse(PUBLISHED), &without(&[3]));
    }

    #[test]
    #[should_panic(expected = "codec configuration differs")]
    fn another_configuration_is_refused() {
        let played = PUBLISHED.replace("SHA256:02", "SHA256:03");
        assert_tail(&Packets::parse(PUBLISHED), &Packets::parse(&played));
    }
}
