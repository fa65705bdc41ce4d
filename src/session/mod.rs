//! Sign-in with Ethereum (EIP-4361) and the session cookie.
//!
//! - `view`: who is signed in, as the page sees it.
//! - `message`: the text that the wallet signs; the page writes it, the server reads it.
//! - `guard` (server): the cookie, cross-site refusal, `POST|GET|DELETE /api/session`.

pub mod message;
pub mod view;

#[cfg(feature = "ssr")]
pub mod guard;

pub use view::{Arrived, SessionView};
