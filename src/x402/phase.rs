//! Where a paid call is, from the click to the answer: one enum, so that no two flags can contradict each other.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    error::CallError,
    evm::{Address, TxHash},
    money::{Asset, Money},
};

/// What the visitor agrees to before the wallet opens (ux.md, B2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    pub price: Money,
    /// Gas limit × gas price; an estimate until the wallet sends. `None`: a signature pays, and whoever sends it bears the fee.
    pub fee: Option<Money>,
    /// The payer's wallet may bear the fee.
    #[serde(default)]
    pub sponsored: bool,
    pub pay_to: Address,
    /// `Monad testnet`
    pub network: String,
    /// Unix milliseconds: until then the price holds.
    pub expires_at_ms: i64,
}

/// ux.md, C1. Every step is something that happened: at the server, on the chain or in the wallet. None is a timer's.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Phase {
    #[default]
    Ready,
    /// The request is on its way to its 402, or to its answer.
    Asking,
    /// The wallet's connect question is open.
    Connecting,
    /// The wallet's sign-in question is open.
    SigningIn,
    /// The wallet's network question is open.
    SwitchingNetwork,
    /// The server named another price than the card: the visitor decides (B10).
    PriceChanged {
        old: String,
        new: Money,
    },
    /// The wallet's payment question is open.
    InWallet(Quote),
    /// The wallet gave a hash; the network has not included it yet, as far as we know.
    Sent(TxHash),
    Included(TxHash),
    Final(TxHash),
    /// The wallet gave its signature; the shop looks whether it is good.
    Signed,
    /// The signature is good, and the agent works before it is used.
    Working,
    /// Paid; the agent works.
    Running(Option<TxHash>),
    Done,
    Failed(CallError),
}

impl Phase {
    /// Something is under way: another click would be a second call.
    pub fn busy(&self) -> bool {
        !matches!(self, Self::Ready | Self::PriceChanged { .. } | Self::Done | Self::Failed(_))
    }

    /// Is it the wallet that may be waited for? Where that is silent for long, another click is not a second call (P6).
    pub fn is_at_the_wallet(&self) -> bool {
        matches!(self, Self::Asking | Self::Connecting | Self::SigningIn | Self::SwitchingNetwork | Self::InWallet(_))
    }

    /// What is left of it needs nobody at this page: the wallet has its question, or the payment is on its way. It keeps no other call from being
    /// made.
    pub fn goes_on_alone(&self) -> bool {
        matches!(
            self,
            Self::InWallet(_)
                | Self::Sent(_)
                | Self::Included(_)
                | Self::Final(_)
                | Self::Signed
                | Self::Working
                | Self::Running(_)
        )
    }

    /// The status line (C1), for eyes and for screen readers.
    pub fn sentence(&self) -> String {
        match self {
            Self::Ready => String::new(),
            Self::Asking => "Asking the agent for its price…".into(),
            Self::Connecting => "Connect in your wallet.".into(),
            Self::SigningIn => "Sign in with your wallet. It costs nothing.".into(),
            Self::SwitchingNetwork => "Allow the network switch in your wallet.".into(),
            Self::PriceChanged { old, new } => format!("The price has changed from {old} to {new}."),
            Self::InWallet(quote) if quote.fee.is_none() => {
                format!("Sign for {} in your wallet. There is no network fee.", quote.price)
            }
            Self::InWallet(quote) => format!("Confirm {} in your wallet.", quote.price),
            Self::Sent(_) => "Sent. Waiting for the network to include it.".into(),
            Self::Included(_) => "Included in a block. Waiting until it is final.".into(),
            Self::Final(_) => "Final. The payment arrived.".into(),
            Self::Signed => "Signed. The shop is checking it.".into(),
            Self::Working => "Signed. The agent is running; you are charged when it has answered.".into(),
            Self::Running(_) => "Paid. The agent is running.".into(),
            Self::Done => "Done.".into(),
            Self::Failed(error) => error.error.clone(),
        }
    }

    pub fn transaction(&self) -> Option<TxHash> {
        match self {
            Self::Sent(hash) | Self::Included(hash) | Self::Final(hash) => Some(*hash),
            Self::Running(hash) => *hash,
            Self::Failed(error) => error.transaction,
            _ => None,
        }
    }
}

/// How the next call is to be paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayWith {
    #[default]
    Wallet,
    /// The visitor clicked "Use my credit": nothing else ever spends it (B18).
    Credit,
}

/// What the call's payment is, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Means {
    /// A transaction that the visitor's wallet sends.
    #[default]
    Transfer,
    /// A signature that the shop settles.
    Authorization,
    Credit,
}

/// One paid call as the page holds it: its agent's slot, whatever component began it.
#[derive(Clone, Copy, PartialEq)]
pub struct Call {
    pub phase: RwSignal<Phase>,
    pub pay_with: RwSignal<PayWith>,
    /// What the visitor wants to pay in, of what is offered. `None`: the page did not ask.
    pub asset: RwSignal<Option<Asset>>,
    pub means: RwSignal<Means>,
    /// The visitor wants the wallet asked although a question of before may still be open there: two answers are two payments (C5).
    pub ask_again: RwSignal<bool>,
    /// The price that the page showed (`"0.0001 MON"`); another one in the 402 is asked about first (B10).
    pub shown_price: RwSignal<Option<String>>,
    /// The id of the run, as soon as the server named it.
    pub run: RwSignal<Option<String>>,
    /// What the visitor agreed to: of the offer that is being paid or was paid last.
    pub quote: RwSignal<Option<Quote>>,
    /// Said beside the phase: that it takes long, that the server is away, that another tab asks.
    pub note: RwSignal<Option<String>>,
    /// Where the network's explorer shows the transaction.
    pub transaction_url: RwSignal<Option<String>>,
}

impl Call {
    pub fn new() -> Self {
        Self {
            phase: RwSignal::default(),
            pay_with: RwSignal::default(),
            asset: RwSignal::default(),
            means: RwSignal::default(),
            ask_again: RwSignal::new(false),
            shown_price: RwSignal::default(),
            run: RwSignal::default(),
            quote: RwSignal::default(),
            note: RwSignal::default(),
            transaction_url: RwSignal::default(),
        }
    }
}

impl Default for Call {
    fn default() -> Self {
        Self::new()
    }
}
