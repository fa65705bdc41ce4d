//! The facilitator in this process: the operator's key signs the settlement, the operator's coins pay its gas.
//!
//! The bytes are on record before any node gets them, gas has a limit, and the chain's own word says whether money moved:
//! a settlement that seems to have worked is looked at before anybody hears of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::{
    consensus::{SignableTransaction, TxEip1559},
    eips::eip2718::Encodable2718,
    primitives::{B256, TxKind, U256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use tokio::{sync::Mutex, time::timeout};
use tracing::warn;

use super::{
    Record, Sending, SettleError, Unknown, VerifyError, confirmed,
    diagnose::{Finding, diagnose},
};
use crate::{
    chain::{Chain, EXACT_PROXY, Fees, PERMIT2, Trial},
    evm::{Address, TxHash},
    x402::authorization::{Authorization, Method, Refused, alloy_address},
};

/// More than any of the two methods takes with a plain wallet (90 000, 130 000), and as much again for a contract wallet's
/// own check of its signature. What takes more is not paid for.
const GAS_MAX: u64 = 300_000;

/// Added to what the node estimates, in percent. Monad charges the limit, so it is small.
const GAS_MARGIN_PERCENT: u64 = 10;

/// A payment that ends sooner than this is not begun: the block that would carry it out may come too late.
const EXPIRY_MARGIN_S: u64 = 6;

/// How long a settlement is waited for before the answer is "unknown".
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks for a receipt, at most.
const LOOK: Duration = Duration::from_millis(250);

/// 32 bytes that are no private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no private key")]
pub struct BadKey;

/// The operator's wallet on one network. Cheap to clone; one per key and network in all processes together, since it counts
/// its own transactions.
#[derive(Clone)]
pub struct Operator(Arc<Inner>);

struct Inner {
    chain: Chain,
    signer: PrivateKeySigner,
    address: Address,
    /// The wallet's next nonce: where `pending` is `latest`, as on Monad, the node alone would give one twice.
    /// 0: nothing is known that the node does not know.
    turn: Mutex<u64>,
    patience: Duration,
    has_permit2: AtomicBool,
}

impl Operator {
    /// # Errors
    /// Zero, or beyond the curve's order.
    pub fn new(key: &[u8; 32], chain: Chain) -> Result<Self, BadKey> {
        Self::with_patience(key, chain, PATIENCE)
    }

    /// Waits this long for a settlement before the answer is "unknown", instead of ten seconds.
    pub fn with_patience(key: &[u8; 32], chain: Chain, patience: Duration) -> Result<Self, BadKey> {
        let signer = PrivateKeySigner::from_bytes(&B256::from(*key)).map_err(|_| BadKey)?;
        let address = Address(signer.address().into_array());
        let (turn, has_permit2) = (Mutex::new(0), AtomicBool::new(false));
        Ok(Self(Arc::new(Inner { chain, signer, address, turn, patience, has_permit2 })))
    }

    /// Who pays the gas: this account needs coins.
    pub fn address(&self) -> Address {
        self.0.address
    }

    pub(super) fn chain(&self) -> &Chain {
        &self.0.chain
    }

    pub(super) fn can(&self, method: Method) -> bool {
        match method {
            Method::Eip3009 => true,
            Method::Permit2 => self.0.has_permit2.load(Ordering::Relaxed),
        }
    }

    /// Does the network have Permit2 and x402's proxy?
    pub(super) async fn refresh(&self) -> Result<(), Unknown> {
        let chain = self.chain();
        let is_there = !chain.code(PERMIT2).await?.is_empty() && !chain.code(EXACT_PROXY).await?.is_empty();
        self.0.has_permit2.store(is_there, Ordering::Relaxed);
        Ok(())
    }

    /// What [`diagnose`] finds, then its time, then whether the chain would carry it out for us.
    pub(super) async fn verify(&self, authorization: &Authorization) -> Result<(), VerifyError> {
        match diagnose(self.chain(), authorization).await? {
            Finding::Used => return Err(Refused::new(authorization.method.words().used).into()),
            Finding::Refused(refused) => return Err(refused.into()),
            Finding::Nothing => is_in_time(authorization)?,
        }
        let (to, data) = authorization.settlement();
        let trial = Trial { from: self.0.address, to, data: &data };
        match self.chain().simulate(trial, GAS_MAX).await? {
            Some(_) => Ok(()),
            None => Err(Refused::new(authorization.method.words().simulation).into()),
        }
    }

    pub(super) async fn settle(&self, authorization: &Authorization, record: &Record<'_>) -> Result<TxHash, SettleError> {
        let hash = match self.0.broadcast(authorization, record).await? {
            Broadcast::Refused(cause) => return self.not_sent(authorization, &cause).await,
            Broadcast::Signed { hash, cause } => return Err(Unknown::after(hash, cause).into()),
            Broadcast::Sent(hash) => hash,
        };
        match timeout(self.0.patience, self.0.included(hash)).await {
            Ok(true) => confirmed(self.chain(), authorization, hash).await,
            Ok(false) => self.reverted(authorization, hash).await,
            Err(_) => {
                // The node may have dropped it; a gap in the nonces would hold up all that come after.
                *self.0.turn.lock().await = 0;
                Err(Unknown::after(hash, format!("no receipt yet for {hash}")).into())
            }
        }
    }

    /// Nothing was signed: the chain would not carry it out, or something hinders us.
    async fn not_sent(&self, authorization: &Authorization, cause: &str) -> Result<TxHash, SettleError> {
        match self.verify(authorization).await {
            // It would go through: what hinders it is on our side, gas for instance.
            Ok(()) => {
                let (operator, network) = (self.0.address, &self.chain().network().name);
                warn!(%operator, network, cause, "{operator} cannot settle on {network} (has it coins for gas?): {cause}");
                Err(Unknown::new(cause).into())
            }
            Err(VerifyError::Refused(refused)) if refused.is_used() => Err(Unknown::new("its nonce is used already").into()),
            Err(VerifyError::Refused(refused)) => Err(refused.into()),
            Err(VerifyError::Unknown(unknown)) => Err(unknown.into()),
        }
    }

    /// Ours came too late, or something changed since it was tried out.
    async fn reverted(&self, authorization: &Authorization, hash: TxHash) -> Result<TxHash, SettleError> {
        match diagnose(self.chain(), authorization).await {
            Ok(Finding::Used) => Err(Unknown::after(hash, "our settlement reverted, and its nonce is used").into()),
            Ok(Finding::Refused(refused)) => Err(refused.into()),
            Ok(Finding::Nothing) => Err(Refused::new(authorization.method.words().failed).into()),
            Err(unavailable) => Err(Unknown::after(hash, unavailable.to_string()).into()),
        }
    }
}

/// Between `validAfter` and `validBefore`, by our clock: what a block would refuse for its time is told in these words.
fn is_in_time(authorization: &Authorization) -> Result<(), Refused> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let words = authorization.method.words();
    if authorization.valid_after > now {
        return Err(Refused::new(words.early));
    }
    if authorization.valid_before < now.saturating_add(EXPIRY_MARGIN_S) {
        return Err(Refused::new(words.expired));
    }
    Ok(())
}

