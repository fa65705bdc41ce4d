//! Documents to read: written here, in thirteen languages, and put together from them in the ways in which texts come.

use super::Document;

const ENGLISH: [&str; 8] = [
    "The harbour of Easton was built in 1872 for ships that carried coal. When the mines closed, the harbour lost its trade, and most of its people \
     left. Dr. Alice Moore, who studies the town, says that the harbour never recovered. “It was the coal or nothing,” she writes. Today the harbour \
     is used by two fishing boats. A plan of the U.S. company Baltic Wind Inc. would bring ships back to the harbour: it wants to build wind turbines \
     there. The plan costs approx. 3.5 million dollars. Is that a lot? The town council thinks so, but it has no other plan for the harbour.",
    "A payment channel lets two people pay each other many times with only two transactions on the chain. The first transaction opens the channel and \
     locks the money of both. Then each payment is a message that both sign. The last message says how much each of them gets. Whoever closes the \
     channel sends the last message to the chain. What if somebody sends an older message? The other has a day to show a newer one, and then gets all \
     the money in the channel. That is why nobody who watches the chain can lose money in a channel. See Sec. 4.2 of the report for the proof.",
    "Please read this before the meeting on 3 May 2027. The budget for the library has to be signed by 14 May 2027. Mr. Ford must send the list of \
     books by Friday. We should ask for a second offer, because $12,400 is too much for forty chairs. The reading room stays closed until then. Nobody \
     knows how long that will take. The library expects 1,200 visitors in June.",
    "Bees do not sleep at night as we do. A worker bee sleeps for thirty seconds at a time, and a forager sleeps at night. In 1983 a scientist saw that \
     tired bees dance badly: the dance tells other bees where to find flowers, and a tired bee points in the wrong direction. Young bees sleep whenever \
     they can. Older bees sleep when it is dark. The sleep of bees is thus like that of people. No bee, however, has ever been late for work.",
    "The committee heard three witnesses. J. R. Bell spoke for the fund, M. Okafor for the library, and Prof. Lind for nobody but himself. Bell said \
     that the grant had been paid. Okafor said that it had not been. Lind said that both might be right: the grant was paid to an address that nobody \
     owns. The committee asked how that could happen (it had been told that addresses are checked. They are not.) and Lind said that one letter was \
     wrong. The grant is lost. The committee decided to check every address of a grant twice from now on.",
    "Version 2.4.1 fixes the queue. It no longer sends a retry before the first payment has settled, e.g. when the network is slow. Update by running \
     the installer from https://example.com/install.sh?v=2.4.1. Then restart the queue. If the queue does not start, look at the log of the queue. \
     Version 2.4 and older ones are not supported any more. Questions? Write to help@example.com.",
    "Rivers carry more than water. Each year the rivers of the world bring some twenty billion tons of sand and mud to the sea. Dams hold back a part \
     of the sand, so that beaches far from any dam become smaller. In the delta of one river, the land sinks by 2 cm a year. Engineers have tried to \
     let sand pass through the dams. It works where a river is short and steep, i.e. in the mountains. In the plains the sand stays behind the dam.",
    "“Why did you come back?” she asked. He did not answer at once. He looked at the table, at the lamp, at the two cups that nobody had washed. “I \
     forgot my keys,” he said. “You never had keys to this house.” That was true! He had given them back on St. Martin's Day, at 5 p.m. sharp. The \
     house had not changed since then. Perhaps the house had never been his... He took his coat and left the house.",
];

