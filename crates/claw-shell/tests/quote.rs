//! What `quote` writes, an independent reader of shell words reads back.

use proptest::prelude::*;

proptest! {
    #[test]
    fn quoted_texts_are_one_word_and_the_same_text(text in "[^\0]{0,40}") {
        let quoted = String::from_utf8(claw_shell::quote(text.as_bytes()).into_owned()).unwrap();
        // `$'..'` is bash's own and beyond that reader.
        prop_assume!(!quoted.contains("$'"));
        prop_assert_eq!(shell_words::split(&quoted).unwrap(), vec![text]);
    }
}
