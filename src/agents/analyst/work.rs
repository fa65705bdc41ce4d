//! The loop: the model asks for looks, we make them, it answers. Everything in it is bounded: turns, looks, tokens, time, and what it reads.
//!
//! A model that fails ends the run, which then costs nothing; there is no computed answer to fall back on.

use std::time::Duration;

use serde::Deserialize;

use super::{
    Confidence, Fact, Input, Report, Step, Used,
    facts::{self, shortened},
    table::{self, LOOKS},
    words,
};
use crate::{
    error::CallError,
    model::{
        Answer, Ask, Call, Message, Model, ModelError,
        data::{Fence, invented, plain},
    },
    runs::Tools,
};

/// Turns in which the model may ask for looks.
const TURNS_MAX: u32 = 6;

/// Looks, in all and in one turn.
const LOOKS_MAX: usize = 8;
const LOOKS_OF_A_TURN_MAX: usize = 3;

/// Tokens read and written, after which it has to answer.
const TOKENS_MAX: u32 = 60_000;

/// Of one turn, which may have to write out what the question holds, and of the answer.
const TURN_TOKENS_MAX: u32 = 1_200;
const ANSWER_TOKENS_MAX: u32 = 1_200;

/// Kept for the answer: no look begins later.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// For one turn.
const TURN_TIME: Duration = Duration::from_secs(25);

/// Kept for storing the answer.
const RESERVE: Duration = Duration::from_secs(2);

const ANSWER_CHARS_MAX: usize = 3_000;
const OPEN_QUESTIONS_MAX: usize = 6;
const LINE_CHARS_MAX: usize = 300;

/// Of a look's input, for whoever waits.
const TOLD_CHARS_MAX: usize = 90;

/// What it is until it ends.
struct Work<'t> {
    model: &'t Model,
    tools: &'t Tools,
    fence: Fence,
    messages: Vec<Message>,
    facts: Vec<Fact>,
    steps: Vec<Step>,
    notices: Vec<String>,
    used: Used,
    /// Steps that whoever waits was told of.
    told: u32,
}

/// # Errors
/// [`crate::error::Code::AgentFailed`]: the model gave no answer. The same payment may be tried again.
pub(super) async fn inspect(input: &Input, tools: &Tools) -> Result<Report, CallError> {
    // A shop without one does not sell this; one that lost it meanwhile gives the price back.
    let model = tools.model().ok_or_else(|| CallError::agent_failed("this shop has no language model any more."))?;
    let fence = Fence::new();
    let messages = vec![Message::System(words::rules(&fence)), Message::User(words::question(&fence, &input.question))];
    let (facts, steps, notices, used) = (Vec::new(), Vec::new(), Vec::new(), Used::default());
    let mut work = Work { model, tools, fence, messages, facts, steps, notices, used, told: 0 };
    let early = work.look_around().await?;
    let said = work.answer(early).await?;
    tools.engine().with(model.name());
    Ok(work.report(said, &input.question))
}

/// What the model said at last.
struct Said {
    answer: String,
    citations: Vec<i64>,
    confidence: Option<Confidence>,
    open_questions: Vec<String>,
}

/// The form, as it is read: whatever is missing or odd costs only itself.
#[derive(Deserialize)]
struct Filled {
    answer: String,
    #[serde(default)]
    citations: Vec<serde_json::Value>,
    #[serde(default)]
    confidence: Option<serde_json::Value>,
    #[serde(default)]
    open_questions: Vec<serde_json::Value>,
}

