//! SWF verification: what the client answers to user control event 26.

use bytes::Bytes;
use rtmp_core::session::{ClientEvent, ClientSession, ClientSessionConfig, Swf};
use rtmp_core::wire::message::user_control::UserControl;

/// SWF Verify Request of type 1 (`00 1A 01`).
const REQUEST: [u8; 15] = [2, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0x1A, 1];

fn client(swf: Option<Swf>) -> ClientSession {
    let config = ClientSessionConfig {
        swf,
        ..ClientSessionConfig::new("live", "rtmp://h/live")
    };
    let mut client = ClientSession::new(config, [2; 32], 0);
    client.connect(0);
    let c1 = client.output().take_bytes()[1..].to_vec();
    let s1: Vec<u8> = [0; 8].into_iter().chain((0..1528).map(|i| i as u8)).collect();
    let hello = [&[3][..], &s1, &c1].concat();
    client.input(Bytes::from(hello), 0).unwrap();
    client.output().clear();
    client
}

#[test]
fn the_answer_is_signed_with_the_end_of_s1() {
    let swf = Swf {
        hash: [9; 32],
        size: 0x0001_0203,
    };
    let mut client = client(Some(swf));
    client.input(Bytes::copy_from_slice(&REQUEST), 0).unwrap();
    let answer = client.output().take_bytes();
    // Bytes 1504 to 1535 of S1.
    let key: Vec<u8> = (1496..1528).map(|i| i as u8).collect();
    let proof = swf.response(key.as_slice().try_into().unwrap());
    let header = [0, 0x1B, 1, 1, 0, 1, 2, 3, 0, 1, 2, 3];
    assert_eq!(answer[answer.len() - 44..][..12], header);
    assert_eq!(answer[answer.len() - 42..], proof);
    assert!(client.poll_event().is_none());
}

#[test]
fn without_a_file_and_for_other_types_the_host_is_asked() {
    let swf = Swf {
        hash: [9; 32],
        size: 1,
    };
    for (swf, kind) in [(None, 1), (Some(swf), 2)] {
        let mut client = client(swf);
        let mut request = REQUEST;
        request[14] = kind;
        client.input(Bytes::copy_from_slice(&request), 0).unwrap();
        assert!(client.output().is_empty());
        assert!(matches!(
            client.poll_event(),
            Some(ClientEvent::UserControl(UserControl::SwfVerifyRequest(asked))) if asked == kind
        ));
    }
}
