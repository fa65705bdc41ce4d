//! Where the call is: one sentence, the list of stages with the present one marked (C1), the hash as soon as there is one.

use crate::ui::Erase;
use leptos::prelude::*;

use super::Desk;
use crate::{
    agents::progress,
    ui::HashView,
    x402::phase::{Means, Phase},
};

const BY_TRANSFER: &[&str] = &["Confirm in your wallet", "Sent", "Included", "Final", "Agent running", "Done"];
const BY_SIGNATURE: &[&str] = &["Sign in your wallet", "Signed", "Work and settlement", "Done"];
const BY_CREDIT: &[&str] = &["Paid from your credit", "Agent running", "Done"];

const SILENT: &str = "Your wallet has not answered yet. If it asks you nothing, press the button again.";

fn names(means: Means) -> &'static [&'static str] {
    match means {
        Means::Transfer => BY_TRANSFER,
        Means::Authorization => BY_SIGNATURE,
        Means::Credit => BY_CREDIT,
    }
}

/// Which stage a phase is at. `None`: no payment is under way.
fn stage(phase: &Phase, means: Means) -> Option<usize> {
    let by_transfer = match phase {
        Phase::InWallet(_) => 0,
        Phase::Signed | Phase::Sent(_) => 1,
        Phase::Included(_) => 2,
        Phase::Final(_) => 3,
        Phase::Working | Phase::Running(_) => 4,
        Phase::Done => 5,
        Phase::Ready
        | Phase::Asking
        | Phase::Connecting
        | Phase::SigningIn
        | Phase::SwitchingNetwork
        | Phase::PriceChanged { .. }
        | Phase::Failed(_) => return None,
    };
    Some(match means {
        Means::Transfer => by_transfer,
        Means::Authorization => match phase {
            Phase::InWallet(_) => 0,
            Phase::Signed => 1,
            Phase::Done => 3,
            // The shop settles it before the work or after: where that is, is in the sentence.
            _ => 2,
        },
        Means::Credit => by_transfer.max(3) - 3,
    })
}

pub fn status(desk: Desk) -> AnyView {
    let call = desk.call;
    // A failure is an alert of its own: said once.
    let sentence = move || {
        call.phase.with(|phase| match phase {
            Phase::Failed(_) => String::new(),
            phase => phase.sentence(),
        })
    };
    let hash = Memo::new(move |_| call.phase.with(Phase::transaction));
    view! {
        <p role="status" aria-live="polite" translate="no" class="phase">
            {sentence}
        </p>
        <div aria-live="polite">
            {move || call.note.get().map(|note| view! { <p class="note">{note}</p> })}
            {move || desk.is_wallet_silent().then(|| view! { <p class="note">{SILENT}</p> })}
        </div>
        {move || list(desk)}
        {progress::whole(progress::of_call(call))}
        {move || {
            hash.get()
                .map(|hash| {
                    view! {
                        <p class="transaction">"Transaction " <HashView hash url=call.transaction_url.get()/></p>
                    }
                })
        }}
        {move || spent(desk)}
    }
    .erase()
}

fn list(desk: Desk) -> Option<AnyView> {
    let means = desk.call.means.get();
    let now = desk.call.phase.with(|phase| stage(phase, means))?;
    let items = names(means)
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let class = match at.cmp(&now) {
                std::cmp::Ordering::Less => "past",
                std::cmp::Ordering::Equal => "now",
                std::cmp::Ordering::Greater => "to-come",
            };
            view! {
                <li class=class aria-current=(at == now).then_some("step")>
                    {*name}
                </li>
            }
        })
        .collect_view();
    Some(view! { <ol class="stages">{items}</ol> }.erase())
}

/// B18: what is left is said where it was spent.
fn spent(desk: Desk) -> Option<AnyView> {
    let done = desk.call.phase.with(|phase| *phase == Phase::Done);
    let asset = (done && desk.call.means.get() == Means::Credit).then(|| desk.call.asset.get())??;
    let price = desk.ways.with(|ways| ways.iter().find(|terms| terms.price.asset == asset).map(|terms| terms.price.clone()))?;
    let left = desk.wallet.session.with(|session| session.as_ref().and_then(|session| session.credit_in(&price).cloned()));
    let left = left.unwrap_or_else(|| price.with(crate::money::Amount::ZERO));
    Some(view! { <p class="note">{format!("Paid from your credit. {left} of credit is left.")}</p> }.erase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::Code, evm::TxHash};

    #[test]
    fn c1_every_stage_has_its_place() {
        let hash = TxHash([1; 32]);
        let phases = [Phase::Sent(hash), Phase::Included(hash), Phase::Final(hash), Phase::Running(Some(hash)), Phase::Done];
        let places: Vec<_> = phases.iter().map(|phase| stage(phase, Means::Transfer)).collect();
        assert_eq!(places, [Some(1), Some(2), Some(3), Some(4), Some(5)]);
        assert_eq!(BY_TRANSFER.len(), 6);
        for means in [Means::Transfer, Means::Authorization, Means::Credit] {
            assert_eq!(stage(&Phase::Done, means), Some(names(means).len() - 1));
        }
        assert_eq!(stage(&Phase::Running(None), Means::Credit), Some(1));
        let signed = [Phase::Signed, Phase::Sent(hash), Phase::Working, Phase::Running(Some(hash))];
        assert_eq!(signed.map(|phase| stage(&phase, Means::Authorization)), [Some(1), Some(2), Some(2), Some(2)]);
        for none in [Phase::Ready, Phase::Asking, Phase::Failed(Code::Internal.into())] {
            assert_eq!(stage(&none, Means::Transfer), None);
        }
    }
}
