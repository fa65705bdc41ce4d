//! The wallet's network: getting there, what it costs, and the transfer itself.

use std::cell::Cell;

use wasm_bindgen::JsValue;

use super::{
    fault::Asked,
    funds::{self, Account},
    patience,
    provider::Connection,
};
use crate::{
    browser,
    error::{CallError, Code},
    evm::{Address, TxHash},
    money::Money,
    network::Network,
};

/// Times and milliseconds: a wallet may be on the new network a little after it said so.
const SETTLING: [u64; 6] = [0, 100, 200, 400, 800, 1_500];

thread_local! {
    static LAST_SENT_MS: Cell<i64> = const { Cell::new(0) };
}

/// Leaves the wallet on `network`, asking the person where the wallet wants that (B3). `asking` hears it.
///
/// # Errors
/// [`Code::WrongChain`] if it is still elsewhere; the wallet's failures.
pub async fn be_on(wallet: &Connection, network: &Network, asking: &dyn Fn(Asked)) -> Result<(), CallError> {
    if wallet.chain_id().await? == network.chain_id {
        return Ok(());
    }
    asking(Asked::SwitchNetwork);
    let switch = format!(r#"[{{"chainId":"{}"}}]"#, network.chain_id_hex());
    let add = add_json(network);
    // A wallet that does not know the chain, or says "done" and stays where it was, is told of it. Some only add.
    let ways =
        [("wallet_switchEthereumChain", &switch), ("wallet_addEthereumChain", &add), ("wallet_switchEthereumChain", &switch)];
    for (method, params) in ways {
        if has_moved(wallet, network, method, params).await? {
            return Ok(());
        }
    }
    Err(by_hand(network))
}

/// Asks it to move. `false`: it does not know the chain or the way, or has stayed where it was.
///
/// # Errors
/// The person's no, a question that is open already, and what nothing that could be asked next would mend.
async fn has_moved(wallet: &Connection, network: &Network, method: &str, params: &str) -> Result<bool, CallError> {
    let is_there = async || wallet.chain_id().await.is_ok_and(|id| id == network.chain_id).then_some(Ok(JsValue::NULL));
    match patience::or_when(wallet.raw(method, params), is_there).await {
        Ok(_) => is_on(wallet, network).await,
        Err(fault) if fault.is_refusal() || fault.is_busy() => Err(fault.meaning(Asked::SwitchNetwork, &wallet.name)),
        Err(fault) if fault.is_unknown_chain() => Ok(false),
        Err(fault) => Err(by_hand(network).with_details(fault.raw)),
    }
}

fn by_hand(network: &Network) -> CallError {
    CallError::saying(
        Code::WrongChain,
        format!("Switch your wallet to {} yourself, then try again. Nothing was charged.", network.name),
    )
}

/// Switching may emit no event: the wallet is asked until it says so.
async fn is_on(wallet: &Connection, network: &Network) -> Result<bool, CallError> {
    for pause_ms in SETTLING {
        browser::sleep(pause_ms).await;
        if wallet.chain_id().await? == network.chain_id {
            return Ok(true);
        }
    }
    Ok(false)
}

/// EIP-3085.
fn add_json(network: &Network) -> String {
    let url = match network.wallet_rpc_url.strip_prefix('/') {
        Some(path) => format!("{}/{path}", browser::host_and_origin().unwrap_or_default().1),
        None => network.wallet_rpc_url.clone(),
    };
    let explorers: Vec<&String> = network.explorer.iter().collect();
    let mut chain = serde_json::json!({
        "chainId": network.chain_id_hex(),
        "chainName": network.name,
        "nativeCurrency": { "name": network.symbol, "symbol": network.symbol, "decimals": network.decimals },
        "rpcUrls": [url],
    });
    if !explorers.is_empty() {
        chain["blockExplorerUrls"] = serde_json::json!(explorers);
    }
    format!("[{chain}]")
}

/// What was found out before the wallet opens.
pub struct Transfer {
    pub from: Address,
    pub to: Address,
    pub price: Money,
    /// Limit × price: what Monad charges.
    pub fee: Money,
    recipient: Account,
    /// Sending right after another payment would hit Monad's reserve rule.
    pause: bool,
}

/// Reads balance, gas price and code, all from the wallet's own node, and says no with numbers (B5, B6).
///
/// # Errors
/// Too little, a wallet that cannot pay, or a node that does not answer: a fee is never guessed here.
pub async fn prepare(
    wallet: &Connection,
    network: &Network,
    from: Address,
    to: Address,
    price: &Money,
) -> Result<Transfer, CallError> {
    let at = |address: Address| format!(r#"["{address}","latest"]"#);
    let gas_price = wallet.quantity("eth_gasPrice", "[]").await?;
    let balance = wallet.quantity("eth_getBalance", &at(from)).await?;
    let account = Account::of_code(&wallet.read("eth_getCode", &at(from)).await?);
    let recipient = Account::of_code(&wallet.read("eth_getCode", &at(to)).await?);
    let fee = match recipient {
        Account::Plain => network.transfer_fee(gas_price),
        Account::Delegated | Account::Contract => {
            let call = funds::transfer_json(from, to, price.amount, network, recipient);
            let gas = wallet.quantity("eth_estimateGas", &call).await?;
            gas.to_string().parse().ok().and_then(|gas| network.fee(gas, gas_price))
        }
    };
    let fee = fee.ok_or(Code::WalletFailed)?;
    funds::may_pay(network, account, balance, price, &fee)?;
    let pause = funds::below_reserve(network, balance, price, &fee);
    Ok(Transfer { from, to, price: price.clone(), fee, recipient, pause })
}

/// Is the wallet still what it was when the offer was shown (B15)? A wallet asks about a payment on its active network whatever the payment says.
///
/// # Errors
/// [`Code::AccountChanged`], [`Code::WrongChain`].
pub async fn unchanged(wallet: &Connection, network: &Network, payer: Address) -> Result<(), CallError> {
    if wallet.account().await? != Some(payer) {
        return Err(Code::AccountChanged.into());
    }
    if wallet.chain_id().await? != network.chain_id {
        return Err(Code::WrongChain.into());
    }
    Ok(())
}

/// Opens the wallet's payment question and gives the hash of what it sent.
///
/// # Errors
/// [`Code::PaymentCancelled`], and whatever else the wallet says. After an error that is no refusal the payment may still have been sent: the
/// watch finds it.
pub async fn pay(wallet: &Connection, network: &Network, transfer: &Transfer) -> Result<TxHash, CallError> {
    let since_ms = browser::now_ms() - LAST_SENT_MS.get();
    if transfer.pause && (0..funds::MONAD_PAUSE_MS).contains(&since_ms) {
        browser::sleep((funds::MONAD_PAUSE_MS - since_ms) as u64).await;
    }
    let params = funds::transfer_json(transfer.from, transfer.to, transfer.price.amount, network, transfer.recipient);
    // For as long as it takes, whoever still waits: what it gives is a payment.
    let hash = wallet.request("eth_sendTransaction", &params).await.map_err(|fault| fault.meaning(Asked::Pay, &wallet.name))?;
    LAST_SENT_MS.set(browser::now_ms());
    let hash = hash.as_string().unwrap_or_default();
    hash.parse().map_err(|_| {
        CallError::saying(Code::WalletFailed, "Your wallet gave no transaction hash. If it paid, the payment is found by itself.")
            .with_details(format_args!("{}: {hash:.80}", wallet.name))
    })
}
