//! Whose signature it is: a key's, by arithmetic, or a contract's, as its chain says (ERC-1271, ERC-6492).
//!
//! The key is tried first: it costs nothing, and an account that lends its code from elsewhere (EIP-7702) still has one. What a chain is asked about
//! comes last, after everything that can be known without it, and is bounded, since anybody can send a signature: per visitor and in all, with a short
//! memory of the answers. Only who somebody is is proven so; a token is moved by no signature of ERC-6492 (`authorization`).

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use alloy::primitives::{B256, Signature};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use moka::future::Cache;
use sha2::{Digest, Sha256};
use tracing::debug;

use super::desk::Desk;
use crate::{
    chain::signature::may_be_a_contracts,
    error::{CallError, Code},
    evm::Address,
};

/// Of a signature: a contract's may hold those of several owners, and the call that makes the contract.
const SIGNATURE_BYTES_MAX: usize = 4 * 1024;
/// Questions to the chains per second and at once, for all visitors together: a flood of signatures must not use up what payments need of the nodes.
const IN_ALL_PER_S: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
const IN_ALL_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);
/// The same signature again within so long is answered from memory: a page that tries again, a program that polls.
const REMEMBERED: Duration = Duration::from_secs(15);
const REMEMBERED_MAX: u64 = 10_000;
/// Until nodes that are away are asked again.
const AWAY_MS: u64 = 2_000;

/// Somebody says to have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub account: Address,
    /// What a key signs, and what a contract is asked about.
    pub hash: B256,
    signature: Vec<u8>,
}

/// Who signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The account's key: the same account on every network.
    Key,
    /// Its contract, on the network that was asked. The same address elsewhere may be somebody else's.
    Contract,
}

impl Claim {
    /// `None`: the text is no signature, of a key or of a contract.
    pub fn read(account: Address, hash: B256, signature: &str) -> Option<Self> {
        let digits = signature.strip_prefix("0x").unwrap_or(signature);
        if digits.len() > 2 * SIGNATURE_BYTES_MAX {
            return None;
        }
        let signature = alloy::hex::decode(digits).ok()?;
        may_be_a_contracts(&signature).then_some(Self { account, hash, signature })
    }

    /// The key that signed the hash, whoever's it is. `None`: no key's signature.
    pub fn key(&self) -> Option<Address> {
        let signature = match self.signature.len() {
            65 => Signature::from_raw(&self.signature).ok()?,
            64 => Signature::from_erc2098(&self.signature),
            _ => return None,
        };
        signature.recover_address_from_prehash(&self.hash).ok().map(|key| Address(key.into_array()))
    }

    pub fn is_by_key(&self) -> bool {
        self.key() == Some(self.account)
    }

    /// What makes it the same question again.
    fn digest(&self, network: &str) -> [u8; 32] {
        // The network's length is not fixed, so it comes last.
        let parts = [&self.account.0[..], &self.hash[..], &Sha256::digest(&self.signature), network.as_bytes()];
        Sha256::digest(parts.concat()).into()
    }
}

/// What a chain is asked about. Each is counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// A signature that only a contract can have made.
    Signature,
    /// A transaction of a wallet that is not known here, and that no node has told of yet.
    Unseen,
    /// A payment that nobody has shown before: what costs a node next to nothing. Bounded for each visitor.
    Payment { has_bought: bool },
    /// The rest about it, where nothing stands in its way so far. Bounded for all together.
    Verification { has_bought: bool },
    /// Anything else that is asked before anybody pays.
    Look,
}

/// Nothing is left, and there is more after so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Of what this visitor may have asked.
    Own(Duration),
    /// Of what all visitors together may.
    All(Duration),
}

/// What one visitor's address may still have asked of a chain. The layer that counts requests puts it into each (`server::limits`).
#[derive(Clone)]
pub struct Allowance(Arc<dyn Fn(Asks) -> Result<(), Wait> + Send + Sync>);

