#![no_main]
#![expect(missing_docs, reason = "the check says what it is")]

#[path = "../checks/lexer.rs"]
mod lexer;

libfuzzer_sys::fuzz_target!(|data: &[u8]| lexer::run(data));
