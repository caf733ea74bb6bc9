//! nginx with its rtmp module as the other side: one server of its own folder and port per test.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::certificates::Certificates;
use crate::process::{Process, free_address};
use crate::programs::START;

/// Where Debian's libnginx-mod-rtmp puts the module.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/// Where Debian's libnginx-mod-stream puts its module.
const STREAM_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// A running nginx with the application `live`.
pub struct Nginx {
    process: Process,
    addr: SocketAddr,
    dir: PathBuf,
    access_log: PathBuf,
    tls: Option<SocketAddr>,
}

impl Nginx {
    /// Starts it in the foreground, with everything it writes under `dir`.
    pub fn start(dir: &Path) -> Self {
        Self::start_with(dir, None)
    }

    /// Starts it so that its `stream` module also takes connections by TLS.
    pub fn start_with_tls(dir: &Path, certificates: &Certificates) -> Self {
        Self::start_with(dir, Some(certificates))
    }

    fn start_with(dir: &Path, certificates: Option<&Certificates>) -> Self {
        let addr = free_address();
        let tls = certificates.map(|_| free_address());
        let dir = dir.join("nginx");
        fs::create_dir_all(&dir).expect("the scratch folder is writable");
        let access_log = dir.join("access.log");
        let conf = dir.join("nginx.conf");
        let mut text = configuration(&dir, addr);
        if let (Some(certificates), Some(tls)) = (certificates, tls) {
            text.push_str(&tls_configuration(certificates, tls, addr));
            text.insert_str(0, &format!("load_module {STREAM_MODULE};\n"));
        }
        fs::write(&conf, text).expect("the scratch folder is writable");
        let process = run(&dir, addr);
        Self {
            process,
            addr,
            dir,
            access_log,
            tls,
        }
    }

    /// The same by TLS.
    pub fn tls_url(&self, name: &str) -> String {
        let addr = self.tls.expect("nginx was started with TLS");
        format!("rtmps://{addr}/live/{name}")
    }

    /// Kills it, by its process id, and starts it again on the same port.
    pub fn restart(&mut self) {
        self.process.signal(libc::SIGKILL);
        self.process.wait(START);
        self.process = run(&self.dir, self.addr);
    }

    /// URL of stream `name` in application `live`.
    pub fn url(&self, name: &str) -> String {
        format!("rtmp://{}/live/{name}", self.addr)
    }

    /// Waits until a play command has reached it: only then is a publisher not too early.
    pub fn wait_for_player(&self) {
        self.process.wait_for_line("play: name=", START);
    }

    /// What it noted about finished sessions.
    pub fn access_log(&self) -> String {
        fs::read_to_string(&self.access_log).unwrap_or_default()
    }
}

/// One process, in the foreground, nothing outside `dir`, and media passed on as it came: no metadata of its own, no
/// timestamps pulled together, players told when the publisher leaves.
fn configuration(dir: &Path, addr: SocketAddr) -> String {
    let dir = dir.display();
    format!(
        "load_module {MODULE};
daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log stderr info;
events {{ worker_connections 256; }}
rtmp {{
    access_log {dir}/access.log;
    out_queue 4096;
    out_cork 1;
    server {{
        listen {addr};
        chunk_size 4096;
        application live {{
            live on;
            meta copy;
            sync 10s;
            wait_key on;
            wait_video on;
            publish_notify on;
            play_restart on;
        }}
    }}
}}
"
    )
}

/// Takes TLS off and passes on what is in it.
fn tls_configuration(certificates: &Certificates, tls: SocketAddr, to: SocketAddr) -> String {
    let (cert, key) = (certificates.cert.display(), certificates.key.display());
    format!(
        "stream {{
    server {{
        listen {tls} ssl;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        proxy_pass {to};
    }}
}}
"
    )
}

fn run(dir: &Path, addr: SocketAddr) -> Process {
    let mut command = Command::new(binary());
    command
        .arg("-p")
        .arg(dir)
        .arg("-c")
        .arg(dir.join("nginx.conf"))
        .arg("-e")
        .arg("stderr");
    let mut process = Process::spawn("nginx", command);
    process.wait_for_port(addr, START);
    process
}

fn binary() -> &'static str {
    ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("nginx is not installed: run tests/setup.sh")
}
