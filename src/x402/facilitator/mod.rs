//! Who settles: verifies what a payer signed, sends it, and never has the last word. It knows no books.
//!
//! - `operator`: in this process, with the operator's key and gas.
//! - `remote`: somebody else's facilitator, by its URL.
//! - `look`: what the chain says became of an authorization. Its word counts, not a facilitator's.
//! - `diagnose`: why the chain would not carry one out, in x402's words.
//!
//! An answer that a facilitator should not give is "unknown", never "unpaid": whoever was told to pay again would pay twice.

mod diagnose;
pub mod look;
pub mod operator;
pub mod remote;

use futures::future::BoxFuture;

use super::authorization::{Authorization, Method, Refused, SignedBy};
use crate::{
    chain::{Chain, Purse, Seen, Unavailable},
    evm::TxHash,
    network::Token,
};

pub use crate::chain::At;
pub use diagnose::token_is_as_configured;
pub use look::{look, look_past};
pub use operator::{BadKey, Operator};
pub use remote::Remote;

/// Our transaction, signed and not yet sent. Stored before anybody gets it: a crash in between loses nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sending {
    pub hash: TxHash,
    /// What [`Facilitator::resend`] takes.
    pub raw: Vec<u8>,
}

/// It could not be stored, so it must not be sent.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a settlement could not be recorded: {0}")]
pub struct NotRecorded(pub String);

/// Stores a transaction; nothing is broadcast before its `Ok`. A later one for the same run replaces it: both move the same
/// authorization, and its nonce lets one through.
pub type Record<'a> = dyn Fn(Sending) -> BoxFuture<'a, Result<(), NotRecorded>> + Send + Sync + 'a;

/// Nobody can tell now. The payer is not asked again for money.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Unknown {
    /// For the log; no address, no key.
    pub cause: String,
    /// The transaction that was sent, if one is known: what [`look`] takes.
    pub transaction: Option<TxHash>,
}

impl Unknown {
    pub(super) fn new(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), transaction: None }
    }

    pub(super) fn after(transaction: TxHash, cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), transaction: Some(transaction) }
    }
}

impl From<Unavailable> for Unknown {
    fn from(unavailable: Unavailable) -> Self {
        Self::new(unavailable.to_string())
    }
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum VerifyError {
    /// It would not be carried out. If [`Refused::is_used`], [`look`] tells whether it was already, for us.
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("it is not known whether the payment would be carried out: {0}")]
    Unknown(#[from] Unknown),
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum SettleError {
    /// It was not carried out, its nonce is unused, and it would not be carried out now either.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It may have been carried out, or will be: [`look`] tells, now or later.
    #[error("it is not known whether the payment was carried out: {0}")]
    Unknown(#[from] Unknown),
}

impl From<Unavailable> for VerifyError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unknown(unavailable.into())
    }
}

impl From<Unavailable> for SettleError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unknown(unavailable.into())
    }
}

/// One network's facilitator. Cheap to clone.
#[derive(Clone)]
pub enum Facilitator {
    Operator(Operator),
    Remote(Remote),
}

impl Facilitator {
    /// Asks what it can settle. To be called at start, and again while it fails; until then it supports nothing.
    ///
    /// # Errors
    /// Nobody answered. What was known before stands.
    pub async fn refresh(&self) -> Result<(), Unknown> {
        match self {
            Self::Operator(operator) => operator.refresh().await,
            Self::Remote(remote) => remote.refresh().await,
        }
    }

    /// Can it settle this token in this way, as far as it was asked? Asks nobody.
    pub fn supports(&self, token: &Token, method: Method) -> bool {
        let can = match self {
            Self::Operator(operator) => operator.can(method),
            Self::Remote(remote) => remote.can(),
        };
        can && method.is_of(token)
    }

    /// Would it be carried out now? Moves nothing. [`Authorization::check`] comes first, with the offer's own terms.
    pub async fn verify(&self, authorization: &Authorization) -> Result<(), VerifyError> {
        match self {
            Self::Operator(operator) => operator.verify(authorization).await.map(drop),
            Self::Remote(remote) => {
                self.signer_may_be_a_contract(authorization).await?;
                remote.verify(authorization).await
            }
        }
    }

    /// The first part of [`Self::verify`]: what costs our own node next to nothing, and ends what a stranger has made up.
    ///
    /// # Errors
    /// As of [`Self::verify`].
    pub async fn verify_at_first(&self, authorization: &Authorization) -> Result<(), VerifyError> {
        Ok(diagnose::first_look(self.chain(), authorization).await?.refuses(authorization)?)
    }