impl Work<'_> {
    /// A further step, as it begins. Nobody knows of how many: the model decides.
    fn begin(&mut self, words: &str) {
        self.told += 1;
        self.tools.progress(self.told, 0, words);
    }

    /// Turn after turn, until the model asks for nothing more or a bound is met. `Some`: it has filled in the form already.
    async fn look_around(&mut self) -> Result<Option<Said>, CallError> {
        for turn in 1..=TURNS_MAX {
            if self.tools.time_left() < ANSWER_TIME + RESERVE {
                self.notices.push("The time for looking was up before the model had seen all it asked for.".to_owned());
                return Ok(None);
            }
            if self.used.tokens_read.saturating_add(self.used.tokens_written) >= TOKENS_MAX {
                self.notices.push("The model had read all that it may before it had seen all it asked for.".to_owned());
                return Ok(None);
            }
            self.begin(if turn == 1 { "Deciding what to look at" } else { "Deciding what else to look at" });
            let within = TURN_TIME.min(self.tools.time_left().saturating_sub(ANSWER_TIME));
            let asked = Ask {
                messages: self.messages.clone(),
                tools: LOOKS.iter().map(table::Look::tool).collect(),
                form: None,
                tokens_max: TURN_TOKENS_MAX,
                within,
                streamed: true,
            };
            let heard = match self.ask(asked).await {
                // It rambled, or broke off: what it has seen so far may do for an answer.
                Err(ModelError::TooLong | ModelError::Empty | ModelError::Garbled | ModelError::CutOff) => return Ok(None),
                Err(ModelError::Slow(_)) => {
                    self.notices.push("The model took too long to decide what to look at, and had to answer.".to_owned());
                    return Ok(None);
                }
                heard => heard.map_err(failed)?,
            };
            if heard.calls.is_empty() {
                return Ok(read(&heard.text));
            }
            let wanted = heard.calls.len();
            let calls: Vec<Call> = heard.calls.into_iter().take(LOOKS_OF_A_TURN_MAX).collect();
            if wanted > calls.len() {
                self.notices.push(format!("The model asked for {wanted} looks at once and got the first {}.", calls.len()));
            }
            self.messages.push(Message::Assistant { text: heard.text, calls: calls.clone() });
            for call in calls {
                let text = self.look(&call).await;
                self.messages.push(Message::Result { call: call.id, text });
            }
            if self.steps.len() >= LOOKS_MAX {
                self.notices.push(format!("The model may look {LOOKS_MAX} times, and did."));
                return Ok(None);
            }
        }
        self.notices.push(format!("The model had {TURNS_MAX} turns to look around and used them all."));
        Ok(None)
    }

    /// One call of the model's, made or refused; what it is told of it.
    async fn look(&mut self, call: &Call) -> String {
        let input = shortened(&call.arguments, LINE_CHARS_MAX);
        let agent = shortened(&call.name, 64);
        let step = |agent: String, outcome: String, facts: Vec<u32>| Step { agent, input: input.clone(), outcome, facts };
        let Some(look) = table::find(&call.name) else {
            let names = LOOKS.iter().map(table::Look::name).collect::<Vec<_>>().join(", ");
            self.steps.push(step(agent, "There is no such agent.".to_owned(), Vec::new()));
            return format!("There is no such tool. There are: {names}.");
        };
        let agent = look.card.slug.to_owned();
        if let Some(before) = self.steps.iter().find(|step| step.agent == agent && step.input == input) {
            let told = format!("You have looked at exactly this before: {}", numbers(&before.facts));
            let facts = before.facts.clone();
            self.steps.push(step(agent, "It had looked at exactly this before.".to_owned(), facts));
            return told;
        }
        if self.steps.len() >= LOOKS_MAX {
            self.steps.push(step(agent, "Not made: it had looked often enough.".to_owned(), Vec::new()));
            return "No more looks. Answer from the facts you have.".to_owned();
        }
        self.begin(&format!("{}: {}", look.card.name, shortened(&call.arguments, TOLD_CHARS_MAX)));
        match look.run(&call.arguments, &self.tools.inside(self.told, 0, look.card)).await {
            Ok(report) => {
                let first = u32::try_from(self.facts.len()).unwrap_or(u32::MAX).saturating_add(1);
                let found = facts::of(&agent, &report, first);
                let text = words::found(&self.fence, &found);
                let outcome = match found.len() {
                    1 => "Found 1 fact.".to_owned(),
                    count => format!("Found {count} facts."),
                };
                self.steps.push(step(agent, outcome, found.iter().map(|fact| fact.number).collect()));
                self.facts.extend(found);
                text
            }
            Err(why) => {
                self.steps.push(step(agent, shortened(&why, LINE_CHARS_MAX), Vec::new()));
                words::not_found(&self.fence, &why)
            }
        }
    }

    /// The answer in its form; where the model does not keep to it, its words as they are.
    async fn answer(&mut self, early: Option<Said>) -> Result<Said, CallError> {
        if let Some(said) = early {
            return Ok(said);
        }
        self.begin("Writing the answer");
        self.messages.push(Message::User(words::ANSWER_NOW.to_owned()));
        let asked = Ask {
            messages: self.messages.clone(),
            tools: Vec::new(),
            form: Some(words::form()),
            tokens_max: ANSWER_TOKENS_MAX,
            within: self.tools.time_left().saturating_sub(RESERVE),
            streamed: true,
        };
        let heard = self.ask(asked).await.map_err(failed)?;
        if let Some(said) = read(&heard.text) {
            return Ok(said);
        }
        self.notices.push("The model did not keep to the form of an answer: these are its words as they came.".to_owned());
        Ok(Said { answer: heard.text, citations: Vec::new(), confidence: None, open_questions: Vec::new() })
    }

    async fn ask(&mut self, ask: Ask) -> Result<Answer, ModelError> {
        self.used.requests += 1;
        let heard = self.model.ask(&ask).await?;
        self.used.tokens_read = self.used.tokens_read.saturating_add(heard.usage.prompt);
        self.used.tokens_written = self.used.tokens_written.saturating_add(heard.usage.completion);
        Ok(heard)
    }

    fn report(self, said: Said, question: &str) -> Report {
        let Self { model, facts, steps, mut notices, used, tools, .. } = self;
        let (answer, citations, dropped) = cited(&plain(&said.answer, ANSWER_CHARS_MAX), &said.citations, facts.len());
        if dropped > 0 {
            notices.push(format!("The model named {dropped} facts that do not exist; those numbers were taken out."));
        }
        if citations.is_empty() {
            notices.push("This answer is uncited: it names no computed fact, so take it as the model's opinion.".to_owned());
        }
        let given = format!("{question}\n{}", facts::listed(&facts));
        let open_questions: Vec<String> = said
            .open_questions
            .iter()
            .map(|line| shortened(line, LINE_CHARS_MAX))
            .filter(|line| !line.is_empty())
            .take(OPEN_QUESTIONS_MAX)
            .collect();
        let written = format!("{answer}\n{}", open_questions.join("\n"));
        if invented(&written, &given).is_some() {
            notices.push(
                "The model names an address or a link that is neither in the question nor in the facts. Do not use it.".to_owned(),
            );
        }
        Report {
            engine: tools.engine().words(),
            model: model.name().to_owned(),
            answer,
            citations,
            confidence: said.confidence,
            open_questions,
            notices,
            facts,
            steps,
            usage: used,
        }
    }
}

