//! Settings that cannot be are refused with a text that says what to use, and what a creation took is given back.

use std::ffi::{CStr, c_void};
use std::mem::size_of;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU32, Ordering};

use rtmpkit::*;

const INVALID: i32 = rtmpkit_results::RTMPKIT_ERR_INVALID_ARGUMENT as i32;

unsafe extern "C" fn count(user_data: *mut c_void) {
    // SAFETY: the tests below pass a counter that outlives the engine.
    unsafe { &*user_data.cast::<AtomicU32>() }.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" fn ignore(_: *mut c_void, _: i32, _: *const std::ffi::c_char, _: *const std::ffi::c_char) {}

macro_rules! defaults {
    ($type:ident, $init:ident) => {{
        let mut value = std::mem::MaybeUninit::<$type>::zeroed();
        // SAFETY: there is room for one.
        let result = unsafe { $init(value.as_mut_ptr(), size_of::<$type>()) };
        assert_eq!(result, 0);
        // SAFETY: filled in by the function above.
        unsafe { value.assume_init() }
    }};
}

fn last_error() -> String {
    // SAFETY: never NULL, and read at once.
    unsafe { CStr::from_ptr(rtmpkit_last_error()) }
        .to_string_lossy()
        .into_owned()
}

fn engine() -> *mut rtmpkit_engine {
    let mut config = defaults!(rtmpkit_engine_config, rtmpkit_engine_config_init);
    config.workers = 1;
    config.io_uring = 0;
    let mut engine = null_mut();
    // SAFETY: both are there.
    let result = unsafe { rtmpkit_engine_create(&raw const config, &raw mut engine) };
    assert_eq!(result, 0);
    engine
}

fn end(engine: *mut rtmpkit_engine) {
    // SAFETY: the reference of the creation.
    unsafe {
        assert_eq!(rtmpkit_engine_close(engine), 0);
        assert_eq!(rtmpkit_engine_join(engine, -1), 0);
        rtmpkit_engine_unref(engine);
    }
}

/// What comes of making a connection with these settings, which is to fail.
fn connection_created(engine: *mut rtmpkit_engine, settings: &rtmpkit_net_connection_config) -> i32 {
    let mut connection = null_mut();
    // SAFETY: all are there, or NULL where that is allowed.
    let result =
        unsafe { rtmpkit_net_connection_create(engine, settings, null(), null_mut(), &raw mut connection) };
    assert!(connection.is_null());
    result
}

#[test]
fn log_release_comes_once_whatever_is_logged() {
    let off = rtmpkit_log_levels::RTMPKIT_LOG_OFF as i32;
    let warn = rtmpkit_log_levels::RTMPKIT_LOG_WARN as i32;
    for (level, log_fn) in [(off, true), (warn, false), (off, false), (warn, true)] {
        let released = AtomicU32::new(0);
        let mut config = defaults!(rtmpkit_engine_config, rtmpkit_engine_config_init);
        config.workers = 1;
        config.log_level = level;
        config.log_fn = if log_fn { Some(ignore) } else { None };
        config.log_user_data = (&raw const released).cast_mut().cast();
        config.log_release = Some(count);
        let mut engine = null_mut();
        // SAFETY: both are there.
        let result = unsafe { rtmpkit_engine_create(&raw const config, &raw mut engine) };
        assert_eq!(result, 0);
        assert_eq!(released.load(Ordering::SeqCst), 0);
        end(engine);
        // The last thread may still be on its way out after join.
        let start = std::time::Instant::now();
        while released.load(Ordering::SeqCst) == 0 && start.elapsed().as_secs() < 10 {
            std::thread::yield_now();
        }
        assert_eq!(
            released.load(Ordering::SeqCst),
            1,
            "level {level}, log_fn {log_fn}"
        );
    }
}

#[test]
fn a_creation_that_fails_releases_nothing() {
    let released = AtomicU32::new(0);
    let mut config = defaults!(rtmpkit_engine_config, rtmpkit_engine_config_init);
    config.log_level = 6;
    config.log_user_data = (&raw const released).cast_mut().cast();
    config.log_release = Some(count);
    let mut engine = null_mut();
    // SAFETY: both are there.
    let result = unsafe { rtmpkit_engine_create(&raw const config, &raw mut engine) };
    assert_eq!((result, released.load(Ordering::SeqCst)), (INVALID, 0));
    assert!(
        engine.is_null() && last_error().contains("log_level 6"),
        "{}",
        last_error()
    );
}

#[test]
fn times_that_would_end_everything_at_once_are_refused() {
    let engine = engine();
    let mut config = defaults!(rtmpkit_server_config, rtmpkit_server_config_init);
    config.stall_timeout_ms = 0;
    let mut server = null_mut();
    let create = |config: *const rtmpkit_server_config, server: *mut *mut rtmpkit_server| {
        // SAFETY: all are there, or NULL where that is allowed.
        unsafe { rtmpkit_server_create(engine, config, null(), null_mut(), server) }
    };
    assert_eq!(create(&raw const config, &raw mut server), INVALID);
    assert!(last_error().contains("stall_timeout_ms 0"), "{}", last_error());
    config.stall_timeout_ms = 1;
    config.connect_timeout_ms = 0;
    assert_eq!(create(&raw const config, &raw mut server), INVALID);
    assert!(last_error().contains("connect_timeout_ms 0"), "{}", last_error());
    config.connect_timeout_ms = 1;
    assert_eq!(create(&raw const config, &raw mut server), 0);

    let mut settings = defaults!(rtmpkit_application_config, rtmpkit_application_config_init);
    settings.request_timeout_ms = 0;
    let mut application = null_mut();
    // SAFETY: as above.
    let result = unsafe {
        rtmpkit_application_create(
            server,
            c"live".as_ptr(),
            &raw const settings,
            null(),
            null_mut(),
            &raw mut application,
        )
    };
    assert_eq!(result, INVALID);
    assert!(last_error().contains("request_timeout_ms 0"), "{}", last_error());

    let mut settings = defaults!(rtmpkit_net_connection_config, rtmpkit_net_connection_config_init);
    settings.connect_timeout_ms = 0;
    assert_eq!(connection_created(engine, &settings), INVALID);
    // SAFETY: the reference of the creation.
    unsafe { rtmpkit_server_unref(server) };
    end(engine);
}

#[test]
fn authorities_that_are_no_certificates_are_told_before_connecting() {
    let engine = engine();
    let broken = c"-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n";
    for pem in [c"", c"ca.pem", broken] {
        let mut settings = defaults!(rtmpkit_net_connection_config, rtmpkit_net_connection_config_init);
        settings.tls_authorities = pem.as_ptr();
        let result = connection_created(engine, &settings);
        assert_eq!(result, rtmpkit_results::RTMPKIT_ERR_TLS as i32, "{pem:?}");
        assert!(
            last_error().contains("no trusted certificates"),
            "{}",
            last_error()
        );
    }
    end(engine);
}

#[test]
fn who_waits_in_vain_is_told_in_which_function() {
    let engine = engine();
    // SAFETY: the engine is there, and was not closed.
    let result = unsafe { rtmpkit_engine_join(engine, 0) };
    assert_eq!(result, rtmpkit_results::RTMPKIT_ERR_TIMEOUT as i32);
    assert_eq!(last_error(), "rtmpkit_engine_join timed out");
    end(engine);
}
