#![no_main]
#![expect(missing_docs, reason = "the check says what it is")]

#[path = "../checks/rtp.rs"]
mod rtp;

libfuzzer_sys::fuzz_target!(|data: &[u8]| rtp::run(data));
