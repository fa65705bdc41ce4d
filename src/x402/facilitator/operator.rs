//! The facilitator in this process: the operator's key signs the settlement, the operator's coins pay its gas.
//!
//! Checking and calling the contracts is `x402-chain-eip155`'s. Ours is what it leaves open: which bytes were sent is on
//! record before they are; gas has a limit; a text that says "on-chain error" is looked into; and the chain's own word,
//! not the library's, says whether money moved.

use std::{
    sync::{
        Arc, Mutex as Cell, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alloy::{
    eips::eip2718::Encodable2718,
    network::{EthereumWallet, NetworkTransactionBuilder, TransactionBuilder},
    primitives::B256,
    providers::{Provider, RootProvider},
    rpc::types::{TransactionReceipt, TransactionRequest},
    signers::local::PrivateKeySigner,
};
use serde_json::Value;
use tokio::{sync::Mutex, time::timeout};
use tracing::warn;
use x402_chain_eip155::{
    chain::{Eip155ChainReference, Eip155MetaTransactionProvider, MetaTransaction},
    v1_eip155_exact::Eip155ExactError,
    v2_eip155_exact::V2Eip155ExactFacilitator,
};
use x402_types::{
    chain::{ChainId, ChainProviderOps},
    proto::{PaymentVerificationError as Said, VerifyRequest},
    scheme::{X402SchemeFacilitator, X402SchemeFacilitatorError as Failed},
};

use super::{
    Record, Sending, SettleError, Unknown, VerifyError, confirmed,
    diagnose::{Finding, diagnose},
};
use crate::{
    chain::{Chain, EXACT_PROXY, PERMIT2, transport::ChainTransport},
    evm::{Address, TxHash},
    x402::authorization::{Authorization, Method, Refused},
};

/// More than any of the two methods takes with a plain wallet (90 000, 130 000), and as much again for a contract wallet's
/// own check of its signature. What takes more is not paid for.
const GAS_MAX: u64 = 300_000;

/// Added to what the node estimates, in percent. Monad charges the limit, so it is small.
const GAS_MARGIN_PERCENT: u64 = 10;

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
    wallet: EthereumWallet,
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
        let (wallet, turn, has_permit2) = (EthereumWallet::from(signer), Mutex::new(0), AtomicBool::new(false));
        Ok(Self(Arc::new(Inner { chain, wallet, address, turn, patience, has_permit2 })))
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

    pub(super) async fn verify(&self, authorization: &Authorization) -> Result<(), VerifyError> {
        let rail = Arc::new(Rail::new(&self.0, None));
        let failed = match rail.exact().verify(&request(authorization)?).await {
            Ok(answer) if answer.0["isValid"] == true => return Ok(()),
            Ok(_) => Failed::OnchainFailure("it was found invalid".to_owned()),
            Err(failed) => failed,
        };
        if let Some(unavailable) = rail.transport.trouble() {
            return Err(unavailable.into());
        }
        match diagnose(self.chain(), authorization).await? {
            Finding::Used => Err(Refused::new(authorization.method.words().used).into()),
            Finding::Refused(refused) => Err(refused.into()),
            Finding::Nothing => Err(self.translate(authorization, failed)),
        }
    }

    pub(super) async fn settle(&self, authorization: &Authorization, record: &Record<'_>) -> Result<TxHash, SettleError> {
        let rail = Arc::new(Rail::new(&self.0, Some(record)));
        let answer = rail.exact().settle(&request(authorization)?).await;
        let cause = match &answer {
            Ok(_) => "it was settled".to_owned(),
            Err(failed) => self.quiet(failed),
        };
        match rail.progress() {
            Progress::Nothing => self.not_sent(authorization, &rail, &cause).await,
            Progress::NotRecorded(cause) => Err(Unknown::new(cause).into()),
            Progress::Signed(hash) => Err(Unknown::after(hash, cause).into()),
            Progress::Included(hash) => confirmed(self.chain(), authorization, hash).await,
            Progress::Reverted(hash) => self.reverted(authorization, hash).await,
        }
    }

    /// The node found that it would fail, or could not be asked: nothing was signed.
    async fn not_sent(&self, authorization: &Authorization, rail: &Rail<'_, '_>, cause: &str) -> Result<TxHash, SettleError> {
        if let Some(unavailable) = rail.transport.trouble() {
            return Err(unavailable.into());
        }
        match diagnose(self.chain(), authorization).await? {
            Finding::Used => Err(Unknown::new("its nonce is used already").into()),
            Finding::Refused(refused) => Err(refused.into()),
            Finding::Nothing => match self.verify(authorization).await {
                // It would go through: what hinders it is on our side, gas for instance.
                Ok(()) => {
                    let (operator, network) = (self.0.address, &self.chain().network().name);
                    warn!(%operator, network, cause, "{operator} cannot settle on {network} (has it coins for gas?): {cause}");
                    Err(Unknown::new(cause).into())
                }
                Err(VerifyError::Refused(refused)) if refused.is_used() => Err(Unknown::new("its nonce is used already").into()),
                Err(VerifyError::Refused(refused)) => Err(refused.into()),
                Err(VerifyError::Unknown(unknown)) => Err(unknown.into()),
            },
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

    /// The library's words into x402's. What only a mistake of ours brings about is not the payer's.
    fn translate(&self, authorization: &Authorization, failed: Failed) -> VerifyError {
        let words = authorization.method.words();
        let Failed::PaymentVerification(said) = &failed else {
            return Refused::new(words.simulation).into(); // every node's trouble was told apart before
        };
        let reason = match said {
            Said::InvalidPaymentAmount => words.amount,
            Said::Early => words.early,
            Said::Expired => words.expired,
            Said::RecipientMismatch => words.recipient,
            Said::InsufficientFunds => words.balance,
            Said::InsufficientAllowance => Refused::ALLOWANCE,
            Said::InvalidSignature(_) => words.signature,
            Said::TransactionSimulation(_) => words.simulation,
            Said::InvalidFormat(_)
            | Said::ChainIdMismatch
            | Said::AssetMismatch
            | Said::UnsupportedChain
            | Said::UnsupportedScheme
            | Said::AcceptedRequirementsMismatch => return Unknown::new(self.quiet(&failed)).into(),
        };
        Refused::new(reason).into()
    }

    /// For the log: short, one line.
    fn quiet(&self, failed: &Failed) -> String {
        failed.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
    }
}

fn request(authorization: &Authorization) -> Result<VerifyRequest, Unknown> {
    let request: Value = authorization.request();
    serde_json::value::to_raw_value(&request).map(VerifyRequest::from).map_err(|e| Unknown::new(e.to_string()))
}

/// How far a settlement came.
#[derive(Clone, Debug, Default)]
enum Progress {
    #[default]
    Nothing,
    NotRecorded(String),
    /// And perhaps sent.
    Signed(TxHash),
    Included(TxHash),
    Reverted(TxHash),
}

/// What the library sends through: one for each authorization that is verified or settled.
struct Rail<'a, 'r> {
    operator: &'a Inner,
    transport: ChainTransport,
    rpc: RootProvider,
    reference: Eip155ChainReference,
    /// `None`: this one is only to verify.
    record: Option<&'a Record<'r>>,
    progress: Cell<Progress>,
}

impl<'a, 'r> Rail<'a, 'r> {
    fn new(operator: &'a Inner, record: Option<&'a Record<'r>>) -> Self {
        let transport = ChainTransport::new(operator.chain.clone(), GAS_MAX);
        let (rpc, reference) = (transport.provider(), Eip155ChainReference::new(operator.chain.network().chain_id));
        Self { operator, transport, rpc, reference, record, progress: Cell::default() }
    }

    fn exact(self: &Arc<Self>) -> V2Eip155ExactFacilitator<Arc<Self>> {
        V2Eip155ExactFacilitator::new(self.clone(), Default::default())
    }

    fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn came_to(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    /// Signs, records and sends. Whatever fails before anything is signed leaves no trace.
    async fn broadcast(&self, call: MetaTransaction) -> Result<TxHash, Eip155ExactError> {
        let not_sent = |cause: &str| Eip155ExactError::ContractCall(cause.to_owned());
        let Self { operator, rpc, .. } = self;
        let record = self.record.ok_or_else(|| not_sent("nothing is sent to verify"))?;
        let from = operator.wallet.default_signer().address();
        let fees = rpc.estimate_eip1559_fees().await?;
        let unsigned = TransactionRequest::default()
            .with_from(from)
            .with_to(call.to)
            .with_input(call.calldata)
            .with_chain_id(self.reference.inner())
            .with_max_fee_per_gas(fees.max_fee_per_gas)
            .with_max_priority_fee_per_gas(fees.max_priority_fee_per_gas);
        let gas = rpc.estimate_gas(unsigned.clone()).await?; // what would revert stops here and costs nothing
        if gas > GAS_MAX {
            return Err(not_sent("it takes more gas than is paid for"));
        }
        let gas = (gas + gas * GAS_MARGIN_PERCENT / 100).min(GAS_MAX);

        let mut next = operator.turn.lock().await; // until a node has it: nonces go out in order
        let nonce = rpc.get_transaction_count(from).pending().await?.max(*next);
        let signed = unsigned.with_nonce(nonce).with_gas_limit(gas).build(&operator.wallet).await;
        let signed = signed.map_err(|e| not_sent(&e.to_string()))?;
        let (hash, raw) = (TxHash(signed.tx_hash().0), signed.encoded_2718());
        let recorded = timeout(operator.patience, record(Sending { hash, raw: raw.clone() })).await;
        let recorded = recorded.map_err(|_| "a settlement could not be recorded in time".to_owned());
        if let Err(cause) = recorded.and_then(|recorded| recorded.map_err(|e| e.to_string())) {
            self.came_to(Progress::NotRecorded(cause));
            return Err(not_sent("a settlement could not be recorded"));
        }
        self.came_to(Progress::Signed(hash));
        *next = 0; // refused, or no answer: believe the node again
        operator.chain.send_raw(&raw).await.map_err(|unavailable| not_sent(&unavailable.to_string()))?;
        *next = nonce + 1;
        Ok(hash)
    }

    async fn included(&self, hash: TxHash) -> TransactionReceipt {
        let pause = self.operator.chain.settings().poll.min(LOOK);
        loop {
            if let Ok(Some(receipt)) = self.rpc.get_transaction_receipt(hash.0.into()).await {
                return receipt;
            }
            tokio::time::sleep(pause).await;
        }
    }
}

impl Eip155MetaTransactionProvider for Rail<'_, '_> {
    type Error = Eip155ExactError;
    type Inner = RootProvider;

    fn inner(&self) -> &RootProvider {
        &self.rpc
    }

    fn chain(&self) -> &Eip155ChainReference {
        &self.reference
    }

    async fn send_transaction(&self, call: MetaTransaction) -> Result<TransactionReceipt, Eip155ExactError> {
        let hash = self.broadcast(call).await?;
        let Ok(receipt) = timeout(self.operator.patience, self.included(hash)).await else {
            // The node may have dropped it; a gap in the nonces would hold up all that come after.
            *self.operator.turn.lock().await = 0;
            return Err(Eip155ExactError::ContractCall(format!("no receipt yet for {hash}")));
        };
        self.came_to(if receipt.status() { Progress::Included(hash) } else { Progress::Reverted(hash) });
        Ok(receipt)
    }
}

impl ChainProviderOps for Rail<'_, '_> {
    fn signer_addresses(&self) -> Vec<String> {
        vec![self.operator.address.to_string()]
    }

    fn chain_id(&self) -> ChainId {
        self.reference.into()
    }
}
