//! The programs of README.md are built and run as they stand there, but for addresses and files: the first ones let a
//! publisher in who has the key and refuse one who has not, and what stands there about TLS connects by TLS.

use std::net::SocketAddr;
use std::process::Command;

use rtmp_tests::certificates::Certificates;
use rtmp_tests::media;
use rtmp_tests::players::limit;
use rtmp_tests::process::{Process, free_address};
use rtmp_tests::programs::{START, spawn_example};
use rtmp_tests::readme::{blocks, program};

/// The address that the programs listen on in the page.
const ADDRESS: &str = "127.0.0.1:1935";

#[test]
fn the_rust_program_works() {
    works("rust");
}

#[test]
fn the_c_program_works() {
    works("c");
}

#[test]
fn the_cpp_program_works() {
    works("cpp");
}

#[test]
fn the_python_program_works() {
    works("python");
}

#[test]
fn the_python_player_prints_what_is_published() {
    let addr = free_address();
    let parts = [0, 1].map(|number| at(addr, &blocks("# rtmpkit", "python")[number]));
    let Some(server) = program("player_server", "python", &parts[0]) else {
        return;
    };
    let mut server = Process::spawn("first program", server);
    server.wait_for_port(addr, START);
    let player = program("player", "python", &parts[1]).expect("installed, as the server's was");
    let mut player = Process::spawn("player", player);
    let sample = media::h264_aac_short();
    // A publisher may be done before the player has come.
    for _ in 0..5 {
        let mut publisher = spawn_example("publisher", &[sample.as_os_str(), url(addr, "s3cret").as_ref()]);
        publisher.wait_success(limit(media::SHORT_SECONDS));
        if player.log().contains("video") {
            break;
        }
    }
    player.wait_success(START);
    let log = player.log();
    assert!(
        log.contains("video ") && log.contains(" True "),
        "the player printed: {log}"
    );
}

#[test]
fn tls_in_c() {
    connects_by_tls("c", include_str!("readme/tls.c"));
}

#[test]
fn tls_in_cpp() {
    connects_by_tls("cpp", include_str!("readme/tls.cpp"));
}

#[test]
fn tls_in_python() {
    connects_by_tls("python", include_str!("readme/tls.py"));
}

#[test]
fn tls_in_rust() {
    connects_by_tls("rust", include_str!("readme/tls.rs.in"));
}

/// Runs the first program in a language, publishes to it with a wrong key and with the right one.
fn works(language: &str) {
    let addr = free_address();
    let source = at(addr, &blocks("# rtmpkit", language)[0]);
    let Some(server) = program("first", language, &source) else {
        return;
    };
    let mut server = Process::spawn("first program", server);
    server.wait_for_port(addr, START);
    let sample = media::h264_aac_short();
    let publish = |key: &str| {
        let mut publisher = spawn_example("publisher", &[sample.as_os_str(), url(addr, key).as_ref()]);
        let status = publisher.wait(limit(media::SHORT_SECONDS));
        (status.success(), publisher.log())
    };
    let (accepted, log) = publish("guessed");
    assert!(
        !accepted && log.contains("NetStream.Publish.BadName"),
        "a wrong key: {log}"
    );
    let (accepted, log) = publish("s3cret");
    assert!(accepted, "the right key: {log}");
}

/// Runs what the page says about TLS in a language, within a program around it that says `connected` or `failed`: once where
/// the server's issuer is trusted, once where it is not.
fn connects_by_tls(language: &str, around: &str) {
    let addr = free_address();
    let dir = media::scratch(&format!("readme_tls_{language}_certificates"));
    let certificates = Certificates::make(&dir);
    let fragment = blocks("## TLS", language).remove(0);
    let (serving, connecting) = fragment
        .split_once("\n\n")
        .unwrap_or_else(|| panic!("serving, an empty line, connecting: {fragment}"));
    let file = |path: &std::path::Path| format!("{path:?}");
    let serving = replaced(serving, "0.0.0.0:443", &addr.to_string());
    let serving = replaced(&serving, "\"chain.pem\"", &file(&certificates.cert));
    let serving = replaced(&serving, "\"key.pem\"", &file(&certificates.key));
    let connecting = replaced(connecting, "media.example", &addr.to_string());
    let source = replaced(around, "@SERVING@", &serving);
    let source = replaced(&source, "@CONNECTING@", &connecting);
    let Some(mut trusting) = program("tls", language, &source) else {
        return;
    };
    let mut other = Command::new(trusting.get_program());
    other.args(trusting.get_args());
    for (name, value) in trusting.get_envs() {
        other.env(name, value.unwrap_or_default());
    }
    // Whom the system trusts is read from the file that this variable names.
    trusting
        .arg(certificates.ca())
        .env("SSL_CERT_FILE", certificates.ca());
    other
        .env("SSL_CERT_FILE", &certificates.key)
        .env_remove("SSL_CERT_DIR");
    for (command, said) in [(trusting, "connected"), (other, "failed")] {
        let mut process = Process::spawn(said, command);
        process.wait_success(START);
        assert!(process.log().contains(said), "{said}: {}", process.log());
    }
}

/// A program that listens on, or connects to, `addr` instead.
fn at(addr: SocketAddr, source: &str) -> String {
    replaced(source, ADDRESS, &addr.to_string())
}

fn replaced(text: &str, what: &str, by: &str) -> String {
    assert!(text.contains(what), "{what} is not in {text}");
    text.replace(what, by)
}

fn url(addr: SocketAddr, key: &str) -> String {
    format!("rtmp://{addr}/live/cam?key={key}")
}
