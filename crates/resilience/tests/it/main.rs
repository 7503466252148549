//! Breaker, health and guard together, as a service uses them.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod cascade;
mod concurrency;
mod guard;
