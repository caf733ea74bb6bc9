//! Control and user control messages byte by byte.

use bytes::Bytes;
use rtmp_core::wire::chunk::{ChunkWriter, Message, MessageType, Output, csid};
use rtmp_core::wire::message::{Control, LimitType, MessageError, UserControl};

use super::{hex, read};

fn wire(message: &Message) -> Vec<u8> {
    let mut out = Output::new();
    assert!(ChunkWriter::new().write(csid::CONTROL, message, &mut out));
    out.take_bytes()
}

#[test]
fn protocol_control_messages() {
    let bandwidth = |limit| Control::SetPeerBandwidth {
        size: 2_500_000,
        limit,
    };
    let cases = [
        (
            "02 000000 000004 01 00000000 00001000",
            Control::SetChunkSize(4096),
        ),
        ("02 000000 000004 02 00000000 00000006", Control::Abort(6)),
        (
            "02 000000 000004 03 00000000 FFFFFFF0",
            Control::Acknowledgement(4_294_967_280),
        ),
        (
            "02 000000 000004 05 00000000 002625A0",
            Control::WindowAckSize(2_500_000),
        ),
        (
            "02 000000 000005 06 00000000 002625A0 02",
            bandwidth(LimitType::Dynamic),
        ),
        (
            "02 000000 000005 06 00000000 002625A0 01",
            bandwidth(LimitType::Soft),
        ),
        (
            "02 000000 000005 06 00000000 002625A0 00",
            bandwidth(LimitType::Hard),
        ),
        (
            "02 000000 000005 06 00000000 002625A0 FF",
            bandwidth(LimitType::Unknown(255)),
        ),
    ];
    for (text, control) in cases {
        assert_eq!(wire(&control.encode()), hex(text));
        assert_eq!(Control::load(&read(&hex(text)).unwrap()[0]), Ok(control));
    }
}

#[test]
fn user_control_messages() {
    let cases = [
        ("0000 00000001", UserControl::StreamBegin(1)),
        ("0001 00000001", UserControl::StreamEof(1)),
        ("0002 00000001", UserControl::StreamDry(1)),
        (
            "0003 00000001 00000BB8",
            UserControl::SetBufferLength {
                stream_id: 1,
                millis: 3000,
            },
        ),
        ("0004 00000001", UserControl::StreamIsRecorded(1)),
        ("0006 00000D0F", UserControl::PingRequest(0xD0F)),
        ("0007 00000D0F", UserControl::PingResponse(0xD0F)),
        ("001A 01", UserControl::SwfVerifyRequest(1)),
        (
            "001B 0101",
            UserControl::SwfVerifyResponse(Bytes::from_static(&[1, 1])),
        ),
        ("001F 00000001", UserControl::BufferEmpty(1)),
        ("0020 00000001", UserControl::BufferReady(1)),
        (
            "0022 01",
            UserControl::Unknown {
                event: 34,
                data: Bytes::from_static(&[1]),
            },
        ),
    ];
    for (text, event) in cases {
        let message = event.encode();
        assert_eq!((message.kind, message.stream_id), (MessageType::USER_CONTROL, 0));
        assert_eq!(message.payload, hex(text));
        assert_eq!(UserControl::load(&message), Ok(event));
    }
}

#[test]
fn short_payloads_are_refused_and_long_ones_accepted() {
    let message = |kind, payload: &str| Message {
        timestamp: 9,
        kind,
        stream_id: 5,
        payload: hex(payload).into(),
    };
    for (kind, payload) in [
        (1, ""),
        (1, "00"),
        (2, "000000"),
        (3, ""),
        (5, "00"),
        (6, "002625"),
    ] {
        let kind = MessageType(kind);
        let found = payload.len() / 2;
        let error = MessageError::TooShort {
            kind,
            found,
            needed: 4,
        };
        assert_eq!(Control::load(&message(kind, payload)), Err(error));
    }
    let long = message(MessageType::SET_CHUNK_SIZE, "0000100099");
    assert_eq!(Control::load(&long), Ok(Control::SetChunkSize(4096)));
    let without_type = message(MessageType::SET_PEER_BANDWIDTH, "002625A0");
    let hard = Control::SetPeerBandwidth {
        size: 2_500_000,
        limit: LimitType::Hard,
    };
    assert_eq!(Control::load(&without_type), Ok(hard));
    for (payload, needed) in [
        ("", 2),
        ("00", 2),
        ("0000", 6),
        ("0006 0000", 6),
        ("0003 00000001 00", 10),
        ("001A", 3),
    ] {
        let event = message(MessageType::USER_CONTROL, payload);
        let error = MessageError::TooShort {
            kind: event.kind,
            found: event.payload.len(),
            needed,
        };
        assert_eq!(UserControl::load(&event), Err(error));
    }
    let audio = message(MessageType::AUDIO, "00000000");
    assert!(matches!(
        Control::load(&audio),
        Err(MessageError::WrongType { .. })
    ));
    assert!(matches!(
        UserControl::load(&audio),
        Err(MessageError::WrongType { .. })
    ));
}
