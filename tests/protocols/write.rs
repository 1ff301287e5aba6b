use bytes::Bytes;
use serde_json::{Map, Value, json};
use tower_zookie_testing::api::{Case, Does, Learned, WRITES, apis, cases, with};

/// The reply with this token, if the reply has a place for one.
fn written(write: Case, token: Value) -> Value {
    let token = write.operation.token.map(|member| (member.to_owned(), token));
    Map::from_iter(token).into()
}

fn wrote(write: Case, token: Option<&str>) -> Learned {
    Learned::Wrote(token.map(str::to_owned), write.does() == Does::WriteSchema)
}

#[test]
fn writes_teach_their_tokens() {
    for write in cases(apis(), WRITES) {
        let reply = written(write, write.api.system.token("t"));
        let expected = wrote(write, write.operation.token.map(|_| "t"));
        let more = with(&reply, "/unknown", "x");
        for reply in [reply, more] {
            assert_eq!(write.call().learned_from(&reply), expected, "{write} {reply}");
        }
    }
}

#[test]
fn a_write_succeeded_whatever_its_reply_looks_like() {
    for write in cases(apis(), WRITES) {
        let whole = write.reply(&written(write, write.api.system.token("t"))).body;
        let without = [written(write, json!(null)), json!({"unknown": "t"})].map(|reply| write.reply(&reply).body);
        let odd = ["", "{}", "[]", "\u{1}\0\0\0\0", "Bad Gateway"].map(Bytes::from);
        for body in odd.into_iter().chain(without).chain([whole.slice(..whole.len() - 1)]) {
            let learned = write.call().learned(&write.api.reply_of(body.clone()));
            assert_eq!(learned, wrote(write, None), "{write} {body:?}");
        }
    }
}

#[test]
fn a_write_is_reported_undone_only_where_certain() {
    for write in cases(apis(), WRITES) {
        for code in (1..18).chain([99]) {
            let expected = match code {
                6 | 9 => Learned::Unchanged,
                3 | 5 | 7 | 11 | 12 | 16 => Learned::NotWritten,
                _ => Learned::Nothing,
            };
            let learned = write.call().learned(&write.api.error(code, "ERROR_CODE_INTERNAL"));
            assert_eq!(learned, expected, "{write} {code}");
        }
        for body in ["", "Bad Gateway", "{}", r#"{"code":"3"}"#] {
            for status in [201, 204, 302, 404, 502] {
                let learned = write.call().learned(&write.api.reply_of(body).with_status(status));
                assert_eq!(learned, Learned::Nothing, "{write} {status} {body}");
            }
        }
    }
}
