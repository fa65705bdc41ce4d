//! There is nothing here; what there is instead. Status 404.

use crate::ui::Erase;
use leptos::prelude::*;
use leptos_meta::Title;

use super::status;
use crate::ui::Heading;

#[component]
pub fn NotFound() -> impl IntoView {
    status::missing()();
    view! {
        <Title text="Not found"/>
        <div class="page">
            <Heading>"There is no such page"</Heading>
            <p>"The address may be mistyped, or what it named is no longer here."</p>
            <p><a class="button" href="/">"See the agents"</a></p>
        </div>
    }
    .erase()
}
