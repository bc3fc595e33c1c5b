//! A real `weft-control`, asked by clients that stand where pods stand: every address of 127.0.0.0/8 can be one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test may fail wherever it likes")]

mod certificates;
mod control;
mod discovery;
mod doors;
mod process;
mod source;
mod world;
