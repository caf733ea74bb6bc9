#![no_main]

use libfuzzer_sys::fuzz_target;
use rtmp_tests::fuzz::{media_tags, memory};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

fuzz_target!(|data: &[u8]| media_tags::run(data));
