//! Certificates made by OpenSSL: an issuer of our own, and a server's for 127.0.0.1 and localhost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// PEM files.
pub struct Certificates {
    /// The issuer, to be trusted.
    pub ca: PathBuf,
    /// The server's chain.
    pub cert: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes them under `dir`.
    pub fn make(dir: &Path) -> Self {
        let at = |name: &str| dir.join(name);
        let made = Self {
            ca: at("ca.pem"),
            cert: at("cert.pem"),
            key: at("key.pem"),
        };
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let extensions = "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n";
        fs::write(at("san.cnf"), extensions).expect("the scratch folder is writable");
        openssl(
            Command::new("openssl")
                .args([
                    "req",
                    "-x509",
                    "-days",
                    "2",
                    "-subj",
                    "/CN=Issuer of rtmpkit's tests",
                ])
                .args(new_key)
                .arg("-keyout")
                .arg(at("ca-key.pem"))
                .arg("-out")
                .arg(&made.ca),
        );
        openssl(
            Command::new("openssl")
                .args(["req", "-new", "-subj", "/CN=localhost"])
                .args(new_key)
                .arg("-keyout")
                .arg(&made.key)
                .arg("-out")
                .arg(at("request.pem")),
        );
        openssl(
            Command::new("openssl")
                .args(["x509", "-req", "-days", "2", "-CAcreateserial", "-in"])
                .arg(at("request.pem"))
                .arg("-CA")
                .arg(&made.ca)
                .arg("-CAkey")
                .arg(at("ca-key.pem"))
                .arg("-extfile")
                .arg(at("san.cnf"))
                .arg("-out")
                .arg(&made.cert),
        );
        made
    }

    /// Arguments of the server example.
    pub fn server_args(&self) -> [&str; 4] {
        ["--cert", text(&self.cert), "--key", text(&self.key)]
    }

    /// The issuer's file.
    pub fn ca(&self) -> &str {
        text(&self.ca)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("scratch paths are text")
}

fn openssl(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.expect("openssl is not installed: run tests/setup.sh");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
