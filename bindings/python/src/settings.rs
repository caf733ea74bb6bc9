//! Settings of applications as Python gives them: by name, `None` for the library's own.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use rtmp_core as core;
use rtmp_core::session::{ClientSessionConfig, SessionTimeouts};

use crate::errors::config_error;
use crate::login::method_named;
use crate::takeover::{Takeover, latency_named};
use crate::value::object_from_py;

/// The settings that `rtmpkit.Application` collects.
pub(crate) fn application(given: &Bound<'_, PyDict>) -> PyResult<core::ApplicationConfig> {
    let mut config = core::ApplicationConfig::default();
    for (name, value) in given.iter().filter(|(_, value)| !value.is_none()) {
        let name: String = name.extract()?;
        set(&mut config, &name, &value)?;
    }
    Ok(config)
}

fn set(config: &mut core::ApplicationConfig, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let objects = &mut config.shared_objects;
    match name {
        "request_timeout" => config.request_timeout_ms = millis(name, value.extract()?)?,
        "gop_cache_bytes" => config.gop_cache_bytes = value.extract()?,
        "login" => config.login = Some(method_named(value.extract()?)?),
        "max_clients" => config.max_clients = value.extract()?,
        "idle_timeout" => config.idle_timeout_ms = millis(name, value.extract()?)?,
        "publish_idle" => config.publish_idle_ms = millis(name, value.extract()?)?,
        "stream_dry" => config.stream_dry_ms = millis(name, value.extract()?)?,
        "instance_idle" => config.instance_idle_ms = millis(name, value.extract()?)?,
        "directory" => config.directory = Some(value.extract::<PathBuf>()?),
        "record_max_duration" => config.record_max_duration_ms = millis(name, value.extract()?)?,
        "record_max_bytes" => config.record_max_bytes = value.extract()?,
        "record_queue_bytes" => config.record_queue_bytes = value.extract()?,
        "record_sync" => config.record_sync_ms = millis(name, value.extract()?)?,
        "takeover" => config.takeover = value.cast::<Takeover>()?.get().core(),
        "latency" => config.latency = latency_named(value.extract()?)?,
        "shared_objects_directory" => objects.directory = Some(value.extract::<PathBuf>()?),
        "autocommit" => objects.autocommit_ms = millis(name, value.extract()?)?,
        "shared_object_max_per_client" => objects.max_per_client = value.extract()?,
        "shared_object_max_stored" => objects.max_stored = value.extract()?,
        "shared_object_max_slots" => objects.max_slots = value.extract()?,
        "shared_object_max_value_bytes" => objects.max_value_bytes = value.extract()?,
        "shared_object_max_bytes" => objects.max_object_bytes = value.extract()?,
        "shared_object_max_events" => objects.max_events = value.extract()?,
        "shared_object_max_sends_per_second" => objects.max_sends_per_second = value.extract()?,
        "shared_object_max_waiting" => objects.max_waiting = value.extract()?,
        _ => return Err(config_error(format!("an application has no setting {name:?}"))),
    }
    Ok(())
}

/// The settings that `rtmpkit.ConnectOptions` collects.
pub(crate) fn connection(given: &Bound<'_, PyDict>) -> PyResult<ClientSessionConfig> {
    let mut config = ClientSessionConfig::default();
    let (mut user, mut password) = (None, String::new());
    let (mut swf_hash, mut swf_size) = (None, 0);
    for (name, value) in given.iter().filter(|(_, value)| !value.is_none()) {
        let name: String = name.extract()?;
        match name.as_str() {
            "agent" => config.flash_ver = value.extract()?,
            "swf_url" => config.swf_url = Some(value.extract()?),
            "page_url" => config.page_url = Some(value.extract()?),
            "object_encoding" => {
                config.amf3 = match value.extract()? {
                    0 => false,
                    3 => true,
                    other => return Err(config_error(format!("object_encoding {other}: use 0 or 3"))),
                }
            }
            "properties" => config.properties = object_from_py(value.cast::<PyDict>()?)?,
            "digest_handshake" => config.digest_handshake = value.extract()?,
            "user" => user = Some(value.extract()?),
            "password" => password = value.extract()?,
            "tolerance" => config.tolerance = tolerance_named(value.extract()?)?,
            "connect_timeout" => connect_timeout(&mut config.timeouts, value.extract()?)?,
            "chunk_size" => config.chunk_size = valid_chunk_size(value.extract()?)?,
            "swf_hash" => swf_hash = Some(value.extract::<Vec<u8>>()?),
            "swf_size" => swf_size = value.extract()?,
            // Settings of what carries the connection: see `trust`.
            "tls_authorities" | "tls_insecure_accept_any" => {}
            _ => return Err(config_error(format!("a connection has no setting {name:?}"))),
        }
    }
    if let Some(hash) = swf_hash {
        let length = hash.len();
        let hash = hash
            .try_into()
            .map_err(|_| config_error(format!("swf_hash has {length} bytes: an HMAC-SHA256 has 32")))?;
        config.swf = Some(core::session::Swf { hash, size: swf_size });
    }
    config.credentials = user.map(|user| core::Credentials { user, password });
    Ok(config)
}

