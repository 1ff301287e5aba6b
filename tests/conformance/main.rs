//! The rules of the contract, for protocols of this crate: the suite of `testing/` runs them. `broken` shows that each of
//! its checks finds a protocol that breaks the rule.

mod authzen_api;
mod broken;
mod routes_api;
mod spicedb_api;

use authzen_api::AuthZenApi;
use routes_api::RoutesApi;
use spicedb_api::SpiceDbApi;

tower_zookie_testing::conformance!(authzen, AuthZenApi);
tower_zookie_testing::conformance!(routes_with_tokens_in_messages, RoutesApi::Body);
tower_zookie_testing::conformance!(routes_with_tokens_in_headers, RoutesApi::Path);
tower_zookie_testing::conformance!(spicedb_through_its_gateway, SpiceDbApi);