const OTHERS: [(&str, &str, &str); 17] = [
    (
        "harbour-de",
        "de",
        "Der Hafen von Osten wurde im Jahr 1872 für die Kohle gebaut. Am 3. Mai 1931 fuhr das letzte Schiff aus dem Hafen. Dr. Maier, der die Stadt seit \
         langem kennt, nennt das einen Fehler, z. B. weil der Hafen noch gebraucht wurde. Heute liegen im Hafen zwei Boote. Der Plan der Baltic Wind GmbH kostet \
         3,5 Mio. Euro. Ist das viel? Die Stadt hat keinen anderen Plan für ihren Hafen.",
    ),
    (
        "library-de",
        "de",
        "Die Bibliothek öffnet um 9 Uhr. Bitte schicken Sie den Vertrag bis zum 5. März 2027 zurück. Die Bibliothek zahlt 1.250,50 Euro für die neuen Stühle. \
         Frau Lind muss die Stühle bis Freitag bestellen. Die alten Stühle der Bibliothek sind nach 40 Jahren kaputt. Das steht im Vertrag, vgl. § 5 Abs. 2.",
    ),
    (
        "bees-de",
        "de",
        "Bienen schlafen anders als Menschen. Eine junge Biene schläft, wann sie will. Eine alte Biene schläft in der Nacht. Wer schlecht schläft, tanzt schlecht: \
         Der Tanz der Bienen zeigt, wo Blumen sind. Eine müde Biene zeigt in die falsche Richtung!",
    ),
    (
        "harbour-fr",
        "fr",
        "Le port d’Easton a été construit en 1872 pour le charbon. Quand les mines ont fermé, le port a perdu son commerce. M. Dupont connaît bien le port. Il dit \
         que le port ne s’en est jamais remis. Aujourd’hui, deux bateaux utilisent le port. Le projet coûte 3,5 millions d’euros. Est-ce beaucoup ? La ville n’a pas \
         d’autre projet pour son port.",
    ),
    (
        "letter-fr",
        "fr",
        "Veuillez signer le contrat avant le 3 mai 2027. La bibliothèque doit payer 1 250,50 € pour les chaises. Les chaises arriveront en juin. Les anciennes \
         chaises de la bibliothèque ont quarante ans. Qui les veut ? Personne !",
    ),
    (
        "harbour-es",
        "es",
        "El puerto de Easton se construyó en 1872 para el carbón. Cuando cerraron las minas, el puerto perdió su comercio. El Sr. López conoce bien el puerto. Dice que \
         el puerto nunca se recuperó. Hoy dos barcos usan el puerto. ¿Es mucho dinero? ¡Claro que sí! La ciudad no tiene otro plan para su puerto.",
    ),
    (
        "letter-es",
        "es",
        "Por favor, firme el contrato antes del 4 de marzo de 2027. La biblioteca debe pagar 1.250,50 € por las sillas. Las sillas llegan en junio. Las sillas viejas de la \
         biblioteca tienen cuarenta años.",
    ),
    (
        "harbour-it",
        "it",
        "Il porto di Easton fu costruito nel 1872 per il carbone. Quando le miniere chiusero, il porto perse il suo commercio. Il dott. Rossi conosce bene il porto. Oggi due \
         barche usano il porto. È molto? La città non ha un altro piano per il suo porto.",
    ),
    (
        "bees-pt",
        "pt",
        "As abelhas não dormem como nós. Uma abelha jovem dorme quando quer. Uma abelha velha dorme de noite. Quem dorme mal dança mal: a dança das abelhas mostra onde estão \
         as flores. Uma abelha cansada mostra o caminho errado!",
    ),
    (
        "harbour-nl",
        "nl",
        "De haven van Easton werd in 1872 gebouwd voor kolen. Toen de mijnen sloten, verloor de haven haar handel. Dhr. Jansen kent de haven goed. Vandaag gebruiken twee boten \
         de haven. Is dat veel? De stad heeft geen ander plan voor de haven.",
    ),
    (
        "bees-ru",
        "ru",
        "Пчёлы спят не так, как люди. Молодая пчела спит, когда хочет. Старая пчела спит ночью. Кто плохо спит, тот плохо танцует: танец пчёл показывает, где цветы. Уставшая пчела \
         показывает не туда! Почему так? Учёные этого ещё не знают.",
    ),
    (
        "bees-ja",
        "ja",
        "蜂は人間のように眠りません。若い蜂は好きな時に眠ります。年をとった蜂は夜に眠ります。よく眠れない蜂はうまく踊れません。蜂の踊りは花の場所を教えます。疲れた蜂は間違った方向を示します！なぜでしょうか？",
    ),
    (
        "bees-zh",
        "zh",
        "蜜蜂睡觉的方式和人不一样。年轻的蜜蜂想睡就睡。年老的蜜蜂在晚上睡觉。睡不好的蜜蜂跳不好舞。蜜蜂的舞蹈告诉别的蜜蜂花在哪里。疲倦的蜜蜂会指错方向！为什么？",
    ),
    (
        "bees-ar",
        "ar",
        "النحل لا ينام مثل الناس. النحلة الصغيرة تنام متى تشاء. النحلة الكبيرة تنام في الليل. من ينام قليلا يرقص بشكل سيئ. رقصة النحل تدل على مكان الزهور. لماذا تخطئ النحلة المتعبة؟ لا أحد يعرف.",
    ),
    (
        "bees-he",
        "he",
        "דבורים אינן ישנות כמו אנשים. דבורה צעירה ישנה מתי שהיא רוצה. דבורה זקנה ישנה בלילה. מי שישן רע רוקד רע. הריקוד של הדבורים מראה איפה הפרחים. למה? אף אחד לא יודע.",
    ),
    (
        "bees-hi",
        "hi",
        "मधुमक्खियाँ हमारी तरह नहीं सोतीं। छोटी मधुमक्खी जब चाहे सोती है। बड़ी मधुमक्खी रात में सोती है। जो ठीक से नहीं सोती वह ठीक से नहीं नाचती। मधुमक्खियों का नाच फूलों का पता बताता है। ऐसा क्यों है? कोई नहीं जानता।",
    ),
    (
        "bees-pl",
        "pl",
        "Pszczoły nie śpią tak jak ludzie. Młoda pszczoła śpi, kiedy chce. Stara pszczoła śpi w nocy. Kto źle śpi, ten źle tańczy: taniec pszczół pokazuje, gdzie są kwiaty. Zmęczona pszczoła \
         pokazuje zły kierunek! Dlaczego? Nikt tego nie wie.",
    ),
];

