//! What somebody is asked to do. Rules for English, German, French and Spanish; boxes to tick are the same everywhere.

use std::sync::LazyLock;

use regex::Regex;

use super::{At, DateFound, Rule, Task, brief::pattern};
use crate::text::{Kind, Places, Sentence};

static MARKED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b(?:TODO|FIXME)\b|^(?:\*\*)?(?:(?i)action(?: item)?|task|next step|aufgabe)s?(?:\*\*)?\s?:"));
static PLEASE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(?:please|kindly|bitte|veuillez|prière de|s'il (?:te|vous) plaît|por favor)\b"));
/// `must be` and the like are demands too; `must have been` is a guess about the past.
static MUST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:must(?: not)?|(?:has|have|need|needs|is required|are required|is obliged|are obliged) to|shall|muss|müssen|musst|müsst|doit|doivent|devez|il faut|debe|deben|debes|hay que|tiene que|tienen que)\b",
    )
});
static GUESS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)\b(?:must|should|would|could) have\b|\b(?:had|didn't|don't|doesn't|not|never) (?:need|have) to\b")
});
static SHOULD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)\b(?:should|ought to|let’s|let's|soll|sollen|sollte|sollten|devrait|devraient|debería|deberían)\b")
});
static WHO: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(@[\p{L}\d_][\p{L}\d_.-]{1,38}[\p{L}\d_])|^(?:\*\*)?(\p{Lu}[\p{L}’'-]{1,30}(?: \p{Lu}[\p{L}’'-]{1,30})?)(?:\*\*)?(?:: | (?:must|should|shall|needs to|has to|muss|soll|doit|debe)\b)",
    )
});
static DUE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix)\b(?:by|before|until|till|due|no\ later\ than|bis|vor|avant|d'ici|antes\ de(?:l)?|hasta)\s+(?:the\ |on\ |zum\ |le\ |el\ )?
        (?P<when>(?:next\ |this\ |nächsten?\ )?(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag
        |lundi|mardi|mercredi|jeudi|vendredi|lunes|martes|miércoles|jueves|viernes|tomorrow|tonight|noon|midnight|morgen|demain|mañana
        |(?:the\ )?end\ of\ (?:the\ |next\ |this\ )?(?:day|week|month|quarter|year)|eod|eow|next\ (?:week|month)|\d{1,2}(?::\d{2})?\ ?(?:am|pm|uhr)?))\b",
    )
});

/// Verbs that ask for something where a sentence begins with them.
const IMPERATIVES: &[&str] = &[
    "add",
    "agree",
    "approve",
    "archive",
    "arrange",
    "ask",
    "assign",
    "attach",
    "avoid",
    "back",
    "book",
    "bring",
    "build",
    "buy",
    "call",
    "cancel",
    "change",
    "check",
    "choose",
    "clean",
    "close",
    "collect",
    "compare",
    "complete",
    "confirm",
    "contact",
    "copy",
    "create",
    "decide",
    "define",
    "delete",
    "deliver",
    "deploy",
    "disable",
    "do",
    "document",
    "don't",
    "don’t",
    "download",
    "draft",
    "email",
    "enable",
    "ensure",
    "enter",
    "file",
    "fill",
    "find",
    "finish",
    "fix",
    "follow",
    "forward",
    "get",
    "give",
    "implement",
    "inform",
    "install",
    "invite",
    "keep",
    "list",
    "make",
    "measure",
    "merge",
    "migrate",
    "move",
    "notify",
    "open",
    "order",
    "pay",
    "pick",
    "plan",
    "prepare",
    "print",
    "publish",
    "put",
    "read",
    "rebuild",
    "record",
    "register",
    "remember",
    "remind",
    "remove",
    "rename",
    "renew",
    "replace",
    "reply",
    "report",
    "request",
    "reserve",
    "return",
    "review",
    "revoke",
    "rewrite",
    "rotate",
    "run",
    "save",
    "schedule",
    "sell",
    "send",
    "set",
    "share",
    "sign",
    "start",
    "stop",
    "submit",
    "take",
    "talk",
    "tell",
    "test",
    "track",
    "transfer",
    "translate",
    "try",
    "turn",
    "update",
    "upgrade",
    "upload",
    "use",
    "verify",
    "wait",
    "write",
];

/// What follows a verb that asks, as its object or its way; not `Review of the year`, `Test results`.
const OBJECTS: &[&str] = &[
    "the", "a", "an", "all", "any", "each", "every", "your", "our", "their", "his", "her", "my", "its", "this", "that", "these",
    "those", "it", "them", "me", "us", "him", "with", "up", "out", "off", "down", "on", "in", "at", "for", "to", "if", "whether",
    "how", "what", "when", "who", "sure", "both", "two", "three", "no", "not", "back", "by", "from", "into", "over", "again",
    "only", "new", "until", "and", "or",
];

