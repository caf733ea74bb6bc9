#![no_main]

use libfuzzer_sys::fuzz_target;
use rtmp_tests::fuzz::{encrypted, memory};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

fuzz_target!(|data: &[u8]| encrypted::run(data));
