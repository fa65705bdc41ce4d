//! Which language a text is in, and what is known of that language.

use rust_stemmers::{Algorithm, Stemmer};
use whatlang::Lang;

/// As far as it could be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language {
    lang: Lang,
    /// The text is long and clear enough that it is hardly another one.
    pub is_reliable: bool,
}

/// More of a text does not make it clearer.
const READ_MAX: usize = 20_000;

/// `None`: there are no letters in it.
pub fn language(text: &str) -> Option<Language> {
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= READ_MAX).last()?;
    let info = whatlang::detect(text.get(..end).filter(|some| !some.is_empty()).unwrap_or(text))?;
    Some(Language { lang: info.lang(), is_reliable: info.is_reliable() })
}

impl Language {
    /// ISO 639-1 where it has a code there, else ISO 639-3.
    pub fn code(self) -> &'static str {
        two_letters(self.lang).unwrap_or_else(|| self.lang.code())
    }

    /// In English.
    pub fn name(self) -> &'static str {
        self.lang.eng_name()
    }

    pub fn is_english(self) -> bool {
        self.lang == Lang::Eng
    }

    /// Words that say nothing by themselves.
    pub(super) fn stop_words(self) -> &'static [&'static str] {
        two_letters(self.lang).and_then(stop_words::lookup).unwrap_or_default()
    }

    /// What makes "runs" and "running" one word. `None`: each form is a word of its own.
    pub(super) fn stemmer(self) -> Option<Stemmer> {
        let algorithm = match self.lang {
            Lang::Ara => Algorithm::Arabic,
            Lang::Dan => Algorithm::Danish,
            Lang::Nld => Algorithm::Dutch,
            Lang::Eng => Algorithm::English,
            Lang::Fin => Algorithm::Finnish,
            Lang::Fra => Algorithm::French,
            Lang::Deu => Algorithm::German,
            Lang::Ell => Algorithm::Greek,
            Lang::Hun => Algorithm::Hungarian,
            Lang::Ita => Algorithm::Italian,
            Lang::Nob => Algorithm::Norwegian,
            Lang::Por => Algorithm::Portuguese,
            Lang::Ron => Algorithm::Romanian,
            Lang::Rus => Algorithm::Russian,
            Lang::Spa => Algorithm::Spanish,
            Lang::Swe => Algorithm::Swedish,
            Lang::Tam => Algorithm::Tamil,
            Lang::Tur => Algorithm::Turkish,
            _ => return None,
        };
        Some(Stemmer::create(algorithm))
    }
}

fn two_letters(lang: Lang) -> Option<&'static str> {
    Some(match lang {
        Lang::Ara => "ar",
        Lang::Bul => "bg",
        Lang::Cat => "ca",
        Lang::Ces => "cs",
        Lang::Cmn => "zh",
        Lang::Dan => "da",
        Lang::Deu => "de",
        Lang::Ell => "el",
        Lang::Eng => "en",
        Lang::Epo => "eo",
        Lang::Est => "et",
        Lang::Fin => "fi",
        Lang::Fra => "fr",
        Lang::Heb => "he",
        Lang::Hin => "hi",
        Lang::Hrv => "hr",
        Lang::Hun => "hu",
        Lang::Ind => "id",
        Lang::Ita => "it",
        Lang::Jpn => "ja",
        Lang::Kor => "ko",
        Lang::Lat => "la",
        Lang::Lit => "lt",
        Lang::Lav => "lv",
        Lang::Nld => "nl",
        Lang::Nob => "no",
        Lang::Pes => "fa",
        Lang::Pol => "pl",
        Lang::Por => "pt",
        Lang::Ron => "ro",
        Lang::Rus => "ru",
        Lang::Slk => "sk",
        Lang::Slv => "sl",
        Lang::Spa => "es",
        Lang::Srp => "sr",
        Lang::Swe => "sv",
        Lang::Tha => "th",
        Lang::Tur => "tr",
        Lang::Ukr => "uk",
        Lang::Vie => "vi",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_in_its_language() {
        for (text, code) in [
            ("The agent runs only after its payment is final, and then it answers at once.", "en"),
            ("Der Vertrag wurde geprüft, und niemand außer dem Eigentümer darf die Gebühr ändern.", "de"),
            ("Le contrat a été vérifié et personne d'autre que le propriétaire ne peut changer les frais.", "fr"),
            ("Контракт был проверен, и никто, кроме владельца, не может изменить комиссию.", "ru"),
        ] {
            assert_eq!(language(text).map(Language::code), Some(code), "{text}");
        }
        assert_eq!(language("123 456, 789."), None);
        assert_eq!(language(""), None);
    }
}
