//! Shared objects on the wire: the bytes of the notes, and clients that misbehave.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Sender, channel};

use parking_lot::Mutex;
use rtmp_core::session::{ClientEvent, ClientSession, ClientSessionConfig};
use rtmp_core::wire::message::{Message, MessageType};
use rtmp_core::{AcceptAll, ApplicationHandler, Client, Status};

use crate::shared_object::{host, instance};
use crate::support::{PATIENCE, Served, serve};
use crate::wire::hex;

/// A client that sends what it is told to, and shows what it gets.
struct Raw {
    socket: TcpStream,
    session: ClientSession,
}

impl Raw {
    fn connect(served: &Served) -> Self {
        let address = served.url.trim_start_matches("rtmp://").trim_end_matches("/live");
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let config = ClientSessionConfig::new("live", &served.url);
        let mut raw = Self {
            socket,
            session: ClientSession::new(config, [7; 32], 0),
        };
        raw.session.connect(0);
        while !raw.session.is_connected() {
            raw.read();
        }
        raw
    }

    fn read(&mut self) {
        let out = self.session.output().take_bytes();
        self.socket.write_all(&out).unwrap();
        let mut buffer = [0; 4096];
        let count = self.socket.read(&mut buffer).unwrap();
        assert!(count > 0, "disconnected");
        let data = bytes::Bytes::copy_from_slice(&buffer[..count]);
        self.session.input(data, 0).unwrap();
    }

    /// Sends a message of type 19 in hexadecimal digits.
    fn say(&mut self, digits: &str) {
        let message = Message::control(MessageType::SHARED_OBJECT, hex(digits));
        assert!(self.session.send_message(&message));
        let out = self.session.output().take_bytes();
        self.socket.write_all(&out).unwrap();
    }

    fn hears(&mut self, digits: &str) {
        loop {
            match self.session.poll_event() {
                Some(ClientEvent::SharedObject { message }) => {
                    assert_eq!(message.kind, MessageType::SHARED_OBJECT);
                    return assert_eq!(message.payload, hex(digits));
                }
                Some(_) => {}
                None => self.read(),
            }
        }
    }
}

const USE: &str = "000463686174 00000000 00000000 00000000 01 00000000";
const EMPTY: &str = "000463686174 00000001 00000000 00000000 0b 00000000 08 00000000";

/// The diagram of RTMP 1.0 7.3.2: create and connect, set a property, broadcast a message.
#[test]
fn section_7_3_2_broadcast_a_shared_object_message() {
    let served = serve(AcceptAll, 2);
    let mut client = Raw::connect(&served);
    client.say(USE);
    client.hears(EMPTY);
    // RequestChange of n to 1; Success.
    client.say("000463686174 00000001 00000000 00000000 03 0000000c 00016e 003ff0000000000000");
    client.hears("000463686174 00000002 00000000 00000000 05 00000003 00016e");
    // SendMessage msg("hi"), and the same back.
    let message = "000463686174 00000002 00000000 00000000 06 0000000b 0200036d7367 0200026869";
    client.say(message);
    client.hears(message);
}

/// The worked exchange of the protocol notes on shared objects.
#[test]
fn the_bytes_on_the_wire_are_those_of_the_notes() {
    let served = serve(AcceptAll, 2);
    let (mut a, mut b) = (Raw::connect(&served), Raw::connect(&served));
    a.say(USE);
    a.hears(EMPTY);
    a.say("000463686174 00000001 00000000 00000000 03 0000000c 00016e 003ff0000000000000");
    a.hears("000463686174 00000002 00000000 00000000 05 00000003 00016e");
    b.say(USE);
    b.hears(
        "000463686174 00000002 00000000 00000000 0b00000000 0800000000 04 0000000c 00016e 003ff0000000000000",
    );
    b.say("000463686174 00000002 00000000 00000000 03 0000000c 00016e 004000000000000000");
    b.hears("000463686174 00000003 00000000 00000000 05 00000003 00016e");
    a.hears("000463686174 00000003 00000000 00000000 04 0000000c 00016e 004000000000000000");
    let message =
        "000463686174 00000003 00000000 00000000 06 00000014 0200036d7367 0200026869 003ff0000000000000";
    a.say(message);
    a.hears(message);
    b.hears(message);
    a.say("000463686174 00000003 00000000 00000000 0a 00000003 00016e");
    let removed = "000463686174 00000004 00000000 00000000 09 00000003 00016e";
    a.hears(removed);
    b.hears(removed);
    // What a client has no business to ask, or to say.
    let mut c = Raw::connect(&served);
    c.say("000463686174 00000004 00000000 00000000 0a 00000003 00016e");
    c.hears(
        "000463686174 00000000 00000000 00000000 07 00000023
         001a 5368617265644f626a6563742e4e6f5772697465416363657373 0005 6572726f72",
    );
    a.say("000463686174 00000004 00000000 00000000 04 00000005 000178 0101 0800000000 09 00000003 00016e");
    a.say("000463686174 00000004 00000000 00000000 03 00000005 000178 0101");
    a.hears("000463686174 00000005 00000000 00000000 05 00000003 000178");
}

#[test]
fn an_unreadable_message_is_reported_and_the_client_stays() {
    struct Reporting(Mutex<Sender<String>>);
    impl ApplicationHandler for Reporting {
        fn on_error(&self, _: &Client, status: &Status) {
            self.0.lock().send(status.description.clone()).unwrap();
        }
    }
    let (sender, errors) = channel();
    let served = serve(Reporting(Mutex::new(sender)), 2);
    let mut a = Raw::connect(&served);
    // The event says that it is longer than what there is.
    a.say("000463686174 00000000 00000000 00000000 01 00000009");
    let error = errors.recv_timeout(PATIENCE).unwrap();
    assert_eq!(error, "shared object message is cut short at byte 23");
    a.say(USE);
    a.hears(EMPTY);
}

#[test]
fn a_client_that_leaves_in_the_middle_is_forgotten() {
    let served = serve(AcceptAll, 2);
    let (object, _at_host) = host(&served, "chat", false);
    let mut stays = Raw::connect(&served);
    stays.say(USE);
    stays.hears(EMPTY);
    object.lock().unwrap();
    for _ in 0..20 {
        let mut leaves = Raw::connect(&served);
        leaves.say(USE);
        leaves.say("000463686174 00000001 00000000 00000000 03 00000005 000178 0101");
    }
    while instance(&served).clients().len() > 1 {
        std::thread::yield_now();
    }
    object.set("n", 1).unwrap();
    object.unlock().unwrap();
    stays.hears("000463686174 00000002 00000000 00000000 04 0000000c 00016e 003ff0000000000000");
    assert_eq!((object.subscribers(), object.version()), (1, 2));
}
