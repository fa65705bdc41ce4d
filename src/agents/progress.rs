//! How far a run's work is, as the page shows it (D5): told by the server as it happens, or asked for where the browser cannot listen.
//!
//! The words are the agent's: data, never markup.

use crate::ui::Erase;
use leptos::prelude::*;

use crate::{
    run::Progress,
    x402::phase::{Call, Phase},
};

/// Of a call of this page, while its agent works.
pub fn of_call(call: Call) -> Signal<Progress> {
    let progress = RwSignal::new(Progress::default());
    let run = Memo::new(move |_| {
        let works = call.phase.with(|phase| matches!(phase, Phase::Running(_) | Phase::Working));
        call.run.get().filter(|_| works)
    });
    Effect::new(move |_| {
        // What was told of another run, or of this one before it failed, is over.
        run.track();
        progress.set(Progress::default());
    });
    follow(run.into(), None, progress);
    progress.into()
}

#[cfg(not(feature = "hydrate"))]
pub fn follow(_run: Signal<Option<String>>, _key: Option<String>, _progress: RwSignal<Progress>) {}

/// Keeps `progress` up to date while there is a run to follow and somebody here. `key`: what opens it without its payer's session.
#[cfg(feature = "hydrate")]
pub fn follow(run: Signal<Option<String>>, key: Option<String>, progress: RwSignal<Progress>) {
    use crate::browser::events;

    // The run that could not be listened to.
    let deaf = RwSignal::new(None::<String>);
    ask_instead(deaf, key.clone(), progress);
    Effect::new(move |_| {
        deaf.set(None);
        let Some(id) = run.get() else { return };
        let path = format!("/api/runs/{id}/events");
        if let Some(key) = &key {
            // An event stream is asked for without headers of ours.
            crate::browser::hand_over_key(key, &path);
        }
        // A stream that is opened anew tells all from the beginning.
        let mut is_first = true;
        let heard = move |name: String, data: String| {
            progress.try_update(|progress| {
                if std::mem::take(&mut is_first) {
                    *progress = Progress::default();
                }
                match serde_json::from_slice(data.as_bytes()) {
                    Ok(step) if name == "progress" => drop(progress.add(step)),
                    _ => progress.begin_again(),
                }
            });
        };
        let refused = id.clone();
        let failed = move || drop(deaf.try_set(Some(refused.clone())));
        match events::listen(&path, &["progress", "again"], "end", heard, failed) {
            Some(listening) => {
                let listening = send_wrapper::SendWrapper::new(listening);
                on_cleanup(move || drop(listening));
            }
            None => deaf.set(Some(id)),
        }
    });
}

/// Where the server has too many listeners, or the browser none: every two seconds, as for the run itself.
#[cfg(feature = "hydrate")]
fn ask_instead(deaf: RwSignal<Option<String>>, key: Option<String>, progress: RwSignal<Progress>) {
    Effect::new(move |_| {
        let Some(id) = deaf.get() else { return };
        let key = key.clone();
        let ask = move || {
            let (id, key) = (id.clone(), key.clone());
            leptos::task::spawn_local(async move {
                // No answer is no news: the next one will tell.
                if let Ok(now) = crate::pages::data::my_run(id, key).await {
                    progress.try_set(now.progress);
                }
            });
        };
        if let Ok(asking) = set_interval_with_handle(ask, std::time::Duration::from_secs(2)) {
            on_cleanup(move || asking.clear());
        }
    });
}

/// Where it is, in a sentence, and a bar.
pub fn line(progress: Signal<Progress>) -> AnyView {
    let now = Memo::new(move |_| progress.with(|progress| progress.steps.last().cloned()));
    let sentence = move || {
        let again = if progress.with(|progress| progress.again) { "The work began again. " } else { "" };
        format!("{again}{}", now.with(|now| now.as_ref().map(|step| step.sentence()).unwrap_or_default()))
    };
    let (of, step) = (
        move || now.with(|now| now.as_ref().map(|step| step.of.max(1))),
        // With no value a bar says that nobody knows how far.
        move || now.with(|now| now.as_ref().filter(|step| step.of > 0).map(|step| step.step.min(step.of))),
    );
    view! {
        <div class="progress-line" hidden=move || progress.with(Progress::is_empty)>
            <p role="status" translate="no">
                {sentence}
            </p>
            <progress aria-label="How far the work is" max=of value=step></progress>
        </div>
    }
    .erase()
}

/// The same, with the steps so far.
pub fn whole(progress: Signal<Progress>) -> AnyView {
    let steps = move || {
        progress.with(|progress| {
            let last = progress.steps.len().saturating_sub(1);
            let item =
                |(at, words): (usize, String)| view! { <li aria-current=(at == last).then_some("step")>{words}</li> }.erase();
            let words = progress.steps.iter().map(|step| step.words.clone());
            words.enumerate().map(item).collect::<Vec<AnyView>>()
        })
    };
    view! {
        <div class="progress" hidden=move || progress.with(Progress::is_empty)>
            {line(progress)} <ol translate="no">{steps}</ol>
        </div>
    }
    .erase()
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::run::Step;

    fn html(steps: &[Step], again: bool) -> String {
        Owner::new().with(|| whole(Signal::stored(Progress { again, steps: steps.to_vec() })).to_html())
    }

    #[test]
    fn d5_a_page_without_scripts_shows_step_bar_and_list() {
        let html = html(&[Step::new(1, 3, "Looking.", 0), Step::new(2, 3, "Reading <b>it</b>.", 0)], false);
        assert!(html.contains("Step 2 of 3: Reading &lt;b&gt;it&lt;/b&gt;."), "{html}");
        assert!(html.contains(r#"max="3""#) && html.contains(r#"value="2""#), "{html}");
        assert_eq!(html.matches("<li").count(), 2, "{html}");
        assert_eq!(html.matches(r#"role="status""#).count(), 1, "{html}");
    }

    #[test]
    fn a_bar_promises_no_end_that_nobody_knows_and_never_more_than_all() {
        assert!(!html(&[Step::new(4, 0, "Still looking.", 0)], false).contains("value="));
        assert!(html(&[Step::new(9, 3, "More than was thought.", 0)], false).contains(r#"value="3""#));
    }

    #[test]
    fn that_the_work_began_again_is_said() {
        assert!(html(&[Step::new(1, 3, "Looking.", 0)], true).contains("The work began again. Step 1 of 3: Looking."));
        assert!(html(&[], false).contains("hidden"), "nothing to tell is nothing to see");
    }
}
