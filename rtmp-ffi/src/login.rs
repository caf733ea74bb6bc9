//! Logging in to applications, by Adobe's or Limelight's authentication.

use std::ffi::c_char;

use rtmp_core::{Error, LoginMethod, Secret, Value};

use crate::application::rtmpkit_application;
use crate::error::{Failure, rtmpkit_result};
use crate::handle::give;
use crate::request::{first, rtmpkit_request};
use crate::value::rtmpkit_value;

/// Names of ways in which clients prove that they know a password. None keeps others from listening. Since 0.1.
#[repr(C)]
pub enum rtmpkit_logins {
    /// They need not.
    RTMPKIT_LOGIN_NONE = 0,
    /// Adobe's (`authmod=adobe`).
    RTMPKIT_LOGIN_ADOBE = 1,
    /// Limelight's (`authmod=llnw`).
    RTMPKIT_LOGIN_LIMELIGHT = 2,
}

/// Lets a user log in to an application whose settings have `login`, from now on; `password` NULL: no more.
/// Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_set_user(
    application: *mut rtmpkit_application,
    user: *const c_char,
    password: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let application = host.handle(application)?.application()?;
        let user = host.text(user, "user")?;
        let password = host.optional_text(password, "password")?;
        application.set_user(user, password.map(|text| Secret::Password(text.to_owned())));
        Ok(0)
    })
}

/// As `rtmpkit_application_set_user`, by what `rtmpkit_login_hash` made of the password, so that it need not be kept.
/// Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_set_user_hash(
    application: *mut rtmpkit_application,
    user: *const c_char,
    salt: *const c_char,
    hash: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let application = host.handle(application)?.application()?;
        let secret = Secret::of_hash(host.text(salt, "salt")?, host.text(hash, "hash")?);
        application.set_user(host.text(user, "user")?, Some(secret));
        Ok(0)
    })
}

/// What may be kept in place of a password, as a string in `*out`: for `method`, one of `rtmpkit_logins`, and `salt`, which
/// Limelight's method does not use but which is not NULL. Who has it can log in. Ownership: one reference in `*out`.
/// Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for another method. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_login_hash(
    method: i32,
    user: *const c_char,
    salt: *const c_char,
    password: *const c_char,
    out: *mut *mut rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let method = to_method(method)?.ok_or_else(|| unknown(method))?;
        let (user, salt) = (host.text(user, "user")?, host.text(salt, "salt")?);
        let secret = Secret::hashed(method, user, salt, host.text(password, "password")?);
        let Secret::Hash { hash, .. } = secret else {
            return Err(Error::WrongState("a secret without a hash".to_owned()).into());
        };
        host.put(out, give(rtmpkit_value::new(Value::from(hash))), "out")?;
        Ok(0)
    })
}

/// How the client of a connect tries to log in, one of `rtmpkit_logins`; 0 if it does not. By itself this proves nothing.
/// Errors: `RTMPKIT_ERR_WRONG_STATE` if the request is for something else. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_login(request: *mut rtmpkit_request) -> i32 {
    entry!(|host| {
        let login = host.handle(request)?.connect_request()?.login();
        Ok(login.map_or(rtmpkit_logins::RTMPKIT_LOGIN_NONE as i32, |login| {
            number(login.method)
        }))
    })
}

/// Who the client of a connect says it is, "" if it does not try to log in. Ownership: the request's. Errors: NULL.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_user(request: *mut rtmpkit_request) -> *const c_char {
    entry!(|host| Ok(host.handle(request)?.user()))
}

/// Refuses a connect with the demand to log in by `method`, one of `rtmpkit_logins`. The client comes back.
/// Errors: `RTMPKIT_ERR_WRONG_STATE` if the request was answered before or is no connect. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_demand_login(
    request: *mut rtmpkit_request,
    method: i32,
) -> rtmpkit_result {
    entry!(|host| {
        let method = to_method(method)?.ok_or_else(|| unknown(method))?;
        let request = host.handle(request)?;
        first(request.connect_request()?.demand_login(method))
    })
}

/// Returns 1 if the client of a connect has proven that it knows the password of `rtmpkit_request_user`: accept it then, or
/// not. Returns 0 if not: it was refused, with a challenge that it may come back to answer, or for good. `password` NULL:
/// there is no such user. One that does not try to log in is asked to by Adobe's method. The password may be looked up
/// first: keep the request meanwhile. Errors: `RTMPKIT_ERR_WRONG_STATE` if the request is for something else. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_check_login(
    request: *mut rtmpkit_request,
    password: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let request = host.handle(request)?;
        let password = host.optional_text(password, "password")?;
        let secret = password.map(|text| Secret::Password(text.to_owned()));
        Ok(request.connect_request()?.check_login(secret.as_ref()).into())
    })
}

/// As `rtmpkit_request_check_login`, by what `rtmpkit_login_hash` made of the password; neither may be NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_request_check_login_hash(
    request: *mut rtmpkit_request,
    salt: *const c_char,
    hash: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let request = host.handle(request)?;
        let secret = Secret::of_hash(host.text(salt, "salt")?, host.text(hash, "hash")?);
        Ok(request.connect_request()?.check_login(Some(&secret)).into())
    })
}

/// The core's form of one of `rtmpkit_logins`.
pub(crate) fn to_method(method: i32) -> Result<Option<LoginMethod>, Failure> {
    const NONE: i32 = rtmpkit_logins::RTMPKIT_LOGIN_NONE as i32;
    const ADOBE: i32 = rtmpkit_logins::RTMPKIT_LOGIN_ADOBE as i32;
    const LIMELIGHT: i32 = rtmpkit_logins::RTMPKIT_LOGIN_LIMELIGHT as i32;
    match method {
        NONE => Ok(None),
        ADOBE => Ok(Some(LoginMethod::Adobe)),
        LIMELIGHT => Ok(Some(LoginMethod::Limelight)),
        _ => Err(unknown(method)),
    }
}

fn number(method: LoginMethod) -> i32 {
    match method {
        LoginMethod::Limelight => rtmpkit_logins::RTMPKIT_LOGIN_LIMELIGHT as i32,
        _ => rtmpkit_logins::RTMPKIT_LOGIN_ADOBE as i32,
    }
}

fn unknown(method: i32) -> Failure {
    Failure::invalid(format!("login {method}: use one of rtmpkit_logins"))
}
