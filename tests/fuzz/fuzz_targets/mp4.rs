#![no_main]

use libfuzzer_sys::fuzz_target;
use rtmp_tests::fuzz::{memory, mp4};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

fuzz_target!(|data: &[u8]| mp4::run(data));
