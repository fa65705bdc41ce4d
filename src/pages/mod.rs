//! One file per page; `data` is what they ask the server for.

pub mod data;
