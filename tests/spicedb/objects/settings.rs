//! Settings that make no sense are rejected by name.

use std::sync::Arc;
use std::time::Duration;

use tower_zookie::InvalidSetting;
use tower_zookie::ZookieLayer;
use tower_zookie::objects::{MemoryObjects, Objects};
use tower_zookie::protocol::permify::{self, Permify};
use tower_zookie::protocol::spicedb::{Engine, SpiceDb};
use tower_zookie::protocol::{AuthZen, CheckRoute, Protocol, Routes, Verdict};
use tower_zookie::token::{CounterTokens, InferaDb};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn store() -> Arc<MemoryObjects> {
    Arc::new(MemoryObjects::new(10).unwrap())
}

fn build<P: Protocol>(protocol: P, objects: Objects) -> Result<(), InvalidSetting> {
    ZookieLayer::builder(protocol).objects(objects).build().map(drop)
}

fn immediate(set: impl FnOnce(Objects) -> Objects) -> Result<(), InvalidSetting> {
    build(SpiceDb::new(Engine::Postgres), set(Objects::immediate(store())))
}

fn followed(lag: Duration) -> Objects {
    Objects::followed(store(), lag)
}

/// Checks that don't say which objects they concern.
fn routes() -> Routes {
    let check = CheckRoute::get("/check").verdict(Verdict::json("/allowed"));
    Routes::builder(InferaDb::new("test")).check(check).build().unwrap()
}

#[test]
fn rule_17_settings_of_objects_that_make_no_sense_are_named() {
    let zero = Duration::ZERO;
    let postgres = || SpiceDb::new(Engine::Postgres);
    let rejected = [
        ("keep", immediate(|objects| objects.keep(SECOND * 10))),
        ("keep", immediate(|objects| objects.keep(zero))),
        ("keep", build(postgres(), followed(SECOND).keep(SECOND * 11))),
        (
            "keep",
            build(
                SpiceDb::new(Engine::CockroachDb),
                Objects::immediate(store()).keep(SECOND * 15),
            ),
        ),
        (
            "keep",
            immediate(|objects| objects.store_staleness(SECOND * 60).keep(SECOND * 60)),
        ),
        ("look_up_timeout", immediate(|objects| objects.look_up_timeout(zero))),
        (
            "look_up_timeout",
            immediate(|objects| objects.look_up_timeout(DAY + SECOND)),
        ),
        ("record_timeout", immediate(|objects| objects.record_timeout(zero))),
        ("write_timeout", immediate(|objects| objects.write_timeout(zero))),
        ("write_timeout", immediate(|objects| objects.write_timeout(DAY * 2))),
        (
            "store_staleness",
            immediate(|objects| objects.store_staleness(Duration::MAX)),
        ),
        ("lag", build(postgres(), followed(zero))),
        ("lag", build(postgres(), followed(Duration::from_millis(9)))),
        ("lag", build(postgres(), followed(Duration::MAX))),
        (
            "followed_capacity",
            build(postgres(), followed(SECOND).followed_capacity(0)),
        ),
        (
            "store_staleness",
            build(AuthZen::new(CounterTokens::new("z")), Objects::immediate(store())),
        ),
        (
            "objects",
            build(routes(), Objects::immediate(store()).store_staleness(SECOND)),
        ),
    ];
    for (setting, built) in rejected {
        let why = built.expect_err(setting).to_string();
        assert!(why.contains(setting), "{setting}: {why}");
    }
    assert!(MemoryObjects::new(0).unwrap_err().to_string().contains("capacity"));
}

#[test]
fn settings_of_objects_that_make_sense_are_taken() {
    let least = Duration::from_secs(11);
    assert!(immediate(|objects| objects).is_ok());
    assert!(immediate(|objects| objects.keep(least)).is_ok());
    assert!(build(SpiceDb::new(Engine::Postgres), followed(SECOND).keep(least + SECOND)).is_ok());
    assert!(build(SpiceDb::new(Engine::Spanner), followed(Duration::from_millis(10))).is_ok());
    assert!(build(Permify::new(permify::Engine::Postgres), Objects::immediate(store())).is_ok());
    assert!(immediate(|objects| objects.look_up_timeout(DAY).record_timeout(DAY).write_timeout(DAY)).is_ok());
    assert!(immediate(|objects| objects.store_staleness(DAY)).is_ok());
}
