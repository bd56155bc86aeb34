#![no_main]
#![expect(missing_docs, reason = "the check says what it is")]

#[path = "../checks/sdp.rs"]
mod sdp;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sdp::run(data));
