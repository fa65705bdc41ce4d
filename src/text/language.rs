//! Which language a text is in, by whatlang's trigrams, and what follows from it: its stemmer, its stop words.

use rust_stemmers::Algorithm;
use whatlang::Lang;

/// Bytes that are looked at: more changes no answer and costs time.
const LOOKED_AT: usize = 16 * 1024;

/// Letters below which trigrams are a guess.
const LETTERS_MIN: usize = 24;

/// The language of a text, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Language {
    lang: Lang,
    /// How far ahead of the next likely language it is, in hundredths.
    pub confidence: u8,
    /// whatlang's own verdict: false for short or mixed texts.
    pub is_reliable: bool,
}

/// `None` for a text with too few letters to tell.
pub fn language(text: &str) -> Option<Language> {
    Language::of(text)
}

impl Language {
    /// `None` for a text with too few letters to tell.
    pub fn of(text: &str) -> Option<Self> {
        let head = &text[..text.floor_char_boundary(LOOKED_AT)];
        // Links and code are in no language.
        let prose: String = head
            .split_whitespace()
            .filter(|chunk| !chunk.contains("://") && !chunk.contains('@') && !chunk.starts_with("0x"))
            .flat_map(|chunk| [chunk, " "])
            .collect();
        if prose.chars().filter(|c| c.is_alphabetic()).take(LETTERS_MIN).count() < LETTERS_MIN {
            return None;
        }
        let info = whatlang::detect(&prose)?;
        let confidence = (info.confidence() * 100.0).round().clamp(0.0, 100.0) as u8;
        Some(Self { lang: info.lang(), confidence, is_reliable: info.is_reliable() })
    }

    /// ISO 639-1 where it has a code there, else ISO 639-3.
    pub fn code(self) -> &'static str {
        self.two_letters().unwrap_or_else(|| self.lang.code())
    }

    /// In English: `German`.
    pub fn name(self) -> &'static str {
        match self.lang {
            // whatlang's own name for it, for whom "Mandarin" is a language of speech, not of writing.
            Lang::Cmn => "Chinese",
            lang => lang.eng_name(),
        }
    }

    pub fn is_english(self) -> bool {
        self.lang == Lang::Eng
    }

    /// Words are not set apart by spaces: pairs of characters stand for them.
    pub fn without_spaces(self) -> bool {
        matches!(self.lang, Lang::Cmn | Lang::Jpn | Lang::Tha | Lang::Khm | Lang::Mya)
    }

    /// The Snowball stemmer, where there is one.
    pub(super) fn stemmer(self) -> Option<Algorithm> {
        Some(match self.lang {
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
        })
    }

    /// Words that say nothing of what a text is about (the lists of stopwords-iso); empty where there is no list.
    pub(super) fn stop_words(self) -> &'static [&'static str] {
        self.two_letters().and_then(stop_words::lookup).unwrap_or_default()
    }

    fn two_letters(self) -> Option<&'static str> {
        Some(match self.lang {
            Lang::Ara => "ar",
            Lang::Ben => "bn",
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
            Lang::Lav => "lv",
            Lang::Lit => "lt",
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_its_language() {
        let name = |text| Language::of(text).map(Language::name);
        assert_eq!(name("The shop keeps its books in balance, and every payer can see where the money is."), Some("English"));
        assert_eq!(
            name("Der Laden führt seine Bücher ehrlich, und jeder kann sehen, wo sein Geld geblieben ist."),
            Some("German")
        );
        assert_eq!(name("La tienda lleva bien sus cuentas, y cada cliente puede ver dónde está su dinero."), Some("Spanish"));
        assert_eq!(name("これは日本語の文章です。毎日新しいことを学びます。お金はどこにありますか。"), Some("Japanese"));
        assert_eq!(name("0x1234 42 !"), None);
    }

    #[test]
    fn every_list_of_stop_words_is_there() {
        for lang in [Lang::Eng, Lang::Deu, Lang::Nob, Lang::Pes, Lang::Heb, Lang::Vie, Lang::Ukr] {
            let language = Language { lang, confidence: 100, is_reliable: true };
            assert!(language.stop_words().len() > 40, "{lang:?}");
        }
    }
}
