//! The page as a browser's program. All of it is in `coinslot`; here is only what its script calls.

pub use coinslot::{draw, hydrate};