/// How far a settlement came.
enum Broadcast {
    /// Nothing was signed; why.
    Refused(String),
    /// A node may have it.
    Signed { hash: TxHash, cause: String },
    /// A node has it.
    Sent(TxHash),
}

impl Inner {
    /// Signs, records and sends. Whatever fails before anything is signed leaves no trace.
    ///
    /// # Errors
    /// No node answers, or it could not be recorded: nothing was sent.
    async fn broadcast(&self, authorization: &Authorization, record: &Record<'_>) -> Result<Broadcast, Unknown> {
        let (to, data) = authorization.settlement();
        let fees = self.chain.fees().await?;
        // What would revert stops here and costs nothing.
        let Some(gas) = self.chain.estimate_gas(Trial { from: self.address, to, data: &data }, fees).await? else {
            return Ok(Broadcast::Refused("it would revert".to_owned()));
        };
        if gas > GAS_MAX {
            return Ok(Broadcast::Refused("it takes more gas than is paid for".to_owned()));
        }
        let gas_limit = (gas + gas * GAS_MARGIN_PERCENT / 100).min(GAS_MAX);

        let mut next = self.turn.lock().await; // until a node has it: nonces go out in order
        let nonce = self.chain.next_nonce(self.address).await?.max(*next);
        let Sending { hash, raw } = match self.sign(to, data, nonce, gas_limit, fees) {
            Ok(signed) => signed,
            Err(cause) => return Ok(Broadcast::Refused(cause.to_string())),
        };
        let recorded = timeout(self.patience, record(Sending { hash, raw: raw.clone() })).await;
        let recorded = recorded.map_err(|_| "a settlement could not be recorded in time".to_owned());
        recorded.and_then(|recorded| recorded.map_err(|e| e.to_string())).map_err(Unknown::new)?;
        *next = 0; // refused, or no answer: believe the node again
        if let Err(unavailable) = self.chain.send_raw(&raw).await {
            return Ok(Broadcast::Signed { hash, cause: unavailable.to_string() });
        }
        *next = nonce + 1;
        Ok(Broadcast::Sent(hash))
    }

    fn sign(&self, to: Address, data: Vec<u8>, nonce: u64, gas_limit: u64, fees: Fees) -> Result<Sending, alloy::signers::Error> {
        let transaction = TxEip1559 {
            chain_id: self.chain.network().chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: fees.max_fee_per_gas,
            max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
            to: TxKind::Call(alloy_address(to)),
            value: U256::ZERO,
            access_list: Default::default(),
            input: data.into(),
        };
        let signature = self.signer.sign_hash_sync(&transaction.signature_hash())?;
        let signed = transaction.into_signed(signature);
        Ok(Sending { hash: TxHash(signed.hash().0), raw: signed.encoded_2718() })
    }

    /// Waits for a block that includes it: did it succeed there?
    async fn included(&self, hash: TxHash) -> bool {
        let pause = self.chain.settings().poll.min(LOOK);
        loop {
            if let Ok(Some(succeeded)) = self.chain.succeeded(hash).await {
                return succeeded;
            }
            tokio::time::sleep(pause).await;
        }
    }
}
