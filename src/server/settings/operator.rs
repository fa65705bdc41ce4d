//! The operator's key: it settles token payments and pays the gas for that, nothing else. From the environment or a file, never from the
//! database.

use std::{
    fmt, fs,
    io::{self, Read},
    path::Path,
};

use alloy::signers::local::PrivateKeySigner;

use super::secret;
use crate::evm::Address;

/// What is allowed.
pub const KEY: &str = "a private key, 0x and 64 hexadecimal digits";

/// A private key of secp256k1. No output holds it: shown, it is its address.
#[derive(Clone)]
pub struct OperatorKey(PrivateKeySigner);

impl OperatorKey {
    /// `None`: no scalar of the curve, such as zero.
    pub fn new(bytes: &[u8; 32]) -> Option<Self> {
        PrivateKeySigner::from_slice(bytes).ok().map(Self)
    }

    /// From 0x and 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        secret::parse(text).and_then(|bytes| Self::new(&bytes))
    }

    /// From a file that holds nothing else but white space around it.
    ///
    /// # Errors
    /// It cannot be read, or holds something else.
    pub fn read(file: &Path) -> io::Result<Self> {
        let mut text = String::new();
        fs::File::open(file)?.take(200).read_to_string(&mut text)?;
        Self::parse(text.trim()).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it holds something else"))
    }

    /// What settles, and has to own coins for gas.
    pub fn address(&self) -> Address {
        Address(self.0.address().into_array())
    }

    pub fn signer(&self) -> &PrivateKeySigner {
        &self.0
    }

    pub fn bytes(&self) -> [u8; 32] {
        self.0.to_bytes().0
    }
}

impl fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperatorKey(of {})", self.address())
    }
}
