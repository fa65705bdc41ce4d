//! What nodes are asked about a signature that nobody has shown before. Anybody can sign, and wallets are free: so it is bounded per visitor and in all,
//! the same payment at the same moment is looked at once, and what was refused is not looked at again for a while.

use std::time::Duration;

use moka::future::Cache;
use sha2::{Digest, Sha256};

use super::{
    authorization::{Authorization, SignedBy},
    call::broken,
    desk::Desk,
    signer::{Allowance, Asks},
};
use crate::{
    error::{CallError, Code},
    evm::Address,
};

/// What was refused is refused again within so long, and no node is asked: short enough for a payer who gets more of the token and tries again.
const REMEMBERED: Duration = Duration::from_secs(5);
/// Refusals that are remembered, of a few hundred bytes each.
const REMEMBERED_MAX: u64 = 20_000;

/// Of one payer so many may be looked at in vain, each within so long after the one before: whoever has the price of one call can sign for ever.
const IN_VAIN_MAX: u32 = 10;
const IN_VAIN_FOR: Duration = Duration::from_secs(3);
/// Such payers that are remembered.
const PAYERS_MAX: u64 = 50_000;

/// Payments that are looked at, or were refused lately, and their payers.
pub struct Verifying {
    refused: Cache<[u8; 32], CallError>,
    /// How many of a payer's were looked at in vain lately.
    in_vain: Cache<Address, u32>,
}

impl Default for Verifying {
    fn default() -> Self {
        Self {
            refused: Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(REMEMBERED).build(),
            in_vain: Cache::builder().max_capacity(PAYERS_MAX).time_to_live(IN_VAIN_FOR).build(),
        }
    }
}

impl Verifying {
    /// What `verify` comes to, for all who show the same payment meanwhile.
    ///
    /// # Errors
    /// Those of `verify`, or what it refused within the last seconds.
    pub async fn once<T: Clone + Send + Sync + 'static>(
        &self,
        authorization: &Authorization,
        verify: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let asked = async {
            match verify.await {
                Err(why) if is_final(&why) => Ok(why),
                other => Err(other),
            }
        };
        match self.refused.try_get_with(key(authorization), asked).await {
            Ok(refused) => Err(refused),
            Err(other) => (*other).clone(),
        }
    }

    /// A payment was looked at, and makes no run.
    pub async fn was_in_vain(&self, payer: Address) {
        let before = self.in_vain.get(&payer).await.unwrap_or(0);
        self.in_vain.insert(payer, before.saturating_add(1)).await;
    }

    async fn is_too_often_in_vain(&self, payer: Address) -> bool {
        self.in_vain.get(&payer).await.is_some_and(|count| count >= IN_VAIN_MAX)
    }
}

/// The same payment is the same payer, nonce and network, where it was signed with the payer's key; else it is the same signature too: whoever has
/// seen a nonce cannot have it refused for its payer.
fn key(authorization: &Authorization) -> [u8; 32] {
    let is_by_payer = authorization.signed_by() == SignedBy::Payer;
    let signed = if is_by_payer { &[] } else { authorization.signature.as_slice() };
    // The lengths of the parts are not fixed, so each is hashed.
    let parts = [authorization.network.as_bytes(), authorization.proof().as_bytes(), signed].map(Sha256::digest);
    let (value, token) = (authorization.value.to_be_bytes(), authorization.token.address.0);
    Sha256::digest([&parts.concat()[..], &value, &authorization.to.0, &token, &[u8::from(is_by_payer)]].concat()).into()
}

/// An allowance is given in a moment, and the same payment shown again; nobody knows is no refusal at all.
fn is_final(why: &CallError) -> bool {
    why.code == Code::PaymentInvalid
}

/// Has its payer bought here? Only who signed with their own key is believed to be who they say.
///
/// # Errors
/// The books do not answer.
pub async fn has_bought(desk: &Desk, authorization: &Authorization) -> Result<bool, CallError> {
    match authorization.signed_by() {
        SignedBy::Payer => desk.books.has_bought(authorization.from).await.map_err(broken),
        SignedBy::Unknown => Ok(false),
    }
}

/// May it be looked at all, for this visitor?
///
/// # Errors
/// [`Code::RateLimited`]: the same payment, in a moment.
pub fn may_show(allowance: Option<&Allowance>, has_bought: bool) -> Result<(), CallError> {
    allowance.map_or(Ok(()), |allowance| allowance.take(Asks::Payment { has_bought }))
}

