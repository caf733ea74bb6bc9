//! An application's configuration file.

use std::ffi::c_char;

use rtmp_core::{ConfigFile, Error};

use crate::application::rtmpkit_application;
use crate::error::{Failure, rtmpkit_result};
use crate::handle::give;
use crate::host::Host;
use crate::value::rtmpkit_value;

/// Reads a key of the application's configuration file (`config_file` in its settings), which is TOML: dotted as there,
/// `limits.clients`; NULL for the whole file as an object. Tables are objects, dates are strings.
/// Ownership: one reference in `*out`. Errors: `RTMPKIT_ERR_NOT_FOUND` if there is no such key, `RTMPKIT_ERR_WRONG_STATE`
/// without a configuration file, `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_get_config(
    application: *mut rtmpkit_application,
    key: *const c_char,
    out: *mut *mut rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let file = file(&host, application)?;
        let value = match host.optional_text(key, "key")? {
            None => file.to_object().into(),
            Some(key) => file
                .get(key)
                .ok_or_else(|| Error::NotFound(format!("key {key:?}")))?,
        };
        host.put(out, give(rtmpkit_value::new(value)), "out")?;
        Ok(0)
    })
}

/// Gives a key a value, making the tables on its way; comments stay. It is on disk after
/// `rtmpkit_application_save_config`. Errors: `RTMPKIT_ERR_CONFIG` for a key or a value that TOML has no form for;
/// otherwise as `rtmpkit_application_get_config`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_set_config(
    application: *mut rtmpkit_application,
    key: *const c_char,
    value: *const rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        let (file, key) = (file(&host, application)?, host.text(key, "key")?);
        file.set(key, host.handle(value)?.to_value())?;
        Ok(0)
    })
}

/// Removes a key. Returns 1, or 0 if there was none. Errors: as `rtmpkit_application_set_config`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_remove_config(
    application: *mut rtmpkit_application,
    key: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let (file, key) = (file(&host, application)?, host.text(key, "key")?);
        Ok(file.remove(key)?.into())
    })
}

/// Writes the configuration file, wholly or not at all. Threads: writes on this one.
/// Errors: `RTMPKIT_ERR_CONFIG` with what the system says; otherwise as `rtmpkit_application_get_config`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_save_config(
    application: *mut rtmpkit_application,
) -> rtmpkit_result {
    entry!(|host| {
        file(&host, application)?.save()?;
        Ok(0)
    })
}

/// Reads the configuration file anew; what was set and not saved is lost, unless there is an error.
/// Threads and errors: as `rtmpkit_application_save_config`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_reload_config(
    application: *mut rtmpkit_application,
) -> rtmpkit_result {
    entry!(|host| {
        file(&host, application)?.reload()?;
        Ok(0)
    })
}

fn file(host: &Host, application: *mut rtmpkit_application) -> Result<ConfigFile, Failure> {
    let application = host.handle(application)?.application()?;
    let file = application.config_file().cloned();
    file.ok_or_else(|| Error::WrongState("the application has no configuration file".to_owned()).into())
}
