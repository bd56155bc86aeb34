#![no_main]
#![expect(missing_docs, reason = "the check says what it is")]

#[path = "../checks/rtcp.rs"]
mod rtcp;

libfuzzer_sys::fuzz_target!(|data: &[u8]| rtcp::run(data));
