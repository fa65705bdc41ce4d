//! Connecting and signing in with Ethereum (EIP-4361): when it is first needed, and never twice at once (A4 to A9).

use leptos::{prelude::*, task::spawn_local};

use super::{Wallet, discovery, fault::Asked, provider::Connection};
use crate::{
    browser::{self, http},
    error::{CallError, Code},
    evm::Address,
    session::{
        SessionView,
        message::{Nonce, SignIn, SignedIn},
    },
};

/// One question at a time; lets go when dropped.
struct OnlyOne(Wallet);

impl OnlyOne {
    /// `None`: a question of ours is open already.
    fn begin(wallet: Wallet) -> Option<Self> {
        let free = !wallet.busy.get_untracked();
        free.then(|| {
            wallet.busy.set(true);
            Self(wallet)
        })
    }
}

impl Drop for OnlyOne {
    fn drop(&mut self) {
        self.0.busy.set(false);
    }
}

/// A connected wallet whose account is signed in; asks the person for as little as it takes. `asking` hears what for.
///
/// # Errors
/// The wallet's refusals and failures, and the server's.
pub async fn signed_in(wallet: Wallet, asking: &dyn Fn(Asked)) -> Result<(Connection, Address), CallError> {
    let _only = OnlyOne::begin(wallet)
        .ok_or_else(|| CallError::saying(Code::WalletBusy, "Open your wallet: a request is waiting there."))?;
    let connection = discovery::in_hand(wallet).await?;
    let account = match connection.account().await? {
        Some(account) => account,
        None => {
            asking(Asked::Connect);
            connection.connect().await?
        }
    };
    wallet.account.set(Some(account));
    let session = wallet.session.get_untracked();
    if session.and_then(|session| session.address) != Some(account) {
        asking(Asked::SignIn);
        let session = sign(&connection, account).await?;
        wallet.session.set(Some(session));
    }
    wallet.trouble.set(None);
    Ok((connection, account))
}

/// The wallet's signature under the server's nonce, for the session's cookie.
async fn sign(connection: &Connection, account: Address) -> Result<SessionView, CallError> {
    // A contract's signature is asked about on the network that the text names: the one that the wallet is on, if the shop is there too.
    let chain = connection.chain_id().await.map_or_else(|_| String::new(), |id| format!(r#","chainId":{id}"#));
    let nonce = http::json("POST", "/api/session/nonce", Some(&format!(r#"{{"address":"{account}"{chain}}}"#))).await?;
    let nonce: Nonce = serde_json::from_slice(nonce.as_bytes()).map_err(unreadable)?;
    let (domain, uri) = browser::host_and_origin().ok_or(Code::Internal)?;
    let message = SignIn {
        domain,
        address: nonce.address.unwrap_or_else(|| account.to_string()),
        uri,
        chain_id: nonce.chain_id,
        nonce: nonce.nonce,
        issued_at: nonce.issued_at,
        expiration_time: nonce.expiration_time,
    }
    .text();
    let params = format!(r#"["{}","{account}"]"#, super::hex_of(&message));
    let signature = connection.ask(Asked::SignIn, "personal_sign", &params).await?;
    let signature = signature.as_string().ok_or(Code::WalletFailed)?;
    let body = serde_json::to_string(&SignedIn { message, signature }).map_err(unreadable)?;
    let session = http::json("POST", "/api/session", Some(&body)).await?;
    serde_json::from_slice(session.as_bytes()).map_err(unreadable)
}

pub fn unreadable(cause: serde_json::Error) -> CallError {
    CallError::from(Code::Internal).with_details(cause)
}

/// A click on "Connect". What goes wrong is for the banner.
pub fn begin(wallet: Wallet) {
    let is_busy = wallet.busy.get_untracked();
    if is_busy && !wallet.overdue.get_untracked() {
        return;
    }
    spawn_local(async move {
        if is_busy {
            // What waited for the silent wallet ends first.
            wallet.let_go();
            browser::sleep(0).await;
        }
        wallet.trouble.set(None);
        match signed_in(wallet, &|_| {}).await {
            Ok(_) => refresh(wallet).await,
            Err(error) => wallet.trouble.set(Some(error)),
        }
    });
}

/// Asks the server who is signed in. Without an answer, what was known stands.
pub async fn refresh(wallet: Wallet) {
    let Ok(body) = http::json("GET", "/api/session", None).await else { return };
    if let Ok(session) = serde_json::from_slice::<SessionView>(body.as_bytes())
        && wallet.session.with_untracked(|known| known.as_ref() != Some(&session))
    {
        wallet.session.set(Some(session));
    }
}

/// Ends the session, here at once and at the server.
pub async fn end(wallet: Wallet) {
    wallet.session.set(Some(SessionView::default()));
    if let Err(error) = http::json("DELETE", "/api/session", None).await {
        wallet.trouble.set(Some(error));
        refresh(wallet).await;
    }
}
