//! What a client may do, and how fast.

use std::ffi::{c_char, c_void};

use rtmp_core::{AccessList, BandwidthCheck, BandwidthReply, Direction, Object, Value};

use crate::client::{connected, rtmpkit_client};
use crate::error::{Failure, rtmpkit_result};
use crate::handle::give;
use crate::server::deviations_object;
use crate::status::rtmpkit_reply_fn;
use crate::value::rtmpkit_value;

/// Names of the dialects of bandwidth detection. Since 0.1.
#[repr(C)]
pub enum rtmpkit_bandwidth_checks {
    /// By `onBWCheck` and `onBWDone`.
    RTMPKIT_BANDWIDTH_NATIVE = 0,
    /// By `_onbwcheck` and `_onbwdone`, as Adobe's communication components do.
    RTMPKIT_BANDWIDTH_COMPONENT = 1,
}

/// Names of directions, as the server sees them. Since 0.1.
#[repr(C)]
pub enum rtmpkit_directions {
    /// From the client.
    RTMPKIT_DIRECTION_IN = 0,
    /// To the client.
    RTMPKIT_DIRECTION_OUT = 1,
}

/// Sets what the client may read (streams it plays, shared objects it joins) and write (streams it publishes, shared
/// objects it creates and changes) from now on: paths separated by semicolons, `/` for everything, as at first, "" for
/// nothing. A path permits what it names and all below it. NULL leaves a list as it is. What the client plays and
/// publishes already goes on. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_set_access(
    client: *mut rtmpkit_client,
    read: *const c_char,
    write: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let handle = host.handle(client)?;
        let (read, write) = (
            host.optional_text(read, "read")?,
            host.optional_text(write, "write")?,
        );
        let (now_read, now_write) = (handle.client.read_access(), handle.client.write_access());
        handle.client.set_access(
            read.unwrap_or(now_read.as_str()),
            write.unwrap_or(now_write.as_str()),
        );
        Ok(0)
    })
}

/// Sets which streams' decoded audio and video the client's program may look at (`|RtmpSampleAccess`), in the form of
/// `rtmpkit_client_set_access`; it holds for what is played from now on. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_set_sample_access(
    client: *mut rtmpkit_client,
    audio: *const c_char,
    video: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let handle = host.handle(client)?;
        let (audio, video) = (
            host.optional_text(audio, "audio")?,
            host.optional_text(video, "video")?,
        );
        let client = &handle.client;
        let (now_audio, now_video) = (client.audio_sample_access(), client.video_sample_access());
        client.set_sample_access(
            audio.unwrap_or(now_audio.as_str()),
            video.unwrap_or(now_video.as_str()),
        );
        Ok(0)
    })
}

/// Reads the lists that `rtmpkit_client_set_access` and `rtmpkit_client_set_sample_access` set.
/// Ownership: one reference in `*out`, to an object with the members `read`, `write`, `audio`, `video`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_get_access(
    client: *mut rtmpkit_client,
    out: *mut *mut rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let handle = host.handle(client)?;
        let client = &handle.client;
        let text = |list: AccessList| Value::from(list.as_str());
        let lists = Object::new()
            .with("read", text(client.read_access()))
            .with("write", text(client.write_access()))
            .with("audio", text(client.audio_sample_access()))
            .with("video", text(client.video_sample_access()));
        host.put(out, give(rtmpkit_value::new(lists.into())), "out")?;
        Ok(0)
    })
}

/// Counts what the client did against the specifications without harm; works after it has gone, too.
/// Ownership: one reference in `*out`, to an object: the name of each violation, and how often. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_deviations(
    client: *mut rtmpkit_client,
    out: *mut *mut rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let deviations = host.handle(client)?.client.deviations();
        host.put(
            out,
            give(rtmpkit_value::new(deviations_object(&deviations))),
            "out",
        )?;
        Ok(0)
    })
}

/// Measures the bandwidth to the client by calls with growing payloads, about a megabyte in all, in a dialect of
/// `rtmpkit_bandwidth_checks`; the client is told the outcome too. `reply` takes an object: `kbit_per_s`, `kbit` (what was
/// sent), `seconds`, `latency_ms`; an error if the client does not know the dialect. NULL asks for none.
/// Errors: `RTMPKIT_ERR_CLOSED` if the client is gone, `RTMPKIT_ERR_INVALID_ARGUMENT`; `reply` is then not called.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_check_bandwidth(
    client: *mut rtmpkit_client,
    kind: i32,
    reply: rtmpkit_reply_fn,
    user_data: *mut c_void,
) -> rtmpkit_result {
    const NATIVE: i32 = rtmpkit_bandwidth_checks::RTMPKIT_BANDWIDTH_NATIVE as i32;
    const COMPONENT: i32 = rtmpkit_bandwidth_checks::RTMPKIT_BANDWIDTH_COMPONENT as i32;
    entry!(|host| {
        let handle = connected(&host, client)?;
        let kind = match kind {
            NATIVE => BandwidthCheck::Native,
            COMPONENT => BandwidthCheck::Component,
            _ => return Err(Failure::invalid(format!("kind {kind} of bandwidth check"))),
        };
        let (_question, answer) = handle.home.ask(reply, user_data);
        let answer: BandwidthReply = Box::new(move |found| {
            answer(found.map(|found| {
                let object = Object::new()
                    .with("kbit_per_s", found.kbit_per_s)
                    .with("kbit", found.kbit)
                    .with("seconds", found.seconds)
                    .with("latency_ms", found.latency_ms);
                object.into()
            }));
        });
        handle
            .client
            .check_bandwidth(kind, reply.is_some().then_some(answer));
        Ok(0)
    })
}

/// Limits a direction, one of `rtmpkit_directions`, to so many bytes per second, at least 4,096; 0 takes the limit away.
/// Players that get too much fall behind and lose frames. From the client no more is read, and it is told by Set Peer
/// Bandwidth. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT`. Since 0.1. Spec: RTMP 1.0 5.4.5.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_set_bandwidth_limit(
    client: *mut rtmpkit_client,
    direction: i32,
    bytes_per_s: u32,
) -> rtmpkit_result {
    const IN: i32 = rtmpkit_directions::RTMPKIT_DIRECTION_IN as i32;
    const OUT: i32 = rtmpkit_directions::RTMPKIT_DIRECTION_OUT as i32;
    entry!(|host| {
        let handle = host.handle(client)?;
        let direction = match direction {
            IN => Direction::In,
            OUT => Direction::Out,
            _ => return Err(Failure::invalid(format!("direction {direction}"))),
        };
        handle
            .client
            .set_bandwidth_limit(direction, (bytes_per_s > 0).then_some(bytes_per_s))?;
        Ok(0)
    })
}
