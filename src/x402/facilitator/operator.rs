//! The facilitator in this process: the operator's key signs the settlement, the operator's coins pay its gas.
//!
//! The bytes are on record before any node gets them, gas has a limit, and the chain's own word says whether money moved:
//! a settlement that seems to have worked is looked at before anybody hears of it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex as StdMutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::{
    consensus::{SignableTransaction, TxEip1559},
    eips::eip2718::Encodable2718,
    primitives::{B256, TxKind, U256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use tracing::{info, warn};

use super::{
    Record, Sending, SettleError, Unknown, VerifyError, confirmed,
    diagnose::{Finding, diagnose, first_look, is_used_by_now, its_contracts_word},
};
use crate::{
    chain::{Chain, EXACT_PROXY, Fees, PERMIT2, Prepared, Purse, Trial, Unavailable},
    evm::{Address, TxHash},
    money::Amount,
    x402::authorization::{Authorization, Method, Refused, alloy_address, number},
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

/// Transactions that are remembered in case a reorganisation drops them: more than are ever in blocks that may still vanish.
const SENT_MAX: usize = 32;

/// What a node took so short a time ago, and no block had yet, is on its way: it is not sent again for each that comes after it.
const ON_ITS_WAY: Duration = Duration::from_secs(2);

/// Where the settings say nothing: 1000 gwei.
const GAS_PRICE_MAX: u128 = 1_000_000_000_000;

/// That gas is too dear is said so often at most, in seconds.
const TOLD_DEAR_EVERY_S: u64 = 60;

/// Between two looks for a receipt, at most.
const LOOK: Duration = Duration::from_millis(250);

/// Wei.
const GWEI: u128 = 1_000_000_000;

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
    turn: Mutex<Turn>,
    patience: Duration,
    has_permit2: AtomicBool,
    /// Wei for a unit of gas: nothing is signed for more.
    gas_price_max: u128,
    /// When it was last said that the network asks for more, Unix seconds.
    told_dear_s: AtomicU64,
    /// What gas cost when it was last asked: about what a settlement costs.
    fees_lately: StdMutex<Option<Fees>>,
}

/// The wallet's own count of its transactions.
#[derive(Default)]
struct Turn {
    /// The next nonce: where `pending` is `latest`, as on Monad, the node alone would give one twice. 0: nothing is known that the node does not
    /// know.
    next: u64,
    /// The last ones that a node took: what a reorganisation drops is sent again.
    sent: VecDeque<Sent>,
}

struct Sent {
    nonce: u64,
    sending: Sending,
    at: Instant,
    /// A block had it, as far as anybody has seen.
    was_included: bool,
}

impl Turn {
    fn took(&mut self, nonce: u64, sending: Sending) {
        self.next = nonce + 1;
        self.sent.retain(|sent| sent.nonce != nonce);
        self.sent.push_back(Sent { nonce, sending, at: Instant::now(), was_included: false });
        while self.sent.len() > SENT_MAX {
            self.sent.pop_front();
        }
    }
}

impl Operator {
    /// # Errors
    /// Zero, or beyond the curve's order.
    pub fn new(key: &[u8; 32], chain: Chain) -> Result<Self, BadKey> {
        Self::with_patience(key, chain, PATIENCE)
    }

    /// Waits this long for a settlement before the answer is "unknown", instead of ten seconds.
    ///
    /// # Errors
    /// As [`Operator::new`].
    pub fn with_patience(key: &[u8; 32], chain: Chain, patience: Duration) -> Result<Self, BadKey> {
        Self::with_limits(key, chain, patience, GAS_PRICE_MAX)
    }

    /// Signs nothing for a higher price of gas than this, in wei: a node that lies must not spend the operator's coins.
    ///
    /// # Errors
    /// As [`Operator::new`].
    pub fn with_gas_price_max(key: &[u8; 32], chain: Chain, gas_price_max: Amount) -> Result<Self, BadKey> {
        // More than 128 bits is no limit at all.
        let gas_price_max = u128::try_from(number(gas_price_max)).unwrap_or(u128::MAX);
        Self::with_limits(key, chain, PATIENCE, gas_price_max)
    }

    fn with_limits(key: &[u8; 32], chain: Chain, patience: Duration, gas_price_max: u128) -> Result<Self, BadKey> {
        let signer = PrivateKeySigner::from_bytes(&B256::from(*key)).map_err(|_| BadKey)?;
        let address = Address(signer.address().into_array());
        let (turn, has_permit2, told_dear_s) = (Mutex::default(), AtomicBool::new(false), AtomicU64::new(0));
        let fees_lately = StdMutex::default();
        Ok(Self(Arc::new(Inner { chain, signer, address, turn, patience, has_permit2, gas_price_max, told_dear_s, fees_lately })))
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
        if is_there {
            chain.note_contract(PERMIT2);
            chain.note_contract(EXACT_PROXY);
        }
        self.0.has_permit2.store(is_there, Ordering::Relaxed);
        Ok(())
    }

    /// What [`diagnose`] finds, then its time, then whether the chain would carry it out for us, and whether we would pay for that.
    pub(super) async fn verify(&self, authorization: &Authorization) -> Result<Purse, VerifyError> {
        first_look(self.chain(), authorization).await?.refuses(authorization)?;
        self.verify_rest(authorization).await
    }

    /// The same without [`first_look`], which found nothing.
    pub(super) async fn verify_rest(&self, authorization: &Authorization) -> Result<Purse, VerifyError> {
        let used = || VerifyError::from(Refused::new(authorization.method.words().used));
        its_contracts_word(self.chain(), authorization).await?.refuses(authorization)?;
        is_in_time(authorization)?;
        let (to, data) = authorization.settlement();
        let trial = Trial { from: self.0.address, to, data: &data };
        let tried = self.chain().try_out(trial, GAS_MAX, authorization.token.address, authorization.from).await?;
        match tried.returned {
            // Known before the work: what cannot be settled now is not worked for.
            Some(_) => self.0.would_pay(tried.fees).map(|()| tried.purse).map_err(VerifyError::from),
            None if is_used_by_now(self.chain(), authorization).await? => Err(used()),
            None => Err(Refused::new(authorization.method.words().simulation).into()),
        }
    }

    /// Signs, records and sends, and waits for nothing.
    ///
    /// # Errors
    /// As [`super::Facilitator::begin`].
    pub(super) async fn begin(&self, authorization: &Authorization, record: &Record<'_>) -> Result<TxHash, SettleError> {
        match self.0.broadcast(authorization, record).await? {
            Broadcast::Refused(cause) => self.not_sent(authorization, &cause).await,
            Broadcast::Signed { hash, cause } => Err(Unknown::after(hash, cause).into()),
            Broadcast::Sent(hash) => Ok(hash),
        }
    }

    /// A block has it: if it is not counted later on, it was dropped.
    pub(super) async fn saw(&self, hash: TxHash) {
        let mut turn = self.0.turn.lock().await;
        turn.sent.iter_mut().filter(|sent| sent.sending.hash == hash).for_each(|sent| sent.was_included = true);
    }

    /// No block has what was sent: the node may have dropped it, and a gap in the nonces would hold up all that come after.
    pub(super) async fn recount(&self) {
        self.0.turn.lock().await.next = 0;
    }

    pub(super) async fn settle(&self, authorization: &Authorization, record: &Record<'_>) -> Result<TxHash, SettleError> {
        let hash = self.begin(authorization, record).await?;
        let included = timeout(self.0.patience, self.0.included(hash)).await;
        if included.is_ok() {
            self.saw(hash).await;
        }
        match included {
            Ok(true) => confirmed(self.chain(), authorization, hash).await,
            Ok(false) => self.reverted(authorization, hash).await,
            Err(_) => {
                self.recount().await;
                Err(Unknown::after(hash, format!("no receipt yet for {hash}")).into())
            }
        }
    }

    /// Nothing was signed: the chain would not carry it out, or something hinders us.
    async fn not_sent(&self, authorization: &Authorization, cause: &str) -> Result<TxHash, SettleError> {
        match self.verify(authorization).await {
            // It would go through: what hinders it is on our side, gas for instance.
            Ok(_) => {
                let (operator, network) = (self.0.address, &self.chain().network().name);
                if self.chain().is_time_to_say("cannot settle") {
                    warn!(%operator, network, cause, "{operator} cannot settle on {network} (has it coins for gas?): {cause}");
                }
                Err(Unknown::new(cause).into())
            }
            Err(VerifyError::Refused(refused)) if refused.is_used() => Err(Unknown::new("its nonce is used already").into()),
            Err(VerifyError::Refused(refused)) => Err(refused.into()),
            Err(VerifyError::Unknown(unknown)) => Err(unknown.into()),
        }
    }

    /// Ours came too late, or something changed since it was tried out.
    pub(super) async fn reverted(&self, authorization: &Authorization, hash: TxHash) -> Result<TxHash, SettleError> {
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
    if authorization.valid_before < U256::from(now.saturating_add(EXPIRY_MARGIN_S)) {
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
        // What has no code lets everything through, and moves nothing.
        if !self.chain.is_known_contract(to) {
            if self.chain.code(to).await?.is_empty() {
                return Ok(Broadcast::Refused("there is no contract".to_owned()));
            }
            self.chain.note_contract(to);
        }
        let fees_lately = *self.fees_lately.lock().unwrap_or_else(PoisonError::into_inner);
        let mut turn = self.turn.lock().await; // until a node has it: nonces go out in order
        let trial = Trial { from: self.address, to, data: &data };
        let Prepared { fees, gas, next_nonce } = self.chain.prepare(trial, fees_lately).await?;
        self.would_pay(fees)?;
        // What would revert stops here and costs nothing.
        let Some(gas) = gas else { return Ok(Broadcast::Refused("it would revert".to_owned())) };
        if gas > GAS_MAX {
            return Ok(Broadcast::Refused("it takes more gas than is paid for".to_owned()));
        }
        let gas_limit = (gas + gas * GAS_MARGIN_PERCENT / 100).min(GAS_MAX);
        let nonce = self.next_nonce(&turn, next_nonce).await?;
        let Sending { hash, raw } = match self.sign(to, data, nonce, gas_limit, fees) {
            Ok(signed) => signed,
            Err(cause) => return Ok(Broadcast::Refused(cause.to_string())),
        };
        let recorded = timeout(self.patience, record(Sending { hash, raw: raw.clone() })).await;
        let recorded = recorded.map_err(|_| "a settlement could not be recorded in time".to_owned());
        recorded.and_then(|recorded| recorded.map_err(|e| e.to_string())).map_err(Unknown::new)?;
        turn.next = 0; // refused, or no answer: believe the node again
        if let Err(unavailable) = self.chain.send_raw(&raw).await {
            return Ok(Broadcast::Signed { hash, cause: unavailable.to_string() });
        }
        turn.took(nonce, Sending { hash, raw });
        Ok(Broadcast::Sent(hash))
    }

    /// What the node does not count of what it took, it has not counted yet, as on Monad, or it was dropped with its block: then a higher nonce
    /// would wait behind a gap. The same bytes once more are the same transactions, so they are sent again; where that is in vain, their nonce is
    /// free.
    async fn next_nonce(&self, turn: &Turn, mut counted: u64) -> Result<u64, Unavailable> {
        while counted < turn.next {
            let Some(sent) = turn.sent.iter().find(|sent| sent.nonce == counted) else { return Ok(counted) };
            if !sent.was_included && sent.at.elapsed() < ON_ITS_WAY {
                counted += 1;
                continue;
            }
            if let Err(cause) = self.chain.send_raw(&sent.sending.raw).await {
                let now = self.chain.next_nonce(self.address).await?;
                if now <= counted {
                    info!(network = self.chain.network().name, nonce = counted, %cause, "transaction {counted} of the operator was dropped, and its number is used again");
                    return Ok(counted);
                }
            }
            counted += 1;
        }
        Ok(counted)
    }

    /// # Errors
    /// The network asks for more than the operator pays, which is told in the log as well.
    fn would_pay(&self, fees: Fees) -> Result<(), Unknown> {
        *self.fees_lately.lock().unwrap_or_else(PoisonError::into_inner) = Some(fees);
        if fees.max_fee_per_gas <= self.gas_price_max {
            return Ok(());
        }
        let (asked, most) = (fees.max_fee_per_gas / GWEI, self.gas_price_max / GWEI);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let told = self.told_dear_s.swap(now, Ordering::Relaxed);
        if now.saturating_sub(told) < TOLD_DEAR_EVERY_S {
            self.told_dear_s.store(told, Ordering::Relaxed);
        } else {
            let network = &self.chain.network().name;
            warn!(
                network,
                asked,
                most,
                "gas on {network} is {asked} gwei, and settlements are signed for {most} gwei at most: tokens wait \
                (gas_price_max_gwei; or a node lies)"
            );
        }
        Err(Unknown::new(format!("the network asks {asked} gwei for gas, and {most} gwei are paid at most")))
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
