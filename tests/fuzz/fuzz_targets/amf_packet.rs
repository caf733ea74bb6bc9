#![no_main]

use libfuzzer_sys::fuzz_target;
use rtmp_tests::fuzz::{amf_packet, memory};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

fuzz_target!(|data: &[u8]| amf_packet::run(data));
