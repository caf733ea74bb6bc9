//! A server that takes every application: whoever comes may publish, whoever comes may play.
//!
//! `cargo run --release --example server -- --listen 127.0.0.1:1935 [--listen ...] [--workers N]
//! [--latency low_latency|balanced|throughput] [--no-io-uring] [--no-gop-cache] [--cert CHAIN.pem --key KEY.pem]`
//!
//! With a certificate it also listens by TLS: `--listen rtmps://127.0.0.1:4443`.

mod support;

use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rtmp_core::{
    ApplicationConfig, ApplicationHandler, Client, Engine, EngineConfig, Latency, PlayRequest,
    PublishRequest, Server, ServerConfig, Status, Stream, TlsIdentity,
};

/// Accepts everything, as a handler does that overrides nothing, and logs who comes and goes (`RUST_LOG=info`).
struct Log;

impl ApplicationHandler for Log {
    fn on_publish(&self, request: PublishRequest) {
        log::info!(
            "{} publishes {}",
            request.client().address(),
            request.stream_name()
        );
        request.accept();
    }

    fn on_unpublish(&self, client: &Client, stream: &Stream) {
        log::info!("{} stopped publishing {}", client.address(), stream.name());
    }

    fn on_play(&self, request: PlayRequest) {
        log::info!("{} plays {}", request.client().address(), request.stream_name());
        request.accept();
    }

    fn on_disconnect(&self, client: &Client, why: &Status) {
        log::info!("{} left: {}", client.address(), why.description);
    }
}

struct Args {
    listen: Vec<String>,
    workers: usize,
    latency: Latency,
    io_uring: bool,
    gop_cache: bool,
    cert: Option<String>,
    key: Option<String>,
}

fn main() -> ExitCode {
    support::run(serve)
}

fn serve() -> support::Result<()> {
    let args = args()?;
    let mut config = EngineConfig::default();
    config.workers = args.workers;
    config.io_uring = args.io_uring;
    let engine = Engine::new(config)?;
    let mut config = ServerConfig::default();
    if let Some(cert) = &args.cert {
        let key = args.key.as_ref().unwrap_or(cert);
        config.tls = vec![TlsIdentity::from_files(cert, key)?];
    }
    let server = Server::new(&engine, config)?;
    let mut application = ApplicationConfig::default();
    application.latency = args.latency;
    if !args.gop_cache {
        application.gop_cache_bytes = 0;
    }
    server.application("*", application, Arc::new(Log))?;

    let (stop, stopped) = mpsc::channel();
    ctrlc::set_handler(move || stop.send(()).unwrap_or(()))?;
    let mut urls = Vec::new();
    for listen in &args.listen {
        let scheme = listen.split_once("://").map_or("rtmp", |(scheme, _)| scheme);
        urls.push(format!("{scheme}://{}", server.listen(listen)?));
    }
    println!("listening on {}", urls.join(" "));

    stopped.recv()?;
    server.close();
    engine.close();
    Ok(engine.join(Some(Duration::from_secs(10)))?)
}

fn args() -> support::Result<Args> {
    use lexopt::prelude::*;
    let mut args = Args {
        listen: Vec::new(),
        workers: 0,
        latency: Latency::default(),
        io_uring: true,
        gop_cache: true,
        cert: None,
        key: None,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("listen") => args.listen.push(parser.value()?.string()?),
            Long("cert") => args.cert = Some(parser.value()?.string()?),
            Long("key") => args.key = Some(parser.value()?.string()?),
            Long("latency") => args.latency = latency(&parser.value()?.string()?)?,
            Long("no-gop-cache") => args.gop_cache = false,
            Long("no-io-uring") => args.io_uring = false,
            Long("workers") => args.workers = parser.value()?.parse()?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    if args.listen.is_empty() {
        return Err(
            "usage: server --listen [SCHEME://]ADDRESS:PORT [--listen ...] [--workers N] [--latency NAME] \
             [--cert CHAIN.pem --key KEY.pem]"
                .into(),
        );
    }
    Ok(args)
}

fn latency(name: &str) -> support::Result<Latency> {
    Latency::named(name).ok_or_else(|| format!("{name}: low_latency, balanced or throughput").into())
}