    /// The rest of it, and what its payer has of the token, where that was asked with it.
    ///
    /// # Errors
    /// As of [`Self::verify`].
    pub async fn verify_rest(&self, authorization: &Authorization) -> Result<Option<Purse>, VerifyError> {
        match self {
            Self::Operator(operator) => operator.verify_rest(authorization).await.map(Some),
            Self::Remote(remote) => remote.verify(authorization).await.map(|()| None),
        }
    }

    /// Has it carried out. `Ok`: the transaction that did, as the newest block shows; it is not final yet.
    ///
    /// May be called again for the same authorization, also while an earlier transaction is under way: money moves once,
    /// a second transaction costs at most its gas. A remote facilitator records nothing, since it signs itself.
    pub async fn settle(&self, authorization: &Authorization, record: &Record<'_>) -> Result<TxHash, SettleError> {
        match self {
            Self::Operator(operator) => operator.settle(authorization, record).await,
            Self::Remote(remote) => remote.settle(authorization).await,
        }
    }

    /// As [`Self::settle`], and where it signs itself it waits for no block: the chain is looked at for all that wait together ([`Chain::look_together`]).
    ///
    /// # Errors
    /// As of [`Self::settle`].
    pub async fn begin(&self, authorization: &Authorization, record: &Record<'_>) -> Result<TxHash, SettleError> {
        match self {
            Self::Operator(operator) => operator.begin(authorization, record).await,
            Self::Remote(remote) => remote.settle(authorization).await,
        }
    }

    /// What was begun is in a block, and failed there: is it over?
    ///
    /// # Errors
    /// Always: [`SettleError::Refused`] where nothing was carried out, and its nonce is unused.
    pub async fn reverted(&self, authorization: &Authorization, hash: TxHash) -> Result<TxHash, SettleError> {
        match self {
            Self::Operator(operator) => operator.reverted(authorization, hash).await,
            // It has looked itself, and said what became of it.
            Self::Remote(_) => Err(Unknown::after(hash, "the facilitator's settlement reverted").into()),
        }
    }

    /// A block has what was begun.
    pub async fn is_included(&self, hash: TxHash) {
        if let Self::Operator(operator) = self {
            operator.saw(hash).await;
        }
    }

    /// No block has what was begun a while ago.
    pub async fn is_not_included(&self) {
        if let Self::Operator(operator) = self {
            operator.recount().await;
        }
    }

    /// Does it sign its transactions in this process?
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Operator(_))
    }

    /// Sends a recorded transaction once more, as after a crash: the same bytes, so never a second payment.
    pub async fn resend(&self, raw: &[u8]) -> Result<(), Unavailable> {
        self.chain().send_raw(raw).await
    }

    pub fn chain(&self) -> &Chain {
        match self {
            Self::Operator(operator) => operator.chain(),
            Self::Remote(remote) => remote.chain(),
        }
    }

    /// A signature that is not the payer's key's can only be a contract wallet's, and that has code.
    async fn signer_may_be_a_contract(&self, authorization: &Authorization) -> Result<(), VerifyError> {
        if authorization.signed_by() == SignedBy::Unknown && self.chain().code(authorization.from).await?.is_empty() {
            return Err(Refused::new(authorization.method.words().signature).into());
        }
        Ok(())
    }
}

/// What a facilitator's success is worth: the transaction is looked at, once.
async fn confirmed(chain: &Chain, authorization: &Authorization, hash: TxHash) -> Result<TxHash, SettleError> {
    // No search for another one: that is for whoever knows since when.
    match look(chain, authorization, Some(hash), u64::MAX, At::Latest).await {
        // Whether it paid for this one of its payer's authorizations or for another, the books know.
        Ok(Seen::Paid { transaction, .. } | Seen::Wrapped { transaction, .. }) if transaction == hash => Ok(transaction),
        Ok(Seen::Unused { .. } | Seen::Unclear) => Err(Unknown::after(hash, "our node does not show the settlement yet").into()),
        Ok(Seen::Elsewhere | Seen::Paid { .. } | Seen::Wrapped { .. }) => {
            Err(Unknown::after(hash, "the settlement is not the transaction that was named").into())
        }
        Err(unavailable) => Err(Unknown::after(hash, unavailable.to_string()).into()),
    }
}
