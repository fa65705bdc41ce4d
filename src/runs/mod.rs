//! A paid run: the only way to an agent's work. It names no agent; `main` hands it the list.
//!
//! - `tools`: what the work may use, and only a paid run has.
//! - `agent`: a card and the server function that does its work, from JSON to JSON. `input`: what it may be asked.
//! - `schema`: its types' JSON schemas, alone and inside another document.
//! - `apart`: work on strangers' data, in a process of its own.
//! - `worker`: leases a held run, does the work, stores the answer; outlives request, tab and process.

pub mod agent;
pub mod apart;
pub mod input;
pub mod schema;
pub mod tools;
pub mod worker;

pub use agent::{Agent, agent};
pub use tools::Tools;