/// Nothing stands in its way so far: may nodes be asked for the rest?
///
/// # Errors
/// [`Code::RateLimited`] where this payer shows too many, [`Code::VerifierUnavailable`] where all do: the same payment, in a moment.
pub async fn may_ask(
    desk: &Desk,
    authorization: &Authorization,
    allowance: Option<&Allowance>,
    has_bought: bool,
) -> Result<(), CallError> {
    if desk.verifying.is_too_often_in_vain(authorization.from).await {
        return Err(CallError::from(Code::RateLimited).after_ms(u64::try_from(IN_VAIN_FOR.as_millis()).unwrap_or(u64::MAX)));
    }
    allowance.map_or(Ok(()), |allowance| allowance.take(Asks::Verification { has_bought }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{money::Amount, network::Token, x402::authorization::Method};

    fn payment(nonce: u8) -> Authorization {
        let address = |byte: u8| Address([byte; 20]);
        Authorization {
            method: Method::Eip3009,
            network: "eip155:143".into(),
            chain_id: 143,
            token: Token {
                address: address(0x70),
                symbol: "USDC".into(),
                decimals: 6,
                name: "USDC".into(),
                version: "2".into(),
                eip3009: true,
                permit2: true,
            },
            from: address(1),
            to: address(2),
            value: Amount::from_atomic(1000),
            valid_after: 0,
            valid_before: alloy::primitives::U256::from(2_000_000_000u64),
            nonce: [nonce; 32],
            signature: vec![7; 65],
            bought: None,
        }
    }

    #[tokio::test]
    async fn s2_the_same_payment_is_looked_at_once_and_its_refusal_remembered() {
        let (verifying, asked) = (Verifying::default(), AtomicUsize::new(0));
        let refuse = |payment: Authorization, code: Code| {
            let (verifying, asked) = (&verifying, &asked);
            async move {
                let verify = async {
                    asked.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    Err::<(), _>(CallError::from(code))
                };
                verifying.once(&payment, verify).await.unwrap_err().code
            }
        };
        let at_once = futures::future::join_all((0..20).map(|_| refuse(payment(1), Code::PaymentInvalid))).await;
        assert!(at_once.iter().all(|code| *code == Code::PaymentInvalid));
        assert_eq!(refuse(payment(1), Code::PaymentInvalid).await, Code::PaymentInvalid);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        // Another nonce, another signature, another network: another payment.
        let others = [
            payment(2),
            Authorization { signature: vec![8; 65], ..payment(1) },
            Authorization { network: "eip155:1".into(), ..payment(1) },
            Authorization { from: Address([9; 20]), ..payment(1) },
        ];
        for other in others {
            refuse(other, Code::PaymentInvalid).await;
        }
        assert_eq!(asked.load(Ordering::Relaxed), 5);
        // What is not known, or is mended in a moment, is looked at again.
        for code in [Code::VerifierUnavailable, Code::RateLimited, Code::PaymentPending, Code::Permit2AllowanceRequired] {
            let before = asked.load(Ordering::Relaxed);
            assert_eq!(refuse(payment(3), code).await, code);
            assert_eq!(refuse(payment(3), code).await, code);
            assert_eq!(asked.load(Ordering::Relaxed), before + 2, "{code}");
        }
    }

    #[tokio::test]
    async fn s2_what_holds_is_told_to_all_who_asked_at_once_and_looked_at_anew_later() {
        let (verifying, asked) = (Verifying::default(), AtomicUsize::new(0));
        let hold = || async {
            let verify = async {
                tokio::task::yield_now().await;
                Ok::<_, CallError>(asked.fetch_add(1, Ordering::Relaxed))
            };
            verifying.once(&payment(1), verify).await.unwrap()
        };
        assert_eq!(futures::future::join_all((0..20).map(|_| hold())).await, vec![0; 20]);
        assert_eq!(hold().await, 1);
    }

    #[tokio::test]
    async fn s2_whoever_has_a_coin_cannot_have_nodes_asked_for_ever() {
        let (verifying, eve) = (Verifying::default(), Address([9; 20]));
        for _ in 0..IN_VAIN_MAX {
            assert!(!verifying.is_too_often_in_vain(eve).await);
            verifying.was_in_vain(eve).await;
        }
        assert!(verifying.is_too_often_in_vain(eve).await);
        assert!(!verifying.is_too_often_in_vain(Address([1; 20])).await, "another payer");
    }
}