impl Allowance {
    /// `take`: one more.
    pub fn new(take: impl Fn(Asks) -> Result<(), Wait> + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// One more.
    ///
    /// # Errors
    /// How long to wait.
    pub fn try_take(&self, asks: Asks) -> Result<(), Wait> {
        (self.0)(asks)
    }

    /// The same, in the words of a call.
    ///
    /// # Errors
    /// [`Code::RateLimited`] where this visitor asks too often, [`Code::VerifierUnavailable`] where all do: the same again, in a moment.
    pub fn take(&self, asks: Asks) -> Result<(), CallError> {
        let ms = |wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
        self.try_take(asks).map_err(|wait| match wait {
            Wait::Own(wait) => CallError::from(Code::RateLimited).after_ms(ms(wait)),
            Wait::All(wait) => CallError::saying(
                Code::VerifierUnavailable,
                "Too many ask the network at once. Nothing was charged; send the same again in a moment.",
            )
            .after_ms(ms(wait).max(AWAY_MS)),
        })
    }
}

/// What the chains are being asked about signatures, and were lately.
pub struct Asking {
    remembered: Cache<[u8; 32], bool>,
    in_all: DefaultDirectRateLimiter,
}

impl Default for Asking {
    fn default() -> Self {
        let quota = Quota::per_second(IN_ALL_PER_S).allow_burst(IN_ALL_AT_ONCE);
        Self {
            remembered: Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(REMEMBERED).build(),
            in_all: RateLimiter::direct(quota),
        }
    }
}

/// Who signed it. `None`: nobody who is that account, as far as this network (CAIP-2) knows.
///
/// # Errors
/// [`Code::RateLimited`] where this visitor asks too often, [`Code::VerifierUnavailable`] where no node can be asked: it is not known who signed.
pub async fn of(desk: &Desk, network: &str, claim: &Claim, allowance: Option<&Allowance>) -> Result<Option<By>, CallError> {
    if claim.is_by_key() {
        return Ok(Some(By::Key));
    }
    let asked = desk.asking.remembered.try_get_with(claim.digest(network), ask(desk, network, claim, allowance));
    let is_its_contracts = asked.await.map_err(|why: Arc<CallError>| (*why).clone())?;
    Ok(is_its_contracts.then_some(By::Contract))
}

async fn ask(desk: &Desk, network: &str, claim: &Claim, allowance: Option<&Allowance>) -> Result<bool, CallError> {
    // What a halted chain says is not believed until an operator has looked; one that was not met yet, not at all.
    let Some(chain) = desk.chain(network).filter(|_| desk.is_believed(network)) else { return Err(unavailable()) };
    if let Some(allowance) = allowance {
        allowance.take(Asks::Signature)?;
    }
    if desk.asking.in_all.check().is_err() {
        return Err(unavailable());
    }
    chain.has_signed(claim.account, claim.hash.0, &claim.signature).await.map_err(|cause| {
        debug!(network, %cause, "who signed cannot be told: {cause}");
        unavailable().with_details(cause)
    })
}

fn unavailable() -> CallError {
    CallError::saying(
        Code::VerifierUnavailable,
        "This signature can only be a contract's, and its network cannot be asked right now. Nothing is lost; try the same again in a moment.",
    )
    .after_ms(AWAY_MS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use alloy::{
        primitives::keccak256,
        signers::{SignerSync, local::PrivateKeySigner},
    };

    use super::*;

    fn ada() -> PrivateKeySigner {
        format!("0x{}", "11".repeat(32)).parse().unwrap()
    }

    fn signed(bytes: &[u8]) -> Option<Claim> {
        let account = Address(ada().address().into_array());
        Claim::read(account, keccak256("hello"), &alloy::hex::encode_prefixed(bytes))
    }

    #[test]
    fn p5_a_keys_signature_needs_no_chain() {
        let signature = ada().sign_hash_sync(&keccak256("hello")).unwrap();
        assert!(signed(&signature.as_bytes()).unwrap().is_by_key());
        assert!(signed(&signature.as_erc2098()).unwrap().is_by_key(), "the short form too");
        let mut other = signed(&signature.as_bytes()).unwrap();
        other.account = Address([1; 20]);
        assert_eq!((other.is_by_key(), other.key()), (false, signed(&signature.as_bytes()).unwrap().key()));
    }

    #[test]
    fn p5_what_cannot_be_a_signature_is_asked_of_nobody() {
        let account = Address([1; 20]);
        let too_long = format!("0x{}", "00".repeat(SIGNATURE_BYTES_MAX + 1));
        let no_wrapper = format!("0x{}", "6492".repeat(16));
        for text in ["nonsense", "0x0", "0xzz", &too_long, &no_wrapper] {
            assert_eq!(Claim::read(account, B256::ZERO, text), None, "{text:.20}");
        }
        // Some contracts keep what they have signed, and are asked about an empty signature.
        for bytes in [&[][..], &[0], &[7; 65], &[7; SIGNATURE_BYTES_MAX]] {
            assert!(!signed(bytes).unwrap().is_by_key());
        }
    }

    #[test]
    fn p5_the_same_question_is_of_one_account_text_signature_and_network() {
        let one = signed(&[7; 65]).unwrap();
        let others = [
            Claim { account: Address([1; 20]), ..one.clone() },
            Claim { hash: B256::ZERO, ..one.clone() },
            Claim { signature: vec![7; 66], ..one.clone() },
        ];
        assert_eq!(one.digest("eip155:1"), one.clone().digest("eip155:1"));
        assert_ne!(one.digest("eip155:1"), one.digest("eip155:10"));
        assert!(others.iter().all(|other| other.digest("eip155:1") != one.digest("eip155:1")));
    }
}
