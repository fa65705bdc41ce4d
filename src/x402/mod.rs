//! The protocol: offers, payments, receipts. It knows no agent and no page.
//!
//! - `wire`: the objects and headers, shared by both sides.
//! - `phase`: where a payment is, in words for the page.
//! - `fetch`: the browser's side, the `client` of every paid server function and `window.x402Fetch`.
//! - `desk`: what the server's side works with: books, networks, seal.
//! - `bazaar`: what a 402 says of its agent to those that list it.
//! - `offers`: the sealed price of a 402 (`packed`). `v1`: the same for clients of version 1. `presented`: the three kinds of payment header.
//! - `decorator`: `#[middleware(payment_required::<Input>(&CARD))]`.
//! - `call`: one call, from its payment to its run. `outcome`: what it comes to. `answer`: how HTTP says it.
//!   `template`: an unpaid 402, made once, with holes for what differs.
//! - `refusal`: what a refused payment has in a receipt's place.
//! - `no_call`: a payment beside something that is no call. `known_failure`: what an agent failed on is told before the next payment.
//! - `native`: the transaction-proof method. `native_proof`: how a program without a session shows that a transaction is its own.
//! - `authorization`: a signed token transfer. `authorized`: a call that is paid by one. `facilitator`: who settles it. `settling`: until it is
//!   final; `looks`: how often that is looked at; `early`: one that begins to hold in a moment; `verifying`: how much nodes are asked about it.
//! - `signer`: whose signature it is, a key's or a contract's.
//! - `sign_in`, `payment_identifier`: the extensions by which a program spends its credit, and names its payment.
//! - `till`: joins the chain's follower with the books. `brought`: what a transaction brought, by its calls too. `arrivals`: that nothing arrives
//!   unseen; `gaps`: blocks that are too many to be read in one go. `replaced`: payments that were sped up or cancelled in their wallet. `unseen`:
//!   those that are looked for before anything is written. `absent`: that a payment is nowhere is said only after a look. `unmet`: networks whose
//!   nodes have not shown yet which chain they are of.

pub mod fetch;
pub mod phase;
pub mod wire;

#[cfg(feature = "ssr")]
pub mod absent;
#[cfg(feature = "ssr")]
pub mod answer;
#[cfg(feature = "ssr")]
pub mod arrivals;
#[cfg(feature = "ssr")]
pub mod authorization;
#[cfg(feature = "ssr")]
pub mod authorized;
#[cfg(feature = "ssr")]
pub mod bazaar;
#[cfg(feature = "ssr")]
pub mod brought;
#[cfg(feature = "ssr")]
pub mod call;
#[cfg(feature = "ssr")]
pub mod decorator;
#[cfg(feature = "ssr")]
pub mod desk;
#[cfg(feature = "ssr")]
mod early;
#[cfg(feature = "ssr")]
pub mod facilitator;
#[cfg(feature = "ssr")]
mod gaps;
#[cfg(feature = "ssr")]
pub mod known_failure;
#[cfg(feature = "ssr")]
pub mod looks;
#[cfg(feature = "ssr")]
pub mod native;
#[cfg(feature = "ssr")]
pub mod native_proof;
#[cfg(feature = "ssr")]
pub mod no_call;
#[cfg(feature = "ssr")]
pub mod offers;
#[cfg(feature = "ssr")]
pub mod outcome;
#[cfg(feature = "ssr")]
mod packed;
#[cfg(feature = "ssr")]
pub mod payment_identifier;
#[cfg(feature = "ssr")]
pub mod presented;
#[cfg(feature = "ssr")]
pub mod refusal;
#[cfg(feature = "ssr")]
pub mod replaced;
#[cfg(feature = "ssr")]
pub mod settling;
#[cfg(feature = "ssr")]
pub mod sign_in;
#[cfg(feature = "ssr")]
pub mod signer;
#[cfg(feature = "ssr")]
mod template;
#[cfg(feature = "ssr")]
pub mod till;
#[cfg(feature = "ssr")]
pub mod unmet;
#[cfg(feature = "ssr")]
pub mod unseen;
#[cfg(feature = "ssr")]
pub mod v1;
#[cfg(feature = "ssr")]
mod verifying;

pub use fetch::X402;