/// In the order of the text.
pub(super) fn of(text: &str, sentences: &[Sentence], dates: &[DateFound], places: &Places) -> Vec<Task> {
    let mut actions = Vec::new();
    let mut next_date = 0;
    // A plain line that stands alone reads as a heading, and may ask for something all the same.
    for sentence in sentences.iter().filter(|sentence| !matches!(sentence.kind, Kind::Heading(1..))) {
        let words = &text[sentence.range.clone()];
        while dates.get(next_date).is_some_and(|date| (date.at.byte as usize) < sentence.range.start) {
            next_date += 1;
        }
        let Some((rule, done)) = rule(words, sentence.kind) else { continue };
        let date = dates.get(next_date).filter(|date| (date.at.byte as usize) < sentence.range.end);
        let due = date.map(|date| date.iso.clone().unwrap_or_else(|| date.text.clone()));
        let due = due.or_else(|| DUE.captures(words).and_then(|found| Some(found.name("when")?.as_str().to_owned())));
        let names = WHO.captures_iter(words).filter_map(|found| Some(found.get(1).or_else(|| found.get(2))?.as_str()));
        let who = names.into_iter().find(|name| !NOBODY.contains(name)).map(str::to_owned);
        actions.push(Task { text: words.to_owned(), rule, done, due, who, at: At::of(places, &sentence.range) });
    }
    actions
}

/// Words that a sentence about a duty may begin with, and that name nobody.
const NOBODY: &[&str] = &[
    "We", "You", "They", "It", "He", "She", "This", "That", "Who", "What", "There", "Note", "Action", "Task", "Everyone",
    "Nobody", "One", "I", "Wer", "Er", "Sie", "Es", "Man", "TODO",
];

fn rule(words: &str, kind: Kind) -> Option<(Rule, Option<bool>)> {
    if let Kind::Item(Some(done)) = kind {
        return Some((Rule::Box, Some(done)));
    }
    let asks = words.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '?').ends_with('?');
    let rule = match () {
        () if MARKED.is_match(words) => Rule::Marked,
        () if PLEASE.is_match(words) => Rule::Please,
        () if asks => return None,
        () if MUST.is_match(words) && !GUESS.is_match(words) => Rule::Must,
        () if SHOULD.is_match(words) && !GUESS.is_match(words) => Rule::Should,
        () if imperative(words) => Rule::Imperative,
        () => return None,
    };
    Some((rule, None))
}

fn imperative(words: &str) -> bool {
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let mut following = words.split_whitespace().map(bare).filter(|word| !word.is_empty());
    let mut first = following.next().unwrap_or_default();
    while matches!(first.as_str(), "then" | "next" | "also" | "finally" | "first" | "and" | "always" | "never" | "now") {
        first = following.next().unwrap_or_default();
    }
    let asks = IMPERATIVES.contains(&first.as_str());
    let second = following.next();
    asks && second.is_none_or(|second| OBJECTS.contains(&second.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{agents::document_brief::dates, text::prose};

    fn read(text: &str) -> Vec<(Rule, String, String, String)> {
        let places = Places::of(text);
        of(text, &prose(text), &dates::of(text, &places), &places)
            .into_iter()
            .map(|action| (action.rule, action.text, action.who.unwrap_or_default(), action.due.unwrap_or_default()))
            .collect()
    }

    #[track_caller]
    fn reads(text: &str, rule: Rule, who: &str, due: &str) {
        assert_eq!(read(text), [(rule, text.to_owned(), who.to_owned(), due.to_owned())]);
    }

    #[test]
    fn what_asks_for_something_is_a_task_with_its_day_and_its_doer() {
        reads("Please send the signed copy by 2027-03-04.", Rule::Please, "", "2027-03-04");
        reads("Ada must renew the certificate before Friday.", Rule::Must, "Ada", "Friday");
        reads("We should talk to the bank, @bob.", Rule::Should, "@bob", "");
        reads("Check the balance by the end of the week.", Rule::Imperative, "", "end of the week");
        reads("TODO rotate the keys", Rule::Marked, "", "");
        reads("Bitte schicken Sie das bis Freitag.", Rule::Please, "", "Freitag");
        reads("Il faut payer avant le 3 mai 2027.", Rule::Must, "", "2027-05-03");
    }

    #[test]
    fn what_only_tells_is_none() {
        let tells = "It must have rained. Should we go? Review of the year. Test results were fine. We paid the bill. You don't have to pay. A check came.";
        assert_eq!(read(tells), []);
    }

    #[test]
    fn a_box_is_a_task_and_says_whether_it_is_done() {
        let places = Places::of("- [x] a b\n- [ ] c d\n- e f");
        let text = "- [x] a b\n- [ ] c d\n- e f";
        let done: Vec<_> = of(text, &prose(text), &[], &places).into_iter().map(|action| (action.rule, action.done)).collect();
        assert_eq!(done, [(Rule::Box, Some(true)), (Rule::Box, Some(false))]);
    }
}
