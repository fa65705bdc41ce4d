//! The shop, loaded once per page load: on the server before anything is sent, in the browser from what the server sent.

use super::loaded::{Loaded, load};
use crate::ui::Erase;
use leptos::{context::Provider, prelude::*};

use super::data::{Shop, the_shop};
use crate::error::CallError;

/// In the context of every page.
#[derive(Clone, Copy)]
pub struct TheShop(pub Loaded<Result<Shop, CallError>>);

impl TheShop {
    /// Once, in `App`.
    pub fn provide() -> Self {
        let shop = Self(load(|| (), |()| the_shop()));
        provide_context(shop);
        shop
    }
}

/// What needs the shop: rendered on the server with the rest of the page. Inside, the `Shop` is in the context.
pub fn with_shop(show: impl Fn(Shop) -> AnyView + Clone + Send + Sync + 'static) -> AnyView {
    let TheShop(shop) = expect_context();
    view! {
        <Suspense>
            {move || {
                let show = show.clone();
                Suspend::new(async move {
                    match shop.await {
                        Ok(shop) => {
                            let value = shop.clone();
                            view! { <Provider value>{show(shop)}</Provider> }.erase()
                        }
                        Err(error) => view! { <p class="failure" role="alert">{error.error}</p> }.erase(),
                    }
                })
            }}
        </Suspense>
    }
    .erase()
}
