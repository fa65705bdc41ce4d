//! Only `coinslot demo` has this strip: it says that the money is play money, and gives some to the visitor's own wallet.

use crate::ui::Erase;
use leptos::{ev::SubmitEvent, prelude::*, task::spawn_local};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::{
    error::{CallError, Code},
    evm::Address,
    pages::shop::with_shop,
    ui::{hydrated, toast},
    wallet::Wallet,
};

#[component]
pub fn DemoStrip() -> impl IntoView {
    with_shop(|shop| shop.demo.map(|_| view! { <Strip/> }).erase())
}

#[component]
fn Strip() -> impl IntoView {
    view! {
        <aside class="demo" aria-label="Demo">
            <div class="wide">
                <p><strong>"Demo: "</strong>"play money on a local chain. Nothing here is worth anything."</p>
                <details class="with-js">
                    <summary>"Get play money for your own wallet"</summary>
                    <Faucet/>
                </details>
            </div>
        </aside>
    }
    .erase()
}

/// Where the one question of this form stands.
#[derive(Clone, PartialEq)]
enum Pouring {
    Ready,
    Asking,
    Refused(String),
}

#[component]
fn Faucet() -> impl IntoView {
    let wallet = Wallet::get();
    let live = hydrated();
    let address = RwSignal::new(String::new());
    let pouring = RwSignal::new(Pouring::Ready);
    // The connected account, until the visitor types another.
    Effect::new(move |_| {
        if let Some(account) = wallet.account.get()
            && address.with_untracked(String::is_empty)
        {
            address.set(account.to_string());
        }
    });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Ok(to) = address.with_untracked(|text| text.trim().to_lowercase().parse::<Address>()) else {
            pouring.set(Pouring::Refused("An address is 0x and 40 hexadecimal digits.".into()));
            return;
        };
        pouring.set(Pouring::Asking);
        spawn_local(async move {
            match pour(to).await {
                Ok(()) => {
                    toast(format!("Play money sent to {}.", to.short()));
                    pouring.set(Pouring::Ready);
                }
                Err(error) => pouring.set(Pouring::Refused(error.error)),
            }
        });
    };
    let asking = move || pouring.get() == Pouring::Asking;
    let refusal = move || match pouring.get() {
        Pouring::Refused(why) => Some(why),
        Pouring::Ready | Pouring::Asking => None,
    };
    view! {
        <form class="faucet" on:submit=submit>
            <div class="field">
                <label for="faucet-wallet">"Send it to"</label>
                <input
                    id="faucet-wallet"
                    name="wallet"
                    required
                    maxlength="44"
                    spellcheck="false"
                    autocomplete="off"
                    placeholder="0x…"
                    aria-describedby="faucet-error"
                    aria-invalid=move || matches!(pouring.get(), Pouring::Refused(_)).then_some("true")
                    prop:value=move || address.get()
                    on:input:target=move |event| address.set(event.target().value())
                />
                <p class="field-error" id="faucet-error" aria-live="polite">{refusal}</p>
            </div>
            <button type="submit" disabled=move || !live.get() || asking()>
                {move || if asking() { "Sending…" } else { "Get play money" }}
            </button>
        </form>
    }
    .erase()
}

/// # Errors
/// The server's own words, or [`Code::Offline`].
async fn pour(to: Address) -> Result<(), CallError> {
    let offline = |_: JsValue| CallError::from(Code::Offline);
    let options = web_sys::RequestInit::new();
    options.set_method("POST");
    options.set_body(&serde_json::json!({ "address": to }).to_string().into());
    let request = web_sys::Request::new_with_str_and_init("/demo/faucet", &options).map_err(offline)?;
    request.headers().set("content-type", "application/json").map_err(offline)?;
    let response = JsFuture::from(window().fetch_with_request(&request)).await.map_err(offline)?;
    let response: web_sys::Response = response.unchecked_into();
    if response.ok() {
        return Ok(());
    }
    let text = JsFuture::from(response.text().map_err(offline)?).await.map_err(offline)?;
    let said = text.as_string().and_then(|text| serde_json::from_slice(text.as_bytes()).ok());
    Err(said.unwrap_or_else(|| Code::Internal.into()))
}
