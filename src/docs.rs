//! The guides.
//!
//! They are part of the documentation only: a normal build does not contain this module.

#[doc = include_str!("../docs/spicedb.md")]
///
/// In these docs: [`ZookieLayer::spicedb`](crate::ZookieLayer::spicedb), [`SpiceDb`](crate::protocol::SpiceDb),
/// [`ZookieLayerBuilder`](crate::ZookieLayerBuilder), [`cache::Settings`](crate::cache::Settings).
pub mod spicedb {}

#[doc = include_str!("../docs/permify.md")]
///
/// In these docs: [`ZookieLayer::permify`](crate::ZookieLayer::permify), [`Permify`](crate::protocol::Permify),
/// [`Handle::follow`](crate::Handle::follow), [`ZookieLayerBuilder`](crate::ZookieLayerBuilder),
/// [`cache::Settings`](crate::cache::Settings).
pub mod permify {}

#[doc = include_str!("../docs/own-service.md")]
///
/// In these docs: [`Routes`](crate::protocol::Routes), [`AuthZen`](crate::protocol::AuthZen),
/// [`Protocol`](crate::protocol::Protocol), [`kit`](crate::protocol::kit), [`Asked`](crate::Asked),
/// [`Capabilities`](crate::cache::Capabilities), [`DecisionCache`](crate::cache::DecisionCache),
/// [`StreamFeed`](crate::changes::StreamFeed), [`CheckRoute::asks`](crate::protocol::CheckRoute::asks),
/// [`AuthZen::asks`](crate::protocol::AuthZen::asks), [`ZookieLayerBuilder`](crate::ZookieLayerBuilder), [`cache::Settings`](crate::cache::Settings).
pub mod own_service {}

#[doc = include_str!("../docs/tokens.md")]
///
/// In these docs: [`Signing`](crate::token::Signing), [`SigningKey`](crate::token::SigningKey),
/// [`ZookieLayerBuilder::signing`](crate::ZookieLayerBuilder::signing),
/// [`SessionLayerBuilder::signing`](crate::session::SessionLayerBuilder::signing),
/// [`PropagateLayer::signed`](crate::session::PropagateLayer::signed), [`RevisionToken`](crate::token::RevisionToken),
/// [`InferaDb`](crate::token::InferaDb).
pub mod tokens {}

#[doc = include_str!("../docs/nodes.md")]
///
/// In these docs: [`store::node`](crate::store::node), [`Node`](crate::store::node::Node), [`Link`](crate::store::node::Link),
/// [`NatsLink`](crate::store::node::NatsLink), [`SnapshotReader`](crate::store::SnapshotReader),
/// [`StoreFeed::of_node`](crate::changes::StoreFeed::of_node).
#[cfg(all(feature = "nats", feature = "store"))]
pub mod nodes {}

#[doc = include_str!("../docs/sessions.md")]
///
/// In these docs: [`SessionLayer`](crate::session::SessionLayer), [`PropagateLayer`](crate::session::PropagateLayer),
/// [`Session`](crate::session::Session), [`compare`](crate::token::compare), [`join`](crate::token::join),
/// [`Carriers`](crate::token::Carriers).
pub mod sessions {}

#[doc = include_str!("../docs/objects.md")]
///
/// In these docs: [`objects`](crate::objects), [`Objects`](crate::objects::Objects), [`Ancestors`](crate::objects::Ancestors),
/// [`ObjectTokens`](crate::objects::ObjectTokens), [`MemoryObjects`](crate::objects::MemoryObjects),
/// [`WriteRoute::touches`](crate::protocol::WriteRoute::touches).
pub mod objects {}

#[doc = include_str!("../docs/feeds.md")]
///
/// In these docs: [`changes`](crate::changes), [`Handle::follow`](crate::Handle::follow), [`Handle::feed`](crate::Handle::feed),
/// [`ChangeFeed`](crate::changes::ChangeFeed), [`StreamFeed`](crate::changes::StreamFeed),
/// [`cache::Settings`](crate::cache::Settings).
pub mod feeds {}

#[doc = include_str!("../docs/sidecar.md")]
pub mod sidecar {}

#[doc = include_str!("../docs/operations.md")]
///
/// In these docs: [`ZookieLayerBuilder`](crate::ZookieLayerBuilder), [`cache::Settings`](crate::cache::Settings),
/// [`Stats::prometheus_text`](crate::cache::Stats), [`Handle::set_pass_through`](crate::Handle::set_pass_through),
/// [`Miss`](crate::cache::Miss), [`Warning`](crate::Warning).
pub mod operations {}

#[doc = include_str!("../docs/contract.md")]
///
/// In these docs: [`Consistency`](crate::consistency::Consistency), [`Settings::window`](crate::cache::Settings::window),
/// [`Carriers`](crate::token::Carriers), [`Stats`](crate::cache::Stats),
/// [`ZookieLayerBuilder`](crate::ZookieLayerBuilder), [`cache::Settings`](crate::cache::Settings).
pub mod contract {}

#[doc = include_str!("../docs/security.md")]
///
/// In these docs: [`ZookieLayerBuilder`](crate::ZookieLayerBuilder), [`Credential`](crate::Credential).
pub mod security {}

#[doc = include_str!("../docs/benchmarks.md")]
pub mod benchmarks {}

#[doc = include_str!("../docs/architecture.md")]
pub mod architecture {}
