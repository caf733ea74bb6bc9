//! Every entry point survives NULL for everything, and contains a panic.

use std::ffi::CStr;
use std::mem::transmute;

use rtmpkit::*;

mod support;

macro_rules! table {
    ($($name:ident),* $(,)?) => {
        /// Name and address of every entry point; the test below compares it with the header.
        fn entry_points() -> Vec<(&'static str, *const ())> {
            vec![$((stringify!($name), $name as *const ())),*]
        }
    };
}

table![
    rtmpkit_strerror,
    rtmpkit_last_error,
    rtmpkit_version,
    rtmpkit_version_string,
    rtmpkit_has_feature,
    rtmpkit_host_name,
    rtmpkit_platform,
    rtmpkit_log,
    rtmpkit_value_undefined,
    rtmpkit_value_null,
    rtmpkit_value_bool,
    rtmpkit_value_number,
    rtmpkit_value_string,
    rtmpkit_value_xml,
    rtmpkit_value_date,
    rtmpkit_value_object,
    rtmpkit_value_ecma_array,
    rtmpkit_value_typed_object,
    rtmpkit_value_array,
    rtmpkit_value_bytes,
    rtmpkit_value_clone,
    rtmpkit_value_ref,
    rtmpkit_value_unref,
    rtmpkit_value_type,
    rtmpkit_value_get_bool,
    rtmpkit_value_get_number,
    rtmpkit_value_get_date,
    rtmpkit_value_get_string,
    rtmpkit_value_get_bytes,
    rtmpkit_value_object_len,
    rtmpkit_value_object_class,
    rtmpkit_value_object_get,
    rtmpkit_value_object_at,
    rtmpkit_value_object_set,
    rtmpkit_value_array_len,
    rtmpkit_value_array_at,
    rtmpkit_value_array_push,
    rtmpkit_value_vector_int,
    rtmpkit_value_vector_uint,
    rtmpkit_value_vector_double,
    rtmpkit_value_vector_object,
    rtmpkit_value_get_vector_int,
    rtmpkit_value_get_vector_uint,
    rtmpkit_value_get_vector_double,
    rtmpkit_value_vector_is_fixed,
    rtmpkit_value_vector_class,
    rtmpkit_value_dictionary,
    rtmpkit_value_dictionary_len,
    rtmpkit_value_dictionary_has_weak_keys,
    rtmpkit_value_dictionary_get,
    rtmpkit_value_dictionary_at,
    rtmpkit_value_dictionary_set,
    rtmpkit_buffer_copy,
    rtmpkit_buffer_wrap,
    rtmpkit_buffer_ref,
    rtmpkit_buffer_unref,
    rtmpkit_buffer_data,
    rtmpkit_buffer_len,
    rtmpkit_media_init,
    rtmpkit_engine_config_init,
    rtmpkit_engine_counters_init,
    rtmpkit_engine_create,
    rtmpkit_engine_network_changed,
    rtmpkit_engine_close,
    rtmpkit_engine_join,
    rtmpkit_engine_stats,
    rtmpkit_engine_ref,
    rtmpkit_engine_unref,
    rtmpkit_queue_create,
    rtmpkit_queue_fd,
    rtmpkit_queue_dispatch,
    rtmpkit_queue_wakeup,
    rtmpkit_queue_ref,
    rtmpkit_queue_unref,
    rtmpkit_server_config_init,
    rtmpkit_server_events_init,
    rtmpkit_server_counters_init,
    rtmpkit_server_create,
    rtmpkit_server_listen,
    rtmpkit_server_drain,
    rtmpkit_server_close,
    rtmpkit_server_stats,
    rtmpkit_server_deviations,
    rtmpkit_server_ref,
    rtmpkit_server_unref,
    rtmpkit_server_set_tls,
    rtmpkit_server_set_tls_files,
    rtmpkit_application_config_init,
    rtmpkit_application_events_init,
    rtmpkit_application_create,
    rtmpkit_application_close,
    rtmpkit_application_ref,
    rtmpkit_application_unref,
    rtmpkit_application_get_config,
    rtmpkit_application_set_config,
    rtmpkit_application_remove_config,
    rtmpkit_application_save_config,
    rtmpkit_application_reload_config,
    rtmpkit_instance_counters_init,
    rtmpkit_instance_get,
    rtmpkit_instance_name,
    rtmpkit_instance_broadcast,
    rtmpkit_instance_clients,
    rtmpkit_instance_streams,
    rtmpkit_instance_clear_stream,
    rtmpkit_instance_clear_streams,
    rtmpkit_instance_stream_length,
    rtmpkit_instance_collect,
    rtmpkit_instance_unload,
    rtmpkit_instance_is_unloaded,
    rtmpkit_instance_stats,
    rtmpkit_instance_ref,
    rtmpkit_instance_unref,
    rtmpkit_client_details_init,
    rtmpkit_client_counters_init,
    rtmpkit_client_id,
    rtmpkit_client_instance,
    rtmpkit_client_info,
    rtmpkit_client_stats,
    rtmpkit_client_call,
    rtmpkit_client_ping,
    rtmpkit_client_request_reconnect,
    rtmpkit_client_close,
    rtmpkit_client_ref,
    rtmpkit_client_unref,
    rtmpkit_client_set_access,
    rtmpkit_client_set_sample_access,
    rtmpkit_client_get_access,
    rtmpkit_client_deviations,
    rtmpkit_client_check_bandwidth,
    rtmpkit_client_set_bandwidth_limit,
    rtmpkit_request_kind,
    rtmpkit_request_name,
    rtmpkit_request_query,
    rtmpkit_request_args,
    rtmpkit_request_client,
    rtmpkit_request_mode,
    rtmpkit_request_range,
    rtmpkit_request_set_option,
    rtmpkit_request_accept,
    rtmpkit_request_reject,
    rtmpkit_request_redirect,
    rtmpkit_request_is_answered,
    rtmpkit_request_ref,
    rtmpkit_request_unref,
    rtmpkit_stream_counters_init,
    rtmpkit_stream_open,
    rtmpkit_stream_publish,
    rtmpkit_stream_name,
    rtmpkit_stream_write,
    rtmpkit_stream_write_data,
    rtmpkit_stream_send,
    rtmpkit_stream_clear,
    rtmpkit_stream_set_latency,
    rtmpkit_stream_stats,
    rtmpkit_stream_close,
    rtmpkit_stream_ref,
    rtmpkit_stream_unref,
    rtmpkit_record_options_init,
    rtmpkit_recording_counters_init,
    rtmpkit_stream_record,
    rtmpkit_recording_stream_name,
    rtmpkit_recording_path,
    rtmpkit_recording_stats,
    rtmpkit_recording_stop,
    rtmpkit_recording_ref,
    rtmpkit_recording_unref,
    rtmpkit_subscribe_options_init,
    rtmpkit_subscription_events_init,
    rtmpkit_stream_subscribe,
    rtmpkit_subscription_dropped,
    rtmpkit_subscription_close,
    rtmpkit_subscription_ref,
    rtmpkit_subscription_unref,
    rtmpkit_application_set_user,
    rtmpkit_application_set_user_hash,
    rtmpkit_login_hash,
    rtmpkit_request_login,
    rtmpkit_request_user,
    rtmpkit_request_demand_login,
    rtmpkit_request_check_login,
    rtmpkit_request_check_login_hash,
    rtmpkit_net_connection_config_init,
    rtmpkit_net_connection_events_init,
    rtmpkit_net_connection_create,
    rtmpkit_net_connection_connect,
    rtmpkit_net_connection_call,
    rtmpkit_net_connection_add_header,
    rtmpkit_net_connection_is_connected,
    rtmpkit_net_connection_uri,
    rtmpkit_net_connection_stats,
    rtmpkit_net_connection_close,
    rtmpkit_net_connection_ref,
    rtmpkit_net_connection_unref,
    rtmpkit_play_options_init,
    rtmpkit_net_stream_events_init,
    rtmpkit_net_stream_counters_init,
    rtmpkit_net_stream_create,
    rtmpkit_net_stream_publish,
    rtmpkit_net_stream_play,
    rtmpkit_net_stream_play2,
    rtmpkit_net_stream_write,
    rtmpkit_net_stream_send,
    rtmpkit_net_stream_seek,
    rtmpkit_net_stream_pause,
    rtmpkit_net_stream_receive,
    rtmpkit_net_stream_set_buffer,
    rtmpkit_net_stream_get_buffer,
    rtmpkit_net_stream_set_send_buffer,
    rtmpkit_net_stream_get_send_buffer,
    rtmpkit_net_stream_publish_time,
    rtmpkit_net_stream_stats,
    rtmpkit_net_stream_close,
    rtmpkit_net_stream_ref,
    rtmpkit_net_stream_unref,
    rtmpkit_shared_object_events_init,
    rtmpkit_shared_object_open,
    rtmpkit_shared_object_connect,
    rtmpkit_shared_object_name,
    rtmpkit_shared_object_is_persistent,
    rtmpkit_shared_object_is_connected,
    rtmpkit_shared_object_close,
    rtmpkit_shared_object_ref,
    rtmpkit_shared_object_unref,
    rtmpkit_shared_object_get,
    rtmpkit_shared_object_names,
    rtmpkit_shared_object_size,
    rtmpkit_shared_object_version,
    rtmpkit_shared_object_set,
    rtmpkit_shared_object_remove,
    rtmpkit_shared_object_clear,
    rtmpkit_shared_object_send,
    rtmpkit_shared_object_lock,
    rtmpkit_shared_object_unlock,
    rtmpkit_shared_object_mark,
    rtmpkit_shared_object_flush,
    rtmpkit_shared_object_purge,
    rtmpkit_shared_object_set_resync_depth,
    rtmpkit_shared_object_subscribers,
    rtmpkit_shared_object_is_dirty,
    rtmpkit_shared_object_destroy,
    rtmpkit_shared_object_commit,
    rtmpkit_application_register_method,
    rtmpkit_application_unregister_method,
    rtmpkit_client_register_method,
    rtmpkit_client_unregister_method,
    rtmpkit_application_proxy_method,
    rtmpkit_application_proxy_method_to_url,
    rtmpkit_application_proxy_method_to_client,
    rtmpkit_application_register_class,
    rtmpkit_application_unregister_class,
    rtmpkit_net_connection_register_class,
    rtmpkit_net_connection_unregister_class,
    rtmpkit_application_read_data,
    rtmpkit_net_connection_read_data,
    rtmpkit_net_connection_reconnect_target,
    rtmpkit_net_connection_reconnect_to,
    rtmpkit_relay_config_init,
    rtmpkit_relay_events_init,
    rtmpkit_relay_counters_init,
    rtmpkit_relay_pull,
    rtmpkit_relay_push,
    rtmpkit_relay_url,
    rtmpkit_relay_stats,
    rtmpkit_relay_close,
    rtmpkit_relay_ref,
    rtmpkit_relay_unref,
];

