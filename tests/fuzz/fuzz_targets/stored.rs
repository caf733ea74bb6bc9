#![no_main]

use libfuzzer_sys::fuzz_target;
use rtmp_tests::fuzz::{memory, stored};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

fuzz_target!(|data: &[u8]| stored::run(data));
