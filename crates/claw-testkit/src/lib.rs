//! Strategies, fixtures and harnesses shared by the tests, benches and fuzz targets.
//!
//! Not published; nothing here runs in a user's program.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a failing fixture must end the test that uses it"
)]

pub mod bench;
pub mod fuzz;
pub mod programs;
pub mod scene;
pub mod world;
