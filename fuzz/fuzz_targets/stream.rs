#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ftp_guard_fuzz::monitor::fuzz::stream(input));
