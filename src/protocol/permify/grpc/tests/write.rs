use crate::protocol::permify::grpc::tests::*;

const DATA_WRITES: [&str; 5] = [
    "Write",
    "WriteRelationships",
    "Delete",
    "DeleteRelationships",
    "RunBundle",
];
const ENDING_ALL: [&str; 3] = [
    "/base.v1.Schema/Write",
    "/base.v1.Schema/PartialWrite",
    "/base.v1.Tenancy/Delete",
];

fn data_writes() -> impl Iterator<Item = String> {
    DATA_WRITES.iter().map(|method| format!("/base.v1.Data/{method}"))
}

fn call(path: &str) -> ReadCall {
    ask_with(path, &[], b"", &base()).unwrap()
}

fn wrote(path: &str, reply: &[u8]) -> (Option<String>, bool) {
    match learn(&call(path), reply) {
        ReplyOutcome::Wrote { token, schema } => (token, schema),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_write_is_recognized_by_its_path() {
    let data = data_writes().map(|path| (path, false));
    for (path, schema) in data.chain(ENDING_ALL.map(|path| (path.to_owned(), true))) {
        let call = call(&path);
        assert_eq!(call.kind, Kind::Write { schema, stream: false }, "{path}");
        assert_eq!((call.consistency, call.token), (None, None));
    }
}

#[test]
fn writes_teach_their_tokens() {
    let written = decoded(recorded::WRITTEN);
    for path in data_writes() {
        let token = Some(recorded::WRITTEN_TOKEN.to_owned());
        assert_eq!(wrote(&path, &written), (token, false), "{path}");
        // The write succeeded, whatever its reply looks like.
        for reply in [
            &b""[..],
            b"\x01\0\0\0\0",
            &framed(b""),
            &framed(&bytes(1, b"")),
            &framed(&bytes(1, b"\xff")),
            &framed(&bytes(1, b"t").repeat(2)),
            &framed(&bytes(2, b"t")),
            &framed(b"\x0a\x09"),
        ] {
            assert_eq!(wrote(&path, reply), (None, false), "{path} {reply:x?}");
        }
    }
}

#[test]
fn a_schema_has_a_version_and_no_token() {
    for path in ENDING_ALL {
        for text in ["dc0gm41ksdufcep5vvg0", "acme", "noop", recorded::WRITTEN_TOKEN] {
            let reply = framed(&bytes(1, text.as_bytes()));
            assert_eq!(wrote(path, &reply), (None, true), "{path} {text}");
        }
    }
}

#[test]
fn an_empty_write_in_memory_changes_nothing() {
    for path in data_writes() {
        let learned = learn(&call(&path), &framed(&bytes(1, b"noop")));
        assert!(matches!(learned, ReplyOutcome::NotWritten), "{path}");
    }
}

#[test]
fn a_write_is_reported_undone_only_where_certain() {
    for path in [WRITE, WRITE_SCHEMA, "/base.v1.Tenancy/Delete"] {
        let call = call(path);
        for code in ["3", "5", "6", "7", "9", "11", "12", "16"] {
            let learned = learn_error(&call, code, "");
            assert!(matches!(learned, ReplyOutcome::NotWritten), "{path} {code}");
        }
        for code in ["1", "2", "4", "8", "10", "13", "14", "15", "17", "x"] {
            let learned = learn_error(&call, code, "ERROR_CODE_INTERNAL");
            assert!(matches!(learned, ReplyOutcome::Nothing), "{path} {code}");
        }
    }
}

#[test]
fn writes_are_forwarded_unmodified() {
    let body = Bytes::from(framed(&plain()));
    for path in [WRITE, WRITE_SCHEMA] {
        let rewritten = api().ask(call(path).with(&body), &[], &at_least_ask(), Some(&zookie("u")));
        assert_eq!(rewritten, None, "{path}");
    }
}
