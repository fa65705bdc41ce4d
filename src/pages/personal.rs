//! What belongs to the signed-in wallet: it is on the page only while that wallet is there (A7, E1).
//!
//! The server renders it for whoever the cookie names. In the browser it disappears in the moment another account, or none, takes
//! over, and is asked for again under the new name.

use std::future::Future;

use super::loaded::Loaded;
use crate::ui::Erase;
use leptos::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{connect::SignInFirst, data::my_session};
use crate::{
    error::{CallError, Code},
    evm::Address,
    ui::{Heading, Spinner},
    wallet::Wallet,
};

/// Who looks at the page, as far as the page knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// Not asked yet: the server, and the browser's first moments. The cookie decides what is shown.
    Unknown,
    Nobody,
    Payer(Address),
}

impl Visitor {
    /// Is what was loaded for `whose` for this visitor?
    fn may_see(self, whose: Option<Address>) -> bool {
        match self {
            Self::Unknown => true,
            Self::Nobody => whose.is_none(),
            Self::Payer(address) => whose == Some(address),
        }
    }
}

#[derive(Clone, Copy)]
struct TheVisitor(Memo<Visitor>);

/// Once, in `App`.
pub fn provide_visitor(wallet: Wallet) {
    provide_context(TheVisitor(Memo::new(move |before: Option<&Visitor>| {
        match (wallet.session.with(Option::is_some), before) {
            (false, None | Some(Visitor::Unknown)) => Visitor::Unknown,
            // It was known once: what was shown to that wallet is not shown again on a guess.
            (false, Some(_)) => Visitor::Nobody,
            (true, _) => wallet.signed_in().map_or(Visitor::Nobody, Visitor::Payer),
        }
    })));
}

pub fn visitor() -> Memo<Visitor> {
    let TheVisitor(visitor) = expect_context();
    visitor
}

/// An answer of the server, with whom it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mine<T> {
    whose: Option<Address>,
    what: Result<T, CallError>,
}

impl<T> Mine<T> {
    /// `visitor` as it was before asking: an answer that arrives after a change carries the old name, and is not shown.
    ///
    /// Nobody asks for nothing, unless the address has a key: the cookie outlives the page's knowledge by a moment, and would answer.
    pub async fn load(visitor: Visitor, has_key: bool, asked: impl Future<Output = Result<T, CallError>>) -> Self {
        let whose = match visitor {
            Visitor::Payer(address) => Some(address),
            Visitor::Nobody if !has_key => return Self { whose: None, what: Err(Code::NotSignedIn.into()) },
            Visitor::Nobody => None,
            Visitor::Unknown => my_session().await.ok().and_then(|session| session.address),
        };
        Self { whose, what: asked.await }
    }

    fn is_for(&self, visitor: Visitor) -> bool {
        visitor.may_see(self.whose)
    }
}

/// How one page shows what it has, or why it has nothing.
pub struct Personal<T: 'static> {
    /// Above what is in place of `show`, which then has a heading of its own. `None`: the page's heading is always there.
    pub heading: Option<&'static str>,
    /// Finishes "Connect your wallet to see …".
    pub what: &'static str,
    pub show: fn(T) -> AnyView,
    /// In place of what does not exist, or is another's: the page does not say which.
    pub missing: fn() -> AnyView,
}

// By hand: a derive would ask that `T` be `Copy`, which is only named here.
impl<T> Clone for Personal<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Personal<T> {}

impl<T> Personal<T>
where
    T: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    pub fn render(self, loaded: Loaded<Mine<T>>) -> AnyView {
        let visitor = visitor();
        Effect::new(move |_| {
            let now = visitor.get();
            if loaded.with(|mine| mine.as_ref().is_some_and(|mine| !mine.is_for(now))) {
                loaded.refetch();
            }
        });
        view! {
            <Transition fallback=|| view! { <Spinner/> }>
                {move || Suspend::new(async move {
                    let mine = loaded.await;
                    let whose = mine.whose;
                    // A visitor who turns out to be who was thought leaves the page as it is: what was read, or is being read, stays.
                    let other = Memo::new(move |_| Some(visitor.get()).filter(|visitor| !visitor.may_see(whose)));
                    move || self.one(&mine, other.get(), loaded)
                })}
            </Transition>
        }
        .erase()
    }

    /// `other`: a visitor for whom it was not loaded.
    fn one(self, mine: &Mine<T>, other: Option<Visitor>, loaded: Loaded<Mine<T>>) -> AnyView {
        let instead = match (other, mine.what.clone()) {
            (None, Ok(what)) => return (self.show)(what),
            (Some(Visitor::Nobody), _) => view! { <SignInFirst what=self.what/> }.erase(),
            (Some(_), _) => view! { <Spinner/> }.erase(),
            (None, Err(error)) => match error.code {
                Code::NotSignedIn => view! { <SignInFirst what=self.what/> }.erase(),
                Code::NoSuchRun => (self.missing)(),
                _ => failed(error, move || loaded.refetch()),
            },
        };
        view! {
            {self.heading.map(|heading| view! { <Heading>{heading}</Heading> })}
            {instead}
        }
        .erase()
    }
}

fn failed(error: CallError, again: impl Fn() + Send + Sync + 'static) -> AnyView {
    view! {
        <div class="failure" role="alert">
            <p>{error.error}</p>
            <button type="button" on:click=move |_| again()>"Try again"</button>
        </div>
    }
    .erase()
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a7_nobody_is_not_answered_by_a_cookie_that_is_still_there() {
        let cookies = async || Ok("a row of the wallet that has just signed out");
        assert_eq!(Mine::load(Visitor::Nobody, false, cookies()).await.what, Err(Code::NotSignedIn.into()));
        assert!(Mine::load(Visitor::Nobody, true, cookies()).await.what.is_ok(), "a key answers anybody");
    }

    #[test]
    fn a7_what_was_loaded_for_one_account_is_shown_to_no_other() {
        let (ada, eve) = (Address([1; 20]), Address([2; 20]));
        let mine = Mine { whose: Some(ada), what: Ok(()) };
        assert!(mine.is_for(Visitor::Payer(ada)));
        assert!(mine.is_for(Visitor::Unknown), "the cookie has decided");
        assert!(!mine.is_for(Visitor::Payer(eve)));
        assert!(!mine.is_for(Visitor::Nobody));
    }

    #[test]
    fn a7_a_session_that_is_gone_is_nobody_and_not_unknown() {
        let owner = Owner::new();
        owner.with(|| {
            let wallet = Wallet::provide();
            provide_visitor(wallet);
            let visitor = visitor();
            assert_eq!(visitor.get_untracked(), Visitor::Unknown);
            let ada = Address([1; 20]);
            wallet.session.set(Some(crate::session::SessionView { address: Some(ada), ..Default::default() }));
            assert_eq!(visitor.get_untracked(), Visitor::Payer(ada));
            wallet.account.set(Some(Address([2; 20])));
            assert_eq!(visitor.get_untracked(), Visitor::Nobody, "another account: the session is not used");
            wallet.account.set(None);
            wallet.session.set(None);
            assert_eq!(visitor.get_untracked(), Visitor::Nobody);
        });
    }
}
