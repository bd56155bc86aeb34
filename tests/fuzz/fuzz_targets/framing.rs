#![no_main]
#![expect(missing_docs, reason = "the check says what it is")]

#[path = "../checks/framing.rs"]
mod framing;

libfuzzer_sys::fuzz_target!(|data: &[u8]| framing::run(data));
