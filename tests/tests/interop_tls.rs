//! RTMPS with other people's programs: FFmpeg and rtmpdump against our server, our client against nginx, OpenSSL's client
//! as a peer that does not fit.

use std::io::Write;
use std::process::{Command, Stdio};

use rtmp_tests::certificates::Certificates;
use rtmp_tests::media;
use rtmp_tests::nginx::Nginx;
use rtmp_tests::packets::{Packets, assert_tail, assert_whole};
use rtmp_tests::players::{
    ffmpeg_play, ffmpeg_play_with, ffmpeg_publish_with, limit, rtmpdump_play, wait_until_playing,
    wait_until_published,
};
use rtmp_tests::process::Process;
use rtmp_tests::programs::{Server, example};

#[test]
fn p17_ffmpeg_and_rtmpdump_pass_every_packet_by_tls() {
    let dir = media::scratch("interop_tls_ffmpeg");
    let certificates = Certificates::make(&dir);
    let server = Server::with_scheme("rtmps", &certificates.server_args());
    let (url, sample) = (server.url("cam"), media::h264_aac());
    let ca = certificates.ca();
    let verified = ["-tls_verify", "1", "-ca_file", ca];

    let early = dir.join("early.flv");
    let mut rtmpdump = rtmpdump_play(&url, &early);
    wait_until_playing(&rtmpdump);
    let mut publisher = ffmpeg_publish_with(&sample, &url, &verified);
    wait_until_published(&publisher);
    let late = dir.join("late.flv");
    let mut player = ffmpeg_play_with(&url, &late, &verified);
    publisher.wait_success(limit(media::LONG_SECONDS));

    let published = Packets::of(&sample);
    rtmpdump.wait_success(limit(0));
    assert_whole(&published, &Packets::of(&early));
    player.wait_success(limit(0));
    assert_tail(&published, &Packets::of(&late));
}

/// A client program of ours that trusts the issuer of the tests: the system's certificates are where this variable says.
fn ours(name: &str, certificates: &Certificates, args: &[&str]) -> Process {
    let mut command = Command::new(example(name));
    command.env("SSL_CERT_FILE", &certificates.ca).args(args);
    Process::spawn(name, command)
}

#[test]
fn p17_our_client_publishes_by_tls_to_nginx() {
    let dir = media::scratch("interop_tls_nginx");
    let certificates = Certificates::make(&dir);
    let nginx = Nginx::start_with_tls(&dir, &certificates);
    let (sample, out) = (media::h264_aac(), dir.join("out.flv"));
    let mut player = ffmpeg_play(&nginx.url("cam"), &out);
    nginx.wait_for_player();
    let file = sample.to_str().expect("scratch paths are text");
    let mut publisher = ours("publisher", &certificates, &[file, &nginx.tls_url("cam")]);
    publisher.wait_success(limit(media::LONG_SECONDS));
    player.wait_success(limit(0));
    assert_whole(&Packets::of(&sample), &Packets::of(&out));
}

/// What OpenSSL's client prints, given arguments and input.
fn s_client(server: &Server, args: &[&str], input: &[u8]) -> String {
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &server.addr.to_string()])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is not installed: run tests/setup.sh");
    let mut stdin = client.stdin.take().expect("it is piped");
    // It may have given up before it reads.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = client.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn openssl_finds_modern_versions_a_right_chain_and_nothing_else() {
    let dir = media::scratch("interop_tls_openssl");
    let certificates = Certificates::make(&dir);
    let server = Server::with_scheme("rtmps", &certificates.server_args());
    let ca = certificates.ca();
    for version in ["-tls1_2", "-tls1_3"] {
        let said = s_client(&server, &[version, "-CAfile", ca, "-verify_ip", "127.0.0.1"], b"");
        assert!(said.contains("Verify return code: 0 (ok)"), "{version}: {said}");
    }
    // A name that the server has no certificate for is no reason to refuse: it shows the first.
    let said = s_client(&server, &["-servername", "other.example", "-CAfile", ca], b"");
    assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
    for old in [
        &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..],
        &["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
    ] {
        let said = s_client(&server, old, b"");
        assert!(said.contains("Cipher is (NONE)"), "{old:?}: {said}");
    }
    // Weak or unknown suites, and no offer of ALPN is taken up.
    let said = s_client(&server, &["-tls1_2", "-cipher", "AES128-SHA"], b"");
    assert!(said.contains("Cipher is (NONE)"), "{said}");
    let said = s_client(&server, &["-alpn", "h2,http/1.1"], b"");
    assert!(said.contains("No ALPN negotiated"), "{said}");
    // What is no RTMP within TLS ends that connection, and the next is served.
    let said = s_client(&server, &["-quiet"], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(!said.contains("HTTP/1"), "{said}");
    let said = s_client(&server, &["-CAfile", ca], b"");
    assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
}