/// Which servers' certificates `rtmpkit.ConnectOptions` accepts.
pub(crate) fn trust(given: &Bound<'_, PyDict>) -> PyResult<core::TlsTrust> {
    let authorities = given.get_item("tls_authorities")?;
    let authorities = authorities.filter(|value| !value.is_none());
    let any = given.get_item("tls_insecure_accept_any")?;
    let any = any.map(|value| value.extract::<bool>()).transpose()?;
    match (authorities, any) {
        (Some(_), Some(true)) => Err(config_error(
            "tls_authorities and tls_insecure_accept_any: use one of them",
        )),
        (Some(pem), _) => match pem.extract::<Vec<u8>>() {
            Ok(pem) => Ok(core::TlsTrust::Authorities(pem)),
            Err(_) => Err(config_error(
                "tls_authorities: use PEM as bytes, for example Path(\"ca.pem\").read_bytes()",
            )),
        },
        (None, Some(true)) => Ok(core::TlsTrust::InsecureAcceptAny),
        (None, _) => Ok(core::TlsTrust::System),
    }
}

/// Seconds for the handshake, and again for connect.
pub(crate) fn connect_timeout(timeouts: &mut SessionTimeouts, seconds: f64) -> PyResult<()> {
    let millis = millis("connect_timeout", seconds)?;
    if millis == 0 {
        return Err(config_error(format!(
            "connect_timeout {seconds}: use a millisecond or more"
        )));
    }
    (timeouts.handshake_ms, timeouts.connect_ms) = (millis, millis);
    Ok(())
}

/// RTMP 1.0 5.4.1.
pub(crate) fn valid_chunk_size(size: u32) -> PyResult<u32> {
    match size {
        1..=0x7fff_ffff => Ok(size),
        _ => Err(config_error(format!("chunk_size {size}: use 1 to 2147483647"))),
    }
}

/// Lets a server's clients encrypt by RTMPE.
pub(crate) fn accept_rtmpe(config: &mut core::ServerConfig) -> PyResult<()> {
    #[cfg(feature = "rtmpe")]
    {
        config.session.accept_encryption = true;
        Ok(())
    }
    #[cfg(not(feature = "rtmpe"))]
    {
        let _ = config;
        Err(config_error(
            "accept_rtmpe: this build was made without the feature rtmpe",
        ))
    }
}

/// `lenient` or `strict`.
pub(crate) fn tolerance_named(name: &str) -> PyResult<core::Tolerance> {
    match name {
        "lenient" => Ok(core::Tolerance::Lenient),
        "strict" => Ok(core::Tolerance::Strict),
        _ => Err(config_error(format!("tolerance {name:?}: use lenient or strict"))),
    }
}

/// Seconds as milliseconds.
pub(crate) fn millis(what: &str, seconds: f64) -> PyResult<u64> {
    let duration = std::time::Duration::try_from_secs_f64(seconds);
    let millis = duration
        .ok()
        .and_then(|duration| u64::try_from(duration.as_millis()).ok());
    millis.ok_or_else(|| config_error(format!("{what} {seconds}: use seconds, 0 or more")))
}
