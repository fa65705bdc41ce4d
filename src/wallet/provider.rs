//! An EIP-1193 provider, typed as far as we use it. Parameters go in as JSON text, so that nothing is assembled property by property.

use futures::future::{Either, select};
use js_sys::{Array, Function, JSON, Promise, Reflect};
use serde_json::{Map, Value};
use std::pin::pin;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::{
    fault::{Asked, Fault, INSIDE, PARTS_MAX},
    patience,
};
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
/// Errors within errors: how deep they are looked into. How many, `fault::PARTS_MAX` says.
const DEPTH_MAX: usize = 8;

/// A provider with its name.
#[derive(Clone)]
pub struct Connection {
    pub name: String,
    pub rdns: String,
    pub provider: Provider,
}

impl Connection {
    /// One request, for as long as the wallet takes to answer it: for ever, with some.
    ///
    /// # Errors
    /// Whatever the wallet says.
    pub async fn request(&self, method: &str, params: &str) -> Result<JsValue, Fault> {
        let args = format!(r#"{{"method":"{method}","params":{params}}}"#);
        let args = JSON::parse(&args).map_err(|error| fault(&error))?;
        let promise = self.provider.request(&args).map_err(|error| fault(&error))?;
        // What is no promise, as of some old wallets, is an answer too.
        JsFuture::from(Promise::resolve(&promise)).await.map_err(|error| fault(&error))
    }

    /// One request, with the error as it came.
    ///
    /// # Errors
    /// Whatever the wallet says; [`Fault::let_go`] where the visitor did not wait for it.
    pub async fn raw(&self, method: &str, params: &str) -> Result<JsValue, Fault> {
        patience::patiently(self.request(method, params)).await.unwrap_or_else(|| Err(Fault::let_go(method)))
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
        let asked = async {
            let accounts = self.ask(Asked::Connect, "eth_requestAccounts", "[]").await?;
            first_address(&accounts).ok_or_else(|| Code::WalletDisconnected.into())
        };
        // Connected in the wallet, whatever became of the answer.
        patience::or_when(asked, async || self.account().await.ok().flatten().map(Ok)).await
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
    let mut left = PARTS_MAX;
    let said = described(error, DEPTH_MAX, &mut left);
    let words = browser::in_words(error);
    let words = words.get(..words.floor_char_boundary(RAW_MAX)).unwrap_or_default();
    let mut fault = Fault::of(&said, String::new());
    fault.raw = match fault.codes.first() {
        Some(code) => format!("{code} {words}"),
        None => words.to_owned(),
    };
    fault
}

/// What of a JavaScript error tells what it means: an `Error`'s own fields are no part of its JSON. It may lead in circles: `left` counts.
fn described(error: &JsValue, depth: usize, left: &mut usize) -> Value {
    if let Some(text) = error.as_string() {
        return text.into();
    }
    if !error.is_object() || *left == 0 {
        return Value::Null;
    }
    *left -= 1;
    let field = |name: &str| Reflect::get(error, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let mut said = Map::new();
    for name in ["code", "message", "reason"] {
        let value = field(name);
        let value = value.as_string().map(Value::from).or_else(|| value.as_f64().map(Value::from));
        said.extend(value.map(|value| (name.to_owned(), value)));
    }
    if depth > 0 {
        for name in INSIDE {
            let inside = described(&field(name), depth - 1, left);
            if !inside.is_null() {
                said.insert(name.to_owned(), inside);
            }
        }
    }
    said.into()
}
