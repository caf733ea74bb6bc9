#![no_main]

use libfuzzer_sys::fuzz_target;
use rtmp_tests::fuzz::{server_session, memory};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

fuzz_target!(|data: &[u8]| server_session::run(data));
