//! A paid run: the only way to an agent's work. It names no agent; `main` hands it the list.
//!
//! - `tools`: what the work may use, and only a paid run has.
//! - `engine`: what made the answer. `agent`: a card and the server function that does its work, from JSON to JSON. `input`: what it may be asked. `nul`: the one
//!   character that no text of it may hold.
//! - `schema`: its types' JSON schemas, alone and inside another document. `cycles`: there are none in them.
//! - `apart`: work on strangers' data, in a process of its own.
//! - `hands`: who has how many of the workers.
//! - `progress`: what the work says of itself, on its way to the ledger. `streams`: who listens to it.
//! - `worker`: leases a held run, does the work, stores the answer; outlives request, tab and process.

pub mod agent;
pub mod apart;
mod cycles;
pub mod engine;
pub mod hands;
pub mod input;
pub mod nul;
mod progress;
pub mod schema;
pub mod streams;
pub mod tools;
pub mod worker;

pub use agent::{Agent, agent};
pub use engine::Engine;
pub use streams::{Pace, Streams};
pub use tools::Tools;
