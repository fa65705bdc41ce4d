//! The books: deposits, balances, runs, and the promise that they balance. They know no chain.
//!
//! Every method is one transaction. Time comes in as Unix milliseconds (`now_ms`), never from a clock in here.
//! SQL is written once, in the part that SQLite and PostgreSQL share; `migrations/` is where to start reading.
//!
//! - `store`, `migrations`: the database: opening, migrating, beginning a transaction.
//! - `entries`, `signed`: the journal, and the balances it adds up to. The only code that moves money.
//! - `halts`: networks whose payments are stopped. `reach`: which address the database has, and whether anybody is there.
//! - `deposits`: money that has arrived. `credit`: what stands to a payer's credit. `arrivals`: what a recipient has on the chain, and why.
//! - `runs`: a run as a row. `present`, `hold`, `work`: its transitions, in this order. `awaited`: those that wait, as a look at them
//!   needs it. `turns`: whose is begun next. `failures`: what failed for good, in memory.
//! - `authorizations`, `claim`, `settle`: runs that are paid by a signature, and settled after the work (or before it).
//! - `standing`: what a payer has promised already, and how an agent's settlements went: whom it works for before it is paid.
//! - `progress`: how far the work of a run is. `content`: what of a run can be deleted. `forgetting`: what is not
//!   kept of runs that came to nothing.
//! - `watches`: calls that a wallet is about to pay for. `replacing`: payments that others took the place of. `followed`: transactions that were
//!   shown without a call.
//! - `sessions`, `instances`: who is signed in; what several instances agree on.
//! - `columns`: our types as the text and integers that both databases have.
//! - `audit`: the proof that all of it balances.

pub mod arrivals;
pub mod audit;
pub mod authorizations;
pub mod awaited;
mod claim;
mod columns;
mod content;
pub mod credit;
pub mod deposits;
pub mod entries;
mod failures;
mod fit;
pub mod followed;
pub mod forgetting;
mod halts;
mod hold;
mod instances;
mod migrations;
mod present;
pub mod progress;
mod reach;
pub mod replacing;
pub mod runs;
pub mod sessions;
mod settle;
mod signed;
pub mod standing;
pub mod store;
mod turns;
pub mod watches;
mod work;
pub mod writing;

pub use arrivals::{Account, Explained, Rise, RiseState, Standing};
pub use authorizations::{AuthorizationState, Method, NewAuthorization, RunAuthorization, Sent};
pub use awaited::{Awaited, Known};
pub use claim::{Claimed, Retried};
pub use deposits::{Deposit, How};
pub use halts::Halt;
pub use progress::{Begun, Heard, Written};
pub use runs::{HeldOrNot, Leased, NewRun, Presented, Run, SealedTerms};
pub use sessions::Session;
pub use standing::{Has, Promised};
pub use store::{Books, BooksError};
pub use turns::{NOT_OF_MAX, Whose};
pub use writing::Unwritable;
