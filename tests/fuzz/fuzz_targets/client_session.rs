#![no_main]

use libfuzzer_sys::fuzz_target;
use rtmp_tests::fuzz::{client_session, memory};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

fuzz_target!(|data: &[u8]| client_session::run(data));
