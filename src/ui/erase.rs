//! Forgetting a view's type, for less wasm than leptos' own `into_any`.
//!
//! An `AnyView` keeps a pointer to every way to bring its view to life, `hydrate_async` too: a state machine of the whole view, which only
//! lazily loaded routes need. There are none here, so what is erased answers that call with the plain `hydrate`. It saved a sixth of the wasm.

use leptos::{
    prelude::*,
    tachys::{
        html::attribute::{Attribute, any_attribute::AnyAttribute},
        hydration::Cursor,
        ssr::StreamBuilder,
        view::{Position, PositionState, add_attr::AddAnyAttr},
    },
};

/// Use it where `into_any` would be: in branches of different types, and at the border of a large view.
pub trait Erase {
    fn erase(self) -> AnyView;
}

impl<T: RenderHtml + Send> Erase for T {
    fn erase(self) -> AnyView {
        Hydrated(self).into_any()
    }
}

/// A view that hydrates in one way only.
struct Hydrated<T>(T);

impl<T: Render> Render for Hydrated<T> {
    type State = T::State;

    fn build(self) -> Self::State {
        self.0.build()
    }

    fn rebuild(self, state: &mut Self::State) {
        self.0.rebuild(state);
    }
}

impl<T: RenderHtml> AddAnyAttr for Hydrated<T> {
    type Output<NewAttr: Attribute> = Hydrated<T::Output<NewAttr>>;

    fn add_any_attr<NewAttr: Attribute>(self, attr: NewAttr) -> Self::Output<NewAttr>
    where
        Self::Output<NewAttr>: RenderHtml,
    {
        Hydrated(self.0.add_any_attr(attr))
    }
}

impl<T: RenderHtml> RenderHtml for Hydrated<T> {
    type AsyncOutput = T::AsyncOutput;
    type Owned = Hydrated<T::Owned>;

    const MIN_LENGTH: usize = T::MIN_LENGTH;
    const EXISTS: bool = T::EXISTS;

    fn dry_resolve(&mut self) {
        self.0.dry_resolve();
    }

    async fn resolve(self) -> Self::AsyncOutput {
        self.0.resolve().await
    }

    fn html_len(&self) -> usize {
        self.0.html_len()
    }

    fn to_html_with_buf(self, buf: &mut String, position: &mut Position, escape: bool, mark: bool, attrs: Vec<AnyAttribute>) {
        self.0.to_html_with_buf(buf, position, escape, mark, attrs);
    }

    fn to_html_async_with_buf<const OUT_OF_ORDER: bool>(
        self,
        buf: &mut StreamBuilder,
        position: &mut Position,
        escape: bool,
        mark: bool,
        attrs: Vec<AnyAttribute>,
    ) {
        self.0.to_html_async_with_buf::<OUT_OF_ORDER>(buf, position, escape, mark, attrs);
    }

    fn hydrate<const FROM_SERVER: bool>(self, cursor: &Cursor, position: &PositionState) -> Self::State {
        self.0.hydrate::<FROM_SERVER>(cursor, position)
    }

    fn into_owned(self) -> Self::Owned {
        Hydrated(self.0.into_owned())
    }
}
