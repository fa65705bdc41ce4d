//! The browser's side: 402 → wallet → proof → retry → answer. What the agents' panels call, the `client` of
//! every paid server function, and `window.x402Fetch`.
//!
//! - `request`: the recipe that is sent again, and the answer. `payment`: offers and what answers them. `authorization`: a token payment as a
//!   signature. `pending`: the list of payments without an answer. `waiting`: what an answer means and when to ask again. All five are pure, and
//!   tested without a browser.
//! - `client`: `#[server(client = X402)]`.
//! - `pay`: the way of one call. `follow`: the same payment shown until it has an answer. `storage`: the list, kept. `page`: the calls that this
//!   page knows, whatever component began them. `script`: `window.x402Fetch`. The browser's.
//! - `absent`: their signatures where there is no browser.

pub mod authorization;
mod client;
pub mod payment;
pub mod pending;
pub mod request;
pub mod waiting;

#[cfg(not(feature = "hydrate"))]
mod absent;
#[cfg(feature = "hydrate")]
mod follow;
#[cfg(feature = "hydrate")]
mod page;
#[cfg(feature = "hydrate")]
mod pay;
#[cfg(feature = "hydrate")]
mod script;
#[cfg(feature = "hydrate")]
mod storage;

use super::phase::Call;

#[cfg(not(feature = "hydrate"))]
pub use absent::{
    call, draft, drop_arrival, drop_payment, drop_question, keep_draft, panel_call, prefer, preferred, question_is_answered,
    questions, resume, seen, shown, slot, spend_credit, step_aside, tracked, untrack, watch_again,
};
#[cfg(feature = "hydrate")]
pub use page::{
    drop_arrival, drop_payment, drop_question, panel_call, question_is_answered, questions, resume, seen, shown, slot,
    spend_credit, step_aside, tracked, untrack, watch_again,
};
#[cfg(feature = "hydrate")]
pub use pay::call;
#[cfg(feature = "hydrate")]
pub use script::{call_of_scripts, export_to_javascript};
#[cfg(feature = "hydrate")]
pub use storage::{draft, keep_draft, prefer, preferred};

/// The `client` of every paid server function. What it is doing is in the `Call` of its context or, without one, of its agent's slot.
pub struct X402;

/// A call that was paid for, or is being paid, as the page shows it wherever the visitor went meanwhile (C9, C10).
#[derive(Clone, PartialEq)]
pub struct Tracked {
    /// The card's slug.
    pub agent: String,
    pub path: String,
    /// The exact body.
    pub body: String,
    pub call: Call,
    /// Unix milliseconds, by this browser's clock.
    pub created_ms: i64,
}
