//! The table of defaults in `docs/security.md` says what the code does.
#![cfg(feature = "engine")]

use std::collections::BTreeMap;

use rtmp_core::amf::Limits;
use rtmp_core::session::{ServerSessionConfig, SessionLimits, SessionTimeouts};
use rtmp_core::{ApplicationConfig, BackOff, FlowLimits, RelayConfig, ServerConfig, SharedObjectConfig};

#[test]
fn the_security_page_names_every_default_rightly() {
    let documented = documented();
    let real = real();
    for (setting, value) in &documented {
        assert_eq!(Some(value), real.get(setting), "{setting} in docs/security.md");
    }
    for setting in real.keys() {
        assert!(
            documented.contains_key(setting),
            "{setting} is missing in docs/security.md"
        );
    }
}

fn real() -> BTreeMap<String, u64> {
    let (server, application) = (ServerConfig::default(), ApplicationConfig::default());
    let ServerSessionConfig { limits, timeouts, .. } = ServerSessionConfig::default();
    let relay = RelayConfig::default();
    let mut real = BTreeMap::new();
    macro_rules! settings {
        ($($owner:ident::$field:ident = $from:expr;)*) => {
            // Naming the owner keeps the table's names those of real types.
            $(let owner: &$owner = &$from;
            real.insert(
                concat!(stringify!($owner), "::", stringify!($field)).to_owned(),
                u64::try_from(owner.$field).expect("defaults are not negative"),
            );)*
        };
    }
    settings! {
        RelayConfig::answer_timeout_ms = relay;
        RelayConfig::silence_ms = relay;
        RelayConfig::hold_ms = relay;
        BackOff::first_ms = relay.back_off;
        BackOff::max_ms = relay.back_off;
        SessionTimeouts::handshake_ms = timeouts;
        SessionTimeouts::connect_ms = timeouts;
        SessionTimeouts::ping_interval_ms = timeouts;
        SessionTimeouts::ping_timeout_ms = timeouts;
        SessionTimeouts::call_ms = timeouts;
        ApplicationConfig::request_timeout_ms = application;
        ServerConfig::max_connections = server;
        ServerConfig::max_connections_per_address = server;
        ApplicationConfig::max_clients = application;
        ApplicationConfig::idle_timeout_ms = application;
        ApplicationConfig::publish_idle_ms = application;
        ApplicationConfig::stream_dry_ms = application;
        SharedObjectConfig::max_per_client = application.shared_objects;
        SharedObjectConfig::max_stored = application.shared_objects;
        SharedObjectConfig::max_slots = application.shared_objects;
        SharedObjectConfig::max_value_bytes = application.shared_objects;
        SharedObjectConfig::max_object_bytes = application.shared_objects;
        SharedObjectConfig::max_events = application.shared_objects;
        SharedObjectConfig::max_sends_per_second = application.shared_objects;
        SharedObjectConfig::max_waiting = application.shared_objects;
        SessionLimits::max_message = limits;
        SessionLimits::max_partial_bytes = limits;
        SessionLimits::max_chunk_streams = limits;
        SessionLimits::max_streams = limits;
        SessionLimits::max_waiting_messages = limits;
        SessionLimits::max_waiting_bytes = limits;
        SessionLimits::max_pending_calls = limits;
        SessionLimits::max_name = limits;
        SessionLimits::max_metadata = limits;
        SessionLimits::max_data_frames = limits;
        SessionLimits::max_aggregate_messages = limits;
        Limits::depth = limits.amf;
        Limits::elements = limits.amf;
        Limits::copies_per_byte = limits.amf;
        Limits::expanded_bytes = limits.amf;
        FlowLimits::bytes = server.player_limits;
        FlowLimits::millis = server.player_limits;
        ServerConfig::stall_timeout_ms = server;
        ApplicationConfig::gop_cache_bytes = application;
        ApplicationConfig::record_queue_bytes = application;
        ApplicationConfig::record_max_duration_ms = application;
        ApplicationConfig::record_max_bytes = application;
        ApplicationConfig::record_sync_ms = application;
    }
    real
}

/// Setting and first number of the default, of each row of three that names a setting; rows of four are about queues.
fn documented() -> BTreeMap<String, u64> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md");
    let page = std::fs::read_to_string(page).expect("docs/security.md can be read");
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells.len() != 5 {
            return None;
        }
        let setting = cells.get(2)?.strip_prefix('`')?.strip_suffix('`')?;
        let digits = cells
            .get(3)?
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == ',');
        let number = digits.filter(char::is_ascii_digit).collect::<String>();
        Some((
            setting.to_owned(),
            number.parse().expect("a default begins with a number"),
        ))
    });
    rows.collect()
}
