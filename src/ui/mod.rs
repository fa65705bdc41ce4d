//! Building blocks of every page: money, ids, times, copy buttons, state words, toasts.
//!
//! They know no agent and no page. Each renders the same on the server and in the browser, but for what the server alone writes (`written`); what only the browser knows (its clock's
//! zone, its clipboard) comes in an effect, after hydration.

mod copy;
mod details;
mod drop;
mod erase;
mod heading;
mod hydrated;
mod ids;
mod money;
mod spinner;
mod state;
mod tabs;
mod time;
mod toast;
mod written;

pub use copy::CopyButton;
pub use details::Details;
pub use drop::FileDrop;
pub use erase::Erase;
pub use heading::{Heading, follow_navigation};
pub use hydrated::hydrated;
pub use ids::{AddressView, HashView};
pub use money::MoneyView;
pub use spinner::Spinner;
pub use state::StatusWord;
pub use tabs::{Tab, Tabs};
pub use time::{TimeView, utc_date_time, utc_text};
pub use toast::{Toasts, toast};
#[cfg(feature = "ssr")]
pub use written::write;
pub use written::written;
