//! The sealed price of a 402.

/// The key of the offers' seals, and what is derived from it. From the settings, else made once and kept in the data directory.
#[derive(Clone)]
pub struct Seal {
    #[allow(dead_code)]
    secret: [u8; 32],
}

impl Seal {
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }
}