/// The same question may go better: nothing is final about it.
fn failed(fault: ModelError) -> CallError {
    CallError::agent_failed(format!("{fault}."))
}

fn numbers(facts: &[u32]) -> String {
    match (facts.first(), facts.last()) {
        (Some(first), Some(last)) => format!("facts [{first}] to [{last}]."),
        _ => "it found nothing.".to_owned(),
    }
}

/// The form, from a text that is it, or holds it (in a code fence, after some thinking). `None`: it holds none with an answer in it.
fn read(text: &str) -> Option<Said> {
    let spoken = text.rsplit_once("</think>").map_or(text, |(_, spoken)| spoken);
    let object = spoken.get(spoken.find('{')?..=spoken.rfind('}')?)?;
    let filled: Filled = serde_json::from_str(object).ok()?;
    if filled.answer.trim().is_empty() {
        return None;
    }
    Some(Said {
        answer: filled.answer,
        citations: filled.citations.iter().filter_map(number).collect(),
        confidence: filled.confidence.and_then(|word| serde_json::from_value(word).ok()),
        open_questions: filled.open_questions.iter().filter_map(|line| line.as_str().map(str::to_owned)).collect(),
    })
}

/// `3`, `"3"` or `"[3]"`.
fn number(value: &serde_json::Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim_matches(['[', ']', ' ']).parse().ok())
}

