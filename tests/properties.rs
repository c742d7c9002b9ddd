//! Fuzz and property suites live here.
