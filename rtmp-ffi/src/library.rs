//! The library as a whole: its version and what it was built with.

use std::ffi::{CStr, CString, c_char};
use std::sync::OnceLock;

use rtmp_core::Server;

use crate::string::c_string;

const fn number(text: &str) -> u32 {
    let (bytes, mut at, mut value) = (text.as_bytes(), 0, 0);
    while at < bytes.len() {
        value = value * 10 + (bytes[at] - b'0') as u32;
        at += 1;
    }
    value
}

const VERSION: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) << 16
    | number(env!("CARGO_PKG_VERSION_MINOR")) << 8
    | number(env!("CARGO_PKG_VERSION_PATCH"));

/// The version of the library that runs, in the form of `RTMPKIT_VERSION`: a host may assert that they agree.
/// Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_version() -> u32 {
    VERSION
}

/// The version of the library that runs, as text. Never NULL; static. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_version_string() -> *const c_char {
    const TEXT: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    match CStr::from_bytes_with_nul(TEXT.as_bytes()) {
        Ok(text) => text.as_ptr(),
        Err(_) => c"".as_ptr(),
    }
}

/// Whether the library was built with a feature: `"rtmp"`, `"rtmpe"`. Unknown names and NULL are no. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_has_feature(name: *const c_char) -> bool {
    const FEATURES: [(&str, bool); 2] = [("rtmp", true), ("rtmpe", cfg!(feature = "rtmpe"))];
    entry!(|host| {
        let name = host.text(name, "name")?;
        Ok(FEATURES.contains(&(name, true)))
    })
}

/// The name of the machine, as far as the system tells it; else `localhost`. Never NULL; static. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_host_name() -> *const c_char {
    static NAME: OnceLock<CString> = OnceLock::new();
    crate::panic::boundary(|| Ok(NAME.get_or_init(|| c_string(&Server::host_name())).as_ptr()))
}

/// System and processor that the library runs on, for example `linux x86_64`. Never NULL; static. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rtmpkit_platform() -> *const c_char {
    static NAME: OnceLock<CString> = OnceLock::new();
    crate::panic::boundary(|| Ok(NAME.get_or_init(|| c_string(&Server::platform())).as_ptr()))
}