/// The answer without the numbers of facts that do not exist; the numbers of those that do, from the list and from the text; and how many
/// there were that do not.
fn cited(answer: &str, listed: &[i64], facts: usize) -> (String, Vec<u32>, usize) {
    let exists = |number: i64| u32::try_from(number).ok().filter(|number| (1..=facts).contains(&usize::try_from(*number).unwrap_or(0)));
    let mut citations: Vec<u32> = listed.iter().filter_map(|number| exists(*number)).collect();
    let mut dropped: Vec<i64> = listed.iter().copied().filter(|number| exists(*number).is_none()).collect();
    let mut kept = String::with_capacity(answer.len());
    let mut rest = answer;
    while let Some((before, after)) = rest.split_once('[') {
        kept.push_str(before);
        let inside = after.split_once(']').filter(|(inside, _)| is_numbers(inside));
        let Some((inside, behind)) = inside else {
            kept.push('[');
            rest = after;
            continue;
        };
        let (there, missing): (Vec<i64>, Vec<i64>) =
            inside.split(',').filter_map(|number| number.trim().parse().ok()).partition(|number| exists(*number).is_some());
        citations.extend(there.iter().filter_map(|number| exists(*number)));
        dropped.extend(missing);
        if there.is_empty() {
            kept.truncate(kept.trim_end_matches(' ').len());
        } else {
            let there: Vec<String> = there.iter().map(i64::to_string).collect();
            kept.push_str(&format!("[{}]", there.join(", ")));
        }
        rest = behind;
    }
    kept.push_str(rest);
    citations.sort_unstable();
    citations.dedup();
    dropped.sort_unstable();
    dropped.dedup();
    (kept, citations, dropped.len())
}

fn is_numbers(text: &str) -> bool {
    let mut numbers = text.split(',').map(str::trim);
    !text.is_empty() && text.len() <= 60 && numbers.all(|number| !number.is_empty() && number.len() <= 9 && number.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn citations_that_do_not_exist_are_taken_out() {
        let (answer, citations, dropped) = cited("It can mint [2][9]. Somebody [1, 7] can pause [x].", &[2, 44, -1], 3);
        assert_eq!(answer, "It can mint [2]. Somebody [1] can pause [x].");
        assert_eq!((citations, dropped), (vec![1, 2], 4));
        assert_eq!(cited("No facts [1].", &[1], 0), ("No facts.".to_owned(), vec![], 1));
    }

    #[test]
    fn the_form_is_found_where_it_is() {
        let said = read("<think>{no}</think>Here:\n```json\n{\"answer\":\"Yes\",\"citations\":[\"[2]\",3],\"confidence\":\"certain\"}\n```").unwrap();
        assert_eq!((said.answer.as_str(), said.citations, said.confidence), ("Yes", vec![2, 3], None));
        for none in ["", "Yes.", "{\"answer\":\"\"}", "} {", "{\"said\":1}"] {
            assert!(read(none).is_none(), "{none}");
        }
    }

    #[test]
    fn the_bounds_leave_time_to_answer() {
        assert!(super::super::CARD.time_limit > ANSWER_TIME + TURN_TIME + RESERVE);
    }
}
