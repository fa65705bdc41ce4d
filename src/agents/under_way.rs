//! Payments and runs that have not ended, and payments that arrived without their run (C9).

use leptos::prelude::*;

#[component]
pub fn UnderWay() -> impl IntoView {}
