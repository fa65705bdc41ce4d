//! What a wallet's error means. By its numbers, never by its text: that differs by wallet.

use crate::error::{CallError, Code};

/// What the wallet was asked for when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Connect,
    SignIn,
    SwitchNetwork,
    Pay,
    /// To sign a payment that somebody else sends.
    Authorize,
    /// Something that shows the person no question.
    Read,
}

/// An EIP-1193 error as it came: every code in it, outermost first, and its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// The error's own, and those of `data.originalError`, `data` and `cause`: wallets wrap what their node or extension said.
    pub codes: Vec<i32>,
    /// For "Details".
    pub raw: String,
}

/// EIP-1193: the person said no.
pub const USER_REJECTED: i32 = 4001;
/// EIP-1193: this account or method was not granted to this site.
pub const UNAUTHORIZED: i32 = 4100;
/// EIP-1193: the wallet is disconnected from every chain, or from this one.
pub const DISCONNECTED: [i32; 2] = [4900, 4901];
/// EIP-3326: the wallet does not know this chain.
pub const UNKNOWN_CHAIN: i32 = 4902;
/// EIP-1474, as wallets use it: the same question is already open.
pub const ALREADY_ASKED: i32 = -32002;

impl Fault {
    pub fn says(&self, code: i32) -> bool {
        self.codes.contains(&code)
    }

    /// In our words, with the wallet's own under "Details". `wallet` is its name.
    pub fn meaning(&self, asked: Asked, wallet: &str) -> CallError {
        let error = if self.says(USER_REJECTED) {
            match asked {
                Asked::Connect | Asked::SignIn => Code::Cancelled.into(),
                Asked::SwitchNetwork => Code::WrongChain.into(),
                Asked::Pay | Asked::Read => Code::PaymentCancelled.into(),
                Asked::Authorize => CallError::saying(Code::PaymentCancelled, "Signature cancelled. Nothing was charged."),
            }
        } else if self.says(ALREADY_ASKED) {
            CallError::saying(Code::WalletBusy, format!("Open {wallet}: a request is waiting there."))
        } else if self.says(UNAUTHORIZED) || DISCONNECTED.iter().any(|code| self.says(*code)) {
            Code::WalletDisconnected.into()
        } else {
            CallError::from(Code::WalletFailed)
        };
        error.with_details(&self.raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(codes: &[i32]) -> Fault {
        Fault { codes: codes.to_vec(), raw: "MetaMask: said so".into() }
    }

    fn code(codes: &[i32], asked: Asked) -> Code {
        fault(codes).meaning(asked, "MetaMask").code
    }

    #[test]
    fn a4_b7_a_no_is_named_after_what_was_refused() {
        assert_eq!(code(&[4001], Asked::Connect), Code::Cancelled);
        assert_eq!(code(&[4001], Asked::SignIn), Code::Cancelled);
        assert_eq!(code(&[4001], Asked::SwitchNetwork), Code::WrongChain);
        assert_eq!(code(&[4001], Asked::Pay), Code::PaymentCancelled);
        let unsigned = fault(&[4001]).meaning(Asked::Authorize, "MetaMask");
        assert_eq!(
            (unsigned.code, unsigned.error.as_str()),
            (Code::PaymentCancelled, "Signature cancelled. Nothing was charged.")
        );
        assert_eq!(code(&[-32603, 4001], Asked::Pay), Code::PaymentCancelled, "also where the wallet wrapped it");
    }

    #[test]
    fn a5_a_waiting_question_names_the_wallet_that_has_it() {
        let error = fault(&[-32002]).meaning(Asked::Connect, "Rabby");
        assert_eq!((error.code, error.error.as_str()), (Code::WalletBusy, "Open Rabby: a request is waiting there."));
    }

    #[test]
    fn a8_locked_and_disconnected_can_be_retried() {
        for gone in [4100, 4900, 4901] {
            assert_eq!(code(&[gone], Asked::Pay), Code::WalletDisconnected);
        }
    }

    #[test]
    fn b8_anything_else_keeps_the_wallets_words_under_details() {
        let error = fault(&[-32603]).meaning(Asked::Pay, "MetaMask");
        assert_eq!((error.code, error.details.as_deref()), (Code::WalletFailed, Some("MetaMask: said so")));
        assert_eq!(code(&[], Asked::Read), Code::WalletFailed);
    }
}