/// As they were written: one paragraph each.
pub fn written() -> Vec<Document> {
    let english = ENGLISH.iter().enumerate().map(|(place, text)| Document::new(format!("english-{}", place + 1), "en", text));
    let others = OTHERS.iter().map(|(name, language, text)| Document::new((*name).to_owned(), language, text));
    english.chain(others).collect()
}

/// In other clothes: wrapped, with CR LF, as Markdown, with what cannot be seen, all in one, long.
pub fn dressed() -> Vec<Document> {
    let mut dressed = Vec::new();
    for document in written() {
        let text = &document.text;
        dressed.push(document.like("wrapped", wrapped(text, 60, "\n")));
        dressed.push(document.like("crlf", wrapped(text, 72, "\r\n")));
        dressed.push(document.like(
            "markdown",
            format!("# {}\n\n> {}\n\n- [ ] {text}\n* {text}\n\n```\n{text}\n```\n", document.name, wrapped(text, 50, "\n> ")),
        ));
        dressed.push(document.like("unseen", format!("\u{feff}{}\u{200f}", text.replace(' ', " \u{200b}"))));
    }
    let all: Vec<String> = written().into_iter().map(|document| document.text).collect();
    let babel = Document::new("babel".to_owned(), "mixed", &all.join("\n\n"));
    dressed.push(babel.like("long", all.join("\n\n").repeat(4)));
    dressed.push(babel);
    dressed
}

/// At blanks, at this many characters.
fn wrapped(text: &str, width: usize, end: &str) -> String {
    let mut lines = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let characters = word.chars().count();
        if length > 0 && length + 1 + characters > width {
            lines += end;
            length = 0;
        } else if length > 0 {
            lines.push(' ');
            length += 1;
        }
        lines += word;
        length += characters;
    }
    lines
}
