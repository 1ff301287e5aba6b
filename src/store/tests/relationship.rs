use crate::store::filter::{Filter, SubjectFilter};
use crate::store::relationship::{ObjectRef, ParseError, Relationship, SubjectRef};
use crate::store::tests::rel;

#[test]
fn texts_read_back_unmodified() {
    for text in [
        "team:compiler#direct@user:u1",
        "repo:rust-lang/crates=2Eio#writer@team:a|b+c_D#member",
        "acme/doc:1#reader@user:*",
    ] {
        assert_eq!(text.parse::<Relationship>().unwrap().to_string(), text);
    }
    let subject: SubjectRef = "team:a#...".parse().unwrap();
    assert_eq!(subject.to_string(), "team:a");
}

#[test]
fn bad_texts_are_rejected() {
    for text in [
        "",
        "team",
        "team:a",
        "team:a#b",
        "team:a#b@",
        "team:a#b@c",
        "#@",
        ":#@:",
    ] {
        assert!(text.parse::<Relationship>().is_err(), "{text}");
    }
    assert_eq!(
        "team:*#a@user:b".parse::<Relationship>().unwrap_err(),
        ParseError::Wildcard
    );
    assert_eq!(
        "team:a#b@user:*#c".parse::<Relationship>().unwrap_err(),
        ParseError::Wildcard
    );
    for id in ["", "a b", "a.b", "é", "a#b", "**"] {
        assert!(matches!(ObjectRef::new("user", id), Err(ParseError::Id { .. })), "{id}");
    }
    for name in ["", "User", "1a", "a-b", "_a"] {
        assert!(
            matches!(ObjectRef::new(name, "a"), Err(ParseError::Name { .. })),
            "{name}"
        );
    }
    assert!(ObjectRef::new("user", &"a".repeat(1024)).is_ok());
    let error = ObjectRef::new("user", &"a".repeat(1025)).unwrap_err();
    assert!(error.to_string().len() < 300);
    assert!(ObjectRef::new(&"a".repeat(129), "a").is_err());
    assert!(SubjectRef::userset("team:a".parse().unwrap(), &"a".repeat(65)).is_err());
}

#[test]
fn filters_match_by_every_given_part() {
    let one = rel("team:a#direct@team:b#member");
    assert!(Filter::from(&one).matches(&one));
    assert!(Filter::of_type("team").matches(&one));
    assert!(!Filter::of_type("doc").matches(&one));
    assert!(!Filter::of_type("team").id("b").matches(&one));
    assert!(!Filter::of_type("team").relation("banned").matches(&one));
    let by = |subject: SubjectFilter| Filter::of_type("team").subject(subject).matches(&one);
    assert!(by(SubjectFilter::of_type("team")));
    assert!(by(SubjectFilter::of_type("team").id("b").relation("member")));
    assert!(!by(SubjectFilter::of_type("team").id("c")));
    assert!(!by(SubjectFilter::of_type("team").relation("direct")));
    assert!(!by(SubjectFilter::of_type("team").without_relation()));
    assert!(!by(SubjectFilter::of_type("user")));
}
