#![no_main]
#![expect(missing_docs, reason = "the check says what it is")]

#[path = "../checks/digest.rs"]
mod digest;

libfuzzer_sys::fuzz_target!(|data: &[u8]| digest::run(data));
