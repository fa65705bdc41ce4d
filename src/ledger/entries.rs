//! The journal: append-only lines whose sum is zero per event and asset, and the balances that they add up to.
//!
//! Accounts: `payer:<address>` and `held:<address>` have a balance row and are never negative; they are taken in that order.
//! `chain:<network>`, `revenue:<agent>` and `refunds` have none: a row that everybody writes would serialise the whole shop.
