//! Sizes and offsets of the public structs are those of the committed table: they are the ABI. A change that is meant
//! comes with a new version; then `UPDATE_LAYOUT=1 cargo test -p rtmp-ffi --test layout` writes the table.
#![cfg(target_pointer_width = "64")]

use std::fmt::Write as _;
use std::fs;
use std::mem::{offset_of, size_of};
use std::path::Path;

use rtmpkit::*;

mod support;

macro_rules! layout {
    ($($name:ident { $($field:ident),* })*) => {
        fn layout() -> String {
            let mut text = String::new();
            $(
                writeln!(text, "{} {}", stringify!($name), size_of::<$name>()).unwrap();
                $(
                    let field = stringify!($field).trim_start_matches("r#");
                    writeln!(text, "  {field} {}", offset_of!($name, $field)).unwrap();
                )*
            )*
            text
        }
    };
}

layout! {
    rtmpkit_media { struct_size, r#type, track_id, flags, fourcc, timestamp_ms, timestamp_ns, composition_ms, data, len, buffer, body, body_len }
    rtmpkit_engine_config { struct_size, workers, log_level, log_fn, log_user_data, log_release, watch_network, io_uring }
    rtmpkit_engine_counters { struct_size, workers, closed }
    rtmpkit_server_config { struct_size, queue, max_connections, max_connections_per_address, player_queue_bytes, player_queue_ms, stall_timeout_ms, connect_timeout_ms, chunk_size, strict, accept_rtmpe, reduce_for_players }
    rtmpkit_server_events { struct_size, on_release }
    rtmpkit_tls_identity { chain, key }
    rtmpkit_traffic { bytes_in, bytes_out, messages_in, messages_out, messages_dropped }
    rtmpkit_server_counters { struct_size, connections, accepted, turned_away, traffic, overrun }
    rtmpkit_application_config { struct_size, queue, request_timeout_ms, max_clients, idle_timeout_ms, publish_idle_ms, instance_idle_ms, config_file, directory, gop_cache_bytes, takeover, hold_ms, audio_wait_ms, video_wait_ms, load_wait_ms, shared_object_directory, shared_object_autocommit_ms, shared_object_max_per_client, shared_object_max_slots, shared_object_max_value_bytes, shared_object_max_bytes, record_max_duration_ms, record_max_bytes, record_queue_bytes, login, stream_dry_ms, record_sync_ms, shared_object_max_stored }
    rtmpkit_status { struct_size, level, result, code, description, info }
    rtmpkit_application_events { struct_size, on_instance_start, on_instance_idle, on_instance_stop, on_status, on_connect, on_accept, on_reject, on_disconnect, on_publish, on_unpublish, on_record, on_play, on_stop, on_stream_length, on_call, on_error, on_release }
    rtmpkit_instance_counters { struct_size, clients, accepted, rejected, streams, traffic }
    rtmpkit_client_details { struct_size, id, address, uri, app, agent, page_url, referrer, protocol, connect_object, secure, connected }
    rtmpkit_client_counters { struct_size, traffic, dropped_audio_messages, dropped_audio_bytes, dropped_video_messages, dropped_video_bytes, dropped_data_messages, dropped_data_bytes, queued_bytes, ping_rtt_ms, bytes_per_s_in, bytes_per_s_out }
    rtmpkit_stream_counters { struct_size, players, messages, bytes, cached_messages, cached_bytes, publishing, undelivered_messages, undelivered_bytes }
    rtmpkit_record_options { struct_size, mode, name, max_duration_ms, max_bytes }
    rtmpkit_relay_config { struct_size, queue, agent, back_off_first_ms, back_off_max_ms, back_off_jitter_percent, back_off_max_failures, answer_timeout_ms, on_demand, linger_ms, hold_ms, silence_ms, queue_bytes, queue_ms, reconnect_max_hops, reconnect_other_hosts }
    rtmpkit_relay_event { struct_size, kind, failures, after_ms, reason }
    rtmpkit_relay_events { struct_size, on_event, on_release }
    rtmpkit_relay_counters { struct_size, state, failures, failures_total, attempts, messages, bytes, dropped_messages, dropped_bytes, traffic }
    rtmpkit_recording_counters { struct_size, bytes, duration_ms, dropped, recording, ended, durable_bytes }
    rtmpkit_subscribe_options { struct_size, queue, skip_backlog }
    rtmpkit_subscription_events { struct_size, on_publish, on_media, on_unpublish, on_release }
    rtmpkit_net_connection_config { struct_size, queue, agent, referrer, page_url, connect_timeout_ms, chunk_size, strict, reconnect_max_hops, reconnect_other_hosts, user, password, object_encoding, digest_handshake, properties, tls_authorities, tls_insecure_accept_any, swf_hash, swf_size }
    rtmpkit_net_connection_events { struct_size, on_status, on_call, on_release }
    rtmpkit_play_options { struct_size, start_ms, duration_ms, reset, offset_ms }
    rtmpkit_net_stream_events { struct_size, on_status, on_media, on_close, on_release, on_writable, on_dry }
    rtmpkit_net_stream_counters { struct_size, traffic }
    rtmpkit_slot_change { struct_size, kind, name, old_value, new_value }
    rtmpkit_shared_object_events { struct_size, on_sync, on_message, on_status, on_clear, on_release }
}

#[test]
fn sizes_and_offsets_are_the_committed_ones() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layout.txt");
    if std::env::var_os("UPDATE_LAYOUT").is_some() {
        fs::write(&path, layout()).unwrap();
    }
    assert_eq!(layout(), fs::read_to_string(path).unwrap());
}

#[test]
fn the_table_has_every_struct_and_member_of_the_header() {
    let (layout, header) = (layout(), support::header());
    for (at, _) in header
        .match_indices("typedef struct rtmpkit_")
        .filter(|(at, _)| header[*at..].lines().next().unwrap().ends_with('{'))
    {
        let body = &header[at..at + header[at..].find("\n}").unwrap()];
        let name = body.split_whitespace().nth(2).unwrap();
        let table = layout
            .split_once(&format!("{name} "))
            .unwrap_or_else(|| panic!("{name} is not in the table"))
            .1;
        let members = table
            .lines()
            .skip(1)
            .take_while(|line| line.starts_with("  "))
            .count();
        assert_eq!(members, body.matches(';').count(), "{name}");
    }
}
