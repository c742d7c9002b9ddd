#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| claw_testkit::fuzz::policy_parse(data));