/// Arguments are integers, pointers and doubles: zero in every register and on the stack serves them all.
fn call_with_zeros(function: *const ()) -> usize {
    type Any = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize, usize, usize) -> usize;
    // SAFETY: in the C calling conventions of the supported platforms surplus arguments are ignored.
    let function: Any = unsafe { transmute::<*const (), Any>(function) };
    // SAFETY: entry points take NULL and zero for everything.
    unsafe { function(0, 0, 0, 0, 0, 0, 0, 0) }
}

fn last_error() -> String {
    // SAFETY: never NULL, and valid until the next failing call.
    unsafe { CStr::from_ptr(rtmpkit_last_error()) }
        .to_str()
        .unwrap()
        .to_owned()
}

/// Those without a handle or out-parameter have nothing that could be missing.
fn cannot_fail(name: &str) -> bool {
    matches!(
        name,
        "rtmpkit_version" | "rtmpkit_version_string" | "rtmpkit_strerror" | "rtmpkit_last_error"
    )
}

#[test]
fn the_table_is_the_header() {
    let table: Vec<&str> = entry_points().iter().map(|(name, _)| *name).collect();
    assert_eq!(
        table,
        support::functions()
            .iter()
            .map(|function| &*function.name)
            .collect::<Vec<_>>()
    );
}

#[test]
fn every_entry_point_survives_null() {
    let functions = support::functions();
    for ((name, address), function) in entry_points().into_iter().zip(functions) {
        let result = call_with_zeros(address);
        if function.returns == "rtmpkit_result" {
            assert_eq!(result as i32, -1, "{name} did not refuse NULL");
            assert!(!last_error().is_empty());
        }
    }
}

#[cfg(debug_assertions)]
#[test]
fn every_entry_point_contains_a_panic() {
    for ((name, address), function) in entry_points().into_iter().zip(support::functions()) {
        if cannot_fail(name) {
            continue;
        }
        arm_panic();
        let result = call_with_zeros(address);
        assert!(
            last_error().contains("panic made by a test"),
            "{name}: {}",
            last_error()
        );
        match function.returns.as_str() {
            "rtmpkit_result" | "int32_t" => assert_eq!(result as i32, -100, "{name}"),
            returns if returns.ends_with('*') => assert_eq!(result, 0, "{name}"),
            _ => {}
        }
        // SAFETY: takes NULL; it only replaces the text.
        unsafe { rtmpkit_engine_close(std::ptr::null_mut()) };
    }
}
