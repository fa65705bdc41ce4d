//! An EIP-1193 provider, typed as far as we use it. Parameters go in as JSON text, so that nothing is assembled property by property.

use futures::future::{Either, select};
use js_sys::{Array, Function, JSON, Promise, Reflect};
use std::pin::pin;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::fault::{Asked, Fault};
use crate::{
    browser,
    error::{CallError, Code},
    evm::Address,
    money::Amount,
};

#[wasm_bindgen]
extern "C" {
    /// What a wallet puts into the page.
    #[derive(Clone)]
    pub type Provider;

    #[wasm_bindgen(method, catch)]
    fn request(this: &Provider, args: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn on(this: &Provider, event: &str, listener: &Function) -> Result<JsValue, JsValue>;
}

/// A question that opens no window is answered by the wallet's node: this long is "it is away".
const READ_PATIENCE_MS: u64 = 20_000;
/// Bytes of a wallet's error that are shown.
const RAW_MAX: usize = 2_000;

/// A provider with its name.
#[derive(Clone)]
pub struct Connection {
    pub name: String,
    pub rdns: String,
    pub provider: Provider,
}

impl Connection {
    /// One request, with the error as it came.
    ///
    /// # Errors
    /// Whatever the wallet says.
    pub async fn raw(&self, method: &str, params: &str) -> Result<JsValue, Fault> {
        let args = format!(r#"{{"method":"{method}","params":{params}}}"#);
        let args = JSON::parse(&args).map_err(|error| fault(&error))?;
        let promise = self.provider.request(&args).map_err(|error| fault(&error))?;
        JsFuture::from(promise).await.map_err(|error| fault(&error))
    }

    /// One request that may wait for a person as long as it takes.
    ///
    /// # Errors
    /// In our words (`fault.rs`).
    pub async fn ask(&self, asked: Asked, method: &str, params: &str) -> Result<JsValue, CallError> {
        self.raw(method, params).await.map_err(|fault| fault.meaning(asked, &self.name))
    }

    /// One request that shows no window, as text.
    ///
    /// # Errors
    /// In our words; [`Code::WalletFailed`] too if there is no answer in time.
    pub async fn read(&self, method: &str, params: &str) -> Result<String, CallError> {
        let answer = pin!(self.ask(Asked::Read, method, params));
        let patience = pin!(browser::sleep(READ_PATIENCE_MS));
        let unanswered =
            || CallError::from(Code::WalletFailed).with_details(format_args!("{}: no answer to {method}", self.name));
        match select(answer, patience).await {
            Either::Left((answer, _)) => answer?.as_string().ok_or_else(unanswered),
            Either::Right(_) => Err(unanswered()),
        }
    }

    /// As [`Connection::read`], where the answer is a quantity.
    ///
    /// # Errors
    /// As there.
    pub async fn quantity(&self, method: &str, params: &str) -> Result<Amount, CallError> {
        let text = self.read(method, params).await?;
        Amount::from_hex_quantity(&text)
            .map_err(|_| CallError::from(Code::WalletFailed).with_details(format_args!("{method} answered {text:.40}")))
    }

    /// The chain that the wallet is on.
    ///
    /// # Errors
    /// As [`Connection::read`].
    pub async fn chain_id(&self) -> Result<u64, CallError> {
        let id = self.quantity("eth_chainId", "[]").await?;
        id.to_string().parse().map_err(|_| Code::WalletFailed.into())
    }

    /// The account that this site may see, the one in use first. A locked wallet still tells it.
    ///
    /// # Errors
    /// In our words.
    pub async fn account(&self) -> Result<Option<Address>, CallError> {
        let accounts = self.ask(Asked::Connect, "eth_accounts", "[]").await?;
        Ok(first_address(&accounts))
    }

    /// As [`Connection::account`], and asks the person where the site is not connected yet.
    ///
    /// # Errors
    /// In our words.
    pub async fn connect(&self) -> Result<Address, CallError> {
        let accounts = self.ask(Asked::Connect, "eth_requestAccounts", "[]").await?;
        first_address(&accounts).ok_or_else(|| Code::WalletDisconnected.into())
    }

    /// Listens for as long as the page lives. A wallet without events is still a wallet.
    pub fn listen(&self, event: &str, heard: impl Fn(JsValue) + 'static) {
        let heard = Closure::<dyn Fn(JsValue)>::new(heard);
        let _ = self.provider.on(event, heard.as_ref().unchecked_ref());
        heard.forget();
    }
}

/// Of `eth_accounts`, `eth_requestAccounts` and `accountsChanged`.
pub fn first_address(accounts: &JsValue) -> Option<Address> {
    Array::from(accounts).get(0).as_string()?.parse().ok()
}

fn fault(error: &JsValue) -> Fault {
    let field = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let data = field(error, "data");
    let places = [error.clone(), field(&data, "originalError"), data.clone(), field(error, "cause"), field(&data, "cause")];
    let codes = places
        .iter()
        .filter(|place| place.is_object())
        .filter_map(|place| {
            let code = field(place, "code");
            code.as_f64().or_else(|| code.as_string()?.parse().ok()).map(|code| code as i32)
        })
        .collect::<Vec<_>>();
    let words = browser::in_words(error);
    let words = words.get(..words.floor_char_boundary(RAW_MAX)).unwrap_or_default();
    let raw = match codes.first() {
        Some(code) => format!("{code} {words}"),
        None => words.to_owned(),
    };
    Fault { codes, raw }
}
