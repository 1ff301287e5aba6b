use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use crate::token::error::{TokenError, TokenErrorKind};
use crate::token::signed::{Signing, SigningKey, is_enveloped, token_within};
use crate::token::{TokenFormat, Zookie, readers};

const SECRET: &[u8] = b"a secret of 32 bytes, not random";
const OTHER: &[u8] = b"another secret, as long as that1";

fn key(id: &str, secret: &[u8]) -> SigningKey {
    SigningKey::new(id, secret).unwrap()
}

fn signing() -> Signing {
    Signing::new(key("k1", SECRET))
}

fn zookie(text: &str) -> Zookie {
    Zookie::new(text, 4096).unwrap()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn kind(error: &TokenError) -> &TokenErrorKind {
    error.kind()
}

#[test]
fn a_signed_token_has_one_known_text() {
    let signed = signing().sign_at(&zookie("CAIaAwoBMQ=="), at(1_800_000_000));
    // HMAC-SHA-256 as another implementation computes it over the same bytes.
    assert_eq!(
        signed.as_str(),
        "zs1.k1.1800000000.MyUXqx8qyKvjT-vafzegbkktkMz7F1UQw-rKnZ85DC0.CAIaAwoBMQ=="
    );
}

#[test]
fn tokens_of_every_system_are_signed_and_verified() {
    for text in [
        "42",
        "CAIaAwoBMQ==",
        "MTI3MzoxMjczOjEyNzQ6MTI3Mw==",
        "iv1.AQAAAm4xKg",
        "a.b~c:d_-+/=",
    ] {
        let verified = signing().verify(signing().sign(&zookie(text)).as_str()).unwrap();
        assert_eq!((verified.zookie.as_str(), verified.key.as_str()), (text, "k1"));
        let age = SystemTime::now().duration_since(verified.issued).unwrap();
        assert!(age < Duration::from_secs(60));
    }
}

#[test]
fn what_is_signed_is_not_signed_again() {
    let once = signing().sign(&zookie("42"));
    assert_eq!(signing().sign(&once), once);
    let inside = format!("zs1.k1.1.{}.{once}", "A".repeat(43));
    assert!(matches!(
        kind(&signing().verify(&inside).unwrap_err()),
        TokenErrorKind::Malformed(_)
    ));
    assert_eq!(token_within(&inside), None);
}

#[test]
fn no_format_reads_a_signed_token() {
    for text in ["42", "CAIaAwoBMQ==", "MTI3MzoxMjczOjEyNzQ6MTI3Mw=="] {
        let signed = signing().sign(&zookie(text));
        assert!(is_enveloped(signed.as_str()));
        assert_eq!(readers(signed.as_str()), []);
        assert!(crate::token::CounterTokens::new("a").decode(signed.as_str()).is_err());
    }
}

#[test]
fn every_changed_byte_is_a_wrong_signature() {
    let signed = signing()
        .accept(key("k2", OTHER))
        .sign_at(&zookie("4210"), at(1_800_000_000));
    let text = signed.as_str();
    for index in 0..text.len() {
        for byte in *b"A0.~1k2" {
            let mut changed = text.as_bytes().to_vec();
            if changed[index] == byte {
                continue;
            }
            changed[index] = byte;
            let changed = String::from_utf8(changed).unwrap();
            let error = signing()
                .accept(key("k2", OTHER))
                .verify_at(&changed, at(1_800_000_000))
                .unwrap_err();
            assert!(!format!("{error} {error:?}").contains("4210"), "{error}");
        }
        assert!(signing().verify(&text[..index]).is_err());
    }
    assert!(signing().verify(&format!("{text}0")).is_err());
}

#[test]
fn another_key_purpose_or_key_id_is_a_wrong_signature() {
    let signed = signing().sign(&zookie("42"));
    for verifies in [
        Signing::new(key("k1", OTHER)),
        signing().purpose("another"),
        Signing::new(key("k2", OTHER)).accept(key("k1", OTHER)),
    ] {
        assert_eq!(
            kind(&verifies.verify(signed.as_str()).unwrap_err()),
            &TokenErrorKind::WrongSignature
        );
    }
    // The same secret under another name.
    let renamed = signed.as_str().replacen(".k1.", ".k2.", 1);
    let both = signing().accept(key("k2", SECRET));
    assert_eq!(
        kind(&both.verify(&renamed).unwrap_err()),
        &TokenErrorKind::WrongSignature
    );
    assert_eq!(
        kind(&signing().verify(&renamed).unwrap_err()),
        &TokenErrorKind::UnknownKey
    );
}

#[test]
fn a_rotation_accepts_both_keys_until_the_old_one_is_removed() {
    let (old, new) = (key("old", SECRET), key("new", OTHER));
    let before = Signing::new(old.clone());
    let prepared = Signing::new(old.clone()).accept(new.clone());
    let rotated = Signing::new(new.clone()).accept(old);
    let after = Signing::new(new);
    let [by_old, by_new] = [&before, &rotated].map(|signing| signing.sign(&zookie("42")));
    for (signing, reads_old, reads_new) in [
        (&before, true, false),
        (&prepared, true, true),
        (&rotated, true, true),
        (&after, false, true),
    ] {
        assert_eq!(signing.verify(by_old.as_str()).is_ok(), reads_old);
        assert_eq!(signing.verify(by_new.as_str()).is_ok(), reads_new);
    }
    assert_eq!(
        kind(&after.verify(by_old.as_str()).unwrap_err()),
        &TokenErrorKind::UnknownKey
    );
}

#[test]
fn a_token_is_valid_from_its_issue_to_its_greatest_age() {
    let signing = signing()
        .max_age(Duration::from_secs(3600))
        .clock_skew(Duration::from_secs(10));
    let signed = signing.sign_at(&zookie("42"), at(10_000));
    let verified = |now| {
        signing
            .verify_at(signed.as_str(), at(now))
            .map_err(|error| error.kind().clone())
    };
    assert_eq!(verified(9_989).unwrap_err(), TokenErrorKind::FromFuture);
    assert!(verified(9_990).is_ok() && verified(13_610).is_ok());
    assert_eq!(verified(13_611).unwrap_err(), TokenErrorKind::TooOld);
    let forever = Signing::new(key("k1", SECRET));
    assert!(forever.verify_at(signed.as_str(), at(u64::from(u32::MAX))).is_ok());
}

#[test]
fn times_at_the_end_of_all_numbers_are_errors() {
    let signing = signing();
    let signed = signing.sign_issued(&zookie("42"), u64::MAX);
    assert_eq!(
        kind(&signing.verify(signed.as_str()).unwrap_err()),
        &TokenErrorKind::FromFuture
    );
    for time in ["18446744073709551616", "-1", "+1", "01", "", "1e3", " 1"] {
        let text = format!("zs1.k1.{time}.{}.42", "A".repeat(43));
        assert!(
            matches!(kind(&signing.verify(&text).unwrap_err()), TokenErrorKind::Malformed(_)),
            "{time}"
        );
    }
}

#[test]
fn settings_that_make_no_sense_are_rejected() {
    for (id, secret) in [
        ("", SECRET),
        ("a.b", SECRET),
        ("a-name-of-17-chars", SECRET),
        ("k", b"fifteen bytes!!"),
    ] {
        let error = SigningKey::new(id, secret).unwrap_err();
        assert_eq!(error.setting(), "signing");
    }
    for bad in [
        signing().accept(key("k1", OTHER)),
        signing().max_age(Duration::from_millis(999)),
        signing().clock_skew(Duration::from_secs(3601)),
    ] {
        assert_eq!(bad.validate().unwrap_err().setting(), "signing");
    }
    assert_eq!(
        signing()
            .accept(key("k2", OTHER))
            .max_age(Duration::from_secs(1))
            .validate(),
        Ok(())
    );
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", signing().accept(key("k2", OTHER)).purpose("p"));
    assert!(shown.contains("k1") && shown.contains("k2") && shown.contains("\"p\""));
    assert!(!shown.contains("secret") && !shown.contains("97, 32"), "{shown}");
}

proptest! {
    /// An attacker who has any number of signed tokens makes no other one.
    #[test]
    fn rule_08_only_what_was_signed_is_verified(
        tokens in proptest::collection::vec("[0-9]{1,4}", 1..4),
        cuts: [(proptest::sample::Index, proptest::sample::Index); 3],
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let signing = signing().accept(key("k2", OTHER));
        let signed: Vec<String> = tokens.iter().map(|token| signing.sign_at(&zookie(token), at(7)).to_string()).collect();
        // Parts of them in any order, and some other bytes.
        let mut made: Vec<u8> = Vec::new();
        for (from, to) in cuts {
            let of = signed[from.index(signed.len())].as_bytes();
            let (a, b) = (from.index(of.len() + 1), to.index(of.len() + 1));
            made.extend(&of[a.min(b)..a.max(b)]);
        }
        for (index, byte) in changes {
            if !made.is_empty() {
                let index = index.index(made.len());
                made[index] = byte;
            }
        }
        let made = String::from_utf8_lossy(&made).into_owned();
        if let Ok(verified) = signing.verify(&made) {
            prop_assert!(signed.contains(&made));
            let again = signing.sign_at(&verified.zookie, verified.issued);
            prop_assert_eq!(again.as_str(), made);
        }
    }

    #[test]
    fn any_text_is_read_or_rejected(text: String, rest in "[ -~]{0,80}") {
        let _ = signing().verify(&text);
        let claimed = format!("zs1.k1.{rest}");
        prop_assert!(signing().verify(&claimed).is_err());
        let _ = token_within(&format!("zs1.{rest}"));
    }
}
