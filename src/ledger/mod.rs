//! The books: deposits, balances, runs, and the promise that they balance. They know no chain.
//!
//! Every method is one transaction. Time comes in as Unix milliseconds (`now_ms`), never from a clock in here.
//! SQL is written once, in the part that SQLite and PostgreSQL share.

pub mod audit;
pub mod credit;
pub mod deposits;
pub mod entries;
pub mod runs;
pub mod sessions;
pub mod store;
pub mod watches;

pub use deposits::{Deposit, How};
pub use runs::{HeldOrNot, Leased, NewRun, Presented, Run, SealedTerms};
pub use store::{Books, BooksError};
